//! When calls start and how long things take: schedules in closed form, delays drawn from a seed.

use std::time::Duration;

use crate::rng::Rng;

/// An open-loop schedule: call `k` starts at a time that depends on nothing but `k`.
///
/// The rate climbs evenly from zero to [`RateProfile::rate`] during `ramp`, then stays; or it goes through
/// stages, after the last of which no call starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RateProfile {
    /// Calls a second after the ramp; must be above zero.
    pub rate: f64,
    /// How long the rate climbs.
    pub ramp: Duration,
    /// No call starts at or after this time; `None`: no end by time.
    pub duration: Option<Duration>,
    /// How many calls there are; `None`: no end by number.
    pub calls: Option<u64>,
    /// Stages in place of `rate` and `ramp`; none: these hold.
    pub stages: Vec<Stage>,
}

/// A while in which the rate changes evenly or stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Calls a second at its begin; not below zero.
    pub from: f64,
    /// Calls a second at its end; not below zero.
    pub to: f64,
    /// How long it is.
    pub lasts: Duration,
}

impl Stage {
    /// How many calls start in it.
    pub fn calls(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.lasts.as_secs_f64()
    }

    /// After how many seconds `number` calls have started, where it has that many.
    fn seconds_until(&self, number: f64) -> f64 {
        let climb = (self.to - self.from) / self.lasts.as_secs_f64();
        // The root of from * t + climb * t^2 / 2 = number, in the form that does not lose digits.
        let at_end = (self.from * self.from + 2.0 * climb * number)
            .max(0.0)
            .sqrt();
        let sum = self.from + at_end;
        if sum > 0.0 { 2.0 * number / sum } else { 0.0 }
    }
}

impl RateProfile {
    /// A constant rate without end.
    pub fn constant(rate: f64) -> Self {
        Self {
            rate,
            ramp: Duration::ZERO,
            duration: None,
            calls: None,
            stages: Vec::new(),
        }
    }

    /// The same, with this many calls.
    #[must_use]
    pub fn with_calls(self, calls: u64) -> Self {
        Self {
            calls: Some(calls),
            ..self
        }
    }

    /// When call `k` (from 0) starts, counted from the begin of the run; `None` when there is no such call.
    pub fn start_of(&self, k: u64) -> Option<Duration> {
        if self.calls.is_some_and(|calls| k >= calls) {
            return None;
        }
        let number = k as f64;
        let seconds = if self.stages.is_empty() {
            self.steady(number)
        } else {
            self.staged(number)?
        };
        // A rate near zero gives times beyond what a Duration holds: no such call.
        let start = Duration::try_from_secs_f64(seconds).ok()?;
        let inside = self.duration.is_none_or(|end| start < end);
        inside.then_some(start)
    }

    fn steady(&self, number: f64) -> f64 {
        let ramp = self.ramp.as_secs_f64();
        // The area under the ramp: so many calls start while the rate climbs.
        let climbing = self.rate * ramp / 2.0;
        if number < climbing {
            (2.0 * number * ramp / self.rate).sqrt()
        } else {
            ramp + (number - climbing) / self.rate
        }
    }

    fn staged(&self, number: f64) -> Option<f64> {
        let (mut before, mut begun) = (0.0, 0.0);
        for stage in &self.stages {
            let calls = stage.calls();
            if number < before + calls {
                return Some(begun + stage.seconds_until(number - before));
            }
            before += calls;
            begun += stage.lasts.as_secs_f64();
        }
        None
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// Exponentially distributed with this mean, as telephone calls roughly are; never above 20 times it.
    Exponential(Duration),
}

impl Delay {
    /// No delay.
    pub const ZERO: Self = Self::Fixed(Duration::ZERO);

    /// Draws one.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Exponential(mean) => mean.mul_f64(exponential(rng).min(20.0)),
        }
    }
}

