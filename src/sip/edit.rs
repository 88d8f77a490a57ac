//! The splice editor: what is to change in a message, and one pass that writes the result.

use std::ops::Range;

use super::message::Message;
use super::name::Name;
use super::scan::Entry;
use super::values::value_end;

/// One change: the bytes `at..end` of the original give way to `text` of the arena.
#[derive(Clone, Copy, Debug)]
struct Splice {
    at: u32,
    end: u32,
    text_start: u32,
    text_end: u32,
}

/// A list of changes, kept in the order of their places. It can be used again and then allocates
/// nothing.
///
/// Several changes at one place come out in the order in which they were made. A byte that several
/// changes take away is taken away once, and what was to be written inside of bytes that are taken away
/// is not written.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    splices: Vec<Splice>,
    arena: Vec<u8>,
    is_bounded: bool,
}

/// Most changes of a bounded list. It is kept in order, and putting one into the middle moves the rest.
const MAX_CHANGES: usize = 4096;

/// Most bytes of new text of a bounded list: half of what a datagram holds.
pub const MAX_TEXT_BYTES: usize = 32 * 1024;

impl Edits {
    /// No changes, with room for the usual number.
    pub fn new() -> Self {
        Self {
            splices: Vec::with_capacity(32),
            arena: Vec::with_capacity(2048),
            is_bounded: false,
        }
    }

    /// The same, with a bound to what it takes: changes that are too many, or whose text is too long,
    /// are not made. For changes that others choose.
    pub fn bounded() -> Self {
        Self {
            is_bounded: true,
            ..Self::new()
        }
    }

