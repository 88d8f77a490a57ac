//! The shard itself.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use super::outbox::Outbox;
use super::settings::{Settings, SocketId};
use crate::time::Timestamp;

/// The number of a shard, 0 up to the number of shards less one.
pub type ShardId = u16;

/// A datagram as received.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The listen socket it came in by.
    pub socket: SocketId,
    /// Who sent it.
    pub source: SocketAddr,
    /// When the kernel received it.
    pub received: Timestamp,
    /// Its payload.
    pub bytes: &'a [u8],
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was dealt with.
    Done,
    /// It belongs to a call of this other shard and was not touched.
    HandOff(ShardId),
}

/// One shard of the proxy.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    settings: Arc<Settings>,
}

impl Shard {
    /// A shard without calls. `secret` is the same for all shards of a process and unknown to
    /// strangers; `seed` differs between shards.
    pub fn new(
        id: ShardId,
        settings: Arc<Settings>,
        sets: Arc<crate::dispatch::Sets>,
        secret: u64,
        seed: u64,
    ) -> Self {
        let _ = (sets, secret, seed);
        Self { id, settings }
    }

    /// Its number.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Deals with one datagram, or says whose it is.
    pub fn receive(&mut self, now: Timestamp, datagram: Datagram<'_>, out: &mut Outbox) -> Verdict {
        let _ = (now, datagram, out, &self.settings);
        Verdict::Done
    }

    /// Hears that a datagram of ours could not be delivered (send error, or ICMP unreachable). `sent`
    /// is what we sent, perhaps cut short by the network.
    pub fn undeliverable(
        &mut self,
        now: Timestamp,
        to: SocketAddr,
        sent: &[u8],
        out: &mut Outbox,
    ) -> Verdict {
        let _ = (now, to, sent, out);
        Verdict::Done
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        let _ = (now, out);
    }

    /// When [`Shard::tick`] is next needed; `None` when nothing is armed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Takes over newly loaded sets. New calls are dispatched to these; old ones keep their destination.
    pub fn publish(&mut self, sets: Arc<crate::dispatch::Sets>) {
        let _ = sets;
    }

    /// Forgets the calls of these slots (of this shard's own) whose time is over; returns how many.
    pub fn expire_calls(&mut self, now: Timestamp, slots: Range<u32>) -> u32 {
        let _ = (now, slots);
        0
    }

    /// The slots of the call table that this shard owns.
    pub fn slots(&self) -> Range<u32> {
        0..0
    }

    /// Admits nothing new from now on: new calls get 503.
    pub fn drain(&mut self) {}

    /// Whether no transaction waits for anything that would be lost by stopping now.
    pub fn is_idle(&self) -> bool {
        true
    }
}
