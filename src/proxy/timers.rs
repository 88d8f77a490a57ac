//! What happens when nothing happens: retransmission, timeouts, failover on silence, and what could
//! not be delivered.

use super::branch::Branch;
use super::core::{Core, send_stored};
use super::outbox::Outbox;
use crate::time::Timestamp;
use crate::transaction::{ClientEvent, ServerEvent};

/// What stands for a branch that never answered.
const TIMEOUT: u16 = 408;
/// What stands for a branch that could not be delivered (RFC 3261 section 16.9).
const UNDELIVERABLE: u16 = 503;

impl Core {
    /// Does what is due for one context.
    pub(super) fn on_timer(&mut self, now: Timestamp, index: u32, out: &mut Outbox) {
        self.run_server(now, index, out);
        let mut number = 0;
        // Failover adds branches while this runs; the new ones have nothing due yet.
        while number < self.contexts.get(index).branches.len() {
            self.run_no_answer(now, index, number, out);
            self.run_client(now, index, number, out);
            self.run_cancel(now, index, number, out);
            number += 1;
        }
        self.contexts.settle(index, &mut self.arena);
    }

    fn run_server(&mut self, now: Timestamp, index: u32, out: &mut Outbox) {
        let timers = self.settings.timers;
        loop {
            let context = self.contexts.get_mut(index);
            match context.server.on_deadline(now, &timers) {
                ServerEvent::Idle | ServerEvent::Terminated => return,
                ServerEvent::Retransmit => {
                    if let Some(stored) = context.last_reply {
                        send_stored(&self.arena, stored, context.socket, context.reply_to, out);
                    }
                }
            }
        }
    }

    /// Nothing at all came back in time: the next destination gets the request. So it does when
    /// this one rings, and keepalives have found it dead since. Without a next one, this one may
    /// still answer.
    fn run_no_answer(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let branch = &mut self.contexts.get_mut(index).branches[number];
        if now < branch.no_answer_at {
            return;
        }
        branch.no_answer_at = Timestamp::FAR;
        if !branch.client.is_pending() {
            return;
        }
        let is_silent = branch.client.is_silent();
        if !is_silent && !branch.has_lost_its_destination() {
            branch.no_answer_at = now + self.settings.failover.no_answer;
            return;
        }
        if self.try_next(now, index, out) {
            if !is_silent {
                self.cancel_branch(now, index, number, out);
            }
            self.abandon(now, index, number);
        }
    }

    /// The answer of this branch is no longer wanted; a late provisional one gets a CANCEL.
    fn abandon(&mut self, now: Timestamp, index: u32, number: usize) {
        self.note_failure(index, number, TIMEOUT);
        let timers = self.settings.timers;
        let branch = &mut self.contexts.get_mut(index).branches[number];
        branch.abandoned = true;
        branch.client.give_up(now, &timers);
    }

    fn run_client(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let timers = self.settings.timers;
        loop {
            let branch = &mut self.contexts.get_mut(index).branches[number];
            match branch.client.on_deadline(now, &timers) {
                ClientEvent::Idle | ClientEvent::Terminated => return,
                ClientEvent::Retransmit => self.resend_branch(index, number, out),
                ClientEvent::RangTooLong => self.cancel_branch(now, index, number, out),
                ClientEvent::Timeout => self.fail_branch(now, index, number, TIMEOUT, out),
            }
        }
    }

    fn run_cancel(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let timers = self.settings.timers;
        loop {
            let branch = &mut self.contexts.get_mut(index).branches[number];
            let Some(cancel) = &mut branch.cancel else {
                return;
            };
            match cancel.on_deadline(now, &timers) {
                ClientEvent::Retransmit => self.send_cancel(index, number, out),
                _ => return,
            }
        }
    }

    /// A branch ended without an answer: as if it had answered with `code`.
    fn fail_branch(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        code: u16,
        out: &mut Outbox,
    ) {
        if self.contexts.get(index).branches[number].abandoned {
            return;
        }
        self.note_failure(index, number, code);
        let may_move_on = self.settings.failover.codes.contains(&code);
        if may_move_on && self.try_next(now, index, out) {
            self.contexts.get_mut(index).branches[number].abandoned = true;
        }
        self.keep_own_best(index, code);
        self.conclude_if_done(now, index, out);
    }

    /// A request of ours could not be delivered.
    pub(super) fn on_undeliverable(&mut self, now: Timestamp, branch: Branch, out: &mut Outbox) {
        match branch {
            Branch::Probe { token } => out.undelivered_probe(token),
            Branch::Stateful {
                index,
                token,
                number,
                ..
            } => {
                let number = usize::from(number);
                let Some(context) = self.contexts.named(index, token) else {
                    return;
                };
                // What answered once is there; the error is about something older or spoofed.
                let is_silent = context
                    .branches
                    .get(number)
                    .is_some_and(|branch| branch.client.is_silent());
                if !is_silent {
                    return;
                }
                let branch = &mut self.contexts.get_mut(index).branches[number];
                branch.client.fail();
                branch.no_answer_at = Timestamp::FAR;
                self.fail_branch(now, index, number, UNDELIVERABLE, out);
                self.contexts.settle(index, &mut self.arena);
            }
            // Nothing was kept of it; the caller will repeat it.
            Branch::Stateless { .. } => {}
        }
    }
}
