//! When which slots of the call table are looked at: every slot once in a check interval, in even
//! steps that are as long as can be, so that an idle process sleeps.
//!
//! Owns: the position in the round. May touch: nothing; time is handed in.

use std::ops::Range;
use std::time::Duration;

use crate::time::Timestamp;

/// Steps of a shard come at least this far apart.
pub(super) const SHORTEST_STEP: Duration = Duration::from_millis(500);
/// All shards together are woken at most four times a second for expiry.
const STEP_FOR_A_SHARD: Duration = Duration::from_millis(250);
/// A round has at most this many steps.
const MOST_STEPS: u32 = 256;

/// How far apart the steps of one shard are when there are so many shards. A shard cuts what it is
/// given into pieces of its own, so long steps do not make long pauses.
pub(super) fn step(check_interval: Duration, shards: u16) -> Duration {
    (check_interval / MOST_STEPS)
        .max(STEP_FOR_A_SHARD * u32::from(shards))
        .max(SHORTEST_STEP)
        .min(check_interval)
        .max(Duration::from_millis(1))
}

/// Paces the expiry of one shard's slots.
#[derive(Debug)]
pub(super) struct ExpiryPacer {
    slots: Range<u32>,
    interval: Duration,
    step: Duration,
    start: Timestamp,
    /// Slots handed out since the start, over all rounds.
    handed_out: u64,
    next: Timestamp,
}

impl ExpiryPacer {
    /// A pacer of `slots`, whose first round begins at `now`.
    pub(super) fn new(
        now: Timestamp,
        slots: Range<u32>,
        interval: Duration,
        step: Duration,
    ) -> Self {
        Self {
            next: if slots.is_empty() {
                Timestamp::FAR
            } else {
                now + step
            },
            slots,
            interval: interval.max(Duration::from_millis(1)),
            step,
            start: now,
            handed_out: 0,
        }
    }

    /// The slots whose turn has come, `None` when there are none (left). At the end of a round there
    /// are two ranges to ask for. Rounds that were missed altogether are left out.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Range<u32>> {
        if now < self.next {
            return None;
        }
        let width = u64::from(self.slots.end - self.slots.start);
        let elapsed_ns = now.since(self.start).as_nanos();
        let target = (elapsed_ns * u128::from(width) / self.interval.as_nanos()) as u64;
        self.handed_out = self.handed_out.max(target.saturating_sub(width));
        let offset = self.handed_out % width;
        let count = (target - self.handed_out).min(width - offset);
        if count == 0 {
            self.next = now + self.step;
            return None;
        }
        self.handed_out += count;
        let first = self.slots.start + offset as u32;
        Some(first..first + count as u32)
    }

    /// When [`ExpiryPacer::due`] is next needed.
    pub(super) fn next_deadline(&self) -> Timestamp {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sleeps as a loop would; returns when each range came.
    fn run(pacer: &mut ExpiryPacer, until: Timestamp) -> (u32, Vec<(Timestamp, Range<u32>)>) {
        let mut ranges = Vec::new();
        let mut wakes = 0;
        while pacer.next_deadline() <= until {
            let now = pacer.next_deadline();
            wakes += 1;
            while let Some(range) = pacer.due(now) {
                ranges.push((now, range));
            }
        }
        (wakes, ranges)
    }

    #[test]
    fn every_slot_is_looked_at_once_in_each_interval() {
        let interval = Duration::from_secs(30);
        let mut pacer =
            ExpiryPacer::new(Timestamp::ZERO, 1_000..33_768, interval, step(interval, 2));
        let (_, ranges) = run(&mut pacer, Timestamp::from_secs(90));
        let mut seen = vec![0_u32; 32_768];
        for (_, range) in ranges {
            for slot in range {
                seen[slot as usize - 1_000] += 1;
            }
        }
        assert!(seen.iter().all(|&times| times == 3));
    }

    #[test]
    fn an_idle_process_is_woken_by_expiry_at_most_four_times_a_second() {
        for shards in [1, 2, 8, 64] {
            let interval = Duration::from_secs(30);
            let mut wakes = 0;
            for _ in 0..shards {
                let step = step(interval, shards);
                let mut pacer = ExpiryPacer::new(Timestamp::ZERO, 0..512, interval, step);
                wakes += run(&mut pacer, Timestamp::from_secs(60)).0;
            }
            assert!(
                wakes <= 4 * 60,
                "{shards} shards: {wakes} wakes in a minute"
            );
        }
    }

    #[test]
    fn steps_are_even() {
        let interval = Duration::from_secs(30);
        let mut pacer = ExpiryPacer::new(Timestamp::ZERO, 0..6_000, interval, step(interval, 1));
        let (_, ranges) = run(&mut pacer, Timestamp::from_secs(30));
        assert_eq!(ranges.len(), 60);
        assert!(ranges.iter().all(|(_, range)| range.len() == 100));
    }

    #[test]
    fn a_shard_without_slots_is_never_woken() {
        let second = Duration::from_secs(1);
        let pacer = ExpiryPacer::new(Timestamp::ZERO, 7..7, second, second);
        assert_eq!(pacer.next_deadline(), Timestamp::FAR);
    }

    proptest! {
        /// However late it is asked, no range is outside, and at most one round comes at once.
        #[test]
        fn a_late_pacer_catches_up_with_one_round(
            width in 1_u32..100_000, interval_ms in 1_u64..100_000, pauses in prop::collection::vec(0_u64..1_000_000, 1..20),
        ) {
            let interval = Duration::from_millis(interval_ms);
            let slots = 5..5 + width;
            let mut pacer = ExpiryPacer::new(Timestamp::ZERO, slots.clone(), interval, step(interval, 1));
            let mut now = Timestamp::ZERO;
            for pause in pauses {
                now += Duration::from_millis(pause);
                let mut total = 0;
                while let Some(range) = pacer.due(now) {
                    prop_assert!(slots.start <= range.start && range.start < range.end && range.end <= slots.end);
                    total += range.end - range.start;
                }
                prop_assert!(total <= width);
            }
        }
    }
}
