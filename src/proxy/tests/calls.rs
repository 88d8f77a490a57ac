//! Whole calls: counting, failover, CANCEL.

use std::time::Duration;

use super::support::*;
use crate::dispatch::Flags;
use crate::proxy::RelayMode::{self, Stateful, Stateless};

fn answered(bench: &mut Bench, call: &str) -> Sent {
    let invite = bench.invite(call);
    bench.answer(&invite, 180, "");
    bench.answer(&invite, 200, "");
    invite
}

#[test]
fn a_call_is_counted_from_invite_to_bye() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 2, 0);
        let invite = answered(&mut bench, "one");
        assert_eq!(invite.to, gateway(1));
        assert_eq!(bench.loads(), [1, 0], "{relay:?}");
        let tag = gateway_tag(1);
        let ack = bench.call(&request("ACK", "one", &tag, ""));
        assert_eq!(only_to_gateways(&ack).to, gateway(1));
        let bye = only_to_gateways(&bench.call(&request("BYE", "one", &tag, "")));
        assert_eq!(
            bye.to,
            gateway(1),
            "a BYE to our own address follows its call"
        );
        assert_eq!(
            bench.loads(),
            [1, 0],
            "the gateway has the call until it answers"
        );
        let ok = bench.answer(&bye, 200, "");
        assert_eq!(ok.len(), 1);
        assert_eq!(ok[0].to.to_string(), CALLER);
        assert_eq!(bench.loads(), [0, 0]);
    }
}

#[test]
fn least_loaded_wins_and_ties_go_to_the_first() {
    let mut bench = Bench::new(Stateful, 3, 0);
    let to: Vec<_> = ["a", "b", "c", "d"]
        .iter()
        .map(|call| answered(&mut bench, call).to)
        .collect();
    assert_eq!(to, [gateway(1), gateway(2), gateway(3), gateway(1)]);
    bench.hang_up("b", 2);
    assert_eq!(bench.invite("e").to, gateway(2));
}

#[test]
fn a_second_bye_and_a_foreign_bye_change_nothing() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        answered(&mut bench, "one");
        answered(&mut bench, "two");
        let foreign = request("BYE", "one", "no-such-tag", "").replace("-BYE", "-foreign");
        let foreign = only_to_gateways(&bench.call(&foreign));
        bench.answer(&foreign, 481, "");
        assert_eq!(bench.loads(), [2], "a BYE of another dialog");
        let bye = request("BYE", "one", &gateway_tag(1), "");
        let first = only_to_gateways(&bench.call(&bye));
        bench.call(&bye);
        let second = only_to_gateways(&bench.call(&bye.replace("-BYE", "-BYE2")));
        for sent in [&first, &first, &second] {
            bench.answer(sent, 200, "");
        }
        assert_eq!(bench.loads(), [1], "{relay:?}");
    }
}

#[test]
fn a_repeated_invite_goes_where_the_first_went_and_counts_once() {
    let mut bench = Bench::new(Stateless, 3, 0);
    let first = bench.invite("one");
    let again = bench.invite("one");
    assert_eq!(first.text, again.text, "the branch is the same");
    assert_eq!(bench.loads(), [1, 0, 0]);
    let mut bench = Bench::new(Stateful, 3, 0);
    let invite = bench.invite("one");
    let trying = bench.call(&request("INVITE", "one", "", ""));
    assert_eq!(trying.len(), 1);
    assert_eq!(trying[0].start(), "SIP/2.0 100 Trying");
    bench.answer(&invite, 180, "");
    let ringing = bench.call(&request("INVITE", "one", "", ""));
    assert_eq!(ringing[0].start(), "SIP/2.0 180 Reason");
    assert_eq!(bench.loads(), [1, 0, 0]);
}

#[test]
fn every_failure_releases_the_call() {
    for relay in [Stateful, Stateless] {
        for code in [302, 404, 407, 486, 500, 503, 603] {
            let mut bench = Bench::new(relay, 1, 0);
            let invite = bench.invite("one");
            assert_eq!(bench.loads(), [1]);
            let sent = bench.answer(&invite, code, "");
            assert_eq!(bench.loads(), [0], "{relay:?} {code}");
            let to_caller = sent.iter().find(|sent| sent.to.to_string() == CALLER);
            assert!(to_caller.is_some(), "{relay:?} {code}");
        }
    }
}

