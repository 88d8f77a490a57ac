//! Replies, CANCEL and ACK.

use std::net::SocketAddr;

use super::{INVITE, with};
use crate::sip::{HeaderIndex, Name, build, scan};

fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 6060))
}

fn reply(request: &str, code: u16, to_tag: &str, extra: &str) -> String {
    with(request, |request| {
        let mut out = Vec::new();
        let reason = build::reason_phrase(code);
        build::reply(
            request,
            source(),
            code,
            reason,
            to_tag.as_bytes(),
            extra.as_bytes(),
            &mut out,
        );
        String::from_utf8(out).expect("text")
    })
}

#[test]
fn a_reply_has_what_the_request_must_be_matched_by() {
    let expected = "SIP/2.0 503 Service Unavailable\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc;rport=6060;received=192.0.2.1\r\n\
        Via: SIP/2.0/TCP client.example.com;branch=z9hG4bKdef, SIP/2.0/UDP [2001:db8::1]\r\n\
        From: \"Alice, A.\" <sip:alice@example.com>;tag=1928\r\n\
        To: <sip:bob@example.com>;tag=ours\r\n\
        Call-ID: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\n\
        Retry-After: 5\r\n\
        Content-Length: 0\r\n\
        \r\n";
    assert_eq!(reply(INVITE, 503, "ours", "Retry-After: 5\r\n"), expected);
}

#[test]
fn a_tag_that_is_there_stays() {
    let tagged = INVITE.replace(
        "To: <sip:bob@example.com>",
        "To: <sip:bob@example.com>;tag=yours",
    );
    assert!(
        reply(&tagged, 481, "ours", "").contains("\r\nTo: <sip:bob@example.com>;tag=yours\r\n")
    );
    assert!(reply(INVITE, 100, "", "").contains("\r\nTo: <sip:bob@example.com>\r\n"));
}

#[test]
fn only_a_100_repeats_the_timestamp() {
    let request = INVITE.replace("CSeq", "Timestamp: 54\r\nCSeq");
    assert!(reply(&request, 100, "", "").contains("\r\nTimestamp: 54\r\n"));
    assert!(!reply(&request, 200, "", "").contains("Timestamp"));
}

#[test]
fn only_the_topmost_via_is_amended_even_if_it_is_the_second_line() {
    let request = "BYE sip:a@b SIP/2.0\r\nv:\r\nv: , SIP/2.0/UDP h;rport , SIP/2.0/UDP g\r\n\r\n";
    let reply = reply(request, 400, "", "");
    let via = "\r\nVia: \r\nVia: , SIP/2.0/UDP h;rport=6060;received=192.0.2.1 , SIP/2.0/UDP g\r\n";
    assert!(reply.contains(via), "{reply}");
}

#[test]
fn parameters_of_the_topmost_via_are_amended_in_any_order() {
    for (from, to) in [
        ("h;rport;received=9", "h;rport=6060;received=192.0.2.1"),
        (
            "h;received=9;x;rport;y",
            "h;received=192.0.2.1;x;rport=6060;y",
        ),
    ] {
        let request = format!("BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {from}\r\n\r\n");
        let reply = reply(&request, 400, "", "");
        assert!(
            reply.contains(&format!("\r\nVia: SIP/2.0/UDP {to}\r\n")),
            "{reply}"
        );
    }
}

#[test]
fn even_a_broken_request_gets_a_whole_reply() {
    let reply = reply(
        "BYE sip:a@b SIP/2.0\r\nVia: nonsense\r\nTo: \"x",
        400,
        "t",
        "",
    );
    let expected = "SIP/2.0 400 Bad Request\r\nVia: nonsense\r\nTo: \"x\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(reply, expected);
}

#[test]
fn cancel_is_of_the_same_hop_as_its_invite() {
    let cancel = with(INVITE, |invite| {
        let mut out = Vec::new();
        build::cancel(invite, &mut out);
        String::from_utf8(out).expect("text")
    });
    let expected = "CANCEL sip:bob@example.com;transport=udp SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc;rport\r\n\
        Route: <sip:203.0.113.1;lr>, <sip:203.0.113.2;lr>\r\n\
        Max-Forwards: 70\r\n\
        From: \"Alice, A.\" <sip:alice@example.com>;tag=1928\r\n\
        To: <sip:bob@example.com>\r\n\
        Call-ID: a84b4c76e66710\r\n\
        CSeq: 314159 CANCEL\r\n\
        Content-Length: 0\r\n\
        \r\n";
    assert_eq!(cancel, expected);
}

#[test]
fn ack_takes_its_to_from_the_reply() {
    let answer = "SIP/2.0 486 Busy Here\r\nTo: <sip:bob@example.com>;tag=theirs\r\n\r\n";
    let mut index = HeaderIndex::new();
    let answer = scan(answer.as_bytes(), &mut index).expect("a reply");
    let mut out = Vec::new();
    with(INVITE, |invite| build::ack(invite, answer, &mut out));
    with(&out, |ack| {
        assert!(out.starts_with(b"ACK sip:bob@example.com;transport=udp SIP/2.0\r\n"));
        assert_eq!(ack.to_tag(), Some(&b"theirs"[..]));
        assert_eq!(ack.from_tag(), Some(&b"1928"[..]));
        assert_eq!(ack.vias().count(), 1);
        assert_eq!(
            ack.first(Name::CSeq).map(|line| line.value),
            Some(&b"314159 ACK"[..])
        );
        assert_eq!(ack.fault(), None);
    });
}

#[test]
fn nothing_follows_what_is_no_whole_request() {
    for text in [
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n",
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCSeq: x\r\n\r\n",
    ] {
        let mut out = Vec::new();
        with(text, |message| build::cancel(message, &mut out));
        assert_eq!(out, b"", "{text}");
    }
}

#[test]
fn every_code_has_a_phrase() {
    assert_eq!(build::reason_phrase(200), "OK");
    assert_eq!(build::reason_phrase(482), "Loop Detected");
    assert_eq!(build::reason_phrase(499), "Bad Request");
    assert_eq!(build::reason_phrase(699), "Global Failure");
    for code in 0..=u16::MAX {
        assert!(!build::reason_phrase(code).is_empty());
    }
}
