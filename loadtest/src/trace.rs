//! SIPp's statistics file: the columns of its `-trace_stat`, so that scripts made for it go on working.
//!
//! Columns end in (P) for the period since the line before, or (C) for the run so far. Times are UTC. What
//! cannot happen here (TCP, watchdogs) stands as 0.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use sipshard::agent::{Latency, Recent, latency};

use crate::options::Options;
use crate::script::program::Repartition;
use crate::script::report::{CAUSES, Cause};
use crate::target::Target;
use crate::timeline::Second;

/// Upper bounds of SIPp's default scenarios, in milliseconds.
const RESPONSE_BOUNDS: [u64; 8] = [10, 20, 30, 40, 50, 100, 150, 200];
const LENGTH_BOUNDS: [u64; 7] = [10, 50, 100, 500, 1_000, 5_000, 10_000];
/// What the built-in agents' only timer is called.
const TIMER: &str = "1";

/// A counter that has a column for the period and one for the run.
type Counter = (&'static str, fn(&Second) -> u64);

/// What stands before `TotalCallCreated`.
const CREATED: &[Counter] = &[
    ("IncomingCall", |second| second.gateway_calls),
    ("OutgoingCall", |second| second.counts.started),
];

/// What stands after `CurrentCall`.
const COUNTERS: &[Counter] = &[
    ("SuccessfulCall", successful),
    ("FailedCall", |second| {
        second.counts.failed + second.counts.skipped
    }),
    ("FailedCannotSendMessage", none),
    ("FailedMaxUDPRetrans", |second| {
        let counts = &second.counts;
        counts.invite_timeouts + counts.bye_timeouts + cause(second, Cause::MaxRetrans)
    }),
    ("FailedTcpConnect", none),
    ("FailedTcpClosed", none),
    ("FailedUnexpectedMessage", unexpected),
    ("FailedCallRejected", none),
    ("FailedCmdNotSent", none),
    ("FailedRegexpDoesntMatch", |second| {
        cause(second, Cause::RegexpNoMatch)
    }),
    ("FailedRegexpShouldntMatch", |second| {
        cause(second, Cause::RegexpMatch)
    }),
    ("FailedRegexpHdrNotFound", |second| {
        cause(second, Cause::RegexpNoHeader)
    }),
    ("FailedOutboundCongestion", |second| second.counts.skipped),
    ("FailedTimeoutOnRecv", |second| {
        let counts = &second.counts;
        counts.ring_timeouts + counts.bye_missing + cause(second, Cause::RecvTimeout)
    }),
    ("FailedTimeoutOnSend", none),
    ("FailedTestDoesntMatch", |second| {
        cause(second, Cause::TestFailed)
    }),
    ("FailedTestShouldntMatch", |second| {
        cause(second, Cause::TestHeld)
    }),
    ("FailedStrcmpDoesntMatch", none),
    ("FailedStrcmpShouldntMatch", none),
    ("OutOfCallMsgs", |second| {
        second.counts.unexpected + second.counts.malformed
    }),
    ("DeadCallMsgs", |second| second.counts.late),
    ("Retransmissions", |second| second.counts.retransmissions()),
    ("AutoAnswered", none),
    ("Warnings", none),
    ("FatalErrors", none),
    ("WatchdogMajor", none),
    ("WatchdogMinor", none),
];

fn none(_: &Second) -> u64 {
    0
}

fn successful(second: &Second) -> u64 {
    let counts = &second.counts;
    if counts.started == 0 {
        second.gateway_ended
    } else {
        counts.successful()
    }
}

/// Calls of a script that failed for this.
fn cause(second: &Second, cause: Cause) -> u64 {
    let causes = CAUSES.iter().zip(second.causes);
    causes
        .map(|((known, _), number)| if *known == cause { number } else { 0 })
        .sum()
}

/// Calls that failed by a message that was not wanted: whatever no other column counts.
fn unexpected(second: &Second) -> u64 {
    let counts = &second.counts;
    let others =
        counts.invite_timeouts + counts.bye_timeouts + counts.ring_timeouts + counts.bye_missing;
    let of_scripts: u64 = second.causes.iter().sum();
    let scripted = [Cause::Unexpected, Cause::Challenge, Cause::Stopped];
    let scripted: u64 = scripted.into_iter().map(|one| cause(second, one)).sum();
    scripted + counts.failed.saturating_sub(others + of_scripts)
}

/// The file, and what its next line is made of.
pub struct Trace {
    file: BufWriter<File>,
    started: SystemTime,
    target: Target,
    period: Duration,
    /// When the next line is due.
    due: Duration,
    /// The line before the next one.
    before: Second,
    last: Second,
    /// Names of the timers.
    timers: Vec<String>,
    bounds: Repartition,
    /// Of this period, and of the run so far.
    recent: Times,
    total: Times,
}

/// How long answers and calls took, in nanoseconds.
#[derive(Clone)]
struct Times {
    /// From sending, for each timer.
    timers: Vec<Histogram<u64>>,
    length: Histogram<u64>,
}

impl Times {
    fn new(timers: usize) -> Self {
        Self {
            timers: vec![latency::new_histogram(); timers],
            length: latency::new_histogram(),
        }
    }

    fn merge(&mut self, first: &Recent, others: &[Latency]) {
        let times = std::iter::once(&first.answer).chain(others);
        for (sum, one) in self.timers.iter_mut().zip(times) {
            latency::add(sum, &one.sent);
        }
        latency::add(&mut self.length, &first.length);
    }
}

impl Trace {
    /// Opens the file if the options ask for it, and writes the names of the columns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(options: &Options, started: SystemTime) -> Result<Option<Self>> {
        let reports = &options.reports;
        if !reports.trace_stat {
            return Ok(None);
        }
        let default = || PathBuf::from(format!("sipload_{}_.csv", std::process::id()));
        let path = reports.stf.clone().unwrap_or_else(default);
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let (timers, bounds) = match &options.scenario.program {
            Some(program) => (program.timers.clone(), program.repartition.clone()),
            None => (
                vec![TIMER.to_owned()],
                Repartition {
                    response: RESPONSE_BOUNDS.to_vec(),
                    length: LENGTH_BOUNDS.to_vec(),
                },
            ),
        };
        let mut trace = Self {
            file: BufWriter::new(file),
            started,
            target: Target::of(options),
            period: reports.fd,
            due: reports.fd,
            before: Second::default(),
            last: Second::default(),
            recent: Times::new(timers.len()),
            total: Times::new(timers.len()),
            timers,
            bounds,
        };
        let names = header(&trace.timers, &trace.bounds);
        trace.file.write_all(names.as_bytes())?;
        trace.file.flush()?;
        Ok(Some(trace))
    }

    /// Takes a second and its times, those of a script's timers behind the first by themselves; writes a line if
    /// a period is over.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, second: &Second, recent: &Recent, timers: &[Latency]) -> Result<()> {
        self.recent.merge(recent, timers);
        self.total.merge(recent, timers);
        self.last = second.clone();
        // Seconds end late by more or less, never early. Lines keep to multiples of the period, so that one
        // that is late does not swallow the next.
        if second.at >= self.due {
            self.line()?;
            let periods = second.at.as_nanos().checked_div(self.period.as_nanos());
            let next = u32::try_from(periods.unwrap_or(0))
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            self.due = self.period.saturating_mul(next);
        }
        Ok(())
    }

    /// Writes the last, shorter period.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        if self.last.at > self.before.at {
            self.line()?;
        }
        Ok(())
    }

    /// The rate that was asked for in this period. It ends at a whole second, which the threads tell of a bit
    /// later: that bit is no part of it.
    fn target_rate(&self) -> f64 {
        let second = |at: Duration| Duration::from_secs(at.as_secs());
        let (from, until) = (second(self.before.at), second(self.last.at));
        let until = if until > from { until } else { self.last.at };
        (self.target.between(from, until) * 1_000.0).round() / 1_000.0
    }

    fn line(&mut self) -> Result<()> {
        let (now, before) = (&self.last, &self.before);
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{};{};{};{};{};{};{};{};",
            stamp(self.started),
            stamp(self.started + before.at),
            stamp(self.started + now.at),
            clock(whole(now.at).saturating_sub(whole(before.at))),
            clock(whole(now.at)),
            self.target_rate(),
            rate(
                created(now).saturating_sub(created(before)),
                now.at.saturating_sub(before.at)
            ),
            rate(created(now), now.at),
        );
        let both = |out: &mut String, (_, value): &Counter| {
            let period = value(now).saturating_sub(value(before));
            let _ = write!(out, "{period};{};", value(now));
        };
        for counter in CREATED {
            both(&mut out, counter);
        }
        let live = now.counts.live.max(now.gateway_live);
        let _ = write!(out, "{};{live};", created(now));
        for counter in COUNTERS {
            both(&mut out, counter);
        }
        let timers = self.recent.timers.iter().zip(&self.total.timers);
        let length = (&self.recent.length, &self.total.length);
        for (period, whole) in timers.chain([length]) {
            for nanos in [period.mean(), whole.mean(), period.stdev(), whole.stdev()] {
                let micros = (nanos / 1_000.0) as u64;
                let time = clock(Duration::from_micros(micros));
                let _ = write!(out, "{time}:{:06};", micros % 1_000_000);
            }
        }
        for times in &self.total.timers {
            repartition(&mut out, times, &self.bounds.response);
        }
        repartition(&mut out, &self.total.length, &self.bounds.length);
        out.push('\n');
        self.file.write_all(out.as_bytes())?;
        self.file.flush()?;
        self.before = self.last.clone();
        self.recent = Times::new(self.timers.len());
        Ok(())
    }
}

