//! What the plane's threads tell each other, and the port that a shard is told through.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::ring::Sleeper;
use super::{PlaneCounters, Stages};
use crate::dispatch::Sets;
use crate::proxy::{ProbeAnswer, Shard, ShardId, Snapshot, StateChange};
use crate::time::Timestamp;

/// Work on a shard, done by its own thread between two batches.
pub(super) type Errand = Box<dyn FnOnce(&mut Shard) + Send>;

/// What one shard was at one moment.
#[derive(Clone, Debug)]
pub struct ShardSnapshot {
    /// Whose it is.
    pub shard: ShardId,
    /// What its loop counted.
    pub plane: PlaneCounters,
    /// What the shard itself counted.
    pub proxy: Snapshot,
}

/// A command to one shard's loop.
pub(super) enum Command {
    /// New sets.
    Publish(Arc<Sets>),
    /// Start or stop keepalives.
    SetProbing(bool),
    /// The timer thread found a destination up or down.
    Changed(StateChange),
    /// A keepalive that came back by ICMP to the socket of another shard.
    UndeliveredProbe(u64),
    /// The timer thread's beat: look at these slots.
    Expire(Range<u32>),
    /// Say what you have counted.
    Snapshot(Sender<ShardSnapshot>),
    /// Give away what was noted of the stages, and go on with these, which are empty.
    TakeStages(Stages, Sender<Stages>),
    /// Do this.
    Errand(Errand),
    /// Admit nothing new, and tell each time whether something is in flight or no longer.
    Drain(Sender<(ShardId, bool)>),
    /// End the thread.
    Stop,
}

/// Where one shard takes commands.
#[derive(Clone)]
pub(super) struct ShardPort {
    commands: Sender<Command>,
    sleeper: Arc<Sleeper>,
}

impl ShardPort {
    /// A port and the end that the shard reads.
    pub(super) fn new(sleeper: Arc<Sleeper>) -> (Self, Receiver<Command>) {
        let (commands, inbox) = unbounded();
        (Self { commands, sleeper }, inbox)
    }

    /// Gives a command and wakes the shard if it sleeps. A shard that has ended hears nothing.
    pub(super) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.sleeper.notify();
        }
    }

    /// How many commands the shard has not seen yet. Whoever gives commands by the clock or by the
    /// network's leave looks at this first, so that they do not pile up.
    pub(super) fn backlog(&self) -> usize {
        self.commands.len()
    }
}

impl fmt::Debug for ShardPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardPort")
            .field("backlog", &self.backlog())
            .finish_non_exhaustive()
    }
}

/// Messages from shards that may wait for the timer thread.
pub(super) const MOST_MESSAGES: usize = 4_096;

/// What the timer thread is told.
#[derive(Debug)]
pub(super) enum TimerMessage {
    /// New sets.
    Publish(Arc<Sets>),
    /// Start or stop keepalives.
    SetProbing(bool),
    /// A keepalive was answered.
    Answer(Timestamp, ProbeAnswer),
    /// A keepalive came back by ICMP.
    Undeliverable(Timestamp, u64),
    /// End the thread.
    Stop,
}

/// Something that a shard may ask of the control side, from its own thread: it must not wait.
#[derive(Clone)]
pub struct Wish(Arc<dyn Fn() + Send + Sync>);

impl Wish {
    /// A wish that calls `grant`.
    pub fn new(grant: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(grant))
    }

    /// Asks.
    pub(super) fn ask(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wish")
    }
}
