//! Properties over arbitrary bytes: nothing panics, everything lies where it says, edits do what a
//! naive model does.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::INVITE;
use crate::sip::{
    Amend, CSeq, Edits, HeaderIndex, Message, Name, NameAddr, Params, Uri, Via, build,
    is_keepalive, remove_first_value, scan,
};

/// Pieces that SIP is made of, and pieces that break it.
const PIECES: [&str; 44] = [
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "\r\n ",
    ":",
    ";",
    ",",
    "=",
    "<",
    ">",
    "\"",
    "\\",
    "@",
    "[",
    "]",
    "?",
    "/",
    "SIP/2.0",
    "SIP/2.0/UDP ",
    "INVITE ",
    "sip:",
    "tel:",
    "Via",
    "v",
    "Route",
    "From: ",
    "To: ",
    "Call-ID: ",
    "CSeq: 1 ",
    "Content-Length: ",
    "l:",
    "received",
    "rport",
    "branch=z9hG4bK",
    "tag=",
    "lr",
    "host",
    "::1",
    "5060",
    "99999999999",
    "\0",
];

fn pieces(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..most)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..80), pieces(20)]
}

/// A usual INVITE in which some ranges are replaced with something else.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (0..=INVITE.len(), 0..12_usize, pieces(4));
    prop::collection::vec(change, 1..5).prop_map(|changes| {
        let mut bytes = INVITE.as_bytes().to_vec();
        for (at, length, piece) in changes {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}

/// Whether `part` is a piece of the very memory of `whole`, or empty.
fn inside(whole: &[u8], part: &[u8]) -> bool {
    let (outer, inner) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || (outer.start <= inner.start && inner.end <= outer.end)
}

fn check_uri(text: &[u8]) {
    let Ok(uri) = Uri::parse(text) else { return };
    let user = [uri.user, uri.password].into_iter().flatten();
    let parts = [
        uri.scheme_text,
        uri.rest,
        uri.host,
        uri.port_text,
        uri.params,
        uri.headers,
    ];
    assert!(user.chain(parts).all(|part| inside(text, part)));
    assert_eq!(uri.port.is_some(), !uri.port_text.is_empty());
    let _ = (uri.host_ip(), uri.is_loose(), uri.param(b"maddr"));
}

fn check_via(text: &[u8]) {
    let Ok(via) = Via::parse(text, 7) else { return };
    assert_eq!(via.range, 7..7 + text.len());
    let options = [via.branch, via.received, via.param(b"ttl").flatten()];
    let parts = [via.transport, via.host, via.params];
    let mut parts = parts.into_iter().chain(options.into_iter().flatten());
    assert!(parts.all(|part| inside(text, part)));
    assert!(!via.host.is_empty() && !via.transport.is_empty());
    let _ = (via.reply_address(), via.has_unique_branch());
}

fn check_address(text: &[u8]) {
    let Ok(address) = NameAddr::parse(text, 7) else {
        return;
    };
    let parts = [address.display, address.uri, address.params];
    assert!(parts.into_iter().all(|part| inside(text, part)));
    assert_eq!(
        &text[address.uri_range.start - 7..address.uri_range.end - 7],
        address.uri
    );
    let _ = (address.tag(), address.param(b"lr"));
    check_uri(address.uri);
}

/// Asks a message for everything.
fn check_message(message: Message<'_>, whole: &[u8]) {
    let bytes = message.bytes();
    assert!(inside(whole, bytes) && inside(bytes, message.body()));
    assert_eq!(message.request_uri().is_some(), message.method().is_some());
    for line in message.lines() {
        assert_eq!(&bytes[line.value_range.clone()], line.value);
        assert!(inside(&bytes[line.range], line.name_text));
    }
    for &name in Name::ALL {
        let lines = message.lines().filter(|line| line.name == name);
        assert_eq!(message.all(name).count(), lines.count());
        assert_eq!(
            message.first(name),
            message.lines().find(|line| line.name == name)
        );
        for (value, range) in message.values(name) {
            assert_eq!(&bytes[range], value);
            check_via(value);
            check_address(value);
        }
    }
    for via in message.vias().flatten() {
        assert!(via.range.end <= bytes.len());
    }
    assert_eq!(
        message.top_via().ok(),
        message.vias().next().and_then(Result::ok)
    );
    let _ = (
        message.call_id(),
        message.cseq(),
        message.from_tag(),
        message.to_tag(),
    );
    let _ = (
        message.max_forwards(),
        message.content_length(),
        message.record_routes().count(),
    );
}

/// Does with a message what a proxy does, and looks at what comes out.
fn check_work(message: Message<'_>) {
    let source = SocketAddr::from(([192, 0, 2, 1], 6060));
    let (mut out, mut index) = (Vec::new(), HeaderIndex::new());
    build::reply(message, source, 400, "No", b"t", b"X: y\r\n", &mut out);
    let reply = scan(&out, &mut index).expect("a reply");
    assert_eq!(reply.reply_code(), Some(400));
    out.clear();
    build::cancel(message, &mut out);
    build::ack(message, message, &mut out);

    let mut edits = Edits::new();
    edits.insert(message.headers_start(), b"Via: SIP/2.0/UDP top\r\n");
    if let Ok(via) = message.top_via() {
        Amend::for_source(&via, source).apply(&via, message, &mut edits);
    }
    remove_first_value(&mut edits, message, Name::Route);
    message.complete(&mut edits);
    out.clear();
    edits.write(message.bytes(), &mut out);
    if message.fault().is_some() {
        return;
    }
    // What was without fault is so after the usual changes.
    let edited = scan(&out, &mut index).expect("a message");
    assert_eq!(edited.fault(), None);
    assert_eq!(edited.body(), message.body());
    assert_eq!(edited.vias().count(), message.vias().count() + 1);
    assert_eq!(
        edited.routes().count(),
        message.routes().count().saturating_sub(1)
    );
    let second = edited
        .vias()
        .nth(1)
        .and_then(Result::ok)
        .expect("the former top");
    assert!(second.reply_address().is_none_or(|address| {
        address.ip() == source.ip() || address.ip() == message_ip(message)
    }));
}

/// The address of sent-by in the topmost Via; the unspecified one for a name.
fn message_ip(message: Message<'_>) -> std::net::IpAddr {
    let ip = message.top_via().ok().and_then(|via| via.sent_by_ip());
    ip.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into())
}

fn check(bytes: &[u8]) {
    let mut index = HeaderIndex::new();
    if let Ok(message) = scan(bytes, &mut index) {
        check_message(message, bytes);
        check_work(message);
        let _ = message.fault().map(|fault| (fault.code(), fault.reason()));
    }
    let _ = is_keepalive(bytes);
}

/// One change to a text: at, bytes taken away, text put there.
type Change = (usize, usize, String);

/// What the changes mean, byte by byte.
fn naive(original: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::new();
    for place in 0..=original.len() {
        let is_inside = |&(at, length, _): &Change| at < place && place < at + length;
        if !changes.iter().any(is_inside) {
            for (_, _, text) in changes.iter().filter(|&&(at, ..)| at == place) {
                out.extend_from_slice(text.as_bytes());
            }
        }
        let gone = |&(at, length, _): &Change| at <= place && place < at + length;
        if let Some(&byte) = original.get(place)
            && !changes.iter().any(gone)
        {
            out.push(byte);
        }
    }
    out
}

/// Changes of which no two take the same byte away.
fn disjoint(changes: Vec<Change>, length: usize) -> Vec<Change> {
    let mut gone = vec![false; length];
    let mut kept = Vec::new();
    for (at, taken, text) in changes {
        let at = at.min(length);
        let end = (at + taken).min(length);
        if gone[at..end].iter().any(|&gone| gone) {
            continue;
        }
        gone[at..end].fill(true);
        kept.push((at, end - at, text));
    }
    kept
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn arbitrary_pieces_never_panic(rest in pieces(60)) {
        check(&rest);
        check(&[b"INVITE sip:a@b SIP/2.0\r\n", &rest[..]].concat());
        check(&[b"SIP/2.0 200 OK\r\nVia: ", &rest[..]].concat());
    }

    #[test]
    fn mutated_messages_never_panic(bytes in mutated()) {
        check(&bytes);
    }

    #[test]
    fn values_never_panic_and_stay_inside(text in text()) {
        check_uri(&text);
        check_via(&text);
        check_address(&text);
        check_uri(&[b"sip:", &text[..]].concat());
        check_via(&[b"SIP/2.0/UDP ", &text[..]].concat());
        check_via(&[b"SIP/2.0/UDP h;", &text[..]].concat());
        let _ = (CSeq::parse(&text), Name::parse(&text));
        for param in Params::new(&text) {
            prop_assert_eq!(&text[param.name_range], param.name);
            prop_assert!(param.value.is_none_or(|value| inside(&text, value)));
            prop_assert!(param.end <= text.len());
        }
    }

    #[test]
    fn edits_do_what_the_naive_model_does(
        original in "[a-z]{0,40}",
        changes in prop::collection::vec((0..45_usize, 0..10_usize, "[A-Z]{0,3}"), 0..12),
    ) {
        let changes = disjoint(changes, original.len());
        let mut edits = Edits::new();
        for (at, taken, text) in &changes {
            edits.replace(*at..at + taken, text.as_bytes());
        }
        let mut out = Vec::new();
        edits.write(original.as_bytes(), &mut out);
        prop_assert_eq!(out, naive(original.as_bytes(), &changes));
    }
}
