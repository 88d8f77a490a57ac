//! Runs programs: the registers, the stack and the text of one shard.
//!
//! Owns: what scripts hold while they run. `$var` live with the machine; AVPs and the text live with a
//! message, from [`Machine::begin`] to the next. Touches a message only through its [`Host`]. Once
//! warm it allocates nothing.

mod arguments;
mod fields;
mod operate;
mod patterns;
mod run;
mod store;
#[cfg(test)]
mod tests;
mod variables;

#[cfg(test)]
pub(super) use arguments::MAX_ARGUMENTS;
pub(super) use fields::Place;
pub(super) use operate::{line_regex, regex};

use std::ops::Range;
use std::sync::Arc;

use arrayvec::ArrayVec;
use regex::bytes::CaptureLocations;

use self::patterns::Patterns;
use self::store::Store;
use super::host::Host;
use super::program::{FormatId, Piece, Program, RegexId, RouteId, SubstitutionId};
use super::transform::MAX_VARIABLES;
use super::value::{TextRef, Value, number_of, write_number};

/// Values of the variables in a substitution's text.
pub type Values = ArrayVec<TextRef, MAX_VARIABLES>;

/// Rounds of loops and calls of routes that one message may take.
pub const MAX_STEPS: u32 = 50_000;

/// How deep routes may call each other.
pub const MAX_DEPTH: usize = 256;

/// Bytes of text that one message may make.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// What runs the scripts of a shard.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    /// The same once more; taken while it runs, so that what it reads of the program is not borrowed from
    /// the machine, which changes. (To count a reference up for each message would have the shards
    /// contend for the count.)
    at_hand: Option<Arc<Program>>,
    /// The program's constants, and behind them all that the message's scripts made.
    text: Vec<u8>,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    slots: Vec<Stored>,
    store: Store,
    /// `$rc`
    code: i64,
    /// What the last statement made: a route's code, if it ends without `return`.
    last: i64,
    /// An expression has no value: a division by zero.
    is_failed: bool,
    /// A transformation had nothing to make its value of.
    is_unmade: bool,
    /// `$sf`
    script_flags: u32,
    steps: u32,
    is_exhausted: bool,
    faults: Faults,
    scratch: Vec<u8>,
    /// Room for the groups of each substitution that was carried out.
    group_places: Vec<Option<CaptureLocations>>,
    /// Expressions that scripts made while they ran.
    patterns: Patterns,
    /// What a substitution works on, and what it makes.
    subject: Vec<u8>,
    made: Vec<u8>,
}

/// A `$var`.
#[derive(Clone, Debug, Default)]
struct Stored {
    /// Of a text only that it is one.
    value: Value,
    text: Vec<u8>,
}

/// A route that is under way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where it goes on in the route that called it.
    back: u32,
    /// The stack's length at the call.
    stack: u32,
    use_of_code: super::program::Use,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The code of the last statement, or of `return` or `exit`.
    pub code: i64,
    /// How.
    pub by: End,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At its end, or by `return`.
    Return,
    /// By `exit`, or a code of 0.
    Exit,
    /// By `drop`.
    Drop,
    /// It was stopped: see [`Machine::faults`].
    Stopped,
}

/// Scripts that were stopped, by their faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// More than [`MAX_STEPS`].
    pub steps: u64,
    /// More than [`MAX_TEXT_BYTES`].
    pub text: u64,
    /// Calls of routes that were not made: more than [`MAX_DEPTH`], or no such route.
    pub routes: u64,
    /// Loops that ended after `max_while_loops` rounds.
    pub loops: u64,
}

impl Machine {
    /// A machine for a program.
    pub fn new(program: Arc<Program>) -> Self {
        let mut text = Vec::with_capacity(program.texts.len() + 65_536);
        text.extend_from_slice(&program.texts);
        let mut machine = Self {
            slots: vec![Stored::default(); program.slots.len()],
            at_hand: Some(Arc::clone(&program)),
            program,
            text,
            stack: Vec::with_capacity(64),
            frames: Vec::with_capacity(MAX_DEPTH),
            store: Store::default(),
            code: 0,
            last: 1,
            is_failed: false,
            is_unmade: false,
            script_flags: 0,
            steps: 0,
            is_exhausted: false,
            faults: Faults::default(),
            scratch: Vec::new(),
            group_places: Vec::new(),
            patterns: Patterns::default(),
            subject: Vec::new(),
            made: Vec::new(),
        };
        for slot in 0..machine.slots.len() {
            let first = machine.program.slots[slot].first;
            machine.set_slot(slot as u16, first);
        }
        machine
    }

