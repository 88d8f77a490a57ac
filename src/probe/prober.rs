//! The prober: sends keepalives in a steady rhythm and turns their results into states.
//!
//! Each destination has its own place in the interval, spread evenly, so keepalives never come in a
//! burst. One keepalive is in flight for a destination at a time; it is sent again by RFC 3261
//! timer E until its own timeout.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::message::{self, Marks};
use super::settings::{ProbeSettings, ProbingMode};
use super::tokens::Tokens;
use crate::dispatch::{Destination, Latency, Sets};
use crate::listener::{Listener, SocketId};
use crate::proxy::{Outbox, ProbeAnswer};
use crate::rng::Rng;
use crate::time::Timestamp;

/// What a keepalive that was never answered counts as (RFC 3261 section 8.1.3.1).
const CODE_TIMEOUT: u16 = 408;
/// What a keepalive that could not be sent counts as, in the peers too.
const CODE_UNDELIVERABLE: u16 = 500;
/// How many Call-IDs are tried until one is accepted. With 256 shards all miss with a chance of e^-64.
const MOST_CALL_IDS: u32 = 16_384;
/// However short T1 is set, keepalives are not repeated faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The golden ratio's fraction of 2^64: its multiples spread over a circle more evenly than any other
/// number's, however many there are.
const PHASE_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which part of the destinations a prober probes: every `count`-th, from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// This prober's number.
    pub index: u16,
    /// How many probers there are.
    pub count: u16,
}

/// What probing did to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It can be selected again.
    Up,
    /// It is passed over from now on.
    Down,
}

/// A destination went up or down.
#[derive(Clone, Debug)]
pub struct ProbeEvent {
    /// Which.
    pub destination: Arc<Destination>,
    /// Whither.
    pub change: Change,
    /// The SIP code that decided it; 408 for no answer, 500 if the keepalive could not be sent.
    pub code: u16,
}

/// Whether an answer with this Call-ID comes back to where the keepalive was sent from.
pub type AcceptCallId = Box<dyn Fn(&[u8]) -> bool + Send>;

/// Sends keepalives to its share of the destinations.
pub struct Prober {
    settings: Arc<ProbeSettings>,
    share: Share,
    listeners: Vec<Listener>,
    accept: AcceptCallId,
    tokens: Tokens,
    first_phase: u64,
    active: bool,
    watches: Vec<Watch>,
    /// When each watch wants to be looked at: always exactly one entry for each.
    queue: BinaryHeap<Reverse<(Timestamp, u32)>>,
    /// The watch of each token in flight.
    in_flight: BTreeMap<u64, u32>,
    events: Vec<ProbeEvent>,
    scratch: Vec<u8>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober")
            .field("share", &self.share)
            .field("active", &self.active)
            .field("watches", &self.watches.len())
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}

/// One destination that may be probed.
struct Watch {
    destination: Arc<Destination>,
    to: SocketAddr,
    socket: SocketId,
    /// Its next place in the rhythm.
    next_at: Timestamp,
    flight: Option<Flight>,
}

/// A keepalive that waits for its answer.
#[derive(Clone, Copy)]
struct Flight {
    marks: Marks,
    sent: Timestamp,
    deadline: Timestamp,
    resend_at: Timestamp,
    /// The pause before `resend_at`.
    pause: Duration,
}

impl Watch {
    fn due(&self) -> Timestamp {
        self.flight.map_or(self.next_at, |flight| {
            self.next_at.min(flight.deadline).min(flight.resend_at)
        })
    }

    /// Whether a keepalive in flight for `other` is as good for this one.
    fn continues(&self, other: &Self) -> bool {
        self.to == other.to
            && self.socket == other.socket
            && self.destination.uri == other.destination.uri
    }
}

impl Prober {
    /// A prober without destinations. A [`SocketId`] is an index into `listeners`. `seed` is a
    /// secret: who knows it can forge answers. `accept` tells which Call-IDs may be used.
    pub fn new(
        settings: Arc<ProbeSettings>,
        share: Share,
        listeners: Vec<Listener>,
        seed: u64,
        accept: AcceptCallId,
    ) -> Self {
        let mut rng = Rng::from_seed(seed);
        Self {
            settings,
            share,
            listeners,
            accept,
            tokens: Tokens::new(&mut rng),
            first_phase: rng.next(),
            active: true,
            watches: Vec::new(),
            queue: BinaryHeap::new(),
            in_flight: BTreeMap::new(),
            events: Vec::new(),
            scratch: Vec::with_capacity(64),
        }
    }

