//! The manners of the rogues, and the odd forms in which they write.

use std::net::SocketAddr;

use rand::RngExt as _;

use crate::rng::Rng;

/// How a rogue goes about its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// INVITE, ACK, BYE: for the odd forms.
    Plain,
    /// Cancels with the INVITE, before anything has come back.
    CancelEarly,
    /// Cancels some time later, whatever has come.
    CancelLate,
    /// The CANCEL goes out before the INVITE.
    CancelFirst,
    /// Acknowledges nothing.
    NeverAck,
    /// Goes away after the answer.
    Vanish,
    /// Hangs up twice.
    DoubleBye,
    /// re-INVITE, UPDATE, INFO, BYE.
    Busy,
    /// Tries once more after a refusal, with the same Call-ID and tag.
    TryAgain,
    /// The INVITE comes by two ways.
    Twice,
    /// Sends what follows as a strict router does.
    StrictRouter,
    /// Hangs up with a ringing call.
    ByeEarly,
    /// OPTIONS to the proxy itself.
    AskProxy,
    /// A single request that opens no call.
    Single(&'static str),
    /// An INVITE that may not be forwarded any more.
    NoForwards,
}

impl Manner {
    pub fn draw(rng: &mut Rng) -> Self {
        const SINGLES: [&str; 6] = [
            "OPTIONS",
            "MESSAGE",
            "REGISTER",
            "SUBSCRIBE",
            "PUBLISH",
            "BYE",
        ];
        match rng.random_range(0..18_u32) {
            0 | 1 => Self::Plain,
            2 | 3 => Self::CancelEarly,
            4 | 5 => Self::CancelLate,
            6 => Self::CancelFirst,
            7 => Self::NeverAck,
            8 => Self::Vanish,
            9 => Self::DoubleBye,
            10 => Self::Busy,
            11 => Self::TryAgain,
            12 => Self::Twice,
            13 => Self::StrictRouter,
            14 => Self::ByeEarly,
            15 => Self::AskProxy,
            16 => Self::NoForwards,
            _ => Self::Single(SINGLES[rng.random_range(0..SINGLES.len())]),
        }
    }

    pub fn first_method(self) -> &'static str {
        match self {
            Self::AskProxy => "OPTIONS",
            Self::Single(method) => method,
            _ => "INVITE",
        }
    }

    /// What is sent once the call is answered, after the ACK.
    pub fn later_methods(self) -> &'static [&'static str] {
        match self {
            Self::Vanish => &[],
            Self::DoubleBye => &["BYE", "BYE"],
            Self::Busy => &["INVITE", "UPDATE", "INFO", "BYE"],
            _ => &["BYE"],
        }
    }

    pub fn cancels(self) -> bool {
        matches!(self, Self::CancelLate | Self::CancelEarly)
    }

    pub fn cancels_early(self) -> bool {
        self == Self::CancelEarly
    }

    pub fn max_forwards(self) -> u32 {
        if self == Self::NoForwards { 0 } else { 70 }
    }
}

/// How a rogue writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As everybody does.
    Usual,
    /// Header names in their compact form, no spaces.
    Compact,
    /// Folded lines, odd case, space before the colon.
    Folded,
    /// Line feeds only.
    LineFeeds,
    /// As a client older than RFC 3261: no branch, no rport.
    Old,
    /// Another proxy stands before this one: its Via on the same line.
    BehindProxy,
    /// A Call-ID longer than any should be.
    Long,
    /// A Route to the proxy, as one with an outbound proxy sends it, and a body.
    Routed,
}

/// What names a request.
#[derive(Debug)]
pub(super) struct Outline {
    pub branch: String,
    pub call_id: String,
    pub tag: String,
    pub cseq: u32,
    pub max_forwards: u32,
}

impl Form {
    pub fn draw(rng: &mut Rng) -> Self {
        match rng.random_range(0..12_u32) {
            0 => Self::Compact,
            1 => Self::Folded,
            2 => Self::LineFeeds,
            3 => Self::Old,
            4 => Self::BehindProxy,
            5 => Self::Long,
            6 => Self::Routed,
            _ => Self::Usual,
        }
    }

    /// A request outside a dialog, or its CANCEL.
    pub fn write(self, address: SocketAddr, method: &str, uri: &str, outline: &Outline) -> Vec<u8> {
        let Outline {
            branch,
            call_id,
            tag,
            cseq,
            max_forwards,
        } = outline;
        let via = match self {
            Self::Old => format!("SIP/2.0/UDP {address}"),
            Self::BehindProxy => format!(
                "SIP/2.0/UDP {address};branch={branch};rport, SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKb{tag}"
            ),
            _ => format!("SIP/2.0/UDP {address};branch={branch};rport"),
        };
        let from = format!("<sip:rogue@{address}>;tag={tag}");
        let contact = format!("<sip:rogue@{address}>");
        let to = "<sip:someone@example.org>";
        let text = match self {
            Self::Compact => format!(
                "{method} {uri} SIP/2.0\r\nv:{via}\r\nf:{from}\r\nt:{to}\r\ni:{call_id}\r\nCSeq:{cseq} {method}\r\n\
                 m:{contact}\r\nMax-Forwards:{max_forwards}\r\nl:0\r\n\r\n"
            ),
            Self::Folded => format!(
                "{method} {uri} SIP/2.0\r\nvIA :\r\n {via}\r\nFROM\t: {from}\r\ntO:\r\n\t{to}\r\nCall-Id  :  {call_id}\r\n\
                 cseq: {cseq}\r\n  {method}\r\nContact:{contact}\r\nMAX-forwards: {max_forwards}\r\nContent-Length: 0\r\n\r\n"
            ),
            Self::Routed => format!(
                "\r\n\r\n{method} {uri} SIP/2.0\r\nVia: {via}\r\nRoute: <{uri};lr>\r\nMax-Forwards: {max_forwards}\r\n\
                 From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: {contact}\r\n\
                 Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
            ),
            _ => format!(
                "{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: {max_forwards}\r\nFrom: {from}\r\nTo: {to}\r\n\
                 Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: {contact}\r\nContent-Length: 0\r\n\r\n"
            ),
        };
        if self == Self::LineFeeds {
            text.replace("\r\n", "\n").into_bytes()
        } else {
            text.into_bytes()
        }
    }
}
