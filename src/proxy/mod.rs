//! One shard of the proxy: everything that happens to a call between two sockets, without a socket.
//!
//! Owns: the transactions and call cells of the Call-IDs whose slots belong to this shard.
//! May touch: memory only; time, datagrams and commands are handed in, what is to be sent is put
//! into an [`Outbox`].

pub mod outbox;
pub mod settings;
pub mod shard;

pub use outbox::{Outbox, Packet, ProbeAnswer};
pub use settings::{
    CallLoadSettings, FailoverSettings, Limits, Listener, RelayMode, Settings, SocketId, Timers,
};
pub use shard::{Datagram, Shard, ShardId, Verdict};
