//! From the INVITE to its ACK: ringing, answering, refusing, cancelling.

use std::net::SocketAddr;

use super::call::{Call, Phase};
use super::config::Fate;
use super::{CallRecord, Core, NO_BODY};
use crate::agent::alarm::Retry;
use crate::agent::respond::reply_target;
use crate::agent::token::{Place, TOKEN_DIGITS, write_hex};
use crate::proxy::Outbox;
use crate::sip::{Message, Name, build};
use crate::time::Timestamp;

impl Core {
    /// An INVITE outside any dialog.
    pub(super) fn invite(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let (Some(key), Some(dialog), Ok(cseq)) = (
            self.transaction_key(message),
            self.dialog_hash(message, Name::From),
            message.cseq(),
        ) else {
            self.report.counts.malformed += 1;
            self.respond(source, message, 400, out);
            return;
        };
        if let Some(place) = self.calls.find(key) {
            self.invite_again(place, out);
            return;
        }
        if self.calls.len() >= self.config.max_calls as usize {
            self.report.counts.full += 1;
            self.respond(source, message, 503, out);
            return;
        }
        self.report.counts.invites += 1;
        let fate = self.config.mix.draw(&mut self.rng);
        let record = self.record(message);
        let place = self.calls.insert(Call {
            fate,
            cseq: cseq.number,
            record,
            ..Call::new(now, key, dialog, reply_target(message, source))
        });
        if fate == Fate::Ignore {
            self.report.counts.ignored += 1;
            self.is_over(now, place);
            return;
        }
        self.prepare_answers(place, source, message);
        if let Fate::Reject(code) = fate {
            self.report.counts.rejected += 1;
            self.refuse(now, place, code, out);
            return;
        }
        let counts = &mut self.report.counts;
        counts.live += 1;
        counts.max_live = counts.max_live.max(counts.live);
        self.begin(now, place, out);
    }

    /// 100 if wanted, 180 now or later.
    fn begin(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        if self.config.trying {
            self.send_answer(place, 100, out);
        }
        let Some(delay) = self.config.ring_after else {
            self.wait_to_answer(now, place, out);
            return;
        };
        let delay = delay.draw(&mut self.rng);
        if delay.is_zero() {
            self.ring(now, place, out);
        } else if let Some(call) = self.calls.get_mut(place) {
            self.alarms.set(place, &mut call.due, now + delay);
        }
    }

    /// Sends 180.
    pub(super) fn ring(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        self.report.counts.ringing += 1;
        self.send_answer(place, 180, out);
        self.wait_to_answer(now, place, out);
    }

    fn wait_to_answer(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.phase = Phase::Ringing;
        if call.fate == Fate::RingOnly {
            return;
        }
        let delay = self.config.answer_after.draw(&mut self.rng);
        if delay.is_zero() {
            self.answer(now, place, out);
        } else {
            self.alarms.set(place, &mut call.due, now + delay);
        }
    }

    /// Sends 200.
    pub(super) fn answer(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        self.report.counts.answered += 1;
        self.finally(now, place, 200, Phase::Accepted, out);
    }

    /// Sends a refusal.
    fn refuse(&mut self, now: Timestamp, place: Place, code: u16, out: &mut Outbox) {
        self.finally(now, place, code, Phase::Rejected, out);
    }

    /// Sends the final answer, and again until the ACK comes.
    fn finally(&mut self, now: Timestamp, place: Place, code: u16, phase: Phase, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.phase = phase;
        call.code = code;
        call.retry = Retry::new(now, self.config.timers.t1);
        self.alarms.set(place, &mut call.due, call.retry.next());
        if let Some(record) = self.records.get_mut(call.record as usize) {
            record.code = code;
        }
        *self.report.answers.entry(code).or_default() += 1;
        self.send_answer(place, code, out);
    }

    /// Timers G and H.
    pub(super) fn unacknowledged(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now < call.retry.until {
            call.retry.again(now, self.config.timers.t2);
            self.alarms.set(place, &mut call.due, call.retry.next());
            let code = if call.reinviting { 200 } else { call.code };
            self.report.counts.answers_again += 1;
            self.send_answer(place, code, out);
        } else if call.phase == Phase::Rejected {
            self.is_over(now, place);
        } else {
            // Nobody acknowledged the call, so it is ended (RFC 3261 section 13.3.1.4).
            self.report.counts.unacked += 1;
            self.hang_up(now, place, out);
        }
    }

