//! What functions of a configuration do to messages and calls.

use std::sync::Arc;
use std::time::Duration;

use super::support::*;
use crate::dispatch::Flags;
use crate::proxy::{Outbox, RelayMode, Settings, StateChange, script};

fn all<'a>(sent: &'a [Sent], start: &str) -> Vec<&'a Sent> {
    sent.iter()
        .filter(|sent| sent.start().starts_with(start))
        .collect()
}

fn to_caller(sent: &[Sent]) -> Option<&Sent> {
    sent.iter().find(|sent| sent.to.to_string() == CALLER)
}

#[test]
fn appended_branches_ring_at_once_and_the_first_2xx_wins() {
    let mut bench = Bench::script(
        r#"request_route {
            append_branch("sip:one@10.0.1.2");
            append_branch("sip:two@10.0.1.3");
            $du = "sip:10.0.1.1";
            t_relay();
        }"#,
        1,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let invites: Vec<Sent> = all(&sent, "INVITE").into_iter().cloned().collect();
    let to: Vec<_> = invites.iter().map(|sent| sent.to).collect();
    assert_eq!(to, [gateway(1), gateway(2), gateway(3)]);
    assert_eq!(invites[1].start(), "INVITE sip:one@10.0.1.2 SIP/2.0");
    for invite in &invites {
        bench.answer(invite, 180, "");
    }
    assert!(to_caller(&bench.answer(&invites[0], 486, "")).is_none());
    let sent = bench.answer(&invites[2], 200, "");
    assert_eq!(
        to_caller(&sent).expect("a 200").start(),
        "SIP/2.0 200 Reason"
    );
    let cancels = all(&sent, "CANCEL");
    assert_eq!((cancels.len(), cancels[0].to), (1, gateway(2)));
}

#[test]
fn of_several_failures_the_best_goes_up() {
    let mut bench = Bench::script(
        r#"request_route {
            append_branch("sip:one@10.0.1.2");
            $du = "sip:10.0.1.1";
            t_relay();
        }"#,
        1,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let invites: Vec<Sent> = all(&sent, "INVITE").into_iter().cloned().collect();
    bench.answer(&invites[0], 404, "");
    let sent = bench.answer(&invites[1], 500, "");
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 404 Reason"
    );
}

#[test]
fn algorithm_12_sends_to_all_that_are_up() {
    let mut bench = Bench::script(
        r#"request_route { if (ds_select_dst("1", "12")) { t_relay(); } }"#,
        4,
    );
    bench
        .sets
        .set_state(1, "sip:10.0.1.3:5060", Flags(Flags::INACTIVE));
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let to: Vec<_> = all(&sent, "INVITE").iter().map(|sent| sent.to).collect();
    assert_eq!(to, [gateway(1), gateway(2), gateway(4)]);
}

#[test]
fn a_call_that_is_chosen_for_and_not_relayed_is_not_counted() {
    let mut bench = Bench::script(
        r#"request_route {
            ds_select_dst("1", "10");
            if ($rU == "service") { sl_send_reply("403", "No"); exit; }
            t_relay();
        }"#,
        2,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 403 No");
    assert_eq!(bench.loads(), [0, 0]);
}

#[test]
fn a_call_is_uncounted_by_the_script() {
    let mut bench = Bench::script(
        r#"request_route {
            ds_select_dst("1", "10");
            t_relay();
        }
        onreply_route { if ($rs == 180) { ds_load_unset(); } }"#,
        1,
    );
    let invite = bench.invite("a");
    assert_eq!(bench.loads(), [1]);
    bench.answer(&invite, 180, "");
    assert_eq!(bench.loads(), [0]);
    bench.answer(&invite, 200, "");
    assert_eq!(bench.loads(), [0]);
}

#[test]
fn a_failure_route_answers_or_goes_elsewhere() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; t_on_failure("F"); t_relay(); }
        failure_route[F] {
            if (t_check_status("404")) { t_reply("480", "Try Later"); exit; }
            if (t_check_status("5..")) { $ru = "sip:other@10.0.1.2"; t_relay(); }
        }"#,
        1,
    );
    let invite = bench.invite("a");
    let sent = bench.answer(&invite, 404, "");
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 480 Try Later"
    );
    let invite = bench.invite("b");
    let sent = bench.answer(&invite, 502, "");
    let second = all(&sent, "INVITE")[0].clone();
    assert_eq!(second.start(), "INVITE sip:other@10.0.1.2 SIP/2.0");
    assert!(second.branch().ends_with(".1"));
    assert_eq!(second.values("Via").len(), 2, "{}", second.text);
    let sent = bench.answer(&second, 486, "");
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 486 Reason"
    );
}