/// A unit exponential variate by von Neumann's method: comparisons only, no logarithm, whose last bit
/// differs between machines and would break replay.
fn exponential(rng: &mut Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = unit(rng);
        let mut previous = first;
        let mut length = 1_u32;
        loop {
            let next = unit(rng);
            if next >= previous {
                break;
            }
            previous = next;
            length += 1;
        }
        if length % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

/// Evenly from 0 (included) to 1 (not included), 53 bits.
pub(super) fn unit(rng: &mut Rng) -> f64 {
    (rng.next() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_rate_is_even() {
        let profile = RateProfile::constant(1_000.0);
        assert_eq!(profile.start_of(0), Some(Duration::ZERO));
        assert_eq!(profile.start_of(2_500), Some(Duration::from_millis(2_500)));
    }

    #[test]
    fn a_ramp_starts_half_as_many_calls() {
        let profile = RateProfile {
            ramp: Duration::from_secs(10),
            ..RateProfile::constant(100.0)
        };
        let during = (0..10_000)
            .filter(|k| profile.start_of(*k).unwrap() < Duration::from_secs(10))
            .count();
        assert_eq!(during, 500);
        let a_second_later = profile.start_of(600).unwrap();
        assert!(a_second_later.abs_diff(Duration::from_secs(11)) < Duration::from_micros(1));
        let first_half = profile.start_of(125).unwrap();
        assert!(first_half.abs_diff(Duration::from_secs(5)) < Duration::from_micros(1));
    }

    #[test]
    fn starts_never_go_back() {
        let profile = RateProfile {
            ramp: Duration::from_millis(700),
            ..RateProfile::constant(333.0)
        };
        let starts: Vec<_> = (0..2_000).map(|k| profile.start_of(k).unwrap()).collect();
        assert!(starts.is_sorted());
    }

    #[test]
    fn stages_follow_each_other_and_then_it_is_over() {
        let stage = |from, to, seconds| Stage {
            from,
            to,
            lasts: Duration::from_secs(seconds),
        };
        let profile = RateProfile {
            stages: vec![
                stage(0.0, 100.0, 10),
                stage(0.0, 0.0, 5),
                stage(100.0, 100.0, 2),
                stage(100.0, 0.0, 4),
            ],
            ..RateProfile::constant(1.0)
        };
        let starts: Vec<f64> = (0..)
            .map_while(|k| profile.start_of(k))
            .map(|at| at.as_secs_f64())
            .collect();
        assert_eq!(starts.len(), 500 + 200 + 200);
        assert!(starts.is_sorted());
        let within = |from: f64, until: f64| {
            starts
                .iter()
                .filter(|at| (from..until).contains(*at))
                .count()
        };
        assert_eq!(within(0.0, 5.0), 125);
        assert_eq!(within(10.0, 14.999), 0);
        assert_eq!(within(14.999, 15.999), 100);
        // The last stage: three quarters of its calls in its first half.
        assert_eq!(within(16.9999, 18.9999), 150);
    }

    #[test]
    fn a_schedule_ends_by_number_and_by_time() {
        let profile = RateProfile {
            duration: Some(Duration::from_secs(1)),
            ..RateProfile::constant(10.0)
        };
        assert!(profile.start_of(9).is_some());
        assert_eq!(profile.start_of(10), None);
        let profile = RateProfile::constant(10.0).with_calls(3);
        assert!(profile.start_of(2).is_some());
        assert_eq!(profile.start_of(3), None);
    }

    #[test]
    fn exponential_delays_have_their_mean_and_their_tail() {
        let mut rng = Rng::from_seed(5);
        let mean = Duration::from_secs(1);
        let draws: Vec<f64> = (0..100_000)
            .map(|_| Delay::Exponential(mean).draw(&mut rng).as_secs_f64())
            .collect();
        let average = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((average - 1.0).abs() < 0.02, "mean {average}");
        let beyond_two = draws.iter().filter(|d| **d > 2.0).count() as f64 / draws.len() as f64;
        assert!((beyond_two - 0.1353).abs() < 0.01, "tail {beyond_two}");
    }
}
