//! Starting a plane: from settings to running threads.
//!
//! Owns: the order of things. May touch: sockets, threads, the list of cores.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use std::{io, mem};

use core_affinity::CoreId;
use crossbeam::channel::{Receiver, Sender, bounded};
use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};

use super::PlaneCounters;
use super::clock::Clock;
use super::command::{Command, MOST_MESSAGES, ShardPort, TimerMessage, Wish};
use super::expiry::{self, ExpiryPacer};
use super::guarded::{Guarded, Peer};
use super::handle::{Collected, Inner, Plane};
use super::probing::Probing;
use super::ring::{HandoffReceiver, Sleeper, ring, ring_bytes};
use super::socket::{self, SocketOptions};
use super::stages::{Stages, Tally};
use super::steering::{Reach, Steering, SteeringChoice, SteeringError};
use super::timer::{Beat, TimerThread};
use super::worker::{Parts, WAKE, Worker};
use crate::dispatch::Sets;
use crate::load::Ownership;
use crate::load::owner::MAX_HASH_SIZE;
use crate::probe::{ProbeSettings, Prober, Share};
use crate::proxy::{Listener, Outbox, Settings, Shard, ShardId, SocketId};

/// Whether shards are tied to cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pinning {
    /// If there is a core for each.
    #[default]
    Auto,
    /// Always; more shards than cores go around.
    On,
    /// Never.
    Off,
}

/// Who keeps the time of expiry and keepalives (`ds_timer_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerMode {
    /// 0: each shard's own loop.
    #[default]
    Shards = 0,
    /// 1: a thread of its own.
    Thread = 1,
}

impl TryFrom<u32> for TimerMode {
    type Error = u32;

    /// From the parameter's number; the error is the number.
    fn try_from(number: u32) -> Result<Self, u32> {
        match number {
            0 => Ok(Self::Shards),
            1 => Ok(Self::Thread),
            other => Err(other),
        }
    }
}

/// What a plane is told at start besides what its shards are told.
#[derive(Clone, Debug, Default)]
pub struct PlaneOptions {
    /// Whether shards are tied to cores.
    pub pinning: Pinning,
    /// The sizes of the sockets' buffers.
    pub sockets: SocketOptions,
    /// Who keeps the time.
    pub timer_mode: TimerMode,
    /// Keepalives.
    pub probe: Arc<ProbeSettings>,
    /// What a script's wish to read the destinations again does.
    pub on_reload: Option<Wish>,
    /// Whether the kernel brings a call's datagrams to the shard that owns it.
    pub steering: SteeringChoice,
    /// For how long datagrams gather before a shard to which enough comes reads them; zero: not at all.
    pub gather: Duration,
}

/// Why a plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// There is nothing to listen on.
    #[error("no address to listen on")]
    NoListener,
    /// More addresses than sockets can be numbered.
    #[error("{0} addresses to listen on are more than 65535")]
    TooManyListeners(usize),
    /// No shard.
    #[error("at least one shard is needed")]
    NoShard,
    /// `ds_hash_size` is out of range.
    #[error("ds_hash_size {0} is above {MAX_HASH_SIZE}")]
    HashSize(u32),
    /// The interfaces of the machine cannot be read.
    #[error("cannot read the addresses of this machine's interfaces: {0}")]
    Interfaces(#[source] io::Error),
    /// A socket cannot be bound.
    #[error("cannot listen on udp:{address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The steering that was asked for cannot be had.
    #[error(transparent)]
    Steering(#[from] SteeringError),
    /// A thread or what it needs cannot be made.
    #[error("cannot start the thread {thread}: {source}")]
    Thread {
        /// Its name.
        thread: String,
        /// Why.
        source: io::Error,
    },
}

impl Plane {
    /// Binds the sockets and starts the threads. Wildcard listen addresses are replaced by those of
    /// the interfaces, port 0 by a free port: [`PlaneHandle::settings`](super::PlaneHandle::settings)
    /// has them as they turned out.
    pub fn start(
        settings: &Settings,
        options: &PlaneOptions,
        sets: &Arc<Sets>,
    ) -> Result<Self, PlaneError> {
        if settings.shards == 0 {
            return Err(PlaneError::NoShard);
        }
        if settings.call_load.hash_size > MAX_HASH_SIZE {
            return Err(PlaneError::HashSize(settings.call_load.hash_size));
        }
        let (mut settings, groups) = bind_all(settings, options.sockets)?;
        let clock = Clock::new();
        settings.unix_origin = clock.unix_origin();
        let secret = rand::random();
        let (hash_size, shards) = (settings.call_load.hash_size, settings.shards);
        let ownership = Ownership::new(secret, hash_size, shards);
        let steering = Steering::attach(options.steering, &ownership, &groups)?;
        tracing::info!("{}", steering.report());
        let blueprint = Blueprint {
            secret,
            ownership,
            settings: Arc::new(settings),
            options,
            sets,
            clock,
        };
        blueprint.build(groups, steering)
    }
}

/// Binds a group of sockets for each listen address: the settings with the addresses that they got,
/// and for each listener the sockets of all shards.
fn bind_all(
    settings: &Settings,
    options: SocketOptions,
) -> Result<(Settings, Vec<Vec<UdpSocket>>), PlaneError> {
    let listeners = socket::expand(&settings.listeners).map_err(PlaneError::Interfaces)?;
    if listeners.is_empty() {
        return Err(PlaneError::NoListener);
    }
    if listeners.len() > usize::from(SocketId::MAX) {
        return Err(PlaneError::TooManyListeners(listeners.len()));
    }
    let mut settings = settings.clone();
    settings.listeners.clear();
    let mut told = false;
    let mut groups = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let address = listener.address;
        let bind_error = |source| PlaneError::Bind { address, source };
        let group = socket::bind_group(address, usize::from(settings.shards), options)
            .map_err(bind_error)?;
        let got_bytes = socket::receive_buffer_bytes(&group[0]);
        if got_bytes < options.receive_buffer_bytes && !mem::replace(&mut told, true) {
            tracing::warn!(
                got_bytes,
                asked_bytes = options.receive_buffer_bytes,
                "bursts may be lost: raise net.core.rmem_max to let the receive buffers grow"
            );
        }
        settings.listeners.push(Listener {
            address: group[0].local_addr().map_err(bind_error)?,
            ..listener
        });
        groups.push(group);
    }
    Ok((settings, groups))
}

