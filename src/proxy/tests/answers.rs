//! Answers that scripts give, what is answered when a request cannot be sent, and what failure routes find.

use super::support::*;

fn starting<'a>(sent: &'a [Sent], start: &str) -> Vec<&'a Sent> {
    let found = sent.iter().filter(|sent| sent.start().starts_with(start));
    found.collect()
}

/// The final answers that a call gets from a script with this statement.
fn answers(statement: &str) -> Vec<Sent> {
    let mut bench = Bench::script(&format!("request_route {{ {statement} }}"), 2);
    let mut sent = bench.call(&request("INVITE", "a", "", ""));
    sent.retain(|sent| sent.start().starts_with("SIP/2.0 ") && !sent.start().contains(" 100 "));
    sent
}

#[test]
fn a_redirect_says_where_to() {
    for (statement, contact) in [
        (
            r#"$ru = "sip:a@b"; sl_send_reply("302", "M");"#,
            "<sip:a@b>",
        ),
        (
            r#"append_branch("sip:b@c"); send_reply("300", "C");"#,
            "<sip:b@c>",
        ),
        (
            r#"append_branch("sip:b@c", "0.50"); append_branch("sip:c@d", "1");
               $ru = "sip:a@b"; t_newtran(); t_reply("302", "M");"#,
            "<sip:a@b>, <sip:b@c>;q=0.5, <sip:c@d>;q=1",
        ),
        (r#"sl_send_reply("302", "M");"#, ""),
        (r#"$ru = "sip:a@b"; sl_send_reply("404", "No");"#, ""),
    ] {
        let sent = answers(statement);
        assert_eq!((sent.len(), sent[0].value("Contact")), (1, contact));
    }
    let refused = answers(r#"if (!append_branch("sip:b@c", "2")) sl_send_reply("400", "q");"#);
    assert_eq!(refused[0].start(), "SIP/2.0 400 q");
}

#[test]
fn a_redirect_of_a_failure_route_says_where_the_call_was_to_go() {
    for (change, contact) in [("$ru = \"sip:a@b\";", "<sip:a@b>"), ("", "")] {
        let routes = format!(
            r#"request_route {{ {change} $du = "sip:10.0.1.1"; t_on_failure("F"); t_relay(); }}
            failure_route[F] {{ t_reply("302", "There"); }}"#
        );
        let mut bench = Bench::script(&routes, 1);
        let invite = bench.invite("a");
        let sent = bench.answer(&invite, 486, "");
        let answer = starting(&sent, "SIP/2.0 302")[0];
        assert_eq!(answer.value("Contact"), contact);
    }
}

#[test]
fn an_appended_uri_goes_by_the_next_hop_of_now() {
    let mut bench = Bench::script(
        r#"request_route {
            $du = "sip:10.0.1.1";
            append_branch("sip:x@example.com");
            append_branch();
            if ($du == $null) { $du = "sip:10.0.1.2"; }
            t_relay();
        }"#,
        1,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let invites = starting(&sent, "INVITE");
    let to: Vec<_> = invites.iter().map(|sent| sent.to).collect();
    assert_eq!(to, [gateway(2), gateway(1), gateway(1)]);
    assert_eq!(invites[1].start(), "INVITE sip:x@example.com SIP/2.0");
    assert_eq!(invites[2].start(), invites[0].start());
}

#[test]
fn what_cannot_be_sent_is_answered_by_its_transaction() {
    for (statement, answer) in [
        (
            r#"$ru = "sip:gw.example.com"; t_relay();"#,
            "478 Unresolvable destination (478/TM)",
        ),
        (
            r#"$ru = "sip:gw.example.com"; if (!t_relay()) { sl_send_reply("404", "No"); }"#,
            "404 No",
        ),
        (
            r#"$ru = "sip:gw.example.com"; if (!t_relay()) { sl_reply_error(); }"#,
            "478 Unresolvable destination (478/SL)",
        ),
        (
            r#"$du = "sip:10.0.1.1;transport=tcp"; t_relay();"#,
            "478 Unresolvable destination (478/TM)",
        ),
        (
            "sl_reply_error();",
            "500 I'm terribly sorry, server error occurred (1/SL)",
        ),
    ] {
        let sent = answers(statement);
        assert_eq!(sent.len(), 1, "{statement}");
        assert_eq!(sent[0].start(), format!("SIP/2.0 {answer}"));
    }
    let sent = answers(
        r#"$ru = "sip:gw.example.com"; if (!t_relay()) { $du = "sip:10.0.1.1"; t_relay(); }"#,
    );
    assert!(sent.is_empty(), "it was sent after all");
}

#[test]
fn a_request_whose_branches_are_all_dropped_is_answered() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; t_on_branch("B"); t_relay(); }
        branch_route[B] { drop; }"#,
        1,
    );
    let sent = bench.call(&request("OPTIONS", "a", "", ""));
    let starts: Vec<&str> = sent.iter().map(Sent::start).collect();
    assert_eq!(
        starts,
        ["SIP/2.0 500 I'm terribly sorry, server error occurred (6/TM)"]
    );
}

