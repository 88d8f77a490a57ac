//! The choice of a destination for a call: `ds_select_dst` and the order of failover.
//!
//! Owns: the frame that all algorithms share. An algorithm is a file beside this one and a line in
//! [`ALGORITHMS`]; it says where in the set to begin, the frame does the rest. Nothing here
//! allocates.

mod call_id_hash;
mod call_load;
mod candidates;
mod from_uri_hash;
mod latency;
mod overload;
mod priority_weight;
mod random;
mod relative_weight;
mod rendezvous;
mod request_uri_hash;
mod round_robin;
mod round_robin_or_serial;
mod serial;
mod smooth_weight;
#[cfg(test)]
mod tests;
mod to_uri_hash;
mod uri_hash;
mod user_hash;
mod variable_hash;
mod weight;

use std::sync::Arc;

use super::destination::{Destination, Reservation};
use super::hash;
use super::sets::Set;
use crate::sip::Message;
use crate::time::Timestamp;
use candidates::{Order, Rank};
use uri_hash::UriKey;

pub use candidates::Candidates;

/// What an algorithm can go by. Headers are decoded only if the algorithm asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// The message.
    pub message: Option<Message<'a>>,
    /// The value of Call-ID, if it is known already; else it is looked up in the message.
    pub call_id: Option<&'a [u8]>,
    /// The Request-URI as it is now; `None`: as it is in the message.
    pub request_uri: Option<&'a [u8]>,
    /// The value of `hash_pvar`.
    pub variable: Option<&'a [u8]>,
    /// Whether it is an INVITE that begins a call; algorithm 10 counts only these.
    pub invite: bool,
    /// A random number, for algorithm 6.
    pub chance: u64,
    /// The time, for algorithm 64.
    pub now: Timestamp,
}

/// What holds for a selection besides the algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelectOptions {
    /// Whether the last destination of the set is kept for when all others are out.
    pub use_default: bool,
    /// Most destinations to try for one request, the first included; 0 means no limit.
    pub limit: u32,
    /// Whether algorithms that hash a URI take its user alone (parameter `flags`, bit 1).
    pub user_only: bool,
    /// Whether failover takes the default whatever its state, as Kamailio does (`ds_compat`).
    pub compat: bool,
}

/// A destination for a request, and where to go on if it fails.
#[derive(Debug)]
pub struct Selection {
    /// Where to send the request.
    pub destination: Arc<Destination>,
    /// The call counted on it; only with algorithm 10, an INVITE and a destination with a duid.
    pub reservation: Option<Reservation>,
    /// The destinations to try after it.
    pub candidates: Candidates,
}

/// Why there is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The algorithm's number is not known.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// All destinations are inactive or disabled.
    #[error("no destination is active")]
    NoDestination,
    /// Destinations are active, but each has as many calls as its maxload.
    #[error("all active destinations are at their maxload")]
    AllFull,
    /// The message lacks what the algorithm goes by.
    #[error("the message has no key for the algorithm")]
    NoKey,
}

/// An algorithm: a number for the configuration, a name for people, and how it begins.
#[derive(Debug)]
pub struct Algorithm {
    /// The peers' number, or one of ours from 100 on.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// Whether it hashes a text that only a configuration can make ([`Keys::variable`]).
    pub needs_variable: bool,
    start: fn(&Frame<'_>) -> Result<Start, SelectError>,
}

impl Algorithm {
    const fn new(
        number: u32,
        name: &'static str,
        start: fn(&Frame<'_>) -> Result<Start, SelectError>,
    ) -> Self {
        Self {
            number,
            name,
            needs_variable: false,
            start,
        }
    }

    const fn needing_a_variable(self) -> Self {
        Self {
            needs_variable: true,
            ..self
        }
    }
}

/// Every algorithm there is.
pub const ALGORITHMS: &[Algorithm] = &[
    call_id_hash::ALGORITHM,
    from_uri_hash::ALGORITHM,
    to_uri_hash::ALGORITHM,
    request_uri_hash::ALGORITHM,
    round_robin::ALGORITHM,
    user_hash::ALGORITHM,
    random::ALGORITHM,
    variable_hash::ALGORITHM,
    serial::ALGORITHM,
    weight::ALGORITHM,
    call_load::ALGORITHM,
    relative_weight::ALGORITHM,
    latency::ALGORITHM,
    round_robin_or_serial::ALGORITHM,
    priority_weight::ALGORITHM,
    overload::ALGORITHM,
    rendezvous::OVER_CALL_ID,
    rendezvous::OVER_FROM,
    rendezvous::OVER_TO,
    rendezvous::OVER_REQUEST_URI,
    rendezvous::OVER_USER,
    rendezvous::OVER_VARIABLE,
    smooth_weight::BY_WEIGHT,
    smooth_weight::BY_RELATIVE_WEIGHT,
];

/// What an algorithm sees.
struct Frame<'a> {
    set: &'a Set,
    keys: &'a Keys<'a>,
    options: SelectOptions,
}

/// How an algorithm begins.
#[derive(Debug)]
enum Start {
    /// At this place, which may lie beyond the end of the set; from there on to the next usable one.
    Slot(u32),
    /// At the cursor's place `slot`, after moving the cursor to `next`. Once the choice is made, the
    /// cursor goes behind it, unless somebody else has moved it.
    Cursor { slot: u32, next: u32 },
    /// As with a cursor, but the choice is made.
    Passing { slot: usize, next: u32 },
    /// The choice is made, and calls are counted: failover counts the call on each destination it
    /// goes to.
    Counted {
        index: usize,
        reservation: Option<Reservation>,
    },
    /// The best of an order is chosen; failover goes on in that order.
    Ranked {
        index: usize,
        order: Order,
        rank: Option<Rank>,
    },
}

/// The algorithm of this number.
pub fn algorithm(number: u32) -> Option<&'static Algorithm> {
    ALGORITHMS
        .iter()
        .find(|algorithm| algorithm.number == number)
}

