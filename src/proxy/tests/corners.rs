//! What only an unlucky network or a hostile peer brings about.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::support::*;
use crate::dispatch::{Entry, Sets};
use crate::proxy::RelayMode::{Stateful, Stateless};
use crate::proxy::{Limits, Listener, Settings, Shard, Timers};

/// Settings with room for so many transactions.
fn room_for(max_transactions: u32) -> Settings {
    Settings {
        limits: Limits {
            max_transactions,
            ..Limits::default()
        },
        ..Settings::default()
    }
}

fn find<'a>(sent: &'a [Sent], method: &str) -> Option<&'a Sent> {
    sent.iter().find(|sent| sent.start().starts_with(method))
}

#[test]
fn an_invite_that_comes_again_after_a_lost_503_is_counted() {
    let mut bench = Bench::with(room_for(1), sets(1, 0));
    let first = bench.invite("a");
    let refused = bench.call(&request("INVITE", "b", "", ""));
    assert!(refused[0].start().starts_with("SIP/2.0 503"));
    let tag = gateway_tag(1);
    bench.answer(&first, 486, "");
    bench.call(&ack_negative("a", &tag));
    bench.wait(Duration::from_secs(33));
    // The 503 was lost and the INVITE comes again; now there is room.
    bench.invite("b");
    assert_eq!(bench.loads(), [1]);
}

#[test]
fn a_redial_with_the_same_cseq_is_counted() {
    let mut bench = Bench::new(Stateful, 1, 1);
    let first = bench.invite("a");
    bench.answer(&first, 486, "");
    let redial = request("INVITE", "a", "", "").replace("z9hG4bK-a", "z9hG4bK-again");
    only_to_gateways(&bench.call(&redial));
    assert_eq!(bench.loads(), [1]);
}

#[test]
fn a_draining_shard_still_knows_a_repeated_invite() {
    let mut bench = Bench::new(Stateless, 1, 0);
    let first = bench.invite("a");
    bench.shard.drain();
    let again = bench.invite("a");
    assert_eq!(first.text, again.text);
}

#[test]
fn a_cancel_that_overtakes_its_reinvite_does_not_swallow_it() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let invite = bench.invite("a");
    bench.answer(&invite, 200, "");
    let tag = gateway_tag(1);
    let of_reinvite = |method| request(method, "a", &tag, "").replace("z9hG4bK-a", "z9hG4bK-re");
    let sent = bench.call(&of_reinvite("CANCEL"));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].start().starts_with("SIP/2.0 481"), "{sent:?}");
    let sent = bench.call(&of_reinvite("INVITE"));
    assert!(find(&sent, "INVITE").is_some(), "{sent:?}");
}

#[test]
fn a_repeated_request_has_the_routes_of_the_first() {
    let mut bench = Bench::new(Stateful, 1, 0);
    bench.invite("a");
    let routes = format!("Route: <sip:{PROXY};lr>, <sip:10.0.7.1;lr>\r\n");
    let merged = request("INVITE", "a", "", &routes).replace("z9hG4bK-a", "z9hG4bK-b");
    let sent = only_to_gateways(&bench.call(&merged));
    let again = bench.wait(Duration::from_millis(600));
    let again = again
        .iter()
        .find(|other| other.branch() == sent.branch())
        .expect("repeated");
    assert_eq!(again.text, sent.text);
}

#[test]
fn a_call_whose_callee_has_no_tag_ends_with_its_bye() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("a");
        let tagless = reply(&invite, 200, "").replace(&format!(";tag={}", gateway_tag(1)), "");
        bench.receive(gateway(1), &tagless);
        let bye = only_to_gateways(&bench.call(&request("BYE", "a", "", "")));
        let ok = reply(&bye, 200, "").replace(&format!(";tag={}", gateway_tag(1)), "");
        bench.receive(gateway(1), &ok);
        assert_eq!(bench.loads(), [0], "{relay:?}");
    }
}

#[test]
fn a_503_that_comes_again_is_acknowledged_also_when_another_has_answered() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("a");
    let sent = bench.answer(&first, 503, "");
    let second = find(&sent, "INVITE").expect("moved on").clone();
    bench.answer(&second, 200, "");
    // Our ACK was lost.
    let sent = bench.answer(&first, 503, "");
    let ack = find(&sent, "ACK").expect("an ACK");
    assert_eq!((ack.to, ack.branch()), (first.to, first.branch()));
}

