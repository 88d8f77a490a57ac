//! The reasonable syntax check of RFC 3261 16.3, with the answer to each fault. What it decodes is not
//! decoded again: see [`Basics`].

use super::basics::Basics;
use super::error::HeaderError;
use super::message::Message;
use super::method::Method;
use super::name::Name;
use super::scan::{Length, Start};
use super::uri::Uri;

/// What is wrong with a message that could be scanned.
///
/// A request with a fault is answered with [`Fault::code`] and [`Fault::reason`] (an ACK is dropped);
/// a reply with a fault is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The version is not 2.0.
    Version,
    /// White space in the start line where none may be.
    StartLine,
    /// The status code of a reply is not within 100 to 699.
    StatusCode,
    /// The Request-URI cannot be read, or has characters that no URI has.
    RequestUri,
    /// The Request-URI has headers (RFC 3261 19.1.1 forbids it).
    RequestUriHeaders,
    /// The scheme of the Request-URI is none that can be routed.
    Scheme,
    /// A header line has no colon or no usable name, or a CR stands where no line ends.
    HeaderLine,
    /// A header that every message must have is not there: Via, From, To, Call-ID or CSeq.
    Missing(Name),
    /// A header that may occur once occurs more than once.
    Repeated(Name),
    /// CSeq is no number below 2^31 and a method.
    CSeq,
    /// The method in CSeq is not the method of the request.
    CSeqMethod,
    /// The topmost Via cannot be read.
    Via,
    /// From cannot be read.
    From,
    /// To cannot be read.
    To,
    /// Max-Forwards is no number.
    MaxForwards,
    /// Content-Length is no number.
    ContentLength,
    /// Content-Length lines that differ.
    ContentLengths,
    /// Content-Length announces more than the datagram holds.
    BodyTruncated,
}

impl Fault {
    /// The status code of the answer.
    pub fn code(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::Scheme => 416,
            _ => 400,
        }
    }

    /// The reason phrase of the answer, which says what is wrong (RFC 3261 21.4.1). Where `sanity_check()`
    /// of Kamailio answers the same fault, in its words: somebody may look for them.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Version => "Version Not Supported",
            Self::StartLine => "Bad Start Line",
            Self::StatusCode => "Bad Status Code",
            Self::RequestUri => "Bad Request URI",
            Self::RequestUriHeaders => "Headers in Request-URI",
            Self::Scheme => "Unsupported URI Scheme",
            Self::HeaderLine => "Bad Header Line",
            Self::Missing(Name::Via) => "Missing Via",
            Self::Missing(Name::From) => "Missing From",
            Self::Missing(Name::To) => "Missing To",
            Self::Missing(Name::CallId) => "Missing Call-ID",
            Self::Missing(Name::CSeq) => "Missing CSeq",
            Self::Missing(_) => "Missing Header",
            Self::Repeated(Name::From) => "Repeated From",
            Self::Repeated(Name::To) => "Repeated To",
            Self::Repeated(Name::CallId) => "Repeated Call-ID",
            Self::Repeated(Name::CSeq) => "Repeated CSeq",
            Self::Repeated(Name::MaxForwards) => "Repeated Max-Forwards",
            Self::Repeated(_) => "Repeated Header",
            Self::CSeq => "CSeq number is illegal",
            Self::CSeqMethod => "CSeq method does not match request method",
            Self::Via => "Bad Via",
            Self::From => "Invalid From Header",
            Self::To => "Invalid To Header",
            Self::MaxForwards => "Bad Max-Forwards",
            Self::ContentLength => "Bad Content-Length",
            Self::ContentLengths => "Content-Length Lines Differ",
            Self::BodyTruncated => "Content-Length mis-match",
        }
    }
}

/// Headers that every message must have (RFC 3261 8.1.1, 8.2.6). Max-Forwards is one too, but senders
/// of RFC 2543 do without, and 16.3 allows it.
const MANDATORY: [Name; 5] = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];

/// Headers that may occur once and that a proxy reads.
const SINGLE: [Name; 5] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
];

