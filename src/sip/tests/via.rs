//! Via values, where replies go, and what a receiver writes into them.

use std::net::SocketAddr;

use super::with;
use crate::sip::{Amend, Edits, HeaderError, Via};

fn parse(value: &str) -> Result<Via<'_>, HeaderError> {
    Via::parse(value.as_bytes(), 0)
}

fn reply_address(value: &str) -> Option<String> {
    let address = parse(value).expect("a Via").reply_address();
    address.map(|address| address.to_string())
}

#[test]
fn a_via_with_everything() {
    let via = parse(
        "SIP/2.0/UDP host.example.com:5061;Branch=z9hG4bKx;ttl=16;maddr=224.0.0.1;x=\"a;b\"\
         ;received=192.0.2.9;rport=6060",
    )
    .expect("a Via");
    assert_eq!(via.transport, b"UDP");
    assert_eq!(via.host, b"host.example.com");
    assert_eq!(via.port, Some(5061));
    assert_eq!(via.branch, Some(&b"z9hG4bKx"[..]));
    assert_eq!(via.param(b"ttl"), Some(Some(&b"16"[..])));
    assert_eq!(via.param(b"MADDR"), Some(Some(&b"224.0.0.1"[..])));
    assert_eq!(via.received, Some(&b"192.0.2.9"[..]));
    assert_eq!(via.rport, Some(Some(6060)));
    assert!(via.well_formed);
}

#[test]
fn white_space_may_stand_around_every_separator() {
    let via =
        parse("SIP / 2.0\r\n / TLS-SCTP \t host : 5061 ; rport ; branch = z ").expect("a Via");
    assert_eq!(via.transport, b"TLS-SCTP");
    assert_eq!(via.host, b"host");
    assert_eq!(via.port, Some(5061));
    assert_eq!(via.rport, Some(None));
    assert_eq!(via.branch, Some(&b"z"[..]));
}

#[test]
fn ipv6_with_and_without_brackets() {
    for (value, host, port) in [
        ("SIP/2.0/UDP [2001:db8::9:1]", "[2001:db8::9:1]", None),
        (
            "SIP/2.0/UDP [2001:db8::9:1]:6050;x",
            "[2001:db8::9:1]",
            Some(6050),
        ),
        ("SIP/2.0/UDP 2001:db8::9:1;branch=x", "2001:db8::9:1", None),
        ("SIP/2.0/UDP 1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", None),
        ("SIP/2.0/UDP ::1", "::1", None),
        ("SIP/2.0/UDP fe80::1 ;x", "fe80::1", None),
    ] {
        let via = parse(value).expect(value);
        assert_eq!((via.host, via.port), (host.as_bytes(), port), "{value}");
        let inner = host.trim_matches(['[', ']']);
        assert_eq!(via.sent_by_ip(), inner.parse().ok(), "{value}");
    }
}

#[test]
fn what_is_no_via() {
    for (value, error) in [
        ("", HeaderError::SentProtocol),
        ("UDP host", HeaderError::SentProtocol),
        ("SIP/2.0 host", HeaderError::SentProtocol),
        ("SIP/2.0/", HeaderError::SentProtocol),
        ("SIP/2.0/UDP", HeaderError::SentProtocol),
        ("SIP/2.0/UDP[::1]", HeaderError::SentProtocol),
        ("SIP/2.0/UDP ", HeaderError::SentBy),
        ("HTTP/2.0/UDP host", HeaderError::SentProtocol),
        ("SIP/2.0/UDP ;branch=x", HeaderError::SentBy),
        ("SIP/2.0/UDP :5060", HeaderError::SentBy),
        ("SIP/2.0/UDP ho/st", HeaderError::SentBy),
        ("SIP/2.0/UDP [::1", HeaderError::SentBy),
        ("SIP/2.0/UDP [x]", HeaderError::SentBy),
        ("SIP/2.0/UDP host:", HeaderError::Port),
        ("SIP/2.0/UDP host:70000", HeaderError::Port),
        ("SIP/2.0/UDP host:5x", HeaderError::Port),
    ] {
        assert_eq!(parse(value), Err(error), "{value:?}");
    }
}

#[test]
fn empty_parameters_are_noticed_and_survived() {
    for value in [
        "SIP/2.0/UDP host;;branch=x",
        "SIP/2.0/UDP host;branch=x;",
        "SIP/2.0/UDP host; ;branch=x",
        "SIP/2.0/UDP host ;branch=x; ;rport",
    ] {
        let via = parse(value).expect(value);
        assert!(!via.well_formed, "{value}");
        assert_eq!(via.branch, Some(&b"x"[..]), "{value}");
    }
    assert!(!parse("SIP/2.0/UDP host;").expect("a Via").well_formed);
    assert!(
        !parse("SIP/2.0/UDP host (comment)")
            .expect("a Via")
            .well_formed
    );
    assert!(
        parse("SIP/2.0/UDP host;a ; b=1")
            .expect("a Via")
            .well_formed
    );
}

#[test]
fn only_the_cookie_with_something_behind_it_makes_a_branch_unique() {
    for (branch, unique) in [
        (";branch=z9hG4bKx", true),
        (";branch=Z9HG4BKx", true),
        (";branch=z9hG4bK", false),
        (";branch=390skdjuw", false),
        (";branch=", false),
        (";branch", false),
        ("", false),
    ] {
        let value = format!("SIP/2.0/UDP host{branch}");
        let via = parse(&value).expect("a Via");
        assert_eq!(via.has_unique_branch(), unique, "{value}");
    }
}

