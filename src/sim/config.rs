//! What kind of world a seed stands for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rand::RngExt as _;

use super::network::Weather;
use crate::proxy::RelayMode;
use crate::rng::Rng;

/// Which things go wrong in a world, besides the weather.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Faults {
    /// Gateways die, silently or with ICMP errors, and come back, some without their memory.
    pub deaths: bool,
    /// Shards stand still for up to two seconds.
    pub pauses: bool,
    /// Hand-off rings have room for next to nothing.
    pub small_rings: bool,
    /// The list is loaded anew: destinations go and come back, limits and priorities change.
    pub reloads: bool,
    /// The operator disables and enables destinations.
    pub operator: bool,
    /// Callers that know the standard and take every liberty, and some that do not know it.
    pub rogues: bool,
    /// Strangers who forge BYEs and answers for calls that they have overheard.
    pub forgers: bool,
    /// Strangers who send garbage and spoilt copies of what they have overheard.
    pub vandals: bool,
    /// Gateways refuse, ring for ever, or ignore some of the calls.
    pub moody_gateways: bool,
    /// The last gateway answers as nobody should.
    pub tricksters: bool,
    /// There is room for few transactions and few cells only.
    pub tight_limits: bool,
}

/// Everything that a world is made from. [`SimConfig::from_seed`] draws one.
#[derive(Clone, Debug, PartialEq)]
pub struct SimConfig {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Shards of the proxy, 1 to 4.
    pub shards: u16,
    /// How requests are relayed.
    pub relay: RelayMode,
    /// The dispatcher's algorithm: 0, 4, 8 or 10.
    pub algorithm: u32,
    /// How long an answered transaction is kept (`wt_timer`).
    pub wait: Duration,
    /// The proxy's addresses, one or two.
    pub listeners: Vec<SocketAddr>,
    /// Gateways, from 2 on.
    pub gateways: u16,
    /// Most calls for each gateway; 0 for no limit.
    pub maxload: u32,
    /// Most gateways that a call is offered to.
    pub most_branches: usize,
    /// Whether the last destination is kept for when all others are out.
    pub use_default: bool,
    /// Whether keepalives are sent.
    pub probing: bool,
    /// Whether a datagram reaches any shard, instead of the same for the same pair of addresses.
    pub scattered: bool,
    /// Calls that each of the callers makes.
    pub calls: u64,
    /// How long there are faults.
    pub duration: Duration,
    /// How long an answered call is remembered (`ds_hash_expire`).
    pub expire: Duration,
    /// How long a call that was not answered is remembered (`ds_hash_initexpire`).
    pub initexpire: Duration,
    /// What the network does.
    pub weather: Weather,
    /// What else goes wrong.
    pub faults: Faults,
}

impl SimConfig {
    /// The world of a seed. Of twenty, four have no faults and no loss, three only loss, three only
    /// gateways that die; in the others anything goes.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed ^ 0x5eed_5eed_5eed_5eed);
        let climate = match rng.random_range(0..20_u32) {
            0..4 => Climate::Calm,
            4..7 => Climate::Lossy,
            7..10 => Climate::Deadly,
            _ => Climate::Wild,
        };
        let drawn = Self::draw(seed, climate, &mut rng);
        match climate {
            Climate::Calm | Climate::Wild => drawn,
            Climate::Lossy => Self {
                relay: RelayMode::Stateful,
                ..drawn
            },
            Climate::Deadly => Self {
                relay: RelayMode::Stateful,
                maxload: 0,
                most_branches: 12,
                probing: false,
                ..drawn
            },
        }
    }

    fn draw(seed: u64, climate: Climate, rng: &mut Rng) -> Self {
        let is_calm = climate == Climate::Calm;
        Self {
            seed,
            shards: rng.random_range(1..=4),
            relay: if rng.random_ratio(3, 5) {
                RelayMode::Stateful
            } else {
                RelayMode::Stateless
            },
            // As the standards have it, or Kamailio.
            wait: Duration::from_secs(if seed % 4 == 3 { 5 } else { 32 }),
            algorithm: [10, 10, 10, 10, 10, 0, 4, 8][rng.random_range(0..8_usize)],
            listeners: listeners(rng),
            gateways: rng.random_range(2..=5),
            maxload: if rng.random_ratio(1, 3) {
                0
            } else {
                rng.random_range(2..=12)
            },
            most_branches: if rng.random_ratio(1, 2) {
                12
            } else {
                rng.random_range(1..=4)
            },
            use_default: rng.random_ratio(1, 5),
            probing: rng.random_ratio(2, 3),
            scattered: rng.random_ratio(1, 3),
            calls: rng.random_range(20..=60),
            duration: Duration::from_secs(rng.random_range(30..=70)),
            expire: Duration::from_secs(if climate != Climate::Wild || rng.random_ratio(3, 4) {
                rng.random_range(60..=240)
            } else {
                rng.random_range(4..=20)
            }),
            initexpire: Duration::from_secs(rng.random_range(50..=240)),
            weather: Weather::draw(rng, is_calm),
            faults: Faults::draw(rng, climate),
        }
    }

    /// Whether nothing that happens in this world can keep a call from being carried to its end.
    pub fn is_kind(&self) -> bool {
        self.weather.loss_permille == 0 && !self.is_hard()
    }

    /// Whether nothing worse happens than that datagrams are lost, between ends with transactions.
    pub fn is_only_lossy(&self) -> bool {
        self.relay == RelayMode::Stateful && !self.is_hard()
    }

    /// Whether something may end a call before its time.
    fn is_hard(&self) -> bool {
        let faults = &self.faults;
        faults.deaths
            || faults.pauses
            || faults.small_rings
            || faults.vandals
            || faults.moody_gateways
            || faults.tricksters
            || faults.tight_limits
            || self.expire < Duration::from_secs(60)
    }
}

/// The kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Climate {
    Calm,
    Lossy,
    Deadly,
    Wild,
}

impl Faults {
    fn draw(rng: &mut Rng, climate: Climate) -> Self {
        let mut likely = |percent| rng.random_ratio(percent, 100);
        match climate {
            Climate::Calm => Self::default(),
            Climate::Lossy => Self {
                reloads: likely(40),
                rogues: likely(50),
                forgers: likely(50),
                ..Self::default()
            },
            Climate::Deadly => Self {
                deaths: true,
                moody_gateways: likely(50),
                rogues: likely(50),
                forgers: likely(50),
                ..Self::default()
            },
            Climate::Wild => Self {
                deaths: likely(50),
                pauses: likely(25),
                small_rings: likely(25),
                reloads: likely(40),
                operator: likely(25),
                rogues: likely(60),
                forgers: likely(40),
                vandals: likely(35),
                moody_gateways: likely(40),
                tricksters: likely(25),
                tight_limits: likely(12),
            },
        }
    }
}

/// One or two addresses; two are of different families in half of the worlds.
fn listeners(rng: &mut Rng) -> Vec<SocketAddr> {
    let first = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), 5060);
    let second: IpAddr = if rng.random_ratio(1, 2) {
        Ipv4Addr::new(10, 0, 0, 2).into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
    };
    if rng.random_ratio(1, 2) {
        vec![first]
    } else {
        vec![first, SocketAddr::new(second, 5060)]
    }
}
