//! The messages that a proxy makes itself: replies, CANCEL, and ACK for a negative reply.

use std::io::Write as _;
use std::net::SocketAddr;

use super::amend::Amend;
use super::message::Message;
use super::name::Name;
use super::text::write_number;

/// Appends a reply to `request`, which came from `source` (RFC 3261 8.2.6).
///
/// Via, From, To, Call-ID and CSeq are copied, as far as they are there; a 100 also gets the
/// Timestamp. The topmost Via gets `received` and `rport` as [`Amend::for_source`] has it. `to_tag`
/// is added to a To without tag; empty means none. `extra` is whole header lines, each with its
/// line end.
pub fn reply(
    request: Message<'_>,
    source: SocketAddr,
    code: u16,
    reason: impl AsRef<[u8]>,
    to_tag: &[u8],
    extra: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"SIP/2.0 ");
    write_number(u32::from(code), out);
    out.push(b' ');
    out.extend_from_slice(reason.as_ref());
    out.extend_from_slice(b"\r\n");
    let top = request.top_via().ok();
    let bytes = request.bytes();
    for line in request.all(Name::Via) {
        out.extend_from_slice(b"Via: ");
        match &top {
            Some(via) if line.range.contains(&via.range.start) => {
                out.extend_from_slice(&bytes[line.value_range.start..via.range.start]);
                Amend::for_source(via, source).write(via, bytes, out);
                out.extend_from_slice(&bytes[via.range.end..line.value_range.end]);
            }
            _ => out.extend_from_slice(line.value),
        }
        out.extend_from_slice(b"\r\n");
    }
    copy_first(request, Name::From, out);
    if let Some(to) = request.first(Name::To) {
        out.extend_from_slice(b"To: ");
        out.extend_from_slice(to.value);
        if !to_tag.is_empty() && request.to().is_ok_and(|to| to.tag().is_none()) {
            out.extend_from_slice(b";tag=");
            out.extend_from_slice(to_tag);
        }
        out.extend_from_slice(b"\r\n");
    }
    copy_first(request, Name::CallId, out);
    copy_first(request, Name::CSeq, out);
    if code == 100 {
        copy_first(request, Name::Timestamp, out);
    }
    out.extend_from_slice(extra);
    out.extend_from_slice(NO_BODY);
}

/// Gives further header lines, each with its line end, to the reply that was just appended to `out`.
pub fn add_lines(lines: &[u8], out: &mut Vec<u8>) {
    if !lines.is_empty() && out.ends_with(NO_BODY) {
        out.truncate(out.len() - NO_BODY.len());
        out.extend_from_slice(lines);
        out.extend_from_slice(NO_BODY);
    }
}

/// Gives a body to the reply that was just appended to `out`.
pub fn add_body(body: &[u8], out: &mut Vec<u8>) {
    if out.ends_with(NO_BODY) {
        out.truncate(out.len() - NO_BODY.len());
        // Writing to a vector cannot fail.
        let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
        out.extend_from_slice(body);
    }
}

/// How a reply ends that has no body.
const NO_BODY: &[u8] = b"Content-Length: 0\r\n\r\n";

/// Appends the CANCEL for an INVITE as we sent it (RFC 3261 9.1): the same Request-URI, topmost Via,
/// Route, From, To, Call-ID and CSeq number. Appends nothing if `invite` is no whole request.
pub fn cancel(invite: Message<'_>, out: &mut Vec<u8>) {
    follow_up("CANCEL", invite, invite, out);
}

/// Appends the same CANCEL with `reason`, whole header lines (RFC 3326), behind its other headers.
pub fn cancel_saying(invite: Message<'_>, reason: &[u8], out: &mut Vec<u8>) {
    let before = out.len();
    cancel(invite, out);
    if out.len() == before {
        return;
    }
    out.truncate(out.len() - 2);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Appends all lines of this name as they are.
pub fn copy_whole(message: Message<'_>, name: Name, out: &mut Vec<u8>) {
    for line in message.all(name) {
        out.extend_from_slice(&message.bytes()[line.range]);
        if !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends the ACK for a negative reply to an INVITE as we sent it (RFC 3261 17.1.1.3): as the CANCEL
/// would be, but with the To of the reply. Appends nothing if `invite` is no whole request.
pub fn ack(invite: Message<'_>, reply: Message<'_>, out: &mut Vec<u8>) {
    follow_up("ACK", invite, reply, out);
}

/// Appends a request of the hop that `invite` went over, with the To of `to_source`.
fn follow_up(method: &str, invite: Message<'_>, to_source: Message<'_>, out: &mut Vec<u8>) {
    let (Some(uri), Ok(via), Ok(cseq)) = (invite.request_uri(), invite.top_via(), invite.cseq())
    else {
        return;
    };
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(uri);
    out.extend_from_slice(b" SIP/2.0\r\nVia: ");
    out.extend_from_slice(&invite.bytes()[via.range]);
    out.extend_from_slice(b"\r\n");
    for line in invite.all(Name::Route) {
        out.extend_from_slice(b"Route: ");
        out.extend_from_slice(line.value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Max-Forwards: 70\r\n");
    copy_first(invite, Name::From, out);
    copy_first(to_source, Name::To, out);
    copy_first(invite, Name::CallId, out);
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        "CSeq: {} {method}\r\nContent-Length: 0\r\n\r\n",
        cseq.number
    );
}

/// Appends the first line of this name, if there is one, under its usual name.
fn copy_first(message: Message<'_>, name: Name, out: &mut Vec<u8>) {
    if let Some(line) = message.first(name) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(line.value);
        out.extend_from_slice(b"\r\n");
    }
}

/// The usual reason phrase of a status code (RFC 3261 21 and the IANA registry); the phrase of its
/// class for a code that is not registered.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 | 606 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity-Info",
        437 => "Unsupported Certificate",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        607 => "Unwanted",
        608 => "Rejected",
        _ => class_phrase(code),
    }
}

fn class_phrase(code: u16) -> &'static str {
    match code / 100 {
        1 => "Progress",
        2 => "Success",
        3 => "Redirection",
        4 => "Bad Request",
        5 => "Server Internal Error",
        6 => "Global Failure",
        _ => "Unknown",
    }
}
