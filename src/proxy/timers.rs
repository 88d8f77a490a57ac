//! What happens when nothing happens: retransmission, timeouts, failover on silence, and what could
//! not be delivered.

use super::branch::Branch;
use super::core::{Core, send_stored};
use super::outbox::Outbox;
use super::relay_branch::Cause;
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
            self.run_patience(now, index, number, out);
            self.run_client(now, index, number, out);
            self.run_cancel(now, index, number, out);
            number += 1;
        }
        self.contexts.settle(index, &mut self.arena);
    }

    fn run_server(&mut self, now: Timestamp, index: u32, out: &mut Outbox) {
        let timers = self.timers;
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

    /// A branch took too long: it is given up. Nothing at all came back in time, or it rings and
    /// keepalives have found its destination dead since: it is given up if there is a next
    /// destination; without one, this one may still answer.
    fn run_patience(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let context = self.contexts.get_mut(index);
        let silence = context.patience.silence;
        let branch = &mut context.branches[number];
        if now >= branch.timeout_at {
            branch.stop_waiting();
            if branch.client.is_pending() {
                branch.timed_out = true;
                self.give_up(now, index, number, out);
            }
            return;
        }
        if now < branch.silence_at {
            return;
        }
        branch.silence_at = Timestamp::FAR;
        if !branch.client.is_pending() {
            return;
        }
        let is_silent = branch.client.is_silent();
        if !is_silent && !branch.has_lost_its_destination() {
            branch.silence_at = now.after(silence);
            return;
        }
        if self.has_next(index) {
            self.contexts.get_mut(index).branches[number].timed_out = true;
            self.give_up(now, index, number, out);
        }
    }

    /// The answer of this branch is no longer wanted; what rings is cancelled, and so is what rings
    /// later. It counts as answered with 408.
    fn give_up(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        self.note_failure(index, number, TIMEOUT);
        let timers = self.timers;
        let branch = &mut self.contexts.get_mut(index).branches[number];
        if !branch.client.is_silent() {
            self.cancel_branch(now, index, number, Cause::Untold, out);
        }
        let branch = &mut self.contexts.get_mut(index).branches[number];
        branch.abandoned = true;
        branch.stop_waiting();
        branch.client.give_up(now, &timers);
        self.keep_own_best(index, number, TIMEOUT);
        self.conclude_if_done(now, index, out);
    }

    fn run_client(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let timers = self.timers;
        loop {
            let branch = &mut self.contexts.get_mut(index).branches[number];
            match branch.client.on_deadline(now, &timers) {
                ClientEvent::Idle | ClientEvent::Terminated => return,
                ClientEvent::Retransmit => self.resend_branch(index, number, out),
                ClientEvent::RangTooLong => {
                    self.cancel_branch(now, index, number, Cause::Untold, out);
                }
                ClientEvent::Timeout => self.fail_branch(now, index, number, TIMEOUT, out),
            }
        }
    }

    fn run_cancel(&mut self, now: Timestamp, index: u32, number: usize, out: &mut Outbox) {
        let timers = self.timers;
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
        self.keep_own_best(index, number, code);
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
                branch.stop_waiting();
                self.fail_branch(now, index, number, UNDELIVERABLE, out);
                self.contexts.settle(index, &mut self.arena);
            }
            // Nothing was kept of it; the caller will repeat it.
            Branch::Stateless { .. } => {}
        }
    }
}
