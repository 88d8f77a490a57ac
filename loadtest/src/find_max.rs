//! `sipload find-max`: the highest rate that a system under test carries cleanly.
//!
//! Short runs at rates that double until one is not clean, then halve the gap, and at the end the best rate
//! once more: what it has carried twice is reported.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::options::Options;
use crate::options::parse::{parse_percent, parse_rate, parse_seconds};
use crate::options::threshold::{Counted, Measure};
use crate::run::run_within;
use crate::summary::Summary;
use crate::verdict::{checks, failures, missed, percentage};

/// What `sipload find-max` is told.
#[derive(Clone, Debug, Args)]
pub struct FindMaxOptions {
    /// No higher rate is tried
    #[arg(long, value_name = "CALLS", default_value_t = 1_000_000.0, value_parser = parse_rate)]
    pub ceiling: f64,

    /// Seconds for which each rate is tried
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub step_time: Duration,

    /// Stop when the gap between the best rate and the least that failed is this small
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = parse_percent)]
    pub precision: f64,

    /// What each run is told. -r is the first rate; --max-failed is 0.1 if it is not named, and less must
    /// fail.
    #[command(flatten)]
    pub run: Options,
}

/// After its time a run has so long to end its calls; those that still live then have failed. Three
/// retransmissions fit in.
const GRACE_T1: u32 = 8;
/// The percentage of failed calls from which on a rate is not clean.
const CLEAN: f64 = 0.1;
/// A generator that is this late is itself what was measured.
const MOST_LATENESS: Duration = Duration::from_millis(100);
/// How often the best rate is lowered because it could not be repeated.
const MOST_REPEATS: u32 = 5;

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// No rate has failed yet.
    Growing,
    /// Between the best and the least that failed.
    Halving,
    /// The best once more.
    Repeating(u32),
    /// Nothing is left to try.
    Over,
}

/// The search, without the runs.
#[derive(Clone, Debug)]
struct Search {
    phase: Phase,
    rate: f64,
    best: Option<f64>,
    least_bad: f64,
    ceiling: f64,
    /// How far the least bad rate may lie above the best, as a factor.
    gap: f64,
}

impl Search {
    fn new(from: f64, ceiling: f64, precision: f64) -> Self {
        Self {
            phase: Phase::Growing,
            rate: from.min(ceiling),
            best: None,
            least_bad: f64::INFINITY,
            ceiling,
            gap: 1.0 + precision.max(0.1) / 100.0,
        }
    }

    /// The rate to try next; `None` at the end.
    fn next(&self) -> Option<f64> {
        (self.phase != Phase::Over).then_some(self.rate)
    }

    /// Takes the outcome of the rate that was tried.
    fn took(&mut self, clean: bool) {
        if let Phase::Repeating(times) = self.phase {
            if clean {
                self.phase = Phase::Over;
            } else if times >= MOST_REPEATS {
                (self.best, self.phase) = (None, Phase::Over);
            } else {
                self.rate /= self.gap;
                (self.best, self.phase) = (Some(self.rate), Phase::Repeating(times + 1));
            }
            return;
        }
        if clean {
            self.best = Some(self.rate);
        } else {
            self.least_bad = self.rate;
            self.phase = Phase::Halving;
        }
        let Some(best) = self.best else {
            // Not even the first rate: down, for a while.
            self.rate /= 2.0;
            if self.rate < 1.0 {
                self.phase = Phase::Over;
            }
            return;
        };
        let at_the_top = best >= self.ceiling;
        if at_the_top || self.least_bad <= best * self.gap {
            (self.rate, self.phase) = (best, Phase::Repeating(1));
        } else if self.phase == Phase::Growing {
            self.rate = (best * 2.0).min(self.ceiling);
        } else {
            self.rate = f64::midpoint(best, self.least_bad);
        }
    }
}

/// Searches, and prints each step and what was found. Returns what was missed: a clean rate.
///
/// # Errors
/// If a run cannot be made, or a signal ended one.
pub fn command(options: &FindMaxOptions) -> Result<Vec<String>> {
    ensure!(
        options.run.role.calls(),
        "find-max needs callers: --role both or uac"
    );
    for (is_named, name) in [
        (options.run.calls.is_some(), "-m"),
        (options.run.duration.is_some(), "--duration"),
        (options.run.timeout.is_some(), "-timeout"),
        (options.run.schedule.is_some(), "--schedule"),
        (options.run.rate_increase.is_some(), "-rate_increase"),
        (options.run.users.is_some(), "-users"),
        (options.run.reports.report.is_some(), "--report"),
        (options.run.reports.trace_stat, "-trace_stat"),
        (options.run.reports.trace_err, "-trace_err"),
    ] {
        ensure!(!is_named, "find-max has no use for {name}");
    }
    ensure!(
        !options.step_time.is_zero(),
        "--step-time must be above zero"
    );
    let mut search = Search::new(options.run.rate, options.ceiling, options.precision);
    println!(
        "{:>4} {:>10} {:>10} {:>9} {:>10} {:>10} {:>11} {:>11} {:>9}  verdict",
        "step", "calls/s", "calls", "failed %", "retrans", "p50 ms", "p99 ms", "late p99", "CPU us"
    );
    let on_terminal = std::io::stderr().is_terminal();
    let mut step = 0;
    while let Some(rate) = search.next() {
        step += 1;
        if !options.run.quiet {
            // On a terminal the step's row is written over it.
            let end = if on_terminal { "\r" } else { "\n" };
            let seconds = options.step_time.as_secs_f64();
            eprint!("step {step}: {rate:.0} calls/s for {seconds} s ...{end}");
        }
        let summary = attempt(options, rate)?;
        ensure!(!summary.interrupted, "interrupted: the search is not over");
        let verdict = verdict(options, &summary);
        println!("{}", row(step, rate, &summary, &verdict));
        // A pipe that is closed is no reason to stop.
        let _ = std::io::stdout().flush();
        search.took(verdict.is_empty());
    }
    match search.best {
        Some(best) => {
            let limit = if best >= options.ceiling {
                ", the ceiling"
            } else {
                ""
            };
            println!("Highest clean rate: {best:.0} calls/s{limit}");
            Ok(Vec::new())
        }
        None => Ok(vec!["no rate was clean".to_owned()]),
    }
}

