//! The two ends of every ordinary call: the agents that demo and load tests use too.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rand::RngExt as _;

use super::config::SimConfig;
use super::faults::{Death, draw_mood};
use super::network::Wire;
use crate::agent::{
    AnswerMix, Caller, CallerConfig, CallerCounts, CancelRule, Delay, Gateway, GatewayConfig,
    HangUp, RateProfile,
};
use crate::proxy::{Outbox, SocketId};
use crate::rng::Rng;
use crate::time::Timestamp;

/// Local addresses of a caller.
const CALLER_PORTS: u16 = 2;
/// After so long a caller gives up a call that rings.
const RING_TIMEOUT: Duration = Duration::from_secs(12);

/// The kind of caller that lets the gateway hang up.
const WAITS: &str = "waits for the end";
/// The kind of caller whose calls must succeed.
const PROVES: &str = "comes after healing";

/// A caller and where it is.
#[derive(Debug)]
pub(super) struct CallerSeat {
    pub caller: Caller,
    pub local: Vec<SocketAddr>,
    /// What kind it is, for people.
    pub kind: &'static str,
}

/// A gateway and how it is.
#[derive(Debug)]
pub(super) struct GatewaySeat {
    pub gateway: Gateway,
    pub death: Option<Death>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Caller(usize, SocketId),
    Gateway(usize),
}

/// Who took a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    /// Somebody.
    Taken,
    /// Nobody, and nobody says so.
    Swallowed,
    /// Nobody, and the sender hears of it.
    Refused,
    /// The address is none of ours.
    Unknown,
}

/// All callers and gateways.
#[derive(Debug)]
pub(super) struct Peers {
    pub callers: Vec<CallerSeat>,
    pub gateways: Vec<GatewaySeat>,
    places: BTreeMap<SocketAddr, Place>,
    out: Outbox,
    rng: Rng,
    hosts: u16,
    gateways_hang_up: bool,
}

impl Peers {
    pub fn new(config: &SimConfig, gateways: &[SocketAddr], rng: &mut Rng) -> Self {
        let mut peers = Self {
            callers: Vec::new(),
            gateways: Vec::new(),
            places: BTreeMap::new(),
            out: Outbox::new(),
            rng: Rng::from_seed(rng.next()),
            hosts: 0,
            gateways_hang_up: rng.random_ratio(1, 2),
        };
        for &address in gateways {
            peers.add_gateway(config, address);
        }
        peers
    }

    fn add_gateway(&mut self, config: &SimConfig, address: SocketAddr) {
        let rng = &mut self.rng;
        let moody = config.faults.moody_gateways;
        let millis = |rng: &mut Rng, most: u64| Duration::from_millis(rng.random_range(0..=most));
        // A gateway that is slower than the proxy's patience gets calls that another has by then.
        let slow = moody && rng.random_ratio(1, 4);
        let ring_after = match rng.random_range(0..4_u32) {
            0 => None,
            1 => Some(Delay::ZERO),
            _ if slow => Some(Delay::Exponential(Duration::from_millis(1_500))),
            _ => Some(Delay::Fixed(millis(rng, 300))),
        };
        let gateway = GatewayConfig {
            trying: rng.random_ratio(1, 2),
            ring_after,
            answer_after: match rng.random_range(0..3_u32) {
                0 => Delay::ZERO,
                1 => Delay::Fixed(millis(rng, 1_000)),
                _ => Delay::Fixed(millis(rng, 1_500)),
            },
            mix: if moody {
                draw_mood(rng)
            } else {
                AnswerMix::answer_all()
            },
            hang_up_after: self
                .gateways_hang_up
                .then_some(Delay::Exponential(Duration::from_secs(2))),
            keep_records: true,
            ..GatewayConfig::new(address, 0)
        };
        let gateway = Gateway::new(gateway, rng.next());
        self.places
            .insert(address, Place::Gateway(self.gateways.len()));
        self.gateways.push(GatewaySeat {
            gateway,
            death: None,
        });
    }

