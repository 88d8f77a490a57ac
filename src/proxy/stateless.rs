//! Relaying without transactions: RFC 3261 section 16.11.

use super::branch::Branch;
use super::core::Core;
use super::default_route::Target;
use super::forward::{write_reply, write_request};
use super::outbox::Outbox;
use super::request::Request;
use super::settings::SocketId;
use super::stats::Drop;
use crate::sip::Message;
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
        self.observe_stateless(now, reply);
        self.stats.counters.relayed_replies += 1;
        out.send(socket, reply_to, |buffer| {
            write_reply(reply, &mut self.bench.edits, buffer);
        });
    }
}
