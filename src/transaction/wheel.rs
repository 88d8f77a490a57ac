//! The timer wheel: any number of timers, each armed, cancelled and fired in constant time.
//!
//! Owns: the timers of one shard. May touch: memory only; time is handed in.
//!
//! Time is cut into ticks of one millisecond. Four levels of 256 slots cover 2^32 ticks (49 days);
//! what lies further ahead waits in an overflow list. A timer hangs at the level of the highest
//! byte in which its tick differs from the wheel's, and moves down when the wheel reaches its slot.
//! Three things follow: everything at a level is due before everything at the level above, so the
//! first bit set in the lowest occupied level is the next slot to visit and empty time costs
//! nothing; a timer moves at most four times; and timers of one tick keep the order in which they
//! were armed, since a slot is moved down before anything can be armed below it.

use crate::chunked::Chunked;
use crate::time::Timestamp;

const TICK_NANOS: u64 = 1_000_000;
const LEVELS: usize = 4;
/// log2 of the slots in a level.
const LEVEL_BITS: usize = 8;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Words of a level's bitmap.
const WORDS: usize = SLOTS / 64;
/// The list of timers beyond the top level.
const OVERFLOW: usize = LEVELS * SLOTS;
/// No node.
const NIL: u32 = u32::MAX;

/// Names one armed timer. It is worth nothing once the timer has fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node<T> {
    item: T,
    tick: u64,
    previous: u32,
    /// The next node of its list, or of the free list.
    next: u32,
    /// Counted up whenever the node is freed, so that an old [`TimerId`] does not fit any more.
    generation: u32,
    list: u16,
}

/// A list of nodes, in the order in which they were armed.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List {
    first: NIL,
    last: NIL,
};

/// Timers, each with an item that comes back when it fires. A wheel that has once held as many
/// timers as it holds at most never allocates again.
#[derive(Debug)]
pub struct Wheel<T> {
    nodes: Chunked<Node<T>>,
    free: u32,
    len: usize,
    /// The tick that the wheel has reached: everything before it has fired.
    reached: u64,
    /// A list for each slot of each level, then the overflow list.
    lists: Box<[List]>,
    /// For each level, which slots are not empty.
    occupied: [[u64; WORDS]; LEVELS],
}

impl<T: Copy> Wheel<T> {
    /// A wheel without timers that begins at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            nodes: Chunked::new(),
            free: NIL,
            len: 0,
            reached: now.as_nanos() / TICK_NANOS,
            lists: vec![EMPTY; OVERFLOW + 1].into_boxed_slice(),
            occupied: [[0; WORDS]; LEVELS],
        }
    }

    /// Number of armed timers.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Arms a timer. It fires at `at` or less than a tick later, never before; if `at` has passed
    /// already, with the next [`Wheel::pop_due`].
    pub fn insert(&mut self, at: Timestamp, item: T) -> TimerId {
        let tick = at.as_nanos().div_ceil(TICK_NANOS).max(self.reached);
        let index = self.take_node(item, tick);
        self.link(index);
        self.len += 1;
        TimerId {
            index,
            generation: self.nodes[index].generation,
        }
    }

    /// Disarms a timer; false if it has fired or was cancelled before.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        // A freed node has moved on to the next generation, so this also tells armed from free.
        if timer.index >= self.nodes.len() || self.nodes[timer.index].generation != timer.generation
        {
            return false;
        }
        self.unlink(timer.index);
        self.release_node(timer.index);
        true
    }

    /// Takes out the next timer that is due at `now`: earlier ticks first, timers of one tick in the
    /// order in which they were armed. `None` when nothing more is due.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<T> {
        let now = now.as_nanos() / TICK_NANOS;
        loop {
            match self.earliest() {
                Some((tick, list)) if tick <= now => {
                    self.reached = tick;
                    if list < SLOTS {
                        let index = self.lists[list].first;
                        self.unlink(index);
                        self.release_node(index);
                        return Some(self.nodes[index].item);
                    }
                    self.move_down(list);
                }
                _ => {
                    self.reached = self.reached.max(now);
                    return None;
                }
            }
        }
    }

    /// When [`Wheel::pop_due`] should be called next. Exact for what is due within the current 256
    /// ticks; for later timers possibly early (the start of their slot), never late.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.earliest()
            .map(|(tick, _)| Timestamp::from_nanos(tick.saturating_mul(TICK_NANOS)))
    }

    /// The first list that is not empty and the tick at which it is to be visited.
    fn earliest(&self) -> Option<(u64, usize)> {
        for (level, words) in self.occupied.iter().enumerate() {
            if let Some(word) = words.iter().position(|&word| word != 0) {
                let slot = word * 64 + words[word].trailing_zeros() as usize;
                let shift = level * LEVEL_BITS;
                let block = self.reached >> (shift + LEVEL_BITS) << (shift + LEVEL_BITS);
                return Some((block | (slot as u64) << shift, level * SLOTS + slot));
            }
        }
        let shift = LEVELS * LEVEL_BITS;
        (self.lists[OVERFLOW].first != NIL)
            .then(|| (((self.reached >> shift) + 1) << shift, OVERFLOW))
    }

    /// Hangs the timers of a list anew: the wheel has reached their slot, so they belong lower.
    fn move_down(&mut self, list: usize) {
        let mut index = self.lists[list].first;
        self.lists[list] = EMPTY;
        self.mark(list);
        while index != NIL {
            let next = self.nodes[index].next;
            self.link(index);
            index = next;
        }
    }

    /// The list in which a timer of this tick belongs now.
    fn list_of(&self, tick: u64) -> usize {
        let differing = tick ^ self.reached;
        let level = differing.checked_ilog2().unwrap_or(0) as usize / LEVEL_BITS;
        if level >= LEVELS {
            return OVERFLOW;
        }
        level * SLOTS + ((tick >> (level * LEVEL_BITS)) as usize & (SLOTS - 1))
    }

    /// Appends a node to the list in which it belongs.
    fn link(&mut self, index: u32) {
        let list = self.list_of(self.nodes[index].tick);
        let last = self.lists[list].last;
        let node = &mut self.nodes[index];
        node.list = list as u16;
        node.previous = last;
        node.next = NIL;
        self.lists[list].last = index;
        if last == NIL {
            self.lists[list].first = index;
            self.mark(list);
        } else {
            self.nodes[last].next = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Node {
            previous,
            next,
            list,
            ..
        } = self.nodes[index];
        let list = usize::from(list);
        if previous == NIL {
            self.lists[list].first = next;
        } else {
            self.nodes[previous].next = next;
        }
        if next == NIL {
            self.lists[list].last = previous;
        } else {
            self.nodes[next].previous = previous;
        }
        self.mark(list);
    }

    /// Notes in the bitmap whether the list is empty.
    fn mark(&mut self, list: usize) {
        if list < OVERFLOW {
            let word = &mut self.occupied[list / SLOTS][list % SLOTS / 64];
            let bit = 1 << (list % 64);
            if self.lists[list].first == NIL {
                *word &= !bit;
            } else {
                *word |= bit;
            }
        }
    }

    fn take_node(&mut self, item: T, tick: u64) -> u32 {
        if self.free == NIL {
            return self.nodes.push(Node {
                item,
                tick,
                previous: NIL,
                next: NIL,
                generation: 0,
                list: 0,
            });
        }
        let index = self.free;
        let node = &mut self.nodes[index];
        self.free = node.next;
        node.item = item;
        node.tick = tick;
        index
    }

    fn release_node(&mut self, index: u32) {
        let node = &mut self.nodes[index];
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests;
