//! What a set keeps up to date while destinations come and go: who can be selected, and the tables of
//! shares that follow from it.
//!
//! Owns: one [`Board`] for each published set. Selection reads it; whoever changes the state of a
//! destination tells the destination's [`Place`]. Everything is atomic, nobody waits.

mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::destination::Destination;
use crate::rng::Rng;
use table::Table;

/// What a destination is worth, as far as the tables are concerned.
#[derive(Debug)]
struct Seat {
    priority: i32,
    weight: u32,
    /// The relative weight of now; congestion control changes it.
    rweight: AtomicU32,
    is_usable: AtomicBool,
}

impl Seat {
    fn new(destination: &Destination) -> Self {
        let attributes = &destination.attributes;
        Self {
            priority: destination.priority,
            weight: attributes.weight,
            rweight: AtomicU32::new(attributes.rweight),
            is_usable: AtomicBool::new(!destination.health().flags.is_skipped()),
        }
    }

    fn rweight(&self) -> u32 {
        self.rweight.load(Ordering::SeqCst)
    }

    fn is_usable(&self) -> bool {
        self.is_usable.load(Ordering::SeqCst)
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
    /// Requests to fill the tables anew that nobody has seen to.
    pending: AtomicU32,
    seed: u64,
    compat: bool,
}

impl Board {
    /// Of these destinations, in set order. `seed` decides the order inside the tables. `compat`:
    /// algorithm 15 hears of changes only as Kamailio does.
    pub(super) fn new(destinations: &[Arc<Destination>], seed: u64, compat: bool) -> Self {
        let board = Self {
            seats: destinations.iter().map(|one| Seat::new(one)).collect(),
            by_weight: Table::default(),
            by_rweight: Table::default(),
            by_priority: Table::default(),
            pending: AtomicU32::new(0),
            seed,
            compat,
        };
        board.fill_by_weight();
        board.fill_by_rweight(0);
        board.fill_by_priority(0);
        board
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
            self.seats
                .iter()
                .map(|seat| if seat.is_usable() { seat.rweight() } else { 0 })
        };
        let sum: u32 = weights().sum();
        if sum == 0 || self.seats.len() < 2 {
            return;
        }
        let shares = weights().map(|weight| weight * 100 / sum);
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
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) board: Arc<Board>,
    pub(super) index: u32,
}

impl Place {
    fn seat(&self) -> &Seat {
        &self.board.seats[self.index as usize]
    }

    /// Hears that the state may have changed; `is_usable` looks at it.
    pub(super) fn set_usable(&self, is_usable: impl Fn() -> bool) {
        let seat = self.seat();
        let mut has_changed = false;
        // What is written may be old by then. So look again until nothing had to be written.
        loop {
            let now = is_usable();
            if seat.is_usable.swap(now, Ordering::SeqCst) == now {
                break;
            }
            has_changed = true;
        }
        if has_changed && (seat.rweight() > 0 || !self.board.compat) {
            self.board.refill();
        }
    }
}
