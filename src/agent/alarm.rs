//! One timer for each call, over the timer wheel.
//!
//! Most timers of a call are moved to a later time before they fire (an answer comes before the
//! retransmission). So a call has one entry in the wheel, which stays where it is when the timer moves to
//! a later time, and is put back for the right time when it fires too early.

use std::time::Duration;

use super::token::Place;
use crate::time::Timestamp;
use crate::transaction::wheel::{TimerId, Wheel};

/// The grid of the wheel.
const TICK_NANOS: u64 = 1_000_000;

/// The next point in time at which a timer can fire exactly. What is measured from when it was due must
/// be due at one, or the wheel's rounding would be part of the measurement.
pub(super) fn on_the_grid(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().div_ceil(TICK_NANOS) * TICK_NANOS)
}

/// The timer of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    at: Timestamp,
    /// The entry in the wheel and when it fires: not after `at`.
    armed: Option<(Timestamp, TimerId)>,
}

impl Due {
    /// Not armed.
    pub const NEVER: Self = Self {
        at: Timestamp::FAR,
        armed: None,
    };
}

/// The wheel.
#[derive(Debug)]
pub(super) struct Alarms {
    wheel: Wheel<Place>,
}

impl Alarms {
    pub fn new(now: Timestamp) -> Self {
        Self {
            wheel: Wheel::new(now),
        }
    }

    /// Moves the timer of the call at `place` to `at`; [`Timestamp::FAR`] disarms it.
    pub fn set(&mut self, place: Place, due: &mut Due, at: Timestamp) {
        due.at = at;
        match due.armed {
            Some((armed, _)) if armed <= at && at != Timestamp::FAR => {}
            _ => {
                self.disarm(due);
                if at != Timestamp::FAR {
                    due.armed = Some((at, self.wheel.insert(at, place)));
                }
                due.at = at;
            }
        }
    }

    /// Disarms the timer of a call: before the call is forgotten.
    pub fn disarm(&mut self, due: &mut Due) {
        due.at = Timestamp::FAR;
        if let Some((_, timer)) = due.armed.take() {
            self.wheel.cancel(timer);
        }
    }

    /// The next entry that fires; [`Alarms::is_due`] must be asked about it.
    pub fn pop(&mut self, now: Timestamp) -> Option<Place> {
        self.wheel.pop_due(now)
    }

    /// Whether the call whose entry fired is really due; if not, sees to it that it will be.
    pub fn is_due(&mut self, now: Timestamp, place: Place, due: &mut Due) -> bool {
        due.armed = None;
        let at = due.at;
        if at <= now {
            due.at = Timestamp::FAR;
            return true;
        }
        self.set(place, due, at);
        false
    }

    /// No entry fires before this.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.wheel.next_deadline()
    }
}

/// A request or answer that is sent again until something comes back (RFC 3261 section 17).
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// When it is sent again.
    pub at: Timestamp,
    /// When it is given up.
    pub until: Timestamp,
    interval: Duration,
}

impl Retry {
    /// First sent `now`: again after T1, given up after 64 * T1.
    pub fn new(now: Timestamp, t1: Duration) -> Self {
        Self {
            at: now + t1,
            until: now + t1 * 64,
            interval: t1,
        }
    }

    /// Sent again: the next interval is twice as long, but at most `longest`.
    pub fn again(&mut self, now: Timestamp, longest: Duration) {
        self.interval = (self.interval * 2).min(longest);
        self.at = now + self.interval;
    }

    /// When to look at it next.
    pub fn next(&self) -> Timestamp {
        self.at.min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { slot: 3, serial: 9 };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// The seconds at which the call is found due, when the wheel is asked each second.
    fn firings(alarms: &mut Alarms, due: &mut Due, from: u64, until: u64) -> Vec<u64> {
        let mut fired = Vec::new();
        for second in from..until {
            while let Some(place) = alarms.pop(at(second)) {
                if alarms.is_due(at(second), place, due) {
                    fired.push(second);
                }
            }
        }
        fired
    }

    #[test]
    fn a_timer_moved_later_fires_once_at_the_later_time() {
        let mut alarms = Alarms::new(Timestamp::ZERO);
        let mut due = Due::NEVER;
        alarms.set(PLACE, &mut due, at(5));
        alarms.set(PLACE, &mut due, at(20));
        assert_eq!(firings(&mut alarms, &mut due, 0, 40), [20]);
        assert_eq!(alarms.next_deadline(), None);
    }

    #[test]
    fn a_timer_moved_earlier_fires_once_at_the_earlier_time() {
        let mut alarms = Alarms::new(Timestamp::ZERO);
        let mut due = Due::NEVER;
        alarms.set(PLACE, &mut due, at(20));
        alarms.set(PLACE, &mut due, at(5));
        assert_eq!(firings(&mut alarms, &mut due, 0, 10), [5]);
        alarms.set(PLACE, &mut due, at(30));
        assert_eq!(firings(&mut alarms, &mut due, 10, 60), [30]);
    }

    #[test]
    fn a_disarmed_timer_stays_silent_and_can_be_armed_again() {
        let mut alarms = Alarms::new(Timestamp::ZERO);
        let mut due = Due::NEVER;
        alarms.set(PLACE, &mut due, at(5));
        alarms.set(PLACE, &mut due, Timestamp::FAR);
        assert_eq!(alarms.next_deadline(), None);
        assert_eq!(firings(&mut alarms, &mut due, 0, 10), []);
        alarms.set(PLACE, &mut due, at(12));
        assert_eq!(firings(&mut alarms, &mut due, 10, 60), [12]);
    }

    #[test]
    fn retransmissions_follow_timers_e_and_f() {
        let t1 = Duration::from_millis(500);
        let mut retry = Retry::new(Timestamp::ZERO, t1);
        let mut sent = Vec::new();
        while retry.next() < retry.until {
            sent.push(retry.at.as_millis());
            retry.again(retry.at, t1 * 8);
        }
        assert_eq!(
            sent,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
            ]
        );
        assert_eq!(retry.until.as_millis(), 32_000);
    }
}
