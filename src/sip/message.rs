//! A scanned message: a cheap handle that decodes what is asked for.

use std::ops::Range;

use super::edit::Edits;
use super::error::HeaderError;
use super::header::{CSeq, Line, StartLine};
use super::method::Method;
use super::name::Name;
use super::name_addr::NameAddr;
use super::scan::{Ending, Entry, HeaderIndex, Length, Start};
use super::text;
use super::values::Values;
use super::via::Via;

/// A message as [`super::scan`] found it. Every range and offset is relative to [`Message::bytes`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    pub(super) index: &'a HeaderIndex,
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8], index: &'a HeaderIndex) -> Self {
        Self { bytes, index }
    }

    /// The message: without line ends before it, and without bytes beyond its Content-Length.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The start line.
    pub fn start(self) -> StartLine<'a> {
        match self.index.start {
            Start::Request {
                method,
                token_end,
                uri_start,
                uri_end,
            } => StartLine::Request {
                method,
                token: &self.bytes[..token_end as usize],
                uri: &self.bytes[uri_start as usize..uri_end as usize],
            },
            Start::Reply {
                code,
                reason_start,
                reason_end,
            } => StartLine::Reply {
                code,
                reason: &self.bytes[reason_start as usize..reason_end as usize],
            },
        }
    }

    /// The method of a request; `None` for a reply.
    pub fn method(self) -> Option<Method> {
        match self.index.start {
            Start::Request { method, .. } => Some(method),
            Start::Reply { .. } => None,
        }
    }

    /// The text of a request's method; empty for a reply.
    pub(super) fn token(self) -> &'a [u8] {
        match self.start() {
            StartLine::Request { token, .. } => token,
            StartLine::Reply { .. } => b"",
        }
    }

    /// The Request-URI; `None` for a reply.
    pub fn request_uri(self) -> Option<&'a [u8]> {
        match self.index.start {
            Start::Request { .. } => Some(&self.bytes[self.uri_range()]),
            Start::Reply { .. } => None,
        }
    }

    /// Where the Request-URI lies; `0..0` for a reply.
    pub fn uri_range(self) -> Range<usize> {
        match self.index.start {
            Start::Request {
                uri_start, uri_end, ..
            } => uri_start as usize..uri_end as usize,
            Start::Reply { .. } => 0..0,
        }
    }

    /// The status code of a reply; `None` for a request.
    pub fn reply_code(self) -> Option<u16> {
        match self.index.start {
            Start::Request { .. } => None,
            Start::Reply { code, .. } => Some(code),
        }
    }

    /// The reason phrase of a reply; empty for a request.
    pub fn reason(self) -> &'a [u8] {
        match self.start() {
            StartLine::Request { .. } => b"",
            StartLine::Reply { reason, .. } => reason,
        }
    }

    /// Where the first header line begins.
    pub fn headers_start(self) -> usize {
        self.index.headers_start as usize
    }

    /// Where the last header line ends: before the empty line.
    pub fn headers_end(self) -> usize {
        let last = self.index.entries.last();
        last.map_or(self.headers_start(), |entry| entry.end as usize)
    }

    /// Where the body begins.
    pub fn body_start(self) -> usize {
        self.index.body_start as usize
    }

    /// Every header line, in order.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        self.index.entries.iter().map(move |entry| self.line(entry))
    }

    /// The first line of this name, found in one step.
    pub fn first(self, name: Name) -> Option<Line<'a>> {
        self.first_entry(name).map(|entry| self.line(entry))
    }

    /// Every line of this name, in order.
    pub fn all(self, name: Name) -> impl Iterator<Item = Line<'a>> {
        self.entries_from_first(name)
            .iter()
            .filter(move |entry| entry.name == name)
            .map(move |entry| self.line(entry))
    }

    /// Whether there is a line of this name.
    pub fn has(self, name: Name) -> bool {
        self.index.seen & name.bit() != 0
    }

    /// Every value of this name, over lines and commas, with its place. Only for headers whose value
    /// is a list: Via, Route, Record-Route, Contact, Require, Supported and their like.
    pub fn values(self, name: Name) -> Values<'a> {
        Values::new(self, name)
    }

    /// The body, cut to its Content-Length; everything after the header section if there is none.
    pub fn body(self) -> &'a [u8] {
        &self.bytes[self.index.body_start as usize..]
    }

    /// Whether Content-Length announces more than the datagram holds.
    pub fn body_is_truncated(self) -> bool {
        self.index.length == Length::Short
    }

    /// Whether a header line has no colon or no usable name, or a CR stands where no line ends.
    pub fn malformed(self) -> bool {
        self.index.malformed
    }

    /// Adds what a header section without its empty line lacks, so that what is sent on is a whole
    /// message. Does nothing to a message that has it.
    pub fn complete(self, edits: &mut Edits) {
        match self.index.ending {
            Ending::EmptyLine => {}
            Ending::NoEmptyLine => edits.insert(self.bytes.len(), b"\r\n"),
            Ending::NoLineEnd => edits.insert(self.bytes.len(), b"\r\n\r\n"),
        }
    }

    /// The Call-ID; `None` if there is none or an empty one.
    pub fn call_id(self) -> Option<&'a [u8]> {
        self.first_value(Name::CallId).ok()
    }

    /// The CSeq.
    pub fn cseq(self) -> Result<CSeq<'a>, HeaderError> {
        CSeq::parse(self.first_value(Name::CSeq)?)
    }

    /// The From.
    pub fn from(self) -> Result<NameAddr<'a>, HeaderError> {
        self.address(Name::From)
    }

    /// The To.
    pub fn to(self) -> Result<NameAddr<'a>, HeaderError> {
        self.address(Name::To)
    }

    /// The tag of From or To; empty if there is none.
    pub(super) fn tag_of(self, name: Name) -> Result<&'a [u8], HeaderError> {
        let entry = self.first_entry(name).ok_or(HeaderError::Missing)?;
        match NameAddr::usual_tag(self.bytes, entry.value_range()) {
            Some(tag) => Ok(tag),
            None => self.unusual_tag(name),
        }
    }

    #[cold]
    #[inline(never)]
    fn unusual_tag(self, name: Name) -> Result<&'a [u8], HeaderError> {
        Ok(self.address(name)?.tag().unwrap_or_default())
    }

    /// The tag of From; `None` if there is none or an empty one.
    pub fn from_tag(self) -> Option<&'a [u8]> {
        self.tag_of(Name::From).ok().filter(|tag| !tag.is_empty())
    }

    /// The tag of To; `None` if there is none or an empty one.
    pub fn to_tag(self) -> Option<&'a [u8]> {
        self.tag_of(Name::To).ok().filter(|tag| !tag.is_empty())
    }

    /// Every Via value, topmost first.
    pub fn vias(self) -> impl Iterator<Item = Result<Via<'a>, HeaderError>> {
        self.values(Name::Via)
            .map(|(value, range)| Via::parse(value, range.start))
    }

    /// The topmost Via value.
    #[inline]
    pub fn top_via(self) -> Result<Via<'a>, HeaderError> {
        let entry = self.first_entry(Name::Via).ok_or(HeaderError::Missing)?;
        let range = entry.value_range();
        match Via::usual(self.bytes, range) {
            Some(via) => Ok(via),
            None => self.vias().next().unwrap_or(Err(HeaderError::Missing)),
        }
    }

    /// Every Via value below this one.
    pub fn vias_below(self, via: &Via<'a>) -> impl Iterator<Item = Result<Via<'a>, HeaderError>> {
        Values::behind(self, Name::Via, &via.range).map(move |(value, range)| {
            Via::usual(self.bytes, range.clone()).map_or_else(|| Via::parse(value, range.start), Ok)
        })
    }

    /// The Via value directly below this one.
    pub fn via_below(self, via: &Via<'a>) -> Option<Result<Via<'a>, HeaderError>> {
        if let Some(lines) = self.lines_below(via)
            && let Some(below) = Via::usual(self.bytes, lines.first()?.value_range())
        {
            return Some(Ok(below));
        }
        self.vias_below(via).next()
    }

    /// Whether there is a Via value below this one.
    pub fn has_via_below(self, via: &Via<'a>) -> bool {
        match self.lines_below(via) {
            Some([]) => false,
            Some([second, ..]) if !matches!(self.value_of(second), [] | [b',', ..]) => true,
            _ => Values::behind(self, Name::Via, &via.range).next().is_some(),
        }
    }

    /// If this value ends the first line with Via values: the lines from the next such line on, none if
    /// there is none. Mostly each value has a line of its own, perhaps with a Record-Route between.
    #[inline]
    fn lines_below(self, via: &Via<'a>) -> Option<&'a [Entry]> {
        let (first, others) = self.entries_from_first(Name::Via).split_first()?;
        let next = others.iter().position(|entry| entry.name == Name::Via);
        let is_last = first.value_range().end == via.range.end;
        is_last.then(|| &others[next.unwrap_or(others.len())..])
    }

    /// Every Route value, topmost first.
    pub fn routes(self) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.addresses(Name::Route)
    }

    /// Every Record-Route value, topmost first.
    pub fn record_routes(self) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.addresses(Name::RecordRoute)
    }

    /// Every value of a list header whose values are addresses, such as Contact.
    pub fn addresses(self, name: Name) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.values(name)
            .map(move |(_, range)| NameAddr::at(self.bytes, range))
    }

    /// Max-Forwards, if present. RFC 3261 ends at 255; larger numbers are read nevertheless.
    pub fn max_forwards(self) -> Result<Option<u32>, HeaderError> {
        let Some(entry) = self.first_entry(Name::MaxForwards) else {
            return Ok(None);
        };
        text::number(self.value_of(entry))
            .map(Some)
            .ok_or(HeaderError::Number)
    }

    /// Content-Length, if present: the first, if there are several.
    pub fn content_length(self) -> Result<Option<usize>, HeaderError> {
        let Some(line) = self.first(Name::ContentLength) else {
            return Ok(None);
        };
        text::number(line.value)
            .map(|length| Some(length as usize))
            .ok_or(HeaderError::Number)
    }

    fn address(self, name: Name) -> Result<NameAddr<'a>, HeaderError> {
        let entry = self.first_entry(name).ok_or(HeaderError::Missing)?;
        NameAddr::at(self.bytes, entry.value_range())
    }

    /// The value of the first line of this name, unless that is empty.
    fn first_value(self, name: Name) -> Result<&'a [u8], HeaderError> {
        let entry = self.first_entry(name).ok_or(HeaderError::Missing)?;
        let value = self.value_of(entry);
        if value.is_empty() {
            return Err(HeaderError::Missing);
        }
        Ok(value)
    }

    fn value_of(self, entry: &Entry) -> &'a [u8] {
        &self.bytes[entry.value_range()]
    }

    fn first_entry(self, name: Name) -> Option<&'a Entry> {
        if !self.has(name) {
            return None;
        }
        let place = self.index.first[name as usize] as usize;
        self.index.entries.get(place)
    }

    /// The entries among which all lines of this name are, beginning with the first such.
    pub(super) fn entries_from_first(self, name: Name) -> &'a [Entry] {
        if !self.has(name) {
            return &[];
        }
        let first = self.index.first[name as usize] as usize;
        if self.index.repeated & name.bit() == 0 {
            &self.index.entries[first..=first]
        } else {
            &self.index.entries[first..]
        }
    }

    fn line(self, entry: &Entry) -> Line<'a> {
        let value_range = entry.value_range();
        Line {
            name: entry.name,
            name_text: &self.bytes[entry.start as usize..entry.name_end as usize],
            value: &self.bytes[value_range.clone()],
            range: entry.start as usize..entry.end as usize,
            value_range,
        }
    }
}
