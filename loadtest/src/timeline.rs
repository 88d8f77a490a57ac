//! A run second by second: small enough to keep for days, whole enough for tables and pictures.

use std::time::Duration;

use hdrhistogram::Histogram;
use sipshard::agent::CallerCounts;

use crate::script::report::Causes;

/// A histogram's figures that pictures over time are made of, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Digest {
    /// How many values there are.
    pub number: u64,
    /// Their mean.
    pub mean: f64,
    /// Their percentiles at [`QUANTILES`].
    pub at: [u64; QUANTILES.len()],
}

/// The quantiles of a [`Digest`]; the last is the greatest value.
pub const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];
/// What they are called.
pub const QUANTILE_NAMES: [&str; QUANTILES.len()] = ["p50", "p90", "p99", "p99.9", "max"];

impl Digest {
    /// Of one histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            number: histogram.len(),
            mean: histogram.mean(),
            at: QUANTILES.map(|quantile| histogram.value_at_quantile(quantile)),
        }
    }
}

/// One second of a run, or what is left of one at the end.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// When it ended, from the begin of the schedule.
    pub at: Duration,
    /// The callers' counts so far.
    pub counts: CallerCounts,
    /// Why calls of a script failed so far.
    pub causes: Causes,
    /// Calls that the gateways saw so far.
    pub gateway_calls: u64,
    /// Calls that ended at the gateways so far.
    pub gateway_ended: u64,
    /// Calls under way at the gateways.
    pub gateway_live: u64,
    /// Answer times of this second, from the schedule.
    pub answers: Digest,
    /// Times of a script's timers behind its first, as [`Digest`]s of this second.
    pub timers: Box<[Digest]>,
}

/// How the first line of [`csv`] begins: the names stay, and new ones come last.
pub const CSV_HEADER: &str = "seconds,calls,rate,live,completed,failed,skipped,retransmissions,\
    answers,mean_ms,p50_ms,p90_ms,p99_ms,p99.9_ms,max_ms";

/// The whole run as CSV, a line for each second. Counts are totals so far, `rate` and the times are those of
/// the second. `timers` are the names of a script's timers behind its first, whose times have no name.
pub fn csv(seconds: &[Second], timers: &[String]) -> String {
    use std::fmt::Write as _;
    let mut out = CSV_HEADER.to_owned();
    // Writing to a string cannot fail.
    for timer in timers {
        let _ = write!(out, ",{timer}_number,{timer}_mean_ms");
        for quantile in QUANTILE_NAMES {
            let _ = write!(out, ",{timer}_{quantile}_ms");
        }
    }
    out.push('\n');
    let none = Second::default();
    let mut before = &none;
    for second in seconds {
        let counts = &second.counts;
        let span = second.at.saturating_sub(before.at).as_secs_f64();
        let begun = counts.started.saturating_sub(before.counts.started);
        let rate = if span > 0.0 { begun as f64 / span } else { 0.0 };
        let _ = write!(
            out,
            "{:.3},{},{rate:.1},{},{},{},{},{}",
            second.at.as_secs_f64(),
            counts.started,
            counts.live,
            counts.successful(),
            counts.failed,
            counts.skipped,
            counts.retransmissions(),
        );
        for times in [&second.answers].into_iter().chain(&second.timers) {
            let _ = write!(out, ",{},{:.6}", times.number, times.mean / 1e6);
            for value in times.at {
                let _ = write!(out, ",{:.6}", value as f64 / 1e6);
            }
        }
        out.push('\n');
        before = second;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_is_a_line_with_its_own_rate() {
        let second = |at, started| Second {
            at: Duration::from_millis(at),
            counts: CallerCounts {
                started,
                ..CallerCounts::default()
            },
            ..Second::default()
        };
        let text = csv(&[second(1_000, 100), second(1_500, 150)], &[]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("1.000,100,100.0,"), "{text}");
        assert!(lines[2].starts_with("1.500,150,100.0,"), "{text}");
        let columns = |line: &str| line.split(',').count();
        assert!(
            lines
                .iter()
                .all(|line| columns(line) == columns(CSV_HEADER))
        );
    }

    #[test]
    fn each_timer_has_columns_of_its_own() {
        let mut times = sipshard::agent::latency::new_histogram();
        times.record(2_000_000).unwrap();
        let second = Second {
            timers: [Digest::default(), Digest::of(&times)].into(),
            ..Second::default()
        };
        let text = csv(&[second], &["timer-a".to_owned(), "timer-b".to_owned()]);
        let (names, values) = text.trim_end().split_once('\n').unwrap();
        let timers = names.strip_prefix(CSV_HEADER).unwrap();
        assert!(timers.starts_with(",timer-a_number,timer-a_mean_ms,timer-a_p50_ms"));
        assert!(timers.ends_with(",timer-b_p99.9_ms,timer-b_max_ms"));
        let columns: Vec<(&str, &str)> = names.split(',').zip(values.split(',')).collect();
        assert_eq!(columns.len(), values.split(',').count());
        let value = |name: &str| {
            let found = columns.iter().find(|(known, _)| *known == name);
            found.unwrap().1.parse::<f64>().unwrap()
        };
        assert!(value("timer-a_number").abs() < 1e-9);
        assert!((value("timer-b_number") - 1.0).abs() < 1e-9);
        assert!((value("timer-b_max_ms") - 2.0).abs() < 0.01);
    }
}