/// Chooses a destination of `set`, and with algorithm 10 counts the call on it.
pub fn select(
    set: &Set,
    number: u32,
    keys: &Keys<'_>,
    options: SelectOptions,
) -> Result<Selection, SelectError> {
    let algorithm = algorithm(number).ok_or(SelectError::UnknownAlgorithm)?;
    let frame = Frame { set, keys, options };
    if set.is_empty() {
        return Err(SelectError::NoDestination);
    }
    let after = |index| Candidates::after(index, set, options);
    let (index, reservation, candidates) = match (algorithm.start)(&frame)? {
        Start::Slot(slot) => {
            let index = frame.usable_from(slot)?;
            (index, None, after(index))
        }
        Start::Cursor { slot, next } => {
            let index = frame.usable_from(slot)?;
            round_robin::go_behind(set, index, next);
            (index, None, after(index))
        }
        Start::Passing { slot: index, next } => {
            round_robin::go_behind(set, index, next);
            (index, None, after(index))
        }
        Start::Counted { index, reservation } => (index, reservation, after(index).reserving()),
        Start::Ranked { index, order, rank } => (index, None, after(index).ranked(order, rank)),
    };
    Ok(Selection {
        destination: Arc::clone(&set.destinations[index]),
        reservation,
        candidates,
    })
}

impl<'a> Frame<'a> {
    fn call_id(&self) -> Result<&'a [u8], SelectError> {
        let known = self.keys.call_id;
        let call_id = known.or_else(|| self.keys.message?.call_id());
        call_id.map(hash::trim).ok_or(SelectError::NoKey)
    }

    fn key_of_from(&self) -> Result<UriKey<'a>, SelectError> {
        let from = self.keys.message.and_then(|message| message.from().ok());
        UriKey::of(from.ok_or(SelectError::NoKey)?.uri, self.options.user_only)
    }

    fn key_of_to(&self) -> Result<UriKey<'a>, SelectError> {
        let to = self.keys.message.and_then(|message| message.to().ok());
        UriKey::of(to.ok_or(SelectError::NoKey)?.uri, self.options.user_only)
    }

    fn key_of_request(&self) -> Result<UriKey<'a>, SelectError> {
        let now = self.keys.request_uri;
        let uri = now.or_else(|| self.keys.message?.request_uri());
        UriKey::of(uri.ok_or(SelectError::NoKey)?, self.options.user_only)
    }

    /// The value of `hash_pvar`, if it is not empty.
    fn variable(&self) -> Result<&'a [u8], SelectError> {
        let value = self.keys.variable.map(hash::trim);
        value
            .filter(|value| !value.is_empty())
            .ok_or(SelectError::NoKey)
    }

    /// How many destinations take part: all but the default, if there is one besides.
    fn regular_len(&self) -> usize {
        regular_len(self.set, self.options.use_default)
    }

    /// The places of those that take part, from `slot` on, going round.
    fn round(&self, slot: u32) -> impl Iterator<Item = usize> + use<> {
        let regular = self.regular_len();
        let first = slot as usize % regular;
        (first..regular).chain(0..first)
    }

    fn is_usable(&self, index: usize) -> bool {
        self.set.destinations[index].is_usable()
    }

    /// The default, if there is one and it is not out.
    fn usable_default(&self) -> Option<usize> {
        let last = self.set.len() - 1;
        (self.options.use_default && self.is_usable(last)).then_some(last)
    }

    /// The first usable destination from `slot` on, going round. A destination that is out thus
    /// leaves its whole share to its next neighbour, and the default is taken when all are out.
    fn usable_from(&self, slot: u32) -> Result<usize, SelectError> {
        self.round(slot)
            .find(|&index| self.is_usable(index))
            .or_else(|| self.usable_default())
            .ok_or(SelectError::NoDestination)
    }

    /// The usable destination that comes first in an order; the default when all others are out.
    fn best_by(&self, order: Order) -> Result<Start, SelectError> {
        if let Some((index, rank)) = order.next(self.set, self.regular_len(), None) {
            let rank = Some(rank);
            return Ok(Start::Ranked { index, order, rank });
        }
        let index = self.usable_default().ok_or(SelectError::NoDestination)?;
        Ok(Start::Ranked {
            index,
            order,
            rank: None,
        })
    }
}

/// How many destinations of a set that is not empty take part in the choice.
fn regular_len(set: &Set, use_default: bool) -> usize {
    if use_default && set.len() > 1 {
        set.len() - 1
    } else {
        set.len()
    }
}

/// A destination cannot take this call now.
struct Unusable;

/// Counts a call on the destination, if calls can be counted on it; the error means it is full.
fn count(destination: &Arc<Destination>) -> Result<Option<Reservation>, Unusable> {
    if destination.is_counted() {
        destination.try_reserve().map(Some).ok_or(Unusable)
    } else {
        Ok(None)
    }
}
