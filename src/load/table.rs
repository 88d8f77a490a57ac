//! The call table of one shard.

use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;

use super::cell::{Cell, CellId, CellView, Hold, NEVER, NIL, Phase, Side, TagHash, deadline};
use super::expiry::Sweep;
use super::owner::{Ownership, ShardId};
use super::settings::CallLoadSettings;
use crate::arena::{Arena, Bytes};
use crate::chunked::Chunked;
use crate::index::Index;
use crate::rng::Rng;
use crate::time::Timestamp;

/// Call-IDs up to this length have an arena of their own, which the number of cells bounds.
const SHORT_CALL_ID: usize = 128;
/// Longer ones share this much memory for each cell that the table may have, and
const LONG_BYTES_PER_CELL: usize = 64;
/// this much at least.
const LONG_BYTES_MIN: usize = 8 << 20;
/// Ended calls forgotten with each new call, at most: more than one, so that they cannot pile up.
const REAPED_PER_INSERT: usize = 2;

/// Why a call was not taken in. Its hold has been dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// There are as many live calls as the table may hold, or their Call-IDs are too long.
    #[error("the call table is full")]
    Full,
    /// The call (Call-ID and caller's tag) is known.
    #[error("the call is known already")]
    Known(CellId),
}

/// What a 2xx to an INVITE did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It confirmed the call.
    First,
    /// The call was confirmed before; its time begins anew.
    Again,
    /// The callee's BYE had overtaken it: the call is over.
    EndedByBye,
    /// The call had ended or was forgotten: nothing changed.
    Late,
}

/// What a BYE did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByeOutcome {
    /// It is the call's: its answer will end the call, or else the time for that answer.
    Closing,
    /// It came before the 2xx that it belongs to, which will end the call.
    Remembered,
    /// The call had ended before.
    Repeated,
    /// It does not belong to the call, or does not decide: nothing changed.
    Ignored,
}

/// The calls of one shard.
#[derive(Debug)]
pub struct CallTable {
    pub(super) cells: Chunked<Cell>,
    index: Index,
    short_call_ids: Arena,
    long_call_ids: Arena,
    /// The first free cell.
    free: u32,
    /// The ended calls, the longest ended first.
    first_ended: u32,
    last_ended: u32,
    len: usize,
    counted: usize,
    max_cells: usize,
    key_hasher: RandomState,
    tag_hasher: RandomState,
    terms: Terms,
    pub(super) sweep: Sweep,
}

/// How long calls are kept; `None` means for ever.
#[derive(Clone, Copy, Debug)]
struct Terms {
    early: Option<Duration>,
    confirmed: Option<Duration>,
    ended: Option<Duration>,
}

impl CallTable {
    /// The table of `shard`, empty. An expiry time of zero in `settings` means never. An ended call
    /// is kept for `linger`, which should be the 64*T1 for which messages are retransmitted.
    /// `secret` keys the hashes and must be unknown to strangers.
    ///
    /// Of `max_calls` a shard gets the share that its slots are of all slots, rounded up.
    pub fn new(
        settings: &CallLoadSettings,
        ownership: &Ownership,
        shard: ShardId,
        linger: Duration,
        secret: u64,
    ) -> Self {
        let slots = ownership.slots_of(shard);
        let share = u64::from(settings.max_calls) * slots.len() as u64;
        let max_cells = share.div_ceil(u64::from(ownership.slots())) as usize;
        let mut rng = Rng::from_seed(secret);
        let mut hasher = || RandomState::with_seeds(rng.next(), rng.next(), rng.next(), rng.next());
        let term = |span: Duration| (!span.is_zero()).then_some(span);
        Self {
            cells: Chunked::new(),
            index: Index::new(),
            short_call_ids: Arena::new(),
            long_call_ids: Arena::bounded(LONG_BYTES_MIN + max_cells * LONG_BYTES_PER_CELL),
            free: NIL,
            first_ended: NIL,
            last_ended: NIL,
            len: 0,
            counted: 0,
            max_cells,
            key_hasher: hasher(),
            tag_hasher: hasher(),
            terms: Terms {
                early: term(settings.initexpire),
                confirmed: term(settings.expire),
                ended: Some(linger),
            },
            sweep: Sweep::new(slots),
        }
    }