#[test]
fn replies_go_to_received_and_rport_else_to_sent_by() {
    for (value, address) in [
        ("SIP/2.0/UDP 192.0.2.1", Some("192.0.2.1:5060")),
        ("SIP/2.0/UDP 192.0.2.1:5070", Some("192.0.2.1:5070")),
        ("SIP/2.0/UDP 192.0.2.1:5070;rport", Some("192.0.2.1:5070")),
        (
            "SIP/2.0/UDP 192.0.2.1:5070;rport=6060",
            Some("192.0.2.1:6060"),
        ),
        (
            "SIP/2.0/UDP h:5070;received=192.0.2.9",
            Some("192.0.2.9:5070"),
        ),
        (
            "SIP/2.0/UDP h;received=192.0.2.9;rport=1",
            Some("192.0.2.9:1"),
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;received=192.0.2.9",
            Some("192.0.2.9:5060"),
        ),
        (
            "SIP/2.0/UDP h;received=2001:db8::1",
            Some("[2001:db8::1]:5060"),
        ),
        (
            "SIP/2.0/UDP h;received=[2001:db8::1]",
            Some("[2001:db8::1]:5060"),
        ),
        ("SIP/2.0/UDP [2001:db8::2]:7", Some("[2001:db8::2]:7")),
        (
            "SIP/2.0/UDP 192.0.2.1;maddr=224.2.0.1",
            Some("192.0.2.1:5060"),
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;received=nonsense",
            Some("192.0.2.1:5060"),
        ),
        ("SIP/2.0/UDP host.example.com", None),
        ("SIP/2.0/UDP 192.0.2.1.example.com", None),
        ("SIP/2.0/UDP abc.example", None),
    ] {
        assert_eq!(reply_address(value).as_deref(), address, "{value}");
    }
}

/// The Via line of a request from `source`, as a receiver amends it.
fn amended(via: &str, source: &str) -> String {
    let text = format!("BYE sip:a@b SIP/2.0\r\nVia: {via}\r\n\r\n");
    let source: SocketAddr = source.parse().expect("an address");
    let out = with(&text, |message| {
        let top = message.top_via().expect("a Via");
        let mut edits = Edits::new();
        Amend::for_source(&top, source).apply(&top, message, &mut edits);
        let mut out = Vec::new();
        edits.write(message.bytes(), &mut out);
        // Replies go back to where the request came from.
        let port = if top.rport.is_some() {
            source.port()
        } else {
            top.port.unwrap_or(5060)
        };
        with(&out, |message| {
            let address = message.top_via().expect("a Via").reply_address();
            assert_eq!(
                address,
                Some(SocketAddr::new(source.ip().to_canonical(), port))
            );
        });
        out
    });
    let text = String::from_utf8(out).expect("text");
    let line = text.lines().nth(1).expect("a Via line").to_owned();
    line.strip_prefix("Via: ").expect("a Via line").to_owned()
}

#[test]
fn the_top_via_is_amended_with_the_source() {
    const A: &str = "192.0.2.1:6060";
    for (via, source, expected) in [
        // The address is right and nobody asked: nothing to write.
        (
            "SIP/2.0/UDP 192.0.2.1:5070;x",
            A,
            "SIP/2.0/UDP 192.0.2.1:5070;x",
        ),
        ("SIP/2.0/UDP h", A, "SIP/2.0/UDP h;received=192.0.2.1"),
        (
            "SIP/2.0/UDP h , SIP/2.0/UDP g",
            A,
            "SIP/2.0/UDP h;received=192.0.2.1 , SIP/2.0/UDP g",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;rport;branch=x",
            A,
            "SIP/2.0/UDP 192.0.2.1;rport=6060;branch=x;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP h;rport",
            A,
            "SIP/2.0/UDP h;rport=6060;received=192.0.2.1",
        ),
        // What a sender filled in itself does not count.
        (
            "SIP/2.0/UDP h;rport=7",
            A,
            "SIP/2.0/UDP h;rport=6060;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP h;received=9.9.9.9;b",
            A,
            "SIP/2.0/UDP h;received=192.0.2.1;b",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;received",
            A,
            "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP h ; received = 9.9.9.9 ; rport",
            A,
            "SIP/2.0/UDP h ; received=192.0.2.1 ; rport=6060",
        ),
        (
            "SIP/2.0/UDP h;rport;received=9.9.9.9",
            "[2001:db8::1]:6060",
            "SIP/2.0/UDP h;rport=6060;received=2001:db8::1",
        ),
        (
            "SIP/2.0/UDP [2001:DB8:0::1]",
            "[2001:db8::1]:5060",
            "SIP/2.0/UDP [2001:DB8:0::1]",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1",
            "[::ffff:192.0.2.1]:5060",
            "SIP/2.0/UDP 192.0.2.1",
        ),
        (
            "SIP/2.0/UDP h",
            "[::ffff:192.0.2.1]:5060",
            "SIP/2.0/UDP h;received=192.0.2.1",
        ),
    ] {
        assert_eq!(amended(via, source), expected, "{via} from {source}");
    }
}
