//! Algorithm 6: any destination, by chance.

use super::{Algorithm, Frame, SelectError, Start};

pub(super) const ALGORITHM: Algorithm = Algorithm::new(6, "random", start);

#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    Ok(Start::Slot((frame.keys.chance >> 32) as u32))
}