    /// The program that it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// A new message: AVPs, flags of the script and all texts of the last are forgotten.
    pub fn begin(&mut self) {
        self.text.truncate(self.program.texts.len());
        self.store.clear();
        self.script_flags = 0;
        self.steps = 0;
        self.is_exhausted = false;
        self.code = 0;
    }

    /// Scripts that were stopped since it was made.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// The bytes of a text.
    pub fn bytes(&self, text: TextRef) -> &[u8] {
        self.text.get(text.range()).unwrap_or_default()
    }

    /// A new text: what `write` puts behind the bytes that it is given. It must leave these alone.
    pub fn push_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> TextRef {
        let start = self.text.len();
        write(&mut self.text);
        self.since(start)
    }

    /// A new text with these bytes.
    pub fn text(&mut self, bytes: &[u8]) -> TextRef {
        self.push_text(|out| out.extend_from_slice(bytes))
    }

    /// Copies a text to the end of all text, unless that would be too much.
    fn append(&mut self, text: TextRef) {
        let is_there = text.range().end <= self.text.len();
        if is_there && self.text.len() + text.len() <= self.most_text() {
            self.text.extend_from_within(text.range());
        } else {
            self.is_exhausted = true;
        }
    }

    fn most_text(&self) -> usize {
        self.program.texts.len() + MAX_TEXT_BYTES
    }

    /// What stands behind `start`, as a text; nothing if it is too much.
    fn since(&mut self, start: usize) -> TextRef {
        if self.text.len() > self.most_text() {
            self.text.truncate(start);
            self.is_exhausted = true;
            return TextRef::EMPTY;
        }
        TextRef {
            start: start as u32,
            length: (self.text.len() - start) as u32,
        }
    }

    /// A value as a number; a text that is none is 0, as `$null` is.
    pub fn to_number(&self, value: Value) -> i64 {
        match value {
            Value::Null => 0,
            Value::Number(number) => number,
            Value::Text(text) => number_of(self.bytes(text)).unwrap_or(0),
        }
    }

    /// A value as a text; `$null` is empty.
    pub fn to_text(&mut self, value: Value) -> TextRef {
        match value {
            Value::Null => TextRef::EMPTY,
            Value::Number(number) => self.push_text(|out| write_number(out, number)),
            Value::Text(text) => text,
        }
    }

    pub(super) fn unmade(&mut self) -> Value {
        self.is_unmade = true;
        Value::Null
    }

