//! Relaying with transactions: RFC 3261 section 16.6 to 16.9, with failover.
//!
//! Owns: what a request's branches and answers mean for each other. The caller sees one transaction
//! with at most one final answer, whatever the destinations do.

use std::sync::Arc;

use super::branch::Branch;
use super::context::{Context, RelayBranch, kind_of};
use super::core::{Core, send_stored, write_extra};
use super::default_route::Target;
use super::forward::{Hop, write_reply, write_request};
use super::outbox::Outbox;
use super::request::{Refusal, Request};
use super::shard::Datagram;
use super::stats::Drop;
use crate::arena::Bytes;
use crate::dispatch::Destination;
use crate::load::Hold;
use crate::sip::{Message, Method, Name, build, scan};
use crate::time::Timestamp;
use crate::transaction::{ClientTransaction, RepeatAction, ReplyAction, TransactionKey};

pub(super) const NO_ROOM: Refusal = Refusal::busy("Transaction Table Full");

impl Core {
    /// Sends a request on by a transaction of its own.
    pub(super) fn relay_stateful(
        &mut self,
        now: Timestamp,
        key: TransactionKey,
        request: &Request<'_>,
        target: Target,
        out: &mut Outbox,
    ) {
        if self.contexts.is_full(&self.arena) {
            if request.goes_by_its_routes() {
                // A call that stands must be able to end: without a transaction it can.
                return self.relay_stateless(request, &target, out);
            }
            return self.answer(request, NO_ROOM, out);
        }
        let mut context = Context::new(key, request);
        context.request = Some(self.arena.store(request.message.bytes()));
        context.cell = target.cell;
        context.candidates = target.candidates;
        context.dispatched = !request.goes_by_its_routes();
        context.record_route = target.record_route;
        if request.method == Method::Invite {
            send_trying(request, out);
        }
        let index = self.contexts.insert(context, &mut self.rng);
        self.add_branch(now, index, request, target.hop, target.destination, out);
        self.contexts.settle(index, &mut self.arena);
    }

    /// Refuses a call by a transaction, so that a repeat of the INVITE gets the same answer even if
    /// there is room for it by then.
    pub(super) fn refuse_call(
        &mut self,
        now: Timestamp,
        key: TransactionKey,
        request: &Request<'_>,
        refusal: Refusal,
        out: &mut Outbox,
    ) {
        if self.contexts.is_full(&self.arena) {
            return self.answer(request, refusal, out);
        }
        self.count_answer(refusal);
        let mut context = Context::new(key, request);
        let tag = self.branch_keys.tag(request.message);
        let (scratch, extra) = (&mut self.bench.scratch, &mut self.bench.extra);
        scratch.clear();
        extra.clear();
        write_extra(refusal, request.message, &self.settings, extra);
        build::reply(
            request.message,
            request.source,
            refusal.code,
            refusal.reason,
            &tag,
            extra,
            scratch,
        );
        let stored = self.arena.store(scratch);
        context.last_reply = Some(stored);
        context
            .server
            .on_final_sent(refusal.code, now, &self.settings.timers);
        send_stored(&self.arena, stored, request.socket, request.reply_to, out);
        let index = self.contexts.insert(context, &mut self.rng);
        self.contexts.settle(index, &mut self.arena);
    }

    /// A request whose transaction is known came again, or is an ACK or CANCEL of it. Says whether
    /// it was dealt with: the ACK to a 2xx is not.
    pub(super) fn repeat(
        &mut self,
        now: Timestamp,
        index: u32,
        request: &Request<'_>,
        out: &mut Outbox,
    ) -> bool {
        match request.method {
            Method::Cancel => self.cancel(now, index, request, out),
            Method::Ack => return self.absorb_ack(now, index),
            _ => {
                self.stats.counters.repeats += 1;
                let context = self.contexts.get(index);
                match (context.server.on_repeat(), context.last_reply) {
                    (RepeatAction::Answer, Some(stored)) => {
                        send_stored(&self.arena, stored, context.socket, context.reply_to, out);
                    }
                    (RepeatAction::Answer, None) if request.method == Method::Invite => {
                        send_trying(request, out);
                    }
                    _ => {}
                }
            }
        }
        true
    }