#[test]
fn a_call_tried_again_with_credentials_is_counted_again() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("one");
        bench.answer(&invite, 401, "");
        let second = request("INVITE", "one", "", "")
            .replace("CSeq: 1", "CSeq: 2")
            .replace("z9hG4bK-one", "z9hG4bK-one2");
        let invite = only_to_gateways(&bench.call(&second));
        assert_eq!(bench.loads(), [1], "{relay:?}");
        bench.answer(&invite, 200, "");
        bench.hang_up("one", 1);
        assert_eq!(bench.loads(), [0]);
    }
}

#[test]
fn what_comes_late_of_an_attempt_that_was_repeated_goes_nowhere() {
    let mut bench = Bench::new(Stateless, 2, 1);
    let first = bench.invite("a");
    bench.answer(&first, 407, "");
    bench.invite("b");
    let again = request("INVITE", "a", "", "")
        .replace("branch=z9hG4bK-a", "branch=z9hG4bK-a2")
        .replace("CSeq: 1", "CSeq: 2");
    let second = only_to_gateways(&bench.call(&again));
    assert_ne!(second.to, first.to, "the first gateway is full");
    assert!(bench.call(&request("INVITE", "a", "", "")).is_empty());
    assert!(bench.call(&request("ACK", "a", "", "")).is_empty());
    let answer = bench.call(&request("CANCEL", "a", "", ""));
    assert!(answer[0].start().starts_with("SIP/2.0 481 "));
}

#[test]
fn failover_moves_the_call_and_its_count_and_the_caller_sees_one_transaction() {
    let mut bench = Bench::new(Stateful, 3, 0);
    let first = bench.invite("one");
    assert!(first.branch().ends_with(".0"));
    let sent = bench.answer(&first, 503, "");
    let second = sent
        .iter()
        .find(|sent| sent.start().starts_with("INVITE"))
        .expect("the next gateway is tried");
    let ack = sent
        .iter()
        .find(|sent| sent.start().starts_with("ACK"))
        .expect("the 503 is acknowledged");
    assert_eq!((ack.to, ack.branch()), (first.to, first.branch()));
    assert_eq!(sent.len(), 2, "the caller hears nothing");
    assert_eq!(second.to, gateway(2));
    assert!(second.branch().ends_with(".1"));
    assert_eq!(bench.loads(), [0, 1, 0]);
    let ok = bench.answer(second, 200, "");
    assert_eq!(ok.len(), 1);
    assert_eq!(ok[0].start(), "SIP/2.0 200 Reason");
    bench.hang_up("one", 2);
    assert_eq!(bench.loads(), [0, 0, 0]);
}

#[test]
fn the_last_failure_is_answered_once_all_were_tried() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("one");
    let sent = bench.answer(&first, 503, "");
    let second = sent.iter().find(|sent| sent.to == gateway(2)).cloned();
    let sent = bench.answer(&second.expect("tried"), 503, "");
    let to_caller: Vec<_> = sent
        .iter()
        .filter(|sent| sent.to.to_string() == CALLER)
        .collect();
    assert_eq!(to_caller.len(), 1);
    assert_eq!(
        to_caller[0].start(),
        "SIP/2.0 500 Server Internal Error",
        "a gateway's 503 is not ours"
    );
    assert_eq!(bench.loads(), [0, 0]);
}

#[test]
fn silence_moves_a_call_after_two_seconds_and_the_late_one_is_cancelled() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("one");
    let sent = bench.wait(Duration::from_secs(2));
    let second = sent
        .iter()
        .find(|sent| sent.to == gateway(2))
        .expect("moved")
        .clone();
    assert_eq!(bench.loads(), [0, 1]);
    bench.answer(&second, 180, "");
    let late = bench.answer(&first, 180, "");
    assert_eq!(late.len(), 1);
    assert!(late[0].start().starts_with("CANCEL"), "{late:?}");
    assert_eq!((late[0].to, late[0].branch()), (gateway(1), first.branch()));
    let ok = bench.answer(&second, 200, "");
    assert_eq!(ok[0].start(), "SIP/2.0 200 Reason");
    bench.answer(&first, 487, "");
    assert_eq!(bench.loads(), [0, 1]);
}

