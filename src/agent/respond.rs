//! Answers that are made from the request alone and sent back the way it came.

use std::net::SocketAddr;

use crate::proxy::{Outbox, SocketId};
use crate::sip::{Message, Name, build};

const DEFAULT_PORT: u16 = 5060;

/// Where the answer to a request from `source` goes (RFC 3261 section 18.2.2, RFC 3581 section 4): always
/// to the address it came from; to the port that the sender names, unless it asks for the real one.
pub(super) fn reply_target(request: Message<'_>, source: SocketAddr) -> SocketAddr {
    match request.top_via() {
        Ok(via) if via.rport.is_none() => {
            SocketAddr::new(source.ip(), via.port.unwrap_or(DEFAULT_PORT))
        }
        _ => source,
    }
}

/// Whether a request has what its answer is made of (RFC 3261 section 8.2.6.2).
pub(super) fn is_answerable(request: Message<'_>) -> bool {
    [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq]
        .into_iter()
        .all(|name| request.has(name))
}

/// Answers a request that creates no dialog.
pub(super) fn send(
    socket: SocketId,
    source: SocketAddr,
    request: Message<'_>,
    code: u16,
    out: &mut Outbox,
) {
    out.send(socket, reply_target(request, source), |bytes| {
        build::reply(
            request,
            source,
            code,
            build::reason_phrase(code),
            b"",
            b"",
            bytes,
        );
    });
}
