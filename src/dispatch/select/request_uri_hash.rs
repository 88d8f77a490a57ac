//! Algorithm 3: the hash of the Request-URI is the place in the set.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(3, "hash over Request-URI", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.key_of_request()?.hash()))
}
