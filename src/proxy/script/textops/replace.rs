//! Replacing what expressions match: `replace`, `subst` and their like.
//!
//! Owns: which parts of a message may be changed so. The start line is changed by setting the R-URI, and
//! Via lines are left alone: answers come back by them.

use std::ops::Range;

use super::Which;
use crate::proxy::act::Act;
use crate::proxy::script::core_functions::{Part, set_part};
use crate::proxy::script::variables::same_name;
use crate::proxy::script::{Function, function, text};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Message, Name, Uri};

pub(in crate::proxy::script) const FUNCTIONS: &[Function] = &[
    function("replace", |act, arguments, machine| {
        replace(act, arguments, machine, headers_and_body, false)
    }),
    function("replace_all", |act, arguments, machine| {
        replace(act, arguments, machine, headers_and_body, true)
    }),
    function("replace_body", |act, arguments, machine| {
        replace(act, arguments, machine, body, false)
    }),
    function("replace_body_all", |act, arguments, machine| {
        replace(act, arguments, machine, body, true)
    }),
    function("subst", |act, arguments, machine| {
        substitute(act, arguments, machine, headers_and_body)
    }),
    function("subst_body", |act, arguments, machine| {
        substitute(act, arguments, machine, body)
    }),
    function("subst_hf", subst_hf),
    function("subst_uri", subst_uri),
    function("subst_user", subst_user),
];

fn headers_and_body(message: Message<'_>) -> usize {
    message.headers_start()
}

fn body(message: Message<'_>) -> usize {
    message.body_start()
}

/// Whether a stretch of the message may be changed.
fn is_free(message: Message<'_>, place: &Range<usize>) -> bool {
    message
        .all(Name::Via)
        .all(|line| place.end <= line.range.start || line.range.end <= place.start)
}

/// Replaces the first match, or all, behind a place of the message.
fn replace(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    start: fn(Message<'_>) -> usize,
    all: bool,
) -> Outcome {
    let (Some(Argument::Regex(regex)), Some(by)) = (arguments.first(), text(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let (message, by) = (act.message, machine.bytes(by));
    let (offset, mut at) = (start(message), 0);
    let bytes = &message.bytes()[offset..];
    let mut is_found = false;
    while act.draft.has_room()
        && let Some(found) = machine.find(*regex, bytes, at)
    {
        at = found.end.max(found.start + 1);
        let place = offset + found.start..offset + found.end;
        if is_free(message, &place) {
            act.draft.edits.replace(place, by);
            is_found = true;
            if !all {
                break;
            }
        }
        if at > bytes.len() {
            break;
        }
    }
    is_found.into()
}

fn substitute(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    start: fn(Message<'_>) -> usize,
) -> Outcome {
    let Some(Argument::Substitution(substitution)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let values = machine.values(act, substitution);
    let message = act.message;
    let offset = start(message);
    let mut is_found = false;
    machine.each_match(
        substitution,
        &values,
        &message.bytes()[offset..],
        |found, by| {
            let place = offset + found.start..offset + found.end;
            if act.draft.has_room() && is_free(message, &place) {
                act.draft.edits.replace(place, by);
                is_found = true;
            }
        },
    );
    is_found.into()
}

/// In the values of the lines of a name.
fn subst_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(name), Some(Argument::Substitution(substitution))) =
        (text(arguments, 0), arguments.get(1).copied())
    else {
        return Outcome::FALSE;
    };
    let which = Which::of(text(arguments, 2).map(|letter| machine.bytes(letter)));
    let values = machine.values(act, substitution);
    let name = Name::parse(machine.bytes(name));
    let mut is_found = false;
    let mut name_text = std::mem::take(&mut act.core.bench.scratch);
    name_text.clear();
    if let Some(name) = text(arguments, 0) {
        name_text.extend_from_slice(machine.bytes(name));
    }
    which.each(same_name(act.message, &name_text), |line| {
        if name == Name::Via {
            return false;
        }
        let offset = line.value_range.start;
        machine.each_match(substitution, &values, line.value, |found, by| {
            if act.draft.has_room() && !by.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                let place = offset + found.start..offset + found.end;
                act.draft.edits.replace(place, by);
                is_found = true;
            }
        });
        true
    });
    act.core.bench.scratch = name_text;
    is_found.into()
}

/// In the R-URI as it is now.
fn subst_uri(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    subst_part(act, arguments, machine, Part::Whole)
}

/// In the user of the R-URI as it is now; of none, in an empty one.
fn subst_user(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    subst_part(act, arguments, machine, Part::User)
}

fn subst_part(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    part: Part,
) -> Outcome {
    let Some(Argument::Substitution(substitution)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    if act.request.is_none() {
        return Outcome::FALSE;
    }
    let values = machine.values(act, substitution);
    let mut made = std::mem::take(&mut act.core.bench.scratch);
    made.clear();
    let subject = match part {
        Part::User => {
            let uri = Uri::parse(act.request_uri()).ok();
            uri.and_then(|uri| uri.user).unwrap_or_default()
        }
        _ => act.request_uri(),
    };
    let is_found = machine.substitute(substitution, &values, subject, &mut made);
    let is_set = is_found && set_part(act, part, &made);
    act.core.bench.scratch = made;
    is_set.into()
}
