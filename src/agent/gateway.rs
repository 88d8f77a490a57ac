//! Gateways: each answers the calls of one address, as a full RFC 3261 server over UDP.
//!
//! Owns: its calls, their timers, the counts. May touch: memory only.
//!
//! A gateway is the other witness of a test: it counts which of its calls saw their ACK and their BYE and
//! how many lived at a time, from the outside of whatever stands between it and the callers.

mod call;
mod config;
mod dialogs;
mod invites;
mod report;

use std::net::SocketAddr;

use ahash::RandomState;

use self::call::{Calls, Phase};
pub use self::config::{AnswerMix, GatewayConfig};
pub use self::report::{CallRecord, GatewayCounts, GatewayReport};
use super::alarm::Alarms;
use super::caller::session;
use super::respond;
use super::token::{Place, Tokens};
use crate::proxy::{Outbox, SocketId};
use crate::rng::Rng;
use crate::sip::{HeaderIndex, Message, Method, build, is_keepalive, scan};
use crate::time::Timestamp;

/// Most timers that one tick serves.
const ALARMS_PER_TICK: u32 = 256;

/// A gateway.
#[derive(Debug)]
pub struct Gateway {
    index: HeaderIndex,
    core: Core,
}

/// All of a gateway but the memory for scanning, which a message borrows while the gateway works on it.
#[derive(Debug)]
struct Core {
    config: GatewayConfig,
    tokens: Tokens,
    rng: Rng,
    hasher: RandomState,
    alive: bool,
    calls: Calls,
    alarms: Alarms,
    address_text: String,
    /// The Contact line of our answers.
    contact: Vec<u8>,
    /// What follows the common part of a 200.
    session: Vec<u8>,
    /// For putting together what is scanned again or edited.
    scratch: Vec<u8>,
    scratch_index: HeaderIndex,
    report: GatewayReport,
    records: Vec<CallRecord>,
}

impl Gateway {
    /// A gateway without calls. The seed decides all of its choices; give each another.
    pub fn new(config: GatewayConfig, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let tokens = Tokens::new(rng.next(), rng.next() as u32);
        let hasher = RandomState::with_seeds(rng.next(), rng.next(), rng.next(), rng.next());
        let body = session(config.address);
        let session = format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let core = Core {
            tokens,
            rng,
            hasher,
            alive: true,
            calls: Calls::new(),
            alarms: Alarms::new(config.begin),
            address_text: config.address.to_string(),
            contact: format!("Contact: <sip:gateway@{}>\r\n", config.address).into_bytes(),
            session: session.into_bytes(),
            scratch: Vec::new(),
            scratch_index: HeaderIndex::new(),
            report: GatewayReport::default(),
            records: Vec::new(),
            config,
        };
        Self {
            index: HeaderIndex::new(),
            core,
        }
    }

