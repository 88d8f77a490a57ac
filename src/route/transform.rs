//! Transformations: `{s.len}`, `{uri.host}`, `{param.value,name}`.
//!
//! Owns: what each makes of a text. Most give a part of the text and copy nothing.

mod escape;
mod list;
mod substitute;
#[cfg(test)]
mod tests;
mod text;
mod uri;

use std::fmt::Write as _;
use std::ops::Range;

pub(super) use self::substitute::MAX_VARIABLES;
pub use self::substitute::Substitution;
pub use self::text::write_time;
use super::host::Host;
use super::machine::Machine;
use super::program::{Stretch, SubstitutionId, VariableId};
#[cfg(test)]
use super::value::number_of;
use super::value::{TextRef, Value};

/// A transformation as it stands in a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub change: Change,
    pub arguments: [Given; 2],
}

/// An argument of a transformation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    Missing,
    Text(TextRef),
    Variable(VariableId),
}

/// What a transformation does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A question about `$null` itself.
    OfNull(fn() -> Value),
    /// A part of the text, or a number.
    Part(fn(&[u8], &Arguments<'_>) -> Made),
    /// A new text, or none.
    Build(fn(&[u8], &Arguments<'_>, &mut Vec<u8>) -> bool),
    /// What a substitution of the program makes of it.
    Substitute(SubstitutionId),
}

/// What a transformation is given, as bytes and as numbers.
pub(super) struct Arguments<'a> {
    pub texts: [&'a [u8]; 2],
    pub numbers: [i64; 2],
}

/// What is made of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// It cannot be made.
    Null,
    /// It is made, and is `$null`.
    Unset,
    Empty,
    Number(i64),
    Part(Range<usize>),
}

/// The transformation of a class and a name.
pub(super) fn change(class: &str, name: &str) -> Option<Change> {
    match class {
        "s" => text::change(name),
        "uri" => uri::change(name),
        "val" => match name {
            "n0" => Some(Change::OfNull(|| Value::Number(0))),
            "ne" => Some(Change::OfNull(|| Value::Text(TextRef::EMPTY))),
            "json" => Some(Change::Build(json)),
            _ => None,
        },
        class => list::change(class, name),
    }
}

/// A part of a text, by the bytes that it is.
pub(super) fn part_in(text: &[u8], part: &[u8]) -> Made {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    if part.is_empty() || start > text.len() {
        return Made::Empty;
    }
    Made::Part(start..start + part.len())
}

impl Arguments<'_> {
    /// A number that is a size.
    fn size(&self, at: usize) -> usize {
        usize::try_from(self.numbers[at]).unwrap_or(0)
    }
}

/// As the inside of a JSON string.
fn json(text: &[u8], _: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let mut shown = arrayvec::ArrayString::<6>::new();
                let _ = write!(shown, "\\u{byte:04x}");
                out.extend_from_slice(shown.as_bytes());
            }
            other => out.push(other),
        }
    }
    true
}

impl Machine {
    pub(super) fn transform<H: Host>(
        &mut self,
        host: &mut H,
        value: Value,
        steps: Stretch,
    ) -> Value {
        let mut value = value;
        for step in steps.range() {
            value = self.transformed(host, value, step);
        }
        value
    }

    fn transformed<H: Host>(&mut self, host: &mut H, value: Value, step: usize) -> Value {
        let Step { change, arguments } = self.program().steps[step];
        let mut texts = [TextRef::EMPTY; 2];
        let mut numbers = [0; 2];
        for (at, argument) in arguments.into_iter().enumerate() {
            let given = match argument {
                Given::Missing => break,
                Given::Text(text) => Value::Text(text),
                Given::Variable(variable) => self.get(host, variable),
            };
            numbers[at] = self.to_number(given);
            texts[at] = self.to_text(given);
        }
        let is_null = value.is_null();
        let subject = self.to_text(value);
        match change {
            Change::OfNull(made) => {
                if is_null {
                    made()
                } else {
                    value
                }
            }
            _ if is_null => self.unmade(),
            Change::Part(part) => {
                let arguments = Arguments {
                    texts: texts.map(|text| self.bytes(text)),
                    numbers,
                };
                match part(self.bytes(subject), &arguments) {
                    Made::Null => self.unmade(),
                    Made::Unset => Value::Null,
                    Made::Empty => Value::Text(TextRef::EMPTY),
                    Made::Number(number) => Value::Number(number),
                    Made::Part(range) => Value::Text(subject.part(range.start, range.len())),
                }
            }
            Change::Substitute(substitution) => {
                Value::Text(self.substituted(host, substitution, subject))
            }
            Change::Build(build) => {
                let mut out = self.take_scratch();
                let arguments = Arguments {
                    texts: texts.map(|text| self.bytes(text)),
                    numbers,
                };
                let is_made = build(self.bytes(subject), &arguments, &mut out);
                let made = if is_made {
                    Value::Text(self.text(&out))
                } else {
                    self.unmade()
                };
                self.give_scratch(out);
                made
            }
        }
    }
}
