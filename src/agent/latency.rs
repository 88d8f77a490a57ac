//! How long something took, measured twice: from when it was due and from when it was really sent.
//!
//! Only the first tells what a user of the system under test would have felt: a generator that falls
//! behind asks later and so, measured from its own sending, sees the stall only once (coordinated
//! omission). The difference between the two shows how far the generator fell behind.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::time::Timestamp;

const LOWEST_NANOS: u64 = 1_000;
const HIGHEST_NANOS: u64 = 120_000_000_000;
const DIGITS: u8 = 3;

/// A histogram of nanoseconds from a microsecond to two minutes, three digits.
///
/// # Panics
/// Never: the bounds are constants in order.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NANOS, HIGHEST_NANOS, DIGITS)
        .expect("the bounds are constants in order")
}

/// Adds a duration; what is beyond the bounds counts at the bound.
pub fn record(histogram: &mut Histogram<u64>, took: Duration) {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    histogram.saturating_record(nanos.min(HIGHEST_NANOS));
}

/// One latency, both ways.
#[derive(Clone, Debug)]
pub struct Latency {
    /// From when the request was due by the schedule, in nanoseconds.
    pub scheduled: Histogram<u64>,
    /// From when it was first sent, in nanoseconds.
    pub sent: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            scheduled: new_histogram(),
            sent: new_histogram(),
        }
    }
}

impl Latency {
    /// Records one that ends `now`.
    pub(super) fn record(&mut self, scheduled: Timestamp, sent: Timestamp, now: Timestamp) {
        record(&mut self.scheduled, now.since(scheduled));
        record(&mut self.sent, now.since(sent));
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.scheduled, &other.scheduled);
        add(&mut self.sent, &other.sent);
    }
}

/// Adds all of a histogram that was made by [`new_histogram`] to another.
///
/// # Panics
/// If `from` was made otherwise and holds what `into` cannot.
pub fn add(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("both have the same bounds");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_send_shows_only_from_the_schedule() {
        let mut latency = Latency::default();
        let due = Timestamp::from_secs(10);
        let sent = due + Duration::from_secs(1);
        latency.record(due, sent, sent + Duration::from_millis(5));
        let near = |value: u64, expected: u64| value.abs_diff(expected) <= expected / 500;
        assert!(near(latency.sent.max(), 5_000_000));
        assert!(near(latency.scheduled.max(), 1_005_000_000));
    }

    #[test]
    fn beyond_the_bounds_is_counted_at_the_bound() {
        let mut latency = Latency::default();
        latency.record(
            Timestamp::ZERO,
            Timestamp::ZERO,
            Timestamp::from_secs(1_000),
        );
        latency.record(Timestamp::ZERO, Timestamp::ZERO, Timestamp::ZERO);
        assert_eq!(latency.sent.len(), 2);
        assert!(latency.sent.max() >= HIGHEST_NANOS);
    }
}
