//! Module `dispatcher`: choosing destinations, their states, and what is told of them.

mod chosen;
mod membership;

pub use membership::Figures;

use std::time::Duration;

use super::{Function, Variable, function, is_given, number, text};
use crate::dispatch::{Destination, Flags, Origin, SetId};
use crate::load::Hold;
use crate::proxy::act::{Act, Aim};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;

pub(super) const VARIABLES: &[Variable] = chosen::VARIABLES;

pub(super) const FUNCTIONS: &[Function] = &[
    function("ds_select_dst", |act, arguments, machine| {
        select(act, arguments, machine, Aim::NextHop)
    }),
    function("ds_select_domain", |act, arguments, machine| {
        select(act, arguments, machine, Aim::Domain)
    }),
    function("ds_select", |act, arguments, machine| {
        select(act, arguments, machine, Aim::Nothing)
    }),
    function("ds_select_routes", ds_select_routes),
    function("ds_next_dst", |act, _, _| {
        act.select_next(Aim::NextHop).is_ok().into()
    }),
    function("ds_next_domain", |act, _, _| {
        act.select_next(Aim::Domain).is_ok().into()
    }),
    function("ds_set_dst", |act, _, _| act.aim_again(Aim::NextHop).into()),
    function("ds_set_domain", |act, _, _| {
        act.aim_again(Aim::Domain).into()
    }),
    function("ds_mark_dst", ds_mark_dst),
    function("ds_mark_addr", ds_mark_addr),
    function("ds_oc_set_attrs", ds_oc_set_attrs),
    function("ds_list_exists", membership::ds_list_exists),
    function("ds_list_exist", membership::ds_list_exists),
    function("ds_is_from_list", membership::ds_is_from_list),
    function("ds_is_active", membership::ds_is_active),
    function("ds_load_update", ds_load_update),
    function("ds_load_unset", ds_load_unset),
    function("ds_reload", ds_reload),
    function("ds_dsg_fetch", membership::ds_dsg_fetch),
    function("ds_follow_call", |act, _, _| act.follow_call().into()),
    function("ds_is_failure_ack", |act, _, _| {
        act.acknowledges_failure().into()
    }),
    function("ds_next_after", ds_next_after),
];