    /// Takes over newly loaded sets. A destination that was there before keeps its place in the
    /// rhythm, and its keepalive in flight if it still leads to the same place.
    pub fn publish(&mut self, sets: &Sets, now: Timestamp) {
        let mut before: BTreeMap<usize, Watch> = std::mem::take(&mut self.watches)
            .into_iter()
            .map(|watch| (identity(&watch.destination), watch))
            .collect();
        self.queue.clear();
        self.in_flight.clear();
        if self.settings.interval.is_zero() {
            return;
        }
        let count = usize::from(self.share.count.max(1));
        let own = sets.destinations().enumerate();
        for (place, destination) in own.skip(usize::from(self.share.index)).step_by(count) {
            let Some((to, socket)) = self.route(destination) else {
                continue;
            };
            let mut watch = Watch {
                destination: Arc::clone(destination),
                to,
                socket,
                next_at: now + self.phase(place),
                flight: None,
            };
            if let Some(old) = before.remove(&identity(destination)) {
                watch.next_at = old.next_at;
                watch.flight = old.flight.filter(|_| watch.continues(&old));
            }
            let index = self.watches.len() as u32;
            if let Some(flight) = &watch.flight {
                self.in_flight.insert(flight.marks.token, index);
            }
            self.queue.push(Reverse((watch.due(), index)));
            self.watches.push(watch);
        }
    }

