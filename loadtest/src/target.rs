//! The rate that a run asks for: what statistics name beside the rate that was reached.

use std::time::Duration;

use sipshard::agent::{RateProfile, Stage};

use crate::options::Options;
use crate::options::parse::MOST_CALLS;

/// Most steps of a rate that rises without an end.
const MOST_STEPS: f64 = 10_000.0;
/// How long calls start if nothing says otherwise.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// The schedule of a run, all threads together.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// When calls start, if the loop is open.
    pub profile: RateProfile,
    /// How many calls are kept under way, if it is closed: then no rate is asked for.
    pub users: Option<u32>,
}

/// When calls stop to start; for gateways, when the run ends.
pub fn duration(options: &Options) -> Option<Duration> {
    let stages = stages(options);
    if options.duration.is_none() && !stages.is_empty() {
        return Some(stages.iter().map(|stage| stage.lasts).sum());
    }
    match (options.duration, options.calls) {
        (None, None) if options.role.calls() => Some(DEFAULT_DURATION),
        (duration, _) => duration,
    }
}

impl Target {
    /// What the options ask for.
    pub fn of(options: &Options) -> Self {
        Self {
            profile: RateProfile {
                rate: options.rate,
                ramp: options.ramp,
                duration: duration(options),
                calls: options.calls,
                stages: stages(options),
            },
            users: options.users,
        }
    }

    /// SIPp's `TargetRate` of a while: the mean of the schedule, or the number of users, as SIPp has it.
    pub fn between(&self, from: Duration, until: Duration) -> f64 {
        if let Some(users) = self.users {
            return f64::from(users);
        }
        let span = until.saturating_sub(from).as_secs_f64();
        if self.is_constant() || span <= 0.0 {
            return self.profile.rate;
        }
        (self.calls_until(until) - self.calls_until(from)) / span
    }

    /// Calls a second that a run was asked for whose last call started `last` after its begin: the mean until
    /// then, or until the schedule's last call, if that was due earlier. `None` in a closed loop.
    pub fn mean(&self, last: Duration) -> Option<f64> {
        if self.users.is_some() {
            return None;
        }
        let calls = self.profile.calls.and_then(|calls| calls.checked_sub(1));
        let last_due = calls.and_then(|last| self.profile.start_of(last));
        let until = [last_due, self.end()]
            .into_iter()
            .flatten()
            .fold(last, Duration::min);
        Some(self.between(Duration::ZERO, until))
    }

    /// Whether one rate holds from the begin to the end.
    fn is_constant(&self) -> bool {
        self.profile.stages.is_empty() && self.profile.ramp.is_zero()
    }

    /// When the last stage ends, or the time in which calls start.
    fn end(&self) -> Option<Duration> {
        let stages = &self.profile.stages;
        let staged = (!stages.is_empty()).then(|| stages.iter().map(|stage| stage.lasts).sum());
        [staged, self.profile.duration].into_iter().flatten().min()
    }

    /// How many calls are due before a time.
    fn calls_until(&self, time: Duration) -> f64 {
        let mut left = self.end().map_or(time, |end| time.min(end));
        let profile = &self.profile;
        let climb = Stage {
            from: 0.0,
            to: profile.rate,
            lasts: profile.ramp,
        };
        let ramp = [climb];
        let stages = if profile.stages.is_empty() {
            &ramp[..]
        } else {
            &profile.stages
        };
        let mut calls = 0.0;
        for stage in stages.iter().filter(|stage| !stage.lasts.is_zero()) {
            let lasts = stage.lasts.min(left);
            let part = lasts.as_secs_f64() / stage.lasts.as_secs_f64();
            let to = stage.from + (stage.to - stage.from) * part;
            calls += Stage {
                lasts,
                to,
                ..*stage
            }
            .calls();
            left -= lasts;
        }
        // After a ramp its rate stays; after stages nothing is left.
        calls + profile.rate * left.as_secs_f64()
    }
}

/// The rate's stages, if it has any.
fn stages(options: &Options) -> Vec<Stage> {
    if let Some(schedule) = &options.schedule {
        return schedule.0.clone();
    }
    let Some(increase) = options.rate_increase else {
        return Vec::new();
    };
    let most = options.rate_max.unwrap_or(MOST_CALLS);
    let steps = ((most - options.rate) / increase).clamp(0.0, MOST_STEPS) as u32;
    let step = |number| {
        let rate = options.rate + f64::from(number) * increase;
        Stage {
            from: rate,
            to: rate,
            lasts: options.rate_interval,
        }
    };
    (0..=steps).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn target(arguments: &[&str]) -> Target {
        let all = std::iter::once(&"sipload").chain(arguments);
        Target::of(&Cli::read(all).unwrap().options)
    }

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-6
    }

    #[test]
    fn the_target_follows_steps_ramps_and_stages() {
        let second = Duration::from_secs;
        let steps = "-r 100 -rate_increase 100 -rate_interval 2 -rate_max 300";
        for (arguments, expected) in [
            ("-r 100", [100.0, 100.0, 100.0, 100.0]),
            (steps, [100.0, 200.0, 300.0, 0.0]),
            ("-r 100 --ramp 4", [25.0, 75.0, 100.0, 100.0]),
            ("--schedule 0..100/2,50/4", [50.0, 50.0, 50.0, 0.0]),
            ("-users 5", [5.0, 5.0, 5.0, 5.0]),
        ] {
            let target = target(&arguments.split(' ').collect::<Vec<_>>());
            for (from, expected) in (0..).step_by(2).zip(expected) {
                let rate = target.between(second(from), second(from + 2));
                assert!(near(rate, expected), "{arguments} at {from} s: {rate}");
            }
        }
    }

    #[test]
    fn the_mean_ends_with_the_last_call() {
        let second = Duration::from_secs;
        let mean = |arguments: &str, last| {
            target(&arguments.split(' ').collect::<Vec<_>>()).mean(second(last))
        };
        assert_eq!(mean("-users 5", 10), None);
        let steps = "-r 100 -rate_increase 100 -rate_interval 2 -rate_max 300";
        for (arguments, last, expected) in [
            ("-r 100", 7, 100.0),
            (steps, 6, 200.0),
            // A generator that was late is not asked for less.
            (steps, 12, 200.0),
            // A signal ended it.
            (steps, 2, 100.0),
            // 150 while it climbs, as many at full rate: 301 calls.
            ("-r 100 --ramp 3 -m 301", 5, 300.0 / 4.5),
        ] {
            let rate = mean(arguments, last).unwrap();
            assert!(near(rate, expected), "{arguments}: {rate}");
        }
    }
}
