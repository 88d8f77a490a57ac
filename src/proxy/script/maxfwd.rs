//! Module `maxfwd`: Max-Forwards.

use super::{Function, function, number};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;

pub(super) const FUNCTIONS: &[Function] = &[
    function("mf_process_maxfwd_header", process),
    function("maxfwd_process", process),
    function("process_maxfwd", process),
    function("is_maxfwd_lt", is_below),
    function("mf_lowlimit", is_below),
    function("maxfwd_at_least", is_at_least),
];

/// Kamailio's codes: 1 counted down, 2 added, -1 it was 0.
fn process(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let most = i64::from(act.core.modules.max_forwards_limit);
    let first = number(arguments, 0).unwrap_or(most).clamp(1, 255);
    let Some(request) = act.request else {
        return Outcome::FALSE;
    };
    if !request.has_max_forwards() {
        act.draft.max_forwards = Some(first as u32);
        return Outcome::Code(2);
    }
    match request.max_forwards.checked_sub(1) {
        Some(left) => {
            act.draft.max_forwards = Some(left.min(most as u32));
            Outcome::TRUE
        }
        None => Outcome::FALSE,
    }
}

fn is_below(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let bound = number(arguments, 0).unwrap_or(0);
    (i64::from(act.max_forwards()) < bound).into()
}

fn is_at_least(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let bound = number(arguments, 0).unwrap_or(0);
    (i64::from(act.max_forwards()) >= bound).into()
}
