//! What Kamailio 5.6.3 does not accept any more, so that there is nobody to compare with: the AVPs of the
//! dispatcher. What is expected is what the manual of Kamailio 4 says: "dst_avp" holds "the list with
//! addresses, in the order they have been selected by the chosen algorithm", the current one first;
//! `ds_next_dst()` takes the first away; "grp_avp" holds the set, "cnt_avp" "the number of destination
//! addresses kept in dst_avp", and "attrs_avp" the attributes.

use crate::compare::{Side, transcripts};
use crate::server::Kind;
use crate::stage::{Scenario, scenario};

const REFUSED: &[Scenario] = &[scenario("refused", |stage| {
    let invite = stage.request("INVITE");
    let answers = ["500 One", "500 Two", "486 Busy Here"];
    stage.fails(&invite, true, &answers, "486")
})];

#[test]
fn the_destinations_are_in_the_avps_that_parameters_name() {
    let side = Side {
        kind: Kind::Sipshard,
        configuration: include_str!("files/avps.cfg"),
    };
    let attributes = |number: usize| ["0 0 site=a", "0 0 site=b", "0 0 site=c"][number];
    let all = transcripts(side, 1, attributes, REFUSED);
    let expected = [
        (
            13,
            "X-List: sip:10.0.0.13:5060 sip:10.0.0.12:5060 sip:10.0.0.11:5060 <null>",
        ),
        (13, "X-Chosen: group 1, count 3, site=c"),
        (
            12,
            "X-Then: sip:10.0.0.12:5060 sip:10.0.0.11:5060, count 3, site=b",
        ),
        (11, "X-Then: sip:10.0.0.11:5060 <null>, count 3, site=a"),
    ];
    assert!(!all[0].is_cut_short(), "{:?}", all[0].flow());
    for (host, line) in expected {
        let invite = &all[0].messages(&format!("gateway {host}"))[0];
        assert!(invite.lines().any(|one| one == line), "{line}:\n{invite}");
    }
}
