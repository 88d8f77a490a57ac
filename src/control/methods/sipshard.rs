//! `sipshard.*`: what the peers have no method for.

// The table's functions have one form, those that cannot fail too.
#![allow(clippy::unnecessary_wraps)]

use super::{Answer, Arguments};
use crate::control::director::Director;
use crate::control::value::{Fault, Name, Value};
use crate::plane::steering::ebpf::OUTCOME_NAMES;
use crate::plane::{MessageKind, Stage, Stages};

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

/// Each only grows.
pub(super) fn counters(director: &Director, _: Arguments<'_>) -> Answer {
    let counted = director.shard_counters();
    Ok(vec![Value::members([
        ("requests", counted.requests.into()),
        ("replies", counted.replies.into()),
        ("keepalives", counted.keepalives.into()),
        ("relayed_requests", counted.relayed_requests.into()),
        ("relayed_replies", counted.relayed_replies.into()),
        ("own_answers", counted.own_answers.into()),
        ("refused_calls", counted.refused_calls.into()),
        ("repeats", counted.repeats.into()),
        ("failovers", counted.failovers.into()),
        ("expired_calls", counted.expired_calls.into()),
        ("stopped_scripts", counted.stopped_scripts.into()),
        ("dropped_garbage", counted.dropped_garbage.into()),
        (
            "dropped_stray_replies",
            counted.dropped_stray_replies.into(),
        ),
        ("dropped_stray_acks", counted.dropped_stray_acks.into()),
        ("dropped_no_way_back", counted.dropped_no_way_back.into()),
    ])])
}

/// For each stage each kind of which there was something. With `reset` what is shown is forgotten.
pub(super) fn latency(director: &Director, arguments: Arguments<'_>) -> Answer {
    let reset = match arguments.text(0) {
        None => false,
        Some("reset") => true,
        Some(other) => return Err(Fault::bad_request(format!("{other} is not reset"))),
    };
    let stages = director.stages(reset);
    let of_stage = |stage: Stage| {
        let kinds = MessageKind::ALL.into_iter();
        let rows = kinds.filter_map(|kind| Some((kind, row(&stages, stage, kind)?)));
        let rows = rows.map(|(kind, row)| named(kind.name(), row));
        (Name::Borrowed(stage.name()), Value::Struct(rows.collect()))
    };
    let members = Stage::ALL.into_iter().map(of_stage);
    Ok(vec![Value::Struct(members.collect())])
}

fn row(stages: &Stages, stage: Stage, kind: MessageKind) -> Option<Value> {
    let times = stages.histogram(stage, kind)?;
    let longest = stages.longest(stage, kind);
    let microseconds = |nanos: u64| Value::Double(nanos as f64 / 1e3);
    // A quantile is the middle of a step, the longest time is exact: the one may seem to pass the other.
    let quantile = |at: f64| {
        let nanos = times.value_at_quantile(at);
        microseconds(nanos.min(longest.as_nanos() as u64))
    };
    Some(Value::members([
        ("COUNT", times.len().into()),
        ("P50", quantile(0.5)),
        ("P90", quantile(0.9)),
        ("P99", quantile(0.99)),
        ("P99.9", quantile(0.999)),
        ("MAX", microseconds(longest.as_nanos() as u64)),
    ]))
}

fn named(name: &'static str, value: Value) -> (Name, Value) {
    (Name::Borrowed(name), value)
}