    fn absorb_ack(&mut self, now: Timestamp, index: u32) -> bool {
        use crate::transaction::AckAction;
        let context = self.contexts.get_mut(index);
        if context.server.on_ack(now, &self.settings.timers) == AckAction::Forward {
            return false;
        }
        // Nothing is repeated any more.
        if let Some(stored) = context.last_reply.take() {
            self.arena.free(stored);
        }
        self.contexts.settle(index, &mut self.arena);
        true
    }

    /// Sends the request to one more destination.
    fn add_branch(
        &mut self,
        now: Timestamp,
        index: u32,
        request: &Request<'_>,
        hop: Hop,
        destination: Option<Arc<Destination>>,
        out: &mut Outbox,
    ) {
        let timers = &self.settings.timers;
        let context = self.contexts.get(index);
        let number = context.branches.len();
        let may_move_on = context.candidates.is_some();
        if may_move_on && let Some(destination) = &destination {
            self.stats.of(destination).selected += 1;
        }
        let branch = RelayBranch {
            hop,
            outages: destination.as_ref().map_or(0, |one| one.outages()),
            destination,
            client: ClientTransaction::start(kind_of(context.method), now, timers),
            abandoned: false,
            cancel_wanted: false,
            cancel: None,
            no_answer_at: if may_move_on {
                now + self.settings.failover.no_answer
            } else {
                Timestamp::FAR
            },
            sent_at: now,
            rang: false,
        };
        self.contexts.add_branch(index, branch);
        let context = self.contexts.get(index);
        self.stats.counters.relayed_requests += 1;
        let branch = Branch::Stateful {
            shard: self.id,
            index,
            token: context.token,
            loop_mark: self.branch_keys.loop_mark(request.message),
            number: number as u8,
        };
        let record_route = context.record_route;
        let (locals, edits) = (&self.locals, &mut self.bench.edits);
        out.send(hop.socket, hop.address, |buffer| {
            write_request(request, hop, &branch, record_route, locals, edits, buffer);
        });
    }

    /// Sends the request to the next destination that can take it; `false` when there is none.
    pub(super) fn try_next(&mut self, now: Timestamp, index: u32, out: &mut Outbox) -> bool {
        let context = self.contexts.get(index);
        if context.cancelled || context.branches.len() >= self.settings.failover.max_branches {
            return false;
        }
        let (Some(mut candidates), Some(stored)) = (context.candidates, context.request) else {
            return false;
        };
        let (socket, source, cell) = (context.socket, context.source, context.cell);
        let sets = Arc::clone(&self.sets);
        let Some(set) = sets.get(self.settings.set) else {
            return false;
        };
        let (destination, reservation, hop) = loop {
            let Some((destination, reservation)) = candidates.next(set) else {
                self.contexts.get_mut(index).candidates = None;
                return false;
            };
            // After a reload the order may be another.
            if self.contexts.get(index).has_tried(&destination) {
                continue;
            }
            if let Some(hop) = self.hop_to(&destination, socket) {
                break (destination, reservation, hop);
            }
        };
        self.contexts.get_mut(index).candidates = Some(candidates);
        self.stats.counters.failovers += 1;
        if let Some(cell) = cell {
            let hold =
                reservation.map_or_else(|| Hold::Pinned(Arc::clone(&destination)), Hold::Counted);
            self.calls.move_to(cell, hold);
        }
        self.with_stored_request(stored, socket, source, true, |core, request| {
            core.add_branch(now, index, request, hop, Some(destination), out);
        });
        true
    }

