//! Relaying with transactions: RFC 3261 section 16.6 to 16.9.
//!
//! Owns: what a request's branches and answers mean for each other. The caller sees one transaction
//! with at most one final answer, whatever the destinations do.

use super::branch::Branch;
use super::context::Found;
use super::core::{Core, OwnAnswer, send_and_store, send_stored};
use super::draft::{Draft, Options};
use super::forward::{Head, Hop, Way, write_reply, write_request};
use super::incoming::{Datagram, Incoming};
use super::outbox::Outbox;
use super::relay_branch::{Cause, Leg};
use super::request::Request;
use super::script::{Event, ModuleSettings};
use super::stats::Drop;
use crate::sip::{Message, Method, build, scan};
use crate::time::Timestamp;
use crate::transaction::{RepeatAction, ReplyAction};

impl Core {
    /// Answers a request by its transaction, so that a repeat gets the same answer. After a final one the
    /// branches that are still open are to be cancelled.
    pub(super) fn answer_by_transaction(
        &mut self,
        now: Timestamp,
        index: u32,
        request: &Request<'_>,
        answer: OwnAnswer<'_>,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get(index);
        if context.server.is_answered() {
            return;
        }
        self.count_answer(answer.code);
        let tag = self.branch_keys.tag(request.identity());
        let (arena, server) = (&mut self.arena, &self.modules.server);
        let context = self.contexts.get_mut(index);
        let (socket, reply_to) = (context.socket, context.reply_to);
        let stored = send_and_store(arena, socket, reply_to, out, |buffer| {
            answer.write(request, &tag, server, buffer);
        });
        if let Some(stale) = context.last_reply.replace(stored) {
            self.arena.free(stale);
        }
        context.sent_code = answer.code;
        if answer.code < 200 {
            return;
        }
        let timers = &self.timers;
        context.server.on_final_sent(answer.code, now, timers);
        context.choice = None;
        let (cell, cseq) = (context.cell, context.cseq);
        self.contexts.answered();
        if let Some(cell) = cell {
            self.observe_failure(now, cell, cseq);
        }
    }

    /// A request whose transaction is known came again, or is an ACK of it. Says whether
    /// it was dealt with: the ACK to a 2xx is not.
    pub(super) fn repeat(
        &mut self,
        now: Timestamp,
        known: Found,
        request: &Request<'_>,
        out: &mut Outbox,
    ) -> bool {
        match (known, request.method) {
            (Found::Whole(index), Method::Ack) => return self.absorb_ack(now, index),
            (Found::Answered(_), Method::Ack) => return false,
            (Found::Whole(index), _) => self.repeat_answer(index, request, out),
            // Who answered an INVITE with 2xx repeats that, not we.
            (Found::Answered(_), Method::Invite) => {}
            (Found::Answered(serial), _) => self.answer_again(serial, request, out),
        }
        self.stats.counters.repeats += 1;
        true
    }

    fn repeat_answer(&mut self, index: u32, request: &Request<'_>, out: &mut Outbox) {
        let context = self.contexts.get(index);
        match (context.server.on_repeat(), context.last_reply) {
            (RepeatAction::Answer, Some(stored)) => {
                send_stored(&self.arena, stored, context.socket, context.reply_to, out);
            }
            (RepeatAction::Answer, None)
                if request.method == Method::Invite && !context.options.has(Options::NO_TRYING) =>
            {
                send_trying(request, &self.modules, out);
            }
            _ => {}
        }
    }

    /// Gives a request that came again the answer that it got: its very bytes, or made from the request.
    fn answer_again(&mut self, serial: u32, request: &Request<'_>, out: &mut Outbox) {
        let answered = self.contexts.answered_one(serial);
        if let Some(kept) = self.contexts.answer_of(serial) {
            let socket = answered.socket;
            return send_stored(&self.arena, kept.bytes, socket, kept.to, out);
        }
        if answered.goes_to_source {
            request.force_rport();
        }
        let tag = self.branch_keys.tag(request.identity());
        let answer = OwnAnswer {
            code: answered.code,
            reason: build::reason_phrase(answered.code).as_bytes(),
            headers: b"",
            body: b"",
        };
        out.send(request.socket, request.reply_to(), |buffer| {
            answer.write(request, &tag, b"", buffer);
        });
    }

    fn absorb_ack(&mut self, now: Timestamp, index: u32) -> bool {
        use crate::transaction::AckAction;
        let context = self.contexts.get_mut(index);
        if context.server.on_ack(now, &self.timers) == AckAction::Forward {
            return false;
        }
        // Nothing is repeated any more.
        if let Some(stored) = context.last_reply.take() {
            self.arena.free(stored);
        }
        self.contexts.settle(index, &mut self.arena);
        true
    }

