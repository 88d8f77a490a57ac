//! Accounting lines: those that Kamailio 5.6.3 wrote of the same calls.

use std::time::Duration;

use super::support::*;

const PARAMETERS: &str = r#"
modparam("acc", "log_flag", 1)
modparam("acc", "log_missed_flag", 2)
modparam("acc", "failed_transaction_flag", 3)
modparam("acc", "log_extra", "src=$si;av=$avp(x);no=$hdr(Nope);sc=$T_reply_code;ru=$ru;rs=$rs")
"#;

/// A shard that relays with these flags set.
fn bench(more: &str, flags: &[u8], statements: &str, routes: &str) -> Bench {
    let flags: Vec<_> = flags
        .iter()
        .map(|flag| format!("setflag({flag});"))
        .collect();
    let flags = flags.concat();
    Bench::script(
        &format!(
            "{PARAMETERS}{more}
            request_route {{
                $du = \"sip:10.0.1.1\";
                $avp(x) = \"avp\";
                {flags} {statements}
                if (is_method(\"CANCEL\")) {{ t_relay_cancel(); exit; }}
                if (!t_relay()) {{ sl_reply_error(); }}
            }}
            {routes}"
        ),
        2,
    )
}

/// A line, with the fields that differ between calls.
fn line(event: &str, method: &str, to_tag: &str, code: u16, reason: &str, shown: u16) -> String {
    format!(
        "ACC: {event}: timestamp=1000;method={method};from_tag=aa;to_tag={to_tag};call_id=a@test;\
         code={code};reason={reason};src=10.0.0.9;av=avp;no=;sc={shown};ru=sip:service@{PROXY};rs="
    )
}

fn answered(code: u16) -> String {
    line(
        "transaction answered",
        "INVITE",
        &gateway_tag(1),
        code,
        "Reason",
        code,
    )
}

fn missed(code: u16) -> String {
    line(
        "call missed",
        "INVITE",
        &gateway_tag(1),
        code,
        "Reason",
        code,
    )
}

/// The lines of a call that is answered so.
fn lines(bench: &mut Bench, codes: &[u16]) -> Vec<String> {
    let invite = bench.invite("a");
    for code in codes {
        bench.answer(&invite, *code, "");
    }
    std::mem::take(&mut bench.log)
}

#[test]
fn a_call_and_its_end_get_a_line_each() {
    let mut bench = bench("", &[1], "", "");
    assert_eq!(lines(&mut bench, &[180, 200]), [answered(200)]);
    let bye = bench.call(&request("BYE", "a", &gateway_tag(1), ""));
    bench.answer(&only_to_gateways(&bye), 200, "");
    let of_bye = line(
        "transaction answered",
        "BYE",
        &gateway_tag(1),
        200,
        "Reason",
        200,
    );
    assert_eq!(bench.log, [of_bye]);
}

#[test]
fn without_a_flag_there_is_no_line() {
    assert!(lines(&mut bench("", &[], "", ""), &[200]).is_empty());
    assert!(lines(&mut bench("", &[2], "", ""), &[180, 200]).is_empty());
    assert!(lines(&mut bench("", &[1], "", ""), &[486]).is_empty());
    let filter = "modparam(\"acc\", \"failed_filter\", \"404, 486\")\n";
    assert!(lines(&mut bench(filter, &[1, 3], "", ""), &[486]).is_empty());
}

#[test]
fn failures_get_the_lines_that_they_are_flagged_for() {
    assert_eq!(
        lines(&mut bench("", &[1, 3], "", ""), &[486]),
        [answered(486)]
    );
    assert_eq!(lines(&mut bench("", &[2], "", ""), &[486]), [missed(486)]);
    assert_eq!(
        lines(&mut bench("", &[1, 2, 3], "", ""), &[486]),
        [missed(486), answered(486)]
    );
}

#[test]
fn a_call_is_missed_before_its_failure_route_runs_and_again_if_that_says_so() {
    let route = |statements: &str| {
        format!("failure_route[F] {{ xlog(\"L_ERR\", \"here\"); {statements} }}")
    };
    let here = "<script>: here".to_owned();
    let mut once = bench("", &[1, 2, 3], "t_on_failure(\"F\");", &route(""));
    assert_eq!(
        lines(&mut once, &[486]),
        [missed(486), here.clone(), answered(486)]
    );
    let again = route("setflag(2); $du = \"sip:10.0.1.2\"; t_relay();");
    let mut again = bench("", &[1, 2, 3], "t_on_failure(\"F\");", &again);
    let invite = again.invite("a");
    let next = again.answer(&invite, 486, "");
    let next = next.iter().find(|sent| sent.start().starts_with("INVITE"));
    let next = next.expect("sent elsewhere").clone();
    again.answer(&next, 404, "");
    let of = |event| line(event, "INVITE", &gateway_tag(2), 404, "Reason", 404);
    assert_eq!(
        again.log,
        [
            missed(486),
            here.clone(),
            of("call missed"),
            of("transaction answered")
        ]
    );
    let own = route("setflag(2); t_reply(603, \"No\");");
    let mut own = bench("", &[1, 2, 3], "t_on_failure(\"F\");", &own);
    let log = lines(&mut own, &[486]);
    assert_eq!(log.len(), 4, "{log:?}");
    assert!(
        log[2].starts_with("ACC: call missed: ") && log[2].contains(";code=603;reason=Decline;")
    );
    assert!(log[3].starts_with("ACC: transaction answered: ") && log[3].contains(";sc=486;"));
}

#[test]
fn a_timeout_and_an_answer_of_our_own_get_lines_too() {
    let mut silent = bench("modparam(\"tm\", \"fr_timer\", 3000)\n", &[1, 3], "", "");
    silent.invite("a");
    silent.wait(Duration::from_secs(4));
    assert_eq!(silent.log.len(), 1, "{:?}", silent.log);
    assert!(silent.log[0].contains(";code=408;reason=Request Timeout;"));
    let mut own = bench(
        "",
        &[1, 3],
        "t_newtran(); t_reply(404, \"Nope\"); exit;",
        "",
    );
    own.call(&request("INVITE", "a", "", ""));
    assert_eq!(own.log.len(), 1);
    assert!(own.log[0].contains(";code=404;reason=Not Found;src=10.0.0.9;av=avp;"));
    let mut stateless = bench("", &[1, 3], "sl_send_reply(404, \"Nope\"); exit;", "");
    stateless.call(&request("INVITE", "a", "", ""));
    assert!(stateless.log.is_empty());
}

#[test]
fn acks_cancels_and_early_media_get_lines_if_they_are_asked_for() {
    let more = "modparam(\"acc\", \"report_ack\", 1)\nmodparam(\"acc\", \"report_cancels\", 1)\n";
    let mut acknowledged = bench(more, &[1], "", "");
    lines(&mut acknowledged, &[200]);
    acknowledged.call(&request("ACK", "a", &gateway_tag(1), ""));
    assert_eq!(
        acknowledged.log,
        [line(
            "request acknowledged",
            "ACK",
            &gateway_tag(1),
            200,
            "OK",
            0
        )]
    );
    let mut cancelled = bench(more, &[1, 2, 3], "", "");
    let invite = cancelled.invite("a");
    cancelled.answer(&invite, 180, "");
    cancelled.call(&request("CANCEL", "a", "", ""));
    assert_eq!(cancelled.log.len(), 1, "{:?}", cancelled.log);
    assert!(cancelled.log[0].starts_with(
        "ACC: transaction answered: timestamp=1000;method=CANCEL;from_tag=aa;to_tag=;call_id=a@test;code=200;reason=OK;"
    ));
    cancelled.answer(&invite, 487, "");
    assert_eq!(cancelled.log[1..], [missed(487), answered(487)]);
    let mut early = bench("modparam(\"acc\", \"early_media\", 1)\n", &[1], "", "");
    let invite = early.invite("a");
    let media = reply(&invite, 183, "").replace("Length: 0\r\n\r\n", "Length: 5\r\n\r\nv=0\r\n");
    early.receive(invite.to, &media);
    early.answer(&invite, 200, "");
    assert_eq!(early.log.len(), 2);
    assert!(early.log[0].contains(";code=183;") && early.log[1].contains(";code=200;"));
}

#[test]
fn a_script_writes_lines_of_its_own() {
    let statements = r#"acc_log_request("404 my comment"); acc_log_request("plain");
        acc_log_request("500"); acc_log_request("$rm of $fU"); exit;"#;
    let mut bench = bench("", &[], statements, "");
    bench.call(&request("INVITE", "a", "", ""));
    let fields: Vec<_> = bench
        .log
        .iter()
        .map(|line| {
            let start = line.find(";code=").expect("a code");
            let end = line.find(";src=").expect("further fields");
            (
                line.starts_with("ACC: request accounted: "),
                &line[start..end],
            )
        })
        .collect();
    assert_eq!(
        fields,
        [
            (true, ";code=404;reason=my comment"),
            (true, ";code=;reason=plain"),
            (true, ";code=500;reason="),
            (true, ";code=;reason=INVITE of alice"),
        ]
    );
}

#[test]
fn a_finer_time_stands_behind_the_seconds() {
    for (mode, field) in [
        (1, ";exten=0;method="),
        (2, ";attr=1000.000;method="),
        (3, ";attr=1970-01-01 00:16:40;method="),
        (4, ";attr=1970-01-01 00:16:40;method="),
    ] {
        let more = format!(
            "modparam(\"acc\", \"time_mode\", {mode})\nmodparam(\"acc\", \"time_attr\", \"attr\")\n\
             modparam(\"acc\", \"time_exten\", \"exten\")\n"
        );
        let log = lines(&mut bench(&more, &[1], "", ""), &[200]);
        assert!(log[0].starts_with(&format!("ACC: transaction answered: timestamp=1000{field}")));
    }
}

#[test]
fn a_stranger_writes_no_lines_of_the_log() {
    let more = "modparam(\"acc\", \"log_extra\", \"fold=$hdr(X-Fold)\")\n";
    let mut bench = bench(more, &[1], "", "");
    let sent = bench.call(&request("INVITE", "a", "", "X-Fold: a\r\n ACC: b\r\n"));
    bench.answer(&only_to_gateways(&sent), 200, "");
    assert!(
        bench.log[0].ends_with(";fold=a   ACC: b"),
        "{}",
        bench.log[0]
    );
}

#[test]
fn the_tags_are_those_of_the_caller_and_the_callee_if_wished() {
    let more = "modparam(\"rr\", \"append_fromtag\", 1)\n";
    let tags = |more: &str, ftag: &str| {
        let mut bench = bench(more, &[1], "loose_route();", "");
        let route = format!("Route: <sip:{PROXY};lr;ftag={ftag}>\r\n");
        let bye = bench.call(&request("BYE", "a", "bb", &route));
        bench.answer(&only_to_gateways(&bye), 200, "");
        let line = bench.log.pop().expect("a line");
        let fields = line.split(';').filter(|field| field.contains("_tag="));
        fields.collect::<Vec<_>>().join(";")
    };
    // loose_route() takes the Route off that says who is who: it must be known before.
    let asked = format!("{more}modparam(\"acc\", \"detect_direction\", 1)\n");
    assert_eq!(tags(more, "other"), "from_tag=aa;to_tag=bb");
    assert_eq!(tags(&asked, "aa"), "from_tag=aa;to_tag=bb");
    assert_eq!(tags(&asked, "other"), "from_tag=bb;to_tag=aa");
}

#[test]
fn a_line_says_what_the_request_said_whatever_its_answer_says() {
    let script = "
        modparam(\"acc\", \"log_flag\", 1)
        request_route {
            $du = \"sip:10.0.1.1\";
            setflag(1);
            t_relay();
        }";
    for (own, others) in [
        ("", ""),
        ("tag=aa", "tag=zz"),
        ("tag=aa", "other=1"),
        ("Call-ID: a@test", "Call-ID: b@test"),
    ] {
        for (method, to_tag) in [("INVITE", ""), ("UNHEARD", "")] {
            let mut bench = Bench::script(script, 2);
            let sent = bench.call(&request(method, "a", to_tag, ""));
            let sent = only_to_gateways(&sent);
            let answer = reply(&sent, 200, "").replacen(own, others, 1);
            bench.receive(sent.to, &answer);
            let expected = format!(
                "ACC: transaction answered: timestamp=1000;method={method};from_tag=aa;to_tag={};\
                 call_id=a@test;code=200;reason=Reason",
                gateway_tag(1)
            );
            assert_eq!(bench.log, [expected], "{others}");
        }
    }
}
