//! Variables of the message, its way here and its way on.

use std::io::Write as _;
use std::net::IpAddr;

use super::core_functions::{Part, set_part};
use super::{Variable, text_value, variable, writable};
use crate::proxy::act::Act;
use crate::proxy::draft::NextHop;
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::{StartLine, Uri};

pub(super) const VARIABLES: &[Variable] = &[
    writable("ru", request_uri, |act, _, value, machine| {
        set(act, Part::Whole, value, machine)
    }),
    writable("rU", request_user, |act, _, value, machine| {
        set(act, Part::User, value, machine)
    }),
    writable("rd", request_host, |act, _, value, machine| {
        set(act, Part::Host, value, machine)
    }),
    writable("rp", request_port, |act, _, value, machine| {
        set(act, Part::Port, value, machine)
    }),
    writable("du", next_hop, set_next_hop),
    variable("rm", method),
    variable("rs", reply_code),
    variable("rr", reply_reason),
    variable("si", source_address),
    variable("sp", source_port),
    variable("Ri", own_address),
    variable("Rp", own_port),
];

/// What a constant in a variable's parentheses is known by.
pub(super) fn prepare(variable: &str, inner: &[u8]) -> u32 {
    let _ = (variable, inner);
    0
}

fn request_uri(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    if act.request.is_none() {
        return Value::Null;
    }
    text_value(machine, act.request_uri())
}

fn request_user(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    part_of(act.request_uri(), machine, |uri| uri.user)
}

fn request_host(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    part_of(act.request_uri(), machine, |uri| Some(uri.host))
}

fn part_of<'a>(
    uri: &'a [u8],
    machine: &mut Machine,
    part: fn(Uri<'a>) -> Option<&'a [u8]>,
) -> Value {
    match Uri::parse(uri).ok().and_then(part) {
        Some(part) => text_value(machine, part),
        None => Value::Null,
    }
}

fn request_port(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    match Uri::parse(act.request_uri()) {
        Ok(uri) => Value::Number(i64::from(uri.port.unwrap_or(5060))),
        Err(_) => Value::Null,
    }
}

fn set(act: &mut Act<'_>, part: Part, value: Value, machine: &mut Machine) -> bool {
    if value.is_null() && !matches!(part, Part::User | Part::Port) {
        return false;
    }
    let text = machine.to_text(value);
    set_part(act, part, machine.bytes(text))
}

fn next_hop(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match &act.draft.next_hop {
        NextHop::RequestUri => Value::Null,
        NextHop::Uri(text) => text_value(machine, act.draft.text(*text)),
        NextHop::Destination(destination) => text_value(machine, destination.uri.as_bytes()),
    }
}

fn set_next_hop(act: &mut Act<'_>, _: Inner, value: Value, machine: &mut Machine) -> bool {
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

fn method(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let token = match act.message.start() {
        StartLine::Request { token, .. } => Some(token),
        StartLine::Reply { .. } => act.message.cseq().ok().map(|cseq| cseq.token),
    };
    token.map_or(Value::Null, |token| text_value(machine, token))
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

fn source_address(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    act.source()
        .map_or(Value::Null, |source| address(source.ip(), machine))
}

fn source_port(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    act.source().map_or(Value::Null, |source| {
        Value::Number(i64::from(source.port()))
    })
}

fn own_address(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let own = act.core.locals.address(act.came_by());
    own.map_or(Value::Null, |own| address(own.ip(), machine))
}

fn own_port(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let own = act.core.locals.address(act.came_by());
    own.map_or(Value::Null, |own| Value::Number(i64::from(own.port())))
}

/// An address as a text, IPv6 without brackets.
pub(super) fn address(address: IpAddr, machine: &mut Machine) -> Value {
    Value::Text(machine.push_text(|out| {
        // Writing to a vector cannot fail.
        write!(out, "{address}").ok();
    }))
}
