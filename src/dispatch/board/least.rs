//! Who has the fewest calls: a tournament that is always decided.
//!
//! Each destination is a leaf with its number of calls, each inner node has the winner of the two
//! below it, so the winner of all stands at the root. A change of one number plays the matches on
//! its way up anew, as far as a result changes: at most one for each doubling of the destinations.
//!
//! All shards play on the same nodes, without locks. Who changes a number writes its way up, and then
//! looks whether every match on it is still decided rightly; if not, somebody else was at work there,
//! and it begins again. Between writing and looking stands a fence, as does at everybody else's: of
//! two who touch neighbours at once, one sees what the other has done (Dekker's argument). So when
//! nobody is at work, every match is decided rightly. While somebody is, the root may name a loser;
//! whoever chooses by it reserves by compare-and-swap on the number that it saw, and so finds out.

use std::sync::atomic::{AtomicU64, Ordering, fence};

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

/// The tournament. A node holds the winner's key in its upper half and its place in its lower, so the
/// lesser of two nodes has fewer calls, or as many and stands earlier in the set.
#[derive(Debug)]
pub(in crate::dispatch) struct Least {
    /// The root is 1, below `n` are `2n` and `2n + 1`, the leaves are the second half.
    nodes: Box<[AtomicU64]>,
}

/// A place that nobody has.
const NOBODY: u64 = u64::MAX;

const fn pack(key: u32, place: usize) -> u64 {
    (key as u64) << 32 | place as u64
}

impl Least {
    /// Of as many destinations, all out.
    pub(super) fn new(count: usize) -> Self {
        let leaves = count.next_power_of_two();
        let least = Self {
            nodes: (0..2 * leaves).map(|_| AtomicU64::new(NOBODY)).collect(),
        };
        for place in 0..count {
            least.refresh(place, || Standing::Out);
        }
        least
    }

    /// The winner and what it had.
    pub(in crate::dispatch) fn best(&self) -> (usize, Standing) {
        read(self.load(1))
    }

    /// The winner among all but `place`.
    pub(in crate::dispatch) fn best_but(&self, place: usize) -> (usize, Standing) {
        let mut node = self.leaf(place);
        let mut best = NOBODY;
        while node > 1 {
            best = best.min(self.load(node ^ 1));
            node /= 2;
        }
        read(best)
    }

    /// Hears that the standing of the destination at `place` may have changed; `standing` looks at it.
    pub(super) fn refresh(&self, place: usize, standing: impl Fn() -> Standing) {
        let leaf = self.leaf(place);
        loop {
            self.nodes[leaf].store(pack(standing().key(), place), Ordering::Relaxed);
            let mut top = leaf;
            while top > 1 {
                top /= 2;
                let winner = self.winner_below(top);
                if self.load(top) == winner {
                    break;
                }
                self.nodes[top].store(winner, Ordering::Relaxed);
            }
            fence(Ordering::SeqCst);
            let is_right = self.load(leaf) == pack(standing().key(), place);
            if is_right && self.is_decided(leaf, top) {
                return;
            }
        }
    }

    /// Whether every match above `leaf`, up to `top`, is decided rightly.
    fn is_decided(&self, leaf: usize, top: usize) -> bool {
        let mut node = leaf;
        while node > top {
            node /= 2;
            if self.load(node) != self.winner_below(node) {
                return false;
            }
        }
        true
    }

    fn winner_below(&self, node: usize) -> u64 {
        self.load(2 * node).min(self.load(2 * node + 1))
    }

    fn load(&self, node: usize) -> u64 {
        self.nodes[node].load(Ordering::Relaxed)
    }

    fn leaf(&self, place: usize) -> usize {
        self.nodes.len() / 2 + place
    }
}

fn read(node: u64) -> (usize, Standing) {
    (node as u32 as usize, Standing::of((node >> 32) as u32))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use proptest::prelude::*;

    use super::*;

    fn expected(standings: &[Standing], but: Option<usize>) -> Standing {
        let keys = standings
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != but);
        keys.map(|(_, standing)| *standing)
            .min_by_key(|standing| standing.key())
            .unwrap_or(Standing::Out)
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        prop_oneof![
            8 => (0..6_u32).prop_map(Standing::Load),
            1 => Just(Standing::Full),
            1 => Just(Standing::Out),
        ]
    }

    proptest! {
        #[test]
        fn the_root_is_the_first_of_those_with_the_fewest(
            count in 1..40_usize,
            changes in prop::collection::vec((any::<usize>(), any_standing()), 1..80),
        ) {
            let least = Least::new(count);
            let mut standings = vec![Standing::Out; count];
            for (place, standing) in changes {
                let place = place % count;
                standings[place] = standing;
                least.refresh(place, || standing);
                let best = expected(&standings, None);
                let first = standings.iter().position(|standing| *standing == best).unwrap();
                prop_assert_eq!(least.best(), (first, best));
                let but = expected(&standings, Some(place));
                prop_assert_eq!(least.best_but(place).1, but);
            }
        }
    }

    #[test]
    fn when_all_threads_rest_every_match_is_decided_rightly() {
        const COUNT: usize = 13;
        for round in 0..40_u64 {
            let least = Least::new(COUNT);
            let loads: Vec<AtomicU32> = (0..COUNT).map(|_| AtomicU32::new(0)).collect();
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (least, loads) = (&least, &loads);
                    scope.spawn(move || {
                        let mut rng = crate::rng::Rng::from_seed(round * 4 + thread);
                        for _ in 0..2_000 {
                            let place = rng.next() as usize % COUNT;
                            loads[place].store(rng.next() as u32 % 9, Ordering::SeqCst);
                            let load = || Standing::Load(loads[place].load(Ordering::SeqCst));
                            least.refresh(place, load);
                        }
                    });
                }
            });
            for (place, load) in loads.iter().enumerate() {
                let key = load.load(Ordering::SeqCst);
                assert_eq!(least.load(least.leaf(place)), pack(key, place));
                assert!(least.is_decided(least.leaf(place), 1));
            }
        }
    }
}