    /// Reads a stored request again and hands it to `act`. It was read once, so it can be read again.
    pub(super) fn with_stored_request(
        &mut self,
        stored: Bytes,
        socket: u16,
        source: std::net::SocketAddr,
        dispatched: bool,
        act: impl FnOnce(&mut Self, &Request<'_>),
    ) {
        let mut index = self.bench.stored_index.take().unwrap_or_default();
        let mut bytes = std::mem::take(&mut self.bench.stored);
        bytes.clear();
        bytes.extend_from_slice(self.arena.get(stored));
        let datagram = Datagram {
            socket,
            source,
            received: Timestamp::ZERO,
            bytes: &bytes,
        };
        if let Ok(message) = scan(&bytes, &mut index)
            && let Ok(mut request) = Request::read(message, &datagram, &self.locals)
        {
            if dispatched {
                request.routing.forget_routes();
            }
            act(self, &request);
        } else {
            debug_assert!(false, "a stored request can be read");
        }
        self.bench.stored_index = Some(index);
        self.bench.stored = bytes;
    }

    /// Appends the request as it was sent to a branch to `into`.
    pub(super) fn write_branch(&mut self, index: u32, number: usize, into: &mut Vec<u8>) {
        let context = self.contexts.get(index);
        let Some(stored) = context.request else {
            return;
        };
        let hop = context.branches[number].hop;
        let (token, record_route, dispatched) =
            (context.token, context.record_route, context.dispatched);
        let (socket, source) = (context.socket, context.source);
        self.with_stored_request(stored, socket, source, dispatched, |core, request| {
            let branch = Branch::Stateful {
                shard: core.id,
                index,
                token,
                loop_mark: core.branch_keys.loop_mark(request.message),
                number: number as u8,
            };
            let edits = &mut core.bench.edits;
            write_request(
                request,
                hop,
                &branch,
                record_route,
                &core.locals,
                edits,
                into,
            );
        });
    }

    /// Sends the request of a branch again.
    pub(super) fn resend_branch(&mut self, index: u32, number: usize, out: &mut Outbox) {
        let hop = self.contexts.get(index).branches[number].hop;
        out.send(hop.socket, hop.address, |buffer| {
            self.write_branch(index, number, buffer);
        });
    }

    /// A reply came for a branch of a context.
    pub(super) fn on_branch_reply(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: Message<'_>,
        out: &mut Outbox,
    ) {
        let code = reply.reply_code().unwrap_or(0);
        let Ok(cseq) = reply.cseq() else { return };
        let timers = &self.settings.timers;
        let context = self.contexts.get_mut(index);
        let method = context.method;
        let Some(branch) = context.branches.get_mut(number) else {
            return;
        };
        if cseq.method == Method::Cancel {
            if let Some(cancel) = &mut branch.cancel {
                cancel.on_reply(code, now, timers);
            }
        } else if cseq.method == method {
            // Without a Via below ours it was meant for us alone (RFC 3261 section 16.7 step 3).
            if reply.values(Name::Via).nth(1).is_none() {
                return self.stats.counters.drop(Drop::NoWayBack);
            }
            match branch.client.on_reply(code, now, timers) {
                ReplyAction::Absorb => {}
                ReplyAction::AckAgain => self.acknowledge(index, number, reply, out),
                ReplyAction::AckAndPass => {
                    self.acknowledge(index, number, reply, out);
                    self.on_final(now, index, number, reply, code, out);
                }
                ReplyAction::Pass if code < 200 => {
                    self.on_provisional(now, index, number, reply, code, out);
                }
                ReplyAction::Pass => self.on_final(now, index, number, reply, code, out),
            }
        }
        self.contexts.settle(index, &mut self.arena);
    }

    /// Acknowledges a negative answer, hop by hop (RFC 3261 section 17.1.1.3).
    fn acknowledge(&mut self, index: u32, number: usize, reply: Message<'_>, out: &mut Outbox) {
        self.with_sent_branch(index, number, |sent, hop| {
            out.send(hop.socket, hop.address, |buffer| {
                build::ack(sent, reply, buffer);
            });
        });
    }

    /// Hands the request as sent to a branch to `act`, scanned.
    pub(super) fn with_sent_branch(
        &mut self,
        index: u32,
        number: usize,
        act: impl FnOnce(Message<'_>, Hop),
    ) {
        let hop = self.contexts.get(index).branches[number].hop;
        let mut sent = std::mem::take(&mut self.bench.sent);
        let mut sent_index = self.bench.sent_index.take().unwrap_or_default();
        sent.clear();
        self.write_branch(index, number, &mut sent);
        if let Ok(message) = scan(&sent, &mut sent_index) {
            act(message, hop);
        }
        self.bench.sent = sent;
        self.bench.sent_index = Some(sent_index);
    }

    fn on_provisional(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: Message<'_>,
        code: u16,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        let branch = &mut context.branches[number];
        if branch.cancel_wanted || branch.abandoned {
            branch.no_answer_at = Timestamp::FAR;
            return self.cancel_branch(now, index, number, out);
        }
        // From now on it is looked whether the destination lives as long as it rings.
        if branch.no_answer_at != Timestamp::FAR {
            branch.no_answer_at = now + self.settings.failover.no_answer;
        }
        if code == 100 || context.server.is_answered() {
            return;
        }
        if !branch.rang {
            branch.rang = true;
            if context.method == Method::Invite
                && let Some(destination) = &branch.destination
            {
                self.stats
                    .of(destination)
                    .rang_after(now.since(branch.sent_at));
            }
        }
        self.pass_reply(index, reply, true, out);
    }

    /// Sends a reply upstream; keeps it if repeats of the request are to get it.
    pub(super) fn pass_reply(
        &mut self,
        index: u32,
        reply: Message<'_>,
        keep: bool,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        self.stats.counters.relayed_replies += 1;
        let edits = &mut self.bench.edits;
        let stale = if keep {
            let scratch = &mut self.bench.scratch;
            scratch.clear();
            write_reply(reply, edits, scratch);
            let stored = self.arena.store(scratch);
            send_stored(&self.arena, stored, context.socket, context.reply_to, out);
            context.last_reply.replace(stored)
        } else {
            out.send(context.socket, context.reply_to, |buffer| {
                write_reply(reply, edits, buffer);
            });
            // A 2xx after a negative answer does not take back that one.
            context
                .last_reply
                .take_if(|_| !context.server.is_answered())
        };
        if let Some(stale) = stale {
            self.arena.free(stale);
        }
    }

    fn on_final(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: Message<'_>,
        code: u16,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        context.branches[number].no_answer_at = Timestamp::FAR;
        if context.method == Method::Bye {
            self.observe_bye_answer(now, reply, code);
        }
        if code < 300 {
            return self.on_success(now, index, number, reply, code, out);
        }
        if self.contexts.get(index).branches[number].abandoned {
            return;
        }
        self.note_failure(index, number, code);
        let may_move_on = self.settings.failover.codes.contains(&code);
        if may_move_on && self.try_next(now, index, out) {
            // Another destination has the request now; this answer is kept in case none is better.
            self.contexts.get_mut(index).branches[number].abandoned = true;
        }
        self.keep_best(index, reply, code);
        if code >= 600 {
            self.cancel_pending(now, index, out);
        }
        self.conclude_if_done(now, index, out);
    }

    /// Counts an answer that speaks against a destination.
    pub(super) fn note_failure(&mut self, index: u32, number: usize, code: u16) {
        let branch = &self.contexts.get(index).branches[number];
        if (code == 408 || code >= 500)
            && let Some(destination) = &branch.destination
        {
            self.stats.of(destination).failed += 1;
        }
    }
}

fn send_trying(request: &Request<'_>, out: &mut Outbox) {
    out.send(request.socket, request.reply_to, |buffer| {
        build::reply(
            request.message,
            request.source,
            100,
            "Trying",
            b"",
            b"",
            buffer,
        );
    });
}
