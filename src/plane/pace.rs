//! When a busy shard lets datagrams gather before it reads them.
//!
//! Owns: a count of what came lately, and what a message costs the thread. May touch: memory only; the
//! clocks are read by the caller.
//!
//! To be woken for each datagram costs more than to read it. So a shard that would be busy for more
//! than two fifths of the time, were it woken for each, does not wait for the next datagram but for a point
//! in time, and then reads all that has come. Its rounds begin a fixed time apart, the most that a
//! datagram waits for it. A shard with time to spare reads each datagram when it comes.
//!
//! The load is judged by the mean of half a second, so that neither a burst nor a pause decides. What a
//! message costs is measured only while nothing gathers, so that the decision does not act back on
//! itself: where datagrams gather, a tenth of a second is left out every five seconds to measure it anew.

use std::time::Duration;

use crate::time::Timestamp;

/// How far apart the rounds of a busy shard begin, unless the operator wants it otherwise.
pub const DEFAULT_GATHER: Duration = Duration::from_micros(500);

/// When and for how long datagrams gather.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gathering {
    /// How far apart the rounds of a busy shard begin; zero: nothing is ever waited for.
    pub span: Duration,
    /// From which part of the thread's time on it is busy.
    pub busy: f64,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            span: DEFAULT_GATHER,
            busy: 0.4,
        }
    }
}

/// Waiting pays if at least so many datagrams are read at once for it.
const FEWEST_GATHERED: f64 = 2.0;
/// How often a shard looks around that has always something to read.
const WINDOW: Duration = Duration::from_millis(1);
/// How long the traffic is counted before it is judged.
const BLOCK: Duration = Duration::from_millis(500);
/// How long nothing gathers when it is measured anew what a message costs.
const TRIAL: Duration = Duration::from_millis(100);
/// How long the measure holds while datagrams gather.
const TERM: Duration = Duration::from_secs(5);
/// Without a datagram for so long, the traffic is another.
const LULL: Duration = Duration::from_millis(100);
/// A shard that is busy stays so down to this part of what made it busy.
const STILL_BUSY: f64 = 0.9;

/// What is done with what comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Each datagram is read when it comes: there is time to spare, or it is not known yet.
    Calm,
    /// Datagrams gather; what a message costs is as measured before, and good until then.
    Gathering { until: Timestamp },
    /// Each datagram is read when it comes, to measure anew what a message costs.
    Trial,
}

/// How much comes, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    gathering: Gathering,
    state: State,
    /// When the block began, and the thread's processor time then.
    block: Timestamp,
    spent: Duration,
    /// What has come since then.
    seen: u64,
    /// The seconds that a message takes of the thread's time if it is woken for each.
    cost: f64,
    /// When it last was time to look around.
    window: Timestamp,
    /// When the last round began that found something.
    round: Timestamp,
}

impl Pace {
    /// The pace of a shard that has seen nothing.
    pub(super) fn new(gathering: Gathering, now: Timestamp) -> Self {
        Self {
            gathering,
            state: State::Calm,
            block: now,
            spent: Duration::ZERO,
            seen: 0,
            cost: 0.0,
            window: now,
            round: now,
        }
    }

    /// A round that began at `now` found `count` messages, more than none. `processor_time` reads
    /// what the thread has spent so far; it is asked once for each block.
    pub(super) fn found(
        &mut self,
        now: Timestamp,
        count: u64,
        processor_time: impl FnOnce() -> Duration,
    ) {
        if now.since(self.window) >= WINDOW {
            self.window = now;
        }
        let lull = now.since(self.round) >= LULL;
        self.round = now;
        if self.gathering.span.is_zero() {
            return;
        }
        if lull {
            // What the thread did before was not for these messages.
            self.begin(State::Calm, now, processor_time());
            return;
        }
        self.seen += count;
        let length = if self.state == State::Trial {
            TRIAL
        } else {
            BLOCK
        };
        if now.since(self.block) >= length {
            let spent = processor_time();
            let next = self.judge(now, spent.saturating_sub(self.spent));
            self.begin(next, now, spent);
        }
    }

    /// What follows from a block that ends now, in which the thread has spent so much.
    fn judge(&mut self, now: Timestamp, spent: Duration) -> State {
        let seen = self.seen as f64;
        let rate = seen / now.since(self.block).as_secs_f64();
        if !matches!(self.state, State::Gathering { .. }) {
            self.cost = spent.as_secs_f64() / seen;
        }
        let busy = match self.state {
            State::Calm => self.gathering.busy,
            State::Gathering { .. } | State::Trial => self.gathering.busy * STILL_BUSY,
        };
        let pays = rate * self.gathering.span.as_secs_f64() >= FEWEST_GATHERED;
        match self.state {
            // As busy as that if it is woken for each message, and enough of them gather.
            _ if rate * self.cost < busy || !pays => State::Calm,
            State::Gathering { until } if now >= until => State::Trial,
            State::Gathering { until } => State::Gathering { until },
            State::Calm | State::Trial => State::Gathering { until: now + TERM },
        }
    }

    fn begin(&mut self, state: State, now: Timestamp, spent: Duration) {
        self.state = state;
        self.block = now;
        self.spent = spent;
        self.seen = 0;
    }

