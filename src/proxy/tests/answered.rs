//! Transactions that were answered a while ago: few words are kept of them, and do for what comes.

use std::time::Duration;

use super::support::*;
use crate::proxy::{Limits, RelayMode, Settings};

/// Relays to the first gateway; no call is known.
const PLAIN: &str = r#"request_route { $du = "sip:10.0.1.1"; t_relay(); }"#;

/// Longer than answers are kept for repeats.
const LATER: Duration = Duration::from_secs(10);

fn bench() -> Bench {
    Bench::new(RelayMode::Stateful, 2, 0)
}

fn starts(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::start).collect()
}

/// A call that was answered at once.
fn answered(bench: &mut Bench, call: &str) -> Sent {
    let invite = bench.invite(call);
    bench.answer(&invite, 200, "");
    invite
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_bye_that_comes_again_is_answered_and_goes_no_further() {
    let mut bench = Bench::script(PLAIN, 1);
    let bye = request("BYE", "a", "callee", "");
    let sent = bench.call(&bye);
    let first = bench.answer(&sent[0], 200, "X-Gateway: yes\r\n");
    bench.wait(milliseconds(1_500));
    let again = bench.call(&bye);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].text, first[0].text, "the first repeats");
    bench.wait(LATER);
    assert_eq!(bench.shard.load().stored_messages, 0);
    let again = bench.call(&bye);
    assert_eq!(starts(&again), ["SIP/2.0 200 OK"]);
    assert_eq!(again[0].to.to_string(), CALLER);
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        assert_eq!(again[0].values(name), first[0].values(name));
    }
    assert_eq!(bench.shard.snapshot().counters.repeats, 2);
    bench.wait(milliseconds(20_400));
    assert_eq!(starts(&bench.call(&bye)), ["SIP/2.0 200 OK"]);
    bench.wait(milliseconds(200));
    assert_eq!(bench.shard.load().transactions, 0, "32 s are over");
    let new = only_to_gateways(&bench.call(&bye));
    assert!(new.start().starts_with("BYE "), "it is a new one");
}

#[test]
fn an_invite_that_comes_again_is_absorbed_until_its_time_is_over() {
    let mut bench = bench();
    answered(&mut bench, "a");
    let invite = request("INVITE", "a", "", "");
    for _ in 0..3 {
        bench.wait(LATER);
        assert!(bench.call(&invite).is_empty());
    }
    assert_eq!(bench.shard.snapshot().counters.repeats, 3);
    assert_eq!(bench.shard.load().transactions, 1);
    bench.wait(milliseconds(2_100));
    assert_eq!(bench.shard.load().transactions, 0);
    let new = bench.call(&invite);
    assert!(only_to_gateways(&new).start().starts_with("INVITE "));
}

#[test]
fn a_late_cancel_is_answered_and_goes_no_further() {
    let mut bench = bench();
    answered(&mut bench, "a");
    bench.wait(LATER);
    let sent = bench.call(&request("CANCEL", "a", "", ""));
    assert_eq!(
        starts(&sent),
        ["SIP/2.0 200 ok -- no more pending branches"]
    );
}

#[test]
fn an_ack_with_the_branch_of_its_invite_goes_on_late() {
    let mut bench = bench();
    let invite = answered(&mut bench, "a");
    bench.wait(LATER);
    let sent = bench.call(&ack_negative("a", &gateway_tag(1)));
    let ack = only_to_gateways(&sent);
    assert!(ack.start().starts_with("ACK "));
    assert_eq!(ack.to, invite.to);
}

