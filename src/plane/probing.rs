//! Where a shard's loop takes what concerns keepalives: to its own prober, or to the timer thread.
//!
//! Owns: the prober of a shard, with `ds_timer_mode` 0. May touch: the other shards' ports.

use crossbeam::channel::Sender;

use super::command::{Command, ShardPort, TimerMessage};
use crate::dispatch::Sets;
use crate::probe::{Change, ProbeEvent, Prober};
use crate::proxy::Outbox;
use crate::time::Timestamp;

/// More commands than this wait only at a shard that does not run; it is told no more.
const MOST_WAITING: usize = 1_024;

/// Who probes.
#[derive(Debug)]
pub(super) enum Probing {
    /// This loop, its share of the destinations; the others have theirs.
    Here {
        /// The share's prober.
        prober: Box<Prober>,
        /// The loops of the other shards.
        others: Vec<ShardPort>,
    },
    /// The timer thread.
    There(Sender<TimerMessage>),
}

impl Probing {
    /// Passes on what an outbox says about keepalives.
    pub(super) fn hear(&mut self, now: Timestamp, out: &Outbox) {
        for &answer in out.probe_answers() {
            match self {
                Self::Here { prober, .. } => prober.answer(now, answer),
                Self::There(timer) => tell(timer, TimerMessage::Answer(now, answer)),
            }
        }
        for &token in out.undelivered_probes() {
            match self {
                // An ICMP message comes to any socket of the group, and nothing in it says whose
                // keepalive it was. A prober passes over what is not its own.
                Self::Here { prober, others } => {
                    prober.undeliverable(now, token);
                    let awake = others.iter().filter(|port| port.backlog() < MOST_WAITING);
                    awake.for_each(|port| port.send(Command::UndeliveredProbe(token)));
                }
                Self::There(timer) => tell(timer, TimerMessage::Undeliverable(now, token)),
            }
        }
    }

    /// Hears from another shard that a keepalive, perhaps of ours, came back.
    pub(super) fn undelivered(&mut self, now: Timestamp, token: u64) {
        if let Self::Here { prober, .. } = self {
            prober.undeliverable(now, token);
        }
    }

    /// Takes over newly loaded sets.
    pub(super) fn publish(&mut self, now: Timestamp, sets: &Sets) {
        if let Self::Here { prober, .. } = self {
            prober.publish(sets, now);
        }
    }

    /// Starts or stops keepalives.
    pub(super) fn set_active(&mut self, active: bool) {
        if let Self::Here { prober, .. } = self {
            prober.set_active(active);
        }
    }

    /// Sends what is due.
    pub(super) fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Self::Here { prober, .. } = self
            && prober.next_deadline().is_some_and(|at| at <= now)
        {
            prober.tick(now, out);
        }
    }

    /// When [`Probing::tick`] is next needed.
    pub(super) fn next_deadline(&self) -> Timestamp {
        match self {
            Self::Here { prober, .. } => prober.next_deadline().unwrap_or(Timestamp::FAR),
            Self::There(_) => Timestamp::FAR,
        }
    }

    /// Destinations that went up or down since this was last asked; each is logged.
    pub(super) fn take_changes(&mut self) -> Vec<ProbeEvent> {
        match self {
            Self::Here { prober, .. } => prober.drain_events().inspect(log_change).collect(),
            Self::There(_) => Vec::new(),
        }
    }
}

/// Answers that the timer thread cannot take are lost as on the network; the keepalive times out.
fn tell(timer: &Sender<TimerMessage>, message: TimerMessage) {
    let _ = timer.try_send(message);
}

/// Reports that a destination went up or down.
pub(super) fn log_change(event: &ProbeEvent) {
    let destination = &event.destination;
    let (set, uri, code) = (destination.set, &destination.uri, event.code);
    match event.change {
        Change::Up => tracing::info!(set, %uri, code, "destination is up"),
        Change::Down => tracing::warn!(set, %uri, code, "destination is down"),
    }
}
