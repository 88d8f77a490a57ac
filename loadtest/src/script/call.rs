//! One call of a scenario: where it stands, and what its messages are made of.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sipshard::proxy::SocketId;
use sipshard::time::Timestamp;
use sipshard::transaction::wheel::TimerId;

use super::digest::Challenge;
use super::inject::Injection;

/// The value of a variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// It has none yet.
    #[default]
    Unset,
    /// Text.
    Text(Vec<u8>),
    /// A number.
    Number(f64),
    /// Yes or no.
    Truth(bool),
}

impl Value {
    /// What `test` and `condexec` ask.
    pub fn is_set(&self) -> bool {
        !matches!(self, Self::Unset | Self::Truth(false))
    }

    /// As a number; text as far as it is one.
    pub fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => {
                let text = std::str::from_utf8(text).unwrap_or_default();
                text.trim().parse().unwrap_or(0.0)
            }
            Self::Truth(truth) => f64::from(u8::from(*truth)),
            Self::Unset => 0.0,
        }
    }
}

/// What all calls of an actor have in common.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// User part of the Request-URI (`-s`).
    pub service: String,
    /// The process.
    pub pid: u32,
    /// The actor's own addresses.
    pub local: Vec<SocketAddr>,
    /// The socket number of the first.
    pub first_socket: SocketId,
    /// `-mi`.
    pub media_ip: Option<IpAddr>,
    /// `-mp`.
    pub media_port: u16,
    /// `-users`.
    pub users: u32,
    /// `-inf`.
    pub injections: Vec<Arc<Injection>>,
}

/// What a message is written for, besides its call.
pub struct Setting<'a> {
    /// What all calls have in common.
    pub fixed: &'a Fixed,
    /// The step.
    pub step: usize,
    /// The time.
    pub now: Timestamp,
    /// The branch of the transaction that it belongs to, if that has a name.
    pub branch: Option<&'a [u8]>,
    /// What chance gives, for the own nonce in the answer to a challenge.
    pub chance: u64,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The slot is not in use.
    Free,
    /// It waits for a message.
    Waiting,
    /// It pauses.
    Paused,
    /// It is over but for what is sent again.
    Lingering,
}

/// A message that is sent again until something comes.
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    /// When next.
    pub at: Timestamp,
    /// When it is given up.
    pub until: Timestamp,
    /// The interval before the next.
    pub interval: Duration,
    /// The longest interval.
    pub longest: Duration,
    /// The step that sent it.
    pub step: usize,
}

/// How many received messages are remembered, to know them when they come again.
const REMEMBERED: usize = 8;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts the uses of the slot.
    pub serial: u32,
    /// Where it stands.
    pub state: State,
    /// The number of the call, from 1.
    pub number: u64,
    /// Its Call-ID.
    pub id: Vec<u8>,
    /// The socket that it has.
    pub socket: SocketId,
    /// Where its messages go.
    pub peer: SocketAddr,
    /// The step that it is at.
    pub step: usize,
    /// The CSeq number of the last request.
    pub cseq: u32,
    /// Values of the variables.
    pub variables: Vec<Value>,
    /// The last message that fitted.
    pub last: Vec<u8>,
    /// The peer's tag.
    pub peer_tag: Vec<u8>,
    /// Values of Route.
    pub routes: Vec<u8>,
    /// The remote target.
    pub next_url: Vec<u8>,
    /// The last message that was sent.
    pub sent: Vec<u8>,
    /// The message that is being answered: what is sent in the same breath belongs to it.
    pub answering: Option<u64>,
    /// The hash of the last message that was answered, and what with.
    pub answered: u64,
    /// What it was answered with.
    pub answer: Vec<u8>,
    /// Its INVITE.
    pub invite: Vec<u8>,
    /// Whether the INVITE has got its final answer.
    pub invite_over: bool,
    /// The last challenge of a step with `auth`.
    pub challenge: Option<Box<Challenge>>,
    seen: [u64; REMEMBERED],
    seen_next: usize,
    /// What is sent again.
    pub resend: Option<Resend>,
    /// When the pause, the waiting or the lingering ends.
    pub wake: Option<Timestamp>,
    /// When each timer began.
    pub timers: Vec<Timestamp>,
    /// The branch of each transaction with a name.
    pub branches: Vec<Vec<u8>>,
    /// How often it went back to an earlier step.
    pub laps: u32,
    /// Its line in each file of fields.
    pub rows: Vec<u32>,
    /// When it was due.
    pub scheduled: Timestamp,
    /// When it began.
    pub began: Timestamp,
    /// Its entry in the wheel.
    pub due: Option<(Timestamp, TimerId)>,
}

