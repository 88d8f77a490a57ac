//! The proxy as a process: its shards, the rings between them, the prober, what is loaded.
//!
//! Owns: everything of the system under test. It does for the shards what `plane` does with threads
//! and sockets, and lets things happen between them that threads only do now and then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use rand::RngExt as _;

use super::config::SimConfig;
use crate::dispatch::Sets;
use crate::load::Ownership;
use crate::probe::{ProbeSettings, Prober, ProbingMode, Share};
use crate::proxy::{
    CallLoadSettings, Datagram, FailoverSettings, Limits, Listener, Outbox, Settings, Shard,
    ShardId, SocketId, Timers, Verdict,
};
use crate::rng::Rng;
use crate::time::Timestamp;

/// How often each slot of the call table is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Into so many slices the metronome cuts the slots.
const EXPIRY_SLICES: u32 = 8;
/// Datagrams in a ring, as a rule.
const RING: usize = 1_024;
/// And where rings are small.
const SMALL_RING: usize = 3;
/// Transactions and cells for each shard where limits are tight.
const TIGHT: u32 = 16;

/// One shard in its place.
#[derive(Debug)]
pub(super) struct Seat {
    pub shard: Shard,
    /// It stands still until then.
    pub paused_until: Timestamp,
    /// What it has been told to dispatch to.
    pub sets: Arc<Sets>,
    /// Datagrams in its ring.
    pub in_ring: usize,
}

/// The proxy.
#[derive(Debug)]
pub(super) struct Plane {
    pub settings: Arc<Settings>,
    pub seats: Vec<Seat>,
    pub prober: Option<Prober>,
    /// The newest publication; shards may not have it yet.
    pub sets: Arc<Sets>,
    pub rings_full: u64,
    pub hand_offs: u64,
    ring: usize,
    scattered: bool,
    rng: Rng,
    flow_hasher: RandomState,
    next_slice: u32,
}

impl Plane {
    pub fn new(config: &SimConfig, sets: Arc<Sets>, rng: &mut Rng) -> Self {
        let settings = Arc::new(settings(config));
        let secret = rng.next();
        let seats = (0..config.shards)
            .map(|id| Seat {
                shard: Shard::new(
                    id,
                    Arc::clone(&settings),
                    Arc::clone(&sets),
                    secret,
                    rng.next(),
                    Timestamp::ZERO,
                ),
                paused_until: Timestamp::ZERO,
                sets: Arc::clone(&sets),
                in_ring: 0,
            })
            .collect();
        let prober = config.probing.then(|| prober(config, &sets, secret, rng));
        Self {
            settings,
            seats,
            prober,
            sets,
            rings_full: 0,
            hand_offs: 0,
            ring: if config.faults.small_rings {
                SMALL_RING
            } else {
                RING
            },
            scattered: config.scattered,
            rng: Rng::from_seed(rng.next()),
            flow_hasher: RandomState::with_seeds(5, 6, 7, 8),
            next_slice: 0,
        }
    }

    /// The number of the socket that is bound to this address.
    pub fn socket(&self, address: SocketAddr) -> Option<SocketId> {
        let mut listeners = self.settings.listeners.iter();
        let place = listeners.position(|listener| listener.address == address)?;
        Some(place as SocketId)
    }

    /// The shard whose socket the kernel gives a datagram to.
    pub fn arrives_at(&mut self, from: SocketAddr, to: SocketAddr) -> ShardId {
        let shards = self.seats.len() as u64;
        let draw = if self.scattered {
            self.rng.next()
        } else {
            self.flow_hasher.hash_one((from, to))
        };
        (draw % shards) as ShardId
    }

    /// Whether there is room for one more datagram in a shard's ring; if so it is taken.
    pub fn enter_ring(&mut self, shard: ShardId) -> bool {
        let seat = &mut self.seats[usize::from(shard)];
        if seat.in_ring >= self.ring {
            self.rings_full += 1;
            return false;
        }
        seat.in_ring += 1;
        self.hand_offs += 1;
        true
    }

    /// Hands a datagram to a shard.
    pub fn receive(
        &mut self,
        now: Timestamp,
        shard: ShardId,
        source: SocketAddr,
        socket: SocketId,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Verdict {
        let datagram = Datagram {
            socket,
            source,
            received: now,
            bytes,
        };
        let seat = &mut self.seats[usize::from(shard)];
        seat.shard.receive(now, datagram, out)
    }

    /// Asks every shard to look at the next slice of its slots; returns when to ask again.
    pub fn expire_slice(&mut self, now: Timestamp) -> Timestamp {
        let slice = self.next_slice;
        self.next_slice = (slice + 1) % EXPIRY_SLICES;
        for seat in &mut self.seats {
            let slots = seat.shard.slots();
            let width = u64::from(slots.end - slots.start);
            let cut = |slice: u32| {
                slots.start + (width * u64::from(slice) / u64::from(EXPIRY_SLICES)) as u32
            };
            seat.shard.expire_calls(cut(slice)..cut(slice + 1));
        }
        now + CHECK_INTERVAL / EXPIRY_SLICES
    }
}

impl Seat {
    /// When the shard wants to be ticked, not before its pause is over.
    pub fn deadline(&self) -> Option<Timestamp> {
        Some(self.shard.next_deadline()?.max(self.paused_until))
    }
}

fn listeners(config: &SimConfig) -> Vec<Listener> {
    let addresses = config.listeners.iter().copied();
    addresses.map(Listener::from).collect()
}

fn settings(config: &SimConfig) -> Settings {
    let tight = config.faults.tight_limits;
    Settings {
        listeners: listeners(config),
        shards: config.shards,
        relay: config.relay,
        algorithm: config.algorithm,
        use_default: config.use_default,
        failover: FailoverSettings {
            max_branches: config.most_branches,
            ..FailoverSettings::default()
        },
        timers: Timers {
            wait: config.wait,
            ..Timers::default()
        },
        call_load: CallLoadSettings {
            hash_size: 8,
            expire: config.expire,
            initexpire: config.initexpire,
            check_interval: CHECK_INTERVAL,
            max_calls: if tight {
                TIGHT * u32::from(config.shards)
            } else {
                100_000
            },
        },
        limits: Limits {
            max_transactions: if tight {
                TIGHT * u32::from(config.shards)
            } else {
                100_000
            },
            ..Limits::default()
        },
        ..Settings::default()
    }
}

fn prober(config: &SimConfig, sets: &Sets, secret: u64, rng: &mut Rng) -> Prober {
    let settings = ProbeSettings {
        interval: Duration::from_secs(rng.random_range(1..=5)),
        mode: ProbingMode::All,
        ..ProbeSettings::default()
    };
    // Half of the probers let their answers come back to shard 0, the others to any.
    let ownership = Ownership::new(secret, 8, config.shards);
    let any = rng.random_ratio(1, 2);
    let accept = move |call_id: &[u8]| any || ownership.owner(call_id) == 0;
    let mut prober = Prober::new(
        Arc::new(settings),
        Share { index: 0, count: 1 },
        listeners(config),
        rng.next(),
        Box::new(accept),
    );
    prober.publish(sets, Timestamp::ZERO);
    prober
}
