//! How long the transactions of RFC 3261 wait for what.

use std::time::Duration;

/// The timers of RFC 3261 (table 4) and section 16.6 step 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip; timeouts are 64 times this.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE answers.
    pub t2: Duration,
    /// Longest time that a message stays in the network.
    pub t4: Duration,
    /// Timer C: an INVITE branch that rings longer than this is given up.
    pub c: Duration,
    /// How long an answered transaction absorbs or passes on what is repeated (timers J, L and M; a
    /// configuration's `wt_timer`), mostly from few words. What is repeated later is dealt
    /// with without transaction.
    pub wait: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            c: Duration::from_secs(180 + 1),
            wait: Duration::from_secs(32),
        }
    }
}
