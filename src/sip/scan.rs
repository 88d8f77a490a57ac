//! The scanner: one pass over a datagram that writes down where its header lines lie.

use std::ops::Range;

use super::error::ScanError;
use super::message::Message;
use super::method::Method;
use super::name::{NAMES, Name};
use super::text;

/// The longest message that is scanned, and the longest that UDP can carry. Every offset in a
/// message fits sixteen bits.
pub const MAX_MESSAGE_BYTES: usize = 65_535;

/// The most header lines of a message.
pub const MAX_HEADERS: usize = 256;

/// Where one header line lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u16,
    pub(super) name_end: u16,
    pub(super) value_start: u16,
    pub(super) value_end: u16,
    pub(super) end: u16,
    pub(super) name: Name,
}

/// The start line, as offsets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Request {
        method: Method,
        token_end: u16,
        uri_start: u16,
        uri_end: u16,
    },
    Reply {
        code: u16,
        reason_start: u16,
        reason_end: u16,
    },
}

/// How the header section ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an empty line, as it must.
    EmptyLine,
    /// With the datagram, after a complete line.
    NoEmptyLine,
    /// With the datagram, in the middle of a line.
    NoLineEnd,
}

/// What Content-Length says about the body, against what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// No Content-Length, or one that is right; bytes beyond it are cut off already.
    Fits,
    /// More was announced than is there.
    Short,
    /// No number.
    Bad,
    /// Several that differ.
    Differ,
}

