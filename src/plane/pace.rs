//! When a shard to which much comes lets datagrams gather before it reads them.
//!
//! Owns: a count of what came lately. May touch: memory only; the clock is read by the caller.
//!
//! To be woken for each datagram costs more than to read it. So a shard to which enough comes does not
//! wait for the next datagram but for a point in time, and then reads all that has come. Its rounds
//! begin a fixed time apart, the most that a datagram waits for it. A shard to which less comes reads
//! each datagram when it comes.
//!
//! What comes alone decides, by its mean over a tenth of a second: neither a burst nor a pause, nor how
//! dear it is to be woken on this machine, which changes with whatever else it does. So an operator
//! knows beforehand from which rate on datagrams gather.

use std::time::Duration;

use crate::time::Timestamp;

/// How far apart the rounds of a shard begin to which enough comes, unless the operator wants it otherwise.
///
/// With transactions more is done for each datagram, so that a shard has less time to spare and lets them
/// gather from half the rate on. Who relays each message on its own wants to be near to a wire.
pub fn default_gather(with_transactions: bool) -> Duration {
    Duration::from_micros(if with_transactions { 1_000 } else { 500 })
}

/// Waiting pays if at least so many datagrams are read at once for it.
const FEWEST_GATHERED: f64 = 16.0;
/// Once datagrams gather they do so down to this part of the rate from which on they did.
const STILL_ENOUGH: f64 = 0.9;
/// How long the traffic is counted before it is judged.
const BLOCK: Duration = Duration::from_millis(100);
/// How often a shard looks around that has always something to read.
const WINDOW: Duration = Duration::from_millis(1);

/// How much comes, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    /// How far apart the rounds begin while datagrams gather; zero: nothing is ever waited for.
    gather: Duration,
    gathers: bool,
    /// When the block began.
    block: Timestamp,
    /// What has come since then.
    seen: u64,
    /// When it last was time to look around.
    window: Timestamp,
    /// When the last round began that found something.
    round: Timestamp,
}

impl Pace {
    /// The pace of a shard that has seen nothing.
    pub(super) fn new(gather: Duration, now: Timestamp) -> Self {
        Self {
            gather,
            gathers: false,
            block: now,
            seen: 0,
            window: now,
            round: now,
        }
    }

    /// A round that began at `now` found `count` messages, more than none.
    pub(super) fn found(&mut self, now: Timestamp, count: u64) {
        self.round = now;
        self.seen += count;
        if now.since(self.window) >= WINDOW {
            self.window = now;
        }
        let length = now.since(self.block);
        if length >= BLOCK {
            let gathered = self.seen as f64 * (self.gather.as_secs_f64() / length.as_secs_f64());
            let enough = if self.gathers {
                FEWEST_GATHERED * STILL_ENOUGH
            } else {
                FEWEST_GATHERED
            };
            self.gathers = gathered >= enough;
            self.block = now;
            self.seen = 0;
        }
    }

    /// When the round after one that found something should begin; `None`: with the next datagram.
    pub(super) fn next_round(&self) -> Option<Timestamp> {
        self.gathers.then(|| self.round + self.gather)
    }

    /// When it last was time to look around. It changes once in a millisecond or less often.
    pub(super) fn window(&self) -> Timestamp {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without transactions.
    const GATHER: Duration = Duration::from_micros(500);

    /// Traffic at a pace.
    struct Traffic {
        pace: Pace,
        /// When the last datagram came.
        now: Timestamp,
    }

    impl Traffic {
        /// A shard that has slept for a second since it did something.
        fn new(gather: Duration) -> Self {
            Self {
                pace: Pace::new(gather, Timestamp::ZERO),
                now: Timestamp::from_secs(1),
            }
        }

        /// For so many milliseconds `rate` datagrams come in a second.
        fn run(mut self, milliseconds: u64, rate: u64) -> Self {
            let distance = 1_000_000_000 / rate;
            let end = self.now + Duration::from_millis(milliseconds);
            while self.now < end {
                let next = self.now + Duration::from_nanos(distance);
                let round = self.pace.next_round().map_or(next, |at| at.max(next));
                let count = round.since(self.now).as_nanos() as u64 / distance;
                self.pace.found(round, count);
                // When the last of them came.
                self.now += Duration::from_nanos(count * distance);
            }
            self
        }

        fn gathers(&self) -> bool {
            self.pace.next_round().is_some()
        }
    }

    /// Traffic of which datagrams gather: from 32,000 a second on.
    fn busy() -> Traffic {
        Traffic::new(GATHER).run(300, 34_000)
    }

    #[test]
    fn where_much_comes_rounds_begin_a_fixed_time_apart() {
        let Traffic { mut pace, now } = busy();
        pace.found(now, 1);
        assert_eq!(pace.next_round(), Some(now + GATHER));
    }

    #[test]
    fn where_less_comes_nothing_is_waited_for() {
        for (gather, rate) in [(GATHER, 31_000), (GATHER, 100), (GATHER / 2, 62_000)] {
            let traffic = Traffic::new(gather).run(1_000, rate);
            assert!(!traffic.gathers(), "{rate} a second, {gather:?}");
        }
    }

    #[test]
    fn with_transactions_datagrams_gather_from_half_the_rate_on() {
        let gathers = |with_transactions, rate| {
            let gather = default_gather(with_transactions);
            Traffic::new(gather).run(300, rate).gathers()
        };
        assert!(gathers(false, 33_000) && !gathers(false, 31_000));
        assert!(gathers(true, 17_000) && !gathers(true, 15_000));
    }

    #[test]
    fn without_a_time_to_gather_nothing_is_ever_waited_for() {
        assert!(!Traffic::new(Duration::ZERO).run(1_000, 500_000).gathers());
    }

    #[test]
    fn a_rate_near_the_limit_does_not_switch_to_and_fro() {
        assert!(busy().run(1_000, 30_000).gathers());
        assert!(!busy().run(300, 28_000).run(1_000, 30_000).gathers());
    }

    #[test]
    fn neither_a_burst_nor_a_pause_decides() {
        let calm = Traffic::new(GATHER).run(1_000, 20_000);
        assert!(!calm.run(10, 100_000).run(190, 20_000).gathers());
        assert!(busy().run(10, 1_000).run(190, 34_000).gathers());
    }

    #[test]
    fn with_less_traffic_the_waiting_ends() {
        assert!(!busy().run(300, 20_000).gathers());
        let Traffic { mut pace, now } = busy();
        pace.found(now + Duration::from_secs(1), 1);
        assert_eq!(pace.next_round(), None, "after a lull");
    }

    #[test]
    fn a_shard_that_never_sleeps_looks_around_each_millisecond() {
        for gather in [GATHER, Duration::ZERO] {
            let before = Traffic::new(gather).run(2, 100_000);
            let window = before.pace.window();
            let after = before.run(1, 100_000);
            assert!(after.pace.window() > window);
        }
    }
}
