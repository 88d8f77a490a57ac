//! Callers: many calls at a time over one or more local addresses, each a full RFC 3261 client over UDP.
//!
//! Owns: its calls, their timers, the schedule, the counts and latencies. May touch: memory only.
//!
//! The load is open: call `k` starts when the schedule says so, whatever became of the calls before it,
//! and latencies are measured from that time. A message costs one scan and one template; nothing is
//! allocated once as many calls have lived at a time as ever will.

mod call;
mod config;
mod messages;
mod replies;
mod report;
mod requests;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use self::call::{Call, Calls, CancelCause, PeerBye, Phase};
pub use self::config::{CallerConfig, CancelRule, HangUp, Share};
pub(super) use self::messages::session;
use self::messages::{Messages, values};
pub use self::report::{CallerCounts, CallerReport, Recent};
use super::Agent;
use super::alarm::{Alarms, Retry};
use super::latency;
use super::profile::unit;
use super::respond::is_answerable;
use super::template::Template;
use super::token::{Place, Tokens};
use crate::proxy::{Outbox, SocketId};
use crate::rng::Rng;
use crate::sip::{HeaderIndex, is_keepalive, scan};
use crate::time::Timestamp;

/// Most calls that one tick starts, so that a caller that was held up does not flood its own socket.
const STARTS_PER_TICK: u32 = 64;
/// Most timers that one tick serves.
const ALARMS_PER_TICK: u32 = 256;

/// A caller.
#[derive(Debug)]
pub struct Caller {
    index: HeaderIndex,
    core: Core,
}

/// All of a caller but the memory for scanning, which a message borrows while the caller works on it.
#[derive(Debug)]
struct Core {
    config: CallerConfig,
    tokens: Tokens,
    rng: Rng,
    /// For each local address.
    messages: Vec<Messages>,
    /// Request-URI and To of an INVITE.
    uri: Vec<u8>,
    to: Vec<u8>,
    calls: Calls,
    alarms: Alarms,
    /// Legs that a second gateway answered, by call and (scrambled) tag.
    forks: BTreeMap<(u64, u64), Place>,
    /// Forks whose BYE is not yet answered.
    open_forks: u32,
    /// How many calls of this caller's share were due so far.
    due_calls: u64,
    next_start: Option<Timestamp>,
    winding_up: bool,
    report: CallerReport,
    /// When it was last given time or a datagram.
    now: Timestamp,
    /// Times since they were last taken.
    recent: Recent,
}

impl Caller {
    /// A caller whose schedule begins at [`CallerConfig::begin`]. The seed decides all of its choices, and
    /// makes its Call-IDs its own: give each caller another.
    ///
    /// # Panics
    /// Without a local address, or with more than [`SocketId`] can number.
    pub fn new(config: CallerConfig, seed: u64) -> Self {
        assert!(
            !config.local.is_empty() && config.local.len() <= usize::from(SocketId::MAX),
            "a caller has from 1 to {} local addresses",
            SocketId::MAX
        );
        let mut rng = Rng::from_seed(seed);
        let tokens = Tokens::new(rng.next(), rng.next() as u32);
        let messages = config
            .local
            .iter()
            .map(|local| Messages::new(*local, &tokens, config.rport))
            .collect();
        let uri = format!("sip:{}@{}", config.user, config.target);
        let mut core = Core {
            to: format!("<{uri}>").into_bytes(),
            uri: uri.into_bytes(),
            tokens,
            rng,
            messages,
            calls: Calls::new(),
            alarms: Alarms::new(config.begin),
            forks: BTreeMap::new(),
            open_forks: 0,
            due_calls: 0,
            next_start: None,
            winding_up: false,
            report: CallerReport::default(),
            now: config.begin,
            recent: Recent::default(),
            config,
        };
        core.next_start = core.start_of(0);
        Self {
            index: HeaderIndex::new(),
            core,
        }
    }

