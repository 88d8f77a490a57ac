//! Algorithm 10: the destination with the fewest calls, and the call counted on it in the same step.
//!
//! The choice looks at all counters, then moves the winner's from the number it saw to one more. If
//! another shard was faster, the choice is made anew, so ties do not stampede. No counter ever
//! passes its maxload, on any number of shards.

use std::sync::Arc;

use super::{Algorithm, Frame, SelectError, Start, count, serial};
use crate::dispatch::{Destination, Reservation};

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
    least_loaded(destinations, 0..regular).or_else(|error| {
        if regular == destinations.len() {
            return Err(error);
        }
        least_loaded(destinations, regular..destinations.len()).map_err(|of_default| {
            // Full means: there is somebody who will have room again.
            match error {
                SelectError::AllFull => error,
                _ => of_default,
            }
        })
    })
}

fn least_loaded(
    destinations: &[Arc<Destination>],
    part: std::ops::Range<usize>,
) -> Result<Start, SelectError> {
    for _ in 0..MOST_RACES {
        let (index, seen) = scan(destinations, part.clone())?;
        let destination = &destinations[index];
        if !destination.is_counted() {
            return Ok(chosen(index, None));
        }
        if let Ok(reservation) = destination.reserve_from(seen) {
            return Ok(chosen(index, Some(reservation)));
        }
    }
    let (best, _) = scan(destinations, part.clone())?;
    let usable = part.filter(|&index| !destinations[index].health().flags.is_skipped());
    std::iter::once(best)
        .chain(usable)
        .find_map(|index| Some(chosen(index, count(&destinations[index]).ok()?)))
        .ok_or(SelectError::AllFull)
}

/// The usable destination with the fewest calls and room for one more, and how many calls it had;
/// the first of several.
fn scan(
    destinations: &[Arc<Destination>],
    part: std::ops::Range<usize>,
) -> Result<(usize, u32), SelectError> {
    let mut best: Option<(usize, u32)> = None;
    let mut error = SelectError::NoDestination;
    for index in part {
        let destination = &destinations[index];
        if destination.health().flags.is_skipped() {
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
