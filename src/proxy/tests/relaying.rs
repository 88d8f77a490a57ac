//! What a relayed message looks like.

use super::support::*;
use crate::proxy::RelayMode::{Stateful, Stateless};

#[test]
fn a_relayed_invite_has_our_via_record_route_and_one_hop_less() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("a");
        let vias = invite.values("Via");
        assert_eq!(vias.len(), 2);
        assert!(vias[0].starts_with("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK"));
        assert_eq!(vias[1], format!("SIP/2.0/UDP {CALLER};branch=z9hG4bK-a"));
        assert_eq!(invite.value("Max-Forwards"), "69");
        assert_eq!(invite.value("Record-Route"), "<sip:10.0.0.1:5060;lr>");
        assert_eq!(
            invite.start(),
            format!("INVITE sip:service@{PROXY} SIP/2.0")
        );
    }
}

#[test]
fn answers_go_to_the_source_and_lose_our_via() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let nat = "192.0.2.7:40000".parse().expect("an address");
        let text = request("INVITE", "a", "", "").replace(";branch", ";rport;branch");
        let sent = bench.receive(nat, &text);
        let invite = sent
            .iter()
            .find(|sent| sent.to == gateway(1))
            .expect("relayed")
            .clone();
        let via = invite.values("Via")[1];
        assert!(via.contains("received=192.0.2.7"), "{via}");
        assert!(via.contains("rport=40000"), "{via}");
        let ringing = bench.answer(&invite, 180, "");
        assert_eq!(ringing[0].to, nat, "{relay:?}");
        assert_eq!(ringing[0].values("Via").len(), 1);
    }
}

#[test]
fn an_answer_without_a_via_below_ours_goes_nowhere() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("a");
        let answer = reply(&invite, 486, "");
        let last = answer.rfind("Via: ").expect("two");
        let end = last + answer[last..].find("\r\n").expect("a line") + 2;
        let cut = [&answer[..last], &answer[end..]].concat();
        assert!(bench.receive(gateway(1), &cut).is_empty(), "{relay:?}");
        let answer = bench.answer(&invite, 486, "");
        assert!(
            answer
                .iter()
                .any(|sent| sent.start().starts_with("SIP/2.0 486"))
        );
    }
}

#[test]
fn without_rport_answers_go_to_the_port_of_the_via() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let source = "10.0.0.9:7777".parse().expect("an address");
    let sent = bench.receive(source, &request("INVITE", "a", "", ""));
    let trying = sent
        .iter()
        .find(|sent| sent.to != gateway(1))
        .expect("a 100");
    assert_eq!(trying.to.to_string(), CALLER);
}

#[test]
fn a_request_that_follows_the_route_set_goes_to_its_uri() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 2, 0);
        let invite = bench.invite("a");
        bench.answer(&invite, 200, "");
        let bye = request(
            "BYE",
            "a",
            &gateway_tag(1),
            &format!("Route: <sip:{PROXY};lr>\r\n"),
        )
        .replacen(&format!("sip:service@{PROXY}"), "sip:10.0.1.1:5099", 1);
        let bye = only_to_gateways(&bench.call(&bye));
        assert_eq!(bye.to.to_string(), "10.0.1.1:5099");
        assert!(bye.values("Route").is_empty());
        assert!(bye.values("Record-Route").is_empty());
        bench.answer(&bye, 200, "");
        assert_eq!(bench.loads(), [0, 0]);
    }
}

#[test]
fn routes_beyond_us_are_followed() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let routes =
        format!("Route: <sip:{PROXY};lr>, <sip:10.0.7.1;lr>\r\nRoute: <sip:10.0.7.2;lr>\r\n");
    let info = bench.call(&request("INFO", "a", "t", &routes));
    let info = only_to_gateways(&info);
    assert_eq!(info.to.to_string(), "10.0.7.1:5060");
    assert_eq!(
        info.values("Route"),
        ["<sip:10.0.7.1;lr>", "<sip:10.0.7.2;lr>"]
    );
}

#[test]
fn a_strict_router_before_us_is_undone() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let text = request(
        "INFO",
        "a",
        "t",
        "Route: <sip:10.0.7.9;lr>, <sip:bob@10.0.7.3:5070>\r\n",
    )
    .replacen(
        &format!("sip:service@{PROXY}"),
        &format!("sip:{PROXY};lr"),
        1,
    );
    let info = only_to_gateways(&bench.call(&text));
    assert_eq!(info.start(), "INFO sip:bob@10.0.7.3:5070 SIP/2.0");
    assert_eq!(info.to.to_string(), "10.0.7.9:5060");
    assert_eq!(info.values("Route"), ["<sip:10.0.7.9;lr>"]);
}

#[test]
fn a_strict_router_after_us_finds_itself_in_the_request_uri() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let routes = format!("Route: <sip:{PROXY};lr>, <sip:10.0.7.4>\r\n");
    let text = request("INFO", "a", "t", &routes).replacen(
        &format!("sip:service@{PROXY}"),
        "sip:bob@10.0.7.5",
        1,
    );
    let info = only_to_gateways(&bench.call(&text));
    assert_eq!(info.start(), "INFO sip:10.0.7.4 SIP/2.0");
    assert_eq!(info.to.to_string(), "10.0.7.4:5060");
    assert_eq!(info.values("Route"), ["<sip:bob@10.0.7.5>"]);
}

#[test]
fn a_new_call_is_dispatched_whatever_routes_it_brings() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let routes = format!("Route: <sip:{PROXY};lr>, <sip:10.0.7.1;lr>\r\n");
    let invite = only_to_gateways(&bench.call(&request("INVITE", "a", "", &routes)));
    assert_eq!(invite.to, gateway(1));
    assert!(invite.values("Route").is_empty());
}

#[test]
fn a_request_in_an_unknown_dialog_to_our_own_address_is_a_481() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let sent = bench.call(&request("BYE", "a", "t", ""));
    assert_eq!(
        sent[0].start(),
        "SIP/2.0 481 Call/Transaction Does Not Exist"
    );
    assert!(bench.call(&request("ACK", "a", "t", "")).is_empty());
}

#[test]
fn a_message_without_max_forwards_gets_one() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let text = request("INVITE", "a", "", "").replace("Max-Forwards: 70\r\n", "");
    let invite = only_to_gateways(&bench.call(&text));
    assert_eq!(invite.values("Max-Forwards"), ["70"]);
}
