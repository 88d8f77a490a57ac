//! The plane: everything between the network and the shards.
//!
//! Owns: threads, event loops, sockets, batches, hand-off rings, the timer thread, pinning, the
//! clock. May touch: the operating system; `sys` is the only place of the project with `unsafe`
//! code.
//!
//! A [`Plane`] runs one thread for each shard. Each has a socket of its own for each listen address
//! ([`socket::bind_group`]); the kernel brings a call's datagrams to its owner if it can
//! ([`steering`]), else it spreads the senders over them. A shard that receives a message of
//! another's call hands it over through a ring. Nothing is shared but these rings, the published
//! sets, and the destinations' counters. The threads are told what to do by commands, through a
//! [`PlaneHandle`].

mod abi;
mod alarm_clock;
pub mod batch;
pub mod clock;
mod command;
mod counters;
pub mod ends;
mod expiry;
mod guarded;
mod handle;
mod pace;
mod probing;
mod ring;
pub mod socket;
mod stages;
mod start;
pub mod steering;
mod sys;
mod timer;
mod worker;

pub use batch::{
    ErrorReader, Received, RecvBatch, SendBatch, SendFailure, SendReport, Undelivered,
};
pub use clock::Clock;
pub use command::{ShardSnapshot, Wish};
pub use counters::PlaneCounters;
pub use ends::{Ends, Traffic};
pub use handle::{Plane, PlaneHandle};
pub use pace::default_gather;
pub use socket::SocketOptions;
pub use stages::{MessageKind, Stage, Stages};
pub use start::{Pinning, PlaneError, PlaneOptions, TimerMode};
pub use steering::{Rung, SteeringChoice, SteeringError, SteeringReport};

#[cfg(test)]
mod tests;