    /// Number of cells, those of ended calls included.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no call.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of calls that are counted on a destination.
    pub const fn counted(&self) -> usize {
        self.counted
    }

    /// Bytes taken from the allocator.
    pub fn bytes(&self) -> usize {
        self.cells.allocated_bytes()
            + self.index.allocated_bytes()
            + self.short_call_ids.allocated_bytes()
            + self.long_call_ids.allocated_bytes()
    }

    /// All calls, in no order that means anything.
    pub fn cells(&self) -> impl Iterator<Item = CellView<'_>> {
        (0..self.cells.len()).filter_map(|index| self.view(index))
    }

    /// What is known of a call; `None` if it was forgotten.
    #[inline]
    pub fn get(&self, cell: CellId) -> Option<CellView<'_>> {
        self.view(self.live(cell)?)
    }

    /// The call that a message belongs to and the end that its request came from: first the call
    /// whose caller has the From tag, then the one whose caller has the To tag. An empty `to_tag` is
    /// none.
    pub fn find(&self, call_id: &[u8], from_tag: &[u8], to_tag: &[u8]) -> Option<(CellId, Side)> {
        if let Some(cell) = self.find_caller(call_id, self.hash_tag(from_tag)) {
            return Some((cell, Side::Caller));
        }
        if to_tag.is_empty() {
            return None;
        }
        let cell = self.find_caller(call_id, self.hash_tag(to_tag))?;
        Some((cell, Side::Callee))
    }

    /// Takes in a new call, early. `cseq` is the number of its INVITE's CSeq. Where the table is full,
    /// the call that ended longest ago makes room.
    pub fn insert(
        &mut self,
        call_id: &[u8],
        caller_tag: &[u8],
        cseq: u32,
        hold: Hold,
        now: Timestamp,
    ) -> Result<CellId, InsertError> {
        let caller_tag = self.hash_tag(caller_tag);
        let hash = self.hash_key(call_id, caller_tag);
        if let Some(known) = self.find_hashed(hash, call_id, caller_tag) {
            return Err(InsertError::Known(known));
        }
        for _ in 0..REAPED_PER_INSERT {
            self.reap_ended(now);
        }
        if self.len >= self.max_cells {
            if self.first_ended == NIL {
                return Err(InsertError::Full);
            }
            self.forget(self.first_ended);
        }
        let text = self.store(call_id).ok_or(InsertError::Full)?;
        let index = if self.free == NIL {
            self.cells.len()
        } else {
            self.free
        };
        if self.index.insert(hash, index).is_err() {
            self.call_ids(text).free(text);
            return Err(InsertError::Full);
        }
        let cell = Cell {
            hash,
            generation: 0,
            caller_tag,
            callee_tag: None,
            call_id: text,
            cseq,
            deadline: deadline(now, self.terms.early),
            since: now.as_secs() as u32,
            previous: NIL,
            next: NIL,
            phase: Phase::Early,
            is_stateless: false,
            hold: Some(hold),
        };
        self.counted += usize::from(cell.is_counted());
        self.len += 1;
        Ok(self.occupy(index, cell))
    }

    /// A 2xx to the call's INVITE came, with this To tag. The first confirms the call; each keeps it
    /// for `ds_hash_expire` from `now`.
    pub fn confirm(&mut self, cell: CellId, callee_tag: &[u8], now: Timestamp) -> Confirmation {
        let tag = self.hash_tag(callee_tag);
        let Some(index) = self.live(cell) else {
            return Confirmation::Late;
        };
        match self.cells[index].phase {
            Phase::Ended => Confirmation::Late,
            Phase::Confirmed | Phase::Closing => {
                self.refresh(cell, now);
                Confirmation::Again
            }
            Phase::Early if self.cells[index].callee_tag == Some(tag) => {
                self.conclude(index, now);
                Confirmation::EndedByBye
            }
            Phase::Early => {
                let cell = &mut self.cells[index];
                cell.callee_tag = Some(tag);
                cell.phase = Phase::Confirmed;
                cell.deadline = deadline(now, self.terms.confirmed);
                Confirmation::First
            }
        }
    }

    /// A 2xx to a re-INVITE or UPDATE came: a confirmed call is kept for `ds_hash_expire` from `now`.
    pub fn refresh(&mut self, cell: CellId, now: Timestamp) {
        if let Some(index) = self.live(cell)
            && self.cells[index].phase == Phase::Confirmed
        {
            self.cells[index].deadline = deadline(now, self.terms.confirmed);
        }
    }

    /// The call is over, for example by a final failure: it counts no longer and is kept for the
    /// linger time. False if it had ended or was forgotten.
    pub fn end(&mut self, cell: CellId, now: Timestamp) -> bool {
        match self.live(cell) {
            Some(index) if self.cells[index].phase != Phase::Ended => {
                self.conclude(index, now);
                true
            }
            _ => false,
        }
    }

    /// A BYE came from one end of the call. If both its tags are the call's, a confirmed call is now
    /// closing: it counts until the BYE is answered ([`CallTable::bye_answered`]), since the gateway
    /// has the call until the BYE reaches it, and no longer than the linger time.
    ///
    /// Before the 2xx, a BYE from the callee can only have overtaken it: it is remembered, and that
    /// 2xx will end the call. One from the caller does not decide, the answer to the INVITE does.
    pub fn bye(
        &mut self,
        cell: CellId,
        side: Side,
        from_tag: &[u8],
        to_tag: &[u8],
        now: Timestamp,
    ) -> ByeOutcome {
        let Some(index) = self.live(cell) else {
            return ByeOutcome::Ignored;
        };
        let (caller, callee) = match side {
            Side::Caller => (from_tag, to_tag),
            Side::Callee => (to_tag, from_tag),
        };
        let (caller, callee) = (self.hash_tag(caller), self.hash_tag(callee));
        let cell = &mut self.cells[index];
        if cell.caller_tag != caller {
            return ByeOutcome::Ignored;
        }
        match (cell.phase, side) {
            (Phase::Early, Side::Callee) => {
                cell.callee_tag = Some(callee);
                ByeOutcome::Remembered
            }
            (Phase::Confirmed, _) if cell.callee_tag == Some(callee) => {
                cell.phase = Phase::Closing;
                cell.deadline = cell.deadline.min(deadline(now, self.terms.ended));
                ByeOutcome::Closing
            }
            (Phase::Closing, _) if cell.callee_tag == Some(callee) => ByeOutcome::Closing,
            (Phase::Ended, _) => ByeOutcome::Repeated,
            _ => ByeOutcome::Ignored,
        }
    }

    /// The BYE with these tags got a final answer. It ends a closing call; a challenge (401, 407) does
    /// not, the call goes on until the BYE is sent with credentials (RFC 3261 section 15.1.1).
    pub fn bye_answered(
        &mut self,
        cell: CellId,
        side: Side,
        from_tag: &[u8],
        to_tag: &[u8],
        challenged: bool,
        now: Timestamp,
    ) -> bool {
        let Some(index) = self.live(cell) else {
            return false;
        };
        let callee = match side {
            Side::Caller => to_tag,
            Side::Callee => from_tag,
        };
        let callee = self.hash_tag(callee);
        let cell = &mut self.cells[index];
        if cell.phase != Phase::Closing || cell.callee_tag != Some(callee) {
            return false;
        }
        if challenged {
            cell.phase = Phase::Confirmed;
            cell.deadline = deadline(now, self.terms.confirmed);
            return false;
        }
        self.conclude(index, now);
        true
    }

    /// The call goes elsewhere from now on (failover); what it counted is released. False, and `hold`
    /// is dropped, if the call has ended or was forgotten.
    pub fn move_to(&mut self, cell: CellId, hold: Hold) -> bool {
        match self.live(cell) {
            Some(index) if self.cells[index].phase != Phase::Ended => {
                self.replace_hold(index, hold);
                true
            }
            _ => false,
        }
    }

    /// A newer INVITE of an early call was sent after the first, with this CSeq (RFC 3578 section 3.2):
    /// from now on its answer decides.
    pub fn follow(&mut self, cell: CellId, cseq: u32) -> bool {
        match self.live(cell) {
            Some(index) if self.cells[index].phase == Phase::Early => {
                self.cells[index].cseq = cseq.max(self.cells[index].cseq);
                true
            }
            _ => false,
        }
    }

    /// Notes whether the INVITE of the call was relayed without a transaction.
    pub fn set_stateless(&mut self, cell: CellId, is_stateless: bool) {
        if let Some(index) = self.live(cell) {
            self.cells[index].is_stateless = is_stateless;
        }
    }

    /// An ended call is tried anew with a higher CSeq (as after a 407): it is early again. False, and
    /// `hold` is dropped, if the call has not ended or was forgotten.
    pub fn revive(&mut self, cell: CellId, cseq: u32, hold: Hold, now: Timestamp) -> bool {
        match self.live(cell) {
            Some(index) if self.cells[index].phase == Phase::Ended => {
                self.leave_ended(index);
                self.replace_hold(index, hold);
                let cell = &mut self.cells[index];
                cell.phase = Phase::Early;
                cell.callee_tag = None;
                cell.cseq = cseq;
                cell.since = now.as_secs() as u32;
                cell.deadline = deadline(now, self.terms.early);
                true
            }
            _ => false,
        }
    }

    /// What the cell of this number says, unless it is free.
    // Nobody asks for all that it says: in line, the rest is not made.
    #[inline]
    pub(super) fn view(&self, index: u32) -> Option<CellView<'_>> {
        let cell = &self.cells[index];
        let hold = cell.hold.as_ref()?;
        Some(CellView {
            id: CellId {
                index,
                generation: cell.generation,
            },
            call_id: (self, cell.call_id),
            cseq: cell.cseq,
            phase: cell.phase,
            destination: hold.destination(),
            counted: hold.is_counted(),
            answered: cell.callee_tag.is_some(),
            is_stateless: cell.is_stateless,
            since_seconds: cell.since,
            until_seconds: (cell.deadline != NEVER).then_some(cell.deadline),
        })
    }

    /// Forgets the call that ended longest ago if its linger time is over.
    pub(super) fn reap_ended(&mut self, now: Timestamp) -> bool {
        let index = self.first_ended;
        if index == NIL || !self.cells[index].is_due(now) {
            return false;
        }
        self.forget(index);
        true
    }

    /// Frees a cell and all that it holds.
    pub(super) fn forget(&mut self, index: u32) {
        if self.cells[index].phase == Phase::Ended {
            self.leave_ended(index);
        }
        let cell = &mut self.cells[index];
        self.counted -= usize::from(cell.is_counted());
        cell.hold = None;
        cell.generation = cell.generation.wrapping_add(1);
        cell.next = self.free;
        let (hash, text) = (cell.hash, cell.call_id);
        self.free = index;
        self.len -= 1;
        let was_there = self.index.remove(hash, index);
        debug_assert!(was_there, "a cell in use is in the index");
        self.call_ids(text).free(text);
    }

    /// The number of a cell, if its name still fits.
    fn live(&self, cell: CellId) -> Option<u32> {
        let fits =
            cell.index < self.cells.len() && self.cells[cell.index].generation == cell.generation;
        fits.then_some(cell.index)
    }

    fn find_caller(&self, call_id: &[u8], caller_tag: TagHash) -> Option<CellId> {
        self.find_hashed(self.hash_key(call_id, caller_tag), call_id, caller_tag)
    }

    fn find_hashed(&self, hash: u32, call_id: &[u8], caller_tag: TagHash) -> Option<CellId> {
        let index = self.index.find(hash, |index| {
            let cell = &self.cells[index];
            cell.caller_tag == caller_tag
                && cell.call_id.len() == call_id.len()
                && self.text(cell.call_id) == call_id
        })?;
        Some(CellId {
            index,
            generation: self.cells[index].generation,
        })
    }

    /// Puts a cell in its place: the next new one, or the first free one.
    fn occupy(&mut self, index: u32, mut cell: Cell) -> CellId {
        if index == self.cells.len() {
            self.cells.push(cell);
        } else {
            let place = &mut self.cells[index];
            self.free = place.next;
            cell.generation = place.generation;
            *place = cell;
        }
        CellId {
            index,
            generation: self.cells[index].generation,
        }
    }

    /// Ends a call that has not ended.
    fn conclude(&mut self, index: u32, now: Timestamp) {
        let cell = &self.cells[index];
        let hold = cell.hold.as_ref().expect("a live cell has a hold");
        let pinned = Hold::Pinned(Arc::clone(hold.destination()));
        self.replace_hold(index, pinned);
        let last = self.last_ended;
        let cell = &mut self.cells[index];
        cell.phase = Phase::Ended;
        cell.deadline = deadline(now, self.terms.ended);
        cell.previous = last;
        cell.next = NIL;
        self.last_ended = index;
        if last == NIL {
            self.first_ended = index;
        } else {
            self.cells[last].next = index;
        }
    }

    /// Takes a cell out of the queue of ended calls.
    fn leave_ended(&mut self, index: u32) {
        let (previous, next) = (self.cells[index].previous, self.cells[index].next);
        if previous == NIL {
            self.first_ended = next;
        } else {
            self.cells[previous].next = next;
        }
        if next == NIL {
            self.last_ended = previous;
        } else {
            self.cells[next].previous = previous;
        }
    }

    /// Replaces what ties a call to its destination; what it counted before is released.
    fn replace_hold(&mut self, index: u32, hold: Hold) {
        let cell = &mut self.cells[index];
        self.counted -= usize::from(cell.is_counted());
        cell.hold = Some(hold);
        self.counted += usize::from(cell.is_counted());
    }

    fn store(&mut self, call_id: &[u8]) -> Option<Bytes> {
        if call_id.len() > SHORT_CALL_ID {
            self.long_call_ids.try_store(call_id)
        } else {
            self.short_call_ids.try_store(call_id)
        }
    }

    pub(super) fn text(&self, call_id: Bytes) -> &[u8] {
        if call_id.len() > SHORT_CALL_ID {
            self.long_call_ids.get(call_id)
        } else {
            self.short_call_ids.get(call_id)
        }
    }

    /// The arena that a Call-ID is kept in.
    fn call_ids(&mut self, call_id: Bytes) -> &mut Arena {
        if call_id.len() > SHORT_CALL_ID {
            &mut self.long_call_ids
        } else {
            &mut self.short_call_ids
        }
    }

    fn hash_tag(&self, tag: &[u8]) -> TagHash {
        let mut hasher = self.tag_hasher.build_hasher();
        hasher.write(tag);
        NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MAX)
    }

    /// The caller's tag goes into the hash, so that one Call-ID with very many tags stays quick.
    fn hash_key(&self, call_id: &[u8], caller_tag: TagHash) -> u32 {
        let mut hasher = self.key_hasher.build_hasher();
        hasher.write(call_id);
        hasher.write_u64(caller_tag.get());
        (hasher.finish() >> 32) as u32
    }
}
