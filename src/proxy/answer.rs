//! The one final answer that the caller gets: RFC 3261 section 16.7 steps 5 to 9.

use std::sync::Arc;

use super::context::BestAnswer;
use super::core::{Core, OwnAnswer, send_stored};
use super::forward::write_reply;
use super::incoming::Incoming;
use super::outbox::Outbox;
use super::relay_branch::Cause;
use super::request::Refusal;
use super::script::Event;
use crate::dispatch::Destination;
use crate::load::Hold;
use crate::sip::{Basics, Method};
use crate::time::Timestamp;

/// The answer when no destination answered.
const TIMEOUT: Refusal = Refusal::new(408, "Request Timeout");
/// The answer when the caller cancelled and no destination said so itself.
const TERMINATED: Refusal = Refusal::new(487, "Request Terminated");
/// What a 503 from downstream becomes: it spoke of that destination, not of us (16.7 step 6).
const SERVER_ERROR: Refusal = Refusal::new(500, "Server Internal Error");

impl Core {
    /// A 2xx goes upstream at once, also when it is not the first (16.7 step 5).
    pub(super) fn on_success(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: &Incoming<'_>,
        code: u16,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        let is_invite = context.method == Method::Invite;
        let is_first = !context.server.is_answered();
        if !is_first && !is_invite {
            return;
        }
        self.pass_reply(index, reply, !is_invite, out);
        if !is_first {
            return;
        }
        self.note_success(now, index, number, reply.basics);
        let context = self.contexts.get_mut(index);
        context.server.on_final_sent(code, now, &self.timers);
        context.choice = None;
        context.sent_code = code;
        self.contexts.answered();
        self.account(now, index, Event::Answered, reply.message, out);
        self.cancel_pending(now, index, Cause::of(code), out);
        self.contexts.release(index, &mut self.arena);
    }

    fn note_success(&mut self, now: Timestamp, index: u32, number: usize, reply: &Basics<'_>) {
        let context = self.contexts.get(index);
        let branch = &context.branches[number];
        let (call_id, from_tag, to_tag) = (reply.call_id, reply.from_tag, reply.to_tag);
        if context.method == Method::Invite
            && let Some(destination) = &branch.destination
        {
            self.stats
                .of(destination)
                .answered_after(now.since(branch.sent_at));
        }
        if let (Some(cell), Some(destination)) = (context.cell, &branch.destination) {
            let cell = if self.calls.get(cell).is_none() {
                // It rang for so long that the call was forgotten.
                let hold = hold_on(self.sets.newest(destination), context.is_counted);
                let again = self
                    .calls
                    .insert(call_id, from_tag, context.cseq, hold, now);
                again.unwrap_or(cell)
            } else {
                let goes_to = self.calls.get(cell).map(|call| call.destination);
                if goes_to.is_some_and(|other| !other.is_same(destination)) {
                    // Given up for another, or one of several, and yet answered first: the call is here.
                    let hold = hold_on(self.sets.newest(destination), context.is_counted);
                    self.calls.move_to(cell, hold);
                }
                cell
            };
            self.calls.confirm(cell, to_tag, now);
        } else if matches!(context.method, Method::Invite | Method::Update)
            && let Some((cell, _)) = self.calls.find(call_id, from_tag, to_tag)
        {
            self.calls.refresh(cell, now);
        }
    }

    /// Keeps a negative answer if it is better than the one kept (16.7 step 6).
    pub(super) fn keep_best(&mut self, index: u32, number: usize, reply: &Incoming<'_>, code: u16) {
        let rank = rank(code);
        if !self.is_better(index, number, rank) {
            return;
        }
        if code == 503 && self.modules.remaps_503 {
            // Not its Retry-After: that one speaks of that destination alone.
            let said = (SERVER_ERROR.code, reply.message.reason());
            return self.keep_own(index, number, said, code, rank);
        }
        let scratch = &mut self.bench.scratch;
        scratch.clear();
        write_reply(reply, &mut self.bench.reply_edits, scratch);
        let stored = self.arena.store(scratch);
        let best = BestAnswer {
            code,
            rank,
            branch_code: code,
            branch: number as u8,
            is_own: false,
            bytes: stored,
        };
        self.replace_best(index, best);
    }

    /// Keeps an answer of our own as [`Core::keep_best`] does.
    pub(super) fn keep_own_best(&mut self, index: u32, number: usize, code: u16) {
        let context = self.contexts.get(index);
        let refusal = match code {
            _ if context.cancelled => TERMINATED,
            408 => TIMEOUT,
            _ => SERVER_ERROR,
        };
        let rank = match refusal {
            // It stands for the 503 of a destination.
            SERVER_ERROR => rank(code),
            refusal => rank(refusal.code),
        };
        if self.is_better(index, number, rank) {
            let said = (refusal.code, refusal.reason.as_bytes());
            self.keep_own(index, number, said, code, rank);
        }
    }

