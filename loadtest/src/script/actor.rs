//! Plays a scenario for many calls over the addresses of one thread.
//!
//! Owns: its calls, their timers, the schedule, counts and times. May touch: memory only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use sipshard::agent::{Agent, Delay, Latency, RateProfile, Recent, Share, latency};
use sipshard::proxy::{Outbox, SocketId};
use sipshard::rng::Rng;
use sipshard::sip::{HeaderIndex, build, scan};
use sipshard::time::Timestamp;
use sipshard::transaction::wheel::Wheel;

use super::call::{Call, Fixed, State, Value};
use super::call_id::CallIdForm;
use super::errors::{Errors, Event, failure};
use super::program::{Act, Program, Wait};
use super::report::{CAUSES, Cause, ScriptReport, StepCounts};

/// Most calls that one tick starts, and most timers that it serves.
const STARTS_PER_TICK: u32 = 64;
const ALARMS_PER_TICK: u32 = 256;
/// Most steps without waiting: a scenario that jumps in a circle must not hold up all others.
const STEPS_PER_TURN: u32 = 10_000;

/// What an actor is told at start.
#[derive(Clone, Debug)]
pub struct ActorConfig {
    /// What messages are made of.
    pub fixed: Fixed,
    /// Where calls go.
    pub target: Option<SocketAddr>,
    /// When calls start.
    pub profile: RateProfile,
    /// A closed loop in place of the schedule.
    pub users: Option<u32>,
    /// This actor's part of the schedule.
    pub share: Share,
    /// When the schedule begins.
    pub begin: Timestamp,
    /// Most calls at a time.
    pub max_live: u32,
    /// How long pauses without a time are.
    pub hold: Delay,
    /// The form of Call-IDs, if it is the user's own.
    pub call_id: Option<CallIdForm>,
    /// The number in CSeq of a call's first request.
    pub base_cseq: u32,
    /// Whether messages are sent again, and known when they come again.
    pub retransmits: bool,
    /// Whether it is told what goes wrong.
    pub traces_errors: bool,
    /// Whether INFO, NOTIFY, OPTIONS and UPDATE that the scenario does not wait for are answered.
    pub auto_answer: bool,
}

/// An actor.
#[derive(Debug)]
pub struct Actor {
    pub(super) index: HeaderIndex,
    pub(super) core: Core,
}

/// All of an actor but the memory for scanning.
#[derive(Debug)]
pub(super) struct Core {
    pub config: ActorConfig,
    pub program: Arc<Program>,
    pub rng: Rng,
    pub hasher: RandomState,
    pub calls: Vec<Call>,
    pub by_id: HashMap<u64, u32, RandomState>,
    pub report: ScriptReport,
    pub errors: Errors,
    free: Vec<u32>,
    wheel: Wheel<(u32, u32)>,
    mark: u32,
    next_serial: u32,
    due_calls: u64,
    next_start: Option<Timestamp>,
    now: Timestamp,
    recent: Recent,
    /// Times since they were last taken, of all timers but the first.
    recent_timers: Vec<Latency>,
    scratch: HeaderIndex,
}

impl Actor {
    /// An actor whose schedule begins at [`ActorConfig::begin`]. The seed decides its choices.
    pub fn new(config: ActorConfig, program: Arc<Program>, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let hasher = RandomState::with_seeds(rng.next(), rng.next(), rng.next(), rng.next());
        let report = ScriptReport {
            steps: vec![StepCounts::default(); program.steps.len()],
            labels: program
                .steps
                .iter()
                .map(|step| step.label.clone())
                .collect(),
            timers: program
                .timers
                .iter()
                .map(|name| (name.clone(), Latency::default()))
                .collect(),
            scheduled: (0..program.timers.len())
                .map(|timer| program.is_scheduled(timer))
                .collect(),
            calls: program.calls,
            ..ScriptReport::default()
        };
        let mut core = Core {
            by_id: HashMap::with_hasher(hasher.clone()),
            hasher,
            mark: rng.next() as u32,
            rng,
            calls: Vec::new(),
            report,
            errors: Errors::new(config.traces_errors),
            free: Vec::new(),
            wheel: Wheel::new(config.begin),
            next_serial: 1,
            due_calls: 0,
            next_start: None,
            now: config.begin,
            recent: Recent::default(),
            recent_timers: program.other_times(),
            scratch: HeaderIndex::new(),
            program,
            config,
        };
        if core.program.calls {
            core.next_start = core.start_of(0);
        }
        Self {
            index: HeaderIndex::new(),
            core,
        }
    }

