//! When a busy shard lets datagrams gather before it reads them.
//!
//! Owns: a count of what came lately. May touch: memory only; the clock is read by the caller.
//!
//! To be woken for each datagram costs more than to read it. So a shard to which much comes does not
//! wait for the next datagram but for a point in time, and then reads all that has come. Its rounds begin
//! a fixed time apart, the most that a datagram waits for it. Where too few come to make up for that,
//! each is read when it comes. What decides is how many come, not how much they cost: so the decision does
//! not act back on itself.

use std::time::Duration;

use crate::time::Timestamp;

/// How far apart the rounds of a busy shard begin, unless the operator wants it otherwise.
pub const DEFAULT_GATHER: Duration = Duration::from_micros(150);
/// Waiting pays if at least so many datagrams are read at once for it.
const FEWEST_GATHERED: u128 = 4;
/// How long the traffic is watched before it is judged.
const WINDOW: Duration = Duration::from_millis(1);

/// How much comes, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    /// How far apart rounds begin; zero: nothing is ever waited for.
    gather: Duration,
    /// When the window began.
    window: Timestamp,
    /// What has come since then.
    seen: u64,
    /// Whether in the window before so much came that waiting pays.
    is_busy: bool,
    /// When the last round began that found something.
    round: Timestamp,
}

impl Pace {
    /// The pace of a shard that has seen nothing.
    pub(super) fn new(gather: Duration, now: Timestamp) -> Self {
        Self {
            gather,
            window: now,
            seen: 0,
            is_busy: false,
            round: now,
        }
    }

    /// A round that began at `now` found `count` messages, more than none.
    pub(super) fn found(&mut self, now: Timestamp, count: u64) {
        self.round = now;
        self.seen += count;
        let watched = now.since(self.window);
        if watched >= WINDOW {
            let gathered = u128::from(self.seen) * self.gather.as_nanos();
            self.is_busy = gathered >= FEWEST_GATHERED * watched.as_nanos();
            self.window = now;
            self.seen = 0;
        }
    }

    /// When the round after one that found something should begin; `None`: with the next datagram.
    pub(super) fn next_round(&self) -> Option<Timestamp> {
        self.is_busy.then(|| self.round + self.gather)
    }

    /// When the window began. It changes once in a millisecond or less often.
    pub(super) fn window(&self) -> Timestamp {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// A shard to which a datagram comes every `distance` nanoseconds, for 10 ms.
    fn pace(gather: Duration, distance: u64) -> (Pace, Timestamp) {
        let mut pace = Pace::new(gather, Timestamp::ZERO);
        let times = (0..10 * MILLISECOND / distance).map(|number| number * distance);
        let mut last = Timestamp::ZERO;
        for nanos in times {
            last = Timestamp::from_nanos(nanos);
            pace.found(last, 1);
        }
        (pace, last)
    }

    #[test]
    fn where_much_comes_rounds_begin_a_fixed_time_apart() {
        let (pace, last) = pace(DEFAULT_GATHER, 25_000);
        assert_eq!(pace.next_round(), Some(last + DEFAULT_GATHER));
    }

    #[test]
    fn where_little_comes_nothing_waits() {
        let (pace, _) = pace(DEFAULT_GATHER, 50_000);
        assert_eq!(pace.next_round(), None);
    }

    #[test]
    fn a_longer_wait_pays_at_a_lower_rate_and_none_never() {
        assert!(pace(2 * DEFAULT_GATHER, 50_000).0.next_round().is_some());
        assert!(pace(Duration::ZERO, 1_000).0.next_round().is_none());
    }

    #[test]
    fn when_the_traffic_ends_so_does_the_waiting() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 10_000);
        assert!(pace.next_round().is_some());
        pace.found(last + Duration::from_secs(1), 1);
        assert_eq!(pace.next_round(), None);
    }
}
