//! The CPU time that this process has taken.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// User and system time of all threads so far, from the scheduler's own accounting: exact to the
/// microsecond, unlike the ticks of `/proc/self/stat`.
pub fn time() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(spent.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let before = time();
        let sum: u64 = (0..1_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0);
        assert!(time() > before);
    }
}
