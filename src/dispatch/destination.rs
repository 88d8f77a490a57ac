//! One destination (gateway), the block of it that all shards share, and the proof of a reservation.
//!
//! Owns: the immutable description of a destination and its two atomics (active calls, state).
//! May touch: nothing but memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use super::attributes::Attributes;
use super::state::Health;

/// The number of a set (group) of destinations.
pub type SetId = i32;

/// What all shards share of one destination, on a cache line of its own. It outlives reloads: the
/// destination of the same set and duid takes it over, so calls and administrative state carry on.
#[derive(Debug, Default)]
pub struct Shared {
    counters: CachePadded<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    /// Calls counted on this destination over all shards (algorithm 10).
    active: AtomicU32,
    /// A packed [`Health`]: state flags and the consecutive results of probing.
    health: AtomicU64,
}

/// One line of a set, as loaded: never changed after it was published.
#[derive(Debug)]
pub struct Destination {
    /// The set it belongs to.
    pub set: SetId,
    /// The URI as written in the list (with `sip:` prefixed if it had no scheme).
    pub uri: Box<str>,
    /// Where its datagrams go; `None` when the host is a name that was not resolved.
    pub address: Option<SocketAddr>,
    /// Bigger is earlier in the set.
    pub priority: i32,
    /// The attributes column, parsed.
    pub attributes: Attributes,
    /// Active calls and state, shared by all shards and carried over reloads.
    pub shared: Arc<Shared>,
}

impl Destination {
    /// Calls counted on it now, over all shards.
    pub fn active_calls(&self) -> u32 {
        self.shared.counters.active.load(Ordering::Relaxed)
    }

    /// Its state now.
    pub fn health(&self) -> Health {
        Health::unpack(self.shared.counters.health.load(Ordering::Relaxed))
    }

    /// Replaces the state by what `change` makes of it, atomically; returns (old, new).
    /// `change` may run several times when other threads change the state too.
    pub fn update_health(&self, mut change: impl FnMut(Health) -> Health) -> (Health, Health) {
        let cell = &self.shared.counters.health;
        let mut seen = cell.load(Ordering::Relaxed);
        loop {
            let old = Health::unpack(seen);
            let new = change(old);
            match cell.compare_exchange_weak(seen, new.pack(), Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return (old, new),
                Err(now) => seen = now,
            }
        }
    }

    /// Whether one more call would pass `maxload` (0 means no limit) if `active` calls are counted.
    pub fn is_full_at(&self, active: u32) -> bool {
        self.attributes.maxload != 0 && active >= self.attributes.maxload
    }

    /// Counts one more call, provided that still exactly `seen` calls are counted and that this is
    /// below maxload. The error is the number counted now (or `seen` itself when full).
    pub fn reserve_from(self: &Arc<Self>, seen: u32) -> Result<Reservation, u32> {
        if self.is_full_at(seen) {
            return Err(seen);
        }
        self.shared
            .counters
            .active
            .compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| Reservation(Arc::clone(self)))
    }

    /// Counts one more call unless maxload is reached. One step: never above maxload, on any number
    /// of threads.
    pub fn try_reserve(self: &Arc<Self>) -> Option<Reservation> {
        let mut seen = self.active_calls();
        loop {
            match self.reserve_from(seen) {
                Ok(reservation) => return Some(reservation),
                Err(now) if self.is_full_at(now) => return None,
                Err(now) => seen = now,
            }
        }
    }
}

/// One counted call of one destination. It exists exactly as long as the call is counted: dropping
/// it is the only way to count down, so a call can be neither leaked nor released twice.
#[derive(Debug)]
#[must_use = "dropping a reservation releases the call at once"]
pub struct Reservation(Arc<Destination>);

impl Reservation {
    /// The destination that the call is counted on.
    pub fn destination(&self) -> &Arc<Destination> {
        &self.0
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let before = self.0.shared.counters.active.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before > 0, "a released call was counted before");
    }
}
