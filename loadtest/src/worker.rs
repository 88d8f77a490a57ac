//! One thread: its sockets, its caller and its gateways, driven by one event loop.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crossbeam::channel::Sender;
use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use sipshard::agent::{Caller, CallerCounts, CallerReport, Gateway, GatewayReport, latency};
use sipshard::plane::{Clock, ErrorReader, RecvBatch, SendBatch};
use sipshard::proxy::Outbox;
use sipshard::time::Timestamp;

use crate::alarm_clock::AlarmClock;
use crate::plan::Crew;

/// Batches taken from one socket before the others get their turn. Enough to empty a full buffer: a timer
/// that fires while the answer lies unread would send again what has long arrived, and a generator
/// that fell behind would then never catch up.
const BATCHES_PER_TURN: usize = 256;
/// How often a worker tells what it has seen.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);

/// What all threads of a run share.
#[derive(Debug)]
pub struct Shared {
    /// Start no further calls, and end those that are answered.
    pub stop_calls: AtomicBool,
    /// End now.
    pub stop: AtomicBool,
    /// Callers that are not finished.
    pub callers: AtomicUsize,
}

/// What a worker has seen in the last second, and so far.
#[derive(Debug)]
pub struct Update {
    /// Which second it was.
    pub second: u64,
    /// The caller's counts so far.
    pub caller: CallerCounts,
    /// Calls under way at each gateway, and calls that ended there so far.
    pub gateway_live: u64,
    /// Calls that the gateways saw so far.
    pub gateway_calls: u64,
    /// Calls that ended at the gateways so far.
    pub gateway_ended: u64,
    /// The answer times of this second, from the schedule, in nanoseconds.
    pub answers: Box<Histogram<u64>>,
}

/// What the sockets of a worker have seen.
#[derive(Clone, Copy, Debug, Default)]
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

/// All that a worker has seen.
#[derive(Debug)]
pub struct Outcome {
    /// The caller's.
    pub caller: Option<CallerReport>,
    /// The gateways', with their addresses.
    pub gateways: Vec<(SocketAddr, GatewayReport)>,
    /// The sockets'.
    pub traffic: Traffic,
}

/// The state of a worker's thread.
#[derive(Debug)]
pub struct Worker {
    clock: Clock,
    sockets: Vec<UdpSocket>,
    /// Whether a socket may hold something.
    readable: Vec<bool>,
    /// Overflow counters as last seen.
    overflows: Vec<u32>,
    caller: Option<Caller>,
    caller_sockets: usize,
    caller_finished: bool,
    winding_up: bool,
    gateways: Vec<Gateway>,
    outbox: Outbox,
    receiver: RecvBatch,
    sender: SendBatch,
    errors: ErrorReader,
    traffic: Traffic,
    shared: Arc<Shared>,
    updates: Sender<Update>,
    next_update: Timestamp,
    begin: Timestamp,
}

impl Worker {
    /// A worker for `crew`, whose schedule begins at `begin` by `clock`. `seed` differs between workers and
    /// between runs, since Call-IDs come from it.
    pub fn new(
        crew: Crew,
        clock: Clock,
        begin: Timestamp,
        seed: u64,
        shared: Arc<Shared>,
        updates: Sender<Update>,
    ) -> Self {
        let number = crew.sockets.len();
        let caller = crew.caller.map(|mut config| {
            config.begin = begin;
            Caller::new(config, seed)
        });
        let gateways: Vec<Gateway> = (1..)
            .zip(crew.gateways)
            .map(|(index, mut config)| {
                config.begin = begin;
                Gateway::new(config, seed.wrapping_add(index))
            })
            .collect();
        Self {
            clock,
            caller_sockets: number - gateways.len(),
            sockets: crew.sockets,
            readable: vec![true; number],
            overflows: vec![0; number],
            caller_finished: caller.is_none(),
            winding_up: false,
            caller,
            gateways,
            outbox: Outbox::new(),
            receiver: RecvBatch::new(),
            sender: SendBatch::new(),
            errors: ErrorReader::new(),
            traffic: Traffic::default(),
            shared,
            updates,
            next_update: begin + UPDATE_INTERVAL,
            begin,
        }
    }

