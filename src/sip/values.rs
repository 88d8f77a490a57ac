//! Several values on one header line (RFC 3261 7.3.1).

use std::ops::Range;

use super::marks;
use super::message::Message;
use super::name::Name;
use super::scan::Entry;
use super::text;

/// Where the value that begins at `from` on the line which ends at `end` is over: at a comma that is
/// neither inside a quoted string nor inside angle brackets, else at the end. What is opened and never
/// closed reaches to the end.
pub(super) fn value_end(bytes: &[u8], from: usize, end: usize) -> usize {
    let line = &bytes[..end];
    let mut at = from;
    while let Some(found) = marks::find(bytes, at..end, |part| {
        marks::one_of(part, [b',', b'"', b'<'])
    }) {
        let next = match line[found] {
            b',' => return found,
            b'"' => text::quoted_end(line, found),
            _ => marks::find(bytes, found..end, |part| marks::one_of(part, [b'>']))
                .map(|close| close + 1),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    end
}

/// The values of one header, over lines and commas, each with where it lies in the message. Empty
/// values are skipped.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    message: Message<'a>,
    name: Name,
    entries: std::slice::Iter<'a, Entry>,
    at: usize,
    line_end: usize,
}

impl<'a> Values<'a> {
    pub(super) fn new(message: Message<'a>, name: Name) -> Self {
        Self {
            message,
            name,
            entries: message.entries_from_first(name).iter(),
            at: 0,
            line_end: 0,
        }
    }

    /// The values behind the one that lies at `range`, which is one of them.
    pub(super) fn behind(message: Message<'a>, name: Name, range: &Range<usize>) -> Self {
        let mut values = Self::new(message, name);
        let holds = |entry: &&Entry| entry.name == name && range.end <= entry.value_end as usize;
        if let Some(entry) = values.entries.by_ref().find(holds) {
            values.line_end = entry.value_end as usize;
            values.at = value_end(message.bytes(), range.end, values.line_end) + 1;
        }
        values
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = (&'a [u8], Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.at < self.line_end {
                let bytes = self.message.bytes();
                let end = value_end(bytes, self.at, self.line_end);
                let range = text::trim(bytes, self.at..end);
                self.at = end + 1;
                if !range.is_empty() {
                    return Some((&bytes[range.clone()], range));
                }
            }
            let name = self.name;
            let entry = self.entries.find(|entry| entry.name == name)?;
            self.at = entry.value_start as usize;
            self.line_end = entry.value_end as usize;
        }
    }
}
