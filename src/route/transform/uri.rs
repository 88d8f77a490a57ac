//! `{uri....}`: parts of URIs.

use super::{Arguments, Change, Made, part_in};
use crate::sip::Uri;

/// The transformation of a name.
pub(super) fn change(name: &str) -> Option<Change> {
    Some(match name {
        "user" => Change::Part(|text, _| part(text, |uri| uri.name().unwrap_or_default())),
        "host" | "domain" => Change::Part(|text, _| part(text, |uri| uri.domain())),
        "port" => Change::Part(|text, _| part(text, |uri| uri.port_text)),
        "passwd" => Change::Part(|text, _| part(text, |uri| uri.password.unwrap_or_default())),
        "params" => Change::Part(|text, _| part(text, |uri| uri.params)),
        "headers" => Change::Part(|text, _| part(text, |uri| uri.headers)),
        "scheme" => Change::Part(|text, _| part(text, |uri| uri.scheme_text)),
        "param" => Change::Part(|text, given| parameter(text, given.texts[0])),
        "transport" => Change::Part(|text, _| parameter(text, b"transport")),
        "ttl" => Change::Part(|text, _| parameter(text, b"ttl")),
        "uparam" => Change::Part(|text, _| parameter(text, b"user")),
        "maddr" => Change::Part(|text, _| parameter(text, b"maddr")),
        "method" => Change::Part(|text, _| parameter(text, b"method")),
        "lr" => Change::Part(|text, _| parameter(text, b"lr")),
        "r2" => Change::Part(|text, _| parameter(text, b"r2")),
        "tosocket" => Change::Build(to_socket),
        "duri" => Change::Build(destination),
        "saor" => Change::Build(address_of_record),
        _ => return None,
    })
}

fn part(text: &[u8], choose: for<'a> fn(&Uri<'a>) -> &'a [u8]) -> Made {
    match Uri::parse(text) {
        Ok(uri) => part_in(text, choose(&uri)),
        Err(_) => Made::Null,
    }
}

fn parameter(text: &[u8], name: &[u8]) -> Made {
    match Uri::parse(text) {
        Ok(uri) => part_in(text, uri.param(name).flatten().unwrap_or_default()),
        Err(_) => Made::Null,
    }
}

/// `udp:host:port`
fn to_socket(text: &[u8], _: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    let Ok(uri) = Uri::parse(text) else {
        return false;
    };
    let port: &[u8] = match uri.port_text {
        b"" => b"5060",
        port => port,
    };
    let transport = uri.param(b"transport").flatten().unwrap_or(b"udp");
    out.extend(transport.iter().map(u8::to_ascii_lowercase));
    for part in [uri.host, port] {
        out.push(b':');
        out.extend_from_slice(part);
    }
    true
}

/// Scheme, host, port and transport.
fn destination(text: &[u8], _: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    let Ok(uri) = Uri::parse(text) else {
        return false;
    };
    out.extend_from_slice(uri.scheme_text);
    out.push(b':');
    out.extend_from_slice(uri.host);
    if !uri.port_text.is_empty() {
        out.push(b':');
        out.extend_from_slice(uri.port_text);
    }
    if let Some(Some(transport)) = uri.param(b"transport") {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(transport);
    }
    true
}

/// Scheme, user and host.
fn address_of_record(text: &[u8], _: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    let Ok(uri) = Uri::parse(text) else {
        return false;
    };
    out.extend_from_slice(uri.scheme_text);
    out.push(b':');
    if let Some(user) = uri.user {
        out.extend_from_slice(user);
        out.push(b'@');
    }
    out.extend_from_slice(uri.host);
    true
}
