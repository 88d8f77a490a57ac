//! Regular expressions that scripts make while they run: the last ones stay compiled.
//!
//! Owns: these. A script with few of them compiles each once and allocates nothing more; one that makes a
//! new one for each message compiles each time, and never keeps more than [`MAX_KEPT`].

use regex::bytes::Regex;

use super::regex;

/// Most expressions that are kept.
const MAX_KEPT: usize = 16;

/// The longest expression that is kept.
const MAX_KEPT_BYTES: usize = 1024;

/// Expressions that were made while a script ran.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    kept: Vec<Kept>,
    /// Uses so far.
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    pattern: Vec<u8>,
    /// Nothing of a pattern that is none.
    regex: Option<Regex>,
    /// When it was used last.
    used: u64,
}

impl Patterns {
    /// Whether an expression matches a text; one that cannot be read matches nothing.
    pub(super) fn is_match(&mut self, pattern: &[u8], text: &[u8]) -> bool {
        self.clock += 1;
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.pattern == pattern) {
            kept.used = self.clock;
            return kept
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(text));
        }
        let made = std::str::from_utf8(pattern).ok();
        let made = made.and_then(|pattern| regex(pattern, true).ok());
        let is_match = made.as_ref().is_some_and(|regex| regex.is_match(text));
        if pattern.len() <= MAX_KEPT_BYTES {
            self.keep(Kept {
                pattern: pattern.to_vec(),
                regex: made,
                used: self.clock,
            });
        }
        is_match
    }

    /// The one that was not used for longest gives way.
    fn keep(&mut self, made: Kept) {
        if self.kept.len() < MAX_KEPT {
            self.kept.push(made);
        } else if let Some(oldest) = self.kept.iter_mut().min_by_key(|kept| kept.used) {
            *oldest = made;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_stay_and_all_match_as_they_should() {
        let mut patterns = Patterns::default();
        for round in 0..3 {
            for number in 0..40 {
                let (pattern, text) = (format!("^A{number}$"), format!("a{number}"));
                assert!(patterns.is_match(pattern.as_bytes(), text.as_bytes()));
                assert!(!patterns.is_match(pattern.as_bytes(), b"a"), "{round}");
                // In use all the time.
                assert!(patterns.is_match(b"x|y", b"xx"));
            }
            assert!(!patterns.is_match(b"(", b"("));
            assert!(!patterns.is_match(b"\xff", b"\xff"));
            assert_eq!(patterns.kept.len(), MAX_KEPT);
            assert!(patterns.kept.iter().any(|kept| kept.pattern == b"x|y"));
        }
        let long = vec![b'a'; MAX_KEPT_BYTES + 1];
        assert!(patterns.is_match(&long, &long));
        assert!(!patterns.kept.iter().any(|kept| kept.pattern == long));
    }
}
