//! A seeded world for the proxy: virtual time, a network that loses, doubles and reorders, callers and
//! gateways of every kind, and witnesses that check every step.
//!
//! Owns: a world ([`World`]), made from a [`SimConfig`], which [`SimConfig::from_seed`] draws. May
//! touch: memory only. The shards in it are those of production ([`crate::proxy::Shard`]), with the
//! prober of production and the agents that the demo and the load generator use. Everything is decided
//! by the seed: the same seed gives the same bytes, on the same kind of machine (some hashes use
//! instructions that not every machine has).
//!
//! A world lives through a time of faults, heals, becomes quiet, proves by fresh calls that it is well,
//! and becomes quiet again. Checked all the time, numbered as in the messages:
//!
//! 1. For each destination the counted cells of all shards are as many as its counter says. Forged
//!    messages do not change it.
//! 2. No call is admitted beyond maxload (a reload may lower it below what there is), and none is
//!    refused for want of room while there is room.
//! 3. A request gets at most one final answer upstream; the same one may be repeated. Exceptions: a
//!    2xx to an INVITE follows another final answer if the INVITE went to several destinations or to
//!    one that lost its memory in between, or if the proxy forgot it in between by `wt_timer` (RFC
//!    3261 section 16.7 step 5: every 2xx is passed on). An answer of the proxy's own for which
//!    nothing is kept may change: 503 at the limit of transactions, answers to requests other than
//!    INVITE. Without transactions nothing is promised, nor at their limit of what belongs to a call.
//!    An answer goes to whoever asked.
//! 4. A retransmission never selects a new destination, nor does an INVITE of a call that comes by
//!    another way. Without transactions, requests that belong to no call may.
//! 5. ACK, CANCEL and every request inside a dialog go to the gateway that their INVITE went to.
//! 6. Transactions, cells and memory stay within their bounds, and nothing keeps a shard busy for
//!    ever.
//! 7. After healing everything goes back to zero: calls counted, cells, transactions, stored
//!    messages.
//! 8. No panic. What is sent is SIP and can be reached by its socket. What was handed off is not handed
//!    off again, a forged answer goes nowhere. With transactions: nothing but an ACK goes on without
//!    one, or at their limit what belongs to a call; an INVITE is answered at once and in
//!    the end, a CANCEL reaches every ringing branch and ends failover, an undeliverable INVITE goes
//!    on at once, nobody is told that a call failed while a gateway is left. Where nothing stands in
//!    their way, calls are carried out; after healing all are.
//!
//! A broken promise ends the run with a [`Failure`], whose text has the seed, the time and the ladder of
//! the call.

mod agenda;
mod checks;
mod config;
mod duties;
mod faults;
mod key;
mod ledger;
mod licence;
mod life;
mod network;
mod peers;
mod plane;
mod report;
mod rogues;
mod scripts;
mod seen;
mod story;
mod strangers;
mod tricksters;
mod watch;
mod world;

pub use config::{Faults, SimConfig};
pub use network::Weather;
pub use report::{Failure, Report};
pub use story::{Listener, Violation};
pub use world::World;
