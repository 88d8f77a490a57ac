//! Variables of the transaction: `$T_...`.

use super::{Variable, text_value, variable};
use crate::proxy::act::{Act, Stage};
use crate::proxy::context::Found;
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::build::reason_phrase;

pub(super) const VARIABLES: &[Variable] = &[
    variable("T_reply_code", code),
    variable("T_reply_reason", reason),
    variable("T_reply_last", last_code),
    variable("T_branch_idx", branch_index),
    variable("T_reply_ruid", |_, _, _, _| Value::Null),
    variable("T", field),
    variable("T_req", of_request),
    variable("T_rpl", of_reply),
    variable("T_inv", of_invite),
];

/// `$T_req(...)`: a variable of the transaction's request.
fn of_request(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match (inner, act.context) {
        (Inner::Variable(variable), Some(_)) if act.request.is_some() => machine.get(act, variable),
        (Inner::Variable(variable), Some(index)) => act.read_request(index, variable, machine),
        _ => Value::Null,
    }
}

/// `$T_inv(...)`: a variable of the INVITE that a CANCEL is for.
fn of_invite(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match (inner, act.cancels) {
        (Inner::Variable(variable), Some(Found::Whole(index))) => {
            act.read_request(index, variable, machine)
        }
        _ => Value::Null,
    }
}

/// `$T_rpl(...)`: a variable of the best answer, unless that is our own.
fn of_reply(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match inner {
        Inner::Variable(variable) => act.read_best_answer(variable, machine),
        _ => Value::Null,
    }
}

fn code(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    Value::Number(i64::from(act.status()))
}

fn reason(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    match act.status() {
        0 => Value::Null,
        code => text_value(machine, reason_phrase(code).as_bytes()),
    }
}

fn last_code(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let last = act
        .transaction()
        .and_then(|context| context.branches.last())
        .map(|branch| branch.last_code);
    last.map_or(Value::Null, |code| Value::Number(i64::from(code)))
}

/// In a failure route it is that of the branch that would come next.
fn branch_index(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let next = act.transaction().map(|context| context.branches.len());
    let of_failure = next.filter(|_| act.stage == Stage::Failure);
    Value::Number(of_failure.unwrap_or(act.branch) as i64)
}

/// By the place of the table's words.
fn field(act: &mut Act<'_>, inner: Inner, index: ListIndex, machine: &mut Machine) -> Value {
    let Inner::Word(word) = inner else {
        return Value::Null;
    };
    let (number, label) = match (act.context, act.transaction()) {
        (Some(number), Some(context)) => (i64::from(number), (context.token >> 1) as i64),
        _ => (0, 0),
    };
    match word {
        0 | 3 => Value::Number(number),
        1 | 2 => Value::Number(label),
        4 => code(act, inner, index, machine),
        5 => reason(act, inner, index, machine),
        6 => branch_index(act, inner, index, machine),
        7 => Value::Number(i64::from(act.request.is_none())),
        _ => Value::Null,
    }
}
