//! Functions that are there without any module: relaying without state, flags, the R-URI.

use super::{Function, function, number, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Scheme, Uri};

pub(super) const FUNCTIONS: &[Function] = &[
    function("forward", forward),
    function("forward_udp", forward),
    function("setflag", |act, arguments, _| {
        flag(act, arguments, Some(true))
    }),
    function("resetflag", |act, arguments, _| {
        flag(act, arguments, Some(false))
    }),
    function("isflagset", |act, arguments, _| flag(act, arguments, None)),
    function("force_rport", force_rport),
    function("add_rport", force_rport),
    function("add_local_rport", |act, _, _| {
        act.draft.asks_rport = true;
        Outcome::TRUE
    }),
    function("set_advertised_address", set_advertised_address),
    function("set_advertised_port", set_advertised_port),
    function("force_send_socket", force_send_socket),
    function("rewritehost", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Host)
    }),
    function("sethost", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Host)
    }),
    function("rewritehostport", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::HostPort)
    }),
    function("sethostport", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::HostPort)
    }),
    function("rewriteport", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Port)
    }),
    function("setport", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Port)
    }),
    function("rewriteuser", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::User)
    }),
    function("setuser", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::User)
    }),
    function("rewriteuri", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Whole)
    }),
    function("seturi", |act, arguments, machine| {
        rewrite(act, arguments, machine, Part::Whole)
    }),
    function("revert_uri", revert_uri),
    function("strip", |act, arguments, machine| {
        strip(act, arguments, machine, true)
    }),
    function("strip_tail", |act, arguments, machine| {
        strip(act, arguments, machine, false)
    }),
    function("prefix", prefix),
    function("set_reply_no_connect", nothing),
    function("set_forward_no_connect", nothing),
    function("set_reply_close", nothing),
    function("set_forward_close", nothing),
];

/// There are no connections over UDP.
fn nothing(_: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    Outcome::TRUE
}

fn forward(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if let Some(host) = text(arguments, 0) {
        match machine.bytes(host) {
            b"uri:host" | b"uri:port" => {}
            host => {
                let port = number(arguments, 1).unwrap_or(0);
                act.draft.set_next_hop_to(host, port);
            }
        }
    }
    act.forward().is_ok().into()
}

fn flag(act: &mut Act<'_>, arguments: &[Argument], set: Option<bool>) -> Outcome {
    let Some(Argument::Flag(flag)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let bit = 1_u32 << (flag & 31);
    match set {
        Some(true) => act.draft.flags |= bit,
        Some(false) => act.draft.flags &= !bit,
        None => return (act.draft.flags & bit != 0).into(),
    }
    Outcome::TRUE
}

fn force_rport(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.force_rport();
    Outcome::TRUE
}

fn set_advertised_address(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let host = text(arguments, 0).map(|host| machine.bytes(host));
    let Some(host) = host.filter(|host| !host.is_empty() && is_sound(host)) else {
        return Outcome::FALSE;
    };
    act.draft.advertised_host = Some(act.draft.keep(host));
    Outcome::TRUE
}

fn set_advertised_port(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let port = number(arguments, 0).and_then(|port| u16::try_from(port).ok());
    act.draft.advertised_port = port.filter(|port| *port != 0);
    act.draft.advertised_port.is_some().into()
}

/// The socket that a text names: `udp:10.0.0.1:5060`, or its name.
fn force_send_socket(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let named = text(arguments, 0).map(|socket| machine.bytes(socket));
    let socket = named.and_then(|socket| act.core.locals.find(socket));
    act.draft.socket = socket.or(act.draft.socket);
    socket.is_some().into()
}

/// A part of the R-URI.
#[derive(Clone, Copy)]
pub(super) enum Part {
    User,
    Host,
    HostPort,
    Port,
    Whole,
}

fn rewrite(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    part: Part,
) -> Outcome {
    match text(arguments, 0) {
        Some(value) => set_part(act, part, machine.bytes(value)).into(),
        None => Outcome::FALSE,
    }
}

/// Replaces a part of the R-URI; false if the result could not be sent.
pub(super) fn set_part(act: &mut Act<'_>, part: Part, value: &[u8]) -> bool {
    if !act.draft.has_room() || !is_sound(value) {
        return false;
    }
    if let Part::Whole = part {
        return Uri::parse(value).is_ok() && act.draft.set_uri(value);
    }
    let mut out = std::mem::take(&mut act.core.bench.extra);
    out.clear();
    let uri = Uri::parse(act.request_uri()).ok();
    let is_written = match uri {
        Some(uri) if uri.scheme == Scheme::Tel => write_number_with(&uri, part, value, &mut out),
        Some(uri) if uri.scheme != Scheme::Other => {
            write_with(&uri, part, value, &mut out);
            true
        }
        _ => false,
    };
    if !is_written {
        act.core.bench.extra = out;
        return false;
    }
    let destination = act.draft.uri_destination.take();
    let is_set = act.draft.set_uri(&out);
    if matches!(part, Part::User) || !is_set {
        act.draft.uri_destination = destination;
    }
    act.core.bench.extra = out;
    is_set
}

/// Whether bytes may stand in a start line.
fn is_sound(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte > b' ' && byte != 127)
}

