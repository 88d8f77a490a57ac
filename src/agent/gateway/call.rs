//! One call of a gateway, and the slab and index that hold them.

use std::net::SocketAddr;

use hashbrown::HashTable;

use super::config::Fate;
use crate::agent::alarm::{Due, Retry};
use crate::agent::token::Place;
use crate::chunked::Chunked;
use crate::time::Timestamp;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The slot is not in use.
    Free,
    /// To be rung.
    Trying,
    /// To be answered, or left ringing.
    Ringing,
    /// Answered by 200, which is sent until the ACK comes.
    Accepted,
    /// Acknowledged.
    Confirmed,
    /// Refused; the refusal is sent until the ACK comes.
    Rejected,
    /// Our BYE is out.
    Ending,
    /// Over, or never to be answered: knows what is sent again.
    Over,
}

/// One call. All of its text lies in `buffer`, which goes to the next call when this one is over.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub serial: u32,
    pub phase: Phase,
    pub fate: Fate,
    /// The final answer to the INVITE, once sent.
    pub code: u16,
    pub acked: bool,
    /// A re-INVITE waits for its ACK.
    pub reinviting: bool,
    /// The hash of the INVITE's transaction.
    pub key: u64,
    /// The hash of Call-ID and caller's tag.
    pub dialog: u64,
    /// CSeq number of the caller's last INVITE or BYE.
    pub cseq: u32,
    /// Index of its record, if records are kept.
    pub record: u32,
    /// Where answers to the INVITE go.
    pub reply_to: SocketAddr,
    /// When we hang up.
    pub hang_up_at: Timestamp,
    pub retry: Retry,
    pub due: Due,
    /// The lines Contact and Record-Route of the first INVITE, then what all answers to the last INVITE
    /// have in common; or our BYE; or nothing, when neither is needed again.
    pub buffer: Vec<u8>,
    /// Where the answers' common part begins.
    pub head: u32,
}

impl Call {
    /// A call that has just come.
    pub fn new(now: Timestamp, key: u64, dialog: u64, reply_to: SocketAddr) -> Self {
        Self {
            serial: 0,
            phase: Phase::Trying,
            fate: Fate::Answer,
            code: 0,
            acked: false,
            reinviting: false,
            key,
            dialog,
            cseq: 0,
            record: u32::MAX,
            reply_to,
            hang_up_at: Timestamp::FAR,
            retry: Retry::new(now, std::time::Duration::ZERO),
            due: Due::NEVER,
            buffer: Vec::new(),
            head: 0,
        }
    }
}

/// A power of two.
const TABLES: usize = 64;

/// Which table a key is in: by bits that the table itself does not look at first.
fn table_of(key: u64) -> usize {
    (key >> 32) as usize & (TABLES - 1)
}

/// All calls of a gateway, and where to find them by the transaction of their INVITE.
#[derive(Debug)]
pub(super) struct Calls {
    slots: Chunked<Call>,
    free: Vec<u32>,
    /// Key and slot, in many small tables: one that grows holds up the traffic only for a moment.
    by_key: [HashTable<(u64, u32)>; TABLES],
    buffers: Vec<Vec<u8>>,
    next_serial: u32,
}

impl Calls {
    pub fn new() -> Self {
        Self {
            slots: Chunked::new(),
            free: Vec::new(),
            by_key: [const { HashTable::new() }; TABLES],
            buffers: Vec::new(),
            next_serial: 1,
        }
    }

    /// How many there are, living and over.
    pub fn len(&self) -> usize {
        self.slots.len() as usize - self.free.len()
    }

    /// Takes a call in.
    pub fn insert(&mut self, mut call: Call) -> Place {
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        let key = call.key;
        call.serial = serial;
        call.buffer = self.buffers.pop().unwrap_or_default();
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = call;
            slot
        } else {
            self.slots.push(call)
        };
        self.by_key[table_of(key)].insert_unique(key, (key, slot), |(key, _)| *key);
        Place { slot, serial }
    }

    /// The call whose INVITE has this transaction.
    pub fn find(&self, key: u64) -> Option<Place> {
        let (_, slot) = *self.by_key[table_of(key)].find(key, |(other, _)| *other == key)?;
        Some(Place {
            slot,
            serial: self.slots[slot].serial,
        })
    }

    /// The call at `place`, if it is still remembered.
    pub fn get_mut(&mut self, place: Place) -> Option<&mut Call> {
        if place.slot >= self.slots.len() {
            return None;
        }
        let call = &mut self.slots[place.slot];
        (call.serial == place.serial && call.phase != Phase::Free).then_some(call)
    }

    /// Takes the text of a call that is over for the next one.
    pub fn release_buffer(&mut self, place: Place) {
        if let Some(call) = self.get_mut(place) {
            let mut buffer = std::mem::take(&mut call.buffer);
            if buffer.capacity() > 0 {
                buffer.clear();
                self.buffers.push(buffer);
            }
        }
    }

    /// Forgets a call whose text has been released.
    pub fn remove(&mut self, place: Place) {
        let Some(call) = self.get_mut(place) else {
            return;
        };
        call.phase = Phase::Free;
        let key = call.key;
        let table = &mut self.by_key[table_of(key)];
        if let Ok(entry) = table.find_entry(key, |(_, slot)| *slot == place.slot) {
            entry.remove();
        }
        self.free.push(place.slot);
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        let serial = self.next_serial;
        *self = Self {
            next_serial: serial,
            ..Self::new()
        };
    }
}