#[test]
fn a_branch_route_changes_one_branch_alone_or_drops_it() {
    let mut bench = Bench::script(
        r#"request_route {
            append_branch("sip:one@10.0.1.2");
            append_branch("sip:two@10.0.1.3");
            $du = "sip:10.0.1.1";
            t_on_branch("B");
            t_on_failure("F");
            t_relay();
        }
        branch_route[B] {
            if ($T_branch_idx == 0) { remove_hf("Subject"); $rU = "zero"; }
            if ($rU == "two") { drop; }
        }
        failure_route[F] { $du = "sip:10.0.1.4"; t_relay(); }"#,
        1,
    );
    let sent = bench.call(&request("INVITE", "a", "", "Subject: x\r\n"));
    let invites: Vec<Sent> = all(&sent, "INVITE").into_iter().cloned().collect();
    assert_eq!(invites.len(), 2);
    assert!(invites[0].start().contains("sip:zero@"));
    assert!(invites[0].values("Subject").is_empty());
    assert_eq!(invites[1].value("Subject"), "x");
    bench.answer(&invites[0], 404, "");
    let sent = bench.answer(&invites[1], 404, "");
    let third = all(&sent, "INVITE")[0];
    assert_eq!(third.value("Subject"), "x", "the change was for one branch");
    assert!(third.start().contains("sip:service@"));
}

#[test]
fn reply_routes_see_and_drop_what_is_provisional() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; t_on_reply("R"); t_relay(); }
        onreply_route[R] { if ($rs == 183) { drop; } remove_hf("Server"); }"#,
        1,
    );
    let invite = bench.invite("a");
    assert!(bench.answer(&invite, 183, "").is_empty());
    let sent = bench.answer(&invite, 180, "Server: x\r\n");
    assert!(sent[0].values("Server").is_empty());
    let sent = bench.answer(&invite, 200, "Server: x\r\n");
    assert_eq!(sent[0].start(), "SIP/2.0 200 Reason");
}

#[test]
fn timers_of_a_transaction_are_its_own() {
    const ROUTES: &str = r#"request_route {
            $du = "sip:10.0.1.1";
            t_set_fr(5000, 1000);
            t_on_failure("F");
            t_relay();
        }
        failure_route[F] { if (t_branch_timeout()) { t_reply("480", "Timed Out"); } }"#;
    let mut bench = Bench::script(ROUTES, 1);
    bench.invite("silent");
    let sent = bench.wait(Duration::from_millis(1_100));
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 480 Timed Out"
    );
    let mut bench = Bench::script(ROUTES, 1);
    let ringing = bench.invite("ringing");
    bench.answer(&ringing, 180, "");
    assert!(to_caller(&bench.wait(Duration::from_millis(4_900))).is_none());
    let sent = bench.wait(Duration::from_millis(200));
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 480 Timed Out"
    );
    assert_eq!(all(&sent, "CANCEL").len(), 1);
}

#[test]
fn avps_stay_with_their_transaction() {
    let mut bench = Bench::script(
        r#"request_route {
            $avp(who) = $rU;
            $xavp(x=>n) = 7;
            $du = "sip:10.0.1.1";
            t_on_failure("F");
            t_relay();
        }
        failure_route[F] {
            if ($avp(who) == "service" && $xavp(x=>n) == 7) { t_reply("480", "Known"); }
        }"#,
        1,
    );
    let first = bench.invite("a");
    bench.invite("b");
    let sent = bench.answer(&first, 404, "");
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 480 Known"
    );
}

