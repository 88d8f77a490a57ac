//! CANCEL, hop by hop: RFC 3261 sections 9 and 16.10.

use super::core::Core;
use super::outbox::Outbox;
use super::request::{Refusal, Request};
use crate::sip::build;
use crate::time::Timestamp;
use crate::transaction::{ClientTransaction, Kind};

const CANCELING: Refusal = Refusal::new(200, "canceling");

impl Core {
    /// The caller cancels the request of a context. The final answer that follows decides what
    /// became of the call.
    pub(super) fn cancel(
        &mut self,
        now: Timestamp,
        index: u32,
        request: &Request<'_>,
        out: &mut Outbox,
    ) {
        self.refuse(request, CANCELING, out);
        let context = self.contexts.get_mut(index);
        if context.server.is_answered() || context.cancelled {
            return;
        }
        context.cancelled = true;
        self.cancel_pending(now, index, out);
        self.conclude_if_done(now, index, out);
        self.contexts.settle(index, &mut self.arena);
    }

    /// Cancels every branch that has no final answer.
    pub(super) fn cancel_pending(&mut self, now: Timestamp, index: u32, out: &mut Outbox) {
        for number in 0..self.contexts.get(index).branches.len() {
            if self.contexts.get(index).branches[number]
                .client
                .is_pending()
            {
                self.cancel_branch(now, index, number, out);
            }
        }
    }

    /// Cancels one branch: now if anything has come back from it, else as soon as something does,
    /// since a CANCEL could overtake the INVITE (section 9.1).
    pub(super) fn cancel_branch(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        out: &mut Outbox,
    ) {
        let timers = &self.settings.timers;
        let context = self.contexts.get_mut(index);
        // Only an INVITE can be cancelled to any use.
        if crate::sip::Method::Invite != context.method {
            return;
        }
        let branch = &mut context.branches[number];
        branch.cancel_wanted = true;
        branch.stop_waiting();
        if branch.client.is_silent() || branch.cancel.is_some() {
            return;
        }
        branch.client.give_up(now, timers);
        branch.cancel = Some(ClientTransaction::start(Kind::NonInvite, now, timers));
        self.send_cancel(index, number, out);
    }

    /// Sends the CANCEL of a branch, for the first time or again.
    pub(super) fn send_cancel(&mut self, index: u32, number: usize, out: &mut Outbox) {
        self.with_sent_branch(index, number, |sent, hop| {
            out.send(hop.socket, hop.address, |buffer| {
                build::cancel(sent, buffer);
            });
        });
    }
}
