//! Module `sl`: answers; and what `textopsx` changes of the status of others.

use std::io::Write as _;

use super::{Function, function, number, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::StartLine;

pub(super) const FUNCTIONS: &[Function] = &[
    function("sl_send_reply", sl_send_reply),
    function("send_reply", send_reply),
    function("send_reply_mode", send_reply_mode),
    function("sl_reply_error", sl_reply_error),
    function("change_reply_status", change_reply_status),
    function("change_reply_status_code", change_reply_status),
];

fn sl_send_reply(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (code, reason) = answer(arguments, machine);
    act.reply_stateless(code, reason).into()
}

pub(super) fn send_reply(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let (code, reason) = answer(arguments, machine);
    if act.is_core_route {
        return Outcome::FALSE;
    }
    act.reply(code, reason).into()
}

/// Bit 1 makes the transaction first, so that a repeat of the request gets the same answer.
fn send_reply_mode(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let mode = number(arguments, 2).unwrap_or(0);
    if mode & 1 != 0 {
        act.make_transaction();
    }
    send_reply(act, arguments, machine)
}

fn sl_reply_error(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.reply_error().into()
}

/// The code and reason of a reply on its way up. One that is not a failure must stay what it is, and
/// none may become so.
fn change_reply_status(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let (code, given) = answer(arguments, machine);
    let StartLine::Reply { code: old, reason } = act.message.start() else {
        return Outcome::FALSE;
    };
    let now = act.draft.reply_code.unwrap_or(old);
    if (code < 300 || now < 300) && code / 100 != now / 100 {
        return Outcome::FALSE;
    }
    let is_sound = !given.is_empty() && given.iter().all(|&byte| byte >= b' ' && byte != 127);
    let reason = if is_sound { given } else { reason };
    let line = 0..act.message.headers_start();
    act.draft.edits.set_with(line, |out| {
        // Writing to a vector cannot fail.
        write!(out, "SIP/2.0 {code} ").ok();
        out.extend_from_slice(reason);
        out.extend_from_slice(b"\r\n");
    });
    act.draft.reply_code = Some(code);
    Outcome::TRUE
}

/// Code and reason as a function is given them.
pub(super) fn answer<'a>(arguments: &[Argument], machine: &'a Machine) -> (u16, &'a [u8]) {
    let code = number(arguments, 0).filter(|code| (100..700).contains(code));
    let reason = text(arguments, 1).map_or(&b""[..], |reason| machine.bytes(reason));
    (code.unwrap_or(500) as u16, reason)
}