fn attempt(options: &FindMaxOptions, rate: f64) -> Result<Summary> {
    let mut run = options.run.clone();
    run.rate = rate;
    run.duration = Some(options.step_time);
    run.quiet = true;
    let grace = run.hold + run.cancel_after + run.ring + run.answer + run.t1 * GRACE_T1;
    run_within(&run, Some(options.step_time + run.ramp + grace))
}

/// Why a run was not clean; empty if it was.
fn verdict(options: &FindMaxOptions, summary: &Summary) -> String {
    let (failed, calls) = failures(summary);
    let mut limits = options.run.clone();
    let named = &limits.limits;
    let failures_named = named.max_failed.is_none()
        && named
            .threshold
            .iter()
            .any(|one| one.measure == Measure::Count(Counted::Failed));
    let most = limits.limits.max_failed.take().unwrap_or(CLEAN);
    if calls == 0 || (!failures_named && percentage(failed, calls) >= most) {
        return "too many failed".to_owned();
    }
    if !failures_named {
        limits.limits.max_failed = Some(100.0);
    }
    let late = summary
        .caller
        .as_ref()
        .map_or(0, |caller| caller.lateness.value_at_quantile(0.99));
    if Duration::from_nanos(late) > MOST_LATENESS {
        return "the generator was late".to_owned();
    }
    missed(&checks(&limits, summary)).join("; ")
}

fn row(step: u32, rate: f64, summary: &Summary, verdict: &str) -> String {
    let (failed, calls) = failures(summary);
    let millis = |quantile: f64, late: bool| {
        summary.caller.as_ref().map_or(0.0, |caller| {
            let times = if late {
                &caller.lateness
            } else {
                &caller.answer.scheduled
            };
            times.value_at_quantile(quantile) as f64 / 1e6
        })
    };
    let again = summary
        .caller
        .as_ref()
        .map_or(0, |caller| caller.counts.retransmissions());
    format!(
        "{step:>4} {rate:>10.0} {calls:>10} {:>9.3} {again:>10} {:>10.3} {:>11.3} {:>11.3} {:>9.1}  {}",
        percentage(failed, calls),
        millis(0.5, false),
        millis(0.99, false),
        millis(0.99, true),
        summary.cpu.as_secs_f64() * 1e6 / calls.max(1) as f64,
        if verdict.is_empty() { "clean" } else { verdict },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best rate of a system that carries `limit`, and the rates that were tried.
    fn search(from: f64, ceiling: f64, limit: f64) -> (Option<f64>, Vec<f64>) {
        let mut search = Search::new(from, ceiling, 5.0);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            assert!(tried.len() < 60, "{tried:?}");
            search.took(rate <= limit);
        }
        (search.best, tried)
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for (from, limit) in [(100.0, 3_333.0), (100.0, 101.0), (50_000.0, 777.0)] {
            let (best, tried) = search(from, 1e6, limit);
            let best = best.unwrap();
            assert!(
                best <= limit && best * 1.06 >= limit,
                "{best} of {limit}: {tried:?}"
            );
            // The last one repeats the best.
            assert!((tried[tried.len() - 1] - best).abs() < 1e-9);
        }
    }

    #[test]
    fn the_ceiling_is_not_passed() {
        let (best, tried) = search(100.0, 1_000.0, f64::INFINITY);
        assert_eq!(best, Some(1_000.0));
        assert!(tried.iter().all(|rate| *rate <= 1_000.0));
    }

    #[test]
    fn nothing_clean_comes_to_an_end() {
        assert_eq!(search(100.0, 1e6, 0.0).0, None);
    }

    #[test]
    fn a_rate_that_cannot_be_repeated_is_lowered() {
        let mut search = Search::new(100.0, 1e6, 5.0);
        let mut repeats = 0;
        while let Some(rate) = search.next() {
            let repeating = matches!(search.phase, Phase::Repeating(_));
            repeats += u32::from(repeating);
            search.took(if repeating {
                rate < 900.0
            } else {
                rate <= 1_000.0
            });
        }
        assert!(search.best.unwrap() < 900.0 && repeats > 1);
    }
}
