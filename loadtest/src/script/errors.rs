//! What goes wrong in calls, told for the log of `-trace_err`.

use std::mem;

use sipshard::time::Timestamp;

use super::call::Call;
use super::program::Program;
use super::report::{CAUSES, Cause};

/// Most that is kept until it is taken: a run in which everything fails must not fill the memory.
const MOST_BYTES: usize = 16 << 20;

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What, in one line; the message that it was about follows in lines of its own.
    pub text: Vec<u8>,
}

/// What went wrong since it was last taken.
#[derive(Debug, Default)]
pub struct Errors {
    is_wanted: bool,
    events: Vec<Event>,
    bytes: usize,
    left_out: u64,
}

impl Errors {
    /// Keeps what goes wrong only if somebody wants it.
    pub fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            ..Self::default()
        }
    }

    /// Something went wrong: what, and the message that it was about, if it was about one.
    pub fn add(&mut self, at: Timestamp, what: impl FnOnce() -> String, message: &[u8]) {
        if !self.is_wanted {
            return;
        }
        if self.bytes > MOST_BYTES {
            self.left_out += 1;
            return;
        }
        let mut text = what().into_bytes();
        if !message.is_empty() {
            text.push(b'\n');
            text.extend_from_slice(message);
        }
        self.bytes += text.len();
        self.events.push(Event { at, text });
    }

    /// Takes it all.
    pub fn take(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = mem::take(&mut self.events);
        let left_out = mem::take(&mut self.left_out);
        self.bytes = 0;
        if left_out > 0 {
            let text = format!("{left_out} more, too many to be kept");
            events.push(Event {
                at: now,
                text: text.into_bytes(),
            });
        }
        events
    }
}

/// That a call has failed: which, where and why.
pub fn failure(call: &Call, program: &Program, cause: Cause) -> String {
    let id = String::from_utf8_lossy(&call.id);
    let known = CAUSES.iter().find(|(known, _)| *known == cause);
    let why = known.map_or("", |(_, why)| *why);
    let last = program.steps.len().saturating_sub(1);
    let index = call.step.min(last);
    let label = program.steps.get(index).map_or("", |step| &step.label);
    format!("call {id} failed at step {index} ({label}): {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wants_is_not_kept() {
        let mut errors = Errors::new(false);
        errors.add(Timestamp::ZERO, || "one".to_owned(), b"");
        assert_eq!(errors.take(Timestamp::ZERO), []);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut errors = Errors::new(true);
        let long = vec![b'x'; MOST_BYTES];
        for number in 1..=4 {
            errors.add(Timestamp::ZERO, || number.to_string(), &long);
        }
        let events = errors.take(Timestamp::from_secs(1));
        let lengths = events.iter().map(|event| event.text.len());
        assert_eq!(lengths.take(1).collect::<Vec<_>>(), [MOST_BYTES + 2]);
        assert_eq!(events.len(), 2);
        assert!(events[1].text.starts_with(b"3 more"));
        // Then there is room again.
        errors.add(Timestamp::ZERO, || "again".to_owned(), b"");
        assert_eq!(errors.take(Timestamp::ZERO).len(), 1);
    }
}
