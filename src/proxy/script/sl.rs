//! Module `sl`: answers.

use super::{Function, function, number, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;

pub(super) const FUNCTIONS: &[Function] = &[
    function("sl_send_reply", sl_send_reply),
    function("send_reply", send_reply),
    function("send_reply_mode", send_reply_mode),
    function("sl_reply_error", sl_reply_error),
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

/// Code and reason as a function is given them.
pub(super) fn answer<'a>(arguments: &[Argument], machine: &'a Machine) -> (u16, &'a [u8]) {
    let code = number(arguments, 0).filter(|code| (100..700).contains(code));
    let reason = text(arguments, 1).map_or(&b""[..], |reason| machine.bytes(reason));
    (code.unwrap_or(500) as u16, reason)
}
