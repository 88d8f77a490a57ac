//! Forgetting calls whose time is over, a slice at a time.
//!
//! Slices are named by slots, because that is what the timer thread hands out, and each of a shard's
//! slots stands for an equal share of its *cells*: the cell with number n belongs to the n-th slot,
//! counted around the shard's slots. A cell's number never changes, so a round over all slots looks
//! at every cell exactly once, even while the table grows. (The slot of the Call-ID would do as well
//! but would cost each cell a link in its slot's list, and a scan one cache miss for each cell; this
//! way the scan reads memory in order, and a million cells take a few milliseconds, cut into as many
//! pieces as the caller wants.)
//!
//! Ended calls stand in a queue by the time of their end and are forgotten from its head.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::cell::CellView;
use super::table::CallTable;
use crate::time::Timestamp;

/// Slices that may wait; when more come, everything is scanned.
const MAX_WAITING: usize = 8;

/// Whether the slots that were asked for are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every cell of them was looked at.
    Done,
    /// The budget was used up: call again.
    More,
}

/// Which cells are still to be looked at.
#[derive(Debug)]
pub(super) struct Sweep {
    /// The shard's slots.
    slots: Range<u32>,
    /// Ranges of slots, counted from the shard's first, that wait to be scanned.
    waiting: ArrayVec<Range<u32>, MAX_WAITING>,
    /// In the first of them: the number of the cell at the shard's first slot in this turn,
    turn: u32,
    /// and the slot to look at next.
    slot: u32,
}

impl Sweep {
    pub(super) const fn new(slots: Range<u32>) -> Self {
        Self {
            slots,
            waiting: ArrayVec::new_const(),
            turn: 0,
            slot: 0,
        }
    }

    fn add(&mut self, slots: &Range<u32>) {
        let width = self.slots.end - self.slots.start;
        let start = slots.start.saturating_sub(self.slots.start);
        let end = slots.end.saturating_sub(self.slots.start).min(width);
        if start >= end {
            return;
        }
        // The first may be half done: a longer one would miss cells of its earlier turns.
        if let [_, .., last] = &mut self.waiting[..]
            && last.end == start
        {
            last.end = end;
        } else if self.waiting.is_full() {
            // A scan of everything that has begun goes on, so that it comes to its end.
            let begun = self.waiting.first() == Some(&(0..width));
            self.waiting.truncate(usize::from(begun));
            self.begin(0..width);
        } else {
            self.begin(start..end);
        }
    }

    /// Appends a range; the position is set if it is the first.
    fn begin(&mut self, range: Range<u32>) {
        if self.waiting.is_empty() {
            self.turn = 0;
            self.slot = range.start;
        }
        self.waiting.push(range);
    }

    /// The number of the next cell to look at in a table of `cells`; `None` when all is done.
    fn next(&mut self, cells: u32) -> Option<u32> {
        let width = self.slots.end - self.slots.start;
        loop {
            let range = self.waiting.first()?;
            if self.slot == range.end {
                self.slot = range.start;
                self.turn = self.turn.saturating_add(width);
            }
            let cell = self.turn.saturating_add(self.slot);
            if cell < cells {
                self.slot += 1;
                return Some(cell);
            }
            // What lies behind this cell lies behind the table's end too.
            self.waiting.remove(0);
            self.turn = 0;
            self.slot = self.waiting.first().map_or(0, |range| range.start);
        }
    }
}

impl CallTable {
    /// Asks for `slots` (of this shard's own; others are passed over) to be scanned by
    /// [`CallTable::expire`], after those that were asked for before.
    pub fn schedule_expiry(&mut self, slots: Range<u32>) {
        self.sweep.add(&slots);
    }

    /// Looks at up to `budget` cells of the slots that were asked for and forgets the calls whose time
    /// is over, each after `on_expired` has seen it. Ended calls that have lingered are forgotten
    /// first and silently; they use the budget too.
    pub fn expire(
        &mut self,
        now: Timestamp,
        budget: usize,
        mut on_expired: impl FnMut(CellView<'_>),
    ) -> Progress {
        for _ in 0..budget {
            if self.reap_ended(now) {
                continue;
            }
            let Some(index) = self.sweep.next(self.cells.len()) else {
                return Progress::Done;
            };
            if self.cells[index].is_due(now)
                && let Some(view) = self.view(index)
            {
                on_expired(view);
                self.forget(index);
            }
        }
        Progress::More
    }

    /// [`CallTable::schedule_expiry`] and [`CallTable::expire`] in one.
    pub fn expire_slots(
        &mut self,
        now: Timestamp,
        slots: Range<u32>,
        budget: usize,
        on_expired: impl FnMut(CellView<'_>),
    ) -> Progress {
        self.schedule_expiry(slots);
        self.expire(now, budget, on_expired)
    }
}
