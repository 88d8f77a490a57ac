//! Modules `tm` and `tmx`: transactions.

use std::time::Duration;

use super::{Function, function, is_given, number, sl, text};
use crate::proxy::act::{Act, Stage};
use crate::proxy::draft::{Options, RouteId};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::route::value::write_number;
use crate::sip::Method;

pub(super) const FUNCTIONS: &[Function] = &[
    function("t_relay", t_relay),
    function("t_relay_to_udp", t_relay),
    function("t_relay_to", t_relay_to),
    function("t_forward_nonack", t_relay),
    function("t_relay_cancel", t_relay_cancel),
    function("t_lookup_cancel", t_lookup_cancel),
    function("t_on_failure", t_on_failure),
    function("t_on_reply", t_on_reply),
    function("t_on_branch", t_on_branch),
    function("t_newtran", t_newtran),
    function("t_release", t_release),
    function("t_reply", t_reply),
    function("t_send_reply", t_send_reply),
    function("t_retransmit_reply", t_retransmit_reply),
    function("t_lookup_request", t_lookup_request),
    function("t_check_trans", t_check_trans),
    function("t_precheck_trans", t_precheck_trans),
    function("t_check_status", t_check_status),
    function("t_grep_status", t_grep_status),
    function("t_is_expired", t_is_expired),
    function("t_branch_timeout", t_branch_timeout),
    function("t_branch_replied", t_branch_replied),
    function("t_any_timeout", t_any_timeout),
    function("t_any_replied", t_any_replied),
    function("t_is_set", t_is_set),
    function("t_set_fr", t_set_fr),
    function("t_reset_fr", t_reset_fr),
    function("t_set_max_lifetime", t_set_max_lifetime),
    function("t_reset_max_lifetime", t_reset_max_lifetime),
    function("t_set_auto_inv_100", t_set_auto_inv_100),
    function("t_set_disable_6xx", t_set_disable_6xx),
    function("t_set_disable_failover", nothing),
    function("t_set_disable_internal_reply", nothing),
    function("t_drop_replies", t_drop_replies),
    function("t_get_status_code", t_get_status_code),
    function("t_is_canceled", t_is_canceled),
    function("t_cancel_branches", t_cancel_branches),
    function("t_flush_flags", t_flush_flags),
    function("t_is_failure_route", |act, _, _| {
        (act.stage == Stage::Failure).into()
    }),
    function("t_is_branch_route", |act, _, _| {
        (act.stage == Stage::Branch).into()
    }),
    function("t_is_reply_route", |act, _, _| {
        (act.stage == Stage::Reply).into()
    }),
    function("t_is_request_route", |act, _, _| {
        (act.stage == Stage::Request).into()
    }),
    function("t_drop", t_drop),
];

/// What it would change does not happen here anyway.
fn nothing(_: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    Outcome::TRUE
}

/// To the next hop, or to the address given.
fn t_relay(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if let Some(host) = text(arguments, 0) {
        let port = number(arguments, 1).unwrap_or(0);
        let host = machine.bytes(host);
        act.draft.set_next_hop_to(host, port);
    }
    relay(act, machine)
}

/// To a proxy: `udp:10.0.0.1:5060`.
fn t_relay_to(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if let Some(proxy) = text(arguments, 0) {
        let proxy = machine.bytes(proxy);
        let proxy = proxy.strip_prefix(b"udp:").unwrap_or(proxy);
        if !proxy.is_empty() {
            act.draft.set_next_hop_to(proxy, 0);
        }
    }
    relay(act, machine)
}

fn relay(act: &mut Act<'_>, machine: &mut Machine) -> Outcome {
    let method = act.request.map(|request| request.method);
    match (method, act.cancels) {
        (Some(Method::Cancel), Some(invite)) => act.cancel(invite).into(),
        // By a transaction of its own it would be taken for its INVITE when that comes late.
        (Some(Method::Cancel), None) => act.forward().is_ok().into(),
        _ => act.relay(machine).is_ok().into(),
    }
}

/// Kamailio's codes: the script ends if the CANCEL was relayed; it goes on if there is no INVITE.
fn t_relay_cancel(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let Some(invite) = act.cancels else {
        return Outcome::TRUE;
    };
    if act.cancel(invite) {
        Outcome::Exit
    } else {
        Outcome::FALSE
    }
}

fn t_lookup_cancel(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.cancels.is_some().into()
}

/// The route of an argument; the error is one that does not exist.
fn route(arguments: &[Argument]) -> Result<Option<RouteId>, ()> {
    match arguments.first() {
        Some(Argument::Route(route)) => Ok(*route),
        _ => Err(()),
    }
}

fn t_on_failure(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let route = route(arguments);
    act.draft.armed.failure = route.unwrap_or_default();
    route.is_ok().into()
}

fn t_on_reply(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let route = route(arguments);
    act.draft.armed.reply = route.unwrap_or_default();
    route.is_ok().into()
}

