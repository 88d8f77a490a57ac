//! The syntax check of RFC 3261 16.3.

use super::INVITE;
use crate::sip::{Fault, HeaderIndex, Name, scan};

fn fault_of(text: impl AsRef<[u8]>) -> Option<Fault> {
    let mut index = HeaderIndex::new();
    scan(text.as_ref(), &mut index).expect("a message").fault()
}

/// The fault of a usual INVITE in which `from` is replaced with `to`.
fn changed(from: &str, to: &str) -> Option<Fault> {
    assert!(INVITE.contains(from), "{from}");
    fault_of(INVITE.replacen(from, to, 1))
}

const CALL_ID: &str = "Call-ID: a84b4c76e66710\r\n";

#[test]
fn a_usual_request_has_none() {
    assert_eq!(fault_of(INVITE), None);
}

#[test]
fn what_a_proxy_does_not_read_is_no_fault() {
    for (from, to) in [
        ("Max-Forwards: 70\r\n", ""),
        ("Max-Forwards: 70", "Max-Forwards: 0068"),
        ("<sip:alice@192.0.2.1>", "nonsense"),
        ("application/sdp", ";;,;"),
        (";tag=1928", ""),
        ("Content-Length: 5", "Content-Length: 5\r\nl: 5"),
        ("sip:bob@example.com;transport=udp", "tel:+1"),
        ("sip:bob@example.com;transport=udp", "urn:service:sos"),
    ] {
        assert_eq!(changed(from, to), None, "{to}");
    }
}

#[test]
fn each_fault_is_found_and_answered() {
    let via = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc;rport";
    let uri = "sip:bob@example.com;transport=udp";
    for (from, to, fault, code) in [
        ("SIP/2.0\r\n", "SIP/3.0\r\n", Fault::Version, 505),
        ("SIP/2.0\r\n", "SIP/2.00\r\n", Fault::Version, 505),
        ("INVITE ", "INVITE  ", Fault::StartLine, 400),
        ("INVITE ", "INVITE\t", Fault::StartLine, 400),
        ("SIP/2.0\r\n", "SIP/2.0 \r\n", Fault::StartLine, 400),
        (uri, "<sip:bob@example.com>", Fault::RequestUri, 400),
        (uri, "sip:bob@example.com; lr", Fault::RequestUri, 400),
        (uri, "sip:b?Route=x", Fault::RequestUriHeaders, 400),
        (uri, "http://example.com", Fault::Scheme, 416),
        (
            "Max-Forwards: 70",
            "Max-Forwards 70",
            Fault::HeaderLine,
            400,
        ),
        (CALL_ID, "", Fault::Missing(Name::CallId), 400),
        (CALL_ID, "Call-ID:\r\n", Fault::Missing(Name::CallId), 400),
        (
            "CSeq: 314159 INVITE\r\n",
            "",
            Fault::Missing(Name::CSeq),
            400,
        ),
        (
            "CSeq: 314159 INVITE",
            "CSeq:",
            Fault::Missing(Name::CSeq),
            400,
        ),
        (
            "To: <sip:bob@example.com>\r\n",
            "",
            Fault::Missing(Name::To),
            400,
        ),
        (
            CALL_ID,
            "i: x\r\nCall-ID: x\r\n",
            Fault::Repeated(Name::CallId),
            400,
        ),
        (
            "Max-Forwards: 70",
            "Max-Forwards: 7\r\nMax-Forwards: 7",
            Fault::Repeated(Name::MaxForwards),
            400,
        ),
        ("314159", "2147483648", Fault::CSeq, 400),
        ("314159 INVITE", "314159 invite", Fault::CSeqMethod, 400),
        ("314159 INVITE", "314159 BYE", Fault::CSeqMethod, 400),
        (via, "SIP/2.0/UDP", Fault::Via, 400),
        (via, "SIP/2.0/UDP h;;x", Fault::Via, 400),
        ("\"Alice, A.\"", "\"Alice, A.", Fault::From, 400),
        ("To: <sip:bob@example.com>", "To: bob", Fault::To, 400),
        (
            "Max-Forwards: 70",
            "Max-Forwards: -1",
            Fault::MaxForwards,
            400,
        ),
        (
            "Content-Length: 5",
            "Content-Length: -5",
            Fault::ContentLength,
            400,
        ),
        (
            "Content-Length: 5",
            "Content-Length: ",
            Fault::ContentLength,
            400,
        ),
        (
            "Content-Length: 5",
            "Content-Length: 5\r\nl: 4",
            Fault::ContentLengths,
            400,
        ),
        (
            "Content-Length: 5",
            "Content-Length: 6",
            Fault::BodyTruncated,
            400,
        ),
    ] {
        assert_eq!(changed(from, to), Some(fault), "{to}");
        assert_eq!(fault.code(), code);
        assert!(!fault.reason().is_empty());
    }
    let without_via: String = INVITE
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Via"))
        .collect();
    let missing = fault_of(&without_via);
    assert_eq!(missing, Some(Fault::Missing(Name::Via)));
}

#[test]
fn faults_that_sanity_checks_answer_have_their_words() {
    let to = "To: <sip:bob@example.com>";
    for (from, to, reason) in [
        (
            "314159 INVITE",
            "314159 BYE",
            "CSeq method does not match request method",
        ),
        ("314159", "x", "CSeq number is illegal"),
        ("Length: 5", "Length: 6", "Content-Length mis-match"),
        ("INVITE sip:bob@", "INVITE sip:@", "Bad Request URI"),
        (
            "<sip:alice@example.com>;tag",
            "alice;tag",
            "Invalid From Header",
        ),
        (to, "To: bob", "Invalid To Header"),
    ] {
        assert_eq!(changed(from, to).map(Fault::reason), Some(reason), "{to}");
    }
}

#[test]
fn replies_are_checked_too() {
    let reply = |line: &str, cseq: &str| {
        let headers = INVITE.split_once("\r\n").map(|(_, headers)| headers);
        let text = format!("{line}\r\n{}", headers.expect("headers"));
        fault_of(text.replace("314159 INVITE", cseq))
    };
    assert_eq!(reply("SIP/2.0 200 OK", "1 INVITE"), None);
    assert_eq!(reply("SIP/2.0 699", "1 ANYTHING"), None);
    assert_eq!(reply("SIP/7.0 200 OK", "1 INVITE"), Some(Fault::Version));
    assert_eq!(reply("SIP/2.0 99 x", "1 INVITE"), Some(Fault::StatusCode));
    assert_eq!(reply("SIP/2.0 099 x", "1 INVITE"), Some(Fault::StatusCode));
    assert_eq!(reply("SIP/2.0 700 x", "1 INVITE"), Some(Fault::StatusCode));
    assert_eq!(
        reply("SIP/2.0 65736 x", "1 INVITE"),
        Some(Fault::StatusCode)
    );
    assert_eq!(
        reply("SIP/2.0 200 OK", "9999999999 INVITE"),
        Some(Fault::CSeq)
    );
}