    /// When the round after one that found something should begin; `None`: with the next datagram.
    pub(super) fn next_round(&self) -> Option<Timestamp> {
        let gathers = matches!(self.state, State::Gathering { .. });
        gathers.then(|| self.round + self.gathering.span)
    }

    /// When it last was time to look around. It changes once in a millisecond or less often.
    pub(super) fn window(&self) -> Timestamp {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// Traffic at a pace.
    struct Traffic {
        pace: Pace,
        now: Timestamp,
        spent: Duration,
    }

    impl Traffic {
        /// A shard that has slept for a second since it did something.
        fn new(gather: Duration) -> Self {
            let gathering = Gathering {
                span: gather,
                ..Gathering::default()
            };
            Self {
                pace: Pace::new(gathering, Timestamp::ZERO),
                now: Timestamp::from_secs(1),
                spent: Duration::from_millis(50),
            }
        }

        /// For so many milliseconds a datagram comes every `distance` nanoseconds and takes `cost` of them,
        /// or a tenth where some gather.
        fn run(mut self, milliseconds: u64, distance: u64, cost: u64) -> Self {
            let end = self.now + Duration::from_millis(milliseconds);
            while self.now < end {
                let next = self.now + Duration::from_nanos(distance);
                let round = self.pace.next_round().map_or(next, |at| at.max(next));
                let count = round.since(self.now).as_nanos() as u64 / distance;
                let cost = if count > 1 { cost / 10 } else { cost };
                self = self.round(round, count, count * cost);
            }
            self
        }

        fn round(mut self, now: Timestamp, count: u64, nanoseconds: u64) -> Self {
            self.now = now;
            self.spent += Duration::from_nanos(nanoseconds);
            self.pace.found(now, count, || self.spent);
            self
        }

        fn gathers(&self) -> bool {
            self.pace.next_round().is_some()
        }
    }

    fn busy() -> Traffic {
        Traffic::new(DEFAULT_GATHER).run(1_000, 25_000, 15_000)
    }

    #[test]
    fn a_busy_shards_rounds_begin_a_fixed_time_apart() {
        let traffic = busy();
        assert_eq!(
            traffic.pace.next_round(),
            Some(traffic.now + DEFAULT_GATHER)
        );
    }

    #[test]
    fn a_shard_with_time_to_spare_waits_for_nothing() {
        for (distance, cost) in [(25_000, 9_000), (50_000, 15_000)] {
            let traffic = Traffic::new(DEFAULT_GATHER).run(1_000, distance, cost);
            assert!(!traffic.gathers(), "{cost} of {distance}");
        }
    }

    #[test]
    fn where_nothing_gathers_nothing_is_waited_for() {
        let long = DEFAULT_GATHER.as_nanos() as u64;
        assert!(
            !Traffic::new(DEFAULT_GATHER)
                .run(1_000, long, long)
                .gathers()
        );
        assert!(
            !Traffic::new(Duration::ZERO)
                .run(1_000, 2_000, 1_999)
                .gathers()
        );
    }

    #[test]
    fn what_gathering_saves_does_not_end_it() {
        let mut traffic = busy();
        for second in 0..20 {
            // Whenever it is not measured anew.
            traffic = traffic.run(1_000, 25_000, 15_000);
            let measures = traffic.pace.state == State::Trial;
            assert!(traffic.gathers() || measures, "second {second}");
        }
    }

    #[test]
    fn what_a_message_costs_is_measured_again_after_a_while() {
        let traffic = busy().run(4_000, 25_000, 8_000);
        assert!(traffic.gathers(), "as measured before");
        assert!(
            !traffic.run(2_000, 25_000, 8_000).gathers(),
            "it is cheap by now"
        );
    }

    #[test]
    fn neither_a_burst_nor_a_pause_decides() {
        let calm = Traffic::new(DEFAULT_GATHER).run(700, 100_000, 15_000);
        assert!(
            !calm
                .run(30, 15_000, 14_000)
                .run(770, 100_000, 15_000)
                .gathers()
        );
        assert!(
            busy()
                .run(50, 400_000, 15_000)
                .run(450, 25_000, 15_000)
                .gathers()
        );
    }

    #[test]
    fn with_less_traffic_the_waiting_ends() {
        assert!(!busy().run(1_100, 50_000, 15_000).gathers());
        let traffic = busy();
        assert!(traffic.gathers());
        let later = traffic.now + Duration::from_secs(1);
        assert!(!traffic.round(later, 1, MILLISECOND).gathers());
    }

    #[test]
    fn what_was_done_before_a_lull_counts_for_nothing() {
        let traffic = Traffic::new(DEFAULT_GATHER).run(700, 50_000, 15_000);
        let later = traffic.now + Duration::from_millis(200);
        let traffic = traffic.round(later, 1, 400 * MILLISECOND);
        assert!(!traffic.run(1_100, 50_000, 15_000).gathers());
    }

    #[test]
    fn a_shard_that_never_sleeps_looks_around_each_millisecond() {
        for gather in [DEFAULT_GATHER, Duration::ZERO] {
            let before = Traffic::new(gather).run(2, 10_000, 9_000);
            let window = before.pace.window();
            let after = before.run(1, 10_000, 9_000);
            assert!(after.pace.window() > window);
        }
    }
}
