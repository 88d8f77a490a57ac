//! Algorithm 64: round robin that passes over a destination in the share of its turns that overload
//! control asks for.

use super::{Algorithm, Frame, SelectError, Start, round_robin};

pub(super) const ALGORITHM: Algorithm =
    Algorithm::new(64, "round robin with overload control", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    let Start::Cursor { slot, next } = round_robin::start(frame)? else {
        return Err(SelectError::NoDestination);
    };
    let destinations = &frame.set.destinations;
    let is_taken = |index: &usize| {
        let destination = &destinations[*index];
        destination.is_usable() && !destination.is_passed_over(frame.keys.now)
    };
    let taken = frame.round(slot).find(is_taken);
    let taken = taken.or_else(|| frame.usable_default());
    let slot = taken.ok_or(SelectError::NoDestination)?;
    Ok(Start::Passing { slot, next })
}
