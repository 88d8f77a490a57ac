//! Variables of our own sockets, of flags, and of the way that a message takes.

use std::io::Write as _;

use super::{Variable, rr, text_value, variable, writable};
use crate::proxy::act::Act;
use crate::proxy::draft::NextHop;
use crate::proxy::settings::SocketId;
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;

pub(super) const VARIABLES: &[Variable] = &[
    writable("fs", send_socket, set_send_socket),
    writable("fsn", send_socket_name, set_send_socket),
    variable("Rn", socket_name),
    variable("Ru", socket_uri),
    variable("Rut", socket_uri),
    variable("RAi", advertised_host),
    variable("RAp", advertised_port),
    variable("RAu", advertised_uri),
    variable("rdir", direction),
    variable("branch", branch_field),
    variable("ds", branch_uris),
    writable("mf", flags, |act, _, value, machine| {
        act.draft.flags = machine.to_number(value) as u32;
        true
    }),
    writable(
        "mF",
        |act, _, _, machine| hex(act.draft.flags, machine),
        |act, _, value, machine| {
            act.draft.flags = machine.to_number(value) as u32;
            true
        },
    ),
    writable("bf", branch_flags, |act, _, value, machine| {
        act.draft.branch_flags = machine.to_number(value) as u32;
        true
    }),
    writable(
        "bF",
        |act, _, _, machine| hex(act.draft.branch_flags, machine),
        |act, _, value, machine| {
            act.draft.branch_flags = machine.to_number(value) as u32;
            true
        },
    ),
];

fn socket_text(act: &Act<'_>, socket: SocketId, machine: &mut Machine) -> Value {
    let Some(address) = act.core.locals.address(socket) else {
        return Value::Null;
    };
    Value::Text(machine.push_text(|out| {
        // Writing to a vector cannot fail.
        write!(out, "udp:{address}").ok();
    }))
}

fn send_socket(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match act.draft.socket {
        Some(socket) => socket_text(act, socket, machine),
        None => Value::Null,
    }
}

fn set_send_socket(act: &mut Act<'_>, _: Inner, value: Value, machine: &mut Machine) -> bool {
    let Value::Text(text) = value else {
        act.draft.socket = None;
        return value.is_null();
    };
    let socket = act.core.locals.find(machine.bytes(text));
    act.draft.socket = socket.or(act.draft.socket);
    socket.is_some()
}

fn send_socket_name(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let socket = act.draft.socket;
    name_of(act, socket, machine)
}

fn socket_name(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let socket = act.came_by();
    name_of(act, Some(socket), machine)
}

fn name_of(act: &Act<'_>, socket: Option<SocketId>, machine: &mut Machine) -> Value {
    let name = socket.and_then(|socket| act.core.locals.name(socket));
    name.map_or(Value::Null, |name| text_value(machine, name))
}

fn socket_uri(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let Some(address) = act.core.locals.address(act.came_by()) else {
        return Value::Null;
    };
    Value::Text(machine.push_text(|out| {
        // Writing to a vector cannot fail.
        write!(out, "sip:{address}").ok();
    }))
}

/// Host and port that our Via names.
fn advertised<'a>(act: &'a Act<'_>) -> (&'a [u8], &'a [u8]) {
    let text = act.core.locals.sent_by(act.came_by());
    let colon = text.iter().rposition(|&byte| byte == b':');
    let colon = colon.unwrap_or(text.len());
    (&text[..colon], text.get(colon + 1..).unwrap_or_default())
}

fn advertised_host(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    text_value(machine, advertised(act).0)
}

fn advertised_port(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let port = std::str::from_utf8(advertised(act).1).ok();
    port.and_then(|port| port.parse().ok())
        .map_or(Value::Null, Value::Number)
}

fn advertised_uri(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let text = act.core.locals.sent_by(act.came_by());
    Value::Text(machine.push_text(|out| {
        out.extend_from_slice(b"sip:");
        out.extend_from_slice(text);
    }))
}

/// By the place of the table's words: id, name.
fn direction(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let is_upstream = rr::goes_upstream(act);
    match inner {
        Inner::Word(0) => Value::Number(if is_upstream { 2 } else { 1 }),
        _ if is_upstream => text_value(machine, b"upstream"),
        _ => text_value(machine, b"downstream"),
    }
}

/// A field of a further branch, by the place of the table's words.
fn branch_field(act: &mut Act<'_>, inner: Inner, index: ListIndex, machine: &mut Machine) -> Value {
    let Inner::Word(word) = inner else {
        return Value::Null;
    };
    if word == 5 {
        return Value::Number(act.draft.further.len() as i64);
    }
    let place = match index {
        ListIndex::At(place) => usize::try_from(place).ok(),
        ListIndex::None | ListIndex::All => Some(0),
    };
    let Some(branch) = place.and_then(|place| act.draft.further.get(place)) else {
        return Value::Null;
    };
    match word {
        0 => text_value(machine, act.draft.uri_or_received(branch.uri, act.message)),
        1 => match &branch.next_hop {
            NextHop::RequestUri => Value::Null,
            NextHop::Uri(text) => text_value(machine, act.draft.text(*text)),
            NextHop::Destination(destination) => text_value(machine, destination.uri.as_bytes()),
        },
        4 => match branch.socket {
            Some(socket) => socket_text(act, socket, machine),
            None => Value::Null,
        },
        6 => Value::Number(i64::from(branch.flags)),
        _ => Value::Null,
    }
}

/// The URIs of all branches, with commas.
fn branch_uris(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let draft = &act.draft;
    let message = act.message;
    Value::Text(machine.push_text(|out| {
        let further = draft.further.iter().map(|branch| branch.uri);
        for (place, uri) in std::iter::once(draft.uri).chain(further).enumerate() {
            if place > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(draft.uri_or_received(uri, message));
        }
    }))
}

fn flags(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    Value::Number(i64::from(act.draft.flags))
}

fn branch_flags(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    Value::Number(i64::from(act.draft.branch_flags))
}

fn hex(number: u32, machine: &mut Machine) -> Value {
    Value::Text(machine.push_text(|out| {
        // Writing to a vector cannot fail.
        write!(out, "{number:08X}").ok();
    }))
}