    /// Works until all callers of the run are finished, or it is told to stop.
    ///
    /// # Errors
    /// If the system refuses to wait for sockets.
    pub fn run(mut self) -> Result<Outcome> {
        let mut poll = Poll::new().context("cannot open an event queue")?;
        let mut events = Events::with_capacity(self.sockets.len() + 1);
        for (index, socket) in self.sockets.iter().enumerate() {
            poll.registry().register(
                &mut SourceFd(&socket.as_raw_fd()),
                Token(index),
                Interest::READABLE,
            )?;
        }
        let alarm_token = Token(self.sockets.len());
        let mut alarm =
            AlarmClock::new(poll.registry(), alarm_token).context("cannot open a timer")?;
        loop {
            self.work();
            if self.is_over() {
                break;
            }
            let now = self.clock.now();
            let deadline = if self.readable.contains(&true) {
                Some(now)
            } else {
                self.next_deadline()
            };
            alarm.wait(&mut poll, &mut events, now, deadline)?;
            for event in &events {
                if let Some(readable) = self.readable.get_mut(event.token().0) {
                    *readable = true;
                }
            }
        }
        Ok(self.outcome())
    }

    /// Takes in what has come, does what is due, sends what there is to send.
    fn work(&mut self) {
        for index in 0..self.sockets.len() {
            if self.readable[index] {
                self.receive(index);
            }
        }
        let now = self.clock.now();
        if let Some(caller) = &mut self.caller {
            if caller.next_deadline().is_some_and(|at| at <= now) {
                caller.tick(now, &mut self.outbox);
            }
            if !self.winding_up && self.shared.stop_calls.load(Ordering::Relaxed) {
                self.winding_up = true;
                caller.wind_up(now);
            }
        }
        for gateway in &mut self.gateways {
            if gateway.next_deadline().is_some_and(|at| at <= now) {
                gateway.tick(now, &mut self.outbox);
            }
        }
        self.flush();
        if now >= self.next_update {
            self.tell(now);
        }
    }

    fn receive(&mut self, index: usize) {
        for _ in 0..BATCHES_PER_TURN {
            let socket = &self.sockets[index];
            match self.receiver.receive(socket) {
                Ok(0) => {
                    self.readable[index] = false;
                    break;
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
                break;
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
        let socket = index as u16;
        let gateway = index.checked_sub(self.caller_sockets);
        for datagram in self.receiver.iter() {
            let (source, bytes) = (datagram.source, datagram.bytes);
            match gateway {
                Some(number) => {
                    self.gateways[number].receive(now, socket, source, bytes, &mut self.outbox);
                }
                None => {
                    if let Some(caller) = &mut self.caller {
                        // What counts is when the answer came, not when there was time to read it.
                        let came = datagram
                            .stamp_wall_ns
                            .map_or(now, |stamp| self.clock.received(stamp, now));
                        caller.receive(came, socket, source, bytes, &mut self.outbox);
                    }
                }
            }
        }
    }

    fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let report = self.sender.send(&self.sockets, &self.outbox);
        self.traffic.sent += report.sent as u64;
        self.traffic.congested += report.congested as u64;
        self.traffic.unsent += self.sender.failures().len() as u64;
        self.outbox.clear();
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let gateways = self.gateways.iter().filter_map(Gateway::next_deadline);
        let caller = self.caller.as_ref().and_then(Caller::next_deadline);
        gateways.chain(caller).chain([self.next_update]).min()
    }

    /// Whether the run is over. A caller's thread goes on for the gateways that it has.
    fn is_over(&mut self) -> bool {
        if !self.caller_finished && self.caller.as_ref().is_some_and(Caller::is_finished) {
            self.caller_finished = true;
            self.shared.callers.fetch_sub(1, Ordering::Relaxed);
        }
        if self.shared.stop.load(Ordering::Relaxed) {
            return true;
        }
        let callers_left = self.shared.callers.load(Ordering::Relaxed);
        self.caller.is_some() && callers_left == 0
    }

    fn tell(&mut self, now: Timestamp) {
        let second = now.since(self.begin).as_secs();
        self.next_update = self.begin + Duration::from_secs(second + 1);
        let mut answers = Box::new(latency::new_histogram());
        let mut caller = CallerCounts::default();
        if let Some(own) = &mut self.caller {
            own.take_recent(&mut answers);
            caller = own.report().counts;
        }
        let gateways = || self.gateways.iter().map(|gateway| gateway.report().counts);
        // Nobody listens any more when the run is being ended: that is no fault.
        let _ = self.updates.send(Update {
            second,
            caller,
            gateway_live: gateways().map(|counts| counts.live).sum(),
            gateway_calls: gateways().map(|counts| counts.invites).sum(),
            gateway_ended: gateways()
                .map(|counts| counts.byes + counts.hung_up + counts.cancelled + counts.rejected)
                .sum(),
            answers,
        });
    }

    fn outcome(self) -> Outcome {
        let gateways = self.gateways.iter();
        Outcome {
            caller: self.caller.as_ref().map(|caller| caller.report().clone()),
            gateways: gateways
                .map(|gateway| (gateway.address(), gateway.report().clone()))
                .collect(),
            traffic: self.traffic,
        }
    }
}