/// The result of [`scan`]: reusable memory, about three kilobytes, never freed and never grown.
#[derive(Clone, Debug)]
pub struct HeaderIndex {
    pub(super) entries: Vec<Entry>,
    /// The place of the first line of each name in `entries`; only valid for names in `seen`.
    pub(super) first: [u16; NAMES],
    /// Names that occur.
    pub(super) seen: u64,
    /// Names that occur more than once.
    pub(super) repeated: u64,
    pub(super) start: Start,
    pub(super) headers_start: u16,
    pub(super) body_start: u16,
    pub(super) ending: Ending,
    pub(super) length: Length,
    /// The start line has white space where none may be.
    pub(super) odd_start: bool,
    /// The version is 2.0.
    pub(super) version_2: bool,
    /// A header line without a usable name, or a CR that belongs to no line end.
    pub(super) malformed: bool,
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl HeaderIndex {
    /// An empty index with all the memory that it will ever have.
    pub fn new() -> Self {
        Self {
            entries: Vec::with_capacity(MAX_HEADERS),
            first: [0; NAMES],
            seen: 0,
            repeated: 0,
            start: Start::Reply {
                code: 0,
                reason_start: 0,
                reason_end: 0,
            },
            headers_start: 0,
            body_start: 0,
            ending: Ending::EmptyLine,
            length: Length::Fits,
            odd_start: false,
            version_2: true,
            malformed: false,
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.seen = 0;
        self.repeated = 0;
        self.ending = Ending::EmptyLine;
        self.length = Length::Fits;
        self.malformed = false;
    }

    fn push(&mut self, name: Name, entry: Entry) -> Result<(), ScanError> {
        let place = self.entries.len();
        if place == MAX_HEADERS {
            return Err(ScanError::TooManyHeaders);
        }
        let bit = name.bit();
        if self.seen & bit == 0 {
            self.seen |= bit;
            self.first[name as usize] = place as u16;
        } else {
            self.repeated |= bit;
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// Whether a datagram only keeps a NAT binding open: empty, or nothing but CR, LF and NUL
/// (RFC 5626 3.5.1, and what devices send).
pub fn is_keepalive(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&byte| matches!(byte, b'\r' | b'\n' | b'\0'))
}

/// Scans a datagram into `index`, which is cleared first.
///
/// Line ends before the start line are skipped (RFC 3261 7.5). The end of the datagram also ends the
/// header section. Bytes beyond Content-Length do not belong to the message (RFC 3261 18.3).
///
/// An error means that not even a start line can be read, or that a bound is passed. Everything else
/// that is wrong is told by [`Message::fault`].
pub fn scan<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Result<Message<'a>, ScanError> {
    let leading = bytes
        .iter()
        .position(|&byte| !matches!(byte, b'\r' | b'\n'))
        .ok_or(ScanError::Empty)?;
    let bytes = &bytes[leading..];
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(ScanError::TooLong);
    }
    index.clear();
    let line = line_end(bytes, 0);
    start_line(bytes, line.text_end, index)?;
    index.malformed = line.bare_cr;
    index.headers_start = line.next as u16;
    if !line.ended {
        index.ending = Ending::NoLineEnd;
    }
    let body_start = header_lines(bytes, line.next, index)?;
    index.body_start = body_start as u16;
    let mut end = bytes.len();
    if index.seen & Name::ContentLength.bit() != 0 {
        let available = end - body_start;
        if let Some(length) = announced_length(bytes, index) {
            if length <= available {
                end = body_start + length;
            } else {
                index.length = Length::Short;
            }
        }
    }
    Ok(Message::new(&bytes[..end], index))
}

/// Where a line ends.
struct LineEnd {
    /// The end of its text.
    text_end: usize,
    /// The beginning of what follows.
    next: usize,
    /// Whether there is a line end at all.
    ended: bool,
    /// Whether the text has a CR without LF.
    bare_cr: bool,
}

#[inline]
fn line_end(bytes: &[u8], from: usize) -> LineEnd {
    let mut bare_cr = false;
    let mut at = from;
    while let Some(distance) = memchr::memchr2(b'\r', b'\n', &bytes[at..]) {
        let found = at + distance;
        let next = if bytes[found] == b'\n' {
            found + 1
        } else if bytes.get(found + 1) == Some(&b'\n') {
            found + 2
        } else {
            bare_cr = true;
            at = found + 1;
            continue;
        };
        return LineEnd {
            text_end: found,
            next,
            ended: true,
            bare_cr,
        };
    }
    LineEnd {
        text_end: bytes.len(),
        next: bytes.len(),
        ended: false,
        bare_cr,
    }
}

/// Reads the header lines from `at` on; returns where the body begins.
fn header_lines(bytes: &[u8], mut at: usize, index: &mut HeaderIndex) -> Result<usize, ScanError> {
    loop {
        match bytes.get(at) {
            None => {
                if index.ending == Ending::EmptyLine {
                    index.ending = Ending::NoEmptyLine;
                }
                return Ok(at);
            }
            Some(b'\n') => return Ok(at + 1),
            Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => return Ok(at + 2),
            Some(_) => at = header_line(bytes, at, index)?,
        }
    }
}

/// Reads the header line that begins at `at`; returns where the next one begins.
#[inline]
fn header_line(bytes: &[u8], at: usize, index: &mut HeaderIndex) -> Result<usize, ScanError> {
    let known = Name::at_head(&bytes[at..]);
    let mut line = line_end(bytes, at);
    // A value goes on as long as lines begin with white space (RFC 3261 7.3.1).
    let first_end = line.text_end;
    while let Some(b' ' | b'\t') = bytes.get(line.next) {
        let more = line_end(bytes, line.next);
        line = LineEnd {
            bare_cr: line.bare_cr | more.bare_cr,
            ..more
        };
    }
    index.malformed |= line.bare_cr;
    if !line.ended {
        index.ending = Ending::NoLineEnd;
    }
    let (name, name_end, value_from) = if let Some((name, length)) = known {
        (name, at + length, at + length + 1)
    } else if let Some(colon) = memchr::memchr(b':', &bytes[at..first_end]) {
        // Space before the colon is allowed (RFC 3261 7.3.1), nothing else is.
        let name_end = text::trim(bytes, at..at + colon).end;
        let name = &bytes[at..name_end];
        index.malformed |= !Name::is_valid(name);
        (Name::parse(name), name_end, at + colon + 1)
    } else {
        index.malformed = true;
        (Name::Other, first_end, line.text_end)
    };
    let value = trim_value(bytes, value_from, line.text_end);
    let entry = Entry {
        start: at as u16,
        name_end: name_end as u16,
        value_start: value.start as u16,
        value_end: value.end as u16,
        end: line.next as u16,
        name,
    };
    index.push(name, entry)?;
    Ok(line.next)
}

/// [`text::trim`], with the usual single space before the value as the short way.
#[inline]
fn trim_value(bytes: &[u8], from: usize, end: usize) -> Range<usize> {
    match &bytes[from..end] {
        [b' ', first, .., last] if *first > b' ' && *last > b' ' => from + 1..end,
        _ => text::trim(bytes, from..end),
    }
}

/// The length that all Content-Length lines agree on; otherwise notes what is wrong with them.
fn announced_length(bytes: &[u8], index: &mut HeaderIndex) -> Option<usize> {
    let first = index.first[Name::ContentLength as usize] as usize;
    let repeated = index.repeated & Name::ContentLength.bit() != 0;
    let last = if repeated {
        index.entries.len()
    } else {
        first + 1
    };
    let mut length = None;
    for entry in &index.entries[first..last] {
        if entry.name != Name::ContentLength {
            continue;
        }
        let value = &bytes[entry.value_start as usize..entry.value_end as usize];
        let Some(number) = text::number(value) else {
            // A number beyond 32 bits announces more than any datagram holds.
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            index.length = if digits { Length::Short } else { Length::Bad };
            return None;
        };
        if length.is_some_and(|other| other != number) {
            index.length = Length::Differ;
            return None;
        }
        length = Some(number);
    }
    length.map(|number| number as usize)
}

/// Reads the start line, which ends at `end`.
fn start_line(bytes: &[u8], end: usize, index: &mut HeaderIndex) -> Result<(), ScanError> {
    if bytes.len() >= 4 && bytes[..4].eq_ignore_ascii_case(b"SIP/") {
        status_line(bytes, end, index)
    } else {
        request_line(bytes, end, index)
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The end of the run of bytes from `at` up to `end` that are blank, or that are not.
fn run(bytes: &[u8], at: usize, end: usize, blank: bool) -> usize {
    bytes[at..end]
        .iter()
        .position(|&byte| is_blank(byte) != blank)
        .map_or(end, |length| at + length)
}

fn request_line(bytes: &[u8], end: usize, index: &mut HeaderIndex) -> Result<(), ScanError> {
    let token_end = text::skip_token(&bytes[..end], 0);
    if token_end == 0 || !bytes.get(token_end).is_some_and(|&byte| is_blank(byte)) {
        return Err(ScanError::StartLine);
    }
    // The version is the last word, so that a URI with blanks in it can still be answered.
    let version_end = text::trim(bytes, token_end..end).end;
    let version_start = bytes[token_end..version_end]
        .iter()
        .rposition(|&byte| is_blank(byte))
        .map_or(token_end, |distance| token_end + distance + 1);
    let version = &bytes[version_start..version_end];
    let uri = text::trim(bytes, token_end..version_start);
    if version.len() < 5 || !version[..4].eq_ignore_ascii_case(b"SIP/") || uri.is_empty() {
        return Err(ScanError::StartLine);
    }
    index.version_2 = version[4..] == *b"2.0";
    index.odd_start = version_end != end
        || uri.start != token_end + 1
        || uri.end + 1 != version_start
        || bytes[token_end] != b' '
        || bytes[uri.end] != b' ';
    index.start = Start::Request {
        method: Method::parse(&bytes[..token_end]),
        token_end: token_end as u16,
        uri_start: uri.start as u16,
        uri_end: uri.end as u16,
    };
    Ok(())
}

fn status_line(bytes: &[u8], end: usize, index: &mut HeaderIndex) -> Result<(), ScanError> {
    let version_end = run(bytes, 0, end, false);
    let code_start = run(bytes, version_end, end, true);
    let code_end = run(bytes, code_start, end, false);
    let digits = &bytes[code_start..code_end];
    if version_end < 5 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ScanError::StartLine);
    }
    let code = if digits.len() == 3 {
        text::port(digits)
    } else {
        None
    };
    index.version_2 = bytes[4..version_end] == *b"2.0";
    index.odd_start = code_start != version_end + 1;
    let reason = text::trim(bytes, code_end..end);
    index.start = Start::Reply {
        code: code.unwrap_or(u16::MAX),
        reason_start: reason.start as u16,
        reason_end: reason.end as u16,
    };
    Ok(())
}
