//! One branch of a stateful request: where it was sent, and what is awaited from there.
//!
//! Owns: the client transactions of the request and of its CANCEL, and how long it may take. What
//! happens to them is in `stateful`, `cancel` and `timers`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::act::Leg;
use super::cancel::Cause;
use super::context::Context;
use super::draft::Patience;
use super::forward::{Head, Hop};
use super::settings::Timers;
use crate::arena::Bytes;
use crate::dispatch::Destination;
use crate::sip::Method;
use crate::time::Timestamp;
use crate::transaction::{ClientTransaction, Kind};

/// The branches of a request; nearly always it is one.
pub type Branches = SmallVec<[RelayBranch; 1]>;

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
    /// A branch whose request was just sent.
    pub fn start(
        context: &Context,
        leg: Leg,
        sent: Bytes,
        head: Head,
        now: Timestamp,
        timers: &Timers,
    ) -> Self {
        Self {
            hop: leg.hop,
            outages: leg.destination.as_ref().map_or(0, |one| one.outages()),
            destination: leg.destination,
            client: ClientTransaction::start(Kind::of(context.method), now, timers),
            abandoned: false,
            cancel_wanted: false,
            cancel: None,
            cause: Cause::Untold,
            sent,
            head,
            timeout_at: now.after(context.patience.answer).min(context.ends_at()),
            silence_at: now.after(context.patience.silence),
            timed_out: false,
            last_code: 0,
            sent_at: now,
            rang: false,
        }
    }

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
