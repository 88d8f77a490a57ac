//! What a caller does with answers.

use super::call::{CancelCause, PeerBye, Phase};
use super::messages::{Branch, read_branch, values};
use super::{Core, HangUp, send_in_dialog};
use crate::agent::alarm::on_the_grid;
use crate::agent::token::{Place, scramble};
use crate::proxy::{Outbox, SocketId};
use crate::sip::{Message, Method, Name};
use crate::time::Timestamp;

/// Most second legs that are remembered at a time.
const MAX_FORKS: usize = 4_096;

impl Core {
    /// Finds the call and the transaction of an answer and deals with it.
    pub(super) fn receive_reply(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        code: u16,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let Some((branch, name, method)) = self.identify(message) else {
            self.report.counts.unexpected += 1;
            return;
        };
        let place = self.tokens.place(branch.leg);
        let Some(call) = self.calls.get_mut(place) else {
            self.receive_late(
                now,
                socket,
                (place, branch, name),
                (code, method),
                message,
                out,
            );
            return;
        };
        if call.name != name {
            self.report.counts.unexpected += 1;
            return;
        }
        match method {
            Method::Invite if branch.cseq == 1 => {
                self.invite_reply(now, place, code, message, out);
            }
            Method::Invite => self.reinvite_reply(now, place, branch.cseq, code, out),
            Method::Cancel => self.cancel_reply(place, code),
            Method::Bye => self.bye_reply(now, place, code),
            _ => self.report.counts.unexpected += 1,
        }
    }

    /// Branch, call and method of an answer, if it answers a request of ours.
    fn identify(&self, message: Message<'_>) -> Option<(Branch, u64, Method)> {
        let branch = read_branch(message.top_via().ok()?.branch?, &self.tokens)?;
        let (name, _) = self.tokens.read(message.call_id()?, b"")?;
        let cseq = message.cseq().ok()?;
        (cseq.number == branch.cseq).then_some((branch, name, cseq.method))
    }

    /// An answer for a call that is over. Final answers to INVITE still need their ACK, and a 2xx may come
    /// from a gateway that nobody has hung up on yet.
    fn receive_late(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        (place, branch, name): (Place, Branch, u64),
        (code, method): (u16, Method),
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        if !self.calls.is_past(place) {
            self.report.counts.unexpected += 1;
            return;
        }
        self.report.counts.late += 1;
        if method != Method::Invite || code < 200 {
            return;
        }
        if code >= 300 {
            self.acknowledge_refusal(socket, (branch, name), message, out);
        } else {
            self.end_fork(now, socket, name, message, out);
        }
    }

    fn invite_reply(
        &mut self,
        now: Timestamp,
        place: Place,
        code: u16,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let open = matches!(
            call.phase,
            Phase::Calling | Phase::Proceeding | Phase::Cancelling
        );
        match code {
            100..=199 if open => self.provisional(now, place, code),
            100..=199 => self.report.counts.late += 1,
            200..=299 if open => self.answered(now, place, message, out),
            200..=299 => {
                let peer = message.first(Name::To).map_or(&b""[..], |line| line.value);
                if call.dialog.peer() == peer {
                    self.report.counts.acks_again += 1;
                    self.send_ack(place, 1, out);
                } else {
                    let (socket, name) = (call.socket, call.name);
                    self.end_fork(now, socket, name, message, out);
                }
            }
            300..=699 => {
                let (socket, name) = (call.socket, call.name);
                let branch = Branch { leg: name, cseq: 1 };
                self.acknowledge_refusal(socket, (branch, name), message, out);
                if open {
                    self.refused(place, code);
                } else {
                    self.report.counts.unexpected += 1;
                }
            }
            _ => self.report.counts.unexpected += 1,
        }
    }