    /// Whether the answer of a branch is better than the one kept: of equals that of the branch which
    /// was sent first is, as in Kamailio.
    fn is_better(&self, index: u32, number: usize, rank: u16) -> bool {
        let context = self.contexts.get(index);
        let is_worse = |kept: BestAnswer| (rank, number) < (kept.rank, usize::from(kept.branch));
        !context.server.is_answered() && context.best.is_none_or(is_worse)
    }

    fn keep_own(
        &mut self,
        index: u32,
        number: usize,
        (code, reason): (u16, &[u8]),
        branch_code: u16,
        rank: u16,
    ) {
        self.with_base(index, |core, request, _| {
            let tag = core.branch_keys.tag(request.identity());
            let answer = OwnAnswer {
                code,
                reason,
                headers: b"",
                body: b"",
            };
            let scratch = &mut core.bench.scratch;
            scratch.clear();
            answer.write(request, &tag, &core.modules.server, scratch);
            let stored = core.arena.store(scratch);
            let best = BestAnswer {
                code,
                rank,
                branch_code,
                branch: number as u8,
                is_own: true,
                bytes: stored,
            };
            core.replace_best(index, best);
        });
    }

    fn replace_best(&mut self, index: u32, best: BestAnswer) {
        if let Some(old) = self.contexts.get_mut(index).best.replace(best) {
            self.arena.free(old.bytes);
        }
    }

    /// Sends the best answer if no wanted one is awaited any more.
    pub(super) fn conclude_if_done(&mut self, now: Timestamp, index: u32, out: &mut Outbox) {
        let context = self.contexts.get(index);
        if context.server.is_answered() || context.awaits_answer() {
            return;
        }
        if context.best.is_none() {
            self.keep_own_best(index, 0, TIMEOUT.code);
        }
        if let Some(best) = self.contexts.get(index).best {
            self.account_stored(now, index, Event::Missed, (best.code, best.bytes), out);
        }
        if let Some(route) = self.contexts.get_mut(index).armed.failure.take() {
            self.run_failure_route(now, index, route, out);
            let context = self.contexts.get_mut(index);
            if context.server.is_answered() {
                return;
            }
            if context.awaits_answer() {
                // Only what the new branches say counts, as in Kamailio (`failure_reply_mode` 3).
                if let Some(stale) = context.best.take() {
                    self.arena.free(stale.bytes);
                }
                return;
            }
        }
        let context = self.contexts.get_mut(index);
        let Some(best) = context.best.take() else {
            // A script has spoilt what was sent, so that no answer can be made of it.
            context.server.give_up();
            return self.contexts.answered();
        };
        let (code, stored) = (best.code, best.bytes);
        if code == TIMEOUT.code && context.method != Method::Invite {
            context.server.give_up();
            self.contexts.answered();
            return self.arena.free(stored);
        }
        context.server.on_final_sent(code, now, &self.timers);
        context.sent_code = code;
        context.choice = None;
        let stale = context.last_reply.replace(stored);
        self.contexts.answered();
        let context = self.contexts.get(index);
        send_stored(&self.arena, stored, context.socket, context.reply_to, out);
        let counters = &mut self.stats.counters;
        counters.own_answers += u64::from(best.is_own);
        counters.relayed_replies += u64::from(!best.is_own);
        if let Some(cell) = context.cell {
            self.observe_failure(now, cell, context.cseq);
        }
        if let Some(stale) = stale {
            self.arena.free(stale);
        }
        self.account_stored(now, index, Event::Answered, (code, stored), out);
    }
}

/// What ties a call to a destination that has taken it: counted if the call was, and if it is not
/// full meanwhile. (A reload may have lowered its maxload since the call was sent there.)
fn hold_on(destination: &Arc<Destination>, is_counted: bool) -> Hold {
    let is_counted = is_counted && destination.is_counted();
    let reservation = is_counted.then(|| destination.try_reserve()).flatten();
    reservation.map_or_else(|| Hold::Pinned(Arc::clone(destination)), Hold::Counted)
}

/// How good a negative answer is, as Kamailio sees it; less is better: 6xx before all, then the lowest
/// code, but first what tells the caller how to do better.
fn rank(code: u16) -> u16 {
    match code {
        600.. => code - 600,
        401 | 407 | 415 | 420 | 484 => code,
        400..=499 => code + 100,
        500..=599 => code + 500,
        _ => code,
    }
}