    /// Sends the request on one more branch.
    pub(super) fn add_branch(
        &mut self,
        now: Timestamp,
        index: u32,
        request: &Request<'_>,
        draft: &Draft,
        leg: Leg,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        if context.branches.is_empty() {
            // By the request as it came: a later branch may have another Request-URI, or fewer Routes.
            context.loop_mark = self
                .branch_keys
                .loop_mark(request.message, request.source.ip());
        }
        let branch = Branch::Stateful {
            shard: self.id,
            index,
            token: context.token,
            loop_mark: context.loop_mark,
            number: context.branches.len() as u8,
        };
        let way = Way {
            hop: leg.hop,
            branch: &branch,
            uri: draft.uri_or_received(leg.uri, request.message),
            record_route: draft.record_route.map(|text| draft.text(text)),
            is_doubled: self.modules.has_double_rr,
        };
        let (locals, edits) = (&self.locals, &mut self.bench.edits);
        let mut head = Head::default();
        let (arena, hop) = (&mut self.arena, leg.hop);
        let sent = send_and_store(arena, hop.socket, hop.address, out, |buffer| {
            head = write_request(request, draft, &way, locals, edits, buffer);
        });
        self.stats.counters.relayed_requests += 1;
        let context = self.contexts.get(index);
        let branch = context.branch(leg, sent, head, now, &self.timers);
        self.contexts.add_branch(index, branch);
    }

    /// Keeps the request for further branches before a route changes it for the first one.
    pub(super) fn keep_base(&mut self, index: u32, request: &Request<'_>, draft: &Draft) {
        if !self.contexts.get(index).branches.is_empty() {
            return;
        }
        let way = Way {
            hop: Hop {
                socket: request.socket,
                address: request.source,
            },
            branch: &Branch::Probe { token: 0 },
            uri: draft.uri_or_received(draft.uri, request.message),
            record_route: draft.record_route.map(|text| draft.text(text)),
            is_doubled: self.modules.has_double_rr,
        };
        let scratch = &mut self.bench.scratch;
        scratch.clear();
        let head = write_request(
            request,
            draft,
            &way,
            &self.locals,
            &mut self.bench.edits,
            scratch,
        );
        let base = self.arena.store(scratch);
        self.contexts.get_mut(index).base = Some((base, head));
    }

    /// Whether there is a destination that the request can still be sent to.
    pub(super) fn has_next(&self, index: u32) -> bool {
        let context = self.contexts.get(index);
        let Some(mut choice) = context.choice else {
            return false;
        };
        if context.cancelled {
            return false;
        }
        let Some(set) = self.sets.get(choice.set) else {
            return false;
        };
        choice.candidates.only_look();
        while let Some((destination, _)) = choice.candidates.next(set) {
            if !context.has_tried(&destination)
                && self.hop_to(&destination, context.socket).is_some()
            {
                return true;
            }
        }
        false
    }

    /// Reads the request as it was sent on the first branch, without what we put on top of it, and
    /// hands it to `act`. It was read once, so it can be read again, unless a script spoilt it.
    pub(super) fn with_base(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut Self, &Request<'_>, &[u8]),
    ) {
        let context = self.contexts.get(index);
        let (socket, source) = (context.socket, context.source);
        self.with_base_text(index, |core, message, record_routes| {
            let datagram = Datagram {
                socket,
                source,
                received: Timestamp::ZERO,
                bytes: message.bytes(),
            };
            if let Ok(basics) = &message.basics()
                && let Ok(request) = Request::read(message, basics, &datagram, &core.locals)
            {
                act(core, &request, record_routes);
            }
        });
    }

    /// The same, for who does not need it decoded.
    pub(super) fn with_base_text(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut Self, Message<'_>, &[u8]),
    ) {
        let context = self.contexts.get(index);
        let first = context.branches.first();
        let of_first = first.map(|first| (first.sent, first.head));
        let Some((sent, head)) = context.base.or(of_first) else {
            debug_assert!(false, "only what was sent can fail");
            return;
        };
        let sent = self.arena.get(sent);
        let (record_routes, end) = head.places();
        let mut index = self.bench.stored_index.take().unwrap_or_default();
        let mut bytes = std::mem::take(&mut self.bench.stored);
        bytes.clear();
        bytes.extend_from_slice(&sent[..head.start as usize]);
        bytes.extend_from_slice(&sent[end..]);
        let message_end = bytes.len();
        bytes.extend_from_slice(&sent[record_routes..end]);
        let (message, record_routes) = bytes.split_at(message_end);
        if let Ok(message) = scan(message, &mut index) {
            act(self, message, record_routes);
        }
        self.bench.stored_index = Some(index);
        self.bench.stored = bytes;
    }

    /// Sends the request of a branch again.
    pub(super) fn resend_branch(&mut self, index: u32, number: usize, out: &mut Outbox) {
        let branch = &self.contexts.get(index).branches[number];
        let hop = branch.hop;
        send_stored(&self.arena, branch.sent, hop.socket, hop.address, out);
    }

    /// A reply came for a branch of a context.
    pub(super) fn on_branch_reply(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        incoming: &Incoming<'_>,
        out: &mut Outbox,
    ) {
        self.deal_with_reply(now, index, number, incoming, out);
        self.contexts.settle(index, &mut self.arena);
    }