impl Call {
    /// A call at its begin.
    pub fn new(peer: SocketAddr, now: Timestamp) -> Self {
        Self {
            serial: 0,
            state: State::Waiting,
            number: 0,
            id: Vec::new(),
            socket: 0,
            peer,
            step: 0,
            cseq: 0,
            variables: Vec::new(),
            last: Vec::new(),
            peer_tag: Vec::new(),
            routes: Vec::new(),
            next_url: Vec::new(),
            sent: Vec::new(),
            answering: None,
            answered: 0,
            answer: Vec::new(),
            invite: Vec::new(),
            invite_over: false,
            challenge: None,
            seen: [0; REMEMBERED],
            seen_next: 0,
            resend: None,
            wake: None,
            timers: Vec::new(),
            branches: Vec::new(),
            laps: 0,
            rows: Vec::new(),
            scheduled: now,
            began: now,
            due: None,
        }
    }

    /// Whether this message has come before.
    pub fn has_seen(&self, hash: u64) -> bool {
        self.seen.contains(&hash)
    }

    /// Remembers a message.
    pub fn remember(&mut self, hash: u64) {
        self.seen[self.seen_next % REMEMBERED] = hash;
        self.seen_next += 1;
    }

    /// Writes the branch of the message of a step.
    ///
    /// # Errors
    /// As the writer has them.
    pub fn write_branch(&self, pid: u32, step: i64, out: &mut Vec<u8>) -> std::io::Result<()> {
        write!(out, "z9hG4bK-{pid}-{}-{step}", self.number)?;
        if self.laps > 0 {
            write!(out, "-{}", self.laps)?;
        }
        Ok(())
    }

    /// The lines of the last message's headers of a name, without the last line end.
    pub fn last_lines(&self, name: &[u8], out: &mut Vec<u8>) {
        let mut first = true;
        for line in headers(&self.last).filter(|line| is_named(line, name)) {
            if !first {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(line);
            first = false;
        }
    }

    /// The value of the last message's first header of a name.
    pub fn last_value(&self, name: &[u8]) -> &[u8] {
        header(&self.last, name, 1).unwrap_or_default()
    }

    /// The Request-URI of the last message.
    pub fn last_uri(&self) -> &[u8] {
        if self.last.starts_with(b"SIP/2.0") {
            return &[];
        }
        self.last
            .split(|byte| *byte == b' ')
            .nth(1)
            .unwrap_or_default()
    }
}

/// The header lines of a message.
fn headers(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip(1)
        .take_while(|line| !line.is_empty())
}

fn is_named(line: &[u8], name: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let known = line[..colon].trim_ascii();
    let same = |other: &[u8]| known.eq_ignore_ascii_case(other);
    same(name) || compact(name).is_some_and(|short| same(&[short]))
}

/// The short form of a header's name (RFC 3261 section 7.3.3).
fn compact(name: &[u8]) -> Option<u8> {
    const FORMS: [(&str, u8); 9] = [
        ("Call-ID", b'i'),
        ("Contact", b'm'),
        ("Content-Encoding", b'e'),
        ("Content-Length", b'l'),
        ("Content-Type", b'c'),
        ("From", b'f'),
        ("Subject", b's'),
        ("To", b't'),
        ("Via", b'v'),
    ];
    let same = |(long, _): &&(&str, u8)| name.eq_ignore_ascii_case(long.as_bytes());
    FORMS.iter().find(same).map(|(_, short)| *short)
}

/// The value of the n-th header of a name, from 1.
pub fn header<'a>(message: &'a [u8], name: &[u8], number: usize) -> Option<&'a [u8]> {
    let mut found = headers(message).filter(|line| is_named(line, name));
    let line = found.nth(number.saturating_sub(1))?;
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some(line[colon + 1..].trim_ascii())
}
