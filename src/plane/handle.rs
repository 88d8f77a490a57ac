//! The running plane as other threads see it.
//!
//! Owns: the ports of the shards and of the timer thread, the threads' handles. May touch: nothing
//! of a shard; it sends commands and receives answers.

use std::mem;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};

use super::Stages;
use super::clock::Clock;
use super::command::{Command, ShardPort, ShardSnapshot, TimerMessage};
use super::steering::{Steering, SteeringReport};
use crate::dispatch::Sets;
use crate::proxy::{Settings, Shard, ShardId};

/// What all handles share.
#[derive(Debug)]
pub(super) struct Inner {
    /// The settings with the addresses that the sockets got.
    pub settings: Arc<Settings>,
    /// The clock of all threads.
    pub clock: Clock,
    /// The shards' loops.
    pub ports: Vec<ShardPort>,
    /// The timer thread, with `ds_timer_mode` 1.
    pub timer: Option<Sender<TimerMessage>>,
    /// How the kernel brings datagrams to the shards.
    pub steering: Steering,
    /// How long messages were in each stage.
    pub stages: Mutex<Collected>,
    /// All threads, until they are stopped.
    pub threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What was taken from the shards of their stages.
#[derive(Debug)]
pub(super) struct Collected {
    total: Stages,
    to: Sender<Stages>,
    from: Receiver<Stages>,
    /// How many of the shards' answers are still to come.
    awaited: usize,
}

impl Collected {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let (to, from) = unbounded();
        Self {
            total: Stages::new(),
            to,
            from,
            awaited: 0,
        }
    }
}

impl Inner {
    /// Lets a thread be stopped and joined with the others.
    pub(super) fn add_thread(&self, thread: JoinHandle<()>) {
        let threads = self.threads.lock();
        threads.unwrap_or_else(PoisonError::into_inner).push(thread);
    }
}

/// A running plane. Dropping it stops it at once, without the grace of [`PlaneHandle::stop`].
#[derive(Debug)]
pub struct Plane(PlaneHandle);

impl Plane {
    pub(super) fn new(inner: Inner) -> Self {
        Self(PlaneHandle(Arc::new(inner)))
    }

    /// A handle for other threads.
    pub fn handle(&self) -> PlaneHandle {
        self.0.clone()
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0.0
    }
}

impl Deref for Plane {
    type Target = PlaneHandle;

    fn deref(&self) -> &PlaneHandle {
        &self.0
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.0.stop(Duration::ZERO);
    }
}

/// Speaks to a running plane, from any thread.
#[derive(Clone, Debug)]
pub struct PlaneHandle(Arc<Inner>);

impl PlaneHandle {
    /// The addresses that it listens on, in the order of their `SocketId`s: wildcards and port 0 as
    /// they turned out.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.0.settings.listeners.iter();
        listeners.map(|listener| listener.address).collect()
    }

    /// The settings that the shards have.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// The clock of all its threads; times from it can be compared with theirs.
    pub fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    /// Gives all threads new sets, each between two batches. It does not wait for them; a shard whose
    /// snapshot comes afterwards has them.
    pub fn publish(&self, sets: &Arc<Sets>) {
        for port in &self.0.ports {
            port.send(Command::Publish(Arc::clone(sets)));
        }
        self.tell_timer(TimerMessage::Publish(Arc::clone(sets)));
    }

    /// Starts or stops keepalives (RPC `dispatcher.ping_active`).
    pub fn set_probing(&self, active: bool) {
        for port in &self.0.ports {
            port.send(Command::SetProbing(active));
        }
        self.tell_timer(TimerMessage::SetProbing(active));
    }

    /// What the shards count and hold now, in their order. A shard that does not answer in time is
    /// left out.
    pub fn snapshots(&self, timeout: Duration) -> Vec<ShardSnapshot> {
        let deadline = Instant::now() + timeout;
        let (to, from) = bounded(self.0.ports.len());
        for port in &self.0.ports {
            port.send(Command::Snapshot(to.clone()));
        }
        drop(to);
        let mut snapshots: Vec<ShardSnapshot> =
            std::iter::from_fn(|| from.recv_deadline(deadline).ok()).collect();
        snapshots.sort_unstable_by_key(|snapshot| snapshot.shard);
        snapshots
    }

    /// How long messages were in each stage, on all shards, since the start or since the last reset. What
    /// a shard does not tell in time is in the next answer.
    pub fn stages(&self, timeout: Duration, reset: bool) -> Stages {
        let deadline = Instant::now() + timeout;
        let mut collected = self.0.stages.lock().unwrap_or_else(PoisonError::into_inner);
        for port in &self.0.ports {
            // Made here, so that the shard allocates nothing and copies nothing.
            let empty = Stages::new();
            port.send(Command::TakeStages(empty, collected.to.clone()));
            collected.awaited += 1;
        }
        while collected.awaited > 0
            && let Ok(stages) = collected.from.recv_deadline(deadline)
        {
            collected.total.add(&stages);
            collected.awaited -= 1;
        }
        if reset {
            mem::take(&mut collected.total)
        } else {
            collected.total.clone()
        }
    }

    /// Lets a shard's own thread do something with the shard, between two batches, and returns what
    /// came of it; `None` if there is no such shard, if it does not answer in time, or if `errand`
    /// panicked. The shard serves nobody meanwhile: `errand` should take microseconds.
    pub fn ask<R: Send + 'static>(
        &self,
        shard: ShardId,
        timeout: Duration,
        errand: impl FnOnce(&mut Shard) -> R + Send + 'static,
    ) -> Option<R> {
        let (to, from) = bounded(1);
        let port = self.0.ports.get(usize::from(shard))?;
        port.send(Command::Errand(Box::new(move |shard| {
            // Who asked may have lost its patience.
            let _ = to.send(errand(shard));
        })));
        from.recv_timeout(timeout).ok()
    }

    /// How the kernel brings datagrams to the shards, and what it counted.
    pub fn steering(&self) -> SteeringReport {
        self.0.steering.report()
    }

    /// Orderly stop: from now on no new call is admitted; what is in flight may finish until `grace`
    /// has passed; then all threads end. Returns whether everything was finished. A second stop waits
    /// for the first and finds nothing to do.
    pub fn stop(&self, grace: Duration) -> bool {
        let mut running = self
            .0
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if running.is_empty() {
            return true;
        }
        let finished = grace.is_zero() || self.drain(Instant::now() + grace);
        self.tell_timer(TimerMessage::Stop);
        for port in &self.0.ports {
            port.send(Command::Stop);
        }
        for thread in running.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread had died of a panic");
            }
        }
        finished
    }

    /// Waits until all shards are idle at once. An idle shard goes on serving, for what it hands over
    /// may be what another waits for.
    fn drain(&self, deadline: Instant) -> bool {
        let (to, from) = unbounded();
        for port in &self.0.ports {
            port.send(Command::Drain(to.clone()));
        }
        drop(to);
        let mut idle = vec![false; self.0.ports.len()];
        while !idle.iter().all(|&idle| idle) {
            match from.recv_deadline(deadline) {
                Ok((shard, is_idle)) => idle[usize::from(shard)] = is_idle,
                Err(_) => return false,
            }
        }
        true
    }

    fn tell_timer(&self, message: TimerMessage) {
        if let Some(timer) = &self.0.timer {
            // Waits while the box is full of the shards' messages, which never takes long.
            let _ = timer.send(message);
        }
    }
}
