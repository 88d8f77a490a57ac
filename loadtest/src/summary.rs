//! What a run has brought: the sum of what its threads have seen, and how it went as a whole.

use std::net::SocketAddr;
use std::time::Duration;

use sipshard::agent::{CallerReport, GatewayReport};
use sipshard::plane::Traffic;
use sipshard::time::Timestamp;

use crate::script::report::ScriptReport;
use crate::target::Target;
use crate::timeline::Second;
use crate::worker::Outcome;

/// What a run has brought.
#[derive(Debug)]
pub struct Summary {
    /// From the first call that was due, or could have come, to the end.
    pub elapsed: Duration,
    /// When the schedule began, by the clock of the reports.
    pub begin: Timestamp,
    /// The rate that was asked for.
    pub target: Target,
    /// Threads that worked.
    pub threads: usize,
    /// All callers together.
    pub caller: Option<CallerReport>,
    /// All actors of a script together.
    pub script: Option<ScriptReport>,
    /// Each gateway, in the order of the plan.
    pub gateways: Vec<(SocketAddr, GatewayReport)>,
    /// All sockets together.
    pub traffic: Traffic,
    /// Whether a signal ended it.
    pub interrupted: bool,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// CPU time of the whole process during the run.
    pub cpu: Duration,
    /// After how long a caller who waits for answers would have called again; zero: nobody asks.
    pub expected_interval: Duration,
}

impl Summary {
    /// Adds what one thread has seen.
    pub fn add(&mut self, outcome: Outcome) {
        match (&mut self.caller, outcome.caller) {
            (Some(sum), Some(other)) => sum.merge(&other),
            (none, other) => *none = none.take().or(other),
        }
        match (&mut self.script, outcome.script) {
            (Some(sum), Some(other)) => sum.merge(&other),
            (none, other) => *none = none.take().or(other),
        }
        self.gateways.extend(outcome.gateways);
        let (sum, other) = (&mut self.traffic, outcome.traffic);
        sum.received += other.received;
        sum.sent += other.sent;
        sum.congested += other.congested;
        sum.unsent += other.unsent;
        sum.overflowed += other.overflowed;
        sum.undeliverable += other.undeliverable;
    }
}
