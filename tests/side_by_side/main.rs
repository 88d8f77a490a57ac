//! Side by side: Debian's Kamailio and sipshard run the same configuration between the same callers
//! and gateways, and all that these receive is compared.
//!
//! The configurations are those of the manuals, read from the folder that `SIPSHARD_SEEDS_DIR` names.
//! Without it, or without Kamailio, a test says so and passes. What is made equal before the comparison
//! stands in `normal.rs`, with its reason; what differs all the same in `known.rs`.

mod avps;
mod compare;
mod configurations;
mod ends;
mod forking;
mod functions;
mod harness;
mod known;
mod normal;
mod place;
mod process;
mod samples;
mod server;
mod sipp;
mod stage;
mod stateful;
mod stateless;
mod transactions;
mod transcript;
mod wire;
