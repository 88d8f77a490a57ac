//! The configurations: each plays its scenarios on both servers, by our own ends and by SIPp.

use crate::compare::{Attributes, Side, assert_same, transcripts};
use crate::known::{Known, NOTHING};
use crate::samples::{cut, example, installed_elsewhere, manual, replace, without};
use crate::server::{Kind, peers_are_installed};
use crate::stage::Scenario;
use crate::{forking, sipp, stateful, stateless};

/// Every gateway is in, and none is better.
pub const EQUAL: Attributes = |_| "0 0";
/// Every gateway is out.
const OUT: Attributes = |_| "1 0";

/// One configuration, as each of the two servers reads it.
pub struct Configuration {
    /// For Kamailio 5.6.3.
    pub theirs: String,
    /// For sipshard.
    pub ours: String,
    /// The set that it takes destinations from.
    pub set: u32,
}

impl Configuration {
    /// The same file for both.
    pub fn same(text: String, set: u32) -> Self {
        Self {
            theirs: text.clone(),
            ours: text,
            set,
        }
    }

    fn sides(&self) -> [Side<'_>; 2] {
        let side = |kind| Side {
            kind,
            configuration: match kind {
                Kind::Kamailio => &self.theirs,
                Kind::Sipshard => &self.ours,
            },
        };
        [Kind::Kamailio, Kind::Sipshard].map(side)
    }

    /// Plays scenarios on both servers.
    pub fn plays(&self, attributes: Attributes, scenarios: &[Scenario], known: Known) {
        let play = |side: Side<'_>| transcripts(side, self.set, attributes, scenarios);
        assert_same(self.sides(), known, play);
    }

    fn carries_calls_of_sipp(&self) {
        let call = |side: Side<'_>| sipp::calls(side, self.set, EQUAL);
        assert_same(self.sides(), NOTHING, call);
    }
}

/// Kamailio 3, Example 1.32, unmodified.
pub fn of_kamailio_3() -> Option<Configuration> {
    let manual = manual("kamailio-3-dispatcher.txt")?;
    Some(Configuration::same(example(&manual, "Example 1.32."), 2))
}

/// OpenSER, Example 1-5, unmodified.
fn of_openser() -> Option<Configuration> {
    let manual = manual("openser-dispatcher.txt")?;
    Some(Configuration::same(example(&manual, "Example 1-5."), 2))
}

/// Kamailio 4, Example 1.41, its three wrapped lines joined and a list instead of MySQL. Kamailio 5.6.3
/// has no `mi_fifo`, `mi_rpc` and `*_avp` any more, and Debian's package no `db_mysql`: without these
/// lines, none of which the routes use, it runs there.
pub fn of_kamailio_4() -> Option<Configuration> {
    let file = example(&manual("kamailio-4-dispatcher.txt")?, "Example 1.41.");
    let file = replace(&file, "404 fr\nom", "404 from");
    let file = replace(&file, "... i\ngnore", "... ignore");
    let file = replace(&file, ";s\nrc_ip", ";src_ip");
    let ours = with_list(&file);
    let gone = ["db_mysql.so", "mi_fifo", "mi_rpc.so", "_avp\""];
    Some(Configuration {
        theirs: without(&ours, &gone),
        ours,
        set: 1,
    })
}

/// The list instead of the database.
fn with_list(file: &str) -> String {
    replace(
        file,
        "\"db_url\", DBURL",
        "\"list_file\", \"../etc/dispatcher.list\"",
    )
}

/// The `dispatcher.cfg` of Kamailio's sources, with the list. Debian's package leaves it out.
fn of_the_sources() -> Option<Configuration> {
    let file = with_list(&installed_elsewhere()?);
    Some(Configuration {
        theirs: without(&file, &["db_mysql.so"]),
        ours: file,
        set: 1,
    })
}

/// What the tutorial takes for granted around its snippets; the timer is short because a test waits.
const FRAME: &str = r#"#!KAMAILIO
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
PARAMETERS
modparam("tm", "fr_timer", 1000)
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { route(RELAY); }
        if (is_method("ACK") && t_check_trans()) { t_relay(); }
        exit;
    }
    t_check_trans();
    record_route();
    SNIPPET
    sl_send_reply("405", "Calls Only");
}
route[RELAY] {
    t_relay();
    exit;
}
"#;

