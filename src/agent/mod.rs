//! Callers and gateways: the two ends of a call, for simulation, demonstration and load tests alike.
//!
//! Owns: their calls, schedules, counts and latencies. May touch: memory only. Like a proxy shard they are
//! given time and datagrams and put what they send into an [`crate::proxy::Outbox`]; a socket number
//! is the index of a local address.

use std::net::SocketAddr;

use crate::proxy::{Outbox, SocketId};
use crate::time::Timestamp;

mod alarm;
pub mod caller;
mod dialog;
pub mod gateway;
pub mod latency;
mod profile;
mod respond;
mod template;
mod token;

#[cfg(test)]
mod tests;

pub use caller::{
    Caller, CallerConfig, CallerCounts, CallerReport, CancelRule, HangUp, Recent, Share,
};
pub use gateway::{AnswerMix, CallRecord, Gateway, GatewayConfig, GatewayCounts, GatewayReport};
pub use latency::Latency;
pub use profile::{Delay, RateProfile, Stage};

/// What drives datagrams and time through any agent that makes calls.
pub trait Agent {
    /// Deals with a datagram that came in by local address number `socket`.
    fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    );

    /// Does what is due: a bounded piece of it.
    fn tick(&mut self, now: Timestamp, out: &mut Outbox);

    /// When [`Agent::tick`] is next needed.
    fn next_deadline(&self) -> Option<Timestamp>;
}