    /// Starts no further calls; those under way go on to their end.
    pub fn wind_up(&mut self) {
        self.core.next_start = None;
    }

    /// Whether every call of the schedule is over; never, if calls come from outside.
    pub fn is_finished(&self) -> bool {
        let core = &self.core;
        core.program.calls && core.next_start.is_none() && core.report.caller.counts.live == 0
    }

    /// What it has seen so far.
    pub fn report(&self) -> &ScriptReport {
        &self.core.report
    }

    /// The times since the last such call of all timers but the first, whose are in [`Recent::answer`].
    pub fn take_timers(&mut self) -> Vec<Latency> {
        std::mem::replace(
            &mut self.core.recent_timers,
            self.core.program.other_times(),
        )
    }

    /// What went wrong since the last such call.
    pub fn take_errors(&mut self, now: Timestamp) -> Vec<Event> {
        self.core.errors.take(now)
    }

    /// Swaps the times since the last such call with `recent`, which is cleared first.
    pub fn take_recent(&mut self, recent: &mut Recent) {
        recent.clear();
        std::mem::swap(&mut self.core.recent, recent);
    }
}

impl Agent for Actor {
    fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        self.core.now = now;
        self.take(now, (socket, source), bytes, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        self.core.now = now;
        for _ in 0..ALARMS_PER_TICK {
            let Some((slot, serial)) = self.core.wheel.pop_due(now) else {
                break;
            };
            self.core.alarm(slot as usize, serial, now, out);
        }
        for _ in 0..STARTS_PER_TICK {
            match self.core.next_start() {
                Some(scheduled) if scheduled <= now => self.core.start_next(now, scheduled, out),
                _ => break,
            }
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let alarm = self.core.wheel.next_deadline();
        alarm.into_iter().chain(self.core.next_start()).min()
    }
}

impl Core {
    fn start_of(&self, n: u64) -> Option<Timestamp> {
        let share = self.config.share;
        let number = n.checked_mul(share.of)?.checked_add(share.index)?;
        let profile = &self.config.profile;
        if self.config.users.is_some() {
            let begun = self.now.since(self.config.begin);
            let is_over = profile.calls.is_some_and(|calls| number >= calls)
                || profile.duration.is_some_and(|end| begun >= end);
            return (!is_over).then_some(self.now);
        }
        Some(self.config.begin + profile.start_of(number)?)
    }

    fn next_start(&self) -> Option<Timestamp> {
        let live = self.report.caller.counts.live;
        let is_full = |users: u32| live >= u64::from(users);
        self.next_start
            .filter(|_| !self.config.users.is_some_and(is_full))
    }

    fn start_next(&mut self, now: Timestamp, scheduled: Timestamp, out: &mut Outbox) {
        let mut scheduled = scheduled;
        if self.config.users.is_some() {
            scheduled = now;
            self.next_start = self.start_of(self.due_calls);
            if self.next_start.is_none() {
                return;
            }
        }
        let own = self.due_calls;
        self.due_calls += 1;
        self.next_start = self.start_of(self.due_calls);
        let counts = &mut self.report.caller.counts;
        let Some(target) = self.config.target else {
            return;
        };
        if counts.live >= u64::from(self.config.max_live) {
            counts.skipped += 1;
            return;
        }
        self.report.caller.last_start = now;
        latency::record(&mut self.report.caller.lateness, now.since(scheduled));
        let number = own * self.config.share.of + self.config.share.index + 1;
        let local = &self.config.fixed.local;
        let which = (own % local.len() as u64) as usize;
        let ip = local[which].ip();
        let pid = self.config.fixed.pid;
        let id = match &self.config.call_id {
            Some(form) => form.write(number, pid, ip),
            None => format!("{number}-{pid}-{:08x}@{ip}", self.mark),
        };
        let socket = self.config.fixed.first_socket + which as SocketId;
        let slot = self.begin(now, (socket, target), number, id.into_bytes());
        self.calls[slot].scheduled = scheduled;
        self.calls[slot].timers.fill(scheduled);
        self.advance(slot, now, out);
    }

