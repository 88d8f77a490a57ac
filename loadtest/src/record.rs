//! What is kept of a run while it goes on: the live line, the seconds, the interval log, SIPp's statistics and
//! its log of errors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use sipshard::agent::{CallerCounts, Latency, Recent};

use crate::error_log::ErrorLog;
use crate::live::LiveLine;
use crate::options::Options;
use crate::report::{self, hlog::LogWriter};
use crate::script::program::Program;
use crate::script::report::Causes;
use crate::timeline::{Digest, Second};
use crate::trace::Trace;
use crate::worker::Update;

/// Takes what the threads tell, second by second.
pub struct Recorder {
    line: LiveLine,
    log: Option<LogWriter>,
    trace: Option<Trace>,
    errors: Option<ErrorLog>,
    seconds: Vec<Second>,
    /// What each thread told last.
    told: Vec<Told>,
    /// Until when threads have told something that no second has yet.
    open: Option<Duration>,
    /// Times of the current second, of all threads.
    recent: Recent,
    /// The same of a script's timers behind its first.
    timers: Vec<Latency>,
    program: Option<Arc<Program>>,
}

/// A thread's counts so far. They are kept, because a thread may be silent in a second in which others speak:
/// what it has seen is a part of the totals all the same.
#[derive(Clone, Copy, Default)]
struct Told {
    second: u64,
    caller: CallerCounts,
    causes: Causes,
    gateway_live: u64,
    gateway_calls: u64,
    gateway_ended: u64,
}

