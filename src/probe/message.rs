//! The keepalive as it goes over the wire.

use std::io::Write as _;
use std::net::SocketAddr;

use super::settings::ProbeSettings;
use crate::dispatch::Destination;

/// What the branch of a keepalive begins with; 16 hexadecimal digits of its token follow.
const BRANCH_PREFIX: &str = "z9hG4bKp";

/// What differs between two keepalives to one destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Of the branch: what the answer is recognised by.
    pub(super) token: u64,
    /// Of the Call-ID.
    pub(super) call: u64,
    /// Of the From tag.
    pub(super) tag: u64,
}

/// Appends the Call-ID of this number.
pub(super) fn write_call_id(call: u64, out: &mut Vec<u8>) {
    put(out, format_args!("keepalive-{call:016x}"));
}

/// Appends the keepalive for `destination`, sent from `listener`. Header order and the sequence
/// number 10 are the peers'.
pub(super) fn write(
    settings: &ProbeSettings,
    destination: &Destination,
    listener: SocketAddr,
    marks: Marks,
    out: &mut Vec<u8>,
) {
    let uri = &destination.uri;
    let method = &settings.method;
    let own_from = destination.attributes.ping_from.as_deref();
    let from = own_from.unwrap_or(&settings.from);
    let Marks { token, call, tag } = marks;
    put(out, format_args!("{method} {uri} SIP/2.0\r\n"));
    put(
        out,
        format_args!("Via: SIP/2.0/UDP {listener};rport;branch={BRANCH_PREFIX}{token:016x}\r\n"),
    );
    put(out, format_args!("To: <{uri}>\r\n"));
    if from.contains('<') {
        put(out, format_args!("From: {from};tag={tag:016x}\r\n"));
    } else {
        put(out, format_args!("From: <{from}>;tag={tag:016x}\r\n"));
    }
    put(out, format_args!("CSeq: 10 {method}\r\nCall-ID: "));
    write_call_id(call, out);
    put(
        out,
        format_args!("\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n"),
    );
    if !settings.user_agent.is_empty() {
        put(out, format_args!("User-Agent: {}\r\n", settings.user_agent));
    }
    put(out, format_args!("\r\n"));
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to memory does not fail");
}
