//! Replies that are relayed by their Via alone: those to requests that were relayed without
//! transactions (RFC 3261 section 16.11), and those that come after the end of the transaction.

use super::context::Found;
use super::core::Core;
use super::forward::write_reply;
use super::incoming::Incoming;
use super::outbox::Outbox;
use super::settings::SocketId;
use super::stats::Drop;
use crate::sip::Method;
use crate::time::Timestamp;

impl Core {
    /// Sends a reply on, if it is to a request that we relayed for who its next Via names.
    pub(super) fn relay_stateless_reply(
        &mut self,
        now: Timestamp,
        incoming: &Incoming<'_>,
        mac: u64,
        socket: SocketId,
        out: &mut Outbox,
    ) {
        let reply = incoming.message;
        let Some(Ok(upstream)) = reply.via_below(&incoming.basics.via) else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        let Some(reply_to) = upstream.reply_address() else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        let identity = incoming.basics.identity();
        let expected = self
            .branch_keys
            .mac(identity, upstream.branch, reply_to, socket);
        if mac != expected {
            return self.stats.counters.drop(Drop::StrayReply);
        }
        self.observe_stateless(now, incoming);
        self.stats.counters.relayed_replies += 1;
        if let Some(route) = self.script.reply
            && !self.run_reply_route(now, incoming, None, route, out)
        {
            return;
        }
        let edits = &mut self.bench.reply_edits;
        out.send(socket, reply_to, |buffer| {
            write_reply(incoming, edits, buffer);
        });
    }

    /// A reply came for a transaction of which there is no context any more. If it is remembered, its
    /// token proves that the reply is from where the request was sent, and a 2xx goes on.
    pub(super) fn on_late_reply(
        &mut self,
        now: Timestamp,
        incoming: &Incoming<'_>,
        token: u64,
        out: &mut Outbox,
    ) {
        let (reply, basics) = (incoming.message, incoming.basics);
        let upstream = reply.vias_below(&basics.via).next().and_then(Result::ok);
        let method = basics.cseq.method;
        let known = upstream.as_ref().and_then(|via| {
            let key = self.keys.key(reply, basics.identity(), via, method);
            self.contexts.find(key)
        });
        let answered = match known {
            Some(Found::Answered(serial)) => Some(*self.contexts.answered_one(serial)),
            _ => None,
        };
        let Some(answered) = answered.filter(|answered| answered.token == token) else {
            return self.relay_late_reply(incoming, out);
        };
        if let Some(route) = self.script.reply {
            // A final answer cannot be dropped.
            self.run_reply_route(now, incoming, None, route, out);
        }
        let code = reply.reply_code().unwrap_or(0);
        if method != Method::Invite || !(200..300).contains(&code) {
            return;
        }
        let Some(reply_to) = upstream.and_then(|via| via.reply_address()) else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        self.stats.counters.relayed_replies += 1;
        out.send(answered.socket, reply_to, |buffer| {
            write_reply(incoming, &mut self.bench.reply_edits, buffer);
        });
    }

    /// A destination repeats its 2xx to an INVITE until the ACK has come, so perhaps for longer than
    /// we keep the transaction: then it goes to who its next Via names. Only for calls that are
    /// known, from where they went: else strangers could send anything to anybody.
    fn relay_late_reply(&mut self, incoming: &Incoming<'_>, out: &mut Outbox) {
        let basics = incoming.basics;
        let code = incoming.message.reply_code().unwrap_or(0);
        let is_success = basics.cseq.method == Method::Invite && (200..300).contains(&code);
        let known = is_success
            .then(|| {
                self.calls
                    .find(basics.call_id, basics.from_tag, basics.to_tag)
            })
            .flatten();
        let call = known.and_then(|(cell, _)| self.calls.get(cell));
        let is_its_answer = call
            .is_some_and(|call| call.answered && call.destination.address == Some(incoming.source));
        if !is_its_answer {
            return self.stats.counters.drop(Drop::StrayReply);
        }
        let mut below = incoming.message.vias_below(&basics.via);
        let upstream = below.next().and_then(Result::ok);
        let Some(reply_to) = upstream.and_then(|via| via.reply_address()) else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        let Some(socket) = self.locals.socket_for(reply_to, incoming.socket) else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        self.stats.counters.relayed_replies += 1;
        out.send(socket, reply_to, |buffer| {
            write_reply(incoming, &mut self.bench.reply_edits, buffer);
        });
    }
}
