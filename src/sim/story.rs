//! What happened, for whoever has to understand why a checker complained.
//!
//! Owns: the last few thousand datagrams and remarks, and the running hash of all bytes sent.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use ahash::RandomState;

use super::network::Wire;
use crate::sip::{HeaderIndex, Message, StartLine, scan};
use crate::time::Timestamp;

/// Lines that are remembered.
const MOST_LINES: usize = 30_000;
/// Lines of a ladder.
const MOST_RUNGS: usize = 50;

/// One of the promises, broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The number of the invariant, as in the documentation of [`crate::sim`].
    pub invariant: u8,
    /// What was seen.
    pub what: String,
    /// The call that it was seen in, if it was one.
    pub call_id: Option<Vec<u8>>,
}

impl Violation {
    pub(super) fn new(invariant: u8, what: impl Into<String>) -> Self {
        Self {
            invariant,
            what: what.into(),
            call_id: None,
        }
    }

    pub(super) fn in_call(mut self, call_id: &[u8]) -> Self {
        self.call_id = Some(call_id.to_vec());
        self
    }
}

/// What became of a datagram.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It was sent, and so many copies will arrive.
    Sent(usize),
    /// A shard dealt with it.
    Read(u16),
    /// A shard handed it to another.
    HandedOff(u16, u16),
    /// The ring to that shard was full.
    RingFull(u16),
    /// Nobody listened.
    Unreachable,
}

#[derive(Debug)]
enum Line {
    Datagram(Wire, Fate),
    Remark(String),
}

/// Hears every line of the story as it happens.
pub type Listener = Box<dyn FnMut(&str)>;

/// The story so far.
pub(super) struct Story {
    lines: VecDeque<(Timestamp, Line)>,
    listener: Option<Listener>,
    hasher: ahash::AHasher,
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story")
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl Story {
    pub fn new() -> Self {
        Self {
            lines: VecDeque::with_capacity(1_024),
            listener: None,
            hasher: RandomState::with_seeds(1, 2, 3, 4).build_hasher(),
        }
    }

    pub fn listen(&mut self, listener: Listener) {
        self.listener = Some(listener);
    }

    /// Adds a datagram that the proxy sent to the hash of all.
    pub fn hash(&mut self, now: Timestamp, wire: &Wire) {
        self.hasher.write_u64(now.as_nanos());
        self.hasher.write_u16(wire.from.port());
        self.hasher.write_u16(wire.to.port());
        self.hasher.write(&wire.bytes);
    }

    /// The hash of everything that the proxy has sent, with times and ports.
    pub fn hash_so_far(&self) -> u64 {
        self.hasher.finish()
    }

    pub fn datagram(&mut self, now: Timestamp, wire: &Wire, fate: Fate) {
        self.tell(now, Line::Datagram(wire.clone(), fate));
    }

    pub fn remark(&mut self, now: Timestamp, text: impl Into<String>) {
        self.tell(now, Line::Remark(text.into()));
    }

    fn tell(&mut self, now: Timestamp, line: Line) {
        if let Some(listener) = &mut self.listener {
            listener(&render(now, &line, &mut HeaderIndex::new()));
        }
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((now, line));
    }

    /// The last lines of a call, or the last of all; remarks are in both.
    pub fn ladder(&self, call_id: Option<&[u8]>) -> String {
        let mut index = HeaderIndex::new();
        let mut rungs = VecDeque::new();
        for (at, line) in self.lines.iter().rev() {
            let belongs = match (line, call_id) {
                (Line::Datagram(wire, _), Some(call_id)) => {
                    scan(&wire.bytes, &mut index).is_ok_and(|it| it.call_id() == Some(call_id))
                }
                (Line::Datagram(wire, _), None) => !is_keepalive(wire),
                (Line::Remark(_), _) => true,
            };
            if belongs {
                rungs.push_front(render(*at, line, &mut index));
            }
            if rungs.len() == MOST_RUNGS {
                break;
            }
        }
        rungs.into_iter().fold(String::new(), |mut text, rung| {
            text.push_str(&rung);
            text.push('\n');
            text
        })
    }
}

/// Whether a datagram belongs to the probing of a gateway: there are many of them.
fn is_keepalive(wire: &Wire) -> bool {
    memchr::memmem::find(&wire.bytes, b"Call-ID: keepalive-").is_some()
}

fn render(at: Timestamp, line: &Line, index: &mut HeaderIndex) -> String {
    let nanos = at.as_nanos();
    let mut text = format!(
        "{:>5}.{:06} ",
        nanos / 1_000_000_000,
        nanos / 1_000 % 1_000_000
    );
    match line {
        Line::Remark(remark) => {
            let _ = write!(text, "  ** {remark}");
        }
        Line::Datagram(wire, fate) => {
            let arrow = match fate {
                Fate::Sent(_) => "-->",
                _ => "==>",
            };
            let _ = write!(text, "{:>14} {arrow} {:<14} ", wire.from, wire.to);
            describe(&wire.bytes, index, &mut text);
            match fate {
                Fate::Sent(0) => text.push_str(" [lost]"),
                Fate::Sent(1) => {}
                Fate::Sent(_) => text.push_str(" [doubled]"),
                Fate::Read(shard) => {
                    let _ = write!(text, " [shard {shard}]");
                }
                Fate::HandedOff(from, to) => {
                    let _ = write!(text, " [shard {from} to shard {to}]");
                }
                Fate::RingFull(shard) => {
                    let _ = write!(text, " [ring of shard {shard} full]");
                }
                Fate::Unreachable => text.push_str(" [nobody there]"),
            }
        }
    }
    text
}

/// What a datagram says, in one line.
fn describe(bytes: &Arc<[u8]>, index: &mut HeaderIndex, text: &mut String) {
    match scan(bytes, index) {
        Ok(message) => describe_message(message, text),
        Err(error) => {
            let _ = write!(text, "{} bytes of no SIP ({error})", bytes.len());
        }
    }
}

fn describe_message(message: Message<'_>, text: &mut String) {
    let show = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
    let cseq = message
        .cseq()
        .map(|it| format!("{} {}", it.number, String::from_utf8_lossy(it.token)));
    let cseq = cseq.unwrap_or_else(|_| "?".to_owned());
    match message.start() {
        StartLine::Request { token, uri, .. } => {
            let _ = write!(text, "{} {}", show(Some(token)), show(Some(uri)));
        }
        StartLine::Reply { code, reason } => {
            let _ = write!(text, "{code} {} ({cseq})", show(Some(reason)));
        }
    }
    let branch = message.top_via().ok().and_then(|via| via.branch);
    let _ = write!(
        text,
        " | {} | cseq {cseq} | from {} to {} | {}",
        show(message.call_id()),
        show(message.from_tag()),
        show(message.to_tag()),
        show(branch),
    );
}