#[test]
fn a_failure_route_finds_the_next_hop_and_tries_nothing_twice() {
    let mut bench = Bench::script(
        r#"request_route {
            $ru = "sip:first@example.com"; $du = "sip:10.0.1.1"; t_on_failure("F"); t_relay();
        }
        failure_route[F] {
            append_hf("X-Found: $T_branch_idx $ru $ou $du\r\n");
            t_on_failure("F");
            if ($T_reply_code == 500) { $rU = "second"; t_relay(); }
            else if ($T_reply_code == 501) { append_branch("sip:third@10.0.1.3"); t_relay(); }
            else { route(LAST); }
        }
        route[LAST] { if (!t_relay()) { sl_reply_error(); } }"#,
        1,
    );
    let first = bench.invite("a");
    let sent = bench.answer(&first, 500, "");
    let second = starting(&sent, "INVITE")[0].clone();
    assert_eq!(second.start(), "INVITE sip:second@example.com SIP/2.0");
    assert_eq!(second.to, gateway(1));
    let found = |count| format!("{count} {0} {0} sip:10.0.1.1", "sip:first@example.com");
    assert_eq!(second.value("X-Found"), found(1));
    let sent = bench.answer(&second, 501, "");
    let more = starting(&sent, "INVITE");
    assert_eq!(more.len(), 1, "only what was appended");
    assert_eq!(more[0].value("X-Found"), found(2));
    let third = more[0].clone();
    assert_eq!(third.to, gateway(1), "by the next hop of now");
    let sent = bench.answer(&third, 486, "");
    assert!(starting(&sent, "INVITE").is_empty());
    assert_eq!(
        starting(&sent, "SIP/2.0")[0].start(),
        "SIP/2.0 500 I'm terribly sorry, server error occurred (6/SL)"
    );
}

const ANSWERING: &str = r#"modparam("acc", "log_flag", 1)
    modparam("acc", "failed_transaction_flag", 2)
    request_route {
        ds_select_dst("1", "12"); setflag(1); setflag(2); t_on_reply("R"); t_relay();
    }
    onreply_route[R] {
        if ($rs == 183) { if (t_reply("486", "Mine")) drop; }
        if ($rs == 181) t_reply("185", "Wait");
        if ($rs == 404) send_reply("480", "Mine Too");
    }
    reply_route { if ($rs == 182 && !send_reply("499", "No")) append_hf("X-Core: false\r\n"); }"#;

#[test]
fn a_reply_route_answers_for_the_transaction_and_cancels_the_rest() {
    for (code, answer, cancelled) in [
        (183, "SIP/2.0 486 Mine", [gateway(1), gateway(2)]),
        (404, "SIP/2.0 480 Mine Too", [gateway(2), gateway(2)]),
    ] {
        let mut bench = Bench::script(ANSWERING, 3);
        let sent = bench.call(&request("INVITE", "a", "", ""));
        let invites: Vec<Sent> = starting(&sent, "INVITE").into_iter().cloned().collect();
        bench.answer(&invites[0], 180, "");
        bench.answer(&invites[1], 180, "");
        let sent = bench.answer(&invites[0], code, "");
        let up: Vec<&str> = starting(&sent, "SIP/2.0")
            .iter()
            .map(|one| one.start())
            .collect();
        assert_eq!(up, [answer]);
        let cancels = starting(&sent, "CANCEL");
        assert_eq!(cancels.first().map(|one| one.to), Some(cancelled[0]));
        assert_eq!(cancels.last().map(|one| one.to), Some(cancelled[1]));
        let reason = format!("SIP;cause={}", &answer[8..11]);
        assert!(cancels.iter().all(|one| one.value("Reason") == reason));
        assert_eq!(bench.log.len(), 1, "{:?}", bench.log);
        assert!(bench.log[0].contains(&format!("code={}", &answer[8..11])));
        // The answer is repeated until it is acknowledged, and nothing else follows it.
        let again = bench.wait(std::time::Duration::from_millis(600));
        assert_eq!(starting(&again, answer).len(), 1);
        assert!(starting(&bench.answer(&invites[2], 486, ""), "SIP/2.0").is_empty());
    }
}