/// Everything that the threads are made from.
struct Blueprint<'a> {
    secret: u64,
    ownership: Ownership,
    settings: Arc<Settings>,
    options: &'a PlaneOptions,
    sets: &'a Arc<Sets>,
    clock: Clock,
}

/// What one shard's thread is given, apart from its shard.
struct Seat {
    poll: Poll,
    sleeper: Arc<Sleeper>,
    inbox: Receiver<Command>,
    sockets: Vec<UdpSocket>,
    inbound: Vec<HandoffReceiver>,
    peers: Vec<Option<Peer>>,
}

impl Blueprint<'_> {
    fn build(self, groups: Vec<Vec<UdpSocket>>, steering: Steering) -> Result<Plane, PlaneError> {
        let shards = usize::from(self.settings.shards);
        let mut ports = Vec::with_capacity(shards);
        let mut seats = Vec::with_capacity(shards);
        let mut columns: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
        for shard in 0..shards {
            let sockets = columns.iter_mut().filter_map(Iterator::next).collect();
            let (port, seat) = seat(sockets).map_err(thread_error(&shard_name(shard)))?;
            ports.push(port);
            seats.push(seat);
        }
        connect(&mut seats);
        let (timer, timer_inbox) = match self.options.timer_mode {
            TimerMode::Shards => (None, None),
            TimerMode::Thread => {
                let (to, from) = bounded(MOST_MESSAGES);
                (Some(to), Some(from))
            }
        };
        // From here on a failure drops the plane, which ends the threads that run.
        let plane = Plane::new(Inner {
            settings: Arc::clone(&self.settings),
            clock: self.clock.clone(),
            ports: ports.clone(),
            timer: timer.clone(),
            steering,
            stages: Mutex::new(Collected::new()),
            threads: Mutex::new(Vec::new()),
        });
        if let Some(inbox) = timer_inbox {
            self.start_timer(&plane, &seats[0].sockets, &ports, inbox)?;
        }
        let reach = plane.inner().steering.reach();
        let cores = self.cores();
        for (id, seat) in seats.into_iter().enumerate() {
            let core = cores.get(id % cores.len().max(1)).copied();
            let probing = self.probing(id as ShardId, &ports, timer.as_ref());
            self.start_shard(&plane, id as ShardId, (seat, probing, reach), core)?;
        }
        Ok(plane)
    }

    /// Who probes for a shard.
    fn probing(
        &self,
        id: ShardId,
        ports: &[ShardPort],
        timer: Option<&Sender<TimerMessage>>,
    ) -> Probing {
        if let Some(timer) = timer {
            return Probing::There(timer.clone());
        }
        let share = Share {
            index: id,
            count: self.settings.shards,
        };
        // The answer comes to the owner of the Call-ID, which must be the prober.
        let ownership = self.ownership;
        let others = ports.iter().enumerate();
        Probing::Here {
            prober: Box::new(self.prober(share, move |call_id| ownership.owner(call_id) == id)),
            others: others
                .filter(|(other, _)| *other != usize::from(id))
                .map(|(_, port)| port.clone())
                .collect(),
        }
    }

    fn prober(&self, share: Share, accept: impl Fn(&[u8]) -> bool + Send + 'static) -> Prober {
        let listeners = self.settings.listeners.clone();
        let probe = Arc::clone(&self.options.probe);
        let mut prober = Prober::new(probe, share, listeners, rand::random(), Box::new(accept));
        prober.publish(self.sets, self.clock.clone().now());
        prober
    }

    fn pacer(&self, id: ShardId) -> ExpiryPacer {
        let interval = self.settings.call_load.check_interval;
        ExpiryPacer::new(
            self.clock.clone().now(),
            self.ownership.slots_of(id),
            interval,
            expiry::step(interval, self.settings.shards),
        )
    }

    fn start_timer(
        &self,
        plane: &Plane,
        sockets: &[UdpSocket],
        ports: &[ShardPort],
        inbox: Receiver<TimerMessage>,
    ) -> Result<(), PlaneError> {
        let name = "timer";
        let copies: io::Result<Vec<_>> = sockets.iter().map(UdpSocket::try_clone).collect();
        let thread = TimerThread {
            clock: self.clock.clone(),
            // Its keepalives are answered to whatever shard; all bring the answers here.
            prober: self.prober(Share { index: 0, count: 1 }, |_| true),
            sockets: copies.map_err(thread_error(name))?,
            beats: ports
                .iter()
                .enumerate()
                .map(|(id, port)| Beat {
                    pacer: self.pacer(id as ShardId),
                    port: port.clone(),
                })
                .collect(),
            inbox,
        };
        spawn(plane, name, move || thread.run())
    }

    fn start_shard(
        &self,
        plane: &Plane,
        id: ShardId,
        (seat, probing, reach): (Seat, Probing, Option<Reach>),
        core: Option<CoreId>,
    ) -> Result<(), PlaneError> {
        let (secret, seed) = (self.secret, rand::random());
        let (settings, sets) = (Arc::clone(&self.settings), Arc::clone(self.sets));
        let mut clock = self.clock.clone();
        let gather = self.options.gather;
        let on_reload = self.options.on_reload.clone();
        let pacer = match self.options.timer_mode {
            TimerMode::Shards => Some(self.pacer(id)),
            TimerMode::Thread => None,
        };
        // The shard is made by its own thread, so that its memory is near that thread's core.
        spawn(plane, &shard_name(usize::from(id)), move || {
            if let Some(core) = core
                && !core_affinity::set_for_current(core)
            {
                tracing::warn!(shard = id, core = core.id, "cannot tie a shard to a core");
            }
            let guarded = Guarded {
                shard: Shard::new(id, settings, sets, secret, seed, clock.now()),
                out: Outbox::new(),
                peers: seat.peers,
                reach,
                probing,
                counters: PlaneCounters::default(),
                stages: Stages::new(),
                tally: Tally::default(),
                panic_logged: None,
                on_reload,
            };
            let parts = Parts {
                guarded,
                clock,
                poll: seat.poll,
                sockets: seat.sockets,
                inbound: seat.inbound,
                inbox: seat.inbox,
                sleeper: seat.sleeper,
                pacer,
                gather,
            };
            Worker::new(parts).run();
        })
    }

    /// The cores to tie shards to, in turn; none if they are not to be tied.
    fn cores(&self) -> Vec<CoreId> {
        if self.options.pinning == Pinning::Off {
            return Vec::new();
        }
        let Some(cores) = core_affinity::get_core_ids() else {
            tracing::warn!("cannot learn which cores there are: the shards are not tied to any");
            return Vec::new();
        };
        let enough = cores.len() >= usize::from(self.settings.shards);
        if enough || self.options.pinning == Pinning::On {
            cores
        } else {
            Vec::new()
        }
    }
}