#[test]
fn a_late_2xx_goes_to_the_caller_and_nothing_else_does() {
    let mut bench = Bench::script(PLAIN, 1);
    let invite = answered(&mut bench, "a");
    bench.wait(LATER);
    let sent = bench.answer(&invite, 200, "");
    assert_eq!(starts(&sent), ["SIP/2.0 200 Reason"]);
    assert_eq!(sent[0].to.to_string(), CALLER);
    assert_eq!(sent[0].values("Via").len(), 1, "ours is taken off");
    assert!(bench.answer(&invite, 180, "").is_empty());
    assert!(bench.answer(&invite, 486, "").is_empty());
    let token = &invite.branch()[20..36];
    let guessed = reply(&invite, 200, "").replace(token, "0123456789abcdef");
    assert!(bench.receive(invite.to, &guessed).is_empty());
    bench.wait(milliseconds(22_100));
    assert!(bench.answer(&invite, 200, "").is_empty(), "it is forgotten");
}

#[test]
fn a_reply_route_for_all_replies_sees_late_ones() {
    let routes = r#"request_route { $du = "sip:10.0.1.1"; t_relay(); }
        reply_route { append_hf("X-Seen: yes\r\n"); xlog("L_ERR", "$rs came\n"); }"#;
    let mut bench = Bench::script(routes, 1);
    let invite = answered(&mut bench, "a");
    bench.wait(LATER);
    bench.log.clear();
    assert!(bench.answer(&invite, 180, "").is_empty());
    assert_eq!(bench.log.len(), 1);
    assert_eq!(bench.answer(&invite, 200, "")[0].value("X-Seen"), "yes");
    assert_eq!(bench.log.len(), 2);
}

#[test]
fn what_a_reply_route_is_armed_for_stays_whole() {
    let routes = r#"request_route { $du = "sip:10.0.1.1"; t_on_reply("R"); t_relay(); }
        onreply_route[R] { append_hf("X-Seen: yes\r\n"); }"#;
    let mut bench = Bench::script(routes, 1);
    let invite = answered(&mut bench, "a");
    bench.wait(LATER);
    assert_eq!(bench.answer(&invite, 200, "")[0].value("X-Seen"), "yes");
    assert!(bench.call(&request("INVITE", "a", "", "")).is_empty());
}

#[test]
fn what_says_more_than_its_code_is_kept_and_repeated_whole() {
    let contact = "Contact: <sip:b@10.0.1.1>;expires=60\r\n";
    for (method, to_tag, code, extra) in [
        ("REGISTER", "", 200, contact),
        ("UPDATE", "callee", 200, contact),
        ("BYE", "callee", 401, "WWW-Authenticate: Digest\r\n"),
        ("BYE", "", 200, ""),
    ] {
        let mut bench = Bench::script(PLAIN, 1);
        let text = request(method, "a", to_tag, "");
        let sent = bench.call(&text);
        let first = bench.answer(&sent[0], code, extra);
        bench.wait(LATER);
        let again = bench.call(&text);
        assert_eq!(again.len(), 1, "{method} {code}");
        assert_eq!(again[0].text, first[0].text);
    }
}

#[test]
fn an_answer_with_a_body_is_kept_and_repeated_whole() {
    let mut bench = Bench::script(PLAIN, 1);
    let info = request("INFO", "a", "callee", "");
    let sent = bench.call(&info);
    let empty = reply(&sent[0], 200, "");
    let full = empty.replace("Length: 0\r\n\r\n", "Length: 4\r\n\r\nbody");
    bench.receive(sent[0].to, &full);
    bench.wait(LATER);
    assert!(bench.call(&info)[0].text.ends_with("\r\n\r\nbody"));
}

#[test]
fn a_client_older_than_rfc_3261_gets_its_late_2xx() {
    let mut bench = Bench::script(PLAIN, 1);
    let text = request("INVITE", "a", "", "").replace("z9hG4bK-a", "old");
    let invite = only_to_gateways(&bench.call(&text));
    bench.answer(&invite, 200, "");
    bench.wait(LATER);
    assert!(bench.call(&text).is_empty());
    assert_eq!(
        starts(&bench.answer(&invite, 200, "")),
        ["SIP/2.0 200 Reason"]
    );
}

