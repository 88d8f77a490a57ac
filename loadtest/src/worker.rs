//! One thread: its sockets, its caller and its gateways, driven by one event loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crossbeam::channel::Sender;
use sipshard::agent::{
    Caller, CallerCounts, CallerReport, Gateway, GatewayReport, Latency, Recent,
};
use sipshard::plane::{Clock, Ends, Traffic};
use sipshard::time::Timestamp;

use crate::error_log::Entry;
use crate::plan::Crew;
use crate::player::Player;
use crate::script::actor::Actor;
use crate::script::report::{Causes, ScriptReport};

/// How often a worker tells what it has seen.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);

/// What all threads of a run share.
#[derive(Debug)]
pub struct Shared {
    /// Start no further calls, and end those that are answered.
    pub stop_calls: AtomicBool,
    /// End now.
    pub stop: AtomicBool,
    /// Callers that are not finished.
    pub callers: AtomicUsize,
}

/// What a worker has seen in the last second, and so far.
#[derive(Debug)]
pub struct Update {
    /// Who tells, counted from 0.
    pub thread: usize,
    /// Which second it was; each comes once from a worker.
    pub second: u64,
    /// When it ended, from the begin of the schedule.
    pub at: Duration,
    /// The caller's counts so far.
    pub caller: CallerCounts,
    /// Why calls of a script failed so far.
    pub causes: Causes,
    /// Calls under way at each gateway, and calls that ended there so far.
    pub gateway_live: u64,
    /// Calls that the gateways saw so far.
    pub gateway_calls: u64,
    /// Calls that ended at the gateways so far.
    pub gateway_ended: u64,
    /// The times of this second.
    pub recent: Box<Recent>,
    /// Those of a script's timers behind its first.
    pub timers: Vec<Latency>,
    /// What went wrong in a script's calls in this second.
    pub errors: Vec<Entry>,
}

/// All that a worker has seen.
#[derive(Debug)]
pub struct Outcome {
    /// The caller's.
    pub caller: Option<CallerReport>,
    /// That of a script.
    pub script: Option<ScriptReport>,
    /// The gateways', with their addresses.
    pub gateways: Vec<(SocketAddr, GatewayReport)>,
    /// The sockets'.
    pub traffic: Traffic,
}

/// The state of a worker's thread.
#[derive(Debug)]
pub struct Worker {
    thread: usize,
    ends: Ends<Player>,
    caller_finished: bool,
    winding_up: bool,
    shared: Arc<Shared>,
    updates: Sender<Update>,
    next_update: Timestamp,
    begin: Timestamp,
    /// The begin of the clock, since 1970.
    origin: Duration,
}

impl Worker {
    /// Worker number `thread`, for `crew`, whose schedule begins at `begin` by `clock`. `seed` differs between workers and
    /// between runs, since Call-IDs come from it.
    ///
    /// # Errors
    /// If the system gives no event queue or no timer.
    pub fn new(
        thread: usize,
        crew: Crew,
        clock: Clock,
        begin: Timestamp,
        seed: u64,
        shared: Arc<Shared>,
        updates: Sender<Update>,
    ) -> Result<Self> {
        let caller = match (crew.caller, crew.script) {
            (_, Some((mut config, program))) => {
                config.begin = begin;
                let actor = Actor::new(config, program, seed);
                Some(Player::Actor(Box::new(actor)))
            }
            (Some(mut config), None) => {
                config.begin = begin;
                Some(Player::Caller(Box::new(Caller::new(config, seed))))
            }
            (None, None) => None,
        };
        let gateways: Vec<Gateway> = (1..)
            .zip(crew.gateways)
            .map(|(index, mut config)| {
                config.begin = begin;
                Gateway::new(config, seed.wrapping_add(index))
            })
            .collect();
        let origin = clock.unix_origin();
        Ok(Self {
            thread,
            caller_finished: caller.is_none(),
            winding_up: false,
            ends: Ends::new(caller, gateways, crew.sockets, clock)
                .context("cannot open an event queue")?,
            shared,
            updates,
            origin,
            next_update: begin + UPDATE_INTERVAL,
            begin,
        })
    }

