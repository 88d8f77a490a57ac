//! One shard of the proxy: everything that happens to a call between two sockets, without a socket.
//!
//! Owns: the transactions and call cells of the Call-IDs whose slots belong to this shard.
//! May touch: memory only; time, datagrams and commands are handed in, what is to be sent is put
//! into an [`Outbox`].
//!
//! A request runs through `request` (is it sound?) and `act::hooks` (is it a repeat?). Then the routing
//! configuration runs, whose functions are in `script` and do what they do by `act`. `forward` writes
//! what is sent. All of them work on what is in `core`.

mod act;
mod answer;
pub mod branch;
mod call_load;
mod cancel;
mod context;
mod core;
mod draft;
mod forward;
mod incoming;
mod local;
mod next;
pub mod outbox;
mod relay_branch;
mod request;
mod routing;
pub mod script;
pub mod settings;
pub mod shard;
mod stateful;
mod stateless;
pub mod stats;
mod timers;
mod untold;

pub use crate::load::ShardId;
pub use incoming::Datagram;
pub use outbox::{Outbox, Packet, ProbeAnswer, StateChange};
pub use settings::{
    CallLoadSettings, FailoverSettings, Limits, Listener, RelayMode, Settings, SocketId, Timers,
};
pub use shard::{Shard, Verdict};
pub use stats::{Counters, DestinationStats, Load, SeenDestination, Snapshot};

#[cfg(test)]
mod tests;
