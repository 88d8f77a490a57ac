//! What the log is not told at once, so that a stranger cannot fill it.

use std::time::Duration;

use crate::time::Timestamp;

/// The least time between two lines of the log that say that scripts were stopped.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Scripts that were stopped and not told of yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Untold {
    count: u64,
    /// When the log may tell of them.
    from: Timestamp,
}

impl Default for Untold {
    fn default() -> Self {
        Self {
            count: 0,
            from: Timestamp::ZERO,
        }
    }
}

impl Untold {
    /// Counts one; says how many to tell of, if it is time.
    pub(super) fn add(&mut self, now: Timestamp) -> Option<u64> {
        self.count += 1;
        if now < self.from {
            return None;
        }
        self.from = now + BETWEEN_LINES;
        Some(std::mem::take(&mut self.count))
    }
}
