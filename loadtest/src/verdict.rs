//! The thresholds of a run: what was measured for each, and whether it was met.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use sipshard::agent::{CallerReport, Latency};

use crate::options::Options;
use crate::options::threshold::{Counted, Figure, Limit, Measure, Threshold, Times};
use crate::summary::Summary;

/// Calls that did not go as they should, and calls in all; skipped calls and calls that were still under
/// way at the end are among both. Without callers, the gateways' word counts.
pub fn failures(summary: &Summary) -> (u64, u64) {
    if let Some(caller) = &summary.caller {
        let counts = &caller.counts;
        let failed = counts.failed + counts.skipped + counts.live;
        return (failed, counts.started + counts.skipped);
    }
    if let Some(script) = &summary.script {
        // Whoever waits for calls is ended from outside, with some under way.
        let counts = &script.caller.counts;
        return (counts.failed, counts.started);
    }
    let counts = || summary.gateways.iter().map(|(_, report)| &report.counts);
    (
        counts()
            .map(|one| one.unacked + one.bye_timeouts + one.full)
            .sum(),
        counts().map(|one| one.invites + one.full).sum(),
    )
}

/// Calls begun a second, from the first that was due to the last; `None` of fewer than two.
pub fn reached_rate(summary: &Summary) -> Option<f64> {
    let caller = summary.caller.as_ref()?;
    let starting = caller.last_start.since(summary.begin).as_secs_f64();
    let begun = caller.counts.started.saturating_sub(1);
    (starting > 0.0 && begun > 0).then(|| begun as f64 / starting)
}

/// One threshold and what was measured for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The threshold.
    pub threshold: String,
    /// What was measured.
    pub measured: String,
    /// Whether it was met. Of nothing, no threshold is met.
    pub met: bool,
}

/// All thresholds of a run: those of options of their own first.
pub fn thresholds(options: &Options) -> Vec<Threshold> {
    let limits = &options.limits;
    let is_named = limits
        .threshold
        .iter()
        .any(|one| one.measure == Measure::Count(Counted::Failed));
    let failed = limits.max_failed.or((!is_named).then_some(0.0));
    let answer = limits
        .max_p99_answer
        .map(|most| Threshold::p99(Times::Answer, most));
    let lateness = limits
        .max_p99_lateness
        .map(|most| Threshold::p99(Times::Lateness, most));
    failed
        .map(Threshold::failed)
        .into_iter()
        .chain(answer)
        .chain(lateness)
        .chain(limits.threshold.iter().cloned())
        .collect()
}

/// Refuses thresholds for what such a run does not measure.
///
/// # Errors
/// The first of them.
pub fn check_measurable(options: &Options) -> Result<()> {
    for threshold in thresholds(options) {
        if let Some(why) = not_measured(options, &threshold.measure) {
            bail!("the threshold {threshold}: {why}");
        }
    }
    Ok(())
}

/// Why a run does not measure this; `None` if it does.
fn not_measured(options: &Options, measure: &Measure) -> Option<String> {
    let program = options.scenario.program.as_ref();
    let times = match measure {
        Measure::Count(Counted::Calls | Counted::Failed) => return None,
        Measure::Count(_) if program.is_some() => return None,
        Measure::Time { times, .. } => Some(times),
        Measure::Count(_) | Measure::Late(_) | Measure::Rate => None,
    };
    match (times, program) {
        (Some(Times::Timer(name)), Some(program)) => {
            let is_known = program.timers.contains(name);
            (!is_known).then(|| format!("the scenario has no rtd=\"{name}\""))
        }
        (Some(Times::Timer(_)), None) => Some("only a script (-sf) has timers".to_owned()),
        (Some(Times::Setup | Times::Bye), Some(_)) => {
            Some("a script measures only its timers: rtd:NAME".to_owned())
        }
        (Some(Times::Answer), Some(program)) if program.timers.is_empty() => {
            Some("the scenario has no rtd".to_owned())
        }
        _ => (!options.role.calls()).then(|| "only callers measure it".to_owned()),
    }
}

/// What was measured for each threshold.
pub fn checks(options: &Options, summary: &Summary) -> Vec<Check> {
    let check = |threshold: &Threshold| check(threshold, summary);
    thresholds(options).iter().map(check).collect()
}

/// Each missed threshold as a sentence.
pub fn missed(checks: &[Check]) -> Vec<String> {
    let missed = checks.iter().filter(|check| !check.met);
    missed
        .map(|check| format!("missed: {}: {}", check.threshold, check.measured))
        .collect()
}