#[test]
fn after_a_reload_no_destination_is_tried_twice() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("a");
    assert_eq!(first.to, gateway(1));
    // Now gateway 1 stands third, where failover goes on.
    let entries = [2, 1, 3].map(|number| entry(number, 0)).into();
    bench.sets = Arc::new(Sets::build(entries, Some(&bench.sets), 2));
    bench.shard.publish(Arc::clone(&bench.sets));
    let sent = bench.answer(&first, 503, "");
    assert_eq!(find(&sent, "INVITE").expect("moved on").to, gateway(2));
}

#[test]
fn a_request_that_crosses_between_our_sockets_leaves_by_the_second_route() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let listeners = [PROXY, "192.0.2.1:5060"]
        .map(|address| Listener::from(address.parse::<SocketAddr>().expect("an address")));
    let settings = Settings {
        listeners: listeners.into(),
        ..Settings::default()
    };
    let sets = Arc::clone(&bench.sets);
    bench.shard = Shard::new(0, Arc::new(settings), sets, 7, 8, bench.now);
    let routes = format!("Route: <sip:{PROXY};r2=on;lr>, <sip:192.0.2.1:5060;r2=on;lr>\r\n");
    let text = request("INFO", "a", "t", &routes).replacen(
        &format!("sip:service@{PROXY}"),
        "sip:bob@192.0.2.77",
        1,
    );
    let info = only_to_gateways(&bench.call(&text));
    assert!(
        info.value("Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;"),
        "{}",
        info.text
    );
}

#[test]
fn requests_leave_by_the_socket_that_is_named() {
    let [other, third] = ["192.0.2.1:5060", "192.0.2.1:5070"];
    let listen = |address: &str, name: Option<&str>| Listener {
        name: name.map(Into::into),
        ..Listener::from(address.parse::<SocketAddr>().expect("an address"))
    };
    let settings = |sockname: Option<&str>, socket: Option<&str>| Settings {
        listeners: vec![
            listen(PROXY, None),
            listen(other, Some("other")),
            listen(third, Some("third")),
            listen("[::1]:5060", Some("six")),
        ],
        default_sockname: sockname.map(Into::into),
        default_socket: socket.and_then(|text| text.parse().ok()),
        ..Settings::default()
    };
    for (attributes, sockname, socket, expected) in [
        ("", None, None, PROXY),
        ("socket=udp:192.0.2.1:5060", None, None, other),
        (
            "socket=udp:192.0.2.1:5060;sockname=third",
            None,
            None,
            third,
        ),
        ("", None, Some(other), other),
        ("", Some("third"), Some(other), third),
        ("sockname=other", Some("third"), None, other),
        // A socket of the other family reaches nobody.
        ("sockname=six", None, None, PROXY),
    ] {
        let mut bench = Bench::new(Stateful, 1, 0);
        let line = format!("1 sip:{} 0 0 {attributes}", gateway(1));
        let list = crate::dispatch::list::parse(line.as_bytes()).expect("a good list");
        bench.sets = Arc::new(Sets::build(list.into_entries(), None, 1));
        let (settings, sets) = (settings(sockname, socket), Arc::clone(&bench.sets));
        bench.shard = Shard::new(0, Arc::new(settings), sets, 7, 8, bench.now);
        let via = bench.invite("a").value("Via").to_owned();
        assert!(
            via.contains(&format!(" {expected};")),
            "{attributes}: {via}"
        );
    }
}

#[test]
fn a_stateless_ack_to_a_failure_follows_its_invite_whatever_it_asks_for() {
    let mut bench = Bench::new(Stateless, 1, 0);
    let routes = format!("Route: <sip:{PROXY};lr>, <sip:10.0.7.1;lr>\r\n");
    let abroad =
        |text: String| text.replacen(&format!("sip:service@{PROXY}"), "sip:bob@10.9.9.9", 1);
    let invite = only_to_gateways(&bench.call(&abroad(request("INVITE", "a", "", &routes))));
    bench.answer(&invite, 486, "");
    let tag = gateway_tag(1);
    let ack = abroad(ack_negative("a", &tag)).replace("Content-", &format!("{routes}Content-"));
    let ack = only_to_gateways(&bench.call(&ack));
    assert_eq!((ack.to, ack.branch()), (invite.to, invite.branch()));
    assert!(ack.values("Route").is_empty());
}

