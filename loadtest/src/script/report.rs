//! What an actor has seen.

use sipshard::agent::{CallerReport, Latency};

/// Why calls failed, with the names of SIPp's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Sent again too often.
    MaxRetrans,
    /// A message that the scenario does not wait for.
    Unexpected,
    /// Nothing came in time.
    RecvTimeout,
    /// An expression did not match.
    RegexpNoMatch,
    /// An expression matched that should not.
    RegexpMatch,
    /// A header to search in is missing.
    RegexpNoHeader,
    /// A test did not hold.
    TestFailed,
    /// A test held that should not.
    TestHeld,
    /// A challenge cannot be answered: there is none, or only of a kind that is not known.
    Challenge,
    /// A message came to more than a datagram holds, or the scenario ended the call.
    Stopped,
}

/// All causes and what they are called.
pub const CAUSES: [(Cause, &str); 10] = [
    (Cause::MaxRetrans, "sent again too often"),
    (Cause::Unexpected, "unexpected message"),
    (Cause::RecvTimeout, "nothing received in time"),
    (Cause::RegexpNoMatch, "expression did not match"),
    (Cause::RegexpMatch, "expression matched"),
    (Cause::RegexpNoHeader, "header to search in is missing"),
    (Cause::TestFailed, "test did not hold"),
    (Cause::TestHeld, "test held"),
    (Cause::Challenge, "challenge cannot be answered"),
    (Cause::Stopped, "ended by the scenario"),
];

/// How many calls failed for each of [`CAUSES`].
pub type Causes = [u64; CAUSES.len()];

/// What one step has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Messages sent or received, pauses taken, actions without a message done.
    pub done: u64,
    /// Sent or received again.
    pub again: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Unexpected messages while it waited.
    pub unexpected: u64,
}

/// Counts and times.
#[derive(Clone, Debug, Default)]
pub struct ScriptReport {
    /// Calls, as of any caller; the first timer is the answer time.
    pub caller: CallerReport,
    /// Each step.
    pub steps: Vec<StepCounts>,
    /// What each step is called.
    pub labels: Vec<String>,
    /// The times of each timer, with its name.
    pub timers: Vec<(String, Latency)>,
    /// Whether each counts from the schedule; the others' times are the same both ways.
    pub scheduled: Vec<bool>,
    /// Why calls failed.
    pub causes: Causes,
    /// Messages of no call.
    pub strays: u64,
    /// Whether it begins calls.
    pub calls: bool,
}

impl ScriptReport {
    /// Adds another's, of the same scenario.
    pub fn merge(&mut self, other: &Self) {
        self.caller.merge(&other.caller);
        for (sum, one) in self.steps.iter_mut().zip(&other.steps) {
            sum.done += one.done;
            sum.again += one.again;
            sum.timeouts += one.timeouts;
            sum.unexpected += one.unexpected;
        }
        for ((_, sum), (_, one)) in self.timers.iter_mut().zip(&other.timers) {
            sum.merge(one);
        }
        for (sum, one) in self.causes.iter_mut().zip(other.causes) {
            *sum += one;
        }
        self.strays += other.strays;
    }
}
