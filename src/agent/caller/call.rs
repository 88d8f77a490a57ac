//! One call of a caller, and the slab that holds them.

use std::net::SocketAddr;

use crate::agent::alarm::{Alarms, Due, Retry};
use crate::agent::dialog::Dialog;
use crate::agent::token::Place;
use crate::chunked::Chunked;
use crate::proxy::SocketId;
use crate::time::Timestamp;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The slot is not in use.
    Free,
    /// The INVITE is out, nothing has come back.
    Calling,
    /// A provisional answer has come.
    Proceeding,
    /// A CANCEL is out; the INVITE's final answer is awaited.
    Cancelling,
    /// Answered and acknowledged.
    Answered,
    /// Answered; a re-INVITE is out.
    Reinviting,
    /// A BYE is out.
    Ending,
    /// A second gateway's leg that has ended: knows its repeated answers.
    Lingering,
}

/// Why a call was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CancelCause {
    /// It was not.
    None,
    /// It was to be.
    Chosen,
    /// It rang too long.
    RangTooLong,
}

/// What came of the gateway's BYE before or while ours was out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerBye {
    /// None has come, and none had to.
    NotSeen,
    /// It should have come and did not, so we hang up.
    Missing,
    /// It came while ours was out.
    Crossed,
}

/// One call, or a second gateway's leg of one.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub serial: u32,
    pub phase: Phase,
    pub cancel: CancelCause,
    pub cancel_answered: bool,
    pub rang: bool,
    /// A second gateway's leg: it is no call of the statistics.
    pub is_fork: bool,
    pub peer_bye: PeerBye,
    pub socket: SocketId,
    /// The token in the Call-ID; a fork has that of the call that it belongs to.
    pub name: u64,
    /// The number of the last request but CANCEL and ACK.
    pub cseq: u32,
    /// When it was due by the schedule.
    pub scheduled: Timestamp,
    /// When its INVITE was first sent.
    pub sent: Timestamp,
    /// When a call that is not answered is cancelled.
    pub cancel_at: Timestamp,
    /// When an answered call is ended.
    pub hang_up_at: Timestamp,
    /// When the BYE was first sent.
    pub bye_sent: Timestamp,
    pub retry: Retry,
    pub due: Due,
    pub dialog: Dialog,
}

/// All calls of a caller. Slots are used again, the last freed first: its memory is warm.
#[derive(Debug)]
pub(super) struct Calls {
    slots: Chunked<Call>,
    free: Vec<u32>,
    next_serial: u32,
}

impl Calls {
    pub fn new() -> Self {
        Self {
            slots: Chunked::new(),
            free: Vec::new(),
            next_serial: 1,
        }
    }

    /// How many slots there are, in use and free.
    pub fn capacity(&self) -> usize {
        self.slots.len() as usize
    }

    /// A fresh call in state [`Phase::Calling`].
    pub fn allocate(&mut self, now: Timestamp, next_hop: SocketAddr) -> Place {
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        if let Some(slot) = self.free.pop() {
            let used = &mut self.slots[slot];
            let dialog = std::mem::replace(&mut used.dialog, Dialog::new(next_hop));
            *used = Call::new(serial, now, dialog);
            return Place { slot, serial };
        }
        let call = Call::new(serial, now, Dialog::new(next_hop));
        Place {
            slot: self.slots.push(call),
            serial,
        }
    }

    /// Gives a slot back.
    pub fn release(&mut self, place: Place, alarms: &mut Alarms) {
        if let Some(call) = self.get_mut(place) {
            call.phase = Phase::Free;
            alarms.disarm(&mut call.due);
            self.free.push(place.slot);
        }
    }

    /// The call at `place`, if it still lives.
    pub fn get_mut(&mut self, place: Place) -> Option<&mut Call> {
        if place.slot >= self.slots.len() {
            return None;
        }
        let call = &mut self.slots[place.slot];
        (call.serial == place.serial && call.phase != Phase::Free).then_some(call)
    }

    /// Where the calls are that live now.
    pub fn live(&self) -> Vec<Place> {
        let live = (0..).zip(self.slots.iter());
        live.filter(|(_, call)| call.phase != Phase::Free)
            .map(|(slot, call)| Place {
                slot,
                serial: call.serial,
            })
            .collect()
    }

    /// Whether `place` is that of a call which is over. (After four thousand million calls the serial
    /// begins anew, and one may be taken for a call that is to come.)
    pub fn is_past(&self, place: Place) -> bool {
        place.slot < self.slots.len()
            && place.serial != 0
            && place.serial <= self.slots[place.slot].serial
    }
}

impl Call {
    fn new(serial: u32, now: Timestamp, dialog: Dialog) -> Self {
        Self {
            serial,
            phase: Phase::Calling,
            cancel: CancelCause::None,
            cancel_answered: false,
            rang: false,
            is_fork: false,
            peer_bye: PeerBye::NotSeen,
            socket: 0,
            name: 0,
            cseq: 1,
            scheduled: now,
            sent: now,
            cancel_at: Timestamp::FAR,
            hang_up_at: Timestamp::FAR,
            bye_sent: Timestamp::FAR,
            retry: Retry::new(now, std::time::Duration::ZERO),
            due: Due::NEVER,
            dialog,
        }
    }
}
