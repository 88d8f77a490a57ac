//! Exact shares of any number of destinations, dealt out evenly.
//!
//! With weights w and their sum W, every W turns in a row give each destination exactly its w, whatever
//! their number (a table of a hundred turns cannot do that from 25 destinations on). The turns walk
//! over the W points of a circle in equal steps of about the golden section, so that a short run of
//! turns is shared out nearly as justly as a long one.

use std::sync::atomic::{AtomicU64, Ordering};

/// Weights that change, with all their partial sums.
#[derive(Debug)]
pub(in crate::dispatch) struct Shares {
    /// A node is the sum of the two below it: the root is 1, the leaves are the second half. All
    /// changes are additions, so the order in which threads make them does not matter.
    sums: Box<[AtomicU64]>,
    count: usize,
    turn: AtomicU64,
    /// The sum in the upper half, and the step that belongs to it.
    step: AtomicU64,
}

impl Shares {
    /// Of as many destinations, each with weight 0.
    pub(super) fn new(count: usize) -> Self {
        Self {
            sums: (0..2 * count.next_power_of_two())
                .map(|_| AtomicU64::new(0))
                .collect(),
            count,
            turn: AtomicU64::new(0),
            step: AtomicU64::new(0),
        }
    }

    /// Sets the weight of the destination at `place`.
    pub(super) fn set(&self, place: usize, weight: u32) {
        let mut node = self.sums.len() / 2 + place;
        let new = u64::from(weight);
        let old = self.sums[node].swap(new, Ordering::SeqCst);
        if old == new {
            return;
        }
        while node > 1 {
            node /= 2;
            self.sums[node].fetch_add(new.wrapping_sub(old), Ordering::SeqCst);
        }
    }

    /// Whose turn it is; if the last destination is left out, among the others. `None` if none of
    /// them has a weight.
    pub(in crate::dispatch) fn next(&self, leave_out_last: bool) -> Option<usize> {
        let leaves = self.sums.len() / 2;
        let left_out = if leave_out_last {
            self.sum(leaves + self.count - 1)
        } else {
            0
        };
        // Another thread may be at work between the leaves and the root: then the sum is of no use
        // for a moment, and no turn is better than one out of range.
        let sum = self
            .sum(1)
            .checked_sub(left_out)
            .filter(|sum| (1..1 << 32).contains(sum))?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut point = turn % sum * self.step_of(sum) % sum;
        let mut node = 1;
        while node < leaves {
            node *= 2;
            let left = self.sum(node);
            if point >= left {
                point -= left;
                node += 1;
            }
        }
        Some((node - leaves).min(self.count - 1))
    }

    fn sum(&self, node: usize) -> u64 {
        self.sums[node].load(Ordering::Relaxed)
    }

    /// How far to go at each turn.
    fn step_of(&self, sum: u64) -> u64 {
        let known = self.step.load(Ordering::Relaxed);
        if known >> 32 == sum {
            return known & 0xffff_ffff;
        }
        let step = even_step(sum);
        self.step.store(sum << 32 | step, Ordering::Relaxed);
        step
    }
}

/// The step near the golden section of `sum` whose turns are spread most evenly.
fn even_step(sum: u64) -> u64 {
    let golden = (sum as f64 * 0.618_033_988_749_895) as u64;
    let near = (sum / 16).clamp(1, 48);
    let near = golden.saturating_sub(near)..(golden + near).min(sum);
    let best = near.min_by_key(|&step| (unevenness(step, sum), step.abs_diff(golden)));
    best.filter(|&step| unevenness(step, sum) < u64::MAX)
        .unwrap_or(1)
}
/// The largest partial quotient of the continued fraction of `step / sum`: by the theory of uniform
/// distribution the less the better, and 1 throughout is the golden section itself. Steps that do
/// not reach all points are the worst.
fn unevenness(step: u64, sum: u64) -> u64 {
    let (mut a, mut b) = (sum, step);
    let mut largest = 0;
    while b > 0 {
        largest = largest.max(a / b);
        (a, b) = (b, a % b);
    }
    if a == 1 { largest } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(weights: &[u32]) -> Shares {
        let shares = Shares::new(weights.len());
        for (place, weight) in weights.iter().enumerate() {
            shares.set(place, *weight);
        }
        shares
    }

    proptest! {
        #[test]
        fn every_round_of_turns_is_exact(
            weights in prop::collection::vec(0..=100_u32, 1..60),
            begun in 0..500_usize,
            changed in any::<usize>(),
        ) {
            let shares = shares(&weights);
            for _ in 0..begun {
                shares.next(false);
            }
            let mut weights = weights;
            let changed = changed % weights.len();
            weights[changed] = 7;
            shares.set(changed, 7);
            let mut counts = vec![0; weights.len()];
            for _ in 0..weights.iter().sum() {
                counts[shares.next(false).unwrap()] += 1;
            }
            prop_assert_eq!(counts, weights);
        }

        #[test]
        fn short_runs_are_nearly_just(weights in prop::collection::vec(1..=100_u32, 2..20)) {
            let shares = shares(&weights);
            let sum = f64::from(weights.iter().sum::<u32>());
            let mut counts = vec![0_u32; weights.len()];
            for turn in 1..200 {
                counts[shares.next(false).unwrap()] += 1;
                for (count, weight) in counts.iter().zip(&weights) {
                    let due = f64::from(turn) * f64::from(*weight) / sum;
                    prop_assert!((f64::from(*count) - due).abs() < 4.0);
                }
            }
        }
    }

    #[test]
    fn nobody_has_a_turn_without_weight() {
        let shares = shares(&[0, 0, 5]);
        assert_eq!(shares.next(true), None);
        assert_eq!(shares.next(false), Some(2));
        shares.set(2, 0);
        assert_eq!(shares.next(false), None);
    }

    #[test]
    fn a_share_below_a_third_never_has_two_turns_in_a_row() {
        let shares = shares(&[30, 30, 40]);
        let turns: Vec<_> = (0..100).map(|_| shares.next(false).unwrap()).collect();
        assert!(
            turns
                .windows(2)
                .all(|pair| pair[0] != pair[1] || pair[0] == 2),
            "{turns:?}"
        );
    }
}
