//! Writing a request or reply as it is sent on: RFC 3261 sections 16.6 and 16.7, by splicing.

use std::net::SocketAddr;

use super::branch::Branch;
use super::draft::{Draft, Routes};
use super::incoming::Incoming;
use super::local::Locals;
use super::request::{Request, amendment};
use super::settings::SocketId;
use crate::sip::{Edits, Message, Name, remove_value, write_number};

/// Where a datagram goes and by which socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Our socket.
    pub socket: SocketId,
    /// The next element.
    pub address: SocketAddr,
}

/// What we put on top of a request: these bytes are not of the message itself. Without them it can be
/// sent elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Where it begins: behind the start line, and behind what a script put on top of all.
    pub start: u32,
    /// Bytes of our Via line.
    pub via: u16,
    /// Bytes of our Record-Route lines behind it.
    pub record_routes: u16,
}

impl Head {
    /// Where our Record-Route lines begin, and where everything of ours ends.
    pub fn places(self) -> (usize, usize) {
        let record_routes = self.start as usize + usize::from(self.via);
        (
            record_routes,
            record_routes + usize::from(self.record_routes),
        )
    }
}

/// One way out for a request.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Where it goes.
    pub hop: Hop,
    /// The branch of our Via.
    pub branch: &'a Branch,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The parameters of our Record-Route; `None`: it gets none.
    pub record_route: Option<&'a [u8]>,
    /// Whether there are two where the request changes its socket.
    pub is_doubled: bool,
}

/// Appends the request as it is sent on one way: our Via on top, Record-Route if asked for, the
/// caller's Via amended, Routes and everything else as the draft has it. What a script puts before all
/// header lines stands above our Via, as in Kamailio.
pub fn write_request(
    request: &Request<'_>,
    draft: &Draft,
    way: &Way<'_>,
    locals: &Locals,
    edits: &mut Edits,
    out: &mut Vec<u8>,
) -> Head {
    let begin = out.len();
    let message = request.message;
    let (bytes, uri) = (message.bytes(), message.uri_range());
    out.extend_from_slice(&bytes[..uri.start]);
    out.extend_from_slice(way.uri);
    out.extend_from_slice(&bytes[uri.end..message.headers_start()]);
    edits.copy_from(&draft.edits);
    if !edits.is_empty() {
        edits.take_insertions(message.headers_start(), out);
    }
    let start = out.len();
    out.extend_from_slice(b"Via: SIP/2.0/UDP ");
    write_sent_by(draft, way.hop.socket, locals, out);
    if draft.asks_rport {
        out.extend_from_slice(b";rport");
    }
    out.extend_from_slice(b";branch=");
    way.branch.write(out);
    out.extend_from_slice(b"\r\n");
    let after_via = out.len();
    if let Some(parameters) = way.record_route {
        let came_by = if way.is_doubled {
            request.socket
        } else {
            way.hop.socket
        };
        let sockets = [way.hop.socket, came_by];
        write_record_route(sockets, parameters, draft, locals, out);
    }
    let head = Head {
        start: (start - begin) as u32,
        via: (after_via - start) as u16,
        record_routes: (out.len() - after_via) as u16,
    };
    amendment(request).apply(request.via, message, edits);
    if let Some(left) = draft.max_forwards {
        write_max_forwards(left, message, edits);
    }
    match draft.routes {
        Routes::Kept => {}
        Routes::Followed => request.routing.apply(message, edits),
        Routes::Removed => remove_routes(message, edits),
    }
    mend_length(message, edits);
    message.complete(edits);
    edits.write_from(bytes, message.headers_start(), out);
    head
}

/// Content-Length as it is after the body was changed.
fn mend_length(message: Message<'_>, edits: &mut Edits) {
    use std::io::Write as _;
    if message.headers_end() == message.body_start() {
        // Without an empty line there is no body, and what is added are headers.
        return;
    }
    let Some(length) = edits.length_from(message.bytes(), message.body_start()) else {
        return;
    };
    // Writing to a vector cannot fail.
    match message.first(Name::ContentLength) {
        Some(line) => edits.set_with(line.value_range, |text| write_number(length as u32, text)),
        None => edits.insert_with(message.headers_end(), |text| {
            write!(text, "Content-Length: {length}\r\n").ok();
        }),
    }
}

fn write_max_forwards(left: u32, message: Message<'_>, edits: &mut Edits) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    match message.first(Name::MaxForwards) {
        Some(line) => edits.replace_with(line.value_range, |text| write_number(left, text)),
        None => edits.insert_with(message.headers_start(), |text| {
            write!(text, "Max-Forwards: {left}\r\n").ok();
        }),
    }
}

fn remove_routes(message: Message<'_>, edits: &mut Edits) {
    for line in message.all(Name::Route) {
        edits.remove(line.range);
    }
}

/// One Record-Route value, or two when the request leaves by another socket than it came in by, so
/// that each side of the dialog sees the address it can reach.
fn write_record_route(
    sockets: [SocketId; 2],
    parameters: &[u8],
    draft: &Draft,
    locals: &Locals,
    text: &mut Vec<u8>,
) {
    let crosses = sockets[0] != sockets[1];
    for socket in sockets {
        text.extend_from_slice(b"Record-Route: <sip:");
        write_sent_by(draft, socket, locals, text);
        if crosses {
            text.extend_from_slice(b";r2=on");
        }
        text.extend_from_slice(LOOSE);
        text.extend_from_slice(parameters);
        text.extend_from_slice(b">\r\n");
        if !crosses {
            break;
        }
    }
}

/// The address that names us: the socket's, or what the script says.
fn write_sent_by(draft: &Draft, socket: SocketId, locals: &Locals, out: &mut Vec<u8>) {
    let own = locals.sent_by(socket);
    if draft.advertised_host.is_none() && draft.advertised_port.is_none() {
        return out.extend_from_slice(own);
    }
    let colon = own.iter().rposition(|&byte| byte == b':');
    let (host, port) = own.split_at(colon.unwrap_or(own.len()));
    match draft.advertised_host {
        Some(text) => out.extend_from_slice(draft.text(text)),
        None => out.extend_from_slice(host),
    }
    match draft.advertised_port {
        Some(port) => {
            use std::io::Write as _;
            // Writing to a vector cannot fail.
            write!(out, ":{port}").ok();
        }
        None => out.extend_from_slice(port),
    }
}

const LOOSE: &[u8] = b";lr";

/// The parameters of a Record-Route that [`write_record_route`] wrote.
pub fn record_route_parameters(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|&byte| byte == b'>');
    let value = &line[..end.unwrap_or(0)];
    let lr = value
        .windows(LOOSE.len())
        .position(|window| window == LOOSE);
    lr.map_or(&[], |at| &value[at + LOOSE.len()..])
}

/// Appends a reply as sent upstream: without our Via, and with the changes that `edits` has already.
pub fn write_reply(incoming: &Incoming<'_>, edits: &mut Edits, out: &mut Vec<u8>) {
    let reply = incoming.message;
    remove_value(edits, reply, Name::Via, &incoming.basics.via.range);
    mend_length(reply, edits);
    reply.complete(edits);
    edits.write(reply.bytes(), out);
}
