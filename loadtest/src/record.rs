//! What is kept of a run while it goes on: the live line, the seconds, the interval log, SIPp's statistics.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use sipshard::agent::Recent;

use crate::options::Options;
use crate::report::hlog::LogWriter;
use crate::screen::LiveLine;
use crate::timeline::{Digest, Second};
use crate::trace::Trace;
use crate::worker::Update;

/// Takes what the threads tell, second by second.
pub struct Recorder {
    line: LiveLine,
    log: Option<LogWriter>,
    trace: Option<Trace>,
    seconds: Vec<Second>,
    /// Times of the current second, of all threads.
    recent: Recent,
}

impl Recorder {
    /// Opens the files that the options name.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn new(options: &Options, gateways: &[SocketAddr]) -> Result<Self> {
        let started = SystemTime::now();
        let log = match &options.reports.report {
            Some(prefix) => Some(LogWriter::create(prefix, started)?),
            None => None,
        };
        Ok(Self {
            line: LiveLine::new(options, gateways),
            log,
            trace: Trace::create(options, started)?,
            seconds: Vec::new(),
            recent: Recent::default(),
        })
    }

    /// Takes one second, as all threads have told it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add(&mut self, updates: &[Update]) -> Result<()> {
        let Some(at) = updates.iter().map(|update| update.at).max() else {
            return Ok(());
        };
        self.recent.clear();
        let mut second = Second {
            at,
            ..Second::default()
        };
        for update in updates {
            second.counts.merge(&update.caller);
            for (sum, one) in second.causes.iter_mut().zip(update.causes) {
                *sum += one;
            }
            second.gateway_calls += update.gateway_calls;
            second.gateway_ended += update.gateway_ended;
            second.gateway_live += update.gateway_live;
            self.recent.merge(&update.recent);
        }
        second.answers = Digest::of(&self.recent.answer.scheduled);
        self.line.show(&second);
        let since = self.seconds.last().map_or(Duration::ZERO, |last| last.at);
        if let Some(log) = &mut self.log {
            log.interval(since, at, &self.recent.answer)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.add(&second, &self.recent)?;
        }
        self.seconds.push(second);
        Ok(())
    }

    /// Ends the live line and SIPp's statistics; returns the seconds and the interval log.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish(mut self) -> Result<(Vec<Second>, Option<LogWriter>)> {
        self.line.end();
        if let Some(trace) = self.trace {
            trace.finish()?;
        }
        Ok((self.seconds, self.log))
    }
}