#[test]
fn a_branch_that_may_still_answer_keeps_its_request() {
    let mut bench = bench();
    let silent = bench.invite("a");
    let sent = bench.wait(milliseconds(2_100));
    let second = sent.iter().find(|one| one.to != silent.to);
    let second = second.expect("the next is tried").clone();
    bench.answer(&second, 200, "");
    bench.wait(LATER);
    // It rings only now: it is to be told that nobody waits.
    let sent = bench.answer(&silent, 180, "");
    assert_eq!(sent.len(), 1);
    assert!(sent[0].start().starts_with("CANCEL "), "{sent:?}");
}

#[test]
fn an_answer_goes_to_the_port_that_a_script_wanted() {
    let routes = r#"request_route { force_rport(); $du = "sip:10.0.1.1"; t_relay(); }"#;
    let mut bench = Bench::script(routes, 1);
    let behind_nat = "10.0.0.9:7777".parse().expect("an address");
    let bye = request("BYE", "a", "callee", "");
    let sent = bench.receive(behind_nat, &bye);
    assert_eq!(bench.answer(&sent[0], 200, "")[0].to, behind_nat);
    bench.wait(LATER);
    assert_eq!(bench.receive(behind_nat, &bye)[0].to, behind_nat);
}

#[test]
fn a_repeat_from_another_port_is_answered_where_its_via_says() {
    let mut bench = Bench::script(PLAIN, 1);
    let bye = request("BYE", "a", "callee", "");
    let sent = bench.call(&bye);
    assert_eq!(bench.answer(&sent[0], 200, "")[0].to.to_string(), CALLER);
    bench.wait(LATER);
    let elsewhere = "10.0.0.9:7777".parse().expect("an address");
    assert_eq!(bench.receive(elsewhere, &bye)[0].to.to_string(), CALLER);
    let asks = bye.replace(";branch", ";rport;branch");
    assert_eq!(bench.receive(elsewhere, &asks)[0].to, elsewhere);
}

#[test]
fn answered_ones_count_for_the_limit() {
    let limits = Limits {
        max_transactions: 2,
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, sets(2, 0));
    answered(&mut bench, "a");
    bench.wait(LATER);
    answered(&mut bench, "b");
    bench.wait(LATER);
    let refused = bench.call(&request("INVITE", "c", "", ""));
    assert!(starts(&refused)[0].starts_with("SIP/2.0 503 "));
    bench.wait(milliseconds(12_100));
    let admitted = bench.call(&request("INVITE", "d", "", ""));
    assert!(only_to_gateways(&admitted).start().starts_with("INVITE "));
}

#[test]
fn a_wt_timer_that_ends_before_the_first_repeats_counts() {
    let routes = r#"modparam("tm", "wt_timer", 1000)
        request_route { $du = "sip:10.0.1.1"; t_relay(); }"#;
    let mut bench = Bench::script(routes, 1);
    answered(&mut bench, "a");
    let bye = request("BYE", "a", "callee", "");
    let sent = only_to_gateways(&bench.call(&bye));
    bench.answer(&sent, 200, "");
    bench.wait(milliseconds(900));
    assert!(bench.call(&request("INVITE", "a", "", "")).is_empty());
    assert_eq!(starts(&bench.call(&bye)), ["SIP/2.0 200 Reason"]);
    bench.wait(milliseconds(200));
    assert_eq!(bench.shard.load().transactions, 0);
}

#[test]
fn each_of_many_is_found_and_forgotten() {
    let mut bench = Bench::new(RelayMode::Stateful, 1, 0);
    let calls = || (0..1_500).map(|call| format!("c{call}"));
    for call in calls() {
        answered(&mut bench, &call);
        bench.hang_up(&call, 1);
        bench.wait(milliseconds(5));
    }
    bench.wait(LATER);
    assert_eq!(bench.shard.load().transactions, 3_000);
    for call in calls() {
        assert!(bench.call(&request("INVITE", &call, "", "")).is_empty());
        let bye = bench.call(&request("BYE", &call, &gateway_tag(1), ""));
        assert_eq!(starts(&bye), ["SIP/2.0 200 OK"], "{call}");
    }
    bench.wait(milliseconds(22_100));
    assert_eq!(bench.shard.load().transactions, 0);
}
