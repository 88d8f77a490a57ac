//! Algorithm 0: the hash of the Call-ID is the place in the set, so a call's messages go to one
//! destination as long as the states do not change.

use super::{Algorithm, Frame, SelectError, Start};
use crate::dispatch::hash;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    number: 0,
    name: "hash over Call-ID",
    start,
};

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    let call_id = frame.keys.call_id.ok_or(SelectError::NoKey)?;
    Ok(Start::Slot(hash::hash(hash::trim(call_id), None)))
}
