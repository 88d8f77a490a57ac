//! Questions on sets: which there are, who is in them, who is active.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::{is_given, number, text, text_value};
use crate::dispatch::{Destination, Flags, Set, SetId};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::Uri;

/// Bits of the mode of `ds_is_from_list()`.
const ANY_PORT: i64 = 1;
const ONLY_ACTIVE: i64 = 4;

pub(in crate::proxy::script) fn ds_list_exists(
    act: &mut Act<'_>,
    arguments: &[Argument],
    _: &mut Machine,
) -> Outcome {
    set_number(arguments)
        .is_some_and(|set| act.core.sets.get(set).is_some())
        .into()
}

fn set_number(arguments: &[Argument]) -> Option<SetId> {
    number(arguments, 0)?.try_into().ok()
}

/// Whether the message, or a URI, comes from a destination of a set; -1 is any set. Which set that
/// is, and the attributes, go to the variables that the parameters name.
pub(in crate::proxy::script) fn ds_is_from_list(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let set = number(arguments, 0).unwrap_or(-1);
    let mode = number(arguments, 1).unwrap_or(0);
    let address = match text(arguments, 2) {
        Some(uri) => address_of(machine.bytes(uri)),
        None => act.source(),
    };
    let Some(address) = address else {
        return Outcome::FALSE;
    };
    let sets = Arc::clone(&act.core.sets);
    let fits = |destination: &&Arc<Destination>| {
        destination.address.is_some_and(|own| {
            is_same_host(own.ip(), address.ip())
                && (mode & ANY_PORT != 0 || own.port() == address.port())
        }) && (mode & ONLY_ACTIVE == 0 || destination.is_usable())
    };
    let found = sets
        .destinations()
        .filter(|one| set == -1 || i64::from(one.set) == set)
        .find(fits);
    let Some(found) = found else {
        return Outcome::FALSE;
    };
    if set == -1
        && let Some(variable) = machine.program().set_out()
    {
        machine.set(act, variable, Value::Number(i64::from(found.set)));
    }
    if let Some(variable) = machine.program().attributes_out()
        && !found.attributes.body.is_empty()
    {
        let attributes = text_value(machine, found.attributes.body.as_bytes());
        machine.set(act, variable, attributes);
    }
    Outcome::TRUE
}

fn is_same_host(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}

fn address_of(uri: &[u8]) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    Some(SocketAddr::new(uri.host_ip()?, uri.port.unwrap_or(5060)))
}

pub(in crate::proxy::script) fn ds_is_active(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let Some(set) = set_number(arguments).and_then(|set| act.core.sets.get(set)) else {
        return Outcome::FALSE;
    };
    let uri = text(arguments, 1).map(|uri| machine.bytes(uri));
    if is_given(arguments, 1) && uri.is_none() {
        return Outcome::FALSE;
    }
    let mut all = set.destinations.iter();
    all.any(|one| one.is_usable() && uri.is_none_or(|uri| uri == one.uri.as_bytes()))
        .into()
}

pub(in crate::proxy::script) fn ds_dsg_fetch(
    act: &mut Act<'_>,
    arguments: &[Argument],
    _: &mut Machine,
) -> Outcome {
    let set = set_number(arguments).and_then(|set| act.core.sets.get(set));
    act.draft.figures = set.map(Figures::of);
    act.draft.figures.is_some().into()
}

/// The figures of a set: `$dsg(...)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    count: u32,
    active: u32,
    inactive: u32,
}

impl Figures {
    fn of(set: &Set) -> Self {
        let active = set.destinations.iter().filter(|one| {
            let flags = one.health().flags;
            flags.0 & (Flags::INACTIVE | Flags::DISABLED) == 0
        });
        let active = active.count() as u32;
        let count = set.len() as u32;
        Self {
            count,
            active,
            inactive: count - active,
        }
    }

    /// By the place of the table's words: count, active, inactive, and both in percent.
    pub(super) fn word(self, word: u16) -> Option<i64> {
        let percent = |part: u32| i64::from(part) * 100 / i64::from(self.count.max(1));
        Some(match word {
            0 => i64::from(self.count),
            1 => i64::from(self.active),
            2 => i64::from(self.inactive),
            3 => percent(self.active),
            4 => percent(self.inactive),
            _ => return None,
        })
    }
}
