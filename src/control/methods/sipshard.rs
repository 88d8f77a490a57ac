//! `sipshard.*`: what the peers have no method for.

// The table's functions have one form, those that cannot fail too.
#![allow(clippy::unnecessary_wraps)]

use super::{Answer, Arguments};
use crate::control::director::Director;
use crate::control::value::{Name, Value};
use crate::plane::steering::ebpf::OUTCOME_NAMES;

/// The rung, why not a better one, and the counters. Classic BPF cannot count: it has no `KERNEL`.
pub(super) fn steering(director: &Director, _: Arguments<'_>) -> Answer {
    let (report, counters) = (director.steering(), director.counters());
    let mut members = vec![
        named("ASKED", Value::text(report.asked.to_string())),
        named("RUNG", Value::text(report.rung.to_string())),
    ];
    for cause in &report.passed_over {
        members.push(named("PASSED_OVER", Value::text(cause)));
    }
    if let Some(reach) = report.reach {
        members.push(named("SCANNED_BYTES", reach.scanned_bytes.into()));
        members.push(named("CALL_ID_BYTES", reach.call_id_bytes.into()));
    }
    members.push(named("RECEIVED", counters.received.into()));
    members.push(named("HANDED_OFF", counters.handed_out.into()));
    if report.reach.is_some() {
        let reasons = [
            ("OUT_OF_REACH", counters.missed_out_of_reach.into()),
            ("TOO_LONG", counters.missed_too_long.into()),
            ("OTHER", counters.missed_other.into()),
        ];
        members.push(named("MISSED", Value::members(reasons)));
    }
    if let Some(outcomes) = report.outcomes {
        let outcomes = OUTCOME_NAMES.into_iter().zip(outcomes);
        let outcomes = outcomes.map(|(name, count)| named(name, count.into()));
        members.push(named("KERNEL", Value::Struct(outcomes.collect())));
    }
    Ok(vec![Value::Struct(members)])
}

fn named(name: &'static str, value: Value) -> (Name, Value) {
    (Name::Borrowed(name), value)
}
