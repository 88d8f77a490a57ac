//! Algorithm 1: the hash of the From URI is the place in the set.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(1, "hash over From URI", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.key_of_from()?.hash()))
}
