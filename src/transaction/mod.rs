//! Transactions: the state machines of RFC 3261 section 17 (with RFC 6026), their keys and timers.
//!
//! Owns: the transactions of one shard and the wheel that their timers hang on. May touch: memory
//! only; time and messages are handed in.

pub mod wheel;
