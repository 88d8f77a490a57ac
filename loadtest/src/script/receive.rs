//! What an actor does with messages.

use std::net::SocketAddr;

use sipshard::proxy::{Outbox, SocketId};
use sipshard::sip::{Message, Name, StartLine, build, is_keepalive, scan};
use sipshard::time::Timestamp;

use super::actor::{Actor, Core};
use super::call::{Call, State};
use super::digest::Challenge;
use super::errors::failure;
use super::program::{Act, Optional, Receive, Wanted};
use super::report::Cause;

/// A Call-ID may have a name for one of several dialogs of a call before this.
const DIALOG_MARK: &[u8] = b"///";
/// Requests that `-aa` answers.
const AUTO_ANSWERED: [&[u8]; 4] = [b"INFO", b"NOTIFY", b"OPTIONS", b"UPDATE"];

/// A message as it came in.
#[derive(Clone, Copy)]
struct Incoming<'a> {
    message: Message<'a>,
    socket: SocketId,
    source: SocketAddr,
    /// The request's method, or that of CSeq for an answer.
    method: &'a [u8],
    code: Option<u16>,
    hash: u64,
}

impl Actor {
    /// Deals with a datagram.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        (socket, source): (SocketId, SocketAddr),
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        if is_keepalive(bytes) {
            return;
        }
        let core = &mut self.core;
        let Ok(message) = scan(bytes, &mut self.index) else {
            let what = || format!("what {source} sent is no SIP message");
            core.errors.add(now, what, bytes);
            core.report.caller.counts.malformed += 1;
            return;
        };
        let (method, code) = match message.start() {
            StartLine::Request { token, .. } => (token, None),
            StartLine::Reply { code, .. } => {
                let cseq = message.cseq();
                (cseq.map_or(&[][..], |cseq| cseq.token), Some(code))
            }
        };
        let Some(id) = message.call_id() else {
            let what = || format!("what {source} sent has no Call-ID");
            core.errors.add(now, what, bytes);
            core.report.caller.counts.malformed += 1;
            return;
        };
        let incoming = Incoming {
            message,
            socket,
            source,
            method,
            code,
            hash: core.hasher.hash_one(message.bytes()),
        };
        let mark = id
            .windows(DIALOG_MARK.len())
            .position(|part| part == DIALOG_MARK);
        let id = mark.map_or(id, |at| &id[at + DIALOG_MARK.len()..]);
        let key = core.hasher.hash_one(id);
        let known = core.by_id.get(&key).map(|slot| *slot as usize);
        match known.filter(|slot| core.calls[*slot].id == id) {
            Some(slot) => core.message(slot, now, incoming, out),
            None => core.first_message(id, now, incoming, out),
        }
    }
}

impl Core {
    /// A message of no call: it may begin one.
    fn first_message(
        &mut self,
        id: &[u8],
        now: Timestamp,
        incoming: Incoming<'_>,
        out: &mut Outbox,
    ) {
        let begins = !self.program.calls && incoming.code.is_none() && {
            let probe = Call::new(incoming.source, now);
            self.find_ahead(&probe, incoming).is_some()
        };
        let live = self.report.caller.counts.live;
        if !begins || live >= u64::from(self.config.max_live) {
            let what = || {
                let why = if begins {
                    "began one call too many"
                } else {
                    "is of no call"
                };
                format!("what {} sent {why}", incoming.source)
            };
            self.errors.add(now, what, incoming.message.bytes());
            self.report.strays += 1;
            self.report.caller.counts.unexpected += 1;
            return;
        }
        let number = self.report.caller.counts.started + 1;
        let ends = (incoming.socket, incoming.source);
        let slot = self.begin(now, ends, number, id.to_vec());
        // Steps before the first message that is waited for.
        self.advance(slot, now, out);
        if self.calls[slot].state == State::Waiting {
            self.message(slot, now, incoming, out);
        }
    }

    /// A message of a call.
    fn message(&mut self, slot: usize, now: Timestamp, incoming: Incoming<'_>, out: &mut Outbox) {
        let call = &mut self.calls[slot];
        if self.config.retransmits && call.has_seen(incoming.hash) {
            self.seen_again(slot, incoming.hash, out);
            return;
        }
        if call.state == State::Lingering {
            self.report.caller.counts.late += 1;
            return;
        }
        let call = &self.calls[slot];
        let ahead = self.find_ahead(call, incoming);
        let found = ahead.or_else(|| self.find_behind(&self.calls[slot], incoming));
        let Some(index) = found else {
            self.unexpected(slot, now, incoming, out);
            return;
        };
        let program = self.program.clone();
        let Act::Receive(receive) = &program.steps[index].act else {
            return;
        };
        if receive.lost > 0.0 && self.unit() < receive.lost {
            return;
        }
        self.learn(slot, incoming, receive);
        self.report.steps[index].done += 1;
        if receive.is_challenge {
            let challenge = Challenge::of(incoming.message, incoming.code.unwrap_or_default());
            let Some(challenge) = challenge else {
                return self.fail(slot, Cause::Challenge, out);
            };
            self.calls[slot].challenge = Some(Box::new(challenge));
        }
        self.timers(slot, index, now);
        if let Err(cause) = self.act(slot, index, now) {
            return self.fail(slot, cause, out);
        }
        let next = program.steps[index].next;
        let variables = &self.calls[slot].variables;
        let jumps = next.is_some_and(|next| next.test.is_none_or(|test| variables[test].is_set()));
        if receive.optional == Optional::No || jumps {
            let call = &mut self.calls[slot];
            call.wake = None;
            self.go_on(slot, index);
            self.advance(slot, now, out);
        } else {
            self.arm(slot);
        }
    }