    fn deal_with_reply(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        incoming: &Incoming<'_>,
        out: &mut Outbox,
    ) {
        let reply = incoming.message;
        if !self.run_reply_routes(now, index, number, incoming, out) {
            // What is dropped still says that the branch can be cancelled.
            let branches = &self.contexts.get(index).branches;
            let is_wanted = branches.get(number).is_some_and(|one| one.cancel_wanted);
            if !is_wanted || self.contexts.get(index).branches[number].cancel.is_some() {
                return;
            }
        }
        let changed = self.bench.reply_code;
        let code = changed.or(reply.reply_code()).unwrap_or(0);
        let cseq = incoming.basics.cseq;
        let timers = &self.timers;
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
            if !reply.has_via_below(&incoming.basics.via) {
                return self.stats.counters.drop(Drop::NoWayBack);
            }
            match branch.client.on_reply(code, now, timers) {
                ReplyAction::Absorb => {}
                ReplyAction::AckAgain => self.acknowledge(index, number, reply, out),
                ReplyAction::AckAndPass => {
                    self.acknowledge(index, number, reply, out);
                    self.on_final(now, index, number, incoming, code, out);
                }
                ReplyAction::Pass if code < 200 => {
                    self.on_provisional(now, index, number, incoming, code, out);
                }
                ReplyAction::Pass => self.on_final(now, index, number, incoming, code, out),
            }
        }
    }

    /// The configuration sees a reply before anything else happens. False: it is dropped.
    fn run_reply_routes(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: &Incoming<'_>,
        out: &mut Outbox,
    ) -> bool {
        let branch = Some((index, number));
        if let Some(route) = self.script.reply
            && !self.run_reply_route(now, reply, branch, route, out)
        {
            return false;
        }
        let context = self.contexts.get(index);
        let is_ours = reply.basics.cseq.method == context.method;
        match context.armed.reply {
            Some(route) if is_ours => self.run_reply_route(now, reply, branch, route, out),
            _ => true,
        }
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
        let branch = &self.contexts.get(index).branches[number];
        let sent = self.arena.get(branch.sent);
        let mut sent_index = self.bench.sent_index.take().unwrap_or_default();
        if let Ok(message) = scan(sent, &mut sent_index) {
            act(message, branch.hop);
        }
        self.bench.sent_index = Some(sent_index);
    }

    fn on_provisional(
        &mut self,
        now: Timestamp,
        index: u32,
        number: usize,
        reply: &Incoming<'_>,
        code: u16,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        let branch = &mut context.branches[number];
        if branch.cancel_wanted || branch.abandoned {
            branch.stop_waiting();
            return self.cancel_late(now, index, number, out);
        }
        branch.last_code = code;
        let (method, patience, ends_at) = (context.method, context.patience, context.ends_at());
        context.branches[number].wait_on(now, method, patience, ends_at);
        let branch = &mut context.branches[number];
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
        let message = reply.message;
        if self.modules.accounting.early_media && !message.body().is_empty() {
            self.account(now, index, Event::Answered, message, out);
        }
    }

    /// Sends a reply upstream; keeps it if repeats of the request are to get it.
    pub(super) fn pass_reply(
        &mut self,
        index: u32,
        reply: &Incoming<'_>,
        keep: bool,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        self.stats.counters.relayed_replies += 1;
        let edits = &mut self.bench.reply_edits;
        let (socket, reply_to) = (context.socket, context.reply_to);
        let stale = if keep {
            let stored = send_and_store(&mut self.arena, socket, reply_to, out, |buffer| {
                write_reply(reply, edits, buffer);
            });
            context.last_reply.replace(stored)
        } else {
            out.send(socket, reply_to, |buffer| write_reply(reply, edits, buffer));
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
        reply: &Incoming<'_>,
        code: u16,
        out: &mut Outbox,
    ) {
        let context = self.contexts.get_mut(index);
        context.branches[number].stop_waiting();
        context.branches[number].last_code = code;
        if context.method == Method::Bye {
            self.observe_bye_answer(now, reply.basics, code);
        }
        if code < 300 {
            return self.on_success(now, index, number, reply, code, out);
        }
        if self.contexts.get(index).branches[number].abandoned {
            return;
        }
        self.note_failure(index, number, code);
        self.keep_best(index, number, reply, code);
        let context = self.contexts.get(index);
        if code >= 600 && !context.options.has(Options::NO_6XX) {
            self.cancel_pending(now, index, Cause::of(code), out);
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

/// Answers a request with 100.
pub(super) fn send_trying(request: &Request<'_>, modules: &ModuleSettings, out: &mut Outbox) {
    out.send(request.socket, request.reply_to(), |buffer| {
        build::reply(
            request.message,
            request.source,
            100,
            &modules.trying_reason,
            b"",
            &modules.server,
            buffer,
        );
    });
}
