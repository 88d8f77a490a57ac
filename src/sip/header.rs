//! The plain views of a message's parts: start line, header line, CSeq.

use std::ops::Range;

use super::error::HeaderError;
use super::method::Method;
use super::name::Name;
use super::text;

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request line (RFC 3261 7.1).
    Request {
        /// The method.
        method: Method,
        /// Its text.
        token: &'a [u8],
        /// The Request-URI as it stands, without white space at its ends.
        uri: &'a [u8],
    },
    /// A status line (RFC 3261 7.2).
    Reply {
        /// The status code; `u16::MAX` for one that fits no `u16` (see [`super::Fault::StatusCode`]).
        code: u16,
        /// The reason phrase, often empty.
        reason: &'a [u8],
    },
}

/// One header line, with its continuation lines if it is folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which header it is.
    pub name: Name,
    /// The name as it stands; the whole line if it has no colon.
    pub name_text: &'a [u8],
    /// The value, without white space at its ends. Folds inside are left in.
    pub value: &'a [u8],
    /// Where the whole line lies in the message, its line end and continuation lines with it.
    pub range: Range<usize>,
    /// Where the value lies in the message.
    pub value_range: Range<usize>,
}

/// The value of CSeq (RFC 3261 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number, below 2^31 (RFC 3261 8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method's text.
    pub token: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Decodes the value of a CSeq line.
    #[inline]
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        match Self::usual(value) {
            Some(cseq) => Ok(cseq),
            None => Self::any(value),
        }
    }

    /// Decodes a value as nearly all are: a number of few digits, one space, a known method.
    #[inline]
    fn usual(value: &'a [u8]) -> Option<Self> {
        let (number, digits) = text::head_number(value);
        let token = value[digits..].strip_prefix(b" ")?;
        let method = Method::parse(token);
        (digits > 0 && method != Method::Other).then_some(Self {
            number,
            method,
            token,
        })
    }

    /// Decodes a value however it is written.
    fn any(value: &'a [u8]) -> Result<Self, HeaderError> {
        let start = text::skip_lws(value, 0);
        let digits_end = value[start..]
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .map_or(value.len(), |length| start + length);
        let number = text::number(&value[start..digits_end])
            .filter(|&number| i32::try_from(number).is_ok())
            .ok_or(HeaderError::Number)?;
        let method_start = text::skip_lws(value, digits_end);
        let method_end = text::skip_token(value, method_start);
        if method_start == value.len() {
            return Err(HeaderError::NoMethod);
        }
        if method_start == digits_end {
            return Err(HeaderError::Number);
        }
        if method_end == method_start || text::skip_lws(value, method_end) != value.len() {
            return Err(HeaderError::Trailing);
        }
        let token = &value[method_start..method_end];
        Ok(Self {
            number,
            method: Method::parse(token),
            token,
        })
    }
}
