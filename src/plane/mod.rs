//! The plane: everything between the network and the shards.
//!
//! Owns: sockets, batches, the clock. May touch: the operating system. [`sys`] is the only place of
//! the project with `unsafe` code.

mod abi;
pub mod batch;
pub mod clock;
mod ring;
pub mod socket;
mod sys;

pub use batch::{
    ErrorReader, Received, RecvBatch, SendBatch, SendFailure, SendReport, Undelivered,
};
pub use clock::Clock;
pub use socket::SocketOptions;
