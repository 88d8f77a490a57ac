//! When a busy shard lets datagrams gather before it reads them.
//!
//! Owns: a count of what came lately, and what a message costs the thread. May touch: memory only; the
//! clocks are read by the caller.
//!
//! To be woken for each datagram costs more than to read it. So a shard that would be busy for more
//! than half of the time, were it woken for each, does not wait for the next datagram but for a point
//! in time, and then reads all that has come. Its rounds begin a fixed time apart, the most that a
//! datagram waits for it. A shard with time to spare reads each datagram when it comes. What a message
//! costs is measured only while nothing gathers: so the decision does not act back on itself.

use std::time::Duration;

use crate::time::Timestamp;

/// How far apart the rounds of a busy shard begin, unless the operator wants it otherwise.
pub const DEFAULT_GATHER: Duration = Duration::from_micros(500);
/// Waiting pays if at least so many datagrams are read at once for it.
const FEWEST_GATHERED: u128 = 2;
/// How long the traffic is watched before it is judged.
const WINDOW: Duration = Duration::from_millis(1);
/// From which part of the thread's time on datagrams gather, and below which they do no more, in percent.
const BUSY_PERCENT: u128 = 50;
const CALM_PERCENT: u128 = 40;
/// The newest window counts for one part in so many of the cost of a message.
const SMOOTHING: u128 = 16;

/// How much comes, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    /// How far apart rounds begin; zero: nothing is ever waited for.
    gather: Duration,
    /// When the window began, and the thread's processor time then.
    window: Timestamp,
    spent: Duration,
    /// What has come since then.
    seen: u64,
    /// What a message takes of the thread's time if it is woken for each; 0: not known yet.
    cost_ns: u128,
    /// Whether datagrams gather.
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
            spent: Duration::ZERO,
            seen: 0,
            cost_ns: 0,
            is_busy: false,
            round: now,
        }
    }

    /// A round that began at `now` found `count` messages, more than none. `processor_time` reads
    /// what the thread has spent so far; it is asked once for each window.
    pub(super) fn found(
        &mut self,
        now: Timestamp,
        count: u64,
        processor_time: impl FnOnce() -> Duration,
    ) {
        self.round = now;
        self.seen += count;
        let watched = now.since(self.window);
        if watched < WINDOW || self.gather.is_zero() {
            return;
        }
        let spent = processor_time();
        if !self.is_busy {
            let cost_ns = spent.saturating_sub(self.spent).as_nanos() / u128::from(self.seen);
            self.cost_ns = match self.cost_ns {
                0 => cost_ns,
                before => (before * (SMOOTHING - 1) + cost_ns) / SMOOTHING,
            };
        }
        self.is_busy = self.would_be_busy(watched);
        self.window = now;
        self.spent = spent;
        self.seen = 0;
    }

    /// Whether so many messages keep the thread busy if it is woken for each, and enough of them gather.
    fn would_be_busy(&self, watched: Duration) -> bool {
        let (seen, watched_ns) = (u128::from(self.seen), watched.as_nanos());
        let percent = if self.is_busy {
            CALM_PERCENT
        } else {
            BUSY_PERCENT
        };
        seen * self.cost_ns * 100 >= percent * watched_ns
            && seen * self.gather.as_nanos() >= FEWEST_GATHERED * watched_ns
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

    /// A shard to which a datagram comes every `distance` nanoseconds, for 20 ms, each of which takes
    /// `cost` nanoseconds of its time.
    fn pace(gather: Duration, distance: u64, cost: u64) -> (Pace, Timestamp) {
        let mut pace = Pace::new(gather, Timestamp::ZERO);
        let mut last = Timestamp::ZERO;
        for number in 1..=20 * MILLISECOND / distance {
            last = Timestamp::from_nanos(number * distance);
            pace.found(last, 1, || Duration::from_nanos(number * cost));
        }
        (pace, last)
    }

    #[test]
    fn a_busy_shards_rounds_begin_a_fixed_time_apart() {
        let (pace, last) = pace(DEFAULT_GATHER, 25_000, 15_000);
        assert_eq!(pace.next_round(), Some(last + DEFAULT_GATHER));
    }

    #[test]
    fn a_shard_with_time_to_spare_waits_for_nothing() {
        assert!(
            pace(DEFAULT_GATHER, 25_000, 10_000)
                .0
                .next_round()
                .is_none()
        );
        assert!(
            pace(DEFAULT_GATHER, 50_000, 15_000)
                .0
                .next_round()
                .is_none()
        );
    }

    #[test]
    fn where_nothing_gathers_nothing_is_waited_for() {
        let long = DEFAULT_GATHER.as_nanos() as u64;
        assert!(pace(DEFAULT_GATHER, long, long).0.next_round().is_none());
        assert!(pace(Duration::ZERO, 1_000, 1_000).0.next_round().is_none());
    }

    #[test]
    fn what_gathering_saves_does_not_end_it() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 25_000, 15_000);
        let mut spent = Duration::from_secs(1);
        for round in 1..=100 {
            let now = last + DEFAULT_GATHER * round;
            spent += Duration::from_micros(60);
            pace.found(now, 16, || spent);
        }
        assert!(pace.next_round().is_some(), "it costs a quarter by now");
    }

    #[test]
    fn when_the_traffic_ends_so_does_the_waiting() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 10_000, 10_000);
        assert!(pace.next_round().is_some());
        pace.found(last + Duration::from_secs(1), 1, || Duration::from_secs(1));
        assert_eq!(pace.next_round(), None);
    }
}