    /// Deals with a datagram that came in by local address number `socket`.
    pub fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        if is_keepalive(bytes) {
            return;
        }
        self.core.now = now;
        let Ok(message) = scan(bytes, &mut self.index) else {
            self.core.report.counts.malformed += 1;
            return;
        };
        match message.reply_code() {
            Some(code) => self.core.receive_reply(now, socket, code, message, out),
            None if !is_answerable(message) => self.core.report.counts.malformed += 1,
            None => self.core.receive_request(socket, source, message, out),
        }
    }

    /// Does what is due: starts calls, hangs up, sends again, gives up. Does a bounded piece of it; as long
    /// as [`Caller::next_deadline`] has passed there is more.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        self.core.now = now;
        for _ in 0..ALARMS_PER_TICK {
            let Some(place) = self.core.alarms.pop(now) else {
                break;
            };
            self.core.alarm(now, place, out);
        }
        for _ in 0..STARTS_PER_TICK {
            match self.core.next_start() {
                Some(scheduled) if scheduled <= now => self.core.start_next(now, scheduled, out),
                _ => break,
            }
        }
    }

    /// When [`Caller::tick`] is next needed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match (self.core.alarms.next_deadline(), self.core.next_start()) {
            (Some(alarm), Some(start)) => Some(alarm.min(start)),
            (alarm, start) => alarm.or(start),
        }
    }

    /// Starts no further calls; those under way go on to their end.
    pub fn stop_starting(&mut self) {
        self.core.next_start = None;
    }

    /// Starts no further calls and ends those under way as soon as SIP allows: answered ones by BYE, the
    /// others by CANCEL, as if it had been chosen.
    pub fn wind_up(&mut self, now: Timestamp) {
        self.stop_starting();
        let core = &mut self.core;
        core.winding_up = true;
        for place in core.calls.live() {
            let Some(call) = core.calls.get_mut(place) else {
                continue;
            };
            match call.phase {
                Phase::Proceeding => call.cancel = CancelCause::Chosen,
                Phase::Answered => call.hang_up_at = now,
                _ => continue,
            }
            core.alarms.set(place, &mut call.due, now);
        }
    }

    /// Whether every call of the schedule is over.
    pub fn is_finished(&self) -> bool {
        self.core.next_start.is_none()
            && self.core.report.counts.live == 0
            && self.core.open_forks == 0
    }

    /// For how many calls at a time it has memory: as many as have ever lived at once.
    pub fn memory_calls(&self) -> usize {
        self.core.calls.capacity()
    }

    /// What it has seen so far.
    pub fn report(&self) -> &CallerReport {
        &self.core.report
    }

    /// Swaps the times since the last such call with `recent`, which is cleared first.
    pub fn take_recent(&mut self, recent: &mut Recent) {
        recent.clear();
        std::mem::swap(&mut self.core.recent, recent);
    }
}

impl Agent for Caller {
    fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        Self::receive(self, now, socket, source, bytes, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        Self::tick(self, now, out);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        Self::next_deadline(self)
    }
}

impl Core {
    /// When the `n`-th call of this caller's share is due.
    fn start_of(&self, n: u64) -> Option<Timestamp> {
        let share = self.config.share;
        let number = n.checked_mul(share.of)?.checked_add(share.index)?;
        let profile = &self.config.profile;
        if self.config.users.is_some() {
            let begun = self.now.since(self.config.begin);
            let is_over = profile.calls.is_some_and(|calls| number >= calls)
                || profile.duration.is_some_and(|end| begun >= end);
            return (!is_over).then_some(self.now);
        }
        Some(self.config.begin + profile.start_of(number)?)
    }

    /// When the next call starts, as far as that is known.
    fn next_start(&self) -> Option<Timestamp> {
        let is_full = |users: u32| self.report.counts.live >= u64::from(users);
        self.next_start
            .filter(|_| !self.config.users.is_some_and(is_full))
    }