fn write_with(uri: &Uri<'_>, part: Part, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(uri.scheme_text);
    out.push(b':');
    let user = match part {
        Part::User => Some(value).filter(|user| !user.is_empty()),
        _ => uri.user,
    };
    if let Some(user) = user {
        out.extend_from_slice(user);
        if let (Part::User, Some(old), Some(number)) = (part, uri.user, uri.name()) {
            // The parameters of a telephone number stay.
            out.extend_from_slice(&old[number.len()..]);
        }
        if let Some(password) = uri.password {
            out.push(b':');
            out.extend_from_slice(password);
        }
        out.push(b'@');
    }
    let host = match part {
        Part::Host | Part::HostPort => value,
        _ => uri.host,
    };
    out.extend_from_slice(host);
    let port = match part {
        Part::Port => value,
        Part::HostPort => b"",
        _ => uri.port_text,
    };
    if !port.is_empty() {
        out.push(b':');
        out.extend_from_slice(port);
    }
    if !uri.params.is_empty() {
        out.push(b';');
        out.extend_from_slice(uri.params);
    }
    if !uri.headers.is_empty() {
        out.push(b'?');
        out.extend_from_slice(uri.headers);
    }
}

/// A part of a `tel` URI; with a host it becomes one of `sip`. False if it would have no number.
fn write_number_with(uri: &Uri<'_>, part: Part, value: &[u8], out: &mut Vec<u8>) -> bool {
    let mut write = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let (number, params) = (uri.user.unwrap_or_default(), uri.params);
    let semicolon: &[u8] = if params.is_empty() { b"" } else { b";" };
    match part {
        Part::User if value.is_empty() => return false,
        Part::User => write(&[b"tel:", value, semicolon, params]),
        Part::Host | Part::HostPort => {
            let user = [b"sip:", number, semicolon, params];
            write(&user);
            write(&[b"@", value, b";user=phone"]);
        }
        // It has no host that could have a port.
        Part::Port | Part::Whole => write(&[b"tel:", uri.rest]),
    }
    true
}

fn revert_uri(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.draft.uri = None;
    act.draft.uri_destination = None;
    Outcome::TRUE
}

fn strip(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    at_begin: bool,
) -> Outcome {
    let count = number(arguments, 0).and_then(|count| usize::try_from(count).ok());
    let Some(count) = count else {
        return Outcome::FALSE;
    };
    let user = machine.text(user(act));
    let rest = if at_begin {
        user.part(count, usize::MAX)
    } else {
        user.part(0, user.len().saturating_sub(count))
    };
    set_part(act, Part::User, machine.bytes(rest)).into()
}

fn prefix(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(prefix) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let mut joined = std::mem::take(&mut act.core.bench.scratch);
    joined.clear();
    joined.extend_from_slice(machine.bytes(prefix));
    joined.extend_from_slice(user(act));
    let done = set_part(act, Part::User, &joined);
    act.core.bench.scratch = joined;
    done.into()
}

/// The user of the R-URI; empty if it has none.
fn user<'a>(act: &'a Act<'_>) -> &'a [u8] {
    let uri = Uri::parse(act.request_uri()).ok();
    uri.and_then(|uri| uri.name()).unwrap_or_default()
}
