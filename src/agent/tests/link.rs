//! A caller, some gateways and a little network between them, in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::agent::profile::unit;
use crate::agent::{Caller, Gateway};
use crate::proxy::Outbox;
use crate::rng::Rng;
use crate::sip::{HeaderIndex, Method, scan};
use crate::time::Timestamp;

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: f64,
    pub duplication: f64,
    pub delay: Duration,
    /// Added to each delay, evenly from zero to this: reorders.
    pub jitter: Duration,
}

pub const FAIR: Weather = Weather {
    loss: 0.0,
    duplication: 0.0,
    delay: Duration::from_millis(5),
    jitter: Duration::ZERO,
};

struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The world of one test.
pub struct Link {
    pub now: Timestamp,
    pub caller: Caller,
    pub gateways: Vec<Gateway>,
    /// Everything that was sent: when, from where, and its [`summary`].
    pub log: Vec<(Timestamp, SocketAddr, String)>,
    /// The same: to where, and its bytes.
    pub wire: Vec<(SocketAddr, Vec<u8>)>,
    caller_addresses: Vec<SocketAddr>,
    weather: Weather,
    rng: Rng,
    flights: BTreeMap<(Timestamp, u64), Flight>,
    sequence: u64,
    out: Outbox,
}

impl Link {
    pub fn new(
        caller: Caller,
        caller_addresses: Vec<SocketAddr>,
        gateways: Vec<Gateway>,
        weather: Weather,
        seed: u64,
    ) -> Self {
        Self {
            now: Timestamp::ZERO,
            caller,
            gateways,
            log: Vec::new(),
            wire: Vec::new(),
            caller_addresses,
            weather,
            rng: Rng::from_seed(seed),
            flights: BTreeMap::new(),
            sequence: 0,
            out: Outbox::new(),
        }
    }

    /// Puts a datagram on the wire, past the weather.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.sequence += 1;
        let flight = Flight { from, to, bytes };
        self.flights.insert((self.now, self.sequence), flight);
    }

    /// Goes on until the caller is finished and nothing is on the way, or until `end`.
    pub fn run(&mut self, end: Timestamp) {
        while let Some(next) = self.next_event() {
            if next > end || (self.caller.is_finished() && self.flights.is_empty()) {
                break;
            }
            self.now = self.now.max(next);
            self.step();
        }
    }

    /// Goes on until `end`, whatever there is to do.
    pub fn run_until(&mut self, end: Timestamp) {
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Timestamp> {
        let flight = self.flights.keys().next().map(|(at, _)| *at);
        let gateways = self.gateways.iter().filter_map(Gateway::next_deadline);
        let agents = gateways.chain(self.caller.next_deadline());
        agents.chain(flight).min()
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(entry) = self.flights.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let flight = entry.remove();
            self.deliver(&flight);
        }
        self.caller.tick(now, &mut self.out);
        self.collect(None);
        for number in 0..self.gateways.len() {
            self.gateways[number].tick(now, &mut self.out);
            self.collect(Some(number));
        }
    }

    fn deliver(&mut self, flight: &Flight) {
        let Flight { from, to, bytes } = flight;
        let socket = self.caller_addresses.iter().position(|own| own == to);
        if let Some(socket) = socket {
            let caller = &mut self.caller;
            caller.receive(self.now, socket as u16, *from, bytes, &mut self.out);
            self.collect(None);
            return;
        }
        let number = self.gateways.iter().position(|one| one.address() == *to);
        if let Some(number) = number {
            let gateway = &mut self.gateways[number];
            gateway.receive(self.now, 0, *from, bytes, &mut self.out);
            self.collect(Some(number));
        }
    }

    /// Sends what an agent has put into the outbox.
    fn collect(&mut self, gateway: Option<usize>) {
        for packet in self.out.packets() {
            let from = match gateway {
                Some(number) => self.gateways[number].address(),
                None => self.caller_addresses[usize::from(packet.socket)],
            };
            let bytes = self.out.bytes(packet).to_vec();
            self.log.push((self.now, from, summary(&bytes)));
            self.wire.push((packet.to, bytes.clone()));
            let copies = 1 + u32::from(unit(&mut self.rng) < self.weather.duplication);
            for _ in 0..copies {
                if unit(&mut self.rng) < self.weather.loss {
                    continue;
                }
                let jitter = self.weather.jitter.mul_f64(unit(&mut self.rng));
                let at = self.now + self.weather.delay + jitter;
                self.sequence += 1;
                let flight = Flight {
                    from,
                    to: packet.to,
                    bytes: bytes.clone(),
                };
                self.flights.insert((at, self.sequence), flight);
            }
        }
        self.out.clear();
    }

    /// Datagrams on the way.
    pub fn flying(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &[u8])> {
        let flights = self.flights.values();
        flights.map(|flight| (flight.from, flight.to, flight.bytes.as_slice()))
    }

    /// How often a message with this summary was sent.
    pub fn sent(&self, summary: &str) -> usize {
        self.log
            .iter()
            .filter(|(_, _, sent)| sent == summary)
            .count()
    }
}

impl Link {
    /// Where the first message with this summary went, and its text.
    pub fn first(&self, summary: &str) -> (SocketAddr, String) {
        let place = self.log.iter().position(|(_, _, sent)| sent == summary);
        let (to, bytes) = &self.wire[place.unwrap_or_else(|| panic!("no {summary}"))];
        (*to, String::from_utf8(bytes.clone()).unwrap())
    }
}

/// The value of the first header line of this name.
pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let mut lines = message.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// `INVITE`, or `200 INVITE`. Panics for what is no complete and correct message.
pub fn summary(bytes: &[u8]) -> String {
    let mut index = HeaderIndex::new();
    let message = scan(bytes, &mut index).expect("agents send SIP");
    assert_eq!(
        message.fault(),
        None,
        "a faulty message: {}",
        String::from_utf8_lossy(bytes)
    );
    let length = message.content_length().expect("a number");
    assert_eq!(length, Some(message.body().len()), "Content-Length");
    let method = message.cseq().expect("a CSeq").method;
    if let Some(own) = message.method() {
        assert_eq!(own, method, "the method of CSeq");
        assert!(own == Method::Cancel || message.max_forwards() == Ok(Some(70)));
    }
    match message.reply_code() {
        Some(code) => format!("{code} {}", name(method)),
        None => name(method).to_owned(),
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Invite => "INVITE",
        Method::Ack => "ACK",
        Method::Bye => "BYE",
        Method::Cancel => "CANCEL",
        _ => "other",
    }
}
