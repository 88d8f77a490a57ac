//! The typed parser `rsip` as an oracle: what it accepts of well-formed messages, we read alike.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rsip::message::HeadersExt as _;
use rsip::prelude::{ToTypedHeader as _, UntypedHeader as _};

use crate::sip::{HeaderIndex, Message, Uri, scan};

/// The parts that a message is made of.
#[derive(Clone, Debug)]
struct Parts {
    reply: bool,
    method: &'static str,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    display: &'static str,
    from_tag: String,
    to_tag: Option<String>,
    branch: String,
    via_params: &'static str,
    call_id: String,
    cseq: u32,
    body: String,
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9]{0,8}(\\.[a-z][a-z0-9]{1,6}){1,2}",
        any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
    ]
}

fn parts() -> impl Strategy<Value = Parts> {
    let methods = [
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "INFO",
    ];
    let displays = ["", "Alice ", "\"Alice A\" ", "\"B, \\\"b\\\"\" "];
    let via_params = ["", ";rport", ";received=192.0.2.7", ";ttl=1", ";x=y"];
    let names = (
        // The oracle takes a user with punctuation for a part of the host.
        prop::option::of("[a-z0-9]{1,10}"),
        host(),
        prop::option::of(1..=u16::MAX),
        "[a-zA-Z0-9]{1,12}",
        prop::option::of("[a-zA-Z0-9]{1,12}"),
        "z9hG4bK[a-zA-Z0-9.-]{1,16}",
        "[a-zA-Z0-9.-]{1,20}(@[a-z0-9.]{1,10})?",
    );
    let rest = (
        any::<bool>(),
        prop::sample::select(methods.to_vec()),
        prop::sample::select(displays.to_vec()),
        prop::sample::select(via_params.to_vec()),
        0..=i32::MAX as u32,
        "[ -~]{0,30}",
    );
    (names, rest).prop_map(|(names, rest)| {
        let (user, host, port, from_tag, to_tag, branch, call_id) = names;
        let (reply, method, display, via_params, cseq, body) = rest;
        Parts {
            reply,
            method,
            user,
            host,
            port,
            display,
            from_tag,
            to_tag,
            branch,
            via_params,
            call_id,
            cseq,
            body,
        }
    })
}

fn write(parts: &Parts) -> String {
    let user = parts
        .user
        .as_ref()
        .map_or(String::new(), |user| format!("{user}@"));
    let port = parts.port.map_or(String::new(), |port| format!(":{port}"));
    let to_tag = parts
        .to_tag
        .as_ref()
        .map_or(String::new(), |tag| format!(";tag={tag}"));
    let uri = format!("sip:{user}{}{port}", parts.host);
    let start = if parts.reply {
        "SIP/2.0 200 OK".to_owned()
    } else {
        format!("{} {uri} SIP/2.0", parts.method)
    };
    let Parts {
        method,
        display,
        from_tag,
        branch,
        via_params,
        call_id,
        cseq,
        body,
        ..
    } = parts;
    format!(
        "{start}\r\n\
         Via: SIP/2.0/UDP {host}{port};branch={branch}{via_params}\r\n\
         Max-Forwards: 70\r\n\
         From: {display}<{uri}>;tag={from_tag}\r\n\
         To: <{uri}>{to_tag}\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\n\
         Content-Length: {length}\r\n\
         \r\n\
         {body}",
        host = parts.host,
        length = body.len(),
    )
}

/// What both parsers are asked for.
#[derive(Debug, PartialEq)]
struct Read {
    method: Option<String>,
    code: Option<u16>,
    uri: Option<(String, Option<u16>)>,
    call_id: String,
    cseq: (u32, String),
    from_tag: Option<String>,
    to_tag: Option<String>,
    branch: Option<String>,
    via_host: String,
    via_port: Option<u16>,
    body: Vec<u8>,
}

fn ours(message: Message<'_>) -> Read {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let cseq = message.cseq().expect("a CSeq");
    let via = message.top_via().expect("a Via");
    let uri = message
        .request_uri()
        .map(|uri| Uri::parse(uri).expect("a URI"));
    Read {
        method: message.method().map(|method| method.as_str().to_owned()),
        code: message.reply_code(),
        uri: uri.map(|uri| (text(uri.host), uri.port)),
        call_id: text(message.call_id().expect("a Call-ID")),
        cseq: (cseq.number, text(cseq.token)),
        from_tag: message.from_tag().map(text),
        to_tag: message.to_tag().map(text),
        branch: via.branch.map(text),
        via_host: text(via.host),
        via_port: via.port,
        body: message.body().to_vec(),
    }
}

/// What the oracle reads; `None` if it accepts not all of it.
fn theirs(bytes: &[u8]) -> Option<Read> {
    let message = rsip::SipMessage::try_from(bytes).ok()?;
    let (method, code, uri) = match &message {
        rsip::SipMessage::Request(request) => {
            let host_port = &request.uri.host_with_port;
            let port = host_port.port.as_ref().map(|port| *port.value());
            let uri = (host_port.host.to_string(), port);
            (Some(request.method.to_string()), None, Some(uri))
        }
        rsip::SipMessage::Response(response) => (None, Some(response.status_code.code()), None),
    };
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let via = message.via_header().ok()?.typed().ok()?;
    let sent_by = &via.uri.host_with_port;
    Some(Read {
        method,
        code,
        uri,
        call_id: message.call_id_header().ok()?.value().to_owned(),
        cseq: (cseq.seq, cseq.method.to_string()),
        from_tag: message
            .from_header()
            .ok()?
            .typed()
            .ok()?
            .tag()
            .map(ToString::to_string),
        to_tag: message
            .to_header()
            .ok()?
            .typed()
            .ok()?
            .tag()
            .map(ToString::to_string),
        branch: via.branch().map(ToString::to_string),
        via_host: sent_by.host.to_string(),
        via_port: sent_by.port.as_ref().map(|port| *port.value()),
        body: message.body().clone(),
    })
}

#[test]
fn what_rsip_accepts_is_read_alike() {
    let (accepted, all) = (Cell::new(0), Cell::new(0));
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&parts(), |parts| {
        let text = write(&parts);
        let mut index = HeaderIndex::new();
        let message = scan(text.as_bytes(), &mut index).expect("a message");
        prop_assert_eq!(message.fault(), None);
        all.set(all.get() + 1);
        if let Some(theirs) = theirs(text.as_bytes()) {
            accepted.set(accepted.get() + 1);
            prop_assert_eq!(ours(message), theirs);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (accepted, all): (u32, u32) = (accepted.get(), all.get());
    assert!(
        accepted * 2 > all,
        "the oracle accepted {accepted} of {all} only"
    );
}