impl Recorder {
    /// Opens the files that the options name, for a run of so many threads.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn new(options: &Options, gateways: &[SocketAddr], threads: usize) -> Result<Self> {
        let started = SystemTime::now();
        let program = options.scenario.program.as_ref();
        let timers = program.map_or(0, |program| program.timers.len());
        let log = match &options.reports.report {
            Some(prefix) => {
                let measured = report::measured(program.map(AsRef::as_ref));
                Some(LogWriter::create(prefix, started, &measured)?)
            }
            None => None,
        };
        Ok(Self {
            line: LiveLine::new(options, gateways),
            log,
            trace: Trace::create(options, started)?,
            errors: ErrorLog::create(options)?,
            seconds: Vec::new(),
            told: vec![Told::default(); threads],
            open: None,
            recent: Recent::default(),
            program: program.cloned(),
            timers: vec![Latency::default(); timers.saturating_sub(1)],
        })
    }

    /// Takes one thread's word. A second is over when all have told of it, or one tells of the next.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn take(&mut self, update: &Update) -> Result<()> {
        let newest = self.told.iter().map(|told| told.second).max();
        // A thread that was held up may miss a second; its last word still counts then.
        if newest.is_some_and(|newest| newest < update.second) {
            self.close()?;
        }
        if let Some(told) = self.told.get_mut(update.thread) {
            *told = Told {
                second: update.second,
                caller: update.caller,
                causes: update.causes,
                gateway_live: update.gateway_live,
                gateway_calls: update.gateway_calls,
                gateway_ended: update.gateway_ended,
            };
        }
        self.recent.merge(&update.recent);
        for (sum, one) in self.timers.iter_mut().zip(&update.timers) {
            sum.merge(one);
        }
        if let Some(log) = &mut self.errors {
            log.add(&update.errors);
        }
        self.open = self.open.max(Some(update.at));
        let mut seconds = self.told.iter().map(|told| told.second);
        let first = seconds.next();
        if seconds.all(|second| Some(second) == first) {
            self.close()?;
        }
        Ok(())
    }

    /// Calls that have ended at the gateways so far.
    pub fn gateway_ended(&self) -> u64 {
        self.told.iter().map(|told| told.gateway_ended).sum()
    }

    /// Ends the second that is under way, if threads have told of one.
    fn close(&mut self) -> Result<()> {
        let Some(at) = self.open.take() else {
            return Ok(());
        };
        let since = self.seconds.last().map_or(Duration::ZERO, |last| last.at);
        let mut second = Second {
            at: at.max(since),
            ..Second::default()
        };
        for told in &self.told {
            second.counts.merge(&told.caller);
            for (sum, one) in second.causes.iter_mut().zip(told.causes) {
                *sum += one;
            }
            second.gateway_calls += told.gateway_calls;
            second.gateway_ended += told.gateway_ended;
            second.gateway_live += told.gateway_live;
        }
        second.answers = Digest::of(&self.recent.answer.scheduled);
        let timers = self.timers.iter();
        second.timers = timers.map(|times| Digest::of(&times.scheduled)).collect();
        self.line.show(&second);
        if let Some(log) = &mut self.log {
            log.interval(since, second.at, &self.recent.answer)?;
            if let Some(program) = &self.program {
                let timers = program.timers.iter().enumerate().skip(1);
                for ((number, name), times) in timers.zip(&self.timers) {
                    log.timer(
                        (since, second.at),
                        name,
                        times,
                        program.is_scheduled(number),
                    )?;
                }
            }
        }
        if let Some(trace) = &mut self.trace {
            trace.add(&second, &self.recent, &self.timers)?;
        }
        if let Some(log) = &mut self.errors {
            log.flush()?;
        }
        self.seconds.push(second);
        self.recent.clear();
        self.timers.fill_with(Latency::default);
        Ok(())
    }

    /// Ends the last second, the live line and SIPp's statistics; returns the seconds and the interval log.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish(mut self) -> Result<(Vec<Second>, Option<LogWriter>)> {
        self.close()?;
        self.line.end();
        if let Some(trace) = self.trace {
            trace.finish()?;
        }
        if let Some(log) = self.errors {
            log.finish()?;
        }
        Ok((self.seconds, self.log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn update(thread: usize, second: u64, millis: u64, started: u64) -> Update {
        Update {
            thread,
            second,
            at: Duration::from_millis(millis),
            caller: CallerCounts {
                started,
                ..CallerCounts::default()
            },
            causes: Causes::default(),
            gateway_live: 0,
            gateway_calls: started,
            gateway_ended: started,
            recent: Box::default(),
            timers: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The end and the calls of each second that two threads' words give, and the lines of SIPp's statistics.
    fn record(updates: &[Update]) -> (Vec<(u64, u64)>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.csv");
        let path = file.to_str().unwrap();
        let arguments = ["sipload", "-q", "-trace_stat", "-fd", "1", "-stf", path];
        let options = Cli::read(arguments).unwrap().options;
        let mut recorder = Recorder::new(&options, &[], 2).unwrap();
        for update in updates {
            recorder.take(update).unwrap();
        }
        let seconds = recorder.finish().unwrap().0;
        let seconds = seconds
            .iter()
            .map(|second| (second.at.as_millis() as u64, second.counts.started));
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().skip(1).map(ToOwned::to_owned);
        (seconds.collect(), lines.collect())
    }

    #[test]
    fn a_thread_that_is_silent_at_the_end_keeps_its_calls() {
        let (seconds, lines) = record(&[
            update(0, 1, 1_000, 50),
            update(1, 1, 1_001, 50),
            update(0, 2, 1_990, 60),
            update(1, 2, 2_000, 70),
            update(1, 3, 2_100, 80),
        ]);
        assert_eq!(seconds, [(1_001, 100), (2_000, 130), (2_100, 140)]);
        // CallRate(P), the seventh column: never more than there were calls.
        let rates = lines.iter().map(|line| line.split(';').nth(6).unwrap());
        let rates: Vec<f64> = rates.map(|rate| rate.parse().unwrap()).collect();
        assert_eq!(rates.len(), 3, "{lines:?}");
        assert!(rates.iter().all(|rate| *rate < 200.0), "{rates:?}");
    }

    #[test]
    fn a_thread_that_is_late_makes_no_second_of_its_own() {
        let (seconds, _) = record(&[
            update(0, 1, 1_000, 10),
            update(0, 2, 2_000, 20),
            update(1, 1, 1_000, 10),
            update(1, 2, 2_001, 20),
        ]);
        assert_eq!(seconds, [(1_000, 10), (2_001, 40)]);
    }
}
