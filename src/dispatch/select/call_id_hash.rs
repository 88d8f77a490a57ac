//! Algorithm 0: the hash of the Call-ID is the place in the set, so a call's messages go to one
//! destination as long as the states do not change.

use super::{Algorithm, Frame, SelectError, Start};
use crate::dispatch::hash;

pub(super) const ALGORITHM: Algorithm = Algorithm::new(0, "hash over Call-ID", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(hash::hash(frame.call_id()?, None)))
}