    /// A new call, before its first step.
    pub fn begin(
        &mut self,
        now: Timestamp,
        (socket, peer): (SocketId, SocketAddr),
        number: u64,
        id: Vec<u8>,
    ) -> usize {
        let counts = &mut self.report.caller.counts;
        counts.started += 1;
        counts.live += 1;
        counts.max_live = counts.max_live.max(counts.live);
        let mut call = Call::new(peer, now);
        call.serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        call.number = number;
        call.socket = socket;
        // Each request adds one, the first too. The number before 0 is that of unsigned numbers, as in SIPp.
        call.cseq = self.config.base_cseq.wrapping_sub(1);
        call.variables = vec![Value::Unset; self.program.variables.len()];
        call.timers = vec![now; self.program.timers.len()];
        call.branches = vec![Vec::new(); self.program.transactions];
        let injections = &self.config.fixed.injections;
        let rng = &mut self.rng;
        let rows = injections
            .iter()
            .map(|file| file.row(number - 1, rng.next()));
        call.rows = rows.collect();
        let key = self.hasher.hash_one(id.as_slice());
        call.id = id;
        let slot = if let Some(slot) = self.free.pop() {
            self.calls[slot as usize] = call;
            slot
        } else {
            self.calls.push(call);
            (self.calls.len() - 1) as u32
        };
        self.by_id.insert(key, slot);
        slot as usize
    }

    /// Goes on from the step that a call is at until it has to wait.
    pub fn advance(&mut self, slot: usize, now: Timestamp, out: &mut Outbox) {
        let program = self.program.clone();
        for _ in 0..STEPS_PER_TURN {
            let call = &mut self.calls[slot];
            let index = call.step;
            let Some(step) = program.steps.get(index) else {
                return self.finish(slot);
            };
            if let Some((variable, inverse)) = step.only_if
                && call.variables[variable].is_set() == inverse
            {
                call.step += 1;
                continue;
            }
            let wait = match &step.act {
                Act::Send(send) => {
                    if !self.send(slot, index, send, now, out) {
                        return self.fail(slot, Cause::Stopped, out);
                    }
                    None
                }
                Act::Receive(receive) => {
                    call.state = State::Waiting;
                    call.wake = receive.timeout.map(|(time, _)| now + time);
                    return self.arm(slot);
                }
                Act::Pause(wait) => Some((State::Paused, self.length_of(*wait, slot))),
                Act::TimeWait(time) => Some((State::Lingering, *time)),
                Act::Nothing => {
                    self.report.steps[index].done += 1;
                    None
                }
            };
            if let Some((state, time)) = wait {
                let call = &mut self.calls[slot];
                call.state = state;
                call.wake = Some(now + time);
                self.report.steps[index].done += 1;
                return self.arm(slot);
            }
            self.timers(slot, index, now);
            if let Err(cause) = self.act(slot, index, now) {
                return self.fail(slot, cause, out);
            }
            self.go_on(slot, index);
        }
        self.fail(slot, Cause::Stopped, out);
    }

    fn length_of(&mut self, wait: Wait, slot: usize) -> Duration {
        match wait {
            Wait::Hold => self.config.hold.draw(&mut self.rng),
            Wait::For(delay) => delay.draw(&mut self.rng),
            Wait::Between(least, most) => least + most.saturating_sub(least).mul_f64(self.unit()),
            Wait::Variable(variable) => {
                let millis = self.calls[slot].variables[variable].number();
                Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default()
            }
        }
    }