    /// Whether one more change with so many bytes of new text would be made.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        !self.is_bounded
            || (self.splices.len() < MAX_CHANGES && self.arena.len() + bytes <= MAX_TEXT_BYTES)
    }

    /// Appends what is put before the byte at `at`, and is no longer to be put there.
    pub fn take_insertions(&mut self, at: usize, out: &mut Vec<u8>) {
        let at = at as u32;
        let arena = &self.arena;
        self.splices.retain(|splice| {
            let is_taken = (splice.at, splice.end) == (at, at);
            if is_taken {
                let text = splice.text_start as usize..splice.text_end as usize;
                out.extend_from_slice(arena.get(text).unwrap_or_default());
            }
            !is_taken
        });
    }

    /// Forgets all changes and keeps the memory.
    pub fn clear(&mut self) {
        self.splices.clear();
        self.arena.clear();
    }

    /// Takes over the changes of another list.
    pub fn copy_from(&mut self, other: &Self) {
        self.splices.clear();
        self.splices.extend_from_slice(&other.splices);
        self.arena.clear();
        self.arena.extend_from_slice(&other.arena);
    }

    /// Whether there is no change.
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// Puts `text` before the byte at `at`.
    pub fn insert(&mut self, at: usize, text: &[u8]) {
        self.replace(at..at, text);
    }

    /// Puts what `write` appends before the byte at `at`.
    pub fn insert_with(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.replace_with(at..at, write);
    }

    /// Puts `text` in the place of `range`.
    pub fn replace(&mut self, range: Range<usize>, text: &[u8]) {
        self.replace_with(range, |arena| arena.extend_from_slice(text));
    }

    /// Puts what `write` appends in the place of `range`. `write` must only append.
    pub fn replace_with(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let text_start = self.arena.len();
        write(&mut self.arena);
        if !self.has_room_for(0) {
            return self.arena.truncate(text_start);
        }
        debug_assert!(self.arena.len() >= text_start, "an edit took text away");
        debug_assert!(range.start <= range.end, "an edit ends before it begins");
        self.add(Splice {
            at: range.start as u32,
            end: range.end.max(range.start) as u32,
            text_start: text_start.min(self.arena.len()) as u32,
            text_end: self.arena.len() as u32,
        });
    }

    /// Puts `text` in the place of `range`, and of what an earlier change put in the same place.
    pub fn set(&mut self, range: Range<usize>, text: &[u8]) {
        self.set_with(range, |arena| arena.extend_from_slice(text));
    }

    /// Puts what `write` appends in the place of `range`, and of what an earlier change put there.
    pub fn set_with(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let (at, end) = (range.start as u32, range.end as u32);
        self.splices
            .retain(|splice| (splice.at, splice.end) != (at, end));
        self.replace_with(range, write);
    }

    /// The length of what is written for the bytes from `start` on; `None` if nothing changes there.
    pub fn length_from(&self, original: &[u8], start: usize) -> Option<usize> {
        let last = self.splices.last()?;
        if (last.at as usize) < start {
            return None;
        }
        let mut length = 0;
        self.pieces(original, start, |piece| length += piece.len());
        Some(length)
    }

    /// Takes `range` away.
    pub fn remove(&mut self, range: Range<usize>) {
        self.replace(range, b"");
    }

    /// Most changes are made from front to back, so the place is searched from the back.
    fn add(&mut self, splice: Splice) {
        let mut place = self.splices.len();
        while place > 0 && self.splices[place - 1].at > splice.at {
            place -= 1;
        }
        self.splices.insert(place, splice);
    }

    /// Appends `original` with all changes to `out`. Every byte is copied once.
    pub fn write(&self, original: &[u8], out: &mut Vec<u8>) {
        self.write_from(original, 0, out);
    }

    /// As [`Edits::write`], from the byte at `start` on; changes before it are left out.
    pub fn write_from(&self, original: &[u8], start: usize, out: &mut Vec<u8>) {
        out.reserve(original.len() + self.arena.len());
        self.pieces(original, start, |piece| out.extend_from_slice(piece));
    }

    /// What is written for the bytes from `start` on.
    fn pieces<'a>(&'a self, original: &'a [u8], start: usize, mut write: impl FnMut(&'a [u8])) {
        let mut copied = start.min(original.len());
        // Where what was copied last, or taken away, begins.
        let mut taken = copied;
        let first = self
            .splices
            .partition_point(|splice| (splice.at as usize) < start);
        for splice in &self.splices[first..] {
            let at = (splice.at as usize).min(original.len());
            let end = (splice.end as usize).min(original.len());
            if at > taken && at < copied {
                // Inside of what is gone.
                copied = copied.max(end);
                continue;
            }
            if at > copied {
                write(&original[copied..at]);
                copied = at;
            }
            let text = self
                .arena
                .get(splice.text_start as usize..splice.text_end as usize);
            write(text.unwrap_or(b""));
            taken = at;
            copied = copied.max(end);
        }
        write(&original[copied..]);
    }
}

/// Takes the topmost value of a list header (Via, Route) out: the whole line if it stands alone
/// there, else the value with its comma. Does nothing if there is no such header.
pub fn remove_first_value(edits: &mut Edits, message: Message<'_>, name: Name) {
    if let Some((_, first)) = message.values(name).next() {
        remove_value(edits, message, name, &first);
    }
}

/// Takes the value of a list header that lies at `value` out, as [`remove_first_value`] does. It must
/// be the topmost.
pub fn remove_value(edits: &mut Edits, message: Message<'_>, name: Name, value: &Range<usize>) {
    // The first line with a value in it; lines without one may stand before it.
    let mut entries = message.entries_from_first(name).iter();
    let holds = |entry: &&Entry| value.start < entry.end as usize && entry.name == name;
    let Some(line) = entries.find(holds) else {
        return;
    };
    let end = line.value_end as usize;
    let second = value_end(message.bytes(), value.end, end) + 1;
    if second >= end {
        edits.remove(line.start as usize..line.end as usize);
    } else {
        let second = super::text::skip_lws(&message.bytes()[..end], second);
        edits.remove(line.value_start as usize..second);
    }
}
