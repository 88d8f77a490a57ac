//! One shard's loop: sockets, rings, timers, commands, and sleep when there is nothing of these.
//!
//! Owns: the thread's poll and its sockets, one for each listener. May touch: the operating system,
//! through [`super::batch`]; its shard, through [`super::guarded`].
//!
//! Readiness is told once (edge-triggered), and each turn takes one batch from each socket, so that
//! no socket starves another, nor the timers. A socket that may hold more is remembered, and the loop
//! does not sleep then. Where much comes it does not ask the poll either, but lets datagrams gather for
//! a moment ([`super::pace`]) and reads the sockets that had some.

use std::net::UdpSocket;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem, thread};

use crossbeam::channel::{Receiver, Sender};
use mio::event::Event;
use mio::{Events, Poll, Token};
use rustix::thread::set_current_timer_slack;

use super::batch::{ErrorReader, RecvBatch, SendBatch};
use super::clock::Clock;
use super::command::{Command, ShardSnapshot};
use super::expiry::ExpiryPacer;
use super::guarded::Guarded;
use super::pace::Pace;
use super::ring::{HandoffReceiver, Sleeper};
use super::stages::{Stage, Tally};
use crate::proxy::{Datagram, Outbox, ShardId, SocketId};
use crate::time::Timestamp;

/// The token of the waker; the sockets have their numbers.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Messages taken from one ring in a turn.
const RING_BUDGET: usize = 64;
/// Entries taken from one socket's error queue in a turn.
const ERROR_BUDGET: usize = 32;
/// How late the kernel may end a pause.
const SLACK_NANOS: NonZeroU64 = NonZeroU64::new(1_000).unwrap();
/// A sleep that ends at a deadline lasts at least this long, and the deadline may pass by as much. The
/// clock interrupts each core once in 1, 4 or 10 ms anyway; to have it interrupt earlier costs much
/// where a hypervisor has to be asked for it, and with thousands of transactions it would be each sleep.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// Commands obeyed in a turn.
const COMMAND_BUDGET: usize = 64;

/// What is known of one socket.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// There may be datagrams to read.
    readable: bool,
    /// The last look found some.
    busy: bool,
    /// There may be entries in the error queue.
    failing: bool,
    /// The kernel's count of lost datagrams, as last seen.
    overflow: u32,
}

/// What a loop is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// The shard.
    pub guarded: Guarded,
    /// The process's clock.
    pub clock: Clock,
    /// The thread's poll.
    pub poll: Poll,
    /// One socket for each listener.
    pub sockets: Vec<UdpSocket>,
    /// The rings that the other shards fill.
    pub inbound: Vec<HandoffReceiver>,
    /// What it is told.
    pub inbox: Receiver<Command>,
    /// What wakes it.
    pub sleeper: Arc<Sleeper>,
    /// When which slots are due; `None` if the timer thread says.
    pub pacer: Option<ExpiryPacer>,
    /// For how long datagrams gather, where enough come; zero: not at all.
    pub gather: Duration,
}

/// What a loop knows while its shard is being drained.
#[derive(Debug)]
struct Draining {
    /// Who hears whether the shard is idle.
    to: Sender<(ShardId, bool)>,
    /// What was last said.
    said: Option<bool>,
}

/// One shard's loop.
#[derive(Debug)]
pub(super) struct Worker {
    parts: Parts,
    now: Timestamp,
    /// When this turn began.
    began: Timestamp,
    /// When the messages in the tally were read.
    read: Timestamp,
    pace: Pace,
    /// What this turn has taken in.
    found: u64,
    /// The window of the pace in which the poll was last asked.
    asked: Timestamp,
    events: Events,
    lines: Vec<Line>,
    batch: RecvBatch,
    errors: ErrorReader,
    sender: SendBatch,
    /// The outbox that is being sent, while the shard fills the other.
    sending: Outbox,
    draining: Option<Draining>,
}

