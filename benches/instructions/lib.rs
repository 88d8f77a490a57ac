//! What `main.rs` measures: the path of a message, as a whole and in pieces, each ready and warm.
//!
//! The measured functions are here and not beside the benchmarks, since callgrind starts and stops
//! counting at names: a closure within a benchmark would have the benchmark's name too.

#![allow(
    clippy::missing_panics_doc,
    reason = "what goes wrong in a benchmark stops it"
)]

pub mod calls;
pub mod pieces;
#[path = "../support/texts.rs"]
mod texts;