    /// Starts or stops probing (RPC `ping_active`). Keepalives in flight still count.
    pub fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    /// Whether it probes.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        while let Some(&Reverse((at, index))) = self.queue.peek()
            && at <= now
        {
            self.queue.pop();
            self.look_at(index, now, out);
            let due = self.watches[index as usize].due();
            self.queue.push(Reverse((due, index)));
        }
    }

    /// When [`Prober::tick`] is next needed; `None` when there is nothing to probe.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.queue.peek().map(|&Reverse((at, _))| at)
    }

    /// Hears an answer. One that nobody waits for (any more) changes nothing, nor does a
    /// provisional one.
    pub fn answer(&mut self, now: Timestamp, answer: ProbeAnswer) {
        if answer.code < 200 {
            return;
        }
        if let Some((index, flight)) = self.land(answer.token) {
            let rtt = now.since(flight.sent);
            let destination = &self.watches[index].destination;
            destination.count_probe_answered(rtt);
            if answer.code != CODE_TIMEOUT {
                self.measure(index, |latency, alpha| {
                    latency.sample(rtt.as_millis() as u32, alpha)
                });
            }
            let alive = self.settings.reply_codes.contains(answer.code);
            self.conclude(index, alive, answer.code);
        }
    }

    /// Hears that a keepalive could not be delivered (send error, or ICMP unreachable): a failure
    /// at once.
    pub fn undeliverable(&mut self, _now: Timestamp, token: u64) {
        if let Some((index, _)) = self.land(token) {
            self.conclude(index, false, CODE_UNDELIVERABLE);
        }
    }

    /// What has happened since the last time.
    pub fn drain_events(&mut self) -> impl Iterator<Item = ProbeEvent> + '_ {
        self.events.drain(..)
    }

    /// Where a destination's keepalives go, and by which of our sockets. `None`: it cannot be probed,
    /// having no address or none of our family.
    fn route(&self, destination: &Destination) -> Option<(SocketAddr, SocketId)> {
        let attributes = &destination.attributes;
        let to = match &attributes.obproxy {
            Some(_) => attributes.obproxy_address?,
            None => self.settings.outbound_proxy.or(destination.address)?,
        };
        // A loopback socket reaches loopback addresses only.
        let usable = |own: &Listener| own.address.is_ipv4() == to.is_ipv4();
        let best =
            |own: &Listener| usable(own) && own.address.ip().is_loopback() == to.ip().is_loopback();
        let position = |fits: &dyn Fn(&Listener) -> bool| self.listeners.iter().position(fits);
        let named = self.named_socket(destination).filter(|&place| {
            let own = &self.listeners[place];
            usable(own)
        });
        let socket = named
            .or_else(|| position(&best))
            .or_else(|| position(&usable))?;
        Some((to, socket as SocketId))
    }

    /// The socket that the destination names, or that is named for all. The order is the peers'.
    fn named_socket(&self, destination: &Destination) -> Option<usize> {
        let (attributes, settings) = (&destination.attributes, &self.settings);
        let position = |fits: &dyn Fn(&Listener) -> bool| self.listeners.iter().position(fits);
        let called = |name: &Option<Box<str>>| {
            let name = name.as_deref()?;
            position(&|own| own.is_named(name))
        };
        let bound_to = |address: SocketAddr| position(&|own| own.address == address);
        let written =
            |socket: &Option<Box<str>>| bound_to(Listener::parse_address(socket.as_deref()?)?);
        written(&attributes.ping_socket)
            .or_else(|| called(&attributes.sockname))
            .or_else(|| written(&attributes.socket))
            .or_else(|| bound_to(settings.socket?))
            .or_else(|| called(&settings.default_sockname))
            .or_else(|| bound_to(settings.default_socket?))
    }

    /// How long after its first publication the destination at this place is first probed.
    fn phase(&self, place: usize) -> Duration {
        let turn = self
            .first_phase
            .wrapping_add(PHASE_STEP.wrapping_mul(place as u64));
        let nanos = (self.settings.interval.as_nanos() * u128::from(turn)) >> 64;
        Duration::from_nanos(nanos as u64)
    }

    fn look_at(&mut self, index: u32, now: Timestamp, out: &mut Outbox) {
        let place = index as usize;
        if let Some(flight) = self.watches[place].flight {
            if now >= flight.deadline {
                self.land(flight.marks.token);
                self.measure(place, |latency, _| latency.timeout());
                // Silence is no answer, whatever codes mean alive (to Kamailio it is a 408).
                let settings = &self.settings;
                let alive = settings.compat && settings.reply_codes.contains(CODE_TIMEOUT);
                self.conclude(place, alive, CODE_TIMEOUT);
            } else if now >= flight.resend_at {
                self.resend(place, flight, now, out);
            }
        }
        let watch = &mut self.watches[place];
        if now < watch.next_at {
            return;
        }
        let interval_ns = self.settings.interval.as_nanos();
        let missed = now.since(watch.next_at).as_nanos() / interval_ns;
        watch.next_at += Duration::from_nanos(((missed + 1) * interval_ns) as u64);
        let flags = watch.destination.health().flags;
        if watch.flight.is_none() && self.active && self.settings.mode.is_probed(flags) {
            self.begin(index, now, out);
        }
    }

    fn begin(&mut self, index: u32, now: Timestamp, out: &mut Outbox) {
        let marks = Marks {
            token: self.tokens.next(),
            call: self.call(),
            tag: self.tokens.next(),
        };
        let pause = self.settings.t1.max(SHORTEST_PAUSE);
        let watch = &mut self.watches[index as usize];
        watch.destination.count_probe_sent();
        watch.flight = Some(Flight {
            marks,
            sent: now,
            deadline: now + self.settings.timeout,
            resend_at: now + pause,
            pause,
        });
        self.in_flight.insert(marks.token, index);
        self.send(index as usize, marks, out);
    }

    fn resend(&mut self, place: usize, mut flight: Flight, now: Timestamp, out: &mut Outbox) {
        flight.pause = (flight.pause * 2).min(self.settings.t2.max(SHORTEST_PAUSE));
        flight.resend_at = now + flight.pause;
        self.watches[place].flight = Some(flight);
        self.send(place, flight.marks, out);
    }

    fn send(&self, place: usize, marks: Marks, out: &mut Outbox) {
        let watch = &self.watches[place];
        let listener = self.listeners[usize::from(watch.socket)].address;
        out.send(watch.socket, watch.to, |bytes| {
            message::write(&self.settings, &watch.destination, listener, marks, bytes);
        });
    }

    /// The number of a Call-ID that is accepted.
    fn call(&mut self) -> u64 {
        let mut call = 0;
        for _ in 0..MOST_CALL_IDS {
            call = self.tokens.next();
            self.scratch.clear();
            message::write_call_id(call, &mut self.scratch);
            if (self.accept)(&self.scratch) {
                break;
            }
        }
        call
    }

    /// Ends the flight of this token.
    fn land(&mut self, token: u64) -> Option<(usize, Flight)> {
        let place = self.in_flight.remove(&token)? as usize;
        let flight = self.watches[place].flight.take()?;
        Some((place, flight))
    }

    /// Takes what a keepalive tells about latency, if that is wanted.
    fn measure(&self, place: usize, change: impl Fn(Latency, f32) -> Latency) {
        if let Some(alpha) = self.settings.latency_alpha {
            let destination = &self.watches[place].destination;
            destination.set_latency(change(destination.latency(), alpha));
        }
    }

    fn conclude(&mut self, place: usize, alive: bool, code: u16) {
        let settings = &self.settings;
        let destination = &self.watches[place].destination;
        if !alive {
            destination.count_probe_failed();
        }
        let (old, new) = destination.update_health(|health| {
            let outcome = if settings.compat {
                ProbingMode::outcome_as_kamailio
            } else {
                ProbingMode::outcome
            };
            outcome(settings.mode, health, alive, settings.thresholds)
        });
        let change = match (old.flags.is_skipped(), new.flags.is_skipped()) {
            (false, true) => Change::Down,
            (true, false) => Change::Up,
            _ => return,
        };
        self.events.push(ProbeEvent {
            destination: Arc::clone(destination),
            change,
            code,
        });
    }
}

/// What stays the same of a destination over reloads.
fn identity(destination: &Destination) -> usize {
    Arc::as_ptr(&destination.shared).addr()
}
