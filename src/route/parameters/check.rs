//! Which texts are good values.

use std::net::SocketAddr;

use crate::dispatch::target::Target;
use crate::listener::Listener;
use crate::probe::ReplyCodes;
use crate::sip::Uri;

/// Any text but none.
pub(super) fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it must not be empty".to_owned());
    }
    Ok(())
}

/// A token (RFC 3261 section 25.1), as methods are.
pub(super) fn token(text: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_token) {
        return Err(format!("\"{text}\" is not a method"));
    }
    // The first needs a session, the others one that stands: neither is a question after health.
    if ["INVITE", "ACK", "CANCEL", "BYE"].contains(&text) {
        return Err(format!("{text} cannot be a keepalive; OPTIONS is usual"));
    }
    Ok(())
}

/// A URI that may stand in a header between angle brackets.
pub(super) fn uri(text: &str) -> Result<(), String> {
    Uri::parse(text.as_bytes())
        .map(|_| ())
        .map_err(|error| format!("\"{text}\" is not a URI: {error}"))
}

/// `class=N` and `code=NNN`.
pub(super) fn reply_codes(text: &str) -> Result<(), String> {
    ReplyCodes::parse(text)
        .map(|_| ())
        .map_err(|error| format!("\"{text}\", at byte {}: {}", error.offset, error.message))
}

/// Final answers that are failures.
pub(super) fn failover_codes(text: &str) -> Result<(), String> {
    codes(text).map(|_| ())
}

/// The numbers of a list of failures: `500,503,408`.
pub(super) fn codes(text: &str) -> Result<Vec<u16>, String> {
    text.split([',', ';', ' '])
        .filter(|code| !code.is_empty())
        .map(|code| match code.parse() {
            Ok(number @ 300..=699) => Ok(number),
            _ => Err(format!("\"{code}\" is not a code from 300 to 699")),
        })
        .collect()
}

/// Nothing, or a URI that can be sent to: where keepalives go.
pub(super) fn proxy(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    Target::parse(text)
        .map(|_| ())
        .map_err(|error| format!("\"{text}\": {error}"))
}

/// The address that a URI names.
pub(super) fn target(uri: &str) -> Option<SocketAddr> {
    Target::parse(uri).ok()?.address
}

/// Nothing, or a listen address.
pub(super) fn socket(text: &str) -> Result<(), String> {
    if text.is_empty() || Listener::parse_address(text).is_some() {
        return Ok(());
    }
    Err(format!("\"{text}\" is not udp:IP:PORT"))
}