/// Where a shard will wait: its poll, which watches its sockets, and what wakes it.
fn seat(sockets: Vec<UdpSocket>) -> io::Result<(ShardPort, Seat)> {
    let poll = Poll::new()?;
    let sleeper = Arc::new(Sleeper::new(&poll, WAKE)?);
    for (number, socket) in sockets.iter().enumerate() {
        let mut source = SourceFd(&socket.as_raw_fd());
        let registry = poll.registry();
        registry.register(&mut source, Token(number), Interest::READABLE)?;
    }
    let (port, inbox) = ShardPort::new(Arc::clone(&sleeper));
    let seat = Seat {
        poll,
        sleeper,
        inbox,
        sockets,
        inbound: Vec::new(),
        peers: Vec::new(),
    };
    Ok((port, seat))
}

/// Lays a ring from each shard to each other.
fn connect(seats: &mut [Seat]) {
    let capacity = ring_bytes(seats.len());
    for from in 0..seats.len() {
        for to in 0..seats.len() {
            let peer = (from != to).then(|| {
                let (sender, receiver) = ring(capacity);
                seats[to].inbound.push(receiver);
                Peer {
                    ring: sender,
                    sleeper: Arc::clone(&seats[to].sleeper),
                }
            });
            seats[from].peers.push(peer);
        }
    }
}

fn spawn(
    plane: &Plane,
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), PlaneError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    plane
        .inner()
        .add_thread(thread.map_err(thread_error(name))?);
    Ok(())
}

fn shard_name(shard: usize) -> String {
    format!("shard-{shard}")
}

fn thread_error(name: &str) -> impl Fn(io::Error) -> PlaneError + use<> {
    let thread = name.to_owned();
    move |source| PlaneError::Thread {
        thread: thread.clone(),
        source,
    }
}
