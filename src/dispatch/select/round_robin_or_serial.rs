//! Algorithm 14: round robin if all destinations of the set have the same priority above 0, else
//! serial.

use super::{Algorithm, Frame, SelectError, Start, round_robin, serial};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(14, "round robin or serial", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    // Sets are sorted by priority.
    let priority =
        |one: Option<&std::sync::Arc<crate::dispatch::Destination>>| one.map(|d| d.priority);
    let destinations = &frame.set.destinations;
    let (first, last) = (
        priority(destinations.first()),
        priority(destinations.last()),
    );
    if first == last && first > Some(0) {
        round_robin::start(frame)
    } else {
        serial::start(frame)
    }
}