    /// The callers of the time of faults: one that follows route sets, one like stock SIPp's, one
    /// that cancels, one that holds and changes its sessions, and one that lets the gateway hang up.
    pub fn add_callers(&mut self, config: &SimConfig) {
        let duration = config.duration.as_secs_f64();
        let profile = RateProfile {
            rate: config.calls as f64 / duration,
            ..RateProfile::constant(1.0)
        }
        .with_calls(config.calls);
        let hold = Delay::Exponential(Duration::from_secs(self.rng.random_range(1..=5)));
        let cancel = |percent: f64, rng: &mut Rng| CancelRule {
            fraction: percent / 100.0,
            after: Duration::from_millis(rng.random_range(0..=900)),
        };
        for number in 0..5 {
            let target = config.listeners[number % config.listeners.len()];
            let local = self.new_addresses(target);
            let base = CallerConfig {
                profile: profile.clone(),
                hold,
                ring_timeout: RING_TIMEOUT,
                ..CallerConfig::new(target, local)
            };
            let (kind, caller) = match number {
                0 => ("follows routes", base),
                1 => (
                    "as stock SIPp",
                    CallerConfig {
                        follow_route_set: false,
                        ..base
                    },
                ),
                2 => (
                    "cancels",
                    CallerConfig {
                        cancel: Some(cancel(60.0, &mut self.rng)),
                        ..base
                    },
                ),
                3 => (
                    "changes sessions",
                    CallerConfig {
                        reinvite_after: Some(Duration::from_millis(800)),
                        cancel: Some(cancel(10.0, &mut self.rng)),
                        ..base
                    },
                ),
                _ if self.gateways_hang_up => (
                    WAITS,
                    CallerConfig {
                        hang_up: HangUp::Gateway,
                        hold: Delay::Fixed(Duration::from_secs(40)),
                        ..base
                    },
                ),
                _ => continue,
            };
            self.add_caller(kind, caller);
        }
    }

    /// Callers whose calls must all succeed, now that everything is well.
    pub fn add_probe_callers(&mut self, now: Timestamp, config: &SimConfig, calls: u64, rate: f64) {
        for (number, follow_route_set) in [true, false].into_iter().enumerate() {
            let target = config.listeners[number % config.listeners.len()];
            let local = self.new_addresses(target);
            let caller = CallerConfig {
                profile: RateProfile::constant(rate).with_calls(calls),
                begin: now,
                hold: Delay::Fixed(Duration::from_millis(300)),
                ring_timeout: RING_TIMEOUT,
                max_live: 2,
                follow_route_set,
                ..CallerConfig::new(target, local)
            };
            self.add_caller(PROVES, caller);
        }
    }

    fn new_addresses(&mut self, target: SocketAddr) -> Vec<SocketAddr> {
        self.hosts += 1;
        let host = caller_host(target, self.hosts);
        (0..CALLER_PORTS)
            .map(|port| SocketAddr::new(host, 5_060 + 2 * port))
            .collect()
    }

    fn add_caller(&mut self, kind: &'static str, config: CallerConfig) {
        let number = self.callers.len();
        let local = config.local.clone();
        for (socket, &address) in local.iter().enumerate() {
            self.places
                .insert(address, Place::Caller(number, socket as SocketId));
        }
        let caller = Caller::new(config, self.rng.next());
        self.callers.push(CallerSeat {
            caller,
            local,
            kind,
        });
    }

    /// Hands a datagram to whom it is for.
    pub fn receive(&mut self, now: Timestamp, wire: &Wire, sent: &mut Vec<Wire>) -> Receipt {
        match self.places.get(&wire.to) {
            None => Receipt::Unknown,
            Some(&Place::Caller(number, socket)) => {
                let seat = &mut self.callers[number];
                let out = &mut self.out;
                seat.caller
                    .receive(now, socket, wire.from, &wire.bytes, out);
                drain(out, &seat.local, sent);
                Receipt::Taken
            }
            Some(&Place::Gateway(number)) => {
                let seat = &mut self.gateways[number];
                match seat.death {
                    Some(Death::Silent) => return Receipt::Swallowed,
                    Some(Death::Refusing) => return Receipt::Refused,
                    None => {}
                }
                let out = &mut self.out;
                seat.gateway.receive(now, 0, wire.from, &wire.bytes, out);
                drain(out, &[wire.to], sent);
                Receipt::Taken
            }
        }
    }