    /// Takes the next call of the schedule: starts it, or skips it if too many live.
    fn start_next(&mut self, now: Timestamp, scheduled: Timestamp, out: &mut Outbox) {
        let mut scheduled = scheduled;
        if self.config.users.is_some() {
            // A closed loop has no schedule to be late against, and it may be over by now.
            scheduled = now;
            self.next_start = self.start_of(self.due_calls);
            if self.next_start.is_none() {
                return;
            }
        }
        let number = self.due_calls;
        self.due_calls += 1;
        self.next_start = self.start_of(self.due_calls);
        let counts = &mut self.report.counts;
        if counts.live >= u64::from(self.config.max_live) {
            counts.skipped += 1;
            return;
        }
        counts.started += 1;
        counts.live += 1;
        counts.max_live = counts.max_live.max(counts.live);
        self.report.last_start = now;
        latency::record(&mut self.report.lateness, now.since(scheduled));
        let place = self.calls.allocate(now, self.config.target);
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.name = self.tokens.token(place);
        call.socket = (number % self.messages.len() as u64) as SocketId;
        call.scheduled = scheduled;
        call.cancel_at = now + self.config.ring_timeout;
        if let Some(rule) = self.config.cancel
            && unit(&mut self.rng) < rule.fraction
        {
            call.cancel = CancelCause::Chosen;
            call.cancel_at = now + rule.after;
        }
        call.retry = Retry::new(now, self.config.timers.t1);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.send_invite(place, out);
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
            Phase::Calling => self.invite_unanswered(now, place, out),
            Phase::Proceeding => self.cancel(now, place, out),
            Phase::Cancelling => self.cancel_unanswered(now, place, out),
            Phase::Answered => self.hold_is_over(now, place, out),
            Phase::Reinviting => self.reinvite_unanswered(now, place, out),
            Phase::Ending => self.bye_unanswered(now, place, out),
            Phase::Lingering => self.forget_fork(place),
        }
    }

    /// Timers A and B.
    fn invite_unanswered(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now >= call.retry.until {
            self.report.counts.invite_timeouts += 1;
            self.fail(place);
            return;
        }
        call.retry.again(now, self.config.timers.t1 * 64);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.report.counts.invite_retransmissions += 1;
        self.send_invite(place, out);
    }

    fn cancel(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if call.cancel == CancelCause::None {
            call.cancel = CancelCause::RangTooLong;
        }
        call.phase = Phase::Cancelling;
        call.retry = Retry::new(now, self.config.timers.t1);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.send_cancel(place, out);
    }

    /// Timers E and F of the CANCEL; at 64 * T1 the INVITE itself is given up (RFC 3261 section 9.1).
    fn cancel_unanswered(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now >= call.retry.until {
            self.report.counts.invite_timeouts += 1;
            self.fail(place);
        } else if call.cancel_answered {
            self.alarms.set(place, &mut call.due, call.retry.until);
        } else {
            call.retry.again(now, self.config.timers.t2);
            self.alarms.set(place, &mut call.due, call.retry.next());
            self.report.counts.other_retransmissions += 1;
            self.send_cancel(place, out);
        }
    }

    /// Time for the re-INVITE, or for the end.
    fn hold_is_over(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now < call.hang_up_at {
            call.phase = Phase::Reinviting;
            call.cseq += 1;
            call.retry = Retry::new(now, self.config.timers.t1);
            self.alarms.set(place, &mut call.due, call.retry.next());
            self.send_reinvite(place, out);
            return;
        }
        if self.config.hang_up == HangUp::Gateway && !self.winding_up {
            call.peer_bye = PeerBye::Missing;
        }
        if self.config.lose_bye > 0.0
            && !self.winding_up
            && unit(&mut self.rng) < self.config.lose_bye
        {
            self.report.counts.byes_lost += 1;
            self.release(place);
            return;
        }
        self.hang_up(now, place, out);
    }

    fn reinvite_unanswered(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now >= call.retry.until {
            self.reinvite_is_over(now, place, false);
            return;
        }
        call.retry.again(now, self.config.timers.t1 * 64);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.report.counts.invite_retransmissions += 1;
        self.send_reinvite(place, out);
    }

    /// Back to holding the call.
    fn reinvite_is_over(&mut self, now: Timestamp, place: Place, accepted: bool) {
        if accepted {
            self.report.counts.reinvites += 1;
        } else {
            self.report.counts.reinvites_failed += 1;
        }
        if let Some(call) = self.calls.get_mut(place) {
            call.phase = Phase::Answered;
            self.alarms
                .set(place, &mut call.due, call.hang_up_at.max(now));
        }
    }

    /// Sends the BYE.
    fn hang_up(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.phase = Phase::Ending;
        call.cseq += 1;
        call.bye_sent = now;
        call.retry = Retry::new(now, self.config.timers.t1);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.send_bye(place, out);
    }

    /// Timers E and F of the BYE.
    fn bye_unanswered(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now < call.retry.until {
            call.retry.again(now, self.config.timers.t2);
            self.alarms.set(place, &mut call.due, call.retry.next());
            self.report.counts.other_retransmissions += 1;
            self.send_bye(place, out);
        } else if call.is_fork {
            self.fork_has_ended(now, place);
        } else {
            self.report.counts.bye_timeouts += 1;
            self.fail(place);
        }
    }

    fn fail(&mut self, place: Place) {
        self.report.counts.failed += 1;
        self.release(place);
    }

    /// The call is over and counted.
    fn release(&mut self, place: Place) {
        self.report.counts.live -= 1;
        if let Some(call) = self.calls.get_mut(place) {
            latency::record(&mut self.recent.length, self.now.since(call.sent));
        }
        self.calls.release(place, &mut self.alarms);
    }

    fn send_invite(&mut self, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let values = values(call.name, call.name, 1, (&self.uri, b"", &self.to));
        let template = &self.messages[usize::from(call.socket)].invite;
        out.send(call.socket, self.config.target, |bytes| {
            template.render(&values, bytes);
        });
    }

    fn send_cancel(&mut self, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let values = values(call.name, call.name, 1, (&self.uri, b"", &self.to));
        let template = &self.messages[usize::from(call.socket)].cancel;
        out.send(call.socket, self.config.target, |bytes| {
            template.render(&values, bytes);
        });
    }

    fn send_reinvite(&mut self, place: Place, out: &mut Outbox) {
        if let Some(call) = self.calls.get_mut(place) {
            let messages = &self.messages[usize::from(call.socket)];
            send_in_dialog(
                call,
                self.tokens.token(place),
                call.cseq,
                &messages.invite,
                out,
            );
        }
    }

    fn send_bye(&mut self, place: Place, out: &mut Outbox) {
        if let Some(call) = self.calls.get_mut(place) {
            let messages = &self.messages[usize::from(call.socket)];
            send_in_dialog(
                call,
                self.tokens.token(place),
                call.cseq,
                &messages.bye,
                out,
            );
        }
    }

    /// Acknowledges the 2xx to the INVITE of this number.
    fn send_ack(&mut self, place: Place, cseq: u32, out: &mut Outbox) {
        if let Some(call) = self.calls.get_mut(place) {
            let messages = &self.messages[usize::from(call.socket)];
            send_in_dialog(call, self.tokens.token(place), cseq, &messages.ack, out);
        }
    }
}

/// Sends a request along the dialog of a call.
fn send_in_dialog(call: &Call, leg: u64, cseq: u32, template: &Template, out: &mut Outbox) {
    let dialog = &call.dialog;
    let target = (dialog.uri(), dialog.routes(), dialog.peer());
    let values = values(call.name, leg, cseq, target);
    out.send(call.socket, dialog.next_hop(), |bytes| {
        template.render(&values, bytes);
    });
}
