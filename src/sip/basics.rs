//! What every message has and nearly every step of a proxy asks for, decoded once for a message.

use super::header::CSeq;
use super::message::Message;
use super::uri::Uri;
use super::via::Via;

/// The headers that every message must have (RFC 3261 8.1.1, 8.2.6), of a message without
/// [`super::Fault`].
#[derive(Clone, Debug)]
pub struct Basics<'a> {
    /// The Request-URI; `None` of a reply.
    pub request_uri: Option<Uri<'a>>,
    /// The topmost Via.
    pub via: Via<'a>,
    /// The tag of From; empty if there is none.
    pub from_tag: &'a [u8],
    /// The tag of To; empty if there is none.
    pub to_tag: &'a [u8],
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The CSeq.
    pub cseq: CSeq<'a>,
    /// Max-Forwards, if present.
    pub max_forwards: Option<u32>,
}

impl<'a> Basics<'a> {
    /// What a request and all that goes with it have in common.
    pub fn identity(&self) -> Identity<'a> {
        Identity {
            call_id: self.call_id,
            from_tag: self.from_tag,
            cseq: self.cseq.number,
        }
    }
}

/// What a request, its retransmissions, its answers, its CANCEL and its ACK have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The tag of From; empty if there is none.
    pub from_tag: &'a [u8],
    /// The number in CSeq.
    pub cseq: u32,
}

impl<'a> Identity<'a> {
    /// Of any message, as far as it can be read.
    pub fn of(message: Message<'a>) -> Self {
        Self {
            call_id: message.call_id().unwrap_or_default(),
            from_tag: message.from_tag().unwrap_or_default(),
            cseq: message.cseq().map_or(0, |cseq| cseq.number),
        }
    }
}
