//! Algorithm 10: the destination with the fewest calls, and the call counted on it in the same step.
//!
//! The set's board knows who has the fewest ([`crate::dispatch::board`]), so the choice costs about the
//! same however many there are. It then moves the winner's counter from the number it saw to one more.
//! If another shard was faster, the choice is made anew, so ties do not stampede. No counter ever
//! passes its maxload, on any number of shards.

use std::sync::Arc;

use super::{Algorithm, Frame, SelectError, Start, Unusable, count, serial};
use crate::dispatch::board::Standing;
use crate::dispatch::{Destination, Reservation, Set};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(10, "call load", start);

/// How often a choice may be lost to other shards before any destination with room will do.
const MOST_RACES: u32 = 8;

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    if !frame.keys.invite {
        return serial::start(frame);
    }
    let destinations = &frame.set.destinations;
    let regular = frame.regular_len();
    // The default takes part only when no other can be had (in Kamailio it competes, and its calls
    // are counted on it but sent to another).
    least_loaded(frame.set, regular).or_else(|error| {
        let default = &destinations[regular..];
        let of_default = match default.first() {
            None => return Err(error),
            Some(default) if !default.is_usable() => SelectError::NoDestination,
            Some(default) => match count(default) {
                Ok(reservation) => return Ok(chosen(regular, reservation)),
                Err(Unusable) => SelectError::AllFull,
            },
        };
        // Full means: there is somebody who will have room again.
        Err(match error {
            SelectError::AllFull => error,
            _ => of_default,
        })
    })
}

/// Counts the call on the best of the first `regular` destinations.
fn least_loaded(set: &Set, regular: usize) -> Result<Start, SelectError> {
    let destinations = &set.destinations;
    for _ in 0..MOST_RACES {
        let (index, seen) = best(set, regular)?;
        let destination = &destinations[index];
        if !destination.is_counted() {
            return Ok(chosen(index, None));
        }
        if let Ok(reservation) = destination.reserve_from(seen) {
            return Ok(chosen(index, Some(reservation)));
        }
        // Whoever was faster may not have told yet.
        destination.recount();
    }
    let (best, _) = scan(&destinations[..regular])?;
    let usable = (0..regular).filter(|&index| destinations[index].is_usable());
    std::iter::once(best)
        .chain(usable)
        .find_map(|index| Some(chosen(index, count(&destinations[index]).ok()?)))
        .ok_or(SelectError::AllFull)
}

/// The best of the first `regular` destinations and how many calls it has.
fn best(set: &Set, regular: usize) -> Result<(usize, u32), SelectError> {
    if set.board.is_retired() {
        // For a moment, until the newer sets are heard of.
        return scan(&set.destinations[..regular]);
    }
    let mut best = set.board.least.best();
    if best.0 >= regular {
        best = set.board.least.best_but(regular);
    }
    match best {
        (index, Standing::Load(load)) => Ok((index, load)),
        (_, Standing::Full) => Err(SelectError::AllFull),
        (_, Standing::Out) => Err(SelectError::NoDestination),
    }
}

/// The usable destination with the fewest calls and room for one more, and how many calls it had;
/// the first of several.
fn scan(destinations: &[Arc<Destination>]) -> Result<(usize, u32), SelectError> {
    let mut best: Option<(usize, u32)> = None;
    let mut error = SelectError::NoDestination;
    for (index, destination) in destinations.iter().enumerate() {
        if !destination.is_usable() {
            continue;
        }
        let active = destination.active_calls();
        if destination.is_full_at(active) {
            error = SelectError::AllFull;
        } else if best.is_none_or(|(_, fewest)| active < fewest) {
            best = Some((index, active));
        }
    }
    best.ok_or(error)
}

fn chosen(index: usize, reservation: Option<Reservation>) -> Start {
    Start::Counted { index, reservation }
}
