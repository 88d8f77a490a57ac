//! What a shard is told once, at start: addresses, timers, limits, the built-in route's choices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::{SetId, Thresholds};
use crate::route::host::Level;
use crate::route::program::Program;

/// The index of a listen address; every shard has one socket for each.
pub type SocketId = u16;

/// One listen address (UDP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address that the sockets are bound to: never a wildcard.
    pub address: SocketAddr,
    /// What Via and Record-Route name instead, with or without a port.
    pub advertise: Option<String>,
    /// Its name, for the attribute `sockname`, the parameter `ds_default_sockname` and routing
    /// configurations. What a wildcard stands for has the wildcard's name; of several of one name the
    /// first counts.
    pub name: Option<Box<str>>,
}

impl From<SocketAddr> for Listener {
    /// One without a name.
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            advertise: None,
            name: None,
        }
    }
}

impl Listener {
    /// What Via and Record-Route name: an address with its port.
    pub fn sent_by(&self) -> String {
        let Some(advertise) = &self.advertise else {
            return self.address.to_string();
        };
        let has_port = match advertise.rsplit_once(':') {
            Some((host, _)) => !host.contains(':') || host.ends_with(']'),
            None => false,
        };
        if has_port {
            advertise.clone()
        } else {
            format!("{advertise}:{}", self.address.port())
        }
    }

    /// Whether this is its name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// Whether its sockets may come to be bound to this address: a wildcard to any of its family, port
    /// 0 to any port.
    pub fn may_become(&self, address: SocketAddr) -> bool {
        let own = self.address;
        let is_ip = own.ip() == address.ip()
            || own.ip().is_unspecified() && own.is_ipv4() == address.is_ipv4();
        is_ip && (own.port() == 0 || own.port() == address.port())
    }

    /// The address of a socket as lists and configurations write it: `udp:IP:PORT`.
    pub fn parse_address(socket: &str) -> Option<SocketAddr> {
        socket.strip_prefix("udp:").unwrap_or(socket).parse().ok()
    }
}

/// How requests are relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayMode {
    /// Without transactions: each message on its own, replies by Via.
    Stateless,
    /// With transactions: 100 at once, retransmission, failover, CANCEL hop by hop.
    Stateful,
}

/// The timers of RFC 3261 (table 4) and section 16.6 step 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip; timeouts are 64 times this.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE answers.
    pub t2: Duration,
    /// Longest time that a message stays in the network.
    pub t4: Duration,
    /// Timer C: an INVITE branch that rings longer than this is given up.
    pub c: Duration,
    /// How long an answered transaction absorbs or passes on what is repeated (timers J, L and M; a
    /// configuration's `wt_timer`), most of that time from few words. What is repeated later is dealt
    /// with without transaction.
    pub wait: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            c: Duration::from_secs(180 + 1),
            wait: Duration::from_secs(32),
        }
    }
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

/// The call-load table's parameters (`ds_hash_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLoadSettings {
    /// log2 of the number of slots over all shards.
    pub hash_size: u32,
    /// A confirmed call is forgotten this long after its last 2xx.
    pub expire: Duration,
    /// A call that was never answered is forgotten after this.
    pub initexpire: Duration,
    /// How often every slot is looked at.
    pub check_interval: Duration,
    /// Most cells over all shards; beyond it new calls get 503.
    pub max_calls: u32,
}

impl Default for CallLoadSettings {
    fn default() -> Self {
        Self {
            hash_size: 16,
            expire: Duration::from_secs(7200),
            initexpire: Duration::from_secs(7200),
            check_interval: Duration::from_secs(30),
            max_calls: 4_000_000,
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