#[test]
fn a_domain_is_chosen_and_failover_goes_on_by_the_base() {
    let mut bench = Bench::script(
        r#"request_route {
            record_route(";x=1");
            if (ds_select_domain("1", "8")) { t_on_failure("F"); t_relay(); }
        }
        failure_route[F] { if (ds_next_domain()) { t_on_failure("F"); t_relay(); } }"#,
        3,
    );
    let first = bench.invite("a");
    assert_eq!(first.start(), "INVITE sip:service@10.0.1.1:5060 SIP/2.0");
    let sent = bench.answer(&first, 500, "");
    let second = all(&sent, "INVITE")[0].clone();
    assert_eq!(second.start(), "INVITE sip:service@10.0.1.2:5060 SIP/2.0");
    assert_eq!(second.values("Record-Route").len(), 1, "{}", second.text);
    assert_eq!(second.value("Record-Route"), first.value("Record-Route"));
    assert!(second.value("Record-Route").contains(";x=1"));
    let sent = bench.answer(&second, 500, "");
    let third = all(&sent, "INVITE")[0];
    assert_eq!(third.to, gateway(3));
    assert_eq!(third.values("Via").len(), 2);
}

#[test]
fn what_is_chosen_can_be_read() {
    let mut bench = Bench::script(
        r#"request_route {
            ds_select_dst("1", "8", "3");
            if ($xavp(_dsdst_=>uri) == "sip:10.0.1.1:5060"
                && $xavp(_dsdst_[1]=>uri) == "sip:10.0.1.2:5060"
                && $xavp(_dsdst_[2]=>dstid) == "gw3"
                && $xavp(_dsdst_[3]=>uri) == $null
                && $xavp(_dsctx_=>cnt) == 3
                && $du == "sip:10.0.1.1:5060") {
                sl_send_reply("200", "All");
            }
        }"#,
        5,
    );
    let sent = bench.call(&request("OPTIONS", "a", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 200 All");
}

#[test]
fn a_cancel_is_the_scripts_to_relay() {
    let mut bench = Bench::script(
        r#"request_route {
            if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
            $du = "sip:10.0.1.1";
            t_relay();
        }"#,
        1,
    );
    let invite = bench.invite("a");
    bench.answer(&invite, 180, "");
    assert!(bench.call(&request("CANCEL", "other", "", "")).is_empty());
    let sent = bench.call(&request("CANCEL", "a", "", ""));
    assert_eq!(
        to_caller(&sent).expect("an answer").start(),
        "SIP/2.0 200 canceling"
    );
    assert_eq!(all(&sent, "CANCEL")[0].branch(), invite.branch());
}

#[test]
fn a_state_that_a_script_marks_is_told_to_the_event_route() {
    let mut bench = Bench::script(
        r#"request_route { ds_select_dst("1", "8"); ds_mark_dst("ip"); }
        event_route[dispatcher:dst-down] { xlog("L_ERR", "down: $ru in $dsv(setid) by $rm"); }"#,
        2,
    );
    let mut out = Outbox::new();
    let text = request("OPTIONS", "a", "", "");
    let datagram = crate::proxy::Datagram {
        socket: 0,
        source: gateway(9),
        received: bench.now,
        bytes: text.as_bytes(),
    };
    bench.shard.receive(bench.now, datagram, &mut out);
    let changes: Vec<StateChange> = out.changes().to_vec();
    assert_eq!(changes.len(), 1);
    let mut out = Outbox::new();
    bench
        .shard
        .on_state_change(bench.now, &changes[0], &mut out);
    let lines: Vec<String> = out
        .log_lines()
        .map(|(_, line)| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("down: sip:10.0.1.1:5060 in 1 by OPTIONS"),
        "{lines:?}"
    );
    let set = bench.sets.get(1).expect("the set");
    assert!(!Arc::clone(&set.destinations[0]).is_usable());
}

#[test]
fn an_overload_rate_holds_for_its_time_and_an_older_one_is_not_heard() {
    let mut bench = Bench::script(
        r#"request_route {
            if ($hdr(X-Rate) != $null) {
                if (!ds_oc_set_attrs("1", "SIP:10.0.1.1:5060", "$hdr(X-Rate)", "1000", "7")) {
                    sl_send_reply("500", "Code $retcode");
                    exit;
                }
            }
            if (ds_select_dst("1", "64")) { t_relay(); }
        }"#,
        2,
    );
    let first_gets = |bench: &mut Bench, call: &str, rate: &str| {
        let sent = bench.call(&request("INVITE", call, "", rate));
        sent.iter().any(|one| one.to == gateway(1))
    };
    assert!(!first_gets(&mut bench, "a", "X-Rate: 100\r\n"));
    assert!((0..4).all(|call| !first_gets(&mut bench, &call.to_string(), "")));
    let sent = bench.call(&request("INVITE", "b", "", "X-Rate: 0\r\n"));
    let answer = to_caller(&sent).expect("an answer");
    assert_eq!(answer.start(), "SIP/2.0 500 Code -2");
    bench.wait(Duration::from_secs(2));
    let got = (4..6).filter(|call| first_gets(&mut bench, &call.to_string(), ""));
    assert_eq!(got.count(), 1, "back in its turn");
}

