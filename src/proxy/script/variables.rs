//! Variables of the message as a whole, its R-URI and its next hop.
//!
//! Owns: these, and in its files those of addresses, branches, credentials, header lines, and the two
//! parties of a call.

mod addresses;
mod branches;
mod credentials;
mod headers;
mod parties;

use super::core_functions::{Part, set_part};
use super::{Variable, text_value, variable, writable};
use crate::proxy::act::Act;
use crate::proxy::draft::NextHop;
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::{Scheme, StartLine, Uri};

pub(super) use self::addresses::VARIABLES as ADDRESSES;
pub(super) use self::branches::VARIABLES as BRANCHES;
pub(super) use self::credentials::{VARIABLES as CREDENTIALS, username};
pub(super) use self::headers::{VARIABLES as HEADERS, given_lines, prepare, same_name};
pub(super) use self::parties::VARIABLES as PARTIES;

pub(super) const VARIABLES: &[Variable] = &[
    writable("ru", request_uri, |act, _, _, value, machine| {
        set(act, Part::Whole, value, machine)
    }),
    writable(
        "rU",
        |act, _, _, machine| request_part(act, user, machine),
        |act, _, _, value, machine| set(act, Part::User, value, machine),
    ),
    writable(
        "rd",
        |act, _, _, machine| request_part(act, host, machine),
        |act, _, _, value, machine| set(act, Part::Host, value, machine),
    ),
    writable(
        "rp",
        |act, _, _, _| act.request.map_or(Value::Null, |_| port(act.request_uri())),
        |act, _, _, value, machine| set(act, Part::Port, value, machine),
    ),
    variable("rP", |act, _, _, machine| {
        request_part(act, transport, machine)
    }),
    variable("rz", |act, _, _, machine| {
        request_part(act, scheme, machine)
    }),
    variable("ou", |act, _, _, machine| {
        received_part(act, |uri| Some(uri), machine)
    }),
    variable("oU", |act, _, _, machine| received_part(act, user, machine)),
    variable("od", |act, _, _, machine| received_part(act, host, machine)),
    variable("op", |act, _, _, _| {
        act.message.request_uri().map_or(Value::Null, port)
    }),
    variable("oP", |act, _, _, machine| {
        received_part(act, transport, machine)
    }),
    writable("du", next_hop, set_next_hop),
    variable("dd", |act, _, _, machine| next_part(act, host, machine)),
    variable("dp", |act, _, _, _| next_uri(act).map_or(Value::Null, port)),
    variable("dP", |act, _, _, machine| {
        next_part(act, transport, machine)
    }),
    variable("rm", method),
    variable("rv", |_, _, _, machine| text_value(machine, b"SIP/2.0")),
    variable("rs", reply_code),
    variable("rr", reply_reason),
    variable("mb", |act, _, _, machine| {
        text_value(machine, act.message.bytes())
    }),
    variable("ml", |act, _, _, _| size(act.message.bytes())),
    variable("mi", number_of_message),
    variable("mt", |act, _, _, _| {
        Value::Number(if is_reply(act) { 2 } else { 1 })
    }),
    variable("mts", |act, _, _, machine| {
        text_value(machine, if is_reply(act) { b"rp" } else { b"rq" })
    }),
    variable("rb", |act, _, _, machine| {
        text_value(machine, act.message.body())
    }),
    variable("bs", |act, _, _, _| size(act.message.body())),
    variable("Tb", |act, _, _, _| {
        Value::Number(act.core.settings.unix_origin.as_secs() as i64)
    }),
    variable("rdir", direction),
    variable("route_uri", first_route),
];

/// A part of a URI; `None` if it has none.
type UriPart = fn(&[u8]) -> Option<&[u8]>;

fn user(uri: &[u8]) -> Option<&[u8]> {
    Uri::parse(uri).ok()?.name().filter(|user| !user.is_empty())
}

fn host(uri: &[u8]) -> Option<&[u8]> {
    Some(Uri::parse(uri).ok()?.domain()).filter(|host| !host.is_empty())
}

/// As it stands; what it is by default is written in capitals.
fn transport(uri: &[u8]) -> Option<&[u8]> {
    let uri = Uri::parse(uri).ok()?;
    Some(uri.param(b"transport").flatten().unwrap_or(b"UDP"))
}

