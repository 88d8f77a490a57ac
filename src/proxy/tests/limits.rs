//! What happens at limits and to what is not sound.

use super::support::*;
use crate::proxy::RelayMode::{Stateful, Stateless};
use crate::proxy::{CallLoadSettings, Limits, Settings};

#[test]
fn when_all_are_full_the_caller_is_told_when_to_come_back() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 2, 1);
        bench.invite("a");
        bench.invite("b");
        let sent = bench.call(&request("INVITE", "c", "", ""));
        assert_eq!(sent.len(), 1);
        assert!(
            sent[0].start().starts_with("SIP/2.0 503 "),
            "{}",
            sent[0].text
        );
        assert_eq!(sent[0].value("Retry-After"), "5");
        assert!(sent[0].value("To").contains("tag="));
        assert_eq!(bench.loads(), [1, 1]);
    }
}

#[test]
fn a_refused_invite_is_refused_again_when_it_is_repeated() {
    let mut bench = Bench::new(Stateful, 1, 1);
    let first = bench.invite("a");
    let refused = bench.call(&request("INVITE", "b", "", ""));
    bench.answer(&first, 486, "");
    assert_eq!(bench.loads(), [0], "there is room now");
    let again = bench.call(&request("INVITE", "b", "", ""));
    assert_eq!(again[0].text, refused[0].text);
    let tag = refused[0]
        .value("To")
        .split("tag=")
        .nth(1)
        .unwrap_or_default();
    assert!(
        bench.call(&ack_negative("b", tag)).is_empty(),
        "its ACK ends here"
    );
}

#[test]
fn full_tables_are_a_503_and_leak_nothing() {
    let settings = Settings {
        call_load: CallLoadSettings {
            max_calls: 2,
            ..CallLoadSettings::default()
        },
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(1, 0));
    bench.invite("a");
    bench.invite("b");
    let sent = bench.call(&request("INVITE", "c", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 503 Call Table Full");
    assert_eq!(bench.loads(), [2]);
    let settings = Settings {
        limits: Limits {
            max_transactions: 1,
            ..Limits::default()
        },
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(1, 0));
    bench.invite("a");
    let sent = bench.call(&request("INVITE", "b", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 503 Transaction Table Full");
    assert_eq!(bench.loads(), [1]);
    // The call is known for a while, and yet the ACK is for us alone.
    let tag = sent[0].value("To").split("tag=").nth(1).expect("a tag");
    let ack = request("ACK", "b", tag, "");
    assert!(bench.call(&ack).is_empty());
}

#[test]
fn a_message_without_hops_left_is_a_483() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let text = request("INVITE", "a", "", "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!(bench.call(&text)[0].start(), "SIP/2.0 483 Too Many Hops");
}

/// What a gateway that got a request makes of it when it sends it back, with a Via of its own.
fn sent_back(request: &Sent, branch: &str) -> String {
    let via = format!("Via: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK{branch}\r\nVia: ");
    request.text.replacen("Via: ", &via, 1)
}

fn has(sent: &[Sent], start: &str) -> bool {
    sent.iter().any(|sent| sent.start().starts_with(start))
}

#[test]
fn a_loop_is_a_482_and_a_spiral_is_not() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let sent = bench.invite("a");
        // From a gateway it may be meant for somebody else. But not twice.
        let back = bench.receive(gateway(1), &sent_back(&sent, "once"));
        let on = back.iter().find(|one| one.start().starts_with("INVITE"));
        let looped = sent_back(on.expect("it is sent on"), "twice");
        let back = bench.receive(gateway(1), &looped);
        assert!(
            has(&back, "SIP/2.0 482 Loop Detected"),
            "{relay:?} {back:?}"
        );
        let spiral = looped
            .replacen("sip:service@", "sip:other@", 1)
            .replace("z9hG4bKtwice", "z9hG4bKon");
        let on = bench.receive(gateway(1), &spiral);
        assert!(has(&on, "INVITE sip:other@"), "{on:?}");
    }
}

#[test]
fn what_a_gateway_sends_back_is_no_loop_if_it_is_for_somebody_else() {
    let mut bench = Bench::script(
        r#"request_route {
            if (ds_is_from_list("1")) { $du = "sip:10.0.2.2"; } else { ds_select_dst("1", "8"); }
            t_relay();
        }"#,
        1,
    );
    let invite = bench.invite("a");
    let on = bench.receive(gateway(1), &sent_back(&invite, "back"));
    let on = on.iter().find(|one| one.start() == invite.start());
    assert_eq!(on.expect("no 482").to.to_string(), "10.0.2.2:5060");
}

#[test]
fn a_destination_of_a_failover_may_send_back_what_another_was_sent() {
    // The second gateway answers for the first, whose Request-URI the failover began with.
    let mut bench = Bench::script(
        r#"request_route {
            if ($rd == "10.0.1.1") { $du = "sip:10.0.2.2"; t_relay(); exit; }
            ds_select_domain("1", "8");
            t_on_failure("F");
            t_relay();
        }
        failure_route[F] { if (ds_next_domain()) { t_relay(); } }"#,
        2,
    );
    let first = bench.invite("a");
    let sent = bench.answer(&first, 500, "");
    let second = sent.iter().find(|one| one.start().starts_with("INVITE"));
    let second = second.expect("a failover").clone();
    let stem = |sent: &Sent| {
        sent.branch()
            .rsplit_once('.')
            .map(|(stem, _)| stem.to_owned())
    };
    assert_eq!(stem(&second), stem(&first), "the branches of one request");
    assert!(first.branch().ends_with(".0") && second.branch().ends_with(".1"));
    let text = sent_back(&second, "spiral").replacen("@10.0.1.2:5060", "@10.0.1.1:5060", 1);
    let on = bench.receive(gateway(2), &text);
    assert!(has(&on, "INVITE sip:service@10.0.1.1:5060"), "{on:?}");
}

