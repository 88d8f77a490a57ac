//! What a shard counts: plain numbers and histograms, copied out on request.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHasher;
use hashbrown::HashMap;
use hdrhistogram::Histogram;

use crate::dispatch::{Destination, Sets};

/// Why a datagram was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drop {
    /// It is not SIP, or so broken that nobody can be answered.
    Garbage,
    /// A reply that belongs to nothing of ours.
    StrayReply,
    /// An ACK that belongs to no call, or cannot be relayed.
    StrayAck,
    /// A reply whose next Via names no address that we can send to.
    NoWayBack,
    /// An INVITE that came late: its call was tried anew since.
    PastAttempt,
}

/// The counters of one shard; each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests read.
    pub requests: u64,
    /// Replies read.
    pub replies: u64,
    /// Keepalive packets (CRLF, NUL) absorbed.
    pub keepalives: u64,
    /// Requests sent on, each destination counted.
    pub relayed_requests: u64,
    /// Replies sent on.
    pub relayed_replies: u64,
    /// Answers of our own, without 100.
    pub own_answers: u64,
    /// New calls refused with 503 because every destination or table was full, or none was up.
    pub refused_calls: u64,
    /// Retransmissions absorbed or answered from memory.
    pub repeats: u64,
    /// Requests moved to the next destination.
    pub failovers: u64,
    /// Calls whose time in the call table was over.
    pub expired_calls: u64,
    /// Scripts that were stopped for their steps or their text.
    pub stopped_scripts: u64,
    /// Datagrams dropped: not SIP.
    pub dropped_garbage: u64,
    /// Datagrams dropped: replies to nothing of ours.
    pub dropped_stray_replies: u64,
    /// Datagrams dropped: ACKs to nothing.
    pub dropped_stray_acks: u64,
    /// Datagrams dropped: replies that cannot be sent on.
    pub dropped_no_way_back: u64,
}

impl Counters {
    /// Counts a dropped datagram.
    pub fn drop(&mut self, why: Drop) {
        match why {
            Drop::Garbage => self.dropped_garbage += 1,
            Drop::StrayReply => self.dropped_stray_replies += 1,
            Drop::StrayAck => self.dropped_stray_acks += 1,
            Drop::NoWayBack => self.dropped_no_way_back += 1,
            Drop::PastAttempt => self.repeats += 1,
        }
    }

    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.replies += other.replies;
        self.keepalives += other.keepalives;
        self.relayed_requests += other.relayed_requests;
        self.relayed_replies += other.relayed_replies;
        self.own_answers += other.own_answers;
        self.refused_calls += other.refused_calls;
        self.repeats += other.repeats;
        self.failovers += other.failovers;
        self.expired_calls += other.expired_calls;
        self.stopped_scripts += other.stopped_scripts;
        self.dropped_garbage += other.dropped_garbage;
        self.dropped_stray_replies += other.dropped_stray_replies;
        self.dropped_stray_acks += other.dropped_stray_acks;
        self.dropped_no_way_back += other.dropped_no_way_back;
    }
}

/// What one shard saw of one destination.
#[derive(Clone, Debug)]
pub struct DestinationStats {
    /// Calls (or other requests outside a dialog) sent to it, failover included.
    pub selected: u64,
    /// Of these, moved on to the next destination, or ended by 408, 500 and above, or not answered.
    pub failed: u64,
    /// Microseconds from sending an INVITE to its first provisional answer above 100.
    pub ringing_us: Histogram<u32>,
    /// Microseconds from sending an INVITE to its 2xx.
    pub answer_us: Histogram<u32>,
}

impl DestinationStats {
    fn new() -> Self {
        // 1 us to 3 minutes at two digits: about 12 KiB each.
        let histogram =
            || Histogram::new_with_bounds(1, 180_000_000, 2).expect("the bounds are a constant");
        Self {
            selected: 0,
            failed: 0,
            ringing_us: histogram(),
            answer_us: histogram(),
        }
    }

    /// Notes the time to the first provisional answer.
    pub fn rang_after(&mut self, latency: Duration) {
        self.ringing_us
            .saturating_record(latency.as_micros().max(1) as u64);
    }

    /// Notes the time to the 2xx.
    pub fn answered_after(&mut self, latency: Duration) {
        self.answer_us
            .saturating_record(latency.as_micros().max(1) as u64);
    }

    /// Adds what another shard saw of the same destination.
    pub fn add(&mut self, other: &Self) {
        self.selected += other.selected;
        self.failed += other.failed;
        // Both have the same bounds.
        self.ringing_us.add(&other.ringing_us).ok();
        self.answer_us.add(&other.answer_us).ok();
    }
}

/// A destination with what was seen of it.
#[derive(Clone, Debug)]
pub struct SeenDestination {
    /// The destination.
    pub destination: Arc<Destination>,
    /// What was seen.
    pub stats: DestinationStats,
}

/// What a destination keeps over reloads is one block of memory; where it lies names it. The map
/// holds the destination, so the block cannot go while its name is in use.
fn identity(destination: &Arc<Destination>) -> usize {
    Arc::as_ptr(&destination.shared) as usize
}

/// The statistics of one shard.
#[derive(Debug, Default)]
pub struct Stats {
    /// The counters.
    pub counters: Counters,
    /// By the block that a destination keeps over reloads. Never iterated where order could matter.
    seen: HashMap<usize, SeenDestination, BuildHasherDefault<AHasher>>,
}

impl Stats {
    /// What was seen of a destination, to add to.
    pub fn of(&mut self, destination: &Arc<Destination>) -> &mut DestinationStats {
        &mut self
            .seen
            .entry(identity(destination))
            .or_insert_with(|| SeenDestination {
                destination: Arc::clone(destination),
                stats: DestinationStats::new(),
            })
            .stats
    }

    /// Takes over destinations as reloaded, and forgets those that are in no set any more.
    pub fn publish(&mut self, sets: &Sets) {
        let mut before = std::mem::take(&mut self.seen);
        for destination in sets.destinations() {
            if let Some(mut seen) = before.remove(&identity(destination)) {
                seen.destination = Arc::clone(destination);
                self.seen.insert(identity(destination), seen);
            }
        }
    }

    /// Every destination that was ever selected.
    pub fn destinations(&self) -> impl Iterator<Item = &SeenDestination> {
        self.seen.values()
    }
}

/// How much a shard holds: all of it is bounded, and goes back to zero when nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Cells in the call table, ended ones that linger included.
    pub cells: usize,
    /// Transactions.
    pub transactions: usize,
    /// Messages kept for transactions.
    pub stored_messages: usize,
    /// Memory of the call table and the message store, in bytes; kept for what comes.
    pub memory_bytes: usize,
}

/// A copy of a shard's numbers, for the control side. What it saw of destinations is large:
/// [`Shard::seen_destinations`](super::Shard::seen_destinations).
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The counters.
    pub counters: Counters,
    /// Cells in the call table, ended ones that linger included.
    pub cells: usize,
    /// Calls counted by algorithm 10.
    pub counted_calls: usize,
    /// Transactions.
    pub transactions: usize,
    /// Memory of the call table and the message store, in bytes.
    pub memory_bytes: usize,
}
