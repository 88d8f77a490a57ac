//! What each call changes about a destination: the number of its calls, and beside it its state.
//!
//! Owns: the counters of all destinations, each on a cache line of its own so that shards do not
//! slow each other down, and many of them side by side, so that those of ten thousand
//! destinations lie on few pages and stay in a core's cache. Atomics only, nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::state::{Flags, Health};

/// The counters of one destination.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Counters {
    /// Calls counted on this destination over all shards (algorithm 10).
    pub(super) active: AtomicU32,
    /// How often it was found dead.
    pub(super) outages: AtomicU32,
    /// A packed [`Health`]: state flags and the consecutive results of probing.
    pub(super) health: AtomicU64,
}

impl Counters {
    /// Calls and state of now.
    pub(super) fn standing(&self) -> (u32, Health) {
        let health = Health::unpack(self.health.load(Ordering::SeqCst));
        (self.active.load(Ordering::SeqCst), health)
    }
}

/// How many destinations share an allocation. It lives as long as one of them.
const SEATS: usize = 16;

/// The counters of several destinations, side by side.
#[derive(Debug, Default)]
pub(super) struct Row([Counters; SEATS]);

impl Row {
    /// Those of one destination.
    pub(super) fn at(&self, seat: u8) -> &Counters {
        &self.0[usize::from(seat) % SEATS]
    }
}

/// Whose counters they are: held by a destination and by those that follow it over reloads.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) row: Arc<Row>,
    /// Which of the row.
    pub(super) seat: u8,
}

/// Gives new destinations their counters.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    last: Option<Tally>,
}

impl Tallies {
    /// For a destination in this state, without calls.
    pub(super) fn next(&mut self, flags: Flags) -> Tally {
        let tally = match self.last.take() {
            Some(Tally { row, seat }) if usize::from(seat) + 1 < SEATS => Tally {
                row,
                seat: seat + 1,
            },
            _ => Tally {
                row: Arc::default(),
                seat: 0,
            },
        };
        let health = Health::new(flags).pack();
        let counters = tally.row.at(tally.seat);
        counters.health.store(health, Ordering::Relaxed);
        self.last = Some(tally.clone());
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn counters_have_a_cache_line_of_their_own_and_stand_side_by_side() {
        let mut tallies = Tallies::default();
        let given: Vec<Tally> = (0..40).map(|_| tallies.next(Flags(0))).collect();
        let address = |tally: &Tally| std::ptr::from_ref(tally.row.at(tally.seat)).addr();
        let lines: Vec<usize> = given.iter().map(address).collect();
        assert!(lines.iter().all(|line| line % 64 == 0));
        let apart: BTreeSet<_> = lines.iter().collect();
        assert_eq!(apart.len(), 40, "no two share a line");
        for row in lines.chunks(SEATS) {
            assert!(row.windows(2).all(|pair| pair[1] == pair[0] + 64));
        }
    }

    #[test]
    fn a_new_destination_has_its_own_state_and_no_calls() {
        let mut tallies = Tallies::default();
        let [up, disabled] = [0, Flags::DISABLED].map(|flags| tallies.next(Flags(flags)));
        up.row.at(up.seat).active.store(7, Ordering::Relaxed);
        assert_eq!(up.row.at(up.seat).standing(), (7, Health::default()));
        let state = Health::new(Flags(Flags::DISABLED));
        assert_eq!(disabled.row.at(disabled.seat).standing(), (0, state));
    }
}
