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
