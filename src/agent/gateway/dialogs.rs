//! Within a dialog: ACK, BYE of either side, re-INVITE.

use std::net::SocketAddr;

use super::Core;
use super::call::Phase;
use super::config::Fate;
use crate::agent::alarm::Retry;
use crate::agent::dialog::Dialog;
use crate::agent::respond::reply_target;
use crate::agent::token::{Place, TOKEN_DIGITS, parse_hex, write_hex};
use crate::proxy::Outbox;
use crate::sip::{Message, Method, Name, scan};
use crate::time::Timestamp;

/// What our branches begin with; the mark follows.
const BRANCH_PREFIX: &[u8] = b"z9hG4bK-";

impl Core {
    /// The call that a request within a dialog belongs to, by our tag, its Call-ID and the caller's tag.
    fn call_of(&mut self, message: Message<'_>) -> Option<Place> {
        let token = parse_hex(message.to_tag()?.first_chunk()?)?;
        let dialog = self.dialog_hash(message, Name::From)?;
        let place = self.tokens.place(token);
        let call = self.calls.get_mut(place)?;
        (call.dialog == dialog).then_some(place)
    }

    pub(super) fn ack(&mut self, now: Timestamp, message: Message<'_>) {
        let (Some(place), Ok(cseq)) = (self.call_of(message), message.cseq()) else {
            self.report.counts.strays += 1;
            return;
        };
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if call.phase == Phase::Rejected {
            self.is_over(now, place);
            return;
        }
        if call.code != 200 {
            return;
        }
        let first = !call.acked && !call.reinviting;
        if first {
            call.acked = true;
            self.report.counts.acked += 1;
            if let Some(record) = self.records.get_mut(call.record as usize) {
                record.acked = true;
            }
            if let Some(delay) = self.config.hang_up_after {
                call.hang_up_at = now + delay.draw(&mut self.rng);
            }
        }
        if call.phase == Phase::Accepted && call.cseq == cseq.number {
            call.phase = Phase::Confirmed;
            call.reinviting = false;
            self.alarms
                .set(place, &mut call.due, call.hang_up_at.max(now));
            if self.config.hang_up_after.is_none() {
                self.calls.release_buffer(place);
            }
        }
    }

    pub(super) fn bye(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let (Some(place), Ok(cseq)) = (self.call_of(message), message.cseq()) else {
            self.report.counts.strays += 1;
            self.respond(source, message, 481, out);
            return;
        };
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let code = match call.phase {
            // Sent twice: the same answer. Another one: there is no call any more.
            Phase::Over if call.fate == Fate::Answer && call.cseq == cseq.number => {
                self.report.counts.byes_again += 1;
                200
            }
            Phase::Free | Phase::Over | Phase::Rejected => {
                self.report.counts.too_late += 1;
                481
            }
            // Only a dialog with a final answer is ended by BYE here; an early one is cancelled.
            Phase::Trying | Phase::Ringing => 481,
            Phase::Accepted | Phase::Confirmed => {
                call.cseq = cseq.number;
                self.report.counts.byes += 1;
                self.ends(place);
                self.is_over(now, place);
                200
            }
            Phase::Ending => {
                // Both hang up at once: each answers the other.
                call.cseq = cseq.number;
                self.is_over(now, place);
                200
            }
        };
        self.respond(source, message, code, out);
    }

    /// An answered call no longer counts as living.
    fn ends(&mut self, place: Place) {
        self.report.counts.live -= 1;
        if let Some(call) = self.calls.get_mut(place)
            && let Some(record) = self.records.get_mut(call.record as usize)
        {
            record.ended = true;
        }
    }

    /// A re-INVITE is always accepted.
    pub(super) fn reinvite(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let (Some(place), Ok(cseq)) = (self.call_of(message), message.cseq()) else {
            self.report.counts.strays += 1;
            self.respond(source, message, 481, out);
            return;
        };
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let again = call.reinviting && call.cseq == cseq.number;
        match call.phase {
            // Its 200 goes out again by its own timer, or has been acknowledged.
            _ if again => self.report.counts.invites_again += 1,
            Phase::Confirmed if call.cseq == cseq.number => self.report.counts.invites_again += 1,
            Phase::Confirmed if call.cseq < cseq.number => {
                call.phase = Phase::Accepted;
                call.reinviting = true;
                call.cseq = cseq.number;
                call.reply_to = reply_target(message, source);
                call.retry = Retry::new(now, self.config.timers.t1);
                self.alarms.set(place, &mut call.due, call.retry.next());
                self.prepare_answers(place, source, message);
                self.send_answer(place, 200, out);
            }
            // The first INVITE is not acknowledged yet (RFC 3261 section 14.2).
            Phase::Accepted => self.respond(source, message, 491, out),
            _ => self.respond(source, message, 481, out),
        }
    }

