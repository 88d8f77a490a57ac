//! What the witness at the door remembers of what has passed.
//!
//! Owns: transactions as their clients see them, and the requests that the proxy sent.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::key::Key;
use crate::time::Timestamp;

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
    /// When its final answer passed, to whoever asked: to the proxy it is answered from then on.
    pub answered_at: Option<Timestamp>,
}

impl Transaction {
    /// What is known of it after the proxy has forgotten it: where answers may still go.
    pub fn forget(&mut self) {
        *self = Self {
            asked: std::mem::take(&mut self.asked),
            by_stranger: self.by_stranger,
            ..Self::default()
        };
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