#[test]
fn a_reply_without_a_sound_status_is_dropped() {
    for relay in [Stateful, Stateless] {
        for code in [50, 99, 700, 999] {
            let mut bench = Bench::new(relay, 1, 0);
            let invite = bench.invite("a");
            let odd = reply(&invite, 200, "").replace(" 200 ", &format!(" {code:03} "));
            assert!(
                bench.receive(gateway(1), &odd).is_empty(),
                "{relay:?} {code}"
            );
            bench.answer(&invite, 486, "");
            assert_eq!(bench.loads(), [0], "{relay:?} {code}");
        }
    }
}

#[test]
fn answers_of_our_own_are_counted_as_such_and_once() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("a");
    let sent = bench.answer(&first, 503, "");
    let second = find(&sent, "INVITE").expect("moved on").clone();
    bench.answer(&second, 486, "");
    let counters = bench.shard.snapshot().counters;
    assert_eq!((counters.own_answers, counters.relayed_replies), (0, 1));
    bench.invite("b");
    bench.wait(Duration::from_secs(40));
    let counters = bench.shard.snapshot().counters;
    assert_eq!((counters.own_answers, counters.relayed_replies), (1, 1));
}

#[test]
fn what_a_proxy_must_support_and_we_do_not_is_a_420() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let extra = "Proxy-Require: foo\r\nProxy-Require: bar, baz\r\n";
        let sent = bench.call(&request("INVITE", "a", "", extra));
        assert_eq!(sent[0].start(), "SIP/2.0 420 Bad Extension", "{relay:?}");
        assert_eq!(sent[0].values("Unsupported"), ["foo", "bar, baz"]);
        assert_eq!(bench.loads(), [0]);
    }
}

#[test]
fn a_destination_without_address_leaves_its_share_to_all_others() {
    let entries = [3, 2, 1].map(|number| Entry {
        address: (number != 1).then(|| gateway(number)),
        ..entry(number, 0)
    });
    let sets = Arc::new(Sets::build(entries.into(), None, 1));
    let mut bench = Bench::with(Settings::default(), sets);
    for call in ["a", "b", "c", "d"] {
        bench.invite(call);
    }
    assert_eq!(bench.loads(), [0, 2, 2]);
}

#[test]
fn after_a_late_2xx_a_repeated_invite_still_gets_the_answer_that_was_given() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("a");
    let sent = bench.wait(Duration::from_secs(2));
    let second = sent.iter().find(|sent| sent.to == gateway(2)).cloned();
    bench.answer(&second.expect("moved on"), 486, "");
    let late = bench.answer(&first, 200, "");
    assert_eq!(late.len(), 1, "it goes upstream all the same");
    let again = bench.call(&request("INVITE", "a", "", ""));
    assert_eq!(again[0].start(), "SIP/2.0 486 Reason");
}

#[test]
fn an_invite_that_takes_a_calls_place_is_what_decides_on_it() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let first = bench.invite("a");
        // Overlap signalling (RFC 3578): more digits, while the first INVITE waits for its answer.
        let more = request("INVITE", "a", "", "")
            .replace("z9hG4bK-a", "z9hG4bK-more")
            .replace("CSeq: 1", "CSeq: 2");
        let second = only_to_gateways(&bench.call(&more));
        bench.answer(&first, 484, "");
        assert_eq!(bench.loads(), [1], "{relay:?}");
        bench.answer(&second, 200, "");
        assert_eq!(bench.loads(), [1], "{relay:?}");
        bench.hang_up("a", 1);
        assert_eq!(bench.loads(), [0], "{relay:?}");
    }
}

#[test]
fn an_invite_that_takes_a_calls_place_can_fail_too() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let first = bench.invite("a");
        let more = request("INVITE", "a", "", "")
            .replace("z9hG4bK-a", "z9hG4bK-more")
            .replace("CSeq: 1", "CSeq: 2");
        let second = only_to_gateways(&bench.call(&more));
        bench.answer(&second, 486, "");
        bench.answer(&first, 484, "");
        assert_eq!(bench.loads(), [0], "{relay:?}");
    }
}

