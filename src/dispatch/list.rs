//! The grammar of `dispatcher.list`: `SETID URI [FLAGS [PRIORITY [ATTRIBUTES]]]`, one a line.
//!
//! Owns: what is tolerated and what fails, with line and column. As in Kamailio one error is fatal
//! for the whole list, a set id without a URI; a destination that cannot be used is left out with a
//! warning. Pure: the file is read and names are resolved in `source`.
//!
//! Unlike Kamailio, lines may have any length, and numbers that do not fit are reported instead of
//! wrapped around.

#[cfg(test)]
mod tests;

use std::fmt;

use super::attributes::{Attributes, Remark};
use super::entry::{Entry, SetId};
use super::state::Flags;
use super::target::Target;

/// Kamailio reads lines in pieces of this many bytes.
const KAMAILIO_LINE_BYTES: usize = 1023;

/// A list that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The destinations, in the order of the file.
    pub entries: Vec<ListEntry>,
    /// Destinations that were left out, and what is hardly meant as it is written.
    pub warnings: Vec<Diagnostic>,
    /// Of the warnings, those about destinations that were left out.
    pub left_out: Vec<Diagnostic>,
}

impl List {
    /// The destinations as [`super::Sets::build`] takes them; names stay unresolved.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries.into_iter().map(|entry| entry.entry).collect()
    }
}

/// A destination of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// The line it stands in, from 1.
    pub line: u32,
    /// The column of its URI, in bytes from 1.
    pub column: u32,
    /// Its host, without brackets; to be resolved if the entry has no address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// All else.
    pub entry: Entry,
}

/// Something about a place in a list. Prints as `LINE:COLUMN: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line, from 1.
    pub line: u32,
    /// The column, in bytes from 1.
    pub column: u32,
    /// What is there.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// Reads a list. The error is the one that spoils the whole list.
pub fn parse(text: &[u8]) -> Result<List, Diagnostic> {
    let mut list = List::default();
    for (index, bytes) in text.split(|&byte| byte == b'\n').enumerate() {
        let mut line = Line {
            number: index as u32 + 1,
            bytes,
            at: 0,
            warnings: &mut list.warnings,
        };
        match line.read() {
            Ok(entry) => list.entries.extend(entry),
            Err(Fault::Skipped(diagnostic)) => {
                list.left_out.push(diagnostic.clone());
                list.warnings.push(diagnostic);
            }
            Err(Fault::Fatal(diagnostic)) => return Err(diagnostic),
        }
    }
    Ok(list)
}

enum Fault {
    /// Of this destination only.
    Skipped(Diagnostic),
    /// Of the whole list.
    Fatal(Diagnostic),
}

struct Line<'a> {
    number: u32,
    bytes: &'a [u8],
    at: usize,
    warnings: &'a mut Vec<Diagnostic>,
}

impl<'a> Line<'a> {
    /// Reads the line; `None` if nothing is said in it.
    fn read(&mut self) -> Result<Option<ListEntry>, Fault> {
        self.skip_blanks();
        if self.is_over() {
            return Ok(None);
        }
        if self.bytes.len() > KAMAILIO_LINE_BYTES {
            self.warn(0, "longer than 1023 bytes; Kamailio would break the line");
        }
        let start = self.at;
        let set_id = self.digits();
        self.skip_blanks();
        if self.is_over() {
            return Err(Fault::Fatal(self.note(self.at, "set id without a URI")));
        }
        let set = self.set_id(start, set_id)?;
        let uri_at = self.at;
        let uri = self.take_while(|byte| !is_blank(byte) && byte != b'#');
        let uri = self.text(uri_at, uri)?;
        let target = Target::parse(uri).map_err(|error| self.skip(uri_at, uri, error))?;
        self.skip_blanks();
        let flags = self.flags(uri)?;
        let priority = self.priority(uri)?;
        let attributes = self.attributes(uri)?;
        Ok(Some(ListEntry {
            line: self.number,
            column: uri_at as u32 + 1,
            host: target.host,
            port: target.port,
            entry: Entry {
                set,
                uri: target.uri,
                flags,
                priority,
                attributes,
                address: target.address,
            },
        }))
    }

