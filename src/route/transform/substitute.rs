//! `/expression/text/flags`: what `{re.subst,...}` and the subst functions do.
//!
//! Owns: the form, and replacing. In the text `\1` to `\9` are groups, `\0` is the whole match, and
//! pseudo-variables are replaced.

use std::ops::Range;

use regex::bytes::{CaptureLocations, Regex};

use crate::route::program::VariableId;
use crate::route::variable::{self, Variable};

/// A substitution.
#[derive(Debug)]
pub struct Substitution {
    expression: Regex,
    pieces: Vec<Piece>,
    variables: Vec<VariableId>,
    is_global: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Group(usize),
    /// The n-th of its variables.
    Variable(usize),
}

impl Substitution {
    /// Reads `/expression/text/flags`; any character may stand for the slash. The error is for people.
    /// Its variables get their numbers from `number`.
    pub fn parse(
        text: &str,
        number: &mut dyn FnMut(&Variable) -> VariableId,
    ) -> Result<Self, String> {
        let form = "a substitution is /expression/text/flags";
        let mut chars = text.chars();
        let separator = chars.next().ok_or(form)?;
        if separator == '\\' || separator.is_alphanumeric() {
            return Err(form.to_owned());
        }
        let mut parts = vec![String::new()];
        let mut is_escaped = false;
        for c in chars {
            let part = parts.len() - 1;
            if c == separator && is_escaped {
                parts[part].pop();
                parts[part].push(c);
            } else if c == separator && parts.len() < 3 {
                parts.push(String::new());
            } else {
                parts[part].push(c);
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        let [expression, replacement, flags] = parts.as_slice() else {
            return Err(form.to_owned());
        };
        if let Some(flag) = flags.chars().find(|flag| !"igs".contains(*flag)) {
            return Err(format!("no such flag: {flag}; there are i, g and s"));
        }
        let ignores_case = flags.contains('i');
        let expression = if flags.contains('s') {
            crate::route::machine::regex(expression, ignores_case)
        } else {
            crate::route::machine::line_regex(expression, ignores_case)
        };
        let mut variables = Vec::new();
        let mut made = Vec::new();
        for piece in variable::pieces(replacement).map_err(|(_, message)| message)? {
            match piece {
                variable::Piece::Literal(literal) => pieces(&literal, &mut made),
                variable::Piece::Variable(variable) => {
                    made.push(Piece::Variable(variables.len()));
                    variables.push(number(&variable));
                }
            }
        }
        if variables.len() > MAX_VARIABLES {
            return Err(format!("more than {MAX_VARIABLES} variables"));
        }
        Ok(Self {
            expression: expression.map_err(|_| "not a regular expression".to_owned())?,
            pieces: made,
            variables,
            is_global: flags.contains('g'),
        })
    }

    /// Variables whose values it needs.
    pub fn variables(&self) -> &[VariableId] {
        &self.variables
    }

    /// Room for the places of its groups.
    pub fn places(&self) -> CaptureLocations {
        self.expression.capture_locations()
    }

    /// Says of each match where it is and what it gives way to, which is made in `scratch`. False if
    /// there is none.
    pub fn each<'v>(
        &self,
        text: &[u8],
        value: &dyn Fn(usize) -> &'v [u8],
        places: &mut CaptureLocations,
        scratch: &mut Vec<u8>,
        found: &mut dyn FnMut(Range<usize>, &[u8]),
    ) -> bool {
        let (mut at, mut last_end) = (0, None);
        while at <= text.len()
            && let Some(whole) = self.expression.captures_read_at(places, text, at)
        {
            let range = whole.range();
            at = range.end.max(range.start + usize::from(range.is_empty()));
            // Nothing is no match right behind one.
            if range.is_empty() && last_end == Some(range.start) {
                continue;
            }
            last_end = Some(range.end);
            scratch.clear();
            for piece in &self.pieces {
                scratch.extend_from_slice(match piece {
                    Piece::Bytes(bytes) => bytes,
                    Piece::Group(group) => {
                        let group = places.get(*group);
                        group.map_or(b"", |(start, end)| &text[start..end])
                    }
                    Piece::Variable(variable) => value(*variable),
                });
            }
            found(range, scratch);
            if !self.is_global {
                break;
            }
        }
        last_end.is_some()
    }
}

/// Most variables of one substitution.
pub(in crate::route) const MAX_VARIABLES: usize = 8;

fn pieces(replacement: &str, pieces: &mut Vec<Piece>) {
    let mut bytes = Vec::new();
    let mut rest = replacement.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(digit @ b'0'..=b'9') => {
                if !bytes.is_empty() {
                    pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                }
                pieces.push(Piece::Group(usize::from(digit - b'0')));
            }
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(other) => bytes.push(other),
            None => bytes.push(b'\\'),
        }
    }
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
}
