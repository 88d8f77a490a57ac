//! CANCEL, hop by hop: RFC 3261 sections 9 and 16.10, with a Reason as of RFC 3326.

use std::io::Write as _;

use super::context::{Context, Found};
use super::core::Core;
use super::outbox::Outbox;
use super::relay_branch::Cause;
use super::request::{Refusal, Request};
use crate::arena::{Arena, Bytes};
use crate::sip::{Name, build};
use crate::time::Timestamp;
use crate::transaction::{ClientTransaction, Kind};

const CANCELING: Refusal = Refusal::new(200, "canceling");
const NONE_PENDING: Refusal = Refusal::new(200, "ok -- no more pending branches");

impl Cause {
    /// Of a branch that was to be cancelled before and rings only now. Kamailio has no words then.
    fn of_late(context: &Context) -> Self {
        match context.sent_code {
            _ if context.callers_reason != Bytes::EMPTY => Self::Caller,
            code @ 200.. => Self::Answer(code),
            _ => Self::Untold,
        }
    }

    /// Appends it as header lines.
    fn write(self, context: &Context, arena: &Arena, out: &mut Vec<u8>) {
        match self {
            Self::Untold => {}
            Self::Elsewhere => out
                .extend_from_slice(b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"),
            Self::Answer(code) => {
                // Writing to a vector cannot fail.
                write!(out, "Reason: SIP;cause={code}\r\n").ok();
            }
            Self::Caller => out.extend_from_slice(arena.get(context.callers_reason)),
        }
    }
}

impl Core {
    /// The caller cancels its INVITE. The final answer that follows decides what
    /// became of the call.
    pub(super) fn cancel(
        &mut self,
        now: Timestamp,
        invite: Found,
        request: &Request<'_>,
        out: &mut Outbox,
    ) {
        let index = match invite {
            Found::Whole(index) if !self.contexts.get(index).server.is_answered() => index,
            Found::Whole(_) | Found::Answered(_) => {
                return self.refuse(request, NONE_PENDING, out);
            }
        };
        self.refuse(request, CANCELING, out);
        let is_tight = self.contexts.is_full(&self.arena);
        let context = self.contexts.get_mut(index);
        if context.cancelled {
            return;
        }
        context.cancelled = true;
        if self.modules.copies_reasons && !is_tight {
            let scratch = &mut self.bench.scratch;
            scratch.clear();
            build::copy_whole(request.message, Name::Reason, scratch);
            context.callers_reason = self.arena.try_store(scratch).unwrap_or(Bytes::EMPTY);
        }
        self.cancel_pending(now, index, Cause::Caller, out);
        self.conclude_if_done(now, index, out);
        self.contexts.settle(index, &mut self.arena);
    }

    /// Cancels every branch that has no final answer.
    pub(super) fn cancel_pending(
        &mut self,
        now: Timestamp,
        index: u32,
        cause: Cause,
        out: &mut Outbox,
    ) {
        for number in 0..self.contexts.get(index).branches.len() {
            if self.contexts.get(index).branches[number]
                .client
                .is_pending()
            {
                self.cancel_branch(now, index, number, cause, out);
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
        cause: Cause,
        out: &mut Outbox,
    ) {
        let timers = &self.timers;
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
        branch.cause = cause;
        self.send_cancel(index, number, out);
    }

    /// Cancels a branch that was to be cancelled before anything had come back from it.
    pub(super) fn cancel_late(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        out: &mut Outbox,
    ) {
        let cause = Cause::of_late(self.contexts.get(index));
        self.cancel_branch(now, index, number, cause, out);
    }

    /// Sends the CANCEL of a branch, for the first time or again.
    pub(super) fn send_cancel(&mut self, index: u32, number: usize, out: &mut Outbox) {
        let mut reason = std::mem::take(&mut self.bench.extra);
        reason.clear();
        let context = self.contexts.get(index);
        let cause = context.branches[number].cause;
        let is_ours = matches!(cause, Cause::Elsewhere | Cause::Answer(_));
        if !is_ours || self.modules.gives_reasons {
            cause.write(context, &self.arena, &mut reason);
        }
        self.with_sent_branch(index, number, |sent, hop| {
            out.send(hop.socket, hop.address, |buffer| {
                build::cancel_saying(sent, &reason, buffer);
            });
        });
        self.bench.extra = reason;
    }
}