    /// Room for a text that is made of others; to be given back.
    pub(super) fn take_scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch
    }

    pub(super) fn give_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// Whether a regular expression of the program matches.
    pub fn is_match(&self, regex: RegexId, text: TextRef) -> bool {
        self.program.regexes[usize::from(regex.0)].is_match(self.bytes(text))
    }

    /// Where a regular expression of the program first matches in bytes from a place on.
    pub fn find(&self, regex: RegexId, bytes: &[u8], from: usize) -> Option<Range<usize>> {
        let regex = &self.program.regexes[usize::from(regex.0)];
        Some(regex.find_at(bytes, from.min(bytes.len()))?.range())
    }

    /// The values of the variables in a substitution's text.
    pub fn values<H: Host>(&mut self, host: &mut H, substitution: SubstitutionId) -> Values {
        let mut values = Values::new();
        for at in 0..MAX_VARIABLES {
            let substitution = &self.program.substitutions[usize::from(substitution.0)];
            let Some(variable) = substitution.variables().get(at).copied() else {
                break;
            };
            let value = self.get(host, variable);
            values.push(self.to_text(value));
        }
        values
    }

    /// Says of each match of a substitution in `text` where it is and what it gives way to. False if
    /// there is none.
    pub fn each_match(
        &mut self,
        substitution: SubstitutionId,
        values: &Values,
        text: &[u8],
        mut found: impl FnMut(Range<usize>, &[u8]),
    ) -> bool {
        let number = usize::from(substitution.0);
        let places = self.group_places.get_mut(number).and_then(Option::take);
        let mut scratch = self.take_scratch();
        let substitution = &self.program.substitutions[number];
        let mut places = places.unwrap_or_else(|| substitution.places());
        let value = |at: usize| values.get(at).map_or(&b""[..], |value| self.bytes(*value));
        let is_found = substitution.each(text, &value, &mut places, &mut scratch, &mut found);
        if self.group_places.len() <= number {
            self.group_places.resize_with(number + 1, || None);
        }
        self.group_places[number] = Some(places);
        self.give_scratch(scratch);
        is_found
    }

    /// Writes `text` with a substitution's matches replaced. False, and nothing, if there are none.
    pub fn substitute(
        &mut self,
        substitution: SubstitutionId,
        values: &Values,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let mut at = 0;
        let is_found = self.each_match(substitution, values, text, |range, made| {
            out.extend_from_slice(&text[at..range.start]);
            out.extend_from_slice(made);
            at = range.end;
        });
        if is_found {
            out.extend_from_slice(&text[at..]);
        }
        is_found
    }

    /// A text with a substitution's matches replaced.
    pub(super) fn substituted<H: Host>(
        &mut self,
        host: &mut H,
        substitution: SubstitutionId,
        text: TextRef,
    ) -> TextRef {
        let values = self.values(host, substitution);
        let mut subject = std::mem::take(&mut self.subject);
        let mut out = std::mem::take(&mut self.made);
        subject.clear();
        out.clear();
        subject.extend_from_slice(self.bytes(text));
        let is_found = self.substitute(substitution, &values, &subject, &mut out);
        let made = if is_found { self.text(&out) } else { text };
        self.subject = subject;
        self.made = out;
        made
    }

    /// A text with its variables replaced; `$null` is written `<null>`.
    pub fn format<H: Host>(&mut self, host: &mut H, format: FormatId) -> TextRef {
        let pieces = self.program.formats[format.0 as usize];
        if let [Piece::Text(text)] = self.program.pieces[pieces.range()] {
            return text;
        }
        // Values first: to read one may push texts of its own.
        let base = self.stack.len();
        for piece in pieces.range() {
            let value = match self.program.pieces[piece] {
                Piece::Text(text) => Value::Text(text),
                Piece::Variable(variable) => {
                    self.is_unmade = false;
                    match self.get(host, variable) {
                        // Nothing came of a transformation: that is not written as $null is.
                        Value::Null if self.is_unmade => Value::Text(TextRef::EMPTY),
                        value => value,
                    }
                }
            };
            self.stack.push(value);
        }
        let start = self.text.len();
        for at in base..self.stack.len() {
            match self.stack[at] {
                Value::Null => self.text.extend_from_slice(b"<null>"),
                Value::Number(number) => write_number(&mut self.text, number),
                Value::Text(text) => self.append(text),
            }
        }
        self.stack.truncate(base);
        self.since(start)
    }

    /// Runs a route. A host may do so inside of a call: AVPs and texts are the same then, `$rc` is not.
    pub fn run<H: Host>(&mut self, host: &mut H, route: RouteId) -> Ended {
        let (code, last) = (self.code, self.last);
        let is_inner = !self.frames.is_empty();
        // Only what runs inside of another needs one of its own.
        let program = self.at_hand.take();
        let program = program.unwrap_or_else(|| Arc::clone(&self.program));
        let ended = self.execute(host, &program, route);
        self.at_hand = Some(program);
        if is_inner {
            (self.code, self.last) = (code, last);
        }
        ended
    }

    /// Puts all AVPs and XAVPs into bytes, to keep with a transaction. Nothing if there are none.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.clear();
        self.store.save(&self.program.names, &self.text, out);
    }

    /// Brings them back.
    pub fn load(&mut self, bytes: &[u8]) {
        self.store.load(bytes, &mut self.text);
    }
}
