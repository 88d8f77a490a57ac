//! A table of a hundred turns, as the peers keep them: who has which share.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rand::seq::SliceRandom as _;

use crate::rng::Rng;

const TURNS: usize = 100;

/// A hundred turns, taken round and round by all shards together. Fresh, all are the first
/// destination's.
#[derive(Debug)]
pub(in crate::dispatch) struct Table {
    slots: [AtomicU32; TURNS],
    turn: AtomicU64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            slots: [const { AtomicU32::new(0) }; TURNS],
            turn: AtomicU64::new(0),
        }
    }
}

impl Table {
    /// Whose turn it is.
    pub(in crate::dispatch) fn next(&self) -> u32 {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.slots[(turn % TURNS as u64) as usize].load(Ordering::Relaxed)
    }

    /// All turns to the first destination.
    pub(super) fn clear(&self) {
        for slot in &self.slots {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Gives each destination its share, in order, until all turns are taken; those that are left go
    /// to `rest`, else to the last one that got any, else to the last of all. The order of the turns
    /// is then shuffled.
    pub(super) fn fill(
        &self,
        shares: impl Iterator<Item = u32>,
        rest: Option<usize>,
        mut rng: Rng,
    ) {
        let mut turns = [0_u32; TURNS];
        let (mut filled, mut last_filled, mut last) = (0, None, 0);
        for (index, share) in shares.enumerate() {
            let end = (filled + share as usize).min(TURNS);
            if end > filled {
                turns[filled..end].fill(index as u32);
                last_filled = Some(index);
            }
            (filled, last) = (end, index);
        }
        let rest = rest.or(last_filled).unwrap_or(last);
        turns[filled..].fill(rest as u32);
        turns.shuffle(&mut rng);
        for (slot, turn) in self.slots.iter().zip(turns) {
            slot.store(turn, Ordering::Relaxed);
        }
    }
}