/// The tutorial's parameters in the frame, with one of its snippets and its handler of failures.
fn of_the_tutorial(
    snippet: [&str; 2],
    more: &str,
    changes: &[(&str, &str)],
) -> Option<Configuration> {
    let manual = manual("kamailio-5-dispatcher-tutorial.txt")?;
    let module = cut(&manual, "loadmodule \"dispatcher.so\"", "Next we");
    let parameters = cut(
        &manual,
        "modparam(\"dispatcher\", \"db_url\"",
        "Most of these",
    );
    let snippet = cut(&manual, snippet[0], snippet[1]);
    let failure = cut(&manual, "route[DISPATCH_FAILURE]", "ds_next_dst() gets");
    let frame = replace(
        FRAME,
        "PARAMETERS",
        &format!("{module}{}{more}", with_list(&parameters)),
    );
    let file = replace(&frame, "SNIPPET", &snippet) + &failure;
    let file = changes
        .iter()
        .fold(file, |file, (from, to)| replace(&file, from, to));
    Some(Configuration::same(file, 1))
}

/// Its first snippet, without a handler of failures; the handler stands there, but nobody arms it.
fn first_of_the_tutorial() -> Option<Configuration> {
    let snippet = ["if(method==\"INVITE\"){\n   ds_select_dst(1, 4)", "Now let"];
    of_the_tutorial(snippet, "", &[])
}

const SECOND: [&str; 2] = [
    "if(method==\"INVITE\"){\n                ds_select_dst(1, 12)",
    "And the failure",
];

/// The handler of the second snippet as it must be called to be one: as printed it is a plain route, which
/// neither runs when a call fails. Both say so at the start.
const HANDLER: (&str, &str) = (
    "\nroute[DISPATCH_FAILURE]",
    "\nfailure_route[DISPATCH_FAILURE]",
);

/// Its second snippet as printed.
fn second_as_printed() -> Option<Configuration> {
    of_the_tutorial(SECOND, "", &[])
}

/// Its second snippet: all destinations at once.
fn second_of_the_tutorial() -> Option<Configuration> {
    of_the_tutorial(SECOND, "", &[HANDLER])
}

/// Its second snippet as its text and its picture mean it: by priority, one after the other.
fn meaning_of_the_tutorial() -> Option<Configuration> {
    let flags = "modparam(\"dispatcher\", \"flags\", 2)\n";
    let serial = ("ds_select_dst(1, 12)", "ds_select_dst(1, 8)");
    of_the_tutorial(SECOND, flags, &[HANDLER, serial])
}

/// The first gateway of the tutorial's last story is tried first.
const BY_PRIORITY: Attributes = |number| ["0 10", "0 5", "0 1"][number];

/// A test of a configuration, if there are Kamailio and the configuration.
macro_rules! tests {
    ($($name:ident: $configuration:ident, $check:expr;)*) => {$(
        #[test]
        fn $name() {
            if !peers_are_installed() {
                return;
            }
            let Some(configuration) = $configuration() else {
                return;
            };
            let check: fn(&Configuration) = $check;
            check(&configuration);
        }
    )*};
}

tests! {
    kamailio_3: of_kamailio_3, |file| file.plays(EQUAL, stateless::ALL, NOTHING);
    kamailio_3_all_out: of_kamailio_3, |file| file.plays(OUT, stateless::ALL_OUT, NOTHING);
    kamailio_3_sipp: of_kamailio_3, Configuration::carries_calls_of_sipp;
    openser: of_openser, |file| file.plays(EQUAL, stateless::ALL, NOTHING);
    openser_all_out: of_openser, |file| file.plays(OUT, stateless::ALL_OUT, NOTHING);
    openser_sipp: of_openser, Configuration::carries_calls_of_sipp;
    kamailio_4: of_kamailio_4, |file| file.plays(EQUAL, stateful::ALL, NOTHING);
    kamailio_4_silent: of_kamailio_4, |file| file.plays(EQUAL, stateful::SILENT, NOTHING);
    kamailio_4_all_out: of_kamailio_4, |file| file.plays(OUT, stateful::ALL_OUT, NOTHING);
    kamailio_4_sipp: of_kamailio_4, Configuration::carries_calls_of_sipp;
    sources: of_the_sources, |file| file.plays(EQUAL, stateful::ALL, NOTHING);
    sources_all_out: of_the_sources, |file| file.plays(OUT, stateful::ALL_OUT, NOTHING);
    sources_sipp: of_the_sources, Configuration::carries_calls_of_sipp;
    tutorial_first: first_of_the_tutorial, |file| file.plays(EQUAL, forking::ONE, NOTHING);
    tutorial_first_sipp: first_of_the_tutorial, Configuration::carries_calls_of_sipp;
    tutorial_printed: second_as_printed, |file| file.plays(BY_PRIORITY, forking::ALL, NOTHING);
    tutorial_second: second_of_the_tutorial, |file| file.plays(BY_PRIORITY, forking::ALL, NOTHING);
    tutorial_meaning: meaning_of_the_tutorial, |file| file.plays(BY_PRIORITY, forking::SERIAL, NOTHING);
    tutorial_meaning_sipp: meaning_of_the_tutorial, Configuration::carries_calls_of_sipp;
}