#[test]
fn silence_moves_no_call_as_long_as_all_others_are_full() {
    let mut bench = Bench::new(Stateful, 2, 1);
    let first = bench.invite("one");
    let second = bench.invite("two");
    bench.answer(&second, 200, "");
    let sent = bench.wait(Duration::from_secs(6));
    let repeats = sent.iter().all(|sent| sent.start().starts_with("INVITE"));
    assert!(repeats, "nobody has room, so it is waited for: {sent:?}");
    let ok = bench.answer(&first, 200, "");
    assert_eq!(ok[0].start(), "SIP/2.0 200 Reason");
    assert_eq!(bench.loads(), [1, 1]);
}

/// The state that a destination has when keepalives have failed.
const DEAD: Flags = Flags(Flags::INACTIVE | Flags::PROBING);
const ALIVE: Flags = Flags(Flags::PROBING);
const TAKEN_OUT_BY_HAND: Flags = Flags(Flags::INACTIVE);

#[test]
fn a_call_that_rings_at_a_gateway_that_dies_moves_on_even_if_that_comes_back() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("one");
    bench.answer(&first, 180, "");
    let before = bench.wait(Duration::from_secs(60));
    assert!(before.is_empty(), "it may ring for long: {before:?}");
    bench.sets.set_state(1, "sip:10.0.1.1:5060", DEAD);
    bench.sets.set_state(1, "sip:10.0.1.1:5060", ALIVE);
    let sent = bench.wait(Duration::from_secs(2));
    let second = sent.iter().find(|sent| sent.to == gateway(2));
    let second = second.expect("moved").clone();
    assert!(second.branch().ends_with(".1"));
    let cancel = sent.iter().find(|sent| sent.to == gateway(1));
    let cancel = cancel.expect("the dead one may come back");
    assert!(cancel.start().starts_with("CANCEL"), "{cancel:?}");
    assert_eq!(bench.loads(), [0, 1]);
    bench.answer(&second, 180, "");
    let ok = bench.answer(&second, 200, "");
    assert_eq!(ok[0].start(), "SIP/2.0 200 Reason");
    bench.hang_up("one", 2);
    assert_eq!(bench.loads(), [0, 0]);
}

#[test]
fn a_call_rings_on_at_a_gateway_that_is_taken_out_by_hand_or_has_no_successor() {
    for (gateways, flags) in [(2, TAKEN_OUT_BY_HAND), (1, DEAD)] {
        let mut bench = Bench::new(Stateful, gateways, 0);
        let first = bench.invite("one");
        bench.answer(&first, 180, "");
        bench.sets.set_state(1, "sip:10.0.1.1:5060", flags);
        let sent = bench.wait(Duration::from_secs(10));
        assert!(sent.is_empty(), "{sent:?}");
        let ok = bench.answer(&first, 200, "");
        assert_eq!(ok[0].start(), "SIP/2.0 200 Reason");
    }
}

#[test]
fn what_cannot_be_delivered_moves_at_once() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let first = bench.invite("one");
    let sent = bench.bounce(&first);
    assert_eq!(only_to_gateways(&sent).to, gateway(2));
    assert_eq!(bench.loads(), [0, 1]);
    assert!(
        bench.bounce(&first).is_empty(),
        "the same error again is nothing new"
    );
}

#[test]
fn nobody_answering_is_a_408_after_64_t1() {
    let mut bench = Bench::new(Stateful, 1, 0);
    bench.invite("one");
    let sent = bench.wait(Duration::from_secs(33));
    let to_caller: Vec<_> = sent
        .iter()
        .filter(|sent| sent.to.to_string() == CALLER)
        .collect();
    assert_eq!(to_caller[0].start(), "SIP/2.0 408 Request Timeout");
    assert_eq!(bench.loads(), [0]);
}

