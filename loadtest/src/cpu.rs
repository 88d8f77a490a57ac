//! The CPU time that this process has taken.

use std::time::Duration;

/// Ticks a second in `/proc`; fixed by the kernel's interface to user space.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time so far, of all threads; `None` where there is no `/proc`.
pub fn time() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15 of `/proc/<pid>/stat`; the name in field 2 may hold blanks and parentheses.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1_000 / TICKS_PER_SECOND,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_look_like_fields() {
        let stat = "77 (a ) 1 2) S 1 77 77 0 -1 4194304 120 0 0 0 150 25 0 0 20 0 3 0 99";
        assert_eq!(parse(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(parse("nothing"), None);
    }
}
