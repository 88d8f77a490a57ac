//! The choice of a destination for a call: `ds_select_dst` and the order of failover.
//!
//! Owns: the frame that all algorithms share. An algorithm is a file beside this one and a line in
//! [`ALGORITHMS`]; it says where in the set to begin, the frame does the rest. Nothing here
//! allocates.

mod call_id_hash;
mod call_load;
mod candidates;
mod round_robin;
mod serial;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::destination::{Destination, Reservation};
use super::sets::Set;

pub use candidates::Candidates;

/// What a message gives an algorithm to go by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// The value of Call-ID.
    pub call_id: Option<&'a [u8]>,
    /// Whether it is an INVITE that begins a call; algorithm 10 counts only these.
    pub invite: bool,
}

/// What holds for a selection besides the algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelectOptions {
    /// Whether the last destination of the set is kept for when all others are out.
    pub use_default: bool,
    /// Most destinations to try for one request, the first included; 0 means no limit.
    pub limit: u32,
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
    /// The peers' number.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    start: fn(&Frame<'_>) -> Result<Start, SelectError>,
}

/// Every algorithm there is.
pub const ALGORITHMS: &[Algorithm] = &[
    call_id_hash::ALGORITHM,
    round_robin::ALGORITHM,
    serial::ALGORITHM,
    call_load::ALGORITHM,
];

/// What an algorithm sees.
struct Frame<'a> {
    set: &'a Set,
    keys: &'a Keys<'a>,
    use_default: bool,
}

/// How an algorithm begins.
enum Start {
    /// At this place, which may lie beyond the end of the set; from there on to the next usable one.
    Slot(u32),
    /// At the cursor's place `slot`, after moving the cursor to `next`. Once the choice is made, the
    /// cursor goes behind it, unless somebody else has moved it.
    Cursor { slot: u32, next: u32 },
    /// The choice is made. `reserving`: failover counts the call on each destination it goes to.
    Chosen {
        index: usize,
        reservation: Option<Reservation>,
        reserving: bool,
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
    let frame = Frame {
        set,
        keys,
        use_default: options.use_default,
    };
    if set.is_empty() {
        return Err(SelectError::NoDestination);
    }
    let (index, reservation, reserving) = match (algorithm.start)(&frame)? {
        Start::Slot(slot) => (frame.usable_from(slot)?, None, false),
        Start::Cursor { slot, next } => {
            let index = frame.usable_from(slot)?;
            round_robin::go_behind(set, index, next);
            (index, None, false)
        }
        Start::Chosen {
            index,
            reservation,
            reserving,
        } => (index, reservation, reserving),
    };
    Ok(Selection {
        destination: Arc::clone(&set.destinations[index]),
        reservation,
        candidates: Candidates::after(index, set, options, reserving),
    })
}

impl Frame<'_> {
    /// How many destinations take part: all but the default, if there is one besides.
    fn regular_len(&self) -> usize {
        regular_len(self.set, self.use_default)
    }

    /// The first usable destination from `slot` on, going round. A destination that is out thus
    /// leaves its whole share to its next neighbour, and the default is taken when all are out.
    fn usable_from(&self, slot: u32) -> Result<usize, SelectError> {
        let destinations = &self.set.destinations;
        let regular = self.regular_len();
        let first = slot as usize % regular;
        let order = (first..regular).chain(0..first);
        let default = self.use_default.then_some(destinations.len() - 1);
        order
            .chain(default)
            .find(|&index| destinations[index].is_usable())
            .ok_or(SelectError::NoDestination)
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
