//! One branch of a stateful request: where it was sent, and what is awaited from there.
//!
//! Owns: the client transactions of the request and of its CANCEL, and how long it may take. What
//! happens to them is in `stateful`, `cancel` and `timers`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::draft::{Patience, Text};
use super::forward::{Head, Hop};
use crate::arena::Bytes;
use crate::dispatch::Destination;
use crate::sip::Method;
use crate::time::Timestamp;
use crate::transaction::ClientTransaction;

/// The branches of a request; nearly always it is one.
pub type Branches = SmallVec<[RelayBranch; 1]>;

/// One branch, ready to be sent.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Where it goes.
    pub hop: Hop,
    /// The destination, if it goes to one.
    pub destination: Option<Arc<Destination>>,
    /// Its Request-URI; `None`: as received.
    pub uri: Option<Text>,
}

/// Why a branch is cancelled, as its CANCEL says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It does not.
    #[default]
    Untold,
    /// Another branch has taken the call.
    Elsewhere,
    /// The request was answered with this code.
    Answer(u16),
    /// The caller says why, or not.
    Caller,
}

impl Cause {
    /// An answer with this code was just sent, or is certain to be.
    pub fn of(code: u16) -> Self {
        match code {
            200 => Self::Elsewhere,
            code => Self::Answer(code),
        }
    }
}

/// One destination that the request was sent to.
#[derive(Debug)]
pub struct RelayBranch {
    /// Where it was sent.
    pub hop: Hop,
    /// The destination, if it was dispatched.
    pub destination: Option<Arc<Destination>>,
    /// How often the destination had been found dead before.
    pub outages: u32,
    /// The client transaction of the request.
    pub client: ClientTransaction,
    /// Whether the next destination was tried instead: its negative answer no longer matters.
    pub abandoned: bool,
    /// Whether a CANCEL goes out as soon as a provisional answer allows it (RFC 3261 section 9.1).
    pub cancel_wanted: bool,
    /// The client transaction of the CANCEL.
    pub cancel: Option<ClientTransaction>,
    /// What that CANCEL says.
    pub cause: Cause,
    /// The request as sent; empty once nobody needs it any more.
    pub sent: Bytes,
    /// What we put on top of it.
    pub head: Head,
    /// When it is given up for taking too long.
    pub timeout_at: Timestamp,
    /// When it is looked whether nothing has come back, or the destination was found dead: then the
    /// next destination is tried, if there is one.
    pub silence_at: Timestamp,
    /// Whether it was given up for taking too long.
    pub timed_out: bool,
    /// The code of its last answer, 0 before.
    pub last_code: u16,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Whether it rang (first provisional above 100 was seen).
    pub rang: bool,
}

impl RelayBranch {
    /// Nothing but the protocol's own timers bounds it from now on.
    pub fn stop_waiting(&mut self) {
        self.timeout_at = Timestamp::FAR;
        self.silence_at = Timestamp::FAR;
    }

    /// A provisional answer came. From now on it is looked whether the destination lives as long as
    /// it rings.
    pub fn wait_on(
        &mut self,
        now: Timestamp,
        method: Method,
        patience: Patience,
        ends_at: Timestamp,
    ) {
        if method == Method::Invite {
            self.timeout_at = now.after(patience.ringing).min(ends_at);
        }
        if self.silence_at != Timestamp::FAR {
            self.silence_at = now.after(patience.silence);
        }
    }

    /// Whether what was sent may have to be repeated, cancelled or acknowledged.
    pub fn needs_request(&self) -> bool {
        self.client.is_pending()
            || self.client.may_acknowledge()
            || self.cancel.is_some_and(|cancel| cancel.is_pending())
    }

    /// Whether keepalives have found its destination dead since it was sent there.
    pub fn has_lost_its_destination(&self) -> bool {
        let destination = self.destination.as_ref();
        destination.is_some_and(|destination| destination.outages() != self.outages)
    }
}
