//! A run from begin to end: starts the threads, shows how it goes, hears signals, collects the results.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crossbeam::channel::{Receiver, RecvTimeoutError, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sipshard::plane::{Clock, Traffic};

use crate::cpu;
use crate::options::{Options, Role};
use crate::plan::Plan;
use crate::record::Recorder;
use crate::report;
use crate::summary::Summary;
use crate::target::Target;
use crate::verdict;
use crate::worker::{Outcome, Shared, Update, Worker};

/// Time for the threads to be up before the first call is due.
const LEAD: Duration = Duration::from_millis(50);
/// How often signals are looked for.
const GLANCE: Duration = Duration::from_millis(100);

/// Does what the options ask for.
///
/// # Errors
/// If the options contradict each other, or the system does not give what is needed.
pub fn run(options: &Options) -> Result<Summary> {
    run_within(options, None)
}

/// The same, but ends at the latest after `most`, whatever lives still.
///
/// # Errors
/// As [`run`].
pub fn run_within(options: &Options, most: Option<Duration>) -> Result<Summary> {
    verdict::check_measurable(options)?;
    let mut plan = Plan::new(options)?;
    plan.longest = [plan.longest, most].into_iter().flatten().min();
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let threads = plan.crews.len();
    let mut recorder = Recorder::new(options, &plan.gateways, threads)?;
    let callers = plan
        .crews
        .iter()
        .filter(|crew| crew.caller.is_some() || crew.script.is_some());
    let shared = Arc::new(Shared {
        stop_calls: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        callers: AtomicUsize::new(callers.count()),
    });
    let cpu_before = cpu::time();
    let mut clock = Clock::new();
    let begin = clock.now() + LEAD;
    let (sender, updates) = unbounded();
    let workers: Vec<JoinHandle<Result<Outcome>>> = plan
        .crews
        .into_iter()
        .enumerate()
        .map(|(index, crew)| {
            let (clock, shared, sender) = (clock.clone(), shared.clone(), sender.clone());
            // Call-IDs are made from it: no two runs may have the same.
            let seed = RandomState::new().hash_one(index);
            thread::Builder::new()
                .name(format!("sipload-{index}"))
                .spawn(move || Worker::new(index, crew, clock, begin, seed, shared, sender)?.run())
                .context("cannot start a thread")
        })
        .collect::<Result<_>>()?;
    drop(sender);
    let watch = Watch {
        options,
        shared: &shared,
        deadline: plan.longest.map(|longest| clock.instant(begin + longest)),
    };
    let interrupted = watch.until_the_end(&updates, &mut signals, &mut recorder)?;
    let end = clock.now();
    let (seconds, log) = recorder.finish()?;
    let mut summary = Summary {
        elapsed: end.since(begin),
        begin,
        target: Target::of(options),
        threads,
        caller: None,
        script: None,
        gateways: Vec::new(),
        traffic: Traffic::default(),
        seconds,
        interrupted,
        cpu: cpu::time().saturating_sub(cpu_before),
        expected_interval: options.reports.expected_interval.unwrap_or(options.hold),
    };
    for worker in workers {
        let outcome = worker.join();
        summary.add(outcome.map_err(|_| anyhow::anyhow!("a thread panicked"))??);
    }
    let place = |address: &SocketAddr| plan.gateways.iter().position(|own| own == address);
    summary.gateways.sort_by_key(|(address, _)| place(address));
    if let Some(log) = log {
        report::write(options, &summary, log)?;
    }
    Ok(summary)
}

/// What the main thread looks after while the others work.
struct Watch<'a> {
    options: &'a Options,
    shared: &'a Shared,
    deadline: Option<Instant>,
}

impl Watch<'_> {
    /// Returns when all threads have ended: whether a signal ended them.
    fn until_the_end(
        &self,
        updates: &Receiver<Update>,
        signals: &mut Signals,
        recorder: &mut Recorder,
    ) -> Result<bool> {
        let mut interrupted = false;
        loop {
            match updates.recv_timeout(GLANCE) {
                Ok(update) => recorder.take(&update)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(interrupted),
            }
            let enough = |calls: u64| recorder.gateway_ended() >= calls;
            if self.options.role == Role::Uas && self.options.calls.is_some_and(enough) {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            let too_late = self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline);
            if too_late {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            for _ in signals.pending() {
                interrupted = true;
                // The first ends calls in good order, the second ends everything.
                let again = self.shared.stop_calls.swap(true, Ordering::Relaxed);
                if again || self.options.role == Role::Uas {
                    self.shared.stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}