fn t_on_branch(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let route = route(arguments);
    act.draft.armed.branch = route.unwrap_or_default();
    route.is_ok().into()
}

fn t_newtran(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.make_transaction().into()
}

/// What was made and not used ends with the script.
fn t_release(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.context.is_some().into()
}

fn t_reply(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if act.context.is_none() {
        return Outcome::FALSE;
    }
    let (code, reason) = sl::answer(arguments, machine);
    act.reply(code, reason).into()
}

fn t_send_reply(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    act.make_transaction();
    sl::send_reply(act, arguments, machine)
}

fn t_retransmit_reply(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.repeat_reply().into()
}

fn t_lookup_request(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.context.is_some().into()
}

/// A retransmission, or an ACK to a negative answer, does not come this far. A CANCEL belongs to its
/// INVITE's transaction, an ACK to a 2xx to its call.
fn t_check_trans(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let belongs = match act.request.map(|request| request.method) {
        Some(Method::Cancel) => act.cancels.is_some(),
        Some(Method::Ack) => act.known_call().is_some(),
        _ => act.stage != Stage::Request && act.context.is_some(),
    };
    belongs.into()
}

fn t_precheck_trans(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.cancels.is_some().into()
}

fn t_check_status(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(Argument::Regex(regex)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let code = act.status();
    let digits = machine.push_text(|out| write_number(out, i64::from(code)));
    (code != 0 && machine.is_match(regex, digits)).into()
}

fn t_grep_status(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let wanted = number(arguments, 0).unwrap_or(0);
    act.any_branch(|branch| i64::from(branch.last_code) == wanted)
        .into()
}

fn t_is_expired(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let now = act.now;
    act.transaction()
        .is_some_and(|context| now >= context.ends_at())
        .into()
}

fn t_branch_timeout(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.winner().is_some_and(|branch| branch.timed_out).into()
}

fn t_branch_replied(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.winner()
        .is_some_and(|branch| branch.last_code != 0)
        .into()
}

fn t_any_timeout(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.any_branch(|branch| branch.timed_out).into()
}

fn t_any_replied(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.any_branch(|branch| branch.last_code != 0).into()
}

fn t_is_set(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let armed = &act.draft.armed;
    let route = match text(arguments, 0).map(|what| machine.bytes(what)) {
        Some(b"failure_route") => armed.failure,
        Some(b"onreply_route") => armed.reply,
        Some(b"branch_route") => armed.branch,
        _ => None,
    };
    route.is_some().into()
}

/// Milliseconds as a span; 0 keeps what is.
fn span(arguments: &[Argument], at: usize) -> Option<Duration> {
    let milliseconds = number(arguments, at).filter(|number| *number > 0)?;
    Some(Duration::from_millis(milliseconds.min(86_400_000) as u64))
}

fn t_set_fr(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let patience = &mut act.draft.patience;
    patience.ringing = span(arguments, 0).or(patience.ringing);
    patience.answer = span(arguments, 1).or(patience.answer);
    Outcome::TRUE
}

fn t_reset_fr(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.draft.patience.ringing = None;
    act.draft.patience.answer = None;
    Outcome::TRUE
}

fn t_set_max_lifetime(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let is_invite = act
        .request
        .is_some_and(|request| request.method == Method::Invite);
    let lifetime = span(arguments, usize::from(!is_invite));
    act.draft.patience.lifetime = lifetime.or(act.draft.patience.lifetime);
    Outcome::TRUE
}

fn t_reset_max_lifetime(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.draft.patience.lifetime = None;
    Outcome::TRUE
}

fn t_set_auto_inv_100(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let is_off = number(arguments, 0) == Some(0);
    act.draft.options.set(Options::NO_TRYING, is_off);
    Outcome::TRUE
}

fn t_set_disable_6xx(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let is_on = number(arguments, 0).is_some_and(|mode| mode != 0);
    act.draft.options.set(Options::NO_6XX, is_on);
    Outcome::TRUE
}

fn t_drop_replies(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.forget_answers();
    Outcome::TRUE
}

fn t_get_status_code(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    match act.status() {
        0 => Outcome::FALSE,
        code => Outcome::Code(i64::from(code)),
    }
}

fn t_is_canceled(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.transaction()
        .is_some_and(|context| context.cancelled)
        .into()
}

fn t_cancel_branches(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let which = text(arguments, 0).map_or(&b""[..], |which| machine.bytes(which));
    let (this, others) = match which {
        b"this" => (true, false),
        b"others" => (false, true),
        _ => (true, true),
    };
    act.cancel_branches(this, others);
    Outcome::TRUE
}

/// They are with the transaction when the script ends.
fn t_flush_flags(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.context.is_some().into()
}

fn t_drop(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let _ = is_given(arguments, 0);
    act.drop_transaction().into()
}
