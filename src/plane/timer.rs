//! The timer thread of `ds_timer_mode` 1: the metronome of expiry and the one prober.
//!
//! Owns: the prober, the pace of each shard's expiry. May touch: copies of the first shard's sockets,
//! to send keepalives from the listen addresses; the shards' ports. It never touches a call.

use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::batch::SendBatch;
use super::clock::Clock;
use super::command::{Command, MOST_MESSAGES, ShardPort, TimerMessage};
use super::expiry::{ExpiryPacer, SHORTEST_STEP};
use super::guarded::state_change;
use super::probing::log_change;
use crate::probe::Prober;
use crate::proxy::Outbox;
use crate::proxy::branch::Branch;
use crate::sip::{HeaderIndex, scan};
use crate::time::Timestamp;

/// A shard that has not seen this many commands is not given another slice; it gets a longer one
/// later.
const MOST_WAITING_SLICES: usize = 8;

/// One shard's expiry as the timer thread sees it.
#[derive(Debug)]
pub(super) struct Beat {
    /// When which slots are due.
    pub pacer: ExpiryPacer,
    /// Who looks at them.
    pub port: ShardPort,
}

/// The timer thread's state.
#[derive(Debug)]
pub(super) struct TimerThread {
    /// The process's clock.
    pub clock: Clock,
    /// The only prober.
    pub prober: Prober,
    /// One socket for each listener.
    pub sockets: Vec<UdpSocket>,
    /// The shards' expiry.
    pub beats: Vec<Beat>,
    /// What the thread is told.
    pub inbox: Receiver<TimerMessage>,
}

impl TimerThread {
    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut desk = Desk {
            out: Outbox::new(),
            batch: SendBatch::new(),
            index: HeaderIndex::new(),
        };
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut desk))) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    tracing::error!("the timer thread survived a panic");
                    desk.out.clear();
                }
            }
        }
    }

    /// Does what is due, then waits for a message or for the next deadline. Whether to go on.
    fn turn(&mut self, desk: &mut Desk) -> bool {
        let now = self.clock.now();
        for beat in &mut self.beats {
            if beat.port.backlog() < MOST_WAITING_SLICES {
                while let Some(slots) = beat.pacer.due(now) {
                    beat.port.send(Command::Expire(slots));
                }
            }
        }
        if self.prober.next_deadline().is_some_and(|at| at <= now) {
            self.prober.tick(now, &mut desk.out);
            desk.flush(now, &self.sockets, &mut self.prober);
        }
        for event in self.prober.drain_events() {
            log_change(&event);
            // Event routes run on the first shard.
            if let Some(first) = self.beats.first() {
                first.port.send(Command::Changed(state_change(&event)));
            }
        }

        let mut message = match self.next_deadline(now) {
            Timestamp::FAR => self
                .inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            deadline => self.inbox.recv_deadline(self.clock.instant(deadline)),
        };
        // Not more than there can be waiting, or deadlines would wait for the inbox to be empty.
        for _ in 0..MOST_MESSAGES {
            match message {
                Ok(TimerMessage::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(message) => self.hear(message),
                Err(RecvTimeoutError::Timeout) => break,
            }
            message = self.inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        true
    }

    fn hear(&mut self, message: TimerMessage) {
        match message {
            TimerMessage::Publish(sets) => self.prober.publish(&sets, self.clock.now()),
            TimerMessage::SetProbing(active) => self.prober.set_active(active),
            TimerMessage::Answer(at, answer) => self.prober.answer(at, answer),
            TimerMessage::Undeliverable(at, token) => self.prober.undeliverable(at, token),
            TimerMessage::Stop => {}
        }
    }

    fn next_deadline(&self, now: Timestamp) -> Timestamp {
        // A beat that is still due was passed over for its backlog: not again at once.
        let later = now + SHORTEST_STEP;
        let beats = self
            .beats
            .iter()
            .map(|beat| match beat.pacer.next_deadline() {
                at if at <= now => later,
                at => at,
            });
        beats
            .chain(self.prober.next_deadline())
            .min()
            .unwrap_or(Timestamp::FAR)
    }
}

/// What the timer thread sends with.
struct Desk {
    out: Outbox,
    batch: SendBatch,
    index: HeaderIndex,
}

impl Desk {
    fn flush(&mut self, now: Timestamp, sockets: &[UdpSocket], prober: &mut Prober) {
        self.batch.send(sockets, &self.out);
        for failure in self.batch.failures() {
            let sent = self.out.bytes(&self.out.packets()[failure.packet]);
            if let Some(token) = probe_token(sent, &mut self.index) {
                prober.undeliverable(now, token);
            }
        }
        self.out.clear();
    }
}

/// The token of a keepalive of ours.
fn probe_token(keepalive: &[u8], index: &mut HeaderIndex) -> Option<u64> {
    let via = scan(keepalive, index).ok()?.top_via().ok()?;
    match Branch::parse(via.branch?)? {
        Branch::Probe { token } => Some(token),
        _ => None,
    }
}