fn check(threshold: &Threshold, summary: &Summary) -> Check {
    let (value, measured) = match &threshold.measure {
        Measure::Time {
            figure,
            times,
            from_sending,
        } => time(summary, *figure, times, *from_sending),
        Measure::Late(than) => late(summary, *than, threshold.limit),
        Measure::Count(counted) => count(summary, *counted, threshold.limit),
        Measure::Rate => {
            let rate = reached_rate(summary);
            (
                rate,
                rate.map_or_else(String::new, |rate| format!("{rate:.1}")),
            )
        }
    };
    let limit = match threshold.limit {
        Limit::Millis(limit) | Limit::Percent(limit) | Limit::Number(limit) => limit,
    };
    Check {
        threshold: threshold.to_string(),
        measured: if value.is_some() {
            measured
        } else {
            "nothing was measured".to_owned()
        },
        met: value.is_some_and(|value| threshold.relation.holds(value, limit)),
    }
}

/// The counts and times of the callers, or of a script that waits for calls.
fn counting(summary: &Summary) -> Option<&CallerReport> {
    let script = summary.script.as_ref().map(|script| &script.caller);
    summary.caller.as_ref().or(script)
}

fn time(
    summary: &Summary,
    figure: Figure,
    times: &Times,
    from_sending: bool,
) -> (Option<f64>, String) {
    let of = |latency: &Latency| {
        let histogram = if from_sending {
            &latency.sent
        } else {
            &latency.scheduled
        };
        figure_of(histogram, figure)
    };
    let report = counting(summary);
    let value = match times {
        Times::Setup => report.and_then(|report| of(&report.setup)),
        Times::Answer => report.and_then(|report| of(&report.answer)),
        Times::Bye => report.and_then(|report| of(&report.bye)),
        Times::Lateness => report.and_then(|report| figure_of(&report.lateness, figure)),
        Times::Timer(name) => {
            let timers = summary.script.iter().flat_map(|script| &script.timers);
            let mut timers = timers.filter(|(known, _)| known == name);
            timers.next().and_then(|(_, latency)| of(latency))
        }
    };
    let text = value.map_or_else(String::new, |value| format!("{value:.3} ms"));
    (value, text)
}

/// In milliseconds; `None` of nothing.
fn figure_of(histogram: &Histogram<u64>, figure: Figure) -> Option<f64> {
    let nanos = match figure {
        _ if histogram.is_empty() => return None,
        Figure::Mean => histogram.mean(),
        Figure::Quantile(quantile) => histogram.value_at_quantile(quantile) as f64,
    };
    Some(nanos / 1e6)
}

fn late(summary: &Summary, than: Duration, limit: Limit) -> (Option<f64>, String) {
    let Some(lateness) = counting(summary).map(|report| &report.lateness) else {
        return (None, String::new());
    };
    if lateness.is_empty() {
        return (None, String::new());
    }
    let nanos = u64::try_from(than.as_nanos()).unwrap_or(u64::MAX);
    let late = lateness.count_between(nanos.saturating_add(1), u64::MAX);
    part(late, lateness.len(), limit)
}

fn count(summary: &Summary, counted: Counted, limit: Limit) -> (Option<f64>, String) {
    let (failed, calls) = failures(summary);
    // Nothing is missed and nothing is met of no call at all; only their number can be.
    if calls == 0 && counted != Counted::Calls {
        return (None, String::new());
    }
    let counts = counting(summary).map(|report| &report.counts);
    let number = match (counted, counts) {
        (Counted::Calls, _) => calls,
        (Counted::Failed, _) => failed,
        (_, None) => return (None, String::new()),
        (Counted::Successful, Some(counts)) => counts.successful(),
        (Counted::Skipped, Some(counts)) => counts.skipped,
        (Counted::Retransmissions, Some(counts)) => counts.retransmissions(),
        (Counted::Unexpected, Some(counts)) => counts.unexpected + counts.malformed,
    };
    part(number, calls, limit)
}

/// A number, or if percent are asked for the part of the whole.
fn part(number: u64, whole: u64, limit: Limit) -> (Option<f64>, String) {
    let mut text = number.to_string();
    if !matches!(limit, Limit::Percent(_)) {
        return (Some(number as f64), text);
    }
    let percent = percentage(number, whole);
    // Writing to a string cannot fail.
    let _ = write!(text, " of {whole} ({percent:.3} %)");
    (Some(percent), text)
}

/// `part` of `whole` in percent; 0 of nothing.
pub fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

#[cfg(test)]
mod tests;
