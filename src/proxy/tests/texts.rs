//! What scripts read of messages and change in them.

use std::time::Duration;

use super::support::*;

/// What a gateway gets of a call, after these statements.
fn relayed(statements: &str) -> Sent {
    relayed_of(statements, &request("INVITE", "a", "", ""))
}

fn relayed_of(statements: &str, message: &str) -> Sent {
    let mut bench = bench(statements);
    only_to_gateways(&bench.call(message))
}

fn bench(statements: &str) -> Bench {
    let script = format!("request_route {{ $du = \"sip:10.0.1.1\"; {statements} t_relay(); }}");
    Bench::script(&script, 1)
}

/// What the caller is answered, after these statements.
fn answered(statements: &str, message: &str) -> Sent {
    let mut bench = Bench::script(&format!("request_route {{ {statements} }}"), 1);
    bench.call(message).remove(0)
}

#[test]
fn no_text_of_a_stranger_adds_lines_or_ends_the_headers() {
    let message = request(
        "INVITE",
        "a",
        "",
        "X-A: a%0d%0aX-Evil: 1%0d%0a%0d%0abody\r\n",
    );
    let evil = "$var(x) = $(hdr(X-A){s.unescape.user});";
    let sent = relayed_of(
        &format!(
            r#"{evil} append_hf("X-B: $var(x)\r\n"); append_hf("$var(x)"); append_hf("\r\n\r\n");"#
        ),
        &message,
    );
    assert_eq!(sent.value("X-B"), "a");
    // Whole lines are what a script may add.
    assert_eq!(sent.values("X-Evil").len(), 2);
    assert!(
        sent.text
            .ends_with("Content-Length: 0\r\nX-B: a\r\nX-Evil: 1\r\nX-Evil: 1\r\n\r\n")
    );
    for statement in [
        "$rU = $var(x);",
        "$fU = $var(x);",
        "$fn = $var(x);",
        "$tu = $var(x);",
    ] {
        let sent = relayed_of(&format!("{evil} {statement}"), &message);
        assert!(sent.values("X-Evil").is_empty(), "{statement}");
    }
}

#[test]
fn our_way_back_stays() {
    for statement in [
        r#"remove_hf("Via");"#,
        r#"remove_hf_re(".*");"#,
        r#"insert_hf("Via: SIP/2.0/UDP 1.2.3.4\r\nv : SIP/2.0/UDP 1.2.3.4\r\n");"#,
        r#"replace_all("10.0.0.9", "1.2.3.4");"#,
        r#"subst("/10.0.0.9/x/g");"#,
        r#"subst_hf("v", "/10.0.0.9/x/g", "a");"#,
        r#"exclude_hf_value("Via", "SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bK-a");"#,
    ] {
        let vias = relayed_via_of(statement);
        assert_eq!(
            vias, "SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bK-a",
            "{statement}"
        );
    }
}

#[test]
fn what_is_inserted_before_all_stands_above_our_via_on_every_branch() {
    let mut bench = Bench::script(
        "request_route { insert_hf(\"X-A: 1\\r\\n\"); record_route(); t_on_failure(\"F\"); \
         $du = \"sip:10.0.1.1\"; t_relay(); }\n\
         failure_route[F] { insert_hf(\"X-B: 2\\r\\n\"); $du = \"sip:10.0.1.2\"; t_relay(); }",
        1,
    );
    let sent = only_to_gateways(&bench.call(&request("INVITE", "a", "", "")));
    let names = |sent: &Sent| -> Vec<String> {
        let lines = sent.text.lines().skip(1);
        let names = lines.filter_map(|line| Some(line.split_once(':')?.0.to_owned()));
        names.take(5).collect()
    };
    assert_eq!(
        names(&sent),
        ["X-A", "Via", "Record-Route", "Via", "Max-Forwards"]
    );
    let second = {
        let sent = bench.answer(&sent, 500, "");
        let again = sent
            .into_iter()
            .find(|sent| sent.start().starts_with("INVITE"));
        again.expect("a second branch")
    };
    assert_eq!(second.values("X-A"), ["1"]);
    assert_eq!(names(&second)[..3], ["X-B", "Via", "Record-Route"]);
    assert_eq!(second.values("Via").len(), 2);
}