/// With both roles in one process each call has two ends and still is one.
fn created(second: &Second) -> u64 {
    second.counts.started.max(second.gateway_calls)
}

fn rate(calls: u64, span: Duration) -> f64 {
    if span.is_zero() {
        return 0.0;
    }
    (calls as f64 / span.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// The names of the columns, in SIPp's order.
fn header(timers: &[String], bounds: &Repartition) -> String {
    let mut out = "StartTime;LastResetTime;CurrentTime;ElapsedTime(P);ElapsedTime(C);TargetRate;\
        CallRate(P);CallRate(C);"
        .to_owned();
    let both = |out: &mut String, name: &str| {
        let _ = write!(out, "{name}(P);{name}(C);");
    };
    for (name, _) in CREATED {
        both(&mut out, name);
    }
    out.push_str("TotalCallCreated;CurrentCall;");
    for (name, _) in COUNTERS {
        both(&mut out, name);
    }
    for timer in timers {
        both(&mut out, &format!("ResponseTime{timer}"));
        both(&mut out, &format!("ResponseTime{timer}StDev"));
    }
    both(&mut out, "CallLength");
    both(&mut out, "CallLengthStDev");
    let parts = |out: &mut String, name: &str, bounds: &[u64]| {
        let Some(last) = bounds.last() else {
            return;
        };
        let _ = write!(out, "{name};");
        for bound in bounds {
            let _ = write!(out, "{name}_<{bound};");
        }
        let _ = write!(out, "{name}_>={last};");
    };
    for timer in timers {
        let name = format!("ResponseTimeRepartition{timer}");
        parts(&mut out, &name, &bounds.response);
    }
    parts(&mut out, "CallLengthRepartition", &bounds.length);
    out.push('\n');
    out
}

/// How many values lie below each bound and not below the one before; nothing without bounds.
fn repartition(out: &mut String, histogram: &Histogram<u64>, bounds: &[u64]) {
    if bounds.is_empty() {
        return;
    }
    out.push(';');
    let mut below = 0;
    for bound in bounds {
        let so_far = histogram.count_between(0, bound.saturating_mul(1_000_000).saturating_sub(1));
        let _ = write!(out, "{};", so_far.saturating_sub(below));
        below = so_far.max(below);
    }
    let _ = write!(out, "{};", histogram.len().saturating_sub(below));
}

/// The nearest whole second: a line that is a hair early or late is still that of its second.
fn whole(span: Duration) -> Duration {
    Duration::from_secs((span + Duration::from_millis(500)).as_secs())
}

/// `HH:MM:SS`.
fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Date, time of day, and seconds since 1970, with tabs between them, as SIPp writes them.
pub fn stamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / 86_400);
    let of_day = Duration::from_secs(since.as_secs() % 86_400);
    let micros = since.subsec_micros();
    format!(
        "{year:04}-{month:02}-{day:02}\t{}.{micros:06}\t{}.{micros:06}",
        clock(of_day),
        since.as_secs()
    )
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from March, so that
/// the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carry, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (20_453, (2025, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "day {days}");
        }
    }

    #[test]
    fn values_fall_between_their_bounds() {
        let mut histogram = latency::new_histogram();
        for millis in [1, 9, 11, 60, 5_000] {
            latency::record(&mut histogram, Duration::from_millis(millis));
        }
        let mut out = String::new();
        repartition(&mut out, &histogram, &RESPONSE_BOUNDS);
        assert_eq!(out, ";2;1;0;0;0;1;0;0;1;");
    }

    #[test]
    fn lines_keep_to_the_period_however_late_seconds_end() {
        for (period, expected) in [
            ("1", &["00:00:01"; 5][..]),
            ("2", &["00:00:02", "00:00:02", "00:00:01"]),
            ("0", &["00:00:01"; 5]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("a.csv");
            let path = file.to_str().unwrap();
            let arguments = ["sipload", "-trace_stat", "-fd", period, "-stf", path];
            let options = Cli::read(arguments).unwrap().options;
            let mut trace = Trace::create(&options, UNIX_EPOCH).unwrap().unwrap();
            for millis in [1_004, 2_000, 3_009, 4_001, 5_000] {
                let second = Second {
                    at: Duration::from_millis(millis),
                    ..Second::default()
                };
                trace.add(&second, &Recent::default(), &[]).unwrap();
            }
            trace.finish().unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            let elapsed = text
                .lines()
                .skip(1)
                .filter_map(|line| line.split(';').nth(3));
            assert_eq!(elapsed.collect::<Vec<_>>(), expected, "period {period}");
        }
    }

    #[test]
    fn a_script_has_a_column_for_each_of_its_timers_and_bounds() {
        let directory = tempfile::tempdir().unwrap();
        let of = |script: &str| {
            let (sf, stf) = (
                directory.path().join("s.xml"),
                directory.path().join("a.csv"),
            );
            std::fs::write(
                &sf,
                format!("<scenario><recv request=\"X\"/>{script}</scenario>"),
            )
            .unwrap();
            let (sf, stf) = (sf.to_str().unwrap(), stf.to_str().unwrap());
            let arguments = ["sipload", "-sf", sf, "-trace_stat", "-stf", stf];
            let options = Cli::read(arguments).unwrap().options;
            let mut trace = Trace::create(&options, UNIX_EPOCH).unwrap().unwrap();
            let (mut first, mut other) = (Recent::default(), Latency::default());
            latency::record(&mut first.answer.sent, Duration::from_millis(5));
            latency::record(&mut other.sent, Duration::from_millis(15));
            let second = Second {
                at: Duration::from_secs(1),
                ..Second::default()
            };
            trace.add(&second, &first, &[other]).unwrap();
            trace.finish().unwrap();
            let text = std::fs::read_to_string(stf).unwrap();
            let lines: Vec<Vec<&str>> =
                text.lines().map(|line| line.split(';').collect()).collect();
            assert_eq!(lines[0].len(), lines[1].len());
            let columns = lines[0].iter().zip(&lines[1]);
            let columns = columns
                .skip_while(|(name, _)| **name != "WatchdogMinor(C)")
                .skip(1);
            columns
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let length = "CallLength(P)=00:00:00:000000 CallLength(C)=00:00:00:000000 \
            CallLengthStDev(P)=00:00:00:000000 CallLengthStDev(C)=00:00:00:000000 ";
        assert_eq!(of(""), format!("{length}="));
        let columns = of(
            "<nop rtd=\"reg\"/><nop rtd=\"opt\"/><ResponseTimeRepartition value=\"20, 10\"/>\
            <CallLengthRepartition value=\"7\"/>",
        );
        let (times, parts) = columns.split_once(length).unwrap();
        let names = times
            .split(' ')
            .filter_map(|column| column.split('=').next());
        assert_eq!(
            names
                .filter(|name| name.ends_with("(C)"))
                .collect::<Vec<_>>(),
            [
                "ResponseTimereg(C)",
                "ResponseTimeregStDev(C)",
                "ResponseTimeopt(C)",
                "ResponseTimeoptStDev(C)"
            ]
        );
        assert_eq!(
            parts,
            "ResponseTimeRepartitionreg= ResponseTimeRepartitionreg_<10=1 ResponseTimeRepartitionreg_<20=0 \
            ResponseTimeRepartitionreg_>=20=0 ResponseTimeRepartitionopt= ResponseTimeRepartitionopt_<10=0 \
            ResponseTimeRepartitionopt_<20=1 ResponseTimeRepartitionopt_>=20=0 CallLengthRepartition= \
            CallLengthRepartition_<7=0 CallLengthRepartition_>=7=0 ="
        );
    }

    #[test]
    fn a_clock_counts_hours() {
        assert_eq!(clock(Duration::from_secs(7_384)), "02:03:04");
    }
}
