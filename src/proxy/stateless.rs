//! Relaying without transactions: RFC 3261 section 16.11.

use super::branch::Branch;
use super::core::Core;
use super::default_route::Target;
use super::forward::{write_reply, write_request};
use super::outbox::Outbox;
use super::request::Request;
use super::settings::SocketId;
use super::stats::Drop;
use crate::load::Phase;
use crate::sip::{Message, Method};
use crate::time::Timestamp;

impl Core {
    /// Sends a request on.
    pub(super) fn relay_stateless(
        &mut self,
        request: &Request<'_>,
        target: &Target,
        out: &mut Outbox,
    ) {
        let branch = Branch::Stateless {
            mac: self.branch_keys.mac(
                request.message,
                request.via.branch,
                request.reply_to,
                request.socket,
            ),
            socket: request.socket,
            loop_mark: self.branch_keys.loop_mark(request.message),
        };
        self.stats.counters.relayed_requests += 1;
        if target.candidates.is_some()
            && let Some(destination) = &target.destination
        {
            self.stats.of(destination).selected += 1;
        }
        out.send(target.hop.socket, target.hop.address, |buffer| {
            write_request(
                request,
                target.hop,
                &branch,
                target.record_route,
                &self.locals,
                &mut self.bench.edits,
                buffer,
            );
        });
    }

    /// Sends a reply on, if it is to a request that we relayed for who its next Via names.
    pub(super) fn relay_stateless_reply(
        &mut self,
        now: Timestamp,
        reply: Message<'_>,
        mac: u64,
        socket: SocketId,
        out: &mut Outbox,
    ) {
        let Some(Ok(upstream)) = reply.vias().nth(1) else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        let Some(reply_to) = upstream.reply_address() else {
            return self.stats.counters.drop(Drop::NoWayBack);
        };
        let expected = self
            .branch_keys
            .mac(reply, upstream.branch, reply_to, socket);
        if mac != expected {
            return self.stats.counters.drop(Drop::StrayReply);
        }
        self.observe_reply(now, reply);
        self.stats.counters.relayed_replies += 1;
        out.send(socket, reply_to, |buffer| {
            write_reply(reply, &mut self.bench.edits, buffer);
        });
    }

    /// What the call table learns from a reply that passes: without a transaction, every final
    /// answer to the INVITE that opened a call decides on it.
    fn observe_reply(&mut self, now: Timestamp, reply: Message<'_>) {
        let code = reply.reply_code().unwrap_or(0);
        let Ok(cseq) = reply.cseq() else { return };
        let from_tag = reply.from_tag().unwrap_or_default();
        let to_tag = reply.to_tag().unwrap_or_default();
        let Some((cell, _)) =
            self.calls
                .find(reply.call_id().unwrap_or_default(), from_tag, to_tag)
        else {
            return;
        };
        let Some(call) = self.calls.get(cell) else {
            return;
        };
        let opened = call.cseq == cseq.number;
        match (cseq.method, code) {
            (Method::Invite, 200..=299) if opened => {
                self.calls.confirm(cell, to_tag, now);
            }
            (Method::Invite | Method::Update, 200..=299) => self.calls.refresh(cell, now),
            (Method::Invite, 300..) if opened && call.phase == Phase::Early => {
                if code == 408 || code >= 500 {
                    self.stats.of(call.destination).failed += 1;
                }
                self.calls.end(cell, now);
            }
            _ => {}
        }
    }
}
