//! Callers and gateways on real sockets: the loop that drives [`crate::agent`] for the demo and for
//! load tests, as `sim` drives it in virtual time.
//!
//! Owns: the sockets of one thread's caller and gateways. May touch: the operating system.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::alarm_clock::AlarmClock;
use super::batch::{ErrorReader, RecvBatch, SendBatch};
use super::clock::Clock;
use crate::agent::{Agent, Caller, Gateway};
use crate::proxy::Outbox;
use crate::time::Timestamp;

/// Batches taken from one socket before the others get their turn. Enough to empty a full buffer: a
/// timer that fires while the answer lies unread would send again what has long arrived, and ends
/// that fell behind would then never catch up.
const BATCHES_PER_TURN: usize = 256;

/// What the sockets have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that could not be sent because a buffer stayed full.
    pub congested: u64,
    /// Datagrams that could not be sent for other reasons.
    pub unsent: u64,
    /// Datagrams that the own receive buffers had no room for.
    pub overflowed: u64,
    /// ICMP messages: datagrams that nobody took.
    pub undeliverable: u64,
}

/// A caller and gateways with their sockets.
#[derive(Debug)]
pub struct Ends<C = Caller> {
    /// The caller, if there is one; its sockets are the first ones.
    pub caller: Option<C>,
    /// The gateways, one socket each, after the caller's.
    pub gateways: Vec<Gateway>,
    clock: Clock,
    sockets: Vec<UdpSocket>,
    /// Whether a socket may hold something.
    readable: Vec<bool>,
    /// Overflow counters as last seen.
    overflows: Vec<u32>,
    poll: Poll,
    events: Events,
    alarm: AlarmClock,
    outbox: Outbox,
    receiver: RecvBatch,
    sender: SendBatch,
    errors: ErrorReader,
    traffic: Traffic,
}

impl<C: Agent> Ends<C> {
    /// Puts a caller and gateways on their sockets: first those of the caller, in the order of its
    /// addresses, then one for each gateway, whose `socket` must be its index.
    pub fn new(
        caller: Option<C>,
        gateways: Vec<Gateway>,
        sockets: Vec<UdpSocket>,
        clock: Clock,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, socket) in sockets.iter().enumerate() {
            let descriptor = socket.as_raw_fd();
            let mut source = SourceFd(&descriptor);
            poll.registry()
                .register(&mut source, Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            caller,
            gateways,
            clock,
            readable: vec![true; sockets.len()],
            overflows: vec![0; sockets.len()],
            events: Events::with_capacity(sockets.len() + 1),
            alarm: AlarmClock::new(poll.registry(), Token(sockets.len()))?,
            sockets,
            poll,
            outbox: Outbox::new(),
            receiver: RecvBatch::new(),
            sender: SendBatch::new(),
            errors: ErrorReader::new(),
            traffic: Traffic::default(),
        })
    }

    /// Waits until `latest` for something to do, and does it. The time afterwards is returned.
    pub fn turn(&mut self, latest: Timestamp) -> io::Result<Timestamp> {
        let now = self.clock.now();
        let until = if self.readable.contains(&true) {
            now
        } else {
            self.next_deadline().map_or(latest, |at| at.min(latest))
        };
        self.alarm
            .wait(&mut self.poll, &mut self.events, now, Some(until))?;
        for event in &self.events {
            if let Some(readable) = self.readable.get_mut(event.token().0) {
                *readable = true;
            }
        }
        // Sockets first: an answer that has come must not find that its timer has run out.
        for index in 0..self.sockets.len() {
            if self.readable[index] {
                self.receive(index);
            }
        }
        let now = self.clock.now();
        let is_due = |deadline: Option<Timestamp>| deadline.is_some_and(|at| at <= now);
        if let Some(caller) = &mut self.caller
            && is_due(caller.next_deadline())
        {
            caller.tick(now, &mut self.outbox);
        }
        for gateway in &mut self.gateways {
            if is_due(gateway.next_deadline()) {
                gateway.tick(now, &mut self.outbox);
            }
        }
        self.flush();
        Ok(now)
    }

    /// What the sockets have seen.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let gateways = self.gateways.iter().filter_map(Gateway::next_deadline);
        let caller = self.caller.as_ref().and_then(Agent::next_deadline);
        gateways.chain(caller).min()
    }

    fn receive(&mut self, index: usize) {
        for _ in 0..BATCHES_PER_TURN {
            let socket = &self.sockets[index];
            match self.receiver.receive(socket) {
                Ok(0) => {
                    self.readable[index] = false;
                    return;
                }
                Ok(received) => self.traffic.received += received as u64,
                Err(_) => {
                    // An ICMP answer to something that was sent: the timers of its call see to it.
                    while self.errors.read(socket).is_some() {
                        self.traffic.undeliverable += 1;
                    }
                    continue;
                }
            }
            self.deal_out(index);
            self.flush();
            if !self.receiver.may_have_more() {
                self.readable[index] = false;
                return;
            }
        }
    }

    /// Hands the received batch to whom it is for.
    fn deal_out(&mut self, index: usize) {
        if let Some(count) = self.receiver.overflow_count() {
            let lost = count.wrapping_sub(self.overflows[index]);
            self.traffic.overflowed += u64::from(lost);
            self.overflows[index] = count;
        }
        let now = self.clock.now();
        let first_gateway = self.sockets.len() - self.gateways.len();
        let gateway = index.checked_sub(first_gateway);
        let socket = index as u16;
        for datagram in self.receiver.iter() {
            let (source, bytes) = (datagram.source, datagram.bytes);
            let out = &mut self.outbox;
            if let Some(number) = gateway {
                self.gateways[number].receive(now, socket, source, bytes, out);
            } else if let Some(caller) = &mut self.caller {
                // What counts is when the answer came, not when there was time to read it.
                let stamp = datagram.stamp_wall_ns;
                let came = stamp.map_or(now, |stamp| self.clock.received(stamp, now));
                caller.receive(came, socket, source, bytes, out);
            }
        }
    }

    fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        // What does not fit into a buffer is lost as in the network, and sent again in time.
        let report = self.sender.send(&self.sockets, &self.outbox);
        self.traffic.sent += report.sent as u64;
        self.traffic.congested += report.congested as u64;
        self.traffic.unsent += self.sender.failures().len() as u64;
        self.outbox.clear();
    }
}
