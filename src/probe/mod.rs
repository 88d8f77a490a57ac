//! Keepalives: which destinations are asked whether they are alive, when, and what the answers mean.
//!
//! Owns: the keepalives in flight and the rhythm in which they are sent. May touch: memory only; the
//! states of destinations through [`crate::dispatch`], datagrams through [`crate::proxy::Outbox`].

mod message;
mod prober;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

pub use prober::{Change, ProbeEvent, Prober, Share};
pub use settings::{ProbeSettings, ProbingMode, ReplyCodes, ReplyCodesError};
