//! The scanner: one pass over a datagram that writes down where its header lines lie.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::error::ScanError;
use super::marks::{self, BLOCK};
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

impl Entry {
    /// Where its value lies.
    pub(super) fn value_range(&self) -> Range<usize> {
        self.value_start as usize..self.value_end as usize
    }
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
    pub(super) entries: ArrayVec<Entry, MAX_HEADERS>,
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
            entries: ArrayVec::new(),
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
        self.ending = Ending::NoEmptyLine;
        self.length = Length::Fits;
        self.malformed = false;
    }

    #[inline]
    fn push(&mut self, entry: Entry) -> Result<(), ScanError> {
        let name = entry.name;
        let place = self.entries.len();
        let pushed = self.entries.try_push(entry);
        pushed.map_err(|_| ScanError::TooManyHeaders)?;
        let seen = self.seen;
        self.seen |= name.bit();
        if seen & name.bit() == 0 {
            self.first[name as usize] = place as u16;
        } else {
            self.repeat(name);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn repeat(&mut self, name: Name) {
        self.repeated |= name.bit();
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
    let mut ends = LineEnds::new(bytes);
    let line = if let Some(text_end) = ends.take_crlf(bytes, 0) {
        LineEnd::crlf(text_end)
    } else {
        let line;
        (ends, line) = ends.any(bytes, 0, index);
        line
    };
    start_line(bytes, line.text_end, index)?;
    index.headers_start = line.next as u16;
    let body_start = header_lines(bytes, ends, line.next, index)?;
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
#[derive(Clone, Copy)]
struct LineEnd {
    /// The end of its text.
    text_end: usize,
    /// The beginning of what follows.
    next: usize,
}

impl LineEnd {
    fn crlf(text_end: usize) -> Self {
        let next = text_end + 2;
        Self { text_end, next }
    }
}

/// Finds the line ends of a message, block by block. It is handed on by value, and the message beside
/// it: so both stay in registers.
#[derive(Clone, Copy)]
struct LineEnds {
    /// Where the block at hand begins.
    block: usize,
    /// Its bytes that may belong to a line end and were not reached yet.
    marks: u64,
}

impl LineEnds {
    #[inline]
    fn new(bytes: &[u8]) -> Self {
        Self {
            block: 0,
            marks: Self::marks(bytes, 0),
        }
    }

    /// Marks CR, LF and what is below them: that is one comparison, and of the others there are few.
    #[inline]
    fn marks(bytes: &[u8], block: usize) -> u64 {
        marks::of_block(bytes, block, |part| marks::up_to(part, b'\r'))
    }

    /// The end of the text of the line that begins at `from`, if the next mark is that of CR and LF.
    /// Lines are asked for in their order.
    #[inline]
    fn take_crlf(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        while self.marks == 0 {
            self.block += BLOCK;
            if self.block >= bytes.len() {
                return None;
            }
            self.marks = Self::marks(bytes, self.block);
            if from > self.block {
                // The first byte is the LF of the line before.
                self.marks &= self.marks - 1;
            }
        }
        let at = self.at();
        if !bytes.get(at..)?.starts_with(b"\r\n") {
            return None;
        }
        self.take_mark();
        // The LF may be in the next block.
        self.marks &= self.marks.wrapping_sub(1);
        Some(at)
    }

    /// The place of the next mark.
    #[inline]
    fn at(&self) -> usize {
        self.block + self.marks.trailing_zeros() as usize
    }

    #[inline]
    fn take_mark(&mut self) {
        self.marks &= self.marks - 1;
    }

    /// Where the line that begins at `from` ends, however it does.
    fn any(mut self, bytes: &[u8], from: usize, index: &mut HeaderIndex) -> (Self, LineEnd) {
        loop {
            let (text_end, width) = if let Some(at) = self.take_crlf(bytes, from) {
                (at, 2)
            } else if self.marks == 0 {
                index.ending = Ending::NoLineEnd;
                (bytes.len(), 0)
            } else {
                let at = self.at();
                self.take_mark();
                index.malformed |= bytes[at] == b'\r';
                if bytes[at] != b'\n' {
                    continue;
                }
                (at, 1)
            };
            let next = text_end + width;
            return (self, LineEnd { text_end, next });
        }
    }
}

/// Reads the header lines from `at` on; returns where the body begins.
#[inline(never)]
fn header_lines(
    bytes: &[u8],
    mut ends: LineEnds,
    mut at: usize,
    index: &mut HeaderIndex,
) -> Result<usize, ScanError> {
    while at < bytes.len() {
        let usual_end = ends.take_crlf(bytes, at);
        if let Some(end) = usual_end
            && let Some((name, length)) = Name::at_head(&bytes[at..])
        {
            let value = trim_value(bytes, at + length + 1, end);
            index.push(Entry {
                start: at as u16,
                name_end: (at + length) as u16,
                value_start: value.start as u16,
                value_end: value.end as u16,
                end: end as u16 + 2,
                name,
            })?;
            at = end + 2;
        } else if usual_end == Some(at) {
            index.ending = Ending::EmptyLine;
            return Ok(at + 2);
        } else {
            (ends, at) = odd_line(bytes, ends, at, usual_end, index)?;
            if index.ending == Ending::EmptyLine {
                break;
            }
        }
    }
    Ok(at)
}

/// Reads a line that is folded, or whose name is not a common one, or that does not end with CR and LF. A
/// line that goes on with the one before it belongs to that. Hands `ends` back, and where it ends.
#[cold]
fn odd_line(
    bytes: &[u8],
    mut ends: LineEnds,
    at: usize,
    usual_end: Option<usize>,
    index: &mut HeaderIndex,
) -> Result<(LineEnds, usize), ScanError> {
    let mut line;
    if let Some(text_end) = usual_end {
        line = LineEnd::crlf(text_end);
    } else {
        (ends, line) = ends.any(bytes, at, index);
    }
    if line.text_end == at {
        index.ending = Ending::EmptyLine;
        return Ok((ends, line.next));
    }
    let first_end = line.text_end;
    // A value goes on as long as lines begin with white space (RFC 3261 7.3.1).
    while let Some(b' ' | b'\t') = bytes.get(line.next) {
        (ends, line) = ends.any(bytes, line.next, index);
    }
    if let Some(b' ' | b'\t') = bytes.get(at)
        && let Some(folded) = index.entries.last_mut()
    {
        // The other lines of what is folded. The first was a usual one: an odd one has taken its own.
        let value = text::trim(bytes, usize::from(folded.name_end) + 1..line.text_end);
        folded.value_start = value.start as u16;
        folded.value_end = value.end as u16;
        folded.end = line.next as u16;
        return Ok((ends, line.next));
    }
    let (name, name_end, value_from) = if let Some((name, length)) = Name::at_head(&bytes[at..]) {
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
    let value = text::trim(bytes, value_from..line.text_end);
    index.push(Entry {
        start: at as u16,
        name_end: name_end as u16,
        value_start: value.start as u16,
        value_end: value.end as u16,
        end: line.next as u16,
        name,
    })?;
    Ok((ends, line.next))
}

/// [`text::trim`], with the usual single space before the value as the short way.
#[inline]
fn trim_value(bytes: &[u8], from: usize, end: usize) -> Range<usize> {
    let text = &bytes[from..end];
    if let [b' ', first, ..] = text
        && let [.., last] = text
        && *first > b' '
        && *last > b' '
    {
        from + 1..end
    } else {
        text::trim(bytes, from..end)
    }
}

/// The length that all Content-Length lines agree on; otherwise notes what is wrong with them.
#[inline]
fn announced_length(bytes: &[u8], index: &mut HeaderIndex) -> Option<usize> {
    let first = index.first[Name::ContentLength as usize] as usize;
    let entry = index.entries.get(first)?;
    // Mostly it is the only one, and a number.
    match text::number(&bytes[entry.value_range()]) {
        Some(number) if index.repeated & Name::ContentLength.bit() == 0 => Some(number as usize),
        _ => agreed_length(bytes, first, index),
    }
}

/// The same for any such lines, of which this is the first.
#[cold]
fn agreed_length(bytes: &[u8], first: usize, index: &mut HeaderIndex) -> Option<usize> {
    let mut length = None;
    for entry in &index.entries[first..] {
        if entry.name != Name::ContentLength {
            continue;
        }
        let value = &bytes[entry.value_range()];
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
    index.version_2 = true;
    index.odd_start = false;
    if let Some(start) = usual_start(bytes, end) {
        index.start = start;
        Ok(())
    } else if bytes.len() >= 4 && bytes[..4].eq_ignore_ascii_case(b"SIP/") {
        status_line(bytes, end, index)
    } else {
        request_line(bytes, end, index)
    }
}

/// A start line as nearly all are: version 2.0, a known method, single spaces.
fn usual_start(bytes: &[u8], end: usize) -> Option<Start> {
    let line = &bytes[..end];
    if let Some(status) = line.strip_prefix(b"SIP/2.0 ") {
        let (digits, reason) = status.split_first_chunk::<3>()?;
        let code = text::port(digits)?;
        return matches!(reason, [b' ', first, .., last] if *first > b' ' && *last > b' ')
            .then_some(Start::Reply {
                code,
                reason_start: (end - reason.len() + 1) as u16,
                reason_end: end as u16,
            });
    }
    let front = line.strip_suffix(b" SIP/2.0")?;
    let token_end = front.iter().position(|&byte| byte == b' ')?;
    let method = Method::parse(&front[..token_end]);
    let is_usual = method != Method::Other
        && matches!(&front[token_end + 1..], [first, .., last] if *first > b' ' && *last > b' ');
    is_usual.then_some(Start::Request {
        method,
        token_end: token_end as u16,
        uri_start: token_end as u16 + 1,
        uri_end: front.len() as u16,
    })
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
