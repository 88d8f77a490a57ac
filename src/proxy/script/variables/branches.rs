//! Variables of branches and flags: `$branch(...)`, `$ds`, `$mf`, `$bf`.

use super::optional;
use crate::proxy::act::Act;
use crate::proxy::draft::{FurtherBranch, MAX_TEXT, NextHop};
use crate::proxy::script::{Variable, variable, writable};
use crate::route::host::{Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::Uri;

pub(in crate::proxy::script) const VARIABLES: &[Variable] = &[
    writable(
        "mf",
        |act, _, _, _| Value::Number(i64::from(act.draft.flags)),
        set_flags,
    ),
    writable(
        "mF",
        |act, _, _, machine| hex(act.draft.flags, machine),
        set_flags,
    ),
    writable(
        "bf",
        |act, _, _, _| Value::Number(i64::from(act.draft.branch_flags)),
        set_branch_flags,
    ),
    writable(
        "bF",
        |act, _, _, machine| hex(act.draft.branch_flags, machine),
        set_branch_flags,
    ),
    variable("ds", all),
    writable("branch", field, set_field),
];

fn set_flags(
    act: &mut Act<'_>,
    _: Inner,
    _: ListIndex,
    value: Value,
    machine: &mut Machine,
) -> bool {
    act.draft.flags = machine.to_number(value) as u32;
    true
}

fn set_branch_flags(
    act: &mut Act<'_>,
    _: Inner,
    _: ListIndex,
    value: Value,
    machine: &mut Machine,
) -> bool {
    act.draft.branch_flags = machine.to_number(value) as u32;
    true
}

/// `0000001F`
fn hex(number: u32, machine: &mut Machine) -> Value {
    use std::io::Write as _;
    Value::Text(machine.push_text(|out| {
        // Writing to a vector cannot fail.
        write!(out, "{number:08X}").ok();
    }))
}

/// The URIs of all branches, as the Contact of a redirect has them; nothing as long as the request goes
/// where it was meant to go.
fn all(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    if act.request.is_none() {
        return Value::Null;
    }
    let mut has_any = false;
    let contact = machine.push_text(|out| {
        has_any = act.draft.write_contact(act.message, out);
    });
    if has_any {
        Value::Text(contact)
    } else {
        Value::Null
    }
}

/// Which of the further branches is meant.
fn place(act: &Act<'_>, index: ListIndex) -> Option<usize> {
    let count = act.draft.further.len();
    let at = match index {
        ListIndex::None | ListIndex::All => 0,
        ListIndex::At(at @ 0..) => usize::try_from(at).ok()?,
        ListIndex::At(at) => count.checked_sub(usize::try_from(at.unsigned_abs()).ok()?)?,
    };
    (at < count).then_some(at)
}

/// By the place of the table's words.
fn field(act: &mut Act<'_>, inner: Inner, index: ListIndex, machine: &mut Machine) -> Value {
    if inner == Inner::Word(5) && !act.draft.further.is_empty() {
        return Value::Number(act.draft.further.len() as i64);
    }
    let Some(branch) = place(act, index).and_then(|at| act.draft.further.get(at)) else {
        return Value::Null;
    };
    match inner {
        Inner::Word(0) => {
            let uri = act.draft.uri_or_received(branch.uri, act.message);
            optional(machine, Some(uri))
        }
        Inner::Word(1) => match &branch.next_hop {
            NextHop::RequestUri => Value::Null,
            NextHop::Uri(text) => optional(machine, Some(act.draft.text(*text))),
            NextHop::Destination(destination) => {
                optional(machine, Some(destination.uri.as_bytes()))
            }
        },
        Inner::Word(4) => {
            let socket = branch.socket.map(|socket| act.core.locals.sent_by(socket));
            let Some(socket) = socket else {
                return Value::Null;
            };
            Value::Text(machine.push_text(|out| {
                out.extend_from_slice(b"udp:");
                out.extend_from_slice(socket);
            }))
        }
        Inner::Word(6) => Value::Number(i64::from(branch.flags)),
        _ => Value::Null,
    }
}

/// What has no place in a branch of ours (`path`, `q`) cannot be set.
fn set_field(
    act: &mut Act<'_>,
    inner: Inner,
    index: ListIndex,
    value: Value,
    machine: &mut Machine,
) -> bool {
    let Some(at) = place(act, index) else {
        return false;
    };
    let text = match value {
        Value::Text(text) => Some(machine.bytes(text)),
        _ => None,
    };
    let uri = text.filter(|uri| uri.len() <= MAX_TEXT && Uri::parse(uri).is_ok());
    let mut branch: FurtherBranch = act.draft.further[at].clone();
    match inner {
        Inner::Word(0) => {
            let Some(uri) = uri else { return false };
            branch.uri = Some(act.draft.keep(uri));
            branch.uri_destination = None;
        }
        Inner::Word(1) => {
            branch.next_hop = match (uri, value) {
                (Some(uri), _) => NextHop::Uri(act.draft.keep(uri)),
                (None, Value::Null) => NextHop::RequestUri,
                _ => return false,
            };
        }
        Inner::Word(4) => {
            branch.socket = text.and_then(|name| act.core.locals.find(name));
            if branch.socket.is_none() && !value.is_null() {
                return false;
            }
        }
        Inner::Word(6) => branch.flags = machine.to_number(value) as u32,
        _ => return false,
    }
    act.draft.further[at] = branch;
    true
}