    /// No digits mean set 0, as in the peers.
    fn set_id(&mut self, at: usize, digits: &[u8]) -> Result<SetId, Fault> {
        if digits.is_empty() {
            self.warn(at, "no set id; set 0 is taken");
            return Ok(0);
        }
        let number = number(digits, 10).filter(|&number| number <= SetId::MAX as u32);
        number.map(|number| number as SetId).ok_or_else(|| {
            let message = format!("set id above {}; destination left out", SetId::MAX);
            Fault::Skipped(self.note(at, message))
        })
    }

    /// Decimal, or hexadecimal after `0x`.
    fn flags(&mut self, uri: &str) -> Result<Flags, Fault> {
        let at = self.at;
        let (digits, radix) = if self.bytes[at..].starts_with(b"0x") {
            self.at += 2;
            (self.take_while(|byte| byte.is_ascii_hexdigit()), 16)
        } else {
            (self.digits(), 10)
        };
        self.field(at, digits, radix, "flags", uri).map(Flags)
    }

    fn priority(&mut self, uri: &str) -> Result<i32, Fault> {
        let at = self.at;
        let digits = self.digits();
        let number = self.field(at, digits, 10, "priority", uri)?;
        i32::try_from(number).map_err(|_| self.skip(at, uri, "priority too big"))
    }

    /// What the digits of a field say; 0 if there are none. Passes over the blanks after it.
    fn field(
        &mut self,
        at: usize,
        digits: &[u8],
        radix: u32,
        name: &str,
        uri: &str,
    ) -> Result<u32, Fault> {
        let value = if digits.is_empty() {
            if !self.is_over() {
                self.warn(
                    at,
                    format!(
                        "{name} is not a number; 0 is taken, and this is read as the next field"
                    ),
                );
            }
            0
        } else {
            number(digits, radix).ok_or_else(|| self.skip(at, uri, format!("{name} too big")))?
        };
        self.skip_blanks();
        Ok(value)
    }

    fn attributes(&mut self, uri: &str) -> Result<Attributes, Fault> {
        if self.is_over() {
            return Ok(Attributes::default());
        }
        let at = self.at;
        let column = self.take_while(|byte| !is_blank(byte));
        let column = self.text(at, column)?;
        let place = |remark: &Remark| at + remark.offset;
        let (attributes, remarks) = Attributes::parse(column)
            .map_err(|remark| self.skip(place(&remark), uri, &remark.message))?;
        for remark in remarks {
            self.warn(place(&remark), remark.message);
        }
        self.skip_blanks();
        if !self.is_over() {
            self.warn(self.at, "what follows the attributes is not read");
        }
        Ok(attributes)
    }

    fn text(&self, at: usize, bytes: &'a [u8]) -> Result<&'a str, Fault> {
        std::str::from_utf8(bytes).map_err(|error| {
            let message = "not UTF-8; destination left out";
            Fault::Skipped(self.note(at + error.valid_up_to(), message))
        })
    }

    /// Nothing but a comment is left.
    fn is_over(&self) -> bool {
        matches!(self.bytes.get(self.at), None | Some(b'#'))
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    fn digits(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_digit())
    }

    fn take_while(&mut self, take: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| !take(byte));
        let (taken, _) = rest.split_at(end.unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    fn skip(&self, at: usize, uri: &str, cause: impl fmt::Display) -> Fault {
        Fault::Skipped(self.note(at, format!("{uri} left out: {cause}")))
    }

    fn warn(&mut self, at: usize, message: impl Into<String>) {
        let diagnostic = self.note(at, message);
        self.warnings.push(diagnostic);
    }

    fn note(&self, at: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            line: self.number,
            column: at as u32 + 1,
            message: message.into(),
        }
    }
}

/// `None`: more than 32 bits.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(text, radix).ok()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}
