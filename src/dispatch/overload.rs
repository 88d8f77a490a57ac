//! Overload control (algorithm 64): a destination that has said that it is overloaded is passed over
//! for a while in a share of its turns.
//!
//! Owns: the rate, how long it holds, and the order number by which an older word that arrives late
//! is recognised.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::attributes::Attributes;
use crate::time::Timestamp;

/// The state of overload control of one destination, shared by all shards.
#[derive(Debug, Default)]
pub(super) struct OverloadCell {
    /// The order number of the last word, of which the rate came.
    sequence: AtomicU64,
    /// Percent of its turns in which it is passed over.
    rate: AtomicU32,
    /// Until when that holds.
    until_ns: AtomicU64,
    /// Its turns so far.
    turns: AtomicU32,
}

impl OverloadCell {
    /// Takes a new rate, in the bounds that the attributes set; `false` if `sequence` is not newer
    /// than the last one.
    pub(super) fn set(
        &self,
        rate: u32,
        until: Timestamp,
        sequence: u64,
        bounds: &Attributes,
    ) -> bool {
        if self.sequence.fetch_max(sequence, Ordering::AcqRel) >= sequence {
            return false;
        }
        let rate = rate.clamp(bounds.ocmin.min(bounds.ocmax), bounds.ocmax);
        self.rate.store(rate, Ordering::Relaxed);
        self.until_ns.store(until.as_nanos(), Ordering::Relaxed);
        true
    }

    /// The rate that holds at `now`.
    pub(super) fn rate(&self, now: Timestamp) -> u32 {
        if self.until_ns.load(Ordering::Relaxed) > now.as_nanos() {
            self.rate.load(Ordering::Relaxed)
        } else {
            0
        }
    }

    /// Takes a turn: whether the destination is passed over in it. Of a hundred turns in a row,
    /// exactly as many as the rate says are, spread evenly (the peers shuffle them).
    pub(super) fn is_passed_over(&self, now: Timestamp) -> bool {
        let rate = self.rate(now);
        if rate == 0 {
            return false;
        }
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) % 100;
        (turn + 1) * rate / 100 != turn * rate / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(10);
    const LATER: Timestamp = Timestamp::from_secs(11);

    fn skipped_of_100(cell: &OverloadCell, now: Timestamp) -> usize {
        (0..100).filter(|_| cell.is_passed_over(now)).count()
    }

    #[test]
    fn the_rate_is_kept_exactly_and_evenly() {
        for rate in [0, 1, 33, 50, 99, 100] {
            let cell = OverloadCell::default();
            assert!(cell.set(rate, LATER, 1, &Attributes::default()));
            assert_eq!(skipped_of_100(&cell, NOW), rate as usize);
        }
        let cell = OverloadCell::default();
        cell.set(50, LATER, 1, &Attributes::default());
        let turns: Vec<bool> = (0..4).map(|_| cell.is_passed_over(NOW)).collect();
        assert_eq!(turns, [false, true, false, true]);
    }

    #[test]
    fn it_ends_by_itself() {
        let cell = OverloadCell::default();
        cell.set(100, LATER, 1, &Attributes::default());
        assert!(cell.is_passed_over(NOW));
        assert!(!cell.is_passed_over(LATER));
    }

    #[test]
    fn an_older_word_is_not_heard() {
        let cell = OverloadCell::default();
        assert!(cell.set(40, LATER, 5, &Attributes::default()));
        assert!(!cell.set(90, LATER, 5, &Attributes::default()));
        assert!(!cell.set(90, LATER, 4, &Attributes::default()));
        assert_eq!(cell.rate(NOW), 40);
    }

    #[test]
    fn the_attributes_bound_the_rate() {
        let (attributes, _) = Attributes::parse("ocmin=10;ocmax=60").unwrap();
        for (asked, taken) in [(0, 10), (30, 30), (99, 60)] {
            let cell = OverloadCell::default();
            cell.set(asked, LATER, 1, &attributes);
            assert_eq!(cell.rate(NOW), taken);
        }
    }
}
