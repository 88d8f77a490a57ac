//! Algorithm 7: the hash of a text that the configuration makes (`hash_pvar`) is the place in the
//! set.

use super::{Algorithm, Frame, SelectError, Start};
use crate::dispatch::hash;

pub(super) const ALGORITHM: Algorithm =
    Algorithm::new(7, "hash over hash_pvar", start).needing_a_variable();

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(hash::hash(frame.variable()?, None)))
}
