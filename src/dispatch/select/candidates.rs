//! The order of failover: what is tried after the chosen destination.
//!
//! After the chosen one come those behind it in the set, then those before it, and at the very end
//! the default; algorithms that rank destinations go on in the order of their ranks. The peers write this list down when they choose; here each step is taken when it is
//! needed and goes by the states of that moment.

use std::sync::Arc;

use super::{SelectOptions, Unusable, count, latency, regular_len, rendezvous};
use crate::dispatch::{Destination, Flags, Reservation, Set};

/// The order in which destinations are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// From the chosen one on, going round.
    Round,
    /// By algorithm 13, beginning with `rotation` among equals.
    Latency { rotation: u32 },
    /// By rendezvous hashing with this key.
    Rendezvous { key: u64 },
}

/// What decides on a destination's place in an order; the lowest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) cost: u64,
    /// Decides among equals; no two destinations have the same.
    pub(super) place: u32,
}

impl Order {
    /// The first usable destination behind `last`, among the first `regular` of the set.
    pub(super) fn next(
        self,
        set: &Set,
        regular: usize,
        last: Option<Rank>,
    ) -> Option<(usize, Rank)> {
        let usable = set.destinations[..regular].iter().enumerate();
        usable
            .filter(|(_, destination)| destination.is_usable())
            .map(|(index, destination)| (index, self.rank(destination, index, regular)))
            .filter(|(_, rank)| last.is_none_or(|last| *rank > last))
            .min_by_key(|(_, rank)| *rank)
    }

    fn rank(self, destination: &Destination, index: usize, regular: usize) -> Rank {
        match self {
            Self::Round => Rank {
                cost: 0,
                place: index as u32,
            },
            Self::Latency { rotation } => {
                let first = rotation as usize % regular;
                latency::rank(destination, (index + regular - first) % regular)
            }
            Self::Rendezvous { key } => rendezvous::rank(destination, key, index),
        }
    }
}

/// What becomes of the count of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// Calls are not counted.
    Off,
    /// The call is counted on each destination (algorithm 10).
    On,
    /// As if it were counted: full destinations are passed over, and nothing is counted.
    Looking,
}

/// Where failover stands: a few numbers, to be kept with the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Place of the chosen destination in the set as it was then.
    chosen: u32,
    /// How many places behind it have been looked at.
    looked_at: u32,
    /// How many more may be tried.
    left: u32,
    /// How many were given so far.
    given: u32,
    /// Whether the set's last destination is the default.
    use_default: bool,
    counting: Counting,
    /// Whether the default is taken even if it is disabled.
    compat: bool,
    order: Order,
    /// With another order than round: the rank of the last one tried; `None` before the first.
    last: Option<Rank>,
}

impl Candidates {
    pub(super) fn after(chosen: usize, set: &Set, options: SelectOptions) -> Self {
        Self {
            chosen: chosen as u32,
            looked_at: 0,
            left: match options.limit {
                0 => u32::MAX,
                limit => limit - 1,
            },
            given: 0,
            use_default: options.use_default && set.len() > 1,
            counting: Counting::Off,
            compat: options.compat,
            order: Order::Round,
            last: None,
        }
    }

    /// Counts the call on each destination.
    pub(super) fn reserving(self) -> Self {
        Self {
            counting: Counting::On,
            ..self
        }
    }

    /// From now on no call is counted, though full destinations are still passed over: whoever only
    /// looks ahead must not take places.
    pub fn only_look(&mut self) {
        if self.counting == Counting::On {
            self.counting = Counting::Looking;
        }
    }

    /// Goes on in `order`, behind `last`.
    pub(super) fn ranked(self, order: Order, last: Option<Rank>) -> Self {
        Self {
            order,
            last,
            ..self
        }
    }

    /// The next destination to try, and with algorithm 10 the call counted on it (if it has a duid);
    /// full ones are passed over. Release the reservation of the one that failed first or after, as
    /// the caller likes: both are counted in between.
    ///
    /// `set` is the set as published now. If that has changed since the choice, the order is that of
    /// the new set from the same place on; a destination may then come twice or not at all, so a
    /// caller who minds compares with [`Destination::is_same`].
    pub fn next(&mut self, set: &Set) -> Option<(Arc<Destination>, Option<Reservation>)> {
        if self.order != Order::Round {
            return self.next_ranked(set);
        }
        while self.left > 0 {
            let step = self.looked_at as usize + 1;
            let index = self.index(step, set)?;
            self.looked_at += 1;
            let destination = &set.destinations[index];
            if let Ok(reservation) = self.admit(destination, index + 1 == set.len()) {
                self.count_one();
                return Some((Arc::clone(destination), reservation));
            }
        }
        None
    }

    fn count_one(&mut self) {
        self.left -= 1;
        self.given += 1;
    }

    /// How many destinations were chosen, those that were tried already and the first among them.
    pub fn count(mut self, set: &Set) -> usize {
        self.only_look();
        while self.next(set).is_some() {}
        1 + self.given as usize
    }

    fn next_ranked(&mut self, set: &Set) -> Option<(Arc<Destination>, Option<Reservation>)> {
        if self.left == 0 || set.is_empty() {
            return None;
        }
        let regular = regular_len(set, self.use_default);
        let has_default_left = regular < set.len() && (self.chosen as usize) < regular;
        let index = match self.order.next(set, regular, self.last) {
            Some((index, rank)) => {
                self.last = Some(rank);
                index
            }
            None if has_default_left && self.looked_at == 0 => {
                self.looked_at = 1;
                regular
            }
            None => return None,
        };
        let destination = &set.destinations[index];
        self.admit(destination, index + 1 == set.len()).ok()?;
        self.count_one();
        Some((Arc::clone(destination), None))
    }

    /// The place that comes `step` steps after the chosen one.
    fn index(&self, step: usize, set: &Set) -> Option<usize> {
        if set.is_empty() {
            return None;
        }
        let regular = regular_len(set, self.use_default);
        let chosen = self.chosen as usize;
        if chosen >= regular {
            // The default was chosen (or the set has shrunk): the others in their order.
            (step <= regular).then(|| step - 1)
        } else if step < regular {
            Some((chosen + step) % regular)
        } else {
            (step == regular && regular < set.len()).then_some(regular)
        }
    }

    /// Whether the destination may be tried now. The default is the last straw: it is tried even
    /// when it is thought to be out (as the peers do), though not when the operator disabled it.
    fn admit(
        self,
        destination: &Arc<Destination>,
        is_last: bool,
    ) -> Result<Option<Reservation>, Unusable> {
        let usable = if self.use_default && is_last {
            self.compat || !destination.health().flags.has(Flags::DISABLED)
        } else {
            destination.is_usable()
        };
        if !usable {
            return Err(Unusable);
        }
        match self.counting {
            Counting::Off => Ok(None),
            Counting::On => count(destination),
            Counting::Looking => {
                let is_full =
                    destination.is_counted() && destination.is_full_at(destination.active_calls());
                if is_full { Err(Unusable) } else { Ok(None) }
            }
        }
    }
}
