//! What a caller does with requests: a gateway may hang up.

use std::net::SocketAddr;

use super::Core;
use super::call::{PeerBye, Phase};
use super::messages::tag_of;
use crate::agent::respond;
use crate::agent::token::{Place, parse_hex};
use crate::proxy::{Outbox, SocketId};
use crate::sip::{Message, Method, Name};

impl Core {
    pub(super) fn receive_request(
        &mut self,
        socket: SocketId,
        source: SocketAddr,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        let code = match message.method() {
            Some(Method::Ack) => {
                self.report.counts.unexpected += 1;
                return;
            }
            Some(Method::Bye) => self.receive_bye(message),
            Some(Method::Options) => 200,
            Some(Method::Cancel) => {
                self.report.counts.unexpected += 1;
                481
            }
            _ => {
                self.report.counts.unexpected += 1;
                501
            }
        };
        respond::send(socket, source, message, code, out);
    }

    /// Ends the call; returns the answer's code.
    fn receive_bye(&mut self, message: Message<'_>) -> u16 {
        let Some(place) = self.called_by(message) else {
            self.report.counts.unexpected += 1;
            return 481;
        };
        let peer = message
            .first(Name::From)
            .map_or(&b""[..], |line| line.value);
        let Some(call) = self.calls.get_mut(place) else {
            // Over already: a BYE sent twice.
            self.report.counts.late += u64::from(self.calls.is_past(place));
            return if self.calls.is_past(place) { 200 } else { 481 };
        };
        let confirmed = matches!(
            call.phase,
            Phase::Answered | Phase::Reinviting | Phase::Ending
        );
        if !confirmed {
            self.report.counts.unexpected += 1;
            return 481;
        }
        if call.dialog.peer() != peer {
            // A second gateway's leg, which we have hung up on ourselves.
            self.report.counts.late += 1;
            return 200;
        }
        self.report.counts.byes_received += 1;
        if call.phase == Phase::Ending {
            call.peer_bye = PeerBye::Crossed;
            return 200;
        }
        self.report.counts.completed += 1;
        self.release(place);
        200
    }

    /// The call that a request belongs to by its Call-ID and our tag.
    fn called_by(&self, message: Message<'_>) -> Option<Place> {
        let (name, _) = self.tokens.read(message.call_id()?, b"")?;
        let tag = parse_hex(message.to_tag()?.first_chunk()?)?;
        (tag == tag_of(name)).then(|| self.tokens.place(name))
    }
}
