//! Algorithm 15: as SRV records have it (RFC 2782): the LOWEST priority number that is in, and there
//! shares by `weight`.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(15, "SRV priority and weight", start);

#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot(frame.set.board.by_priority.next()))
}