    /// When somebody's timer is next due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let callers = self.callers.iter();
        let callers = callers.filter_map(|seat| seat.caller.next_deadline());
        let gateways = self.gateways.iter();
        let gateways = gateways.filter_map(|seat| seat.gateway.next_deadline());
        callers.chain(gateways).min()
    }

    /// Serves everybody whose timer is due.
    pub fn tick(&mut self, now: Timestamp, sent: &mut Vec<Wire>) {
        let is_due = |deadline: Option<Timestamp>| deadline.is_some_and(|at| at <= now);
        for seat in &mut self.callers {
            if is_due(seat.caller.next_deadline()) {
                seat.caller.tick(now, &mut self.out);
                drain(&mut self.out, &seat.local, sent);
            }
        }
        for seat in &mut self.gateways {
            if is_due(seat.gateway.next_deadline()) {
                seat.gateway.tick(now, &mut self.out);
                drain(&mut self.out, &[seat.gateway.address()], sent);
            }
        }
    }

    pub fn kill(&mut self, gateway: usize, death: Death) {
        let seat = &mut self.gateways[gateway];
        seat.death = Some(death);
        seat.gateway.set_alive(false);
    }

    pub fn revive(&mut self, now: Timestamp, gateway: usize, forgetful: bool) {
        let seat = &mut self.gateways[gateway];
        if seat.death.take().is_some() && forgetful {
            seat.gateway.restart(now);
        }
        seat.gateway.set_alive(true);
    }

    /// Everybody becomes reasonable: gateways live and answer, callers begin nothing new.
    pub fn heal(&mut self, now: Timestamp) {
        for number in 0..self.gateways.len() {
            self.revive(now, number, false);
            self.gateways[number]
                .gateway
                .set_mix(AnswerMix::answer_all());
        }
        for seat in &mut self.callers {
            seat.caller.stop_starting();
        }
    }

    /// The counts of all callers of the time of faults, or of those after it.
    pub fn counts(&self, after_healing: bool) -> CallerCounts {
        let mut sum = CallerCounts::default();
        for seat in &self.callers {
            if (seat.kind == PROVES) == after_healing {
                sum.merge(&seat.caller.report().counts);
            }
        }
        sum
    }
}

/// Moves what an agent sends into `sent`; `local` are the addresses of its sockets.
fn drain(out: &mut Outbox, local: &[SocketAddr], sent: &mut Vec<Wire>) {
    for packet in out.packets() {
        sent.push(Wire {
            from: local[usize::from(packet.socket)],
            to: packet.to,
            bytes: out.bytes(packet).into(),
        });
    }
    out.clear();
}

/// The host of the `number`-th caller that calls `target`.
pub(super) fn caller_host(target: SocketAddr, number: u16) -> IpAddr {
    host(target, 1, number)
}

/// The addresses of the gateways; every other one is of the second family, if there is one.
pub(super) fn gateway_addresses(config: &SimConfig) -> Vec<SocketAddr> {
    (0..config.gateways)
        .map(|number| {
            let near = config.listeners[usize::from(number) % config.listeners.len()];
            SocketAddr::new(host(near, 2, number + 1), 5_060)
        })
        .collect()
}

/// The host of this number in one of the world's networks, of the same family as `near`.
pub(super) fn host(near: SocketAddr, network: u8, number: u16) -> IpAddr {
    match near {
        SocketAddr::V4(_) => Ipv4Addr::new(10, network, 0, number as u8).into(),
        SocketAddr::V6(_) => {
            Ipv6Addr::new(0x2001, 0xdb8, 0, u16::from(network), 0, 0, 0, number).into()
        }
    }
}
