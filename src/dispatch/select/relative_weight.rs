//! Algorithm 11: shares by the attribute `rweight`, relative to the others that are in.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(11, "relative weight", start);

#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.set.board.by_rweight.next()))
}