#[test]
fn a_reply_route_may_say_more_than_the_reply_and_that_of_all_replies_nothing() {
    let mut bench = Bench::script(ANSWERING, 1);
    let invite = bench.invite("a");
    let sent = bench.answer(&invite, 181, "");
    let starts: Vec<&str> = sent.iter().map(Sent::start).collect();
    assert_eq!(starts, ["SIP/2.0 185 Wait", "SIP/2.0 181 Reason"]);
    let sent = bench.answer(&invite, 182, "");
    assert_eq!((sent.len(), sent[0].value("X-Core")), (1, "false"));
}

#[test]
fn a_stateless_answer_in_a_reply_route_goes_nowhere() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; t_relay(); }
        route[SAY] { if (!sl_send_reply("488", "No")) append_hf("X-Said: no\r\n"); }
        reply_route { route(SAY); }"#,
        1,
    );
    let invite = bench.invite("a");
    let sent = bench.answer(&invite, 180, "");
    assert_eq!((sent.len(), sent[0].value("X-Said")), (1, "no"));
}

#[test]
fn what_rings_first_when_it_is_answered_by_the_script_is_cancelled() {
    let mut bench = Bench::script(ANSWERING, 1);
    let invite = bench.invite("a");
    let sent = bench.answer(&invite, 183, "");
    assert_eq!(starting(&sent, "SIP/2.0 486 Mine").len(), 1);
    assert_eq!(starting(&sent, "CANCEL").len(), 1, "{sent:?}");
    bench.answer(&invite, 487, "");
    bench.wait(std::time::Duration::from_mins(3));
    assert_eq!(bench.shard.load().transactions, 0);
}

#[test]
fn routes_know_their_parameters_and_directions() {
    let mut bench = Bench::script(
        r#"request_route {
            if (has_totag() && loose_route()) {
                if (is_direction("downstream")) append_hf("X-Is: down\r\n");
                if (is_direction("upstream")) append_hf("X-Is: up\r\n");
                if (check_route_param(";kept=[0-9]+$")) append_hf("X-Is: kept\r\n");
                if (check_route_param("other")) append_hf("X-Is: other\r\n");
                t_relay();
            }
        }"#,
        1,
    );
    let ours =
        "Route: <sip:10.0.0.1:5060;lr;ftag=aa;kept=12>\r\nRoute: <sip:10.0.1.1;lr;other>\r\n";
    for (route, from, is) in [
        (ours, "aa", ["down", "kept"]),
        (ours, "gw", ["up", "kept"]),
        (
            "Route: <sip:10.0.1.1;lr;ftag=x;kept=12>\r\n",
            "aa",
            ["", ""],
        ),
    ] {
        let bye = request("BYE", "a", "t", route).replace(";tag=aa", &format!(";tag={from}"));
        let sent = bench.call(&bye.replace("z9hG4bK-a", &format!("z9hG4bK-{from}")));
        let found = sent
            .first()
            .map(|sent| sent.values("X-Is"))
            .unwrap_or_default();
        let wanted: Vec<&str> = is.into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn a_relayed_cancel_ends_the_script_and_one_of_nothing_does_not() {
    let mut bench = Bench::script(
        r#"request_route {
            if (is_method("CANCEL")) {
                if (t_relay_cancel()) sl_send_reply("481", "Nothing");
                else sl_send_reply("500", "Failed");
                exit;
            }
            $du = "sip:10.0.1.1";
            t_relay();
        }"#,
        1,
    );
    let invite = bench.invite("a");
    bench.answer(&invite, 180, "");
    let sent = bench.call(&request("CANCEL", "a", "", ""));
    let starts: Vec<&str> = sent.iter().map(Sent::start).collect();
    assert_eq!(starts[0], "SIP/2.0 200 canceling");
    assert!(starts.len() == 2 && starts[1].starts_with("CANCEL "));
    bench.answer(&invite, 487, "");
    let sent = bench.call(&request("CANCEL", "a", "", ""));
    assert_eq!(
        sent[0].start(),
        "SIP/2.0 200 ok -- no more pending branches"
    );
    let sent = bench.call(&request("CANCEL", "b", "", ""));
    assert_eq!((sent.len(), sent[0].start()), (1, "SIP/2.0 481 Nothing"));
}