#[test]
fn telephone_numbers_keep_what_is_not_changed() {
    for (uri, statement, expected) in [
        (
            "sips:+12;p=x@h;user=phone;z",
            r#"$rU = "34";"#,
            "sips:34;p=x@h;user=phone;z",
        ),
        (
            "sip:+12;p=x:pw@h;user=phone",
            r#"prefix("0");"#,
            "sip:0+12;p=x:pw@h;user=phone",
        ),
        (
            "sip:+12;p=x@h;user=phone",
            "$rU = $null;",
            "sip:h;user=phone",
        ),
        ("sip:+12;p=x@h", r#"$rU = "34";"#, "sip:34@h"),
        ("tel:+12;p=x", r#"$rU = "34";"#, "tel:34;p=x"),
        ("tel:+12;p=x", "$rU = $null;", "tel:+12;p=x"),
        ("tel:+12;p=x", "$rp = 99;", "tel:+12;p=x"),
        ("tel:+12;p=x", r#"$rd = "hh";"#, "sip:+12;p=x@hh;user=phone"),
    ] {
        let sent = relayed(&format!("$ru = \"{uri}\"; {statement}"));
        assert_eq!(sent.start(), format!("INVITE {expected} SIP/2.0"));
    }
    let question =
        r#"$ru = "sip:+12;p=x@h;user=phone;z"; if (uri_param("z")) append_hf("Z: z\r\n");"#;
    assert_eq!(relayed(question).value("Z"), "z");
    for (statement, from) in [
        (r#"$fU = "34";"#, "<tel:34;p=x>;tag=aa"),
        ("$fU = $null;", "<tel:+12;p=x>;tag=aa"),
    ] {
        let message = request("INVITE", "a", "", "");
        let (head, rest) = message.split_once("From: ").expect("a From");
        let (_, rest) = rest.split_once("\r\n").expect("its end");
        let message = format!("{head}From: <tel:+12;p=x>;tag=aa\r\n{rest}");
        assert_eq!(relayed_of(statement, &message).value("From"), from);
    }
}

fn relayed_via_of(statement: &str) -> String {
    relayed(statement).values("Via")[1].to_owned()
}

#[test]
fn what_is_set_last_counts() {
    let sent =
        relayed(r#"$fU = "one"; $fU = "two"; $fn = "N1"; $fn = "N2"; $tu = "sip:x@y"; $tU = "z";"#);
    assert_eq!(sent.value("From"), "N2 <sip:two@10.0.0.9>;tag=aa");
    assert_eq!(sent.value("To"), "<sip:x@y>");
}

#[test]
fn values_of_lists_are_read_in_their_order() {
    let message = request(
        "INVITE",
        "a",
        "",
        "m: <sip:1@a>, <sip:2@a>\r\nContact: <sip:3@a>\r\n",
    );
    let sent = relayed_of(
        r#"append_hf("X: $(hfl(Contact)[0]) $(hfl(Contact)[1]) $(hfl(Contact)[-1]) $hflc(m)\r\n");"#,
        &message,
    );
    assert_eq!(sent.value("X"), "<sip:1@a> <sip:2@a> <sip:3@a> 3");
}

#[test]
fn a_name_before_a_bare_uri_brings_brackets() {
    let message =
        request("INVITE", "a", "", "").replace("<sip:alice@10.0.0.9>", "sip:alice@10.0.0.9");
    let sent = relayed_of(r#"$fn = "\"A\"";"#, &message);
    assert_eq!(sent.value("From"), "\"A\" <sip:alice@10.0.0.9>;tag=aa");
}

#[test]
fn nothing_is_written_into_a_removed_line() {
    let message = request("INVITE", "a", "", "X-A: one\r\nX-B: two\r\n");
    let sent = relayed_of(
        r#"subst_hf("X-A", "/one/1/", "a"); remove_hf("X-A"); remove_hf("Max-Forwards");
        mf_process_maxfwd_header("10"); remove_hf("Content-Length");"#,
        &message,
    );
    let end = sent.text.find("CSeq").expect("a header");
    assert_eq!(&sent.text[end..], "CSeq: 1 INVITE\r\nX-B: two\r\n\r\n");
}

#[test]
fn a_body_that_is_added_has_its_length() {
    let message = request("INVITE", "a", "", "").replace("Content-Length: 0\r\n", "");
    let sent = relayed_of(r#"set_body("hello", "text/plain");"#, &message);
    assert!(
        sent.text
            .ends_with("Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
    );
}

#[test]
fn replies_are_changed_on_their_way_up() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; t_on_reply("R"); t_relay(); }
        reply_route { append_hf("X-One: $rs $rr\r\n"); remove_hf("Server"); }
        onreply_route[R] { append_hf("X-Two: $T_reply_code $(hdr(Via)[1])\r\n"); subst("/Server/Nope/"); }"#,
        1,
    );
    let invite = bench.invite("a");
    let sent = bench.answer(&invite, 180, "Server: x\r\nX-Via: y\r\n");
    assert_eq!(sent[0].value("X-One"), "180 Reason");
    assert_eq!(
        sent[0].value("X-Two"),
        "180 SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bK-a"
    );
    assert!(sent[0].values("Server").is_empty() && sent[0].values("Nope").is_empty());
    assert_eq!(sent[0].values("Via").len(), 1);
}

#[test]
fn what_a_branch_route_changes_is_for_its_branch_alone() {
    let mut bench = Bench::script(
        r#"request_route { $du = "sip:10.0.1.1"; append_branch("sip:x@10.0.1.2"); append_hf("X-All: 1\r\n");
            t_on_branch("B"); t_relay(); }
        branch_route[B] { append_hf("X-Branch: $T_branch_idx\r\n"); }"#,
        2,
    );
    let sent = bench.call(&request("INVITE", "a", "", ""));
    let branches: Vec<_> = sent
        .iter()
        .filter(|sent| sent.start().starts_with("INVITE"))
        .map(|sent| {
            (
                sent.values("X-All").len(),
                sent.values("X-Branch").join(","),
            )
        })
        .collect();
    assert_eq!(branches, [(1, "0".to_owned()), (1, "1".to_owned())]);
}

#[test]
fn our_answers_may_have_headers_and_a_body() {
    let answer = answered(
        r#"append_to_reply("X-A: 1\r\nX-B: 2\r\n\r\nno header"); set_reply_body("text", "text/x");
        sl_send_reply("200", "OK");"#,
        &request("OPTIONS", "a", "", ""),
    );
    assert_eq!((answer.value("X-A"), answer.value("X-B")), ("1", "2"));
    let end = "X-B: 2\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\ntext";
    assert!(answer.text.ends_with(end), "{}", answer.text);
}

#[test]
fn an_options_is_told_what_we_can() {
    let options = request("OPTIONS", "a", "", "");
    let script = r#"if (!options_reply()) { sl_send_reply("404", "Not Here"); }"#;
    assert_eq!(answered(script, &options).start(), "SIP/2.0 404 Not Here");
    let to_us = options.replace("OPTIONS sip:service@", "OPTIONS sip:");
    let answer = answered(script, &to_us);
    assert_eq!(answer.start(), "SIP/2.0 200 OK");
    for (name, value) in [
        ("Accept", "*/*"),
        ("Accept-Encoding", ""),
        ("Accept-Language", "en"),
        ("Supported", ""),
    ] {
        assert_eq!(answer.values(name), [value], "{name}");
    }
}

/// What `sanity_check(checks, 15)` says of an INVITE with more lines: its answer, or what follows.
fn checked(checks: u32, change: (&str, &str)) -> String {
    let script = format!("sanity_check(\"{checks}\", \"15\"); sl_send_reply(\"200\", \"Fine\");");
    let message = request("INVITE", "a", "", "Contact: <sip:a@b>\r\n");
    let changed = message.replace(change.0, change.1);
    assert_ne!(message, changed);
    answered(&script, &changed).start().to_owned()
}

#[test]
fn what_is_insane_is_answered_and_ends_the_script() {
    let digest =
        "Authorization: Digest username=\"a\",realm=\"b\",nonce=\"c\",uri=\"d\",response=\"e\"";
    let contact = "Contact: <sip:a@b>";
    let with = |line: &str| format!("{contact}\r\n{line}");
    for (bit, to, answer) in [
        (256, with("Expires: -1"), "400 Expires value is illegal"),
        (
            256,
            with("Expires: 4294967296"),
            "400 Expires value is illegal",
        ),
        (256, with("Expires: 4294967295"), "200 Fine"),
        (1024, "Contact: <sip:@b>".to_owned(), "400 Bad Contact URI"),
        (1024, "Contact: *".to_owned(), "200 Fine"),
        (
            2048,
            with("Authorization: Basic x"),
            "400 Bad Auth Credentials",
        ),
        (8192, with("Authorization: Basic x"), "200 Fine"),
        (2048, with(digest), "200 Fine"),
        (
            2048,
            with(&digest.replace("nonce", "x")),
            "400 Bad Auth Credentials",
        ),
        (
            8192,
            with(&digest.replace("uri", "x")),
            "400 Bad Authorization Header",
        ),
    ] {
        assert_eq!(
            checked(bit, (contact, &to)),
            format!("SIP/2.0 {answer}"),
            "{bit} {to}"
        );
        assert_eq!(checked(0, (contact, &to)), "SIP/2.0 200 Fine", "{to}");
    }
    for (bit, from, to, answer) in [
        (1024, "alice@10.0.0.9>", "@10.0.0.9>", "Invalid From Header"),
        (
            1024,
            "<sip:service@10.0.0.1:5060>\r",
            "<x:y>\r",
            "Invalid To Header",
        ),
        (4096, ";tag=aa", ";tag=aa;tag=b", "Many From Tag Params"),
    ] {
        assert_eq!(checked(bit, (from, to)), format!("SIP/2.0 400 {answer}"));
    }
}

#[test]
fn an_extension_is_required_of_those_that_know_it() {
    let message = request("INVITE", "a", "", "Proxy-Require: foo, bar\r\n");
    let script = |known: &str| {
        let known = format!("modparam(\"sanity\", \"proxy_require\", \"{known}\")\n");
        let mut bench = Bench::script(
            &(known + r#"request_route { sl_send_reply("200", "OK"); }"#),
            1,
        );
        bench.call(&message).remove(0)
    };
    assert_eq!(script("bar, FOO").start(), "SIP/2.0 200 OK");
    assert_eq!(script("bar").start(), "SIP/2.0 420 Bad Extension");
}

#[test]
fn a_script_may_answer_itself_to_what_is_insane() {
    let parameters =
        "modparam(\"sanity\", \"autodrop\", 0)\nmodparam(\"sanity\", \"noreply\", 1)\n";
    let script = r#"request_route { if (!sanity_check("256")) { append_to_reply("X: 1\r\n"); sanity_reply(); } }"#;
    let mut bench = Bench::script(&format!("{parameters}{script}"), 1);
    let sent = bench.call(&request("INVITE", "a", "", "Expires: x\r\n"));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].start(), "SIP/2.0 400 Expires value is illegal");
    assert_eq!(sent[0].value("X"), "1");
}

#[test]
fn no_script_can_make_a_message_grow_without_a_bound() {
    for statement in [
        r#"append_hf("X: 0123456789012345678901234567890123456789012345678901234567890\r\n");"#,
        r#"subst("/alice/alice0123456789012345678901234567890123456789012345678901234567890/");"#,
        r#"append_to_reply("X: 0123456789012345678901234567890123456789012345678901234567890\r\n");"#,
    ] {
        let script = format!(
            "max_while_loops=100000\nrequest_route {{ $var(i) = 0; $du = \"sip:10.0.1.1\";
             while ($var(i) < 9000) {{ $var(i) = $var(i) + 1; {statement} }}
             t_relay(); sl_send_reply(\"200\", \"OK\"); }}"
        );
        let sent = Bench::script(&script, 1).call(&request("INVITE", "a", "", ""));
        assert!(sent.len() >= 2, "{statement}");
        let longest = sent.iter().map(|sent| sent.text.len()).max();
        assert!(
            (4_000..34_000).contains(&longest.unwrap_or(0)),
            "{longest:?}"
        );
    }
}

#[test]
fn the_longest_message_may_be_made_longer_as_often_as_a_script_likes() {
    let long = "x".repeat(60_000);
    let message = request("INVITE", "a", "", &format!("X-Long: {long}\r\n"));
    for statement in [
        r#"append_hf("X-A: $hdr(X-Long)\r\n"); insert_hf("X-A: $hdr(X-Long)\r\n");"#,
        r#"subst("/^X-Long:(.*)$/X-A:\1\1\1/");"#,
        r#"subst("/x/yyy/g"); subst("/x/yyy/g");"#,
        r#"$fU = $hdr(X-Long); $tn = $hdr(X-Long); $rU = $hdr(X-Long); $ru = "sip:" + $hdr(X-Long);"#,
        r#"set_body("$hdr(X-Long)$hdr(X-Long)", "text/x"); set_reply_body("$mb", "a");"#,
        r#"append_to_reply("X-A: $hdr(X-Long)\r\n"); add_rr_param(";x=$hdr(X-Long)"); record_route();"#,
        r#"append_branch("sip:$hdr(X-Long)@10.0.1.2"); $du = "sip:" + $hdr(X-Long); $du = "sip:10.0.1.1";"#,
    ] {
        let mut relaying = bench(&format!("{statement} t_newtran();"));
        let sent = relaying.call(&message);
        let is_short = sent.iter().all(|sent| sent.text.len() < 128 * 1024);
        assert!(sent.len() == 2 && is_short, "{statement}");
        let script =
            format!("request_route {{ {statement} t_newtran(); t_reply(\"500\", \"No\"); }}");
        let sent = Bench::script(&script, 1).call(&message);
        assert_eq!(sent.len(), 1, "{statement}");
    }
    let user = request("INVITE", "a", "", "");
    let user = user.replace("INVITE sip:service@", &format!("INVITE sip:{long}@"));
    let mut domain = Bench::script(
        r#"request_route { ds_select_domain("1", "4"); if (!t_relay()) { sl_reply_error(); } }"#,
        1,
    );
    let sent = domain.call(&user);
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
fn our_answers_name_us_only_if_they_are_told_to() {
    let servers = |parameters: &str| -> Vec<String> {
        let script = format!(
            "{parameters}\nrequest_route {{ if (is_method(\"OPTIONS\")) {{ sl_send_reply(\"404\", \"No\"); exit; }} \
             $du = \"sip:10.0.1.1\"; t_relay(); }}"
        );
        let mut bench = Bench::script(&script, 1);
        let mut answers = bench.call(&request("OPTIONS", "a", "", ""));
        answers.extend(bench.call(&request("INVITE", "b", "", "")));
        let broken = request("OPTIONS", "c", "", "").replace("CSeq: 2", "CSeq: x");
        answers.extend(bench.call(&broken));
        answers.extend(bench.wait(Duration::from_secs(200)));
        answers.retain(|sent| sent.start().starts_with("SIP/2.0 "));
        let mut codes: Vec<_> = answers.iter().map(|sent| &sent.start()[8..11]).collect();
        codes.dedup();
        assert_eq!(codes, ["404", "100", "400", "408"]);
        let named = answers.iter().map(|sent| sent.values("Server").join("|"));
        let mut named: Vec<_> = named.collect();
        named.dedup();
        named
    };
    let own = concat!("sipshard/", env!("CARGO_PKG_VERSION"));
    assert_eq!(servers(""), [""]);
    assert_eq!(servers("server_signature=yes"), [own]);
    assert_eq!(servers("server_header=\"Server: Acme SBC\""), ["Acme SBC"]);
    assert_eq!(
        servers("server_header=\"Server: Acme SBC\"\nserver_signature=no"),
        [""]
    );
}
