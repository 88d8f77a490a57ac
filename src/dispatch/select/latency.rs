//! Algorithm 13: priority less what latency costs; round robin among the best.
//!
//! A destination's rank is its priority, lowered by one for each whole multiple of the priority that
//! its latency in milliseconds has. With congestion control (`cc`) only what the latency is above
//! its average counts.

use std::sync::atomic::Ordering;

use super::candidates::{Order, Rank};
use super::{Algorithm, Frame, SelectError, Start};
use crate::dispatch::Destination;

pub(super) const ALGORITHM: Algorithm = Algorithm::new(13, "latency", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    let set = frame.set;
    let rotation = set.cursor.load(Ordering::Relaxed);
    let start = frame.best_by(Order::Latency { rotation });
    let behind = match start {
        Ok(Start::Ranked { index, .. }) => (index as u32 + 1) % set.len() as u32,
        // When nobody can be had, the rotation begins anew, as the peers' does.
        _ => 0,
    };
    let _ = set
        .cursor
        .compare_exchange(rotation, behind, Ordering::Relaxed, Ordering::Relaxed);
    start
}

/// The rank of a destination, lower is better.
pub(super) fn rank(destination: &Destination, distance: usize) -> Rank {
    let latency = destination.latency();
    let latency_ms = if destination.attributes.congestion_control {
        latency.congestion_ms()
    } else {
        latency.estimate_ms as u32
    };
    let priority = destination.priority;
    let mut rank = i64::from(priority);
    if priority > 0 {
        let (latency_ms, priority) = (i64::from(latency_ms), i64::from(priority));
        if latency_ms > priority {
            rank = (priority - latency_ms / priority).max(1);
        }
    }
    Rank {
        cost: (i64::from(i32::MAX) - rank) as u64,
        place: distance as u32,
    }
}
