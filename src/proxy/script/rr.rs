//! Module `rr`: Route and Record-Route.

use super::{Function, function, text};
use crate::proxy::act::Act;
use crate::proxy::draft::{Options, Routes};
use crate::proxy::request::Request;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Name, Uri};

pub(super) const FUNCTIONS: &[Function] = &[
    function("loose_route", loose_route),
    function("loose_route_preloaded", loose_route_preloaded),
    function("record_route", record_route),
    function("record_route_preset", record_route_preset),
    function("record_route_advertised_address", record_route_preset),
    function("remove_record_route", remove_record_route),
    function("add_rr_param", add_rr_param),
    function("check_route_param", check_route_param),
    function("is_direction", is_direction),
];

/// Takes our Route values off; the next Route is the next hop then. True if there was one of ours,
/// or if a strict router before us has put ours into the R-URI.
fn loose_route(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let Some(request) = act.request else {
        return Outcome::FALSE;
    };
    let routing = &request.routing;
    if !request.message.has(Name::Route) {
        return Outcome::FALSE;
    }
    if act.core.modules.accounting.finds_direction && goes_upstream(act) {
        // Our Route, which says it, is gone when the transaction is accounted for.
        act.draft.options.set(Options::UPSTREAM, true);
    }
    act.draft.routes = Routes::Followed;
    act.draft.socket = routing.leaves_by.or(act.draft.socket);
    if let Some(uri) = routing.new_request_uri {
        act.draft.set_uri(uri);
    }
    if routing.next_uri != act.request_uri() {
        act.draft.set_next_hop(routing.next_uri);
    }
    routing.was_ours.into()
}

/// The same for a request outside of a dialog alone.
fn loose_route_preloaded(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    if act.request.is_some_and(Request::is_in_dialog) {
        return Outcome::FALSE;
    }
    loose_route(act, arguments, machine)
}

fn record_route(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if act.draft.record_route.is_some() || !act.draft.has_room() {
        return Outcome::FALSE;
    }
    let given = text(arguments, 0).map_or(&b""[..], |given| machine.bytes(given));
    let settings = &act.core.modules;
    let (full_lr, from_tag) = (settings.has_full_lr, settings.appends_from_tag);
    // It is seldom asked for, and decoding it costs more than all else here.
    let tag = from_tag.then(|| act.message.from_tag()).flatten();
    let kept = act.draft.keep_with(|out| {
        out.extend_from_slice(if full_lr { b"=on" } else { b"" });
        if let Some(tag) = tag {
            out.extend_from_slice(b";ftag=");
            out.extend_from_slice(tag);
        }
        write_parameters(given, out);
    });
    // What add_rr_param() gave before.
    let earlier = act.draft.record_route_parameters.take();
    let kept = earlier.map_or(kept, |earlier| act.draft.keep_both(kept, earlier));
    act.draft.record_route = Some(kept);
    Outcome::TRUE
}

/// An address of the operator's choice; he writes the header line by it.
fn record_route_preset(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    if !act.draft.has_room() {
        return Outcome::FALSE;
    }
    let at = act.message.headers_start();
    for place in 0..2 {
        let Some(address) = text(arguments, place) else {
            continue;
        };
        let address = machine.bytes(address);
        act.draft.edits.insert_with(at, |out| {
            out.extend_from_slice(b"Record-Route: <sip:");
            write_clean(address, out);
            out.extend_from_slice(b";lr>\r\n");
        });
    }
    Outcome::TRUE
}

fn remove_record_route(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.draft.record_route = None;
    Outcome::TRUE
}

fn add_rr_param(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(given) = text(arguments, 0).filter(|_| act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    let added = machine.bytes(given);
    // Also before record_route(): it is kept for that.
    let before = act.draft.record_route.or(act.draft.record_route_parameters);
    let joined = act
        .draft
        .keep_joined(before, |out| write_parameters(added, out));
    if act.draft.record_route.is_some() {
        act.draft.record_route = Some(joined);
    } else {
        act.draft.record_route_parameters = Some(joined);
    }
    Outcome::TRUE
}

/// Looks at the parameters of the Route value that was ours.
fn check_route_param(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(Argument::Regex(regex)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let parameters = own_route_parameters(act).unwrap_or_default();
    let parameters = machine.text(parameters);
    machine.is_match(regex, parameters).into()
}

/// The `ftag` of our Route is the caller's tag: a request with that From tag goes downstream.
fn is_direction(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(wanted) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let is_upstream = goes_upstream(act);
    match machine.bytes(wanted) {
        b"upstream" => is_upstream.into(),
        b"downstream" => (!is_upstream).into(),
        _ => Outcome::FALSE,
    }
}

/// Whether a request in a dialog comes from the callee.
pub(super) fn goes_upstream(act: &mut Act<'_>) -> bool {
    let tag = own_route_parameters(act).and_then(|parameters| {
        let mut parts = parameters.split(|&byte| byte == b';');
        parts.find_map(|part| part.strip_prefix(b"ftag="))
    });
    tag.is_some_and(|tag| act.message.from_tag().is_some_and(|from| from != tag))
}

fn own_route_parameters<'a>(act: &Act<'a>) -> Option<&'a [u8]> {
    let request = act.request?;
    let first = request.message.routes().next()?.ok()?;
    let uri = Uri::parse(first.uri).ok()?;
    act.core.locals.is_our_uri(&uri).then_some(uri.params)
}

fn write_parameters(given: &[u8], out: &mut Vec<u8>) {
    if !given.is_empty() && !given.starts_with(b";") {
        out.push(b';');
    }
    write_clean(given, out);
}

/// Appends what may stand inside of brackets in a header line.
fn write_clean(bytes: &[u8], out: &mut Vec<u8>) {
    let is_sound = |byte: &u8| *byte > b' ' && !matches!(byte, b'<' | b'>' | b'"' | 127);
    out.extend(bytes.iter().copied().filter(is_sound));
}
