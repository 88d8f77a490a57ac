//! Variables of the two ends of a message's last hop: `$si`, `$Ri`, and the socket that it leaves by.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::optional;
use crate::proxy::act::Act;
use crate::proxy::script::{Variable, text_value, variable, writable};
use crate::proxy::settings::SocketId;
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::{Value, number_of};

pub(in crate::proxy::script) const VARIABLES: &[Variable] = &[
    variable("si", |act, _, _, machine| {
        of(act.source(), machine, |machine, source| {
            address(source.ip(), machine)
        })
    }),
    variable("siz", |act, _, _, machine| {
        of(act.source(), machine, |machine, source| {
            bracketed(source.ip(), machine)
        })
    }),
    variable("sp", |act, _, _, machine| of(act.source(), machine, port)),
    variable("sas", |act, _, _, machine| {
        of(act.source(), machine, socket)
    }),
    variable("su", |act, _, _, machine| of(act.source(), machine, uri)),
    variable("sut", |act, _, _, machine| {
        of(act.source(), machine, uri_with_transport)
    }),
    variable("Ri", |act, _, _, machine| {
        of(own(act), machine, |machine, own| address(own.ip(), machine))
    }),
    variable("Rp", |act, _, _, machine| of(own(act), machine, port)),
    variable("Ru", |act, _, _, machine| of(own(act), machine, uri)),
    variable("Rut", |act, _, _, machine| {
        of(own(act), machine, uri_with_transport)
    }),
    variable("RAi", |act, _, _, machine| {
        let (host, _) = advertised(act);
        text_value(machine, host)
    }),
    variable("RAp", |act, _, _, _| {
        let (_, port) = advertised(act);
        number_of(port).map_or(Value::Null, Value::Number)
    }),
    variable("RAu", |act, _, _, machine| {
        let named = act.core.locals.sent_by(act.came_by());
        Value::Text(machine.push_text(|out| {
            out.extend_from_slice(b"sip:");
            out.extend_from_slice(named);
        }))
    }),
    variable("Rn", |act, _, _, machine| {
        optional(machine, act.core.locals.name(act.came_by()))
    }),
    variable("proto", |_, _, _, machine| text_value(machine, b"udp")),
    variable("pr", |_, _, _, machine| text_value(machine, b"udp")),
    variable("prid", |_, _, _, _| Value::Number(1)),
    variable("af", family),
    writable(
        "fs",
        |act, _, _, machine| {
            let address = act
                .draft
                .socket
                .and_then(|own| act.core.locals.address(own));
            of(address, machine, socket)
        },
        set_socket,
    ),
    writable(
        "fsn",
        |act, _, _, machine| {
            let name = act.draft.socket.and_then(|own| act.core.locals.name(own));
            optional(machine, name)
        },
        set_socket,
    ),
];

fn of(
    address: Option<SocketAddr>,
    machine: &mut Machine,
    part: fn(&mut Machine, SocketAddr) -> Value,
) -> Value {
    address.map_or(Value::Null, |address| part(machine, address))
}

fn own(act: &Act<'_>) -> Option<SocketAddr> {
    act.core.locals.address(act.came_by())
}

/// What our Via says, cut at its port.
fn advertised<'a>(act: &'a Act<'_>) -> (&'a [u8], &'a [u8]) {
    let named = act.core.locals.sent_by(act.came_by());
    match memchr::memrchr(b':', named) {
        Some(colon) => (&named[..colon], &named[colon + 1..]),
        None => (named, b""),
    }
}

/// An address as a text, IPv6 without brackets.
fn address(address: IpAddr, machine: &mut Machine) -> Value {
    written(machine, |out| {
        write!(out, "{address}").ok();
    })
}

fn bracketed(address: IpAddr, machine: &mut Machine) -> Value {
    written(machine, |out| {
        match address {
            IpAddr::V4(address) => write!(out, "{address}").ok(),
            IpAddr::V6(address) => write!(out, "[{address}]").ok(),
        };
    })
}

fn port(_: &mut Machine, address: SocketAddr) -> Value {
    Value::Number(i64::from(address.port()))
}

fn socket(machine: &mut Machine, address: SocketAddr) -> Value {
    written(machine, |out| {
        write!(out, "udp:{address}").ok();
    })
}

fn uri(machine: &mut Machine, address: SocketAddr) -> Value {
    written(machine, |out| {
        write!(out, "sip:{address}").ok();
    })
}

fn uri_with_transport(machine: &mut Machine, address: SocketAddr) -> Value {
    written(machine, |out| {
        write!(out, "sip:{address};transport=udp").ok();
    })
}

/// Writing to a vector cannot fail, so `write` has no result.
fn written(machine: &mut Machine, write: impl FnOnce(&mut Vec<u8>)) -> Value {
    Value::Text(machine.push_text(write))
}

/// By the place of the table's words: Linux's number of the family, or its name.
fn family(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let is_ipv4 = act.source().is_none_or(|source| source.is_ipv4());
    match inner {
        Inner::Word(0) => Value::Number(if is_ipv4 { 2 } else { 10 }),
        Inner::Word(_) => text_value(machine, if is_ipv4 { b"IPv4" } else { b"IPv6" }),
        _ => Value::Null,
    }
}

/// By its name, or as `udp:10.0.0.1:5060`.
fn set_socket(
    act: &mut Act<'_>,
    _: Inner,
    _: ListIndex,
    value: Value,
    machine: &mut Machine,
) -> bool {
    let named: Option<SocketId> = match value {
        Value::Text(text) => act.core.locals.find(machine.bytes(text)),
        _ => None,
    };
    if named.is_none() && !value.is_null() {
        return false;
    }
    act.draft.socket = named;
    true
}