    fn provisional(&mut self, now: Timestamp, place: Place, code: u16) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if code > 100 && !call.rang {
            call.rang = true;
            self.report.counts.ringing += 1;
            self.report.setup.record(call.scheduled, call.sent, now);
        }
        if call.phase == Phase::Calling {
            call.phase = Phase::Proceeding;
            if self.winding_up {
                call.cancel = CancelCause::Chosen;
                call.cancel_at = now;
            }
            self.alarms
                .set(place, &mut call.due, call.cancel_at.max(now));
        }
    }

    fn answered(&mut self, now: Timestamp, place: Place, message: Message<'_>, out: &mut Outbox) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        self.report.counts.answered += 1;
        self.report.answer.record(call.scheduled, call.sent, now);
        self.recent.answer.record(call.scheduled, call.sent, now);
        if self.config.follow_route_set {
            call.dialog
                .learn_from_answer(message, &self.uri, self.config.target);
        } else {
            let peer = message.first(Name::To).map_or(&b""[..], |line| line.value);
            call.dialog
                .ignore_route_set(&self.uri, self.config.target, peer);
        }
        // The answer was quicker than our CANCEL: the call stands, so it is ended by a BYE.
        let unwanted = call.phase == Phase::Cancelling || self.winding_up;
        call.phase = Phase::Answered;
        let hold = self.config.hold.draw(&mut self.rng);
        call.hang_up_at = match self.config.hang_up {
            _ if unwanted => now,
            HangUp::Caller => on_the_grid(now + hold),
            HangUp::Gateway => now + hold + self.config.timers.t1 * 64,
        };
        let next = match self.config.reinvite_after {
            Some(after) if !unwanted && after < hold => now + after,
            _ => call.hang_up_at,
        };
        self.alarms.set(place, &mut call.due, next);
        self.send_ack(place, 1, out);
        if unwanted {
            self.hang_up(now, place, out);
        }
    }

    /// A final answer other than 2xx.
    fn refused(&mut self, place: Place, code: u16) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let cancelled = call.phase == Phase::Cancelling && code == 487;
        if cancelled && call.cancel == CancelCause::Chosen {
            self.report.counts.cancelled += 1;
            self.release(place);
            return;
        }
        if self.config.expected_refusal == Some(code) {
            self.report.counts.refused_as_expected += 1;
            self.release(place);
            return;
        }
        if cancelled {
            self.report.counts.ring_timeouts += 1;
        }
        *self.report.refused.entry(code).or_default() += 1;
        self.fail(place);
    }

    fn reinvite_reply(
        &mut self,
        now: Timestamp,
        place: Place,
        cseq: u32,
        code: u16,
        out: &mut Outbox,
    ) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        let open = call.phase == Phase::Reinviting && call.cseq == cseq;
        if code < 200 {
            if open {
                // Whoever takes it has it: no more retransmission, timer B stays.
                self.alarms.set(place, &mut call.due, call.retry.until);
            }
            return;
        }
        if code < 300 {
            self.report.counts.acks_again += u64::from(!open);
            self.send_ack(place, cseq, out);
        } else {
            let messages = &self.messages[usize::from(call.socket)];
            let leg = self.tokens.token(place);
            send_in_dialog(call, leg, cseq, &messages.ack_refusal, out);
        }
        if open {
            self.reinvite_is_over(now, place, code < 300);
        }
    }

    fn cancel_reply(&mut self, place: Place, code: u16) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if call.phase != Phase::Cancelling {
            self.report.counts.late += 1;
        } else if code >= 200 {
            call.cancel_answered = true;
            self.alarms.set(place, &mut call.due, call.retry.until);
        }
    }

    fn bye_reply(&mut self, now: Timestamp, place: Place, code: u16) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if call.phase != Phase::Ending {
            self.report.counts.late += 1;
            return;
        }
        if code < 200 {
            return;
        }
        if call.is_fork {
            self.fork_has_ended(now, place);
            return;
        }
        // When both sides hang up at once the other's call may be gone already.
        let good = code < 300 || call.peer_bye == PeerBye::Crossed;
        if good && call.peer_bye != PeerBye::Missing {
            let due = call.hang_up_at.min(call.bye_sent);
            self.report.bye.record(due, call.bye_sent, now);
            self.report.counts.completed += 1;
            self.release(place);
        } else {
            if good {
                self.report.counts.bye_missing += 1;
            } else {
                self.report.counts.byes_refused += 1;
                *self.report.refused.entry(code).or_default() += 1;
            }
            self.fail(place);
        }
    }

    /// ACK to a final answer other than 2xx, from the answer alone: it may be for a call long over.
    fn acknowledge_refusal(
        &mut self,
        socket: SocketId,
        (branch, name): (Branch, u64),
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let to = message.first(Name::To).map_or(&b""[..], |line| line.value);
        let values = values(name, branch.leg, branch.cseq, (&self.uri, b"", to));
        let Some(messages) = self.messages.get(usize::from(socket)) else {
            return;
        };
        out.send(socket, self.config.target, |bytes| {
            messages.ack_refusal.render(&values, bytes);
        });
    }

    /// A 2xx of a gateway other than the one that the call is held with, or for a call that is over:
    /// acknowledged, and ended at once (RFC 3261 section 13.2.2.4).
    fn end_fork(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        name: u64,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let key = (name, hash(message.to_tag().unwrap_or_default()));
        if let Some(place) = self.forks.get(&key).copied() {
            self.report.counts.acks_again += 1;
            self.send_ack(place, 1, out);
            return;
        }
        if self.forks.len() >= MAX_FORKS || usize::from(socket) >= self.messages.len() {
            self.report.counts.unexpected += 1;
            return;
        }
        self.report.counts.forked += 1;
        let place = self.calls.allocate(now, self.config.target);
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        call.is_fork = true;
        call.name = name;
        call.socket = socket;
        call.dialog
            .learn_from_answer(message, &self.uri, self.config.target);
        self.forks.insert(key, place);
        self.open_forks += 1;
        self.send_ack(place, 1, out);
        self.hang_up(now, place, out);
    }

    /// A fork's BYE was answered or given up. The fork is remembered as long as its 2xx may be repeated.
    pub(super) fn fork_has_ended(&mut self, now: Timestamp, place: Place) {
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        self.open_forks -= 1;
        call.phase = Phase::Lingering;
        let until = now + self.config.timers.t1 * 64;
        self.alarms.set(place, &mut call.due, until);
    }

    /// Forgets a fork.
    pub(super) fn forget_fork(&mut self, place: Place) {
        self.forks.retain(|_, fork| *fork != place);
        self.calls.release(place, &mut self.alarms);
    }
}

fn hash(tag: &[u8]) -> u64 {
    tag.iter()
        .fold(0, |hash, byte| scramble(hash ^ u64::from(*byte)))
}