#[test]
fn the_final_answer_decides_on_a_cancelled_call() {
    for code in [487, 200] {
        let mut bench = Bench::new(Stateful, 1, 0);
        let invite = bench.invite("one");
        bench.answer(&invite, 180, "");
        let sent = bench.call(&request("CANCEL", "one", "", ""));
        assert_eq!(sent[0].start(), "SIP/2.0 200 Canceling");
        let cancel = only_to_gateways(&sent);
        assert_eq!((cancel.to, cancel.branch()), (invite.to, invite.branch()));
        assert_eq!(bench.loads(), [1], "CANCEL does not decide");
        bench.answer(&cancel, 200, "");
        let sent = bench.answer(&invite, code, "");
        let answer = sent
            .iter()
            .find(|sent| sent.to.to_string() == CALLER)
            .expect("an answer");
        assert_eq!(answer.start(), format!("SIP/2.0 {code} Reason"));
        assert_eq!(bench.loads(), [u32::from(code == 200)]);
    }
}

#[test]
fn a_cancel_waits_for_the_first_provisional_answer() {
    let mut bench = Bench::new(Stateful, 2, 0);
    let invite = bench.invite("one");
    let sent = bench.call(&request("CANCEL", "one", "", ""));
    assert_eq!(sent.len(), 1, "only the 200 to the CANCEL");
    let sent = bench.answer(&invite, 100, "");
    assert!(only_to_gateways(&sent).start().starts_with("CANCEL"));
    let sent = bench.wait(Duration::from_secs(3));
    assert!(
        sent.iter().all(|sent| sent.to == invite.to),
        "a cancelled call is not tried elsewhere"
    );
}

#[test]
fn a_stateless_cancel_and_ack_have_the_branch_of_their_invite() {
    let mut bench = Bench::new(Stateless, 2, 0);
    let invite = bench.invite("one");
    let cancel = only_to_gateways(&bench.call(&request("CANCEL", "one", "", "")));
    assert_eq!((cancel.to, cancel.branch()), (invite.to, invite.branch()));
    bench.answer(&invite, 487, "");
    let ack = only_to_gateways(&bench.call(&ack_negative("one", &gateway_tag(1))));
    assert_eq!((ack.to, ack.branch()), (invite.to, invite.branch()));
}

#[test]
fn a_callees_bye_that_overtakes_the_200_ends_the_call() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 1, 0);
        let invite = bench.invite("one");
        let bye = format!(
            "BYE sip:alice@{CALLER} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bKgwbye\r\n\
             From: <sip:service@{PROXY}>;tag={}\r\nTo: <sip:alice@10.0.0.9>;tag=aone\r\n\
             Call-ID: one@test\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nRoute: <sip:{PROXY};lr>\r\n\r\n",
            gateway_tag(1)
        );
        let sent = bench.receive(gateway(1), &bye);
        assert_eq!(sent[0].to.to_string(), CALLER);
        bench.answer(&invite, 200, "");
        assert_eq!(bench.loads(), [0], "{relay:?}");
    }
}

#[test]
fn after_everything_nothing_is_left() {
    for relay in [Stateful, Stateless] {
        let mut bench = Bench::new(relay, 2, 0);
        for call in ["a", "b", "c"] {
            answered(&mut bench, call);
        }
        bench.call(&request("BYE", "a", &gateway_tag(1), ""));
        bench.invite("d");
        bench.wait(Duration::from_secs(7300 + 200));
        let slots = bench.shard.slots();
        bench.shard.expire_calls(slots);
        bench.wait(Duration::from_secs(40));
        let snapshot = bench.shard.snapshot();
        assert_eq!(bench.loads(), [0, 0], "{relay:?}");
        assert_eq!((snapshot.cells, snapshot.transactions), (0, 0), "{relay:?}");
    }
}

#[test]
fn a_call_without_duid_is_relayed_and_not_counted() {
    let mut bench = Bench::with(
        crate::proxy::Settings {
            relay: RelayMode::Stateless,
            algorithm: 8,
            ..Default::default()
        },
        sets(2, 0),
    );
    let invite = answered(&mut bench, "one");
    assert_eq!(invite.to, gateway(1));
    assert_eq!(bench.loads(), [0, 0]);
    let bye = bench.call(&request("BYE", "one", &gateway_tag(1), ""));
    assert_eq!(only_to_gateways(&bye).to, gateway(1));
}
