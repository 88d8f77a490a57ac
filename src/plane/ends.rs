//! Callers and gateways on real sockets: the loop that drives [`crate::agent`] for the demo and for
//! load tests, as `sim` drives it in virtual time.
//!
//! Owns: the sockets of one thread's caller and gateways. May touch: the operating system.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::batch::{ErrorReader, RecvBatch, SendBatch};
use super::clock::Clock;
use crate::agent::{Caller, Gateway};
use crate::proxy::Outbox;
use crate::time::Timestamp;

/// Batches taken from one socket before the others get their turn.
const BATCHES_PER_TURN: usize = 4;

/// A caller and gateways with their sockets.
#[derive(Debug)]
pub struct Ends {
    /// The caller; its sockets are the first ones.
    pub caller: Caller,
    /// The gateways, one socket each, after the caller's.
    pub gateways: Vec<Gateway>,
    clock: Clock,
    sockets: Vec<UdpSocket>,
    readable: Vec<bool>,
    poll: Poll,
    events: Events,
    outbox: Outbox,
    receiver: RecvBatch,
    sender: SendBatch,
    errors: ErrorReader,
}

impl Ends {
    /// Puts a caller and gateways on their sockets: first those of the caller, in the order of its
    /// addresses, then one for each gateway, whose `socket` must be its index.
    pub fn new(
        caller: Caller,
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
            events: Events::with_capacity(sockets.len()),
            sockets,
            poll,
            outbox: Outbox::new(),
            receiver: RecvBatch::new(),
            sender: SendBatch::new(),
            errors: ErrorReader::new(),
        })
    }

    /// Waits at most `longest` for something to do, and does it. The time afterwards is returned.
    pub fn turn(&mut self, longest: Duration) -> io::Result<Timestamp> {
        let now = self.clock.now();
        let wait = if self.readable.contains(&true) {
            Duration::ZERO
        } else {
            let due = self.next_deadline();
            due.map_or(longest, |at| at.since(now).min(longest))
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if let Some(readable) = self.readable.get_mut(event.token().0) {
                *readable = true;
            }
        }
        for index in 0..self.sockets.len() {
            if self.readable[index] {
                self.receive(index);
            }
        }
        let now = self.clock.now();
        self.caller.tick(now, &mut self.outbox);
        for gateway in &mut self.gateways {
            gateway.tick(now, &mut self.outbox);
        }
        self.flush();
        Ok(now)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let gateways = self.gateways.iter().filter_map(Gateway::next_deadline);
        gateways.chain(self.caller.next_deadline()).min()
    }

    fn receive(&mut self, index: usize) {
        for _ in 0..BATCHES_PER_TURN {
            let received = self.receiver.receive(&self.sockets[index]);
            match received {
                Ok(0) => {
                    self.readable[index] = false;
                    return;
                }
                Ok(_) => {}
                Err(_) => {
                    // An ICMP answer to something that was sent: the timers of its call see to it.
                    while self.errors.read(&self.sockets[index]).is_some() {}
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

    fn deal_out(&mut self, index: usize) {
        let now = self.clock.now();
        let first_gateway = self.sockets.len() - self.gateways.len();
        let gateway = index.checked_sub(first_gateway);
        let socket = index as u16;
        for datagram in self.receiver.iter() {
            let (source, bytes) = (datagram.source, datagram.bytes);
            let out = &mut self.outbox;
            if let Some(number) = gateway {
                self.gateways[number].receive(now, socket, source, bytes, out);
            } else {
                let stamp = datagram.stamp_wall_ns;
                let came = stamp.map_or(now, |stamp| self.clock.received(stamp, now));
                self.caller.receive(came, socket, source, bytes, out);
            }
        }
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            // What does not fit into a buffer is lost as in the network, and sent again in time.
            self.sender.send(&self.sockets, &self.outbox);
            self.outbox.clear();
        }
    }
}
