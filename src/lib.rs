//! sipshard: a SIP load balancer for the edge of telephone networks.
//!
//! A message walks straight through the rooms of this crate: [`plane`] receives it, [`proxy`] (one
//! shard) checks who owns it, scans it with [`sip`], matches it to a [`transaction`], selects a
//! destination with [`dispatch`], reserves it in the call-load table ([`load`]), edits it and hands
//! it back to [`plane`] to send. [`probe`] keeps the states of the destinations; [`control`] and
//! [`source`] are the operator's side.
//!
//! The rooms `sip`, `dispatch`, `load`, `transaction`, `probe`, `proxy`, `agent` and `sim` are pure:
//! no socket, no clock, no thread, no chance except what is handed in. The same code therefore runs
//! in production and in [`sim`], where a seed reproduces every run bit for bit.

pub mod agent;
pub mod arena;
pub mod chunked;
pub mod control;
pub mod demo;
pub mod dispatch;
pub mod index;
pub mod listener;
pub mod load;
pub mod plane;
pub mod probe;
pub mod proxy;
pub mod rng;
pub mod route;
pub mod sim;
pub mod sip;
pub mod source;
pub mod time;
pub mod transaction;