fn scheme(uri: &[u8]) -> Option<&[u8]> {
    let uri = Uri::parse(uri).ok()?;
    Some(match uri.scheme {
        _ if uri.is_phone() => b"tel",
        Scheme::Sip => b"sip",
        Scheme::Sips => b"sips",
        Scheme::Tel => b"tel",
        Scheme::Other => uri.scheme_text,
    })
}

/// The port, or the one that is meant by none.
fn port(uri: &[u8]) -> Value {
    match Uri::parse(uri) {
        Ok(uri) => Value::Number(i64::from(uri.port.unwrap_or(5060))),
        Err(_) => Value::Null,
    }
}

fn size(bytes: &[u8]) -> Value {
    Value::Number(bytes.len() as i64)
}

fn optional(machine: &mut Machine, text: Option<&[u8]>) -> Value {
    text.map_or(Value::Null, |text| text_value(machine, text))
}

fn request_uri(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    if act.request.is_none() {
        return Value::Null;
    }
    text_value(machine, act.request_uri())
}

fn request_part(act: &Act<'_>, part: UriPart, machine: &mut Machine) -> Value {
    let part = act.request.and_then(|_| part(act.request_uri()));
    optional(machine, part)
}

fn received_part(act: &Act<'_>, part: UriPart, machine: &mut Machine) -> Value {
    optional(machine, act.message.request_uri().and_then(part))
}

fn set(act: &mut Act<'_>, part: Part, value: Value, machine: &mut Machine) -> bool {
    if value.is_null() && !matches!(part, Part::User | Part::Port) {
        return false;
    }
    let text = machine.to_text(value);
    set_part(act, part, machine.bytes(text))
}

/// The URI of the next hop, if the request does not go by its R-URI.
fn next_uri<'a>(act: &'a Act<'_>) -> Option<&'a [u8]> {
    match &act.draft.next_hop {
        NextHop::RequestUri => None,
        NextHop::Uri(text) => Some(act.draft.text(*text)),
        NextHop::Destination(destination) => Some(destination.uri.as_bytes()),
    }
}

fn next_hop(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    optional(machine, next_uri(act))
}

fn next_part(act: &Act<'_>, part: UriPart, machine: &mut Machine) -> Value {
    optional(machine, next_uri(act).and_then(part))
}

fn set_next_hop(
    act: &mut Act<'_>,
    _: Inner,
    _: ListIndex,
    value: Value,
    machine: &mut Machine,
) -> bool {
    let Value::Text(text) = value else {
        act.draft.next_hop = NextHop::RequestUri;
        return value.is_null();
    };
    let uri = machine.bytes(text);
    if Uri::parse(uri).is_err() {
        return false;
    }
    act.draft.set_next_hop(uri);
    true
}

fn is_reply(act: &Act<'_>) -> bool {
    act.message.reply_code().is_some()
}

fn method(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let token = match act.message.start() {
        StartLine::Request { token, .. } => Some(token),
        StartLine::Reply { .. } => act.message.cseq().ok().map(|cseq| cseq.token),
    };
    optional(machine, token)
}

fn reply_code(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let code = act.message.reply_code();
    code.map_or(Value::Null, |code| Value::Number(i64::from(code)))
}

fn reply_reason(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match act.message.start() {
        StartLine::Reply { reason, .. } => text_value(machine, reason),
        StartLine::Request { .. } => Value::Null,
    }
}

/// Each shard counts its own messages.
fn number_of_message(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let counters = &act.core.stats.counters;
    Value::Number((counters.requests + counters.replies) as i64)
}

/// By the place of the table's words: its number, or its name.
fn direction(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let is_upstream = super::rr::goes_upstream(act);
    match inner {
        Inner::Word(0) => Value::Number(if is_upstream { 2 } else { 1 }),
        Inner::Word(_) if is_upstream => text_value(machine, b"upstream"),
        Inner::Word(_) => text_value(machine, b"downstream"),
        _ => Value::Null,
    }
}

fn first_route(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let first = act.message.routes().next();
    let uri = first.and_then(Result::ok).map(|route| route.uri);
    optional(machine, uri)
}