    /// Evenly from 0 (included) to 1 (not included).
    pub fn unit(&mut self) -> f64 {
        (self.rng.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Ends and begins the timers of a step.
    pub fn timers(&mut self, slot: usize, index: usize, now: Timestamp) {
        let step = &self.program.steps[index];
        let call = &mut self.calls[slot];
        for (timer, again) in &step.stops {
            let due = call.timers[*timer];
            // What counts from the begin of the call was due before it was sent.
            let sent = if due == call.scheduled {
                call.began
            } else {
                due
            };
            let (scheduled, raw) = (now.since(due), now.since(sent));
            let (_, whole) = &mut self.report.timers[*timer];
            let (first, recent) = match timer.checked_sub(1) {
                None => (
                    Some(&mut self.report.caller.answer),
                    &mut self.recent.answer,
                ),
                Some(other) => (None, &mut self.recent_timers[other]),
            };
            for times in [whole, recent].into_iter().chain(first) {
                latency::record(&mut times.scheduled, scheduled);
                latency::record(&mut times.sent, raw);
            }
            if *again {
                call.timers[*timer] = now;
            }
        }
        for timer in &step.starts {
            call.timers[*timer] = now;
        }
    }

    /// Leaves a step.
    pub fn go_on(&mut self, slot: usize, index: usize) {
        let mut to = index + 1;
        if let Some(next) = self.program.steps[index].next {
            let variables = &self.calls[slot].variables;
            let test = next
                .test
                .is_none_or(|variable| variables[variable].is_set());
            if test && (next.chance >= 1.0 || self.unit() < next.chance) {
                to = next.to;
            }
        }
        let call = &mut self.calls[slot];
        call.laps += u32::from(to <= index);
        call.step = to;
    }

    /// The call waits: puts its next time into the wheel.
    pub fn arm(&mut self, slot: usize) {
        let call = &mut self.calls[slot];
        call.answering = None;
        let resend = call.resend.map(|resend| resend.at.min(resend.until));
        let next = resend.into_iter().chain(call.wake).min();
        if call.due.map(|(at, _)| at) == next {
            return;
        }
        if let Some((_, timer)) = call.due.take() {
            self.wheel.cancel(timer);
        }
        let item = (slot as u32, call.serial);
        call.due = next.map(|at| (at, self.wheel.insert(at, item)));
    }

    fn alarm(&mut self, slot: usize, serial: u32, now: Timestamp, out: &mut Outbox) {
        let call = &mut self.calls[slot];
        if call.serial != serial || call.state == State::Free {
            return;
        }
        call.due = None;
        if !self.send_again(slot, now, out) {
            return self.fail(slot, Cause::MaxRetrans, out);
        }
        let call = &mut self.calls[slot];
        if call.wake.is_none_or(|wake| wake > now) {
            return self.arm(slot);
        }
        call.wake = None;
        let index = call.step;
        match call.state {
            State::Free => {}
            State::Lingering => self.finish(slot),
            State::Paused => {
                self.timers(slot, index, now);
                if let Err(cause) = self.act(slot, index, now) {
                    return self.fail(slot, cause, out);
                }
                self.go_on(slot, index);
                self.advance(slot, now, out);
            }
            State::Waiting => {
                self.report.steps[index].timeouts += 1;
                let Act::Receive(receive) = &self.program.steps[index].act else {
                    return;
                };
                let Some((_, Some(to))) = receive.timeout else {
                    return self.fail(slot, Cause::RecvTimeout, out);
                };
                let call = &mut self.calls[slot];
                call.resend = None;
                call.step = to;
                self.advance(slot, now, out);
            }
        }
    }

    fn finish(&mut self, slot: usize) {
        self.report.caller.counts.completed += 1;
        self.release(slot);
    }

    /// The call has failed. One that still rings is cancelled.
    pub fn fail(&mut self, slot: usize, cause: Cause, out: &mut Outbox) {
        self.report.caller.counts.failed += 1;
        let place = CAUSES.iter().position(|(known, _)| *known == cause);
        if let Some(place) = place {
            self.report.causes[place] += 1;
        }
        let call = &self.calls[slot];
        let message = match cause {
            // It was told with its message already.
            Cause::Unexpected => None,
            Cause::RegexpNoMatch
            | Cause::RegexpMatch
            | Cause::RegexpNoHeader
            | Cause::Challenge => Some(call.last.as_slice()),
            _ => Some(&[][..]),
        };
        if let Some(message) = message {
            let what = || failure(call, &self.program, cause);
            self.errors.add(self.now, what, message);
        }
        let rings = !call.invite.is_empty() && !call.invite_over && !call.last.is_empty();
        if rings && let Ok(invite) = scan(&call.invite, &mut self.scratch) {
            out.send(call.socket, call.peer, |bytes| build::cancel(invite, bytes));
        }
        self.release(slot);
    }

    fn release(&mut self, slot: usize) {
        let call = &mut self.calls[slot];
        self.report.caller.counts.live -= 1;
        latency::record(&mut self.recent.length, self.now.since(call.began));
        call.state = State::Free;
        if let Some((_, timer)) = call.due.take() {
            self.wheel.cancel(timer);
        }
        let key = self.hasher.hash_one(call.id.as_slice());
        // Of calls with the same Call-ID the youngest is known by it.
        if self.by_id.get(&key) == Some(&(slot as u32)) {
            self.by_id.remove(&key);
        }
        self.free.push(slot as u32);
    }

    /// Starts no further calls.
    pub fn stop_all(&mut self) {
        self.next_start = None;
    }
}