#[test]
fn a_broken_request_gets_a_400_and_a_broken_ack_nothing() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let broken = request("INVITE", "a", "", "").replace("CSeq: 1 INVITE", "CSeq: x INVITE");
    assert!(bench.call(&broken)[0].start().starts_with("SIP/2.0 400 "));
    let broken = request("ACK", "a", "", "").replace("CSeq: 1 ACK", "CSeq: x ACK");
    assert!(bench.call(&broken).is_empty());
    let nameless = request("INVITE", "a", "", "").replace("Call-ID: a@test\r\n", "");
    assert_eq!(
        bench.call(&nameless)[0].start(),
        "SIP/2.0 400 Missing Call-ID"
    );
    for garbage in ["\r\n\r\n", "\0\0\0\0", "hello", "SIP/2.0 200 OK\r\n\r\n"] {
        assert!(bench.call(garbage).is_empty(), "{garbage:?}");
    }
}

#[test]
fn a_forged_reply_moves_nothing() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("a");
        let forged = reply(&invite, 200, "");
        let other_way = forged.replace("10.0.0.9:5062", "10.6.6.6:9999");
        if relay == Stateless {
            assert!(bench.receive(gateway(1), &other_way).is_empty());
        }
        let branch = invite.branch().to_owned();
        let mut wrong = branch.clone();
        let last = if branch.as_bytes()[20] == b'0' {
            "1"
        } else {
            "0"
        };
        wrong.replace_range(20..21, last);
        assert!(
            bench
                .receive(gateway(1), &forged.replace(&branch, &wrong))
                .is_empty()
        );
        assert_eq!(bench.loads(), [1]);
    }
}

#[test]
fn a_draining_shard_takes_no_new_call_and_finishes_the_old() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let invite = bench.invite("a");
    bench.shard.drain();
    assert!(!bench.shard.is_idle());
    let sent = bench.call(&request("INVITE", "b", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 503 Shutting Down");
    bench.answer(&invite, 200, "");
    assert!(bench.shard.is_idle());
}

#[test]
fn options_to_us_is_answered() {
    let mut bench = Bench::new(Stateful, 1, 0);
    let text = request("OPTIONS", "a", "", "").replace("sip:service@", "sip:");
    assert_eq!(bench.call(&text)[0].start(), "SIP/2.0 200 OK");
}
