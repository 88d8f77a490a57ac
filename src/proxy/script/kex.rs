//! Modules `kex` and `corex`: more of the core.

use super::{Function, function, number, text};
use crate::proxy::act::Act;
use crate::proxy::draft::{FurtherBranch, MAX_FURTHER, MAX_TEXT, NextHop};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::Uri;

pub(super) const FUNCTIONS: &[Function] = &[
    function("setbflag", |act, arguments, _| {
        branch_flag(act, arguments, Some(true))
    }),
    function("isbflagset", |act, arguments, _| {
        branch_flag(act, arguments, None)
    }),
    function("resetbflag", |act, arguments, _| {
        branch_flag(act, arguments, Some(false))
    }),
    function("setdsturi", setdsturi),
    function("resetdsturi", resetdsturi),
    function("isdsturiset", isdsturiset),
    function("is_myself", is_myself),
    function("append_branch", append_branch),
    function("setxflag", |act, arguments, _| {
        further_flag(act, arguments, Some(true))
    }),
    function("isxflagset", |act, arguments, _| {
        further_flag(act, arguments, None)
    }),
    function("resetxflag", |act, arguments, _| {
        further_flag(act, arguments, Some(false))
    }),
    function("set_send_socket", set_send_socket),
    function("set_send_socket_name", set_send_socket),
    function("is_socket_name", is_socket_name),
    function("is_faked_msg", |act, _, _| act.event.is_some().into()),
];

/// Branch 0 is the draft's own, the others are those that were appended.
fn branch_flag(act: &mut Act<'_>, arguments: &[Argument], set: Option<bool>) -> Outcome {
    let Some(Argument::Flag(flag)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let branch = number(arguments, 1).unwrap_or(0);
    let flags = match usize::try_from(branch) {
        Ok(0) => &mut act.draft.branch_flags,
        Ok(branch) => match act.draft.further.get_mut(branch - 1) {
            Some(branch) => &mut branch.flags,
            None => return Outcome::FALSE,
        },
        Err(_) => return Outcome::FALSE,
    };
    change(flags, flag, set)
}

fn further_flag(act: &mut Act<'_>, arguments: &[Argument], set: Option<bool>) -> Outcome {
    match arguments.first().copied() {
        Some(Argument::Flag(flag)) => change(&mut act.draft.further_flags, flag, set),
        _ => Outcome::FALSE,
    }
}

fn change(flags: &mut u32, flag: u8, set: Option<bool>) -> Outcome {
    let bit = 1_u32 << (flag & 31);
    match set {
        Some(true) => *flags |= bit,
        Some(false) => *flags &= !bit,
        None => return (*flags & bit != 0).into(),
    }
    Outcome::TRUE
}

fn setdsturi(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let uri = text(arguments, 0).map(|uri| machine.bytes(uri));
    let Some(uri) = uri.filter(|uri| act.draft.has_room() && Uri::parse(uri).is_ok()) else {
        return Outcome::FALSE;
    };
    act.draft.set_next_hop(uri);
    Outcome::TRUE
}

fn resetdsturi(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.draft.next_hop = NextHop::RequestUri;
    Outcome::TRUE
}

fn isdsturiset(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    (!matches!(act.draft.next_hop, NextHop::RequestUri)).into()
}

/// A URI, a host, or an address; without an argument the R-URI of now (`uri == myself`).
fn is_myself(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let locals = &act.core.locals;
    let is_own = match (arguments, act.request) {
        // It has been read already.
        ([], Some(request)) if act.draft.uri.is_none() => {
            locals.is_named(act.request_uri(), Some(request.uri))
        }
        ([], Some(_)) => locals.is_myself(act.request_uri()),
        _ => text(arguments, 0).is_some_and(|given| locals.is_myself(machine.bytes(given))),
    };
    is_own.into()
}

/// The R-URI of now, or another, and the next hop of now. That is the branch's own if its R-URI is the
/// one of now: what comes next begins anew.
fn append_branch(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if act.draft.further.len() >= MAX_FURTHER || !act.draft.has_room() {
        return Outcome::FALSE;
    }
    let bytes_of = |at| text(arguments, at).map(|given| machine.bytes(given));
    let preference = match bytes_of(1).filter(|given| !given.is_empty()) {
        None => None,
        Some(given) => match preference(given) {
            None => return Outcome::FALSE,
            some => some,
        },
    };
    let (uri, uri_destination) = match bytes_of(0).filter(|uri| !uri.is_empty()) {
        Some(uri) if uri.len() > MAX_TEXT || Uri::parse(uri).is_err() => return Outcome::FALSE,
        Some(uri) => (Some(act.draft.keep(uri)), None),
        None => (act.draft.uri, act.draft.uri_destination.clone()),
    };
    let branch = FurtherBranch {
        uri,
        uri_destination,
        next_hop: act.draft.next_hop.clone(),
        socket: act.draft.socket,
        flags: act.draft.branch_flags,
        preference,
    };
    act.draft.further.push(branch);
    if bytes_of(0).is_none_or(<[u8]>::is_empty) {
        act.draft.next_hop = NextHop::RequestUri;
        act.draft.socket = None;
        act.draft.branch_flags = 0;
    }
    Outcome::TRUE
}

/// A `q` in thousandths: from 0 to 1, with at most three digits behind the point.
fn preference(given: &[u8]) -> Option<u16> {
    let (whole, rest) = match given.iter().position(|&byte| byte == b'.') {
        Some(point) => (&given[..point], &given[point + 1..]),
        None => (given, &b""[..]),
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let mut value = match whole {
        b"" | b"0" => 0,
        b"1" => 1000,
        _ => return None,
    };
    if rest.len() > 3 {
        return None;
    }
    for (&byte, weight) in rest.iter().zip([100, 10, 1]) {
        value += digit(byte)? * weight;
    }
    (value <= 1000).then_some(value)
}

fn set_send_socket(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let named = text(arguments, 0).map(|socket| machine.bytes(socket));
    let socket = named.and_then(|socket| act.core.locals.find(socket));
    act.draft.socket = socket.or(act.draft.socket);
    socket.is_some().into()
}

fn is_socket_name(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(name) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let came_by = act.core.locals.name(act.came_by());
    (came_by == Some(machine.bytes(name))).into()
}