    /// Works until all callers of the run are finished, or it is told to stop.
    ///
    /// # Errors
    /// If the system refuses to wait for sockets.
    pub fn run(mut self) -> Result<Outcome> {
        loop {
            let now = self.ends.turn(self.next_update)?;
            if let Some(caller) = &mut self.ends.caller
                && !self.winding_up
                && self.shared.stop_calls.load(Ordering::Relaxed)
            {
                self.winding_up = true;
                caller.wind_up(now);
            }
            let is_over = self.is_over();
            // Once only: a second that ends with the run has no further piece of no length.
            if is_over || now >= self.next_update {
                self.tell(now);
            }
            if is_over {
                return Ok(self.outcome());
            }
        }
    }

    /// Whether the run is over. A caller's thread goes on for the gateways that it has.
    fn is_over(&mut self) -> bool {
        if !self.caller_finished && self.ends.caller.as_ref().is_some_and(Player::is_finished) {
            self.caller_finished = true;
            self.shared.callers.fetch_sub(1, Ordering::Relaxed);
        }
        if self.shared.stop.load(Ordering::Relaxed) {
            return true;
        }
        let callers_left = self.shared.callers.load(Ordering::Relaxed);
        self.ends.caller.is_some() && callers_left == 0
    }

    fn tell(&mut self, now: Timestamp) {
        let at = now.since(self.begin);
        // The piece of a second at the end has a number of its own.
        let second = at.as_secs() + u64::from(now < self.next_update);
        self.next_update = self.begin + Duration::from_secs(at.as_secs() + 1);
        let mut recent = Box::new(Recent::default());
        let (mut caller, mut served) = (CallerCounts::default(), CallerCounts::default());
        let mut causes = Causes::default();
        let (mut timers, mut errors) = (Vec::new(), Vec::new());
        if let Some(own) = &mut self.ends.caller {
            own.take_recent(&mut recent);
            timers = own.take_timers();
            let events = own.take_errors(now).into_iter();
            let since_1970 = |at: Timestamp| self.origin + Duration::from_nanos(at.as_nanos());
            errors = events
                .map(|event| (since_1970(event.at), event.text))
                .collect();
            let (counts, why, calls) = own.counts();
            causes = why;
            *(if calls { &mut caller } else { &mut served }) = counts;
        }
        let gateways = || {
            self.ends
                .gateways
                .iter()
                .map(|gateway| gateway.report().counts)
        };
        // Nobody listens any more when the run is being ended: that is no fault.
        let _ = self.updates.send(Update {
            thread: self.thread,
            second,
            at,
            caller,
            causes,
            gateway_live: served.live + gateways().map(|counts| counts.live).sum::<u64>(),
            gateway_calls: served.started + gateways().map(|counts| counts.invites).sum::<u64>(),
            gateway_ended: served.successful()
                + served.failed
                + gateways()
                    .map(|counts| counts.byes + counts.hung_up + counts.cancelled + counts.rejected)
                    .sum::<u64>(),
            recent,
            timers,
            errors,
        });
    }

    fn outcome(self) -> Outcome {
        let gateways = self.ends.gateways.iter();
        let (mut caller, mut script) = (None, None);
        match &self.ends.caller {
            Some(Player::Caller(own)) => caller = Some(own.report().clone()),
            Some(Player::Actor(own)) => {
                let report = own.report();
                caller = report.calls.then(|| report.caller.clone());
                script = Some(report.clone());
            }
            None => {}
        }
        Outcome {
            caller,
            script,
            gateways: gateways
                .map(|gateway| (gateway.address(), gateway.report().clone()))
                .collect(),
            traffic: self.ends.traffic(),
        }
    }
}