const fn bits(names: [Name; 5]) -> u64 {
    let mut bits = 0;
    let mut at = 0;
    while at < names.len() {
        bits |= names[at].bit();
        at += 1;
    }
    bits
}

const MANDATORY_BITS: u64 = bits(MANDATORY);
const SINGLE_BITS: u64 = bits(SINGLE);

impl<'a> Message<'a> {
    /// The first fault found, or `None` for a message that may be processed.
    ///
    /// This reads the start line, the topmost Via, From, To, Call-ID, CSeq, Max-Forwards and
    /// Content-Length, and nothing that a proxy has no business with.
    pub fn fault(self) -> Option<Fault> {
        self.basics().err()
    }

    /// What every message has, decoded once; or the first fault found.
    pub fn basics(self) -> Result<Basics<'a>, Fault> {
        if !self.index.version_2 {
            return Err(Fault::Version);
        }
        if self.index.odd_start {
            return Err(Fault::StartLine);
        }
        let request_uri = match self.index.start {
            Start::Request { .. } => Some(self.decoded_request_uri()?),
            Start::Reply { code, .. } if !(100..=699).contains(&code) => {
                return Err(Fault::StatusCode);
            }
            Start::Reply { .. } => None,
        };
        match self.presence_fault() {
            Some(fault) => Err(fault),
            None => self.decoded(request_uri),
        }
    }

    fn decoded_request_uri(self) -> Result<Uri<'a>, Fault> {
        match Uri::parse(self.request_uri().unwrap_or_default()) {
            Err(_) => Err(Fault::RequestUri),
            Ok(uri) if !uri.has_known_scheme() => Err(Fault::Scheme),
            Ok(uri) if !uri.headers.is_empty() => Err(Fault::RequestUriHeaders),
            Ok(uri) => Ok(uri),
        }
    }

    fn presence_fault(self) -> Option<Fault> {
        let missing = MANDATORY_BITS & !self.index.seen;
        let repeated = SINGLE_BITS & self.index.repeated;
        if missing != 0 {
            let name = MANDATORY.into_iter().find(|name| missing & name.bit() != 0);
            return name.map(Fault::Missing);
        }
        if repeated != 0 {
            let name = SINGLE.into_iter().find(|name| repeated & name.bit() != 0);
            return name.map(Fault::Repeated);
        }
        if self.index.malformed {
            return Some(Fault::HeaderLine);
        }
        match self.index.length {
            Length::Fits => None,
            Length::Short => Some(Fault::BodyTruncated),
            Length::Bad => Some(Fault::ContentLength),
            Length::Differ => Some(Fault::ContentLengths),
        }
    }

    fn decoded(self, request_uri: Option<Uri<'a>>) -> Result<Basics<'a>, Fault> {
        let missing_or = |name, fault| {
            move |error| match error {
                HeaderError::Missing => Fault::Missing(name),
                _ => fault,
            }
        };
        // It is large, so it stays where it is until the end.
        let via = self.top_via();
        match &via {
            Ok(via) if via.well_formed => {}
            Ok(_) => return Err(Fault::Via),
            Err(error) => return Err(missing_or(Name::Via, Fault::Via)(*error)),
        }
        let from_tag = self.tag_of(Name::From).map_err(|_| Fault::From)?;
        let to_tag = self.tag_of(Name::To).map_err(|_| Fault::To)?;
        let call_id = self.call_id().ok_or(Fault::Missing(Name::CallId))?;
        let cseq = self.cseq().map_err(missing_or(Name::CSeq, Fault::CSeq))?;
        if let Some(method) = self.method()
            && (method != cseq.method || method == Method::Other && self.token() != cseq.token)
        {
            return Err(Fault::CSeqMethod);
        }
        let max_forwards = self.max_forwards().map_err(|_| Fault::MaxForwards)?;
        Ok(Basics {
            request_uri,
            via: via.map_err(|_| Fault::Via)?,
            from_tag,
            to_tag,
            call_id,
            cseq,
            max_forwards,
        })
    }
}
