//! What a set keeps up to date while destinations come and go: who can be selected, and the tables of
//! shares that follow from it.
//!
//! Owns: one [`Board`] for each published set. Selection reads it; whoever changes the state of a
//! destination tells the board of its [`Place`]. Everything is atomic, nobody waits.

mod least;
mod shares;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use super::counters::Counters;
use super::destination::Destination;
use super::entry::Entry;
use super::state::Health;
use crate::rng::Rng;
use least::Least;
use shares::Shares;
use table::Table;

pub(super) use least::Standing;

/// The highest relative weight that congestion control gives: sums stay far from overflow.
const MOST_RWEIGHT: u64 = 65_535;

/// What a destination is worth, as far as the tables are concerned.
#[derive(Debug)]
struct Seat {
    priority: i32,
    weight: u32,
    /// The relative weight of now; congestion control changes it.
    rweight: AtomicU32,
    /// Whether congestion control changes it.
    has_congestion_control: bool,
    /// By how many milliseconds its latency is above its average.
    congestion_ms: AtomicU32,
    is_usable: AtomicBool,
}

impl Seat {
    fn new(destination: &Destination) -> Self {
        let attributes = &destination.attributes;
        Self {
            priority: destination.priority,
            weight: attributes.weight,
            rweight: AtomicU32::new(attributes.rweight),
            has_congestion_control: attributes.congestion_control,
            congestion_ms: AtomicU32::new(0),
            is_usable: AtomicBool::new(false),
        }
    }

    fn rweight(&self) -> u32 {
        self.rweight.load(Ordering::SeqCst)
    }

    fn is_usable(&self) -> bool {
        self.is_usable.load(Ordering::SeqCst)
    }
}

/// What does not change about a destination as long as a publication lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    maxload: u32,
    has_address: bool,
    /// Whether calls can be counted on it: only if it has a name that outlives a reload.
    pub(super) is_counted: bool,
}

impl Terms {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            maxload: entry.attributes.maxload,
            has_address: entry.address.is_some(),
            is_counted: entry.attributes.duid.is_some(),
        }
    }

    /// Whether it can be selected in this state.
    pub(super) fn allow(self, health: Health) -> bool {
        self.has_address && !health.flags.is_skipped()
    }

    /// Whether so many calls are as many as it may have.
    pub(super) fn is_full_at(self, active: u32) -> bool {
        self.maxload != 0 && active >= self.maxload
    }
}

/// The live view of one published set.
#[derive(Debug)]
pub(super) struct Board {
    seats: Box<[Seat]>,
    /// Algorithm 9: shares by `weight`, whatever the states.
    pub(super) by_weight: Table,
    /// Algorithm 11: shares by `rweight` among those that can be selected.
    pub(super) by_rweight: Table,
    /// Algorithm 15: shares by `weight` among those of the lowest priority that can be selected.
    pub(super) by_priority: Table,
    /// Algorithm 109: the same without a table.
    pub(super) smooth_weight: Shares,
    /// Algorithm 111: the same without a table.
    pub(super) smooth_rweight: Shares,
    /// Algorithm 10: who has the fewest calls.
    pub(super) least: Least,
    /// Whether a newer publication has taken over: nobody keeps this one up to date any more.
    is_retired: AtomicBool,
    /// Requests to fill the tables anew that nobody has seen to.
    pending: AtomicU32,
    seed: u64,
    compat: bool,
}

impl Board {
    /// Of these destinations, in set order. `seed` decides the order inside the tables. `compat`:
    /// algorithm 15 hears of changes only as Kamailio does.
    ///
    /// It begins as if all were out; [`Board::fill`] follows when it is known to everybody.
    pub(super) fn new(destinations: &[Destination], seed: u64, compat: bool) -> Self {
        let count = destinations.len();
        Self {
            seats: destinations.iter().map(Seat::new).collect(),
            by_weight: Table::default(),
            by_rweight: Table::default(),
            by_priority: Table::default(),
            smooth_weight: Shares::new(count),
            smooth_rweight: Shares::new(count),
            least: Least::new(count),
            is_retired: AtomicBool::new(false),
            pending: AtomicU32::new(0),
            seed,
            compat,
        }
    }

    /// Looks at all destinations for the first time.
    pub(super) fn fill(&self, destinations: &[Arc<Destination>]) {
        for (index, destination) in (0..).zip(destinations) {
            self.look_at(index, destination.terms(), destination.counters());
            self.on_calls(index, destination.terms(), destination.counters());
        }
        self.fill_by_weight();
        self.refill();
    }