impl Worker {
    /// A loop over sockets that its poll already watches, by their numbers.
    pub(super) fn new(mut parts: Parts) -> Self {
        // What came before the poll watched makes no event.
        let line = Line {
            readable: true,
            busy: false,
            failing: true,
            overflow: 0,
        };
        let now = parts.clock.now();
        Self {
            now,
            began: now,
            read: now,
            pace: Pace::new(parts.gather, now),
            found: 0,
            asked: Timestamp::ZERO,
            events: Events::with_capacity(64),
            lines: vec![line; parts.sockets.len()],
            batch: RecvBatch::new(),
            errors: ErrorReader::new(),
            sender: SendBatch::new(),
            sending: Outbox::new(),
            draining: None,
            parts,
        }
    }

    /// Runs until it is told to stop. A panic outside the shard's own guard costs one turn.
    pub(super) fn run(mut self) {
        // Else the kernel lets a pause be half as long again.
        if let Err(error) = set_current_timer_slack(Some(SLACK_NANOS)) {
            tracing::warn!(%error, "pauses are longer than they should be");
        }
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    self.parts.guarded.count_panic(self.now);
                    self.parts.guarded.out.clear();
                    self.sending.clear();
                    self.parts.guarded.tally = Tally::default();
                }
            }
        }
    }

    /// Once around everything; whether to go on.
    fn turn(&mut self) -> bool {
        self.wait();
        self.found = 0;
        let mut go_on = true;
        // The clock is asked when a batch is read, so not before one.
        if !self.reads_first() {
            self.now = self.parts.clock.now();
            self.began = self.now;
            // First, so that what was commanded before a datagram came holds for it as a rule.
            go_on = self.obey_commands();
        }
        for number in 0..self.lines.len() {
            if self.lines[number].failing {
                self.read_errors(number);
                self.flush();
            }
            if self.lines[number].readable {
                self.read_socket(number);
                self.flush();
            }
        }
        self.read_rings();
        self.flush();
        self.do_what_is_due();
        self.flush();
        self.parts.guarded.tell_changes(self.now);
        self.flush();
        self.tell_idleness();
        if self.found > 0 {
            self.pace.found(self.began, self.found);
        }
        go_on
    }

    /// Whether there is no command, so that the first thing to do is to read a socket.
    fn reads_first(&self) -> bool {
        let first = self.lines.first();
        first.is_some_and(|line| line.readable && !line.failing) && self.parts.inbox.is_empty()
    }

    /// Learns what there is to do; sleeps until there is something.
    fn wait(&mut self) {
        if let Some(pause) = self.pause() {
            if !pause.is_zero() {
                self.parts.guarded.counters.pauses += 1;
                thread::sleep(pause);
            }
            for line in &mut self.lines {
                line.readable = line.busy;
            }
        }
        // A socket's error shows when it is read, but sending may be what takes it away. So the poll is
        // asked in each window, however busy the sockets are.
        if self.lines.iter().all(|line| line.readable) && self.asked == self.pace.window() {
            return;
        }
        self.asked = self.pace.window();
        self.poll();
    }

    /// How long to let datagrams gather, if there is nothing else to do.
    fn pause(&self) -> Option<Duration> {
        let next_round = self.pace.next_round().filter(|_| self.found > 0)?;
        (self.timeout() != Some(Duration::ZERO)).then(|| next_round.since(self.now))
    }

    /// Asks the poll what has become ready; sleeps until then if there is nothing else to do.
    fn poll(&mut self) {
        let mut timeout = self.timeout();
        let sleeps = timeout != Some(Duration::ZERO);
        let parts = &mut self.parts;
        if sleeps {
            parts.sleeper.lie_down();
            if parts.inbound.iter().all(HandoffReceiver::is_empty) && parts.inbox.is_empty() {
                parts.guarded.counters.sleeps += 1;
            } else {
                timeout = Some(Duration::ZERO);
            }
        }
        let result = parts.poll.poll(&mut self.events, timeout);
        if sleeps {
            parts.sleeper.get_up();
        }
        match result {
            Ok(()) => {}
            // The events are empty then; a signal is as good a reason to look around as any.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => tracing::error!(%error, "cannot wait for events"),
        }
        for event in &self.events {
            if let Some(line) = self.lines.get_mut(event.token().0) {
                line.readable |= Event::is_readable(event);
                line.failing |= Event::is_error(event);
            }
        }
    }

    /// How long it may sleep: zero when work is left over, `None` for as long as nothing happens.
    fn timeout(&self) -> Option<Duration> {
        let parts = &self.parts;
        let left_over = self.lines.iter().any(|line| line.readable || line.failing)
            || !parts.guarded.out.is_empty()
            || parts.inbound.iter().any(|ring| !ring.is_empty());
        if left_over {
            return Some(Duration::ZERO);
        }
        let pacer = parts.pacer.as_ref().map(ExpiryPacer::next_deadline);
        let deadline = parts.guarded.next_deadline();
        match pacer.map_or(deadline, |at| at.min(deadline)) {
            Timestamp::FAR => None,
            deadline if deadline <= self.now => Some(Duration::ZERO),
            deadline => Some(deadline.since(self.now).max(SHORTEST_SLEEP)),
        }
    }

    fn read_socket(&mut self, number: usize) {
        let line = &mut self.lines[number];
        let guarded = &mut self.parts.guarded;
        let Ok(count) = self.batch.receive(&self.parts.sockets[number]) else {
            // The error is that of an entry in the error queue, or makes one. What there is to read
            // stays readable.
            self.now = self.parts.clock.now();
            line.failing = true;
            return;
        };
        self.now = self.parts.clock.now();
        line.readable = self.batch.may_have_more();
        line.busy = count > 0;
        if count == 0 {
            return;
        }
        self.read = self.now;
        if self.found == 0 {
            self.began = self.now;
        }
        self.found += count as u64;
        guarded.counters.receive_batches += 1;
        if let Some(lost) = self.batch.overflow_count() {
            guarded.counters.kernel_drops += u64::from(lost.wrapping_sub(line.overflow));
            line.overflow = lost;
        }
        for one in self.batch.iter() {
            let stamp = one.stamp_wall_ns;
            let datagram = Datagram {
                socket: number as SocketId,
                source: one.source,
                received: stamp.map_or(self.now, |ns| self.parts.clock.received(ns, self.now)),
                bytes: one.bytes,
            };
            guarded.arrived(self.now, datagram);
        }
    }

    fn read_errors(&mut self, number: usize) {
        for _ in 0..ERROR_BUDGET {
            let Some(error) = self.errors.read(&self.parts.sockets[number]) else {
                self.lines[number].failing = false;
                return;
            };
            let guarded = &mut self.parts.guarded;
            guarded.counters.undelivered += 1;
            tracing::debug!(to = %error.to, errno = error.errno, "a datagram came back");
            guarded.undelivered(self.now, error.to, error.sent);
        }
    }

    fn read_rings(&mut self) {
        let (guarded, now) = (&mut self.parts.guarded, self.now);
        let before = guarded.counters.handed_in;
        self.read = now;
        for ring in &mut self.parts.inbound {
            for _ in 0..RING_BUDGET {
                if ring
                    .pop(|message| guarded.handed_in(now, &message))
                    .is_none()
                {
                    break;
                }
            }
        }
        self.found += guarded.counters.handed_in - before;
    }

    fn do_what_is_due(&mut self) {
        let (guarded, now) = (&mut self.parts.guarded, self.now);
        if let Some(pacer) = &mut self.parts.pacer {
            while let Some(slots) = pacer.due(now) {
                guarded.guard(now, |shard, _| shard.expire_calls(slots));
            }
        }
        guarded.tick(now);
    }

    /// Ends a batch: sends what the shard has put out, and notes how long it took.
    fn flush(&mut self) {
        let is_batch = !self.parts.guarded.tally.is_empty();
        if is_batch {
            self.now = self.parts.clock.now();
            self.note(Stage::Work, self.read);
        }
        if !self.parts.guarded.out.is_empty() {
            let worked = self.now;
            self.send();
            if is_batch {
                self.now = self.parts.clock.now();
                self.note(Stage::Send, worked);
            }
        }
        self.parts.guarded.tally = Tally::default();
    }

    /// Notes that the batch was in this stage since then.
    fn note(&mut self, stage: Stage, since: Timestamp) {
        let Guarded { stages, tally, .. } = &mut self.parts.guarded;
        tally.record(stages, stage, self.now.since(since));
    }

    /// Sends what the shard has put out. A packet that cannot be sent may make the shard put out
    /// others; those that come of the second round wait for the next turn.
    fn send(&mut self) {
        for _ in 0..2 {
            let guarded = &mut self.parts.guarded;
            if guarded.out.is_empty() {
                return;
            }
            mem::swap(&mut guarded.out, &mut self.sending);
            guarded.probing.hear(self.now, &self.sending);
            let report = self.sender.send(&self.parts.sockets, &self.sending);
            let failures = self.sender.failures();
            let counters = &mut guarded.counters;
            counters.sent += report.sent as u64;
            counters.send_batches += report.calls as u64;
            counters.send_drops += report.congested as u64;
            counters.send_errors += failures.len() as u64;
            for failure in failures {
                let packet = &self.sending.packets()[failure.packet];
                let error = io::Error::from_raw_os_error(failure.errno);
                tracing::debug!(to = %packet.to, %error, "cannot send");
                guarded.undelivered(self.now, packet.to, self.sending.bytes(packet));
            }
            guarded.hear_scripts(self.now, &self.sending);
            self.sending.clear();
        }
    }

    /// Whether to go on.
    fn obey_commands(&mut self) -> bool {
        for _ in 0..COMMAND_BUDGET {
            let Ok(command) = self.parts.inbox.try_recv() else {
                return true;
            };
            if matches!(command, Command::Stop) {
                return false;
            }
            self.obey(command);
        }
        true
    }

    fn obey(&mut self, command: Command) {
        let (guarded, now) = (&mut self.parts.guarded, self.now);
        match command {
            Command::Publish(sets) => {
                guarded.probing.publish(now, &sets);
                guarded.guard(now, |shard, _| shard.publish(sets));
            }
            Command::SetProbing(active) => guarded.probing.set_active(active),
            Command::Changed(change) => guarded.changed(now, &change),
            Command::UndeliveredProbe(token) => guarded.probing.undelivered(now, token),
            Command::Expire(slots) => {
                guarded.guard(now, |shard, _| shard.expire_calls(slots));
            }
            Command::Snapshot(to) => {
                // Who asked may have lost its patience.
                let _ = to.send(ShardSnapshot {
                    shard: guarded.shard.id(),
                    plane: guarded.counters,
                    proxy: guarded.shard.snapshot(),
                });
            }
            Command::TakeStages(empty, to) => {
                let _ = to.send(mem::replace(&mut guarded.stages, empty));
            }
            Command::Errand(errand) => {
                guarded.guard(now, |shard, _| errand(shard));
            }
            Command::Drain(to) => {
                guarded.guard(now, |shard, _| shard.drain());
                self.draining = Some(Draining { to, said: None });
            }
            Command::Stop => {}
        }
    }

    fn tell_idleness(&mut self) {
        let Some(Draining { to, said }) = &mut self.draining else {
            return;
        };
        let shard = &self.parts.guarded.shard;
        let idle = shard.is_idle();
        if *said != Some(idle) {
            *said = Some(idle);
            let _ = to.send((shard.id(), idle));
        }
    }
}
