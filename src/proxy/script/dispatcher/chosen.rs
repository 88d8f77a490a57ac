//! The variables of the dispatcher: the destinations that were chosen, figures, and what an event
//! says.

use std::sync::Arc;

use super::super::{Variable, text_value, variable, writable};
use crate::dispatch::Destination;
use crate::proxy::act::{Act, Aim};
use crate::route::host::{CHOSEN, CHOSEN_AVP, CHOSEN_COUNT, Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::Value;

pub(super) const VARIABLES: &[Variable] = &[
    writable(CHOSEN, chosen, set_chosen),
    variable(CHOSEN_COUNT, chosen_count),
    writable(CHOSEN_AVP, chosen_avp, |_, _, _, _, _| true),
    variable("dsv", dsv),
    variable("dsg", dsg),
];

/// `$xavp(_dsdst_[n]=>field)`: the n-th of those chosen, the current one first. They are found when
/// they are asked for: there may be thousands.
fn chosen(act: &mut Act<'_>, inner: Inner, index: ListIndex, machine: &mut Machine) -> Value {
    let place = match index {
        ListIndex::None | ListIndex::All => 0,
        ListIndex::At(place) => place,
    };
    let destination = usize::try_from(place)
        .ok()
        .and_then(|place| act.chosen(place));
    let Some(destination) = destination else {
        return Value::Null;
    };
    match inner {
        Inner::Word(word) => field(&destination, word, machine),
        _ => text_value(machine, destination.uri.as_bytes()),
    }
}

/// By the place in [`crate::route::host::CHOSEN_FIELDS`].
fn field(destination: &Arc<Destination>, word: u16, machine: &mut Machine) -> Value {
    let attributes = &destination.attributes;
    let text = match word {
        0 => Some(&*destination.uri),
        1 => return Value::Number(i64::from(destination.set)),
        2 => attributes.duid.as_deref(),
        3 => Some(&*attributes.body).filter(|body| !body.is_empty()),
        4 => attributes.socket.as_deref(),
        5 => attributes.sockname.as_deref(),
        6 => return Value::Number(i64::from(destination.relative_weight())),
        7 => return Value::Number(destination.latency().estimate_ms as i64),
        _ => None,
    };
    text.map_or(Value::Null, |text| text_value(machine, text.as_bytes()))
}

/// Taking the first away goes on to the next.
fn set_chosen(act: &mut Act<'_>, _: Inner, _: ListIndex, value: Value, _: &mut Machine) -> bool {
    value.is_null() && act.select_next(Aim::Nothing).is_ok()
}

fn chosen_count(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    match act.chosen_count() {
        0 => Value::Null,
        count => Value::Number(count as i64),
    }
}

/// By the place in [`crate::route::host::CHOSEN_AVPS`].
fn chosen_avp(act: &mut Act<'_>, inner: Inner, index: ListIndex, machine: &mut Machine) -> Value {
    let Inner::Word(word) = inner else {
        return Value::Null;
    };
    let word = match word {
        0 => 0,
        1 => 1,
        2 => return chosen_count(act, inner, index, machine),
        3 => 2,
        4 => 3,
        _ => 4,
    };
    chosen(act, Inner::Word(word), index, machine)
}

fn dsv(act: &mut Act<'_>, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let (Inner::Word(word), Some(event)) = (inner, &act.event) else {
        return Value::Null;
    };
    match word {
        0 => Value::Number(i64::from(event.code)),
        1 => Value::Null,
        2 => Value::Number(i64::from(event.is_answer)),
        3 => text_value(machine, event.destination.uri.as_bytes()),
        _ => Value::Number(i64::from(event.destination.set)),
    }
}

fn dsg(act: &mut Act<'_>, inner: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let (Inner::Word(word), Some(figures)) = (inner, act.draft.figures) else {
        return Value::Null;
    };
    figures.word(word).map_or(Value::Null, Value::Number)
}
