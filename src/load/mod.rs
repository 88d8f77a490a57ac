//! The call-load table: which call went where, whether it is counted, and until when.
//!
//! Owns: the cells of one shard's calls and, through their reservations, its share of every
//! destination's counter. May touch: memory only, and the one atomic counter of a destination.
//!
//! A call belongs to one slot of 2^`ds_hash_size` ([`Ownership`]), a slot to one shard, and a
//! [`CallTable`] holds the calls of one shard. So a cell is touched by one thread only. What a call
//! counts is a [`Reservation`](crate::dispatch::Reservation) in its cell: for each destination the
//! cells that hold one, over all shards, are as many as its counter says, at every step.

mod cell;
mod expiry;
pub mod owner;
mod settings;
pub mod table;

pub use cell::{CellId, CellView, Hold, Phase, Side};
pub use expiry::Progress;
pub use owner::{Ownership, ShardId};
pub use settings::CallLoadSettings;
pub use table::{ByeOutcome, CallTable, Confirmation, InsertError};

#[cfg(test)]
mod tests;
