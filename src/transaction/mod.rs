//! The transaction layer: RFC 3261 section 17 with RFC 6026, as machines that only decide.
//!
//! Owns: states, keys and timers, and what is left of those that are answered. May touch: nothing; what to send is the proxy's business.

pub mod answered;
pub mod client;
pub mod key;
pub mod server;
pub mod timers;
pub mod wheel;

pub use answered::{Answered, AnsweredQueue, KeptAnswer};
pub use client::{ClientEvent, ClientTransaction, ReplyAction};
pub use key::{KeyMaker, TransactionKey};
pub use server::{AckAction, RepeatAction, ServerEvent, ServerTransaction};
pub use timers::Timers;

use crate::sip::Method;

/// The two kinds of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// INVITE: three-way, with provisional answers and an ACK.
    Invite,
    /// Every other method.
    NonInvite,
}

impl Kind {
    /// That of a method.
    pub fn of(method: Method) -> Self {
        if method == Method::Invite {
            Self::Invite
        } else {
            Self::NonInvite
        }
    }
}