#[test]
fn a_call_that_rings_longer_than_a_call_is_kept_counts_when_it_is_answered() {
    let settings = Settings {
        call_load: crate::proxy::CallLoadSettings {
            initexpire: Duration::from_secs(60),
            ..Default::default()
        },
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(1, 0));
    let invite = bench.invite("a");
    bench.answer(&invite, 180, "");
    bench.wait(Duration::from_secs(70));
    let slots = bench.shard.slots();
    bench.shard.expire_calls(slots);
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.loads(), [0]);
    bench.answer(&invite, 200, "");
    assert_eq!(bench.loads(), [1]);
    bench.hang_up("a", 1);
    assert_eq!(bench.loads(), [0]);
}

#[test]
fn a_late_answer_is_not_counted_where_calls_are_not() {
    let settings = Settings {
        algorithm: 8,
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(2, 0));
    let first = bench.invite("a");
    bench.wait(Duration::from_secs(2));
    bench.answer(&first, 200, "");
    assert_eq!(bench.loads(), [0, 0]);
}

#[test]
fn a_late_answer_is_counted_by_the_maxload_of_now() {
    let mut bench = Bench::new(Stateful, 2, 3);
    let first = bench.invite("a");
    let sent = bench.wait(Duration::from_secs(2));
    find(&sent, "INVITE").expect("moved on");
    bench.invite("b");
    assert_eq!(bench.loads(), [1, 1], "of each one call");
    let entries = [2, 1].map(|number| entry(number, 1));
    bench.sets = Arc::new(Sets::build(entries.into(), Some(&bench.sets), 2));
    bench.shard.publish(Arc::clone(&bench.sets));
    bench.answer(&first, 200, "");
    assert_eq!(bench.loads(), [1, 0], "no room for one more");
}

#[test]
fn stored_messages_are_bounded_by_bytes_too() {
    let mut bench = Bench::with(room_for(100), sets(1, 0));
    let fat = "X".repeat(60_000);
    for call in 0..90 {
        let text = request(
            "INVITE",
            &format!("c{call}"),
            "",
            &format!("Subject: {fat}\r\n"),
        );
        bench.call(&text);
    }
    let bytes = bench.shard.load().memory_bytes;
    assert!(bytes < 2_000_000, "{bytes}");
}

#[test]
fn a_2xx_that_is_repeated_after_the_transaction_goes_to_the_caller_if_it_is_the_destinations() {
    let settings = Settings {
        timers: Timers {
            wait: Duration::from_secs(5),
            ..Timers::default()
        },
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(2, 0));
    let invite = bench.invite("a");
    bench.answer(&invite, 200, "");
    bench.wait(Duration::from_millis(4_900));
    assert_eq!(bench.shard.load().transactions, 1);
    bench.wait(Duration::from_millis(200));
    assert_eq!(bench.shard.load().transactions, 0, "wt_timer is over");
    let sent = bench.answer(&invite, 200, "");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to.to_string(), CALLER);
    assert_eq!(sent[0].values("Via").len(), 1, "ours is taken off");
    let stranger = bench.receive(gateway(2), &reply(&invite, 200, ""));
    assert!(stranger.is_empty(), "{stranger:?}");
    assert!(bench.answer(&invite, 486, "").is_empty());
    let other = reply(&invite, 200, "").replace("a@test", "b@test");
    assert!(bench.receive(invite.to, &other).is_empty(), "no such call");
}

#[test]
fn wt_timer_says_how_long_an_answered_transaction_lasts() {
    let routes = r#"loadmodule "tm.so"
        modparam("tm", "wt_timer", 20000)
        request_route { $du = "sip:10.0.1.1"; t_relay(); }"#;
    let mut bench = Bench::script(routes, 1);
    let invite = bench.invite("a");
    bench.answer(&invite, 200, "");
    let bye = bench.call(&request("BYE", "a", &gateway_tag(1), ""));
    bench.answer(&only_to_gateways(&bye), 200, "");
    bench.wait(Duration::from_millis(19_900));
    let again = bench.call(&request("BYE", "a", &gateway_tag(1), ""));
    assert_eq!(again[0].start(), "SIP/2.0 200 OK", "made anew");
    bench.wait(Duration::from_millis(200));
    assert_eq!(bench.shard.load().transactions, 0);
}
