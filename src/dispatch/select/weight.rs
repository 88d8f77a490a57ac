//! Algorithm 9: shares in percent by the attribute `weight`. The share of a destination that is out
//! goes to its next neighbour.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(9, "weight", start);

#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.set.board.by_weight.next()))
}
