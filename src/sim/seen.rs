//! What the witness at the door remembers of what has passed.
//!
//! Owns: transactions as their clients see them, and the requests that the proxy sent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::key::Key;
use super::licence::Licence;
use crate::time::Timestamp;

/// What is answered may last for so long in parts: a CANCEL of another branch awaits its answer, and
/// that answer's repeats are awaited: 64 T1 each.
const LONGEST: Duration = Duration::from_secs(64);

/// A server transaction of the proxy as its client sees it.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Where its answers go, each address once.
    pub asked: BTreeSet<SocketAddr>,
    /// A stranger sent it, too.
    pub by_stranger: bool,
    /// Where it was sent, each branch once.
    pub forwards: Vec<SocketAddr>,
    /// The final answers, each (code, To tag) once.
    pub finals: Vec<(u16, Vec<u8>)>,
    /// Those that had passed before the proxy forgot it; a 2xx may be repeated all the same.
    pub past: Vec<(u16, Vec<u8>)>,
    /// It had several branches before the proxy forgot it.
    pub was_forked: bool,
    /// It was refused for want of a destination.
    pub refused: bool,
    /// Its request belongs to a dialog.
    pub in_dialog: bool,
    /// Its INVITE is of a call that was known: it goes where that went.
    pub follows: bool,
    /// The caller wants no answer any more, or so it seems.
    pub cancelled: bool,
    /// Its CANCEL was answered with 200.
    pub cancel_accepted: bool,
    /// The proxy itself ended it: it took too long, or could not be delivered.
    pub by_itself: bool,
    /// Without a transaction it went on last: nothing absorbs its repeats.
    pub is_loose: bool,
    /// Without a transaction it went on at some time: nothing keeps the answer to that.
    pub was_loose: bool,
    /// When its final answer passed, to whoever asked: to the proxy it is answered from then on.
    pub answered_at: Option<Timestamp>,
}

impl Transaction {
    /// What is known of it after the proxy has forgotten it: where answers may still go, and which.
    pub fn forget(&mut self) {
        let mut past = std::mem::take(&mut self.past);
        past.append(&mut self.finals);
        *self = Self {
            asked: std::mem::take(&mut self.asked),
            by_stranger: self.by_stranger,
            was_forked: self.is_forked(),
            past,
            ..Self::default()
        };
    }

    /// Whether it was sent to several gateways: each may answer with a 2xx.
    pub fn is_forked(&self) -> bool {
        self.was_forked || self.forwards.len() > 1
    }

    /// Whether the proxy may have forgotten it, since it is answered and its time is over.
    pub fn may_be_forgotten(&self, now: Timestamp, licence: &Licence) -> bool {
        self.answered_at
            .is_some_and(|at| now.since(at) >= licence.wait)
    }

    /// Whether the proxy may know it still: what is over is forgotten somewhat later; a refusal lasts
    /// until its ACK, and other branches until they are over too (timers H and D of RFC 3261).
    pub fn may_be_known(&self, now: Timestamp, licence: &Licence) -> bool {
        let lasts = self.is_forked() || self.finals.iter().any(|(code, _)| *code >= 300);
        let longest = if lasts { LONGEST } else { licence.wait };
        self.answered_at
            .is_none_or(|at| now.since(at) <= longest + licence.lateness)
    }
}

/// A request that the proxy sent, by its branch.
#[derive(Debug)]
pub(super) struct Sent {
    pub to: SocketAddr,
    pub is_invite: bool,
    pub last: Timestamp,
    /// Whose it is, and which of its branches.
    pub transaction: Key,
    pub place: usize,
    /// A provisional answer came.
    pub provisional: bool,
    /// A final answer came, or it could not be delivered.
    pub is_over: bool,
    /// A CANCEL was sent after it.
    pub cancelled: bool,
}
