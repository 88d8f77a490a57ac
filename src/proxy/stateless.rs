//! Replies to requests that were relayed without transactions: RFC 3261 section 16.11.

use super::core::Core;
use super::forward::write_reply;
use super::outbox::Outbox;
use super::settings::SocketId;
use super::shard::Incoming;
use super::stats::Drop;
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
        let Some(Ok(upstream)) = reply.vias_below(&incoming.basics.via).next() else {
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
}
