//! When a busy shard lets datagrams gather before it reads them.
//!
//! Owns: a count of what came lately, and what a message costs the thread. May touch: memory only; the
//! clocks are read by the caller.
//!
//! To be woken for each datagram costs more than to read it. So a shard that would be busy for more
//! than half of the time, were it woken for each, does not wait for the next datagram but for a point
//! in time, and then reads all that has come. Its rounds begin a fixed time apart, the most that a
//! datagram waits for it. A shard with time to spare reads each datagram when it comes. The load is
//! judged over some tens of milliseconds, and a shard that was so busy gathers for five seconds: one
//! whose load lies a little below the limit on the average gathers for most of the time. What a message
//! costs is measured only while nothing gathers, so that the decision does not act back on itself: for a
//! tenth of a second when traffic sets in, and then every five seconds.

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
            busy: 0.5,
        }
    }
}
/// Waiting pays if at least so many datagrams are read at once for it.
const FEWEST_GATHERED: f64 = 2.0;
/// How long the traffic is counted at a time.
const WINDOW: Duration = Duration::from_millis(1);
/// How far back the judgement looks: what came longer ago fades.
const MEMORY: Duration = Duration::from_millis(30);
/// How long nothing gathers before it is judged what a message costs.
const TRIAL: Duration = Duration::from_millis(100);
/// How long the judgement holds.
const TERM: Duration = Duration::from_secs(5);
/// A shard that is busy stays so down to this part of what made it busy.
const STILL_BUSY: f64 = 0.9;

/// What is done with what comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Each datagram is read when it comes, until it is known what a message costs. A shard with a
    /// load from `busy` on is busy then.
    Trial { until: Timestamp, busy: f64 },
    /// Each datagram is read when it comes: there is time to spare.
    Calm,
    /// Datagrams gather; the cost is as measured before, and good until then.
    Gathering { until: Timestamp },
}

/// How much comes, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    gathering: Gathering,
    /// When the window began, and the thread's processor time then.
    window: Timestamp,
    spent: Duration,
    /// What has come since then.
    seen: u64,
    /// How many came lately, a second.
    rate: f64,
    /// The seconds that a message takes of the thread's time if it is woken for each.
    cost: f64,
    state: State,
    /// When the last round began that found something.
    round: Timestamp,
}

impl Pace {
    /// The pace of a shard that has seen nothing.
    pub(super) fn new(gathering: Gathering, now: Timestamp) -> Self {
        Self {
            gathering,
            window: now,
            spent: Duration::ZERO,
            seen: 0,
            rate: 0.0,
            cost: 0.0,
            state: State::Calm,
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
        if watched < WINDOW || self.gathering.span.is_zero() {
            return;
        }
        let spent = processor_time();
        if watched < TRIAL {
            self.measure(watched, spent.saturating_sub(self.spent));
            self.judge(now);
        } else {
            // What it did meanwhile was not for these messages.
            self.state = State::Trial {
                until: now + TRIAL,
                busy: self.gathering.busy,
            };
        }
        self.window = now;
        self.spent = spent;
        self.seen = 0;
    }

    fn measure(&mut self, watched: Duration, spent: Duration) {
        let weight = (watched.as_secs_f64() / MEMORY.as_secs_f64()).min(1.0);
        let seen = self.seen as f64;
        self.rate += (seen / watched.as_secs_f64() - self.rate) * weight;
        if !matches!(self.state, State::Gathering { .. }) {
            self.cost += (spent.as_secs_f64() / seen - self.cost) * weight;
        }
    }

    fn judge(&mut self, now: Timestamp) {
        let from = match self.state {
            State::Trial { until, .. } if now < until => return,
            State::Trial { busy, .. } => busy,
            State::Calm => self.gathering.busy,
            State::Gathering { .. } => self.gathering.busy * STILL_BUSY,
        };
        // As busy as that if it is woken for each message, and enough of them gather.
        let is_busy = self.rate * self.cost >= from
            && self.rate * self.gathering.span.as_secs_f64() >= FEWEST_GATHERED;
        self.state = match self.state {
            _ if !is_busy => State::Calm,
            State::Gathering { until } if now >= until => State::Trial {
                until: now + TRIAL,
                busy: self.gathering.busy * STILL_BUSY,
            },
            State::Gathering { until } => State::Gathering { until },
            State::Trial { .. } | State::Calm => State::Gathering { until: now + TERM },
        };
    }

    /// When the round after one that found something should begin; `None`: with the next datagram.
    pub(super) fn next_round(&self) -> Option<Timestamp> {
        let gathers = matches!(self.state, State::Gathering { .. });
        gathers.then(|| self.round + self.gathering.span)
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

    /// A shard that wakes after a while, and to which a datagram comes every `distance` nanoseconds for
    /// half a second, each of which takes `cost` nanoseconds of its time, the first ones much more.
    fn pace(gather: Duration, distance: u64, cost: u64) -> (Pace, Timestamp) {
        let gathering = Gathering {
            span: gather,
            ..Gathering::default()
        };
        let mut pace = Pace::new(gathering, Timestamp::ZERO);
        let mut last = Timestamp::from_secs(1);
        let mut spent = 50 * MILLISECOND;
        for number in 0..500 * MILLISECOND / distance {
            last = Timestamp::from_nanos(1_000 * MILLISECOND + number * distance);
            spent += cost + if number < 20 { 10 * cost } else { 0 };
            pace.found(last, 1, || Duration::from_nanos(spent));
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
        let mut spent = Duration::from_millis(400);
        for round in 1..=1_000 {
            let now = last + DEFAULT_GATHER * round;
            spent += Duration::from_micros(60);
            pace.found(now, 20, || spent);
        }
        assert!(pace.next_round().is_some(), "it costs an eighth by now");
    }

    #[test]
    fn what_a_message_costs_is_measured_again_after_a_while() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 25_000, 15_000);
        let mut spent = Duration::from_millis(400);
        let mut gathered = 0;
        for round in 1..=20_000 {
            let now = last + DEFAULT_GATHER * round;
            spent += Duration::from_micros(20) * 9;
            pace.found(now, 20, || spent);
            gathered += u32::from(pace.next_round().is_some());
        }
        assert!(
            gathered > 9_000 && pace.next_round().is_none(),
            "it has become cheap: {gathered}"
        );
    }

    #[test]
    fn a_burst_makes_no_shard_busy() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 100_000, 15_000);
        pace.found(last + Duration::from_millis(2), 200, || {
            Duration::from_millis(131)
        });
        assert!(pace.next_round().is_none());
    }

    #[test]
    fn when_the_traffic_ends_so_does_the_waiting() {
        let (mut pace, last) = pace(DEFAULT_GATHER, 10_000, 10_000);
        assert!(pace.next_round().is_some());
        pace.found(last + Duration::from_secs(1), 1, || Duration::from_secs(1));
        assert_eq!(pace.next_round(), None);
    }
}
