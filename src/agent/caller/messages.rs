//! The requests of a caller as templates, and how its branches, Call-IDs and tags are made.
//!
//! Branch: `z9hG4bK-<mark>-<leg>-<CSeq number><kind>`, Call-ID: `<mark>-<call>@<address>`, tag: a
//! scrambled call. So a reply names its call, its transaction and nobody else's.

use std::net::SocketAddr;

use crate::agent::template::{Field, Part, Template, Values};
use crate::agent::token::Tokens;

/// What every branch of a caller begins with; its mark follows.
pub(super) const BRANCH_PREFIX: &[u8] = b"z9hG4bK-";

/// The templates of one local address.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    /// INVITE and re-INVITE.
    pub invite: Template,
    /// ACK to a 2xx: a transaction of its own (RFC 3261 section 13.2.2.4).
    pub ack: Template,
    /// ACK to any other final answer: the branch of its INVITE (17.1.1.3).
    pub ack_refusal: Template,
    /// CANCEL: the branch of its INVITE (9.1).
    pub cancel: Template,
    /// BYE.
    pub bye: Template,
}

impl Messages {
    /// Prepares the requests that leave by `local`; with `rport` (RFC 3581) they ask for answers to where they
    /// came from.
    pub fn new(local: SocketAddr, tokens: &Tokens, rport: bool) -> Self {
        let sent_by = format!("{local}{}", if rport { ";rport" } else { "" });
        let make = |method, kind, body| request(method, kind, (local, &sent_by), tokens, body);
        Self {
            invite: make("INVITE", "i", Some(session(local))),
            ack: make("ACK", "a", None),
            ack_refusal: make("ACK", "i", None),
            cancel: make("CANCEL", "i", None),
            bye: make("BYE", "b", None),
        }
    }
}

fn request(
    method: &str,
    kind: &str,
    (local, sent_by): (SocketAddr, &str),
    tokens: &Tokens,
    body: Option<String>,
) -> Template {
    let mark = std::str::from_utf8(tokens.mark()).expect("hex digits are ASCII");
    let via = format!(" SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch=z9hG4bK-{mark}-");
    let from = format!("Max-Forwards: 70\r\nFrom: \"sipload\" <sip:sipload@{local}>;tag=");
    let call_id = format!("\r\nCall-ID: {mark}-");
    let cseq = format!("@{}\r\nCSeq: ", local.ip());
    let request_line = format!("{method} ");
    let kind = format!("{kind}\r\n");
    let tail = match body {
        Some(body) => format!(
            " {method}\r\nContact: <sip:sipload@{local}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        None => format!(" {method}\r\nContent-Length: 0\r\n\r\n"),
    };
    Template::new(&[
        Part::Text(&request_line),
        Part::Field(Field::Uri),
        Part::Text(&via),
        Part::Field(Field::Leg),
        Part::Text("-"),
        Part::Field(Field::Cseq),
        Part::Text(&kind),
        Part::Field(Field::Routes),
        Part::Text(&from),
        Part::Field(Field::Tag),
        Part::Text("\r\nTo: "),
        Part::Field(Field::To),
        Part::Text(&call_id),
        Part::Field(Field::Call),
        Part::Text(&cseq),
        Part::Field(Field::Cseq),
        Part::Text(&tail),
    ])
}

/// A session description with one voice stream, as every agent here offers and answers it (RFC 4566).
pub(in crate::agent) fn session(local: SocketAddr) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let ip = local.ip();
    format!(
        "v=0\r\no=sipload 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
}

/// What a branch of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub leg: u64,
    pub cseq: u32,
}

/// Reads a branch that one of our templates wrote.
pub(super) fn read_branch(branch: &[u8], tokens: &Tokens) -> Option<Branch> {
    let (leg, rest) = tokens.read(branch, BRANCH_PREFIX)?;
    let digits = rest.strip_prefix(b"-")?;
    let (_kind, digits) = digits.split_last()?;
    let cseq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Branch { leg, cseq })
}

/// The fields of a request of one leg.
pub(super) fn values<'a>(
    call: u64,
    leg: u64,
    cseq: u32,
    target: (&'a [u8], &'a [u8], &'a [u8]),
) -> Values<'a> {
    let (uri, routes, to) = target;
    Values {
        call,
        leg,
        tag: tag_of(call),
        cseq,
        uri,
        routes,
        to,
    }
}

/// The number in our tag of a call.
pub(super) fn tag_of(call: u64) -> u64 {
    call.rotate_left(32)
}
