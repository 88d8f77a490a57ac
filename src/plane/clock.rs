//! The clock of the process: monotonic time as [`Timestamp`]s, and the kernel's receive stamps
//! translated to the same scale.
//!
//! Owns: the origin of time. May touch: the system's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// How often the distance between the two clocks is measured anew: wall time may be stepped.
const REFRESH: Duration = Duration::from_secs(1);
/// A stamp that lies further back than this is the wall clock's fault, not the queue's.
const OLDEST_STAMP: Duration = Duration::from_secs(10);

/// A clock; copies share the origin, so their times can be compared.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    /// Nanoseconds since 1970 at the origin, as last measured.
    origin_wall_ns: u64,
    measured: Timestamp,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
            origin_wall_ns: wall_ns(),
            measured: Timestamp::ZERO,
        }
    }

    /// The time now: one reading of the monotonic clock, and once in a second one of the wall clock.
    pub fn now(&mut self) -> Timestamp {
        let now = self.monotonic();
        if now.since(self.measured) >= REFRESH {
            self.origin_wall_ns = wall_ns().saturating_sub(now.as_nanos());
            self.measured = now;
        }
        now
    }

    /// The time since 1970 at the origin.
    pub fn unix_origin(&self) -> Duration {
        Duration::from_nanos(self.origin_wall_ns)
    }

    /// When the kernel received what it stamped `wall_ns` (nanoseconds since 1970). Never later than
    /// `now`; `now` itself when the stamp makes no sense because the wall clock was stepped.
    pub fn received(&self, wall_ns: u64, now: Timestamp) -> Timestamp {
        let stamp = Timestamp::from_nanos(wall_ns.saturating_sub(self.origin_wall_ns));
        if stamp > now || now.since(stamp) > OLDEST_STAMP {
            now
        } else {
            stamp
        }
    }

    /// The same point in time for the standard library's waits.
    pub fn instant(&self, at: Timestamp) -> Instant {
        // A deadline beyond what an `Instant` holds is as good as one in a year.
        let far = Duration::from_secs(365 * 24 * 3600);
        let distance = Duration::from_nanos(at.as_nanos());
        self.origin
            .checked_add(distance)
            .unwrap_or_else(|| self.origin + far)
    }

    fn monotonic(&self) -> Timestamp {
        Timestamp::from_nanos(self.origin.elapsed().as_nanos() as u64)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn wall_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock {
            origin: Instant::now(),
            origin_wall_ns: 1_000_000,
            measured: Timestamp::ZERO,
        }
    }

    #[test]
    fn a_stamp_is_moved_to_the_monotonic_scale() {
        let now = Timestamp::from_nanos(700);
        assert_eq!(clock().received(1_000_500, now), Timestamp::from_nanos(500));
    }

    #[test]
    fn a_stamp_from_the_future_or_from_long_ago_is_now() {
        let now = Timestamp::from_secs(60);
        let clock = clock();
        assert_eq!(clock.received(u64::MAX, now), now);
        assert_eq!(clock.received(1_000_000, now), now);
    }

    #[test]
    fn copies_share_the_origin() {
        let mut first = Clock::new();
        let mut second = first.clone();
        let (a, b, c) = (first.now(), second.now(), first.now());
        assert!(a <= b && b <= c);
        assert_eq!(first.instant(a), second.instant(a));
    }
}