/// Kamailio's codes: 1 chosen, 2 (algorithm 12) not all branches could be added, -1 none.
fn select(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine, aim: Aim) -> Outcome {
    let (Some(set), Some(algorithm)) = (number(arguments, 0), number(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let limit = number(arguments, 2).unwrap_or(0);
    select_from(act, set, algorithm, limit, aim, machine)
}

fn select_from(
    act: &mut Act<'_>,
    set: i64,
    algorithm: i64,
    limit: i64,
    aim: Aim,
    machine: &mut Machine,
) -> Outcome {
    let (Ok(set), Ok(algorithm)) = (set.try_into(), algorithm.try_into()) else {
        return Outcome::FALSE;
    };
    // What algorithm 7 hashes is text of the configuration's making.
    let variable = machine.program().hash_pvar();
    let variable = variable.map(|format| machine.format(act, format));
    let variable = variable.map(|text| machine.bytes(text));
    let limit = u32::try_from(limit).unwrap_or(0);
    match act.select(set, algorithm, limit, aim, variable) {
        Ok(true) => Outcome::TRUE,
        Ok(false) => Outcome::Code(2),
        Err(_) => Outcome::FALSE,
    }
}

/// The first rule of `1=4;2=8` by which there is a destination.
fn ds_select_routes(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(rules), Some(mode)) = (text(arguments, 0), text(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let aim = match machine.bytes(mode).first() {
        Some(b'0' | b'd' | b'D') => Aim::NextHop,
        Some(b'1' | b'r' | b'R') => Aim::Domain,
        Some(b'2' | b'x' | b'X') => Aim::Nothing,
        _ => return Outcome::FALSE,
    };
    let limit = number(arguments, 2).unwrap_or(0);
    let mut start = 0;
    while start < rules.len() {
        let bytes = machine.bytes(rules.part(start, usize::MAX));
        let end = bytes.iter().position(|&byte| byte == b';');
        let rule = &bytes[..end.unwrap_or(bytes.len())];
        start += rule.len() + 1;
        let Some((set, algorithm)) = rule_of(rule) else {
            return Outcome::FALSE;
        };
        let outcome = select_from(act, set, algorithm, limit, aim, machine);
        if outcome != Outcome::FALSE {
            return outcome;
        }
    }
    Outcome::FALSE
}

fn rule_of(rule: &[u8]) -> Option<(i64, i64)> {
    let (set, algorithm) = std::str::from_utf8(rule).ok()?.split_once('=')?;
    Some((set.trim().parse().ok()?, algorithm.trim().parse().ok()?))
}

/// Without an argument: inactive.
fn ds_mark_dst(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let flags = if is_given(arguments, 0) {
        let state = text(arguments, 0).map(|state| machine.bytes(state));
        state.and_then(|state| Flags::parse_script(std::str::from_utf8(state).ok()?))
    } else {
        let probing = if act.core.settings.probes_marked {
            Flags::PROBING
        } else {
            0
        };
        Some(Flags(Flags::INACTIVE | probing))
    };
    let (Some(flags), Some(destination)) = (flags, act.current_destination()) else {
        return Outcome::FALSE;
    };
    let thresholds = act.core.settings.thresholds;
    let (before, after) =
        destination.update_health(|health| health.update(flags, Origin::Script, thresholds));
    act.note_state(&destination, before, after);
    Outcome::TRUE
}

fn ds_mark_addr(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(state), Some(set), Some(uri)) =
        (text(arguments, 0), number(arguments, 1), text(arguments, 2))
    else {
        return Outcome::FALSE;
    };
    let state = std::str::from_utf8(machine.bytes(state)).ok();
    let uri = std::str::from_utf8(machine.bytes(uri)).ok();
    let (Some(flags), Some(uri)) = (state.and_then(Flags::parse_script), uri) else {
        return Outcome::FALSE;
    };
    let sets = std::sync::Arc::clone(&act.core.sets);
    let set = SetId::try_from(set).ok().and_then(|set| sets.get(set));
    let Some(destination) = set.and_then(|set| {
        let mut all = set.destinations.iter();
        all.find(|one| one.uri.eq_ignore_ascii_case(uri))
    }) else {
        return Outcome::FALSE;
    };
    let thresholds = act.core.settings.thresholds;
    let (before, after) =
        destination.update_health(|health| health.update(flags, Origin::Script, thresholds));
    act.note_state(destination, before, after);
    Outcome::TRUE
}

/// How long an overload rate holds if the script does not say.
const OVERLOAD_MILLISECONDS: u64 = 500;

/// Kamailio's codes: 1 set, -1 no such set, -2 nobody of this URI who has not heard of a newer rate.
fn ds_oc_set_attrs(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(set), Some(uri), Some(rate), Some(span), Some(sequence)) = (
        number(arguments, 0),
        text(arguments, 1),
        number(arguments, 2),
        number(arguments, 3),
        number(arguments, 4),
    ) else {
        return Outcome::FALSE;
    };
    let set = SetId::try_from(set).ok();
    let Some(set) = set.and_then(|set| act.core.sets.get(set)) else {
        return Outcome::FALSE;
    };
    let rate = rate.clamp(0, 100) as u32;
    let span = if span > 0 {
        span.unsigned_abs()
    } else {
        OVERLOAD_MILLISECONDS
    };
    let until = act.now + Duration::from_millis(span);
    let sequence = u64::try_from(sequence).unwrap_or(0);
    let uri = machine.bytes(uri);
    let of_this_uri =
        |one: &&std::sync::Arc<Destination>| one.uri.as_bytes().eq_ignore_ascii_case(uri);
    let named = set.destinations.iter().filter(of_this_uri);
    let hearing = named.filter(|one| one.set_overload(rate, until, sequence));
    if hearing.count() > 0 {
        Outcome::TRUE
    } else {
        Outcome::Code(-2)
    }
}

/// Calls are counted whatever a script does: there is nothing left to do.
fn ds_load_update(_: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    Outcome::TRUE
}

/// The call is not counted any more. One that was only chosen for stays chosen.
fn ds_load_unset(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    if let Some(hold) = act.draft.hold.take() {
        let destination = std::sync::Arc::clone(hold.destination());
        let was_counted = hold.is_counted();
        act.draft.hold = Some(Hold::Pinned(destination));
        return was_counted.into();
    }
    act.uncount_call().into()
}

fn ds_reload(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    act.out.ask_for_reload();
    Outcome::TRUE
}

/// sipshard's own: the next destination is tried if the one chosen has not answered at all for so
/// many milliseconds, or is found dead while it rings. Without a next one, it may still answer.
fn ds_next_after(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let span = number(arguments, 0).filter(|span| *span > 0);
    act.draft.patience.silence = span.map(|span| Duration::from_millis(span.unsigned_abs()));
    Outcome::TRUE
}
