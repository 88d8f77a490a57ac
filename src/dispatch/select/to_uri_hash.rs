//! Algorithm 2: the hash of the To URI is the place in the set.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(2, "hash over To URI", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.key_of_to()?.hash()))
}
