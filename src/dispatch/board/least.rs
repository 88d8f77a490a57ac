//! Who has the fewest calls: a tournament that is always decided.
//!
//! Each destination is a leaf with its number of calls; eight play a match, the winners of eight
//! matches play the next, and so on, so the winner of all plays in the last match. A change of one
//! number plays the matches on its way up anew, as far as a result changes: at most one for each
//! time that the destinations are eight times as many.
//!
//! All shards play on the same field, without locks. Who changes a number takes a ticket, writes its
//! way up and gives the ticket back. If nobody else had a ticket meanwhile, that was all. Else it
//! looks whether every match on its way is still decided rightly, and if not, begins again. Tickets
//! are given back one after the other: of two who touch neighbours at once, the later one sees what the
//! other has written. So when nobody is at work, every match is decided rightly. While somebody is, the
//! field may name a loser; whoever chooses by it reserves by compare-and-swap on the number that it
//! saw, and so finds out.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// What a destination brings to the tournament.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch) enum Standing {
    /// So many calls, and room for one more.
    Load(u32),
    /// As many calls as its maxload.
    Full,
    /// Inactive or disabled.
    Out,
}

impl Standing {
    const FULL: u32 = u32::MAX - 1;
    const OUT: u32 = u32::MAX;

    fn key(self) -> u32 {
        match self {
            Self::Load(load) => load.min(Self::FULL - 1),
            Self::Full => Self::FULL,
            Self::Out => Self::OUT,
        }
    }

    fn of(key: u32) -> Self {
        match key {
            Self::OUT => Self::Out,
            Self::FULL => Self::Full,
            load => Self::Load(load),
        }
    }
}

/// Who plays in one match. An entry holds a key in its upper half and a place in its lower, so the
/// lesser of two has fewer calls, or as many and stands earlier in the set. It fills a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Match([AtomicU64; PLAYERS]);

const PLAYERS: usize = 8;
/// A place that nobody has.
const NOBODY: u64 = u64::MAX;

const fn pack(key: u32, place: usize) -> u64 {
    (key as u64) << 32 | place as u64
}

impl Match {
    fn new() -> Self {
        Self([const { AtomicU64::new(NOBODY) }; PLAYERS])
    }

    fn get(&self, player: usize) -> u64 {
        self.0[player].load(Ordering::Relaxed)
    }

    fn set(&self, player: usize, entry: u64) {
        self.0[player].store(entry, Ordering::Relaxed);
    }

    fn winner(&self) -> u64 {
        let [a, b, c, d, e, f, g, h] = &self.0;
        let better = |one: &AtomicU64, other: &AtomicU64| {
            one.load(Ordering::Relaxed)
                .min(other.load(Ordering::Relaxed))
        };
        let first_half = better(a, b).min(better(c, d));
        first_half.min(better(e, f).min(better(g, h)))
    }

    fn winner_but(&self, player: usize) -> u64 {
        let others = (0..PLAYERS).filter(|other| *other != player);
        others.map(|other| self.get(other)).min().unwrap_or(NOBODY)
    }
}

/// The tournament.
#[derive(Debug)]
pub(in crate::dispatch) struct Least {
    /// The last match is 0; the winners of `8n + 1` to `8n + 8` play in `n`.
    matches: Box<[Match]>,
    /// Which match the first eight destinations play.
    first: usize,
    tickets: CachePadded<Tickets>,
}

/// How many began to write, and how many have finished.
#[derive(Debug, Default)]
struct Tickets {
    taken: AtomicU64,
    given_back: AtomicU64,
}

/// The match above one, and the player there that its winner is.
const fn above(index: usize) -> (usize, usize) {
    ((index - 1) / PLAYERS, (index - 1) % PLAYERS)
}

impl Least {
    /// Of as many destinations, all out.
    pub(super) fn new(count: usize) -> Self {
        let (mut first, mut players) = (0, PLAYERS);
        while players < count {
            first = first * PLAYERS + 1;
            players *= PLAYERS;
        }
        let len = first + players / PLAYERS;
        let least = Self {
            matches: (0..len).map(|_| Match::new()).collect(),
            first,
            tickets: CachePadded::default(),
        };
        for place in 0..count {
            least.refresh(place, || Standing::Out);
        }
        least
    }

    /// The winner and what it had.
    pub(in crate::dispatch) fn best(&self) -> (usize, Standing) {
        read(self.matches[0].winner())
    }

    /// The winner among all but `place`.
    pub(in crate::dispatch) fn best_but(&self, place: usize) -> (usize, Standing) {
        let (mut index, mut player) = self.leaf(place);
        let mut best = self.matches[index].winner_but(player);
        while index > 0 {
            (index, player) = above(index);
            best = best.min(self.matches[index].winner_but(player));
        }
        read(best)
    }

    /// Hears that the standing of the destination at `place` may have changed; `standing` looks at it.
    pub(super) fn refresh(&self, place: usize, standing: impl Fn() -> Standing) {
        let mut reached = usize::MAX;
        loop {
            let Tickets { taken, given_back } = &*self.tickets;
            let ticket = taken.fetch_add(1, Ordering::SeqCst);
            let was_alone = given_back.load(Ordering::SeqCst) == ticket;
            reached = self.write(place, standing(), reached);
            given_back.fetch_add(1, Ordering::SeqCst);
            let is_alone = taken.load(Ordering::SeqCst) == ticket + 1;
            if was_alone && is_alone || self.is_right(place, standing(), reached) {
                return;
            }
        }
    }

    /// Writes an entry and who wins by it; returns the last match whose winner was looked at. It goes up
    /// at least to the match `reached`, where an attempt of before may have left what was old by then.
    fn write(&self, place: usize, standing: Standing, reached: usize) -> usize {
        let (mut index, player) = self.leaf(place);
        let mut here = &self.matches[index];
        here.set(player, pack(standing.key(), place));
        while index > 0 {
            let winner = here.winner();
            let (next, player) = above(index);
            here = &self.matches[next];
            if here.get(player) == winner && index <= reached {
                break;
            }
            here.set(player, winner);
            index = next;
        }
        index
    }

    /// Whether the entry stands as it is now, and every match above it up to `top` is decided rightly.
    fn is_right(&self, place: usize, standing: Standing, top: usize) -> bool {
        let (mut index, player) = self.leaf(place);
        if self.matches[index].get(player) != pack(standing.key(), place) {
            return false;
        }
        while index > 0 {
            let (next, player) = above(index);
            if self.matches[next].get(player) != self.matches[index].winner() {
                return false;
            }
            if index == top {
                break;
            }
            index = next;
        }
        true
    }

    /// The match that a destination plays, and as which player.
    fn leaf(&self, place: usize) -> (usize, usize) {
        (self.first + place / PLAYERS, place % PLAYERS)
    }
}

fn read(entry: u64) -> (usize, Standing) {
    (entry as u32 as usize, Standing::of((entry >> 32) as u32))
}