    /// The same INVITE once more.
    fn invite_again(&mut self, place: Place, out: &mut Outbox) {
        self.report.counts.invites_again += 1;
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let code = match call.phase {
            Phase::Ringing if self.config.ring_after.is_some() => 180,
            Phase::Trying | Phase::Ringing if self.config.trying => 100,
            Phase::Rejected => call.code,
            // A 200 goes out again by its own timer (RFC 6026 section 7.1); the rest is absorbed.
            _ => return,
        };
        self.report.counts.answers_again += 1;
        self.send_answer(place, code, out);
    }

    pub(super) fn cancel(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let place = self
            .transaction_key(message)
            .and_then(|key| self.calls.find(key));
        let Some(place) = place else {
            self.report.counts.strays += 1;
            self.respond(source, message, 481, out);
            return;
        };
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if call.fate == Fate::Ignore {
            return;
        }
        let open = matches!(call.phase, Phase::Trying | Phase::Ringing);
        self.respond(source, message, 200, out);
        if open {
            let counts = &mut self.report.counts;
            counts.cancelled += 1;
            counts.live -= 1;
            self.refuse(now, place, 487, out);
        } else {
            self.report.counts.too_late += 1;
        }
    }

    /// Writes what all answers to this INVITE have in common, with our tag, into the call's buffer; and
    /// before it, unless it is there from an earlier INVITE, where later requests of ours would go.
    pub(super) fn prepare_answers(
        &mut self,
        place: Place,
        source: SocketAddr,
        message: Message<'_>,
    ) {
        let mut tag = [0; TOKEN_DIGITS];
        write_hex(self.tokens.token(place), &mut tag);
        self.scratch.clear();
        for line in message.all(Name::RecordRoute) {
            let line = &message.bytes()[line.range];
            self.scratch.extend_from_slice(line);
        }
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let buffer = &mut call.buffer;
        if buffer.is_empty() {
            if let Some(contact) = message.first(Name::Contact) {
                buffer.extend_from_slice(&message.bytes()[contact.range]);
            }
            buffer.extend_from_slice(&self.scratch);
            call.head = buffer.len() as u32;
        }
        self.scratch.extend_from_slice(&self.contact);
        let head = call.head as usize;
        buffer.truncate(head);
        build::reply(message, source, 200, "OK", &tag, &self.scratch, buffer);
        buffer.drain(head..head + b"SIP/2.0 200 OK\r\n".len());
        buffer.truncate(buffer.len() - NO_BODY.len());
    }

    /// What is the same in an INVITE, its repetitions, its CANCEL and the ACK to its refusal
    /// (RFC 3261 section 17.2.3).
    fn transaction_key(&self, message: Message<'_>) -> Option<u64> {
        let via = message.top_via().ok()?;
        match via.branch {
            Some(branch) if branch.starts_with(b"z9hG4bK") => {
                Some(self.hasher.hash_one((branch, via.host, via.port)))
            }
            _ => {
                let top = &message.bytes()[via.range];
                let cseq = message.cseq().ok()?.number;
                let caller = (message.call_id()?, message.from_tag());
                Some(self.hasher.hash_one((top, caller, cseq)))
            }
        }
    }

    /// What is the same in all messages of a dialog: Call-ID and the caller's tag, which stands in `name`.
    pub(super) fn dialog_hash(&self, message: Message<'_>, name: Name) -> Option<u64> {
        let tag = match name {
            Name::To => message.to_tag(),
            _ => message.from_tag(),
        };
        Some(self.hasher.hash_one((message.call_id()?, tag)))
    }

    fn record(&mut self, message: Message<'_>) -> u32 {
        if !self.config.keep_records {
            return u32::MAX;
        }
        self.records.push(CallRecord {
            call_id: message.call_id().unwrap_or_default().to_vec(),
            code: 0,
            acked: false,
            ended: false,
        });
        (self.records.len() - 1) as u32
    }
}
