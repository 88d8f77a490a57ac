//! Writing a request or reply as it is sent on: RFC 3261 sections 16.6 and 16.7, by splicing.

use std::io::Write as _;
use std::net::SocketAddr;

use super::branch::Branch;
use super::local::Locals;
use super::request::{Request, amendment};
use super::settings::SocketId;
use crate::sip::{Edits, Message, Name, remove_first_value};

/// Where a datagram goes and by which socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Our socket.
    pub socket: SocketId,
    /// The next element.
    pub address: SocketAddr,
}

/// Appends the request as sent to `hop`: our Via on top, Record-Route if asked for, Max-Forwards one
/// less, the caller's Via amended, Routes and R-URI as decided.
pub fn write_request(
    request: &Request<'_>,
    hop: Hop,
    branch: &Branch,
    record_route: bool,
    locals: &Locals,
    edits: &mut Edits,
    out: &mut Vec<u8>,
) {
    let message = request.message;
    edits.clear();
    edits.insert_with(message.headers_start(), |text| {
        text.extend_from_slice(b"Via: SIP/2.0/UDP ");
        text.extend_from_slice(locals.sent_by(hop.socket));
        text.extend_from_slice(b";branch=");
        branch.write(text);
        text.extend_from_slice(b"\r\n");
        if record_route {
            write_record_route(request.socket, hop.socket, locals, text);
        }
        if message.first(Name::MaxForwards).is_none() {
            text.extend_from_slice(b"Max-Forwards: 70\r\n");
        }
    });
    if let Some(line) = message.first(Name::MaxForwards) {
        edits.replace_with(line.value_range, |text| {
            write_decimal(request.max_forwards.saturating_sub(1), text);
        });
    }
    amendment(request).apply(&request.via, message, edits);
    request.routing.apply(message, edits);
    message.complete(edits);
    edits.write(message.bytes(), out);
}

fn write_decimal(value: u32, text: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    write!(text, "{value}").ok();
}

/// One Record-Route value, or two when the request leaves by another socket than it came in by, so
/// that each side of the dialog sees the address it can reach.
fn write_record_route(came_by: SocketId, leaves_by: SocketId, locals: &Locals, text: &mut Vec<u8>) {
    let crosses = came_by != leaves_by;
    for socket in [leaves_by, came_by] {
        text.extend_from_slice(b"Record-Route: <sip:");
        text.extend_from_slice(locals.sent_by(socket));
        text.extend_from_slice(if crosses {
            b";r2=on;lr>\r\n"
        } else {
            b";lr>\r\n"
        });
        if !crosses {
            break;
        }
    }
}

/// Appends a reply as sent upstream: without our Via.
pub fn write_reply(reply: Message<'_>, edits: &mut Edits, out: &mut Vec<u8>) {
    edits.clear();
    remove_first_value(edits, reply, Name::Via);
    reply.complete(edits);
    edits.write(reply.bytes(), out);
}
