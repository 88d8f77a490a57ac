//! One call in the table.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::table::CallTable;
use crate::arena::Bytes;
use crate::dispatch::{Destination, Reservation};
use crate::time::Timestamp;

/// No cell.
pub(super) const NIL: u32 = u32::MAX;
/// A deadline that never comes.
pub(super) const NEVER: u32 = u32::MAX;

/// Names a cell. It fits no longer once the table has forgotten the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The INVITE has no 2xx yet.
    Early,
    /// A 2xx has come.
    Confirmed,
    /// A BYE of the call is on its way; it counts until that is answered.
    Closing,
    /// It is over and not counted; kept for a while so that what is retransmitted finds its way.
    Ended,
}

/// Which end of a call sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that sent the INVITE: its tag was the From tag.
    Caller,
    /// The other.
    Callee,
}

/// What ties a call to its destination.
#[derive(Debug)]
pub enum Hold {
    /// The call is counted on the destination; dropping this counts it down.
    Counted(Reservation),
    /// The call goes there and is not counted: the algorithm does not account, or the call is over.
    Pinned(Arc<Destination>),
}

impl Hold {
    /// Where the call goes.
    pub fn destination(&self) -> &Arc<Destination> {
        match self {
            Self::Counted(reservation) => reservation.destination(),
            Self::Pinned(destination) => destination,
        }
    }

    /// Whether it counts.
    pub const fn is_counted(&self) -> bool {
        matches!(self, Self::Counted(_))
    }
}

/// The keyed hash of a tag; the tag itself is not kept.
pub(super) type TagHash = NonZeroU64;

/// One call. 72 bytes: a million of them is what the table is built for.
#[derive(Debug)]
pub(super) struct Cell {
    /// The upper half of the keyed hash of (Call-ID, caller's tag), for the index.
    pub(super) hash: u32,
    /// Counted up whenever the cell is freed, so that an old [`CellId`] does not fit any more.
    pub(super) generation: u32,
    pub(super) caller_tag: TagHash,
    /// The tag of the 2xx; or, in an early call, that of the BYE which came before it.
    pub(super) callee_tag: Option<TagHash>,
    pub(super) call_id: Bytes,
    /// `None` in a free cell.
    pub(super) hold: Option<Hold>,
    /// Number of the INVITE's CSeq.
    pub(super) cseq: u32,
    /// When it is to be forgotten, in whole seconds.
    pub(super) deadline: u32,
    /// When its INVITE came, in whole seconds.
    pub(super) since: u32,
    /// Neighbours in the queue of ended calls; `next` also links free cells.
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) phase: Phase,
    pub(super) is_stateless: bool,
}

/// What a cell says, for whoever looks.
#[derive(Clone, Copy)]
pub struct CellView<'a> {
    /// Its name.
    pub id: CellId,
    /// The Call-ID, and where it is kept: few ask for it, and it lies far away.
    pub(super) call_id: (&'a CallTable, Bytes),
    /// Number of the INVITE's CSeq.
    pub cseq: u32,
    /// How far the call has come.
    pub phase: Phase,
    /// Where it goes.
    pub destination: &'a Arc<Destination>,
    /// Whether it is counted on the destination.
    pub counted: bool,
    /// Whether a 2xx to its INVITE has come (or the callee's BYE, which can only have overtaken it).
    pub answered: bool,
    /// Whether its INVITE was relayed without a transaction, so that repeats of it are not absorbed.
    pub is_stateless: bool,
    /// When its INVITE came, in whole seconds since the shell's origin.
    pub since_seconds: u32,
    /// When it will be forgotten, likewise; `None` if never.
    pub until_seconds: Option<u32>,
}

impl<'a> CellView<'a> {
    /// The Call-ID.
    pub fn call_id(&self) -> &'a [u8] {
        let (table, text) = self.call_id;
        table.text(text)
    }

    /// How long ago its INVITE came.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(Timestamp::from_secs(u64::from(self.since_seconds)))
    }
}

/// The whole second, not before `span` from `now`, at which a call is to be forgotten; `None` for
/// `span` means never.
pub(super) fn deadline(now: Timestamp, span: Option<Duration>) -> u32 {
    let Some(span) = span else { return NEVER };
    let seconds = (now + span).as_nanos().div_ceil(1_000_000_000);
    u32::try_from(seconds).unwrap_or(NEVER)
}

impl Cell {
    pub(super) fn is_counted(&self) -> bool {
        self.hold.as_ref().is_some_and(Hold::is_counted)
    }

    /// Whether its time is over.
    pub(super) const fn is_due(&self, now: Timestamp) -> bool {
        self.deadline != NEVER && now.as_secs() >= self.deadline as u64
    }
}