    /// Sends our BYE.
    pub(super) fn hang_up(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        self.report.counts.hung_up += 1;
        self.ends(place);
        let next_hop = self.write_bye(place);
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.phase = Phase::Ending;
        call.reply_to = next_hop;
        call.retry = Retry::new(now, self.config.timers.t1);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.send_bye(place, out);
    }

    /// Timers E and F.
    pub(super) fn bye_unanswered(&mut self, now: Timestamp, place: Place, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if now >= call.retry.until {
            self.report.counts.bye_timeouts += 1;
            self.is_over(now, place);
            return;
        }
        call.retry.again(now, self.config.timers.t2);
        self.alarms.set(place, &mut call.due, call.retry.next());
        self.send_bye(place, out);
    }

    fn send_bye(&mut self, place: Place, out: &mut Outbox) {
        if let Some(call) = self.calls.get_mut(place) {
            out.send(self.config.socket, call.reply_to, |bytes| {
                bytes.extend_from_slice(&call.buffer);
            });
        }
    }

    /// Puts our BYE into the place of the call's text; returns where it goes.
    fn write_bye(&mut self, place: Place) -> SocketAddr {
        let address = self.config.address;
        let mut tag = [0; TOKEN_DIGITS];
        write_hex(self.tokens.token(place), &mut tag);
        let Some(call) = self.calls.get_mut(place) else {
            return address;
        };
        let (route, head) = call.buffer.split_at(call.head as usize);
        let mut dialog = Dialog::new(call.reply_to);
        as_message(route, &mut self.scratch);
        if let Ok(route) = scan(&self.scratch, &mut self.scratch_index) {
            dialog.learn_from_invite(route, call.reply_to);
        }
        let mut bye = b"BYE ".to_vec();
        bye.extend_from_slice(dialog.uri());
        bye.extend_from_slice(b" SIP/2.0\r\nVia: SIP/2.0/UDP ");
        bye.extend_from_slice(self.address_text.as_bytes());
        bye.extend_from_slice(b";branch=");
        bye.extend_from_slice(BRANCH_PREFIX);
        bye.extend_from_slice(self.tokens.mark());
        bye.push(b'-');
        bye.extend_from_slice(&tag);
        bye.extend_from_slice(b"\r\nMax-Forwards: 70\r\n");
        bye.extend_from_slice(dialog.routes());
        as_message(head, &mut self.scratch);
        if let Ok(head) = scan(&self.scratch, &mut self.scratch_index) {
            // The one who was called is now the one who sends.
            for (text, name) in [
                (&b"From: "[..], Name::To),
                (b"To: ", Name::From),
                (b"Call-ID: ", Name::CallId),
            ] {
                bye.extend_from_slice(text);
                bye.extend_from_slice(head.first(name).map_or(&b""[..], |line| line.value));
                bye.extend_from_slice(b"\r\n");
            }
        }
        bye.extend_from_slice(b"CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n");
        call.buffer = bye;
        call.head = 0;
        dialog.next_hop()
    }

    /// The answer to our BYE.
    pub(super) fn reply(&mut self, now: Timestamp, message: Message<'_>) {
        let branch = message.top_via().ok().and_then(|via| via.branch);
        let token = branch.and_then(|branch| self.tokens.read(branch, BRANCH_PREFIX));
        let is_bye = message.cseq().is_ok_and(|cseq| cseq.method == Method::Bye);
        let Some((token, _)) = token.filter(|_| is_bye) else {
            self.report.counts.strays += 1;
            return;
        };
        let place = self.tokens.place(token);
        let ending = self
            .calls
            .get_mut(place)
            .is_some_and(|call| call.phase == Phase::Ending);
        if ending && message.reply_code().is_some_and(|code| code >= 200) {
            self.is_over(now, place);
        }
    }
}

/// Makes a message of header lines, so that it can be scanned.
fn as_message(lines: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    out.extend_from_slice(lines);
    out.extend_from_slice(b"\r\n");
}