    /// Hears that a newer publication has taken over.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::SeqCst);
    }

    /// Whether a newer publication has taken over.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::SeqCst)
    }

    /// Hears that the number of calls of a destination may have changed.
    pub(super) fn on_calls(&self, index: u32, terms: Terms, counters: &Counters) {
        self.least.refresh(index as usize, || {
            let (active, health) = counters.standing();
            if !terms.allow(health) {
                Standing::Out
            } else if terms.is_full_at(active) {
                Standing::Full
            } else {
                Standing::Load(active)
            }
        });
    }

    /// Hears that the state of a destination may have changed.
    pub(super) fn on_state(&self, index: u32, terms: Terms, counters: &Counters) {
        let has_changed = self.look_at(index, terms, counters);
        self.on_calls(index, terms, counters);
        if has_changed && (self.rweight(index) > 0 || !self.compat) {
            self.refill();
        }
    }

    /// The relative weight that a destination has now.
    pub(super) fn rweight(&self, index: u32) -> u32 {
        self.seats[index as usize].rweight()
    }

    /// Looks whether a destination can be selected; says whether that has changed.
    fn look_at(&self, index: u32, terms: Terms, counters: &Counters) -> bool {
        let index = index as usize;
        let seat = &self.seats[index];
        let is_usable = || terms.allow(counters.standing().1);
        let mut has_changed = false;
        loop {
            let now = is_usable();
            has_changed |= seat.is_usable.swap(now, Ordering::SeqCst) != now;
            let worth = u32::from(now);
            self.smooth_weight.set(index, worth * seat.weight);
            self.smooth_rweight.set(index, worth * seat.rweight());
            // What was written may be old by now; who wrote last must have looked after that.
            fence(Ordering::SeqCst);
            if is_usable() == now {
                return has_changed;
            }
        }
    }

    /// Congestion control: the relative weight of a destination is its weight less the milliseconds by
    /// which its latency is above its average. When that leaves nobody of the set anything, they
    /// share in inverse proportion to their congestion.
    pub(super) fn congest(&self, index: u32, congestion_ms: u32) {
        self.seats[index as usize]
            .congestion_ms
            .store(congestion_ms, Ordering::SeqCst);
        let congestion = |seat: &Seat| seat.congestion_ms.load(Ordering::SeqCst);
        let left = |seat: &Seat| seat.weight.saturating_sub(congestion(seat));
        let takes_part = |seat: &Seat| seat.has_congestion_control && seat.weight > 0;
        let is_congested = |seat: &Seat| takes_part(seat) && left(seat) == 0;
        let are_all_congested = self.seats.len() > 1 && self.seats.iter().all(is_congested);
        let sum: u64 = self
            .seats
            .iter()
            .map(|seat| u64::from(congestion(seat)))
            .sum();
        let mut has_changed = false;
        for (index, seat) in self
            .seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| takes_part(seat))
        {
            let rweight = if are_all_congested {
                let share = sum * 16 / u64::from(congestion(seat)).max(1);
                share.min(MOST_RWEIGHT) as u32
            } else {
                left(seat)
            };
            if seat.rweight.swap(rweight, Ordering::SeqCst) != rweight {
                has_changed = true;
                let worth = u32::from(seat.is_usable());
                self.smooth_rweight.set(index, worth * rweight);
            }
        }
        if has_changed {
            self.refill();
        }
    }

    /// Fills the tables that follow the states. Threads that ask at once let one of them do it.
    fn refill(&self) {
        let mut seen = self.pending.fetch_add(1, Ordering::SeqCst);
        if seen > 0 {
            return;
        }
        loop {
            seen = self.pending.load(Ordering::SeqCst);
            self.fill_by_rweight(u64::from(seen));
            self.fill_by_priority(u64::from(seen));
            let done = self
                .pending
                .compare_exchange(seen, 0, Ordering::SeqCst, Ordering::SeqCst);
            if done.is_ok() {
                return;
            }
        }
    }

    /// In set order, each gets as many places as its weight says until all are taken; what is left
    /// goes to the last. Nothing is filled when the first has no weight, as in the peers.
    fn fill_by_weight(&self) {
        if self.seats.first().is_none_or(|first| first.weight == 0) {
            return;
        }
        let shares = self.seats.iter().map(|seat| seat.weight);
        let rest = self.seats.len() - 1;
        self.by_weight.fill(shares, Some(rest), self.rng(9, 0));
    }

    /// Each one's part of the sum, rounded down; what is left goes to the last who got something.
    fn fill_by_rweight(&self, round: u64) {
        let weights = || {
            let worth = |seat: &Seat| if seat.is_usable() { seat.rweight() } else { 0 };
            self.seats.iter().map(worth).map(u64::from)
        };
        let sum: u64 = weights().sum();
        if sum == 0 || self.seats.len() < 2 {
            return;
        }
        let shares = weights().map(|weight| (weight * 100 / sum) as u32);
        self.by_rweight.fill(shares, None, self.rng(11, round));
    }

    fn fill_by_priority(&self, round: u64) {
        let usable = || self.seats.iter().filter(|seat| seat.is_usable());
        let Some(lowest) = usable().map(|seat| seat.priority).min() else {
            return self.by_priority.clear();
        };
        let takes_part = |seat: &Seat| seat.is_usable() && seat.priority == lowest;
        let chosen = || self.seats.iter().filter(|seat| takes_part(seat));
        let sum: u32 = chosen().map(|seat| seat.weight).sum();
        let equal = 100 / chosen().count().max(1) as u32;
        let shares = self.seats.iter().map(|seat| match sum {
            _ if !takes_part(seat) => 0,
            0 => equal,
            _ => seat.weight * 100 / sum,
        });
        let last = self.seats.iter().rposition(takes_part);
        let rest = if sum == 0 { last } else { None };
        self.by_priority.fill(shares, rest, self.rng(15, round));
    }

    fn rng(&self, table: u64, round: u64) -> Rng {
        Rng::from_seed(self.seed ^ table.rotate_left(32) ^ round.rotate_left(48))
    }
}

/// A destination's place on a board.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) board: Arc<Board>,
    pub(super) index: u32,
    pub(super) terms: Terms,
}