    /// A message that has come before: what answered it is sent again.
    fn seen_again(&mut self, slot: usize, hash: u64, out: &mut Outbox) {
        let call = &self.calls[slot];
        let index = call.step.min(self.program.steps.len() - 1);
        self.report.steps[index].again += 1;
        let counts = &mut self.report.caller.counts;
        if hash == call.answered {
            counts.acks_again += 1;
            out.send(call.socket, call.peer, |bytes| {
                bytes.extend_from_slice(&call.answer);
            });
        } else {
            counts.late += 1;
        }
    }

    /// The step that waits for a message: the one that the call is at, or one after it if those between
    /// are optional.
    fn find_ahead(&self, call: &Call, incoming: Incoming<'_>) -> Option<usize> {
        for (index, step) in self.program.steps.iter().enumerate().skip(call.step) {
            match &step.act {
                Act::Receive(receive) => {
                    if fits(call, receive, incoming) {
                        return Some(index);
                    }
                    if receive.optional == Optional::No {
                        return None;
                    }
                }
                // Before the first message there may be steps that wait for nothing.
                Act::Nothing => {}
                _ => return None,
            }
        }
        None
    }

    /// An optional message that comes out of its order, or one that may come at any time.
    fn find_behind(&self, call: &Call, incoming: Incoming<'_>) -> Option<usize> {
        let mut in_a_row = true;
        for index in (0..call.step).rev() {
            let Act::Receive(receive) = &self.program.steps[index].act else {
                in_a_row = false;
                continue;
            };
            in_a_row &= receive.optional != Optional::No;
            if (in_a_row || receive.optional == Optional::Always) && fits(call, receive, incoming) {
                return Some(index);
            }
        }
        None
    }

    /// Takes from a message what later ones are made of.
    fn learn(&mut self, slot: usize, incoming: Incoming<'_>, receive: &Receive) {
        let call = &mut self.calls[slot];
        let message = incoming.message;
        call.remember(incoming.hash);
        call.last.clear();
        call.last.extend_from_slice(message.bytes());
        call.resend = None;
        call.answering = Some(incoming.hash);
        let is_final = incoming.code.is_some_and(|code| code >= 200);
        call.invite_over |= is_final && incoming.method == b"INVITE";
        let tag = if incoming.code.is_some() {
            message.to_tag()
        } else {
            // A call's answers go back to where its last request came from.
            call.peer = incoming.source;
            message.from_tag()
        };
        if let Some(tag) = tag {
            call.peer_tag = tag.to_vec();
        }
        if receive.learns_routes {
            let bytes = message.bytes();
            let routes = message.record_routes().filter_map(Result::ok);
            let mut routes: Vec<&[u8]> = routes.map(|route| &bytes[route.range]).collect();
            if incoming.code.is_some() {
                routes.reverse();
            }
            call.routes = routes.join(&b", "[..]);
            let contact = message.addresses(Name::Contact).find_map(Result::ok);
            if let Some(contact) = contact {
                call.next_url = contact.uri.to_vec();
            }
        }
    }

    /// A message that no step waits for.
    fn unexpected(
        &mut self,
        slot: usize,
        now: Timestamp,
        incoming: Incoming<'_>,
        out: &mut Outbox,
    ) {
        let call = &mut self.calls[slot];
        let message = incoming.message;
        let is_request = incoming.code.is_none();
        if is_request && self.config.auto_answer && AUTO_ANSWERED.contains(&incoming.method) {
            answer(call, incoming, 200, out);
            return;
        }
        // A provisional answer late in coming harms nobody.
        if incoming.code.is_some_and(|code| code < 200) && call.invite_over {
            self.report.caller.counts.late += 1;
            return;
        }
        self.report.caller.counts.unexpected += 1;
        let what = || failure(call, &self.program, Cause::Unexpected);
        self.errors.add(now, what, message.bytes());
        let index = call.step.min(self.program.steps.len() - 1);
        self.report.steps[index].unexpected += 1;
        match incoming.code {
            Some(code) if incoming.method == b"INVITE" => {
                call.invite_over |= code >= 200;
                let mut index = sipshard::sip::HeaderIndex::new();
                if code >= 300
                    && let Ok(invite) = scan(&call.invite, &mut index)
                {
                    out.send(call.socket, call.peer, |bytes| {
                        build::ack(invite, message, bytes);
                    });
                }
                *self.report.caller.refused.entry(code).or_default() += 1;
            }
            Some(_) => {}
            None if incoming.method == b"ACK" => {}
            None if incoming.method == b"BYE" || incoming.method == b"CANCEL" => {
                answer(call, incoming, 200, out);
            }
            None => answer(call, incoming, 481, out),
        }
        self.fail(slot, Cause::Unexpected, out);
    }
}

fn answer(call: &Call, incoming: Incoming<'_>, code: u16, out: &mut Outbox) {
    let reason = build::reason_phrase(code);
    out.send(call.socket, incoming.source, |bytes| {
        let (request, source) = (incoming.message, incoming.source);
        build::reply(request, source, code, reason, b"", b"", bytes);
    });
}

/// Whether a step waits for this message.
fn fits(call: &Call, receive: &Receive, incoming: Incoming<'_>) -> bool {
    let fits = match &receive.wanted {
        Wanted::Answer(code, methods) => {
            incoming.code == Some(*code) && methods.iter().any(|method| method == incoming.method)
        }
        Wanted::Request(method) => incoming.code.is_none() && method == incoming.method,
        Wanted::Requests(regex) => incoming.code.is_none() && regex.is_match(incoming.method),
    };
    fits && receive.answers.is_none_or(|transaction| {
        let via = incoming.message.top_via();
        let branch = via.ok().and_then(|via| via.branch);
        branch.is_some_and(|branch| {
            call.branches
                .get(transaction)
                .is_some_and(|own| own == branch)
        })
    })
}
