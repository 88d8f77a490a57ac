//! What the call table learns from the messages that pass.
//!
//! Owns: the rules by which answers and BYEs change a call. With transactions, `answer` decides on
//! the call that a transaction opened; all else is here.

use super::core::Core;
use super::incoming::Incoming;
use super::request::Request;
use crate::load::{CellId, CellView, Phase, Side};
use crate::sip::{Basics, Method};
use crate::time::Timestamp;

impl Core {
    /// A BYE passes: from now on the call waits for its answer.
    pub(super) fn observe_bye(
        &mut self,
        now: Timestamp,
        request: &Request<'_>,
        known: Option<(CellId, Side)>,
    ) {
        if let Some((cell, side)) = known {
            self.calls
                .bye(cell, side, request.from_tag, request.to_tag, now);
        }
    }

    /// The answer to a BYE passes. It ends the call, unless it asks for credentials.
    pub(super) fn observe_bye_answer(&mut self, now: Timestamp, reply: &Basics<'_>, code: u16) {
        let (call_id, from_tag, to_tag) = (reply.call_id, reply.from_tag, reply.to_tag);
        if code >= 200
            && let Some((cell, side)) = self.calls.find(call_id, from_tag, to_tag)
        {
            let challenged = matches!(code, 401 | 407);
            self.calls
                .bye_answered(cell, side, from_tag, to_tag, challenged, now);
        }
    }

    /// The INVITE with this CSeq failed. That ends the call, unless a newer one took its place, or
    /// another one was answered.
    pub(super) fn observe_failure(&mut self, now: Timestamp, cell: CellId, cseq: u32) {
        let decides = |call: CellView<'_>| call.phase == Phase::Early && call.cseq == cseq;
        if self.calls.get(cell).is_some_and(decides) {
            self.calls.end(cell, now);
        }
    }

    /// What the call table learns from a reply that passes: without a transaction, every final
    /// answer to the INVITE that opened a call decides on it.
    pub(super) fn observe_stateless(&mut self, now: Timestamp, incoming: &Incoming<'_>) {
        let code = incoming.message.reply_code().unwrap_or(0);
        if code < 200 {
            // It decides nothing.
            return;
        }
        let reply = incoming.basics;
        let cseq = reply.cseq;
        if cseq.method == Method::Bye {
            return self.observe_bye_answer(now, reply, code);
        }
        let (call_id, from_tag, to_tag) = (reply.call_id, reply.from_tag, reply.to_tag);
        let Some((cell, side)) = self.calls.find(call_id, from_tag, to_tag) else {
            return;
        };
        let Some(call) = self.calls.get(cell) else {
            return;
        };
        let opened = call.cseq == cseq.number;
        let is_early = call.phase == Phase::Early;
        match (cseq.method, code) {
            (Method::Invite, 200..=299) if opened || (is_early && side == Side::Caller) => {
                self.calls.confirm(cell, to_tag, now);
            }
            (Method::Invite | Method::Update, 200..=299) => self.calls.refresh(cell, now),
            (Method::Invite, 300..) if opened && is_early => {
                if code == 408 || code >= 500 {
                    self.stats.of(call.destination).failed += 1;
                }
                self.calls.end(cell, now);
            }
            _ => {}
        }
    }
}