#[test]
fn a_transaction_that_is_made_and_not_used_leaves_nothing() {
    let mut bench = Bench::script("request_route { t_newtran(); exit; }", 1);
    bench.call(&request("INVITE", "a", "", ""));
    let load = bench.shard.load();
    assert_eq!((load.transactions, load.stored_messages), (0, 0));
    assert!(bench.shard.is_idle());
}

#[test]
fn a_call_that_is_relayed_twice_counts_once_and_ends() {
    let mut bench = Bench::script(
        r#"request_route {
            ds_select_dst("1", "10");
            t_relay();
            ds_select_dst("1", "10");
            t_relay();
        }"#,
        2,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let invites: Vec<Sent> = all(&sent, "INVITE").into_iter().cloned().collect();
    assert_eq!(invites.len(), 2);
    assert_eq!(bench.loads().iter().sum::<u32>(), 1);
    for invite in &invites {
        bench.answer(invite, 486, "");
    }
    assert_eq!(bench.loads(), [0, 0]);
}

const RUNAWAY: &str = "request_route { route(A); }
    route[A] { $var(i) = 0; while ($var(i) < 99) { route(B); $var(i) = $var(i) + 1; } }
    route[B] { $var(j) = 0; while ($var(j) < 99) { route(C); $var(j) = $var(j) + 1; } }
    route[C] { $var(k) = 0; while ($var(k) < 99) { $var(k) = $var(k) + 1; } }";

#[test]
fn a_script_that_runs_away_is_stopped_and_counted() {
    let mut bench = Bench::script(RUNAWAY, 1);
    assert!(bench.call(&request("INVITE", "a", "", "")).is_empty());
    assert_eq!(bench.shard.snapshot().counters.stopped_scripts, 1);
}

#[test]
fn the_log_tells_of_stopped_scripts_once_a_second_with_their_number() {
    let mut bench = Bench::script(RUNAWAY, 1);
    for call in ["a", "b", "c"] {
        bench.call(&request("OPTIONS", call, "", ""));
    }
    let line =
        |scripts: &str| format!("{scripts} took too many steps, or made too much text: stopped");
    assert_eq!(bench.log, [line("1 script")]);
    bench.wait(Duration::from_secs(1));
    bench.call(&request("OPTIONS", "d", "", ""));
    assert_eq!(bench.log, [line("1 script"), line("3 scripts")]);
    assert_eq!(bench.shard.snapshot().counters.stopped_scripts, 4);
}

#[test]
fn a_name_is_not_looked_up() {
    let mut bench = Bench::script(
        r#"request_route { $ru = "sip:gw.example.com"; if (!t_relay()) { sl_reply_error(); } }"#,
        1,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    assert_eq!(
        sent[0].start(),
        "SIP/2.0 100 trying -- your call is important to us"
    );
    assert_eq!(
        sent[1].start(),
        "SIP/2.0 478 Unresolvable destination (478/SL)"
    );
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_script_cannot_end_a_line_of_an_answer() {
    let mut bench = Bench::script(
        r#"request_route { $var(x) = "No\r\nX-Evil: 1"; sl_send_reply("403", "$var(x)"); }"#,
        1,
    );
    let sent = bench.call(&request("OPTIONS", "a", "", ""));
    assert_eq!(sent[0].start(), "SIP/2.0 403 Forbidden");
    assert!(sent[0].values("X-Evil").is_empty());
}

#[test]
fn whether_it_relays_in_transactions_is_known_of_a_configuration() {
    for (relay, with_transactions) in [(RelayMode::Stateful, true), (RelayMode::Stateless, false)] {
        let mut settings = Settings {
            relay,
            ..Settings::default()
        };
        assert_eq!(settings.has_transactions(), with_transactions);
        let program = script::built_in(&settings).unwrap();
        settings.program = Some(Arc::new(program));
        assert_eq!(settings.has_transactions(), with_transactions);
    }
}
