//! Callers and gateways: the two ends of a call, for simulation, demonstration and load tests alike.
//!
//! Owns: their calls, schedules, counts and latencies. May touch: memory only. Like a proxy shard they are
//! given time and datagrams and put what they send into an [`crate::proxy::Outbox`]; a socket number
//! is the index of a local address.

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
