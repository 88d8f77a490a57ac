//! Algorithm 4: round robin, over all shards together.
//!
//! The set's cursor names the next place. It steps at each selection, and when the place was out
//! and a later one was taken, it goes behind that one: the successor of a destination that is out
//! does not get two turns in a row.

use std::sync::atomic::Ordering;

use super::{Algorithm, Frame, SelectError, Start};
use crate::dispatch::Set;

pub(super) const ALGORITHM: Algorithm = Algorithm::new(4, "round robin", start);

#[expect(clippy::unnecessary_wraps, reason = "the signature of all algorithms")]
pub(super) fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    // The default counts as a place here, and falls to the head of the set: the peers' rotation.
    let len = frame.set.len() as u32;
    let step = |slot| (slot + 1) % len;
    let cursor = &frame.set.cursor;
    let slot = cursor.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |slot| {
        Some(step(slot))
    });
    let (Ok(slot) | Err(slot)) = slot;
    Ok(Start::Cursor {
        slot,
        next: step(slot),
    })
}

/// Moves the cursor, still at `next`, behind the destination that was taken.
pub(super) fn go_behind(set: &Set, taken: usize, next: u32) {
    let behind = (taken as u32 + 1) % set.len() as u32;
    if behind != next {
        // Somebody else's move counts for more: the rotation has gone on.
        let _ = set
            .cursor
            .compare_exchange(next, behind, Ordering::Relaxed, Ordering::Relaxed);
    }
}
