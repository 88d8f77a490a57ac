//! The operator's side: RPC methods, their transports, and who owns the published sets.
//!
//! Owns: the current sets as the operator sees them, the control socket. May touch: one thread with
//! a current-thread tokio runtime. It never touches a shard's memory: it publishes sets to the plane
//! and reads the atomics that destinations share.

pub mod binrpc;
pub mod client;
pub mod director;
pub mod methods;
pub mod server;
pub mod socket_path;
pub mod value;