    /// Deals with a datagram. `socket` is not looked at: a gateway has one address.
    pub fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        debug_assert_eq!(socket, self.core.config.socket, "one address, one socket");
        if !self.core.alive {
            self.core.report.counts.dropped += 1;
            return;
        }
        if is_keepalive(bytes) {
            return;
        }
        let Ok(message) = scan(bytes, &mut self.index) else {
            self.core.report.counts.malformed += 1;
            return;
        };
        match message.method() {
            Some(_) if !respond::is_answerable(message) => self.core.report.counts.malformed += 1,
            Some(method) => self.core.request(now, source, method, message, out),
            None => self.core.reply(now, message),
        }
    }

    /// Does what is due: rings, answers, sends again, hangs up. Does a bounded piece of it; as long as
    /// [`Gateway::next_deadline`] has passed there is more.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        if !self.core.alive {
            return;
        }
        for _ in 0..ALARMS_PER_TICK {
            let Some(place) = self.core.alarms.pop(now) else {
                break;
            };
            self.core.alarm(now, place, out);
        }
    }

    /// When [`Gateway::tick`] is next needed; never while it is not alive.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.core.alive {
            self.core.alarms.next_deadline()
        } else {
            None
        }
    }

    /// Pulls the plug, or puts it back. While it is out nothing is received and nothing sent; calls are
    /// kept, and what was due meanwhile is done at the next tick.
    pub fn set_alive(&mut self, alive: bool) {
        self.core.alive = alive;
    }

    /// Whether the plug is in.
    pub fn is_alive(&self) -> bool {
        self.core.alive
    }

    /// Forgets all calls, as a process does that crashes and starts again.
    pub fn restart(&mut self, now: Timestamp) {
        self.core.calls.clear();
        self.core.alarms = Alarms::new(now);
        self.core.report.counts.live = 0;
    }

    /// Changes which calls it answers from now on.
    pub fn set_mix(&mut self, mix: AnswerMix) {
        self.core.config.mix = mix;
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.core.config.address
    }

    /// What it has seen so far.
    pub fn report(&self) -> &GatewayReport {
        &self.core.report
    }

    /// Every call so far, in the order of their INVITEs, if [`GatewayConfig::keep_records`] asks for it.
    pub fn records(&self) -> &[CallRecord] {
        &self.core.records
    }
}

impl Core {
    fn request(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        method: Method,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        match method {
            Method::Invite if message.to_tag().is_none() => {
                self.invite(now, source, message, out);
            }
            Method::Invite => self.reinvite(now, source, message, out),
            Method::Ack => self.ack(now, message),
            Method::Bye => self.bye(now, source, message, out),
            Method::Cancel => self.cancel(now, source, message, out),
            Method::Options => {
                self.report.counts.options += 1;
                self.respond(source, message, 200, out);
            }
            Method::Register | Method::Info | Method::Update | Method::Message => {
                self.respond(source, message, 200, out);
            }
            _ => self.respond(source, message, 501, out),
        }
    }

    /// Answers a request that is no call's, or none that changes it.
    fn respond(&self, source: SocketAddr, message: Message<'_>, code: u16, out: &mut Outbox) {
        respond::send(self.config.socket, source, message, code, out);
    }

    /// A timer of a call fired, perhaps too early.
    fn alarm(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if !self.alarms.is_due(now, place, &mut call.due) {
            return;
        }
        match call.phase {
            Phase::Free => {}
            Phase::Trying => self.ring(now, place, out),
            Phase::Ringing => self.answer(now, place, out),
            Phase::Accepted | Phase::Rejected => self.unacknowledged(now, place, out),
            Phase::Confirmed => self.hang_up(now, place, out),
            Phase::Ending => self.bye_unanswered(now, place, out),
            Phase::Over => self.calls.remove(place),
        }
    }

    /// The call is over: from now on it only knows what is sent again.
    fn is_over(&mut self, now: Timestamp, place: Place) {
        self.calls.release_buffer(place);
        if let Some(call) = self.calls.get_mut(place) {
            call.phase = Phase::Over;
            let until = now + self.config.linger;
            self.alarms.set(place, &mut call.due, until);
        }
    }

    /// Sends an answer to a call's INVITE.
    fn send_answer(&mut self, place: Place, code: u16, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let session = &self.session;
        out.send(self.config.socket, call.reply_to, |bytes| {
            push_status_line(code, bytes);
            bytes.extend_from_slice(&call.buffer[call.head as usize..]);
            if code == 200 {
                bytes.extend_from_slice(session);
            } else {
                bytes.extend_from_slice(NO_BODY);
            }
        });
    }
}

/// How an answer without body ends.
const NO_BODY: &[u8] = b"Content-Length: 0\r\n\r\n";

fn push_status_line(code: u16, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"SIP/2.0 ");
    super::template::push_decimal(u32::from(code), bytes);
    bytes.push(b' ');
    bytes.extend_from_slice(build::reason_phrase(code).as_bytes());
    bytes.extend_from_slice(b"\r\n");
}
