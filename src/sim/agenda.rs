//! What is to happen and when: one queue for everything that is not a timer of somebody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::faults::Fault;
use super::network::Wire;
use crate::dispatch::Sets;
use crate::proxy::{ProbeAnswer, ShardId};
use crate::time::Timestamp;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// A datagram arrives.
    Arrive(Wire),
    /// A datagram comes out of a shard's ring.
    HandOver(ShardId, Wire),
    /// A shard hears that what it sent to this address could not be delivered.
    Undeliverable(ShardId, SocketAddr, Arc<[u8]>),
    /// A shard gets newly loaded sets.
    Publish(ShardId, Arc<Sets>),
    /// The prober hears of an answer to a keepalive.
    ProbeAnswer(ProbeAnswer),
    /// The prober hears of a keepalive that could not be delivered.
    ProbeLost(u64),
    /// The metronome of expiry.
    Expire,
    /// Something goes wrong, or right again.
    Fault(Fault),
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Events by time; among those of one time, the first entered is first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    queue: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

impl Agenda {
    pub fn add(&mut self, at: Timestamp, event: Event) {
        self.queue.push(Reverse(Entry {
            at,
            number: self.entered,
            event,
        }));
        self.entered += 1;
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    pub fn pop(&mut self) -> Option<Event> {
        self.queue.pop().map(|Reverse(entry)| entry.event)
    }
}
