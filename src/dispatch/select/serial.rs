//! Algorithm 8: the first usable destination in the set's order, that is by priority.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(8, "priority (serial)", start);

/// Begins at the set's head, whatever the message.
#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
pub(super) fn start(_: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(0))
}
