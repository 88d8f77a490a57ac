//! What a shard is told once, at start: addresses, timers, limits, the built-in route's choices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::{SetId, Thresholds};
pub use crate::listener::{Listener, SocketId};
pub use crate::load::CallLoadSettings;
use crate::route::host::Level;
use crate::route::program::Program;
pub use crate::transaction::Timers;

/// How requests are relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayMode {
    /// Without transactions: each message on its own, replies by Via.
    Stateless,
    /// With transactions: 100 at once, retransmission, failover, CANCEL hop by hop.
    Stateful,
}

/// When the next destination is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverSettings {
    /// How long a destination may give no answer at all.
    pub no_answer: Duration,
    /// Final answers that move a request to the next destination.
    pub codes: Vec<u16>,
    /// Most destinations tried for one request.
    pub max_branches: usize,
}

impl Default for FailoverSettings {
    fn default() -> Self {
        Self {
            no_answer: Duration::from_secs(2),
            codes: vec![408, 500, 503],
            max_branches: 12,
        }
    }
}

/// Bounds that are not a count of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most transactions over all shards; beyond it new requests get 503. So they do when the messages
    /// kept for transactions take 4 KiB for each of these.
    pub max_transactions: u32,
    /// What `Retry-After` says in such a 503.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_transactions: 1_000_000,
            retry_after: Duration::from_secs(5),
        }
    }
}

/// Everything a shard is told at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The listen addresses; a [`SocketId`] is an index into this.
    pub listeners: Vec<Listener>,
    /// How many shards there are.
    pub shards: u16,
    /// How requests are relayed.
    pub relay: RelayMode,
    /// The set that new calls are dispatched to.
    pub set: SetId,
    /// The algorithm, by the peers' number.
    pub algorithm: u32,
    /// Whether the last destination of a set is kept for when all others are out (`use_default`).
    pub use_default: bool,
    /// Whether algorithms that hash a URI take its user alone (`flags`, bit 1).
    pub user_only: bool,
    /// Whether choices are Kamailio's also where sipshard does better (`ds_compat`).
    pub compat: bool,
    /// The listen address that dispatched requests leave by, unless the destination has its own
    /// (`ds_default_socket`).
    pub default_socket: Option<SocketAddr>,
    /// The same by its name, which counts for more (`ds_default_sockname`).
    pub default_sockname: Option<Box<str>>,
    /// Protocol timers.
    pub timers: Timers,
    /// When the next destination is tried.
    pub failover: FailoverSettings,
    /// The call-load table.
    pub call_load: CallLoadSettings,
    /// Other bounds.
    pub limits: Limits,
    /// Names of our own beside the listen addresses; one that begins with a dot stands for all below.
    pub aliases: Vec<String>,
    /// The routing configuration; `None`: the built-in one, filled in with what is said here.
    pub program: Option<Arc<Program>>,
    /// Whether the other destinations of a set are kept for failover (`flags`, bit 2).
    pub keeps_others: bool,
    /// How many results change a state, where scripts report them.
    pub thresholds: Thresholds,
    /// Whether a destination that a script marks as inactive is probed.
    pub probes_marked: bool,
    /// The time since 1970 when time began for the shards.
    pub unix_origin: Duration,
    /// The least grave lines of the log that scripts write.
    pub log_level: Level,
}

impl Settings {
    /// Whether requests are relayed in transactions.
    pub fn has_transactions(&self) -> bool {
        match &self.program {
            Some(program) => program.has_transactions(),
            None => self.relay == RelayMode::Stateful,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            shards: 1,
            relay: RelayMode::Stateful,
            set: 1,
            algorithm: 10,
            use_default: false,
            user_only: false,
            compat: false,
            default_socket: None,
            default_sockname: None,
            timers: Timers::default(),
            failover: FailoverSettings::default(),
            call_load: CallLoadSettings::default(),
            limits: Limits::default(),
            aliases: Vec::new(),
            program: None,
            keeps_others: true,
            thresholds: Thresholds::default(),
            probes_marked: true,
            unix_origin: Duration::ZERO,
            log_level: Level::Info,
        }
    }
}
