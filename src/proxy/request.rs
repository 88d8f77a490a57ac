//! A request on its way through a shard: what arrived, read once, and what was decided so far.
//!
//! Owns: the checks of RFC 3261 section 16.3 and the loop check of RFC 5393. The routing
//! configuration works on this and nothing else.

use std::cell::Cell;
use std::net::SocketAddr;

use super::branch::{Branch, BranchKeys};
use super::incoming::Datagram;
use super::local::Locals;
use super::routing::{Routing, RoutingError};
use super::settings::SocketId;
use crate::sip::{Amend, Basics, Fault, Identity, Message, Method, Name, Uri, Via};

/// The answer that a request gets instead of being relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The SIP status code.
    pub code: u16,
    /// The reason phrase.
    pub reason: &'static str,
    /// Whether `Retry-After` is added.
    pub retry_after: bool,
}

impl Refusal {
    /// Without further headers.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            retry_after: false,
        }
    }

    /// "Come back later": the answer at every limit.
    pub const fn busy(reason: &'static str) -> Self {
        Self {
            code: 503,
            reason,
            retry_after: true,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code(), fault.reason())
    }
}

/// The answer to a request that demands an extension of proxies; we have none.
pub const BAD_EXTENSION: Refusal = Refusal::new(420, "Bad Extension");

/// A request as read.
#[derive(Debug)]
pub struct Request<'a> {
    /// The message as received.
    pub message: Message<'a>,
    /// Its method.
    pub method: Method,
    /// Its Request-URI as received.
    pub uri: &'a Uri<'a>,
    /// Its top Via.
    pub via: &'a Via<'a>,
    /// The number in its CSeq.
    pub cseq: u32,
    /// Its Call-ID.
    pub call_id: &'a [u8],
    /// The tag of its From; empty for a client older than RFC 3261.
    pub from_tag: &'a [u8],
    /// The tag of its To; empty outside a dialog.
    pub to_tag: &'a [u8],
    /// The socket it came in by.
    pub socket: SocketId,
    /// Who sent it.
    pub source: SocketAddr,
    /// Where answers go: RFC 3261 section 18.2.2 with RFC 3581.
    reply_to: SocketAddr,
    /// Whether answers go to the port that it came from, though its Via does not ask for it.
    forced_rport: Cell<bool>,
    /// What its Route headers ask for.
    pub routing: Routing<'a>,
    /// Its Max-Forwards; 70 when there is none (section 16.6 step 3).
    pub max_forwards: u32,
}

impl<'a> Request<'a> {
    /// Reads a request that a scan found. The refusal is for requests that cannot be relayed.
    pub fn read(
        message: Message<'a>,
        basics: &'a Basics<'a>,
        datagram: &Datagram<'_>,
        locals: &Locals,
    ) -> Result<Self, Refusal> {
        let uri = basics.request_uri.as_ref();
        let uri = uri.ok_or(Refusal::from(Fault::RequestUri))?;
        let routing = Routing::read(message, uri, locals).map_err(|error| match error {
            RoutingError::Malformed => Refusal::new(400, "Bad Route"),
            RoutingError::TooMany => Refusal::new(400, "Too Many Route Values"),
        })?;
        let reply_to = reply_address(&basics.via, datagram.source);
        Ok(Self {
            message,
            method: basics.cseq.method,
            uri,
            via: &basics.via,
            cseq: basics.cseq.number,
            call_id: basics.call_id,
            from_tag: basics.from_tag,
            to_tag: basics.to_tag,
            socket: datagram.socket,
            source: datagram.source,
            reply_to,
            forced_rport: Cell::new(false),
            routing,
            max_forwards: basics.max_forwards.unwrap_or(70),
        })
    }

    /// What it and its answers have in common.
    pub fn identity(&self) -> Identity<'a> {
        Identity {
            call_id: self.call_id,
            from_tag: self.from_tag,
            cseq: self.cseq,
        }
    }

    /// Where answers go.
    pub fn reply_to(&self) -> SocketAddr {
        if self.forced_rport.get() {
            self.source
        } else {
            self.reply_to
        }
    }

    /// From now on answers go to the port that it came from: `force_rport()`.
    pub fn force_rport(&self) {
        self.forced_rport.set(true);
    }

    /// Whether answers go to the port that it came from, whatever its Via says.
    pub fn has_forced_rport(&self) -> bool {
        self.forced_rport.get()
    }

    /// Whether it says how many hops are left.
    pub fn has_max_forwards(&self) -> bool {
        self.message.has(Name::MaxForwards)
    }

    /// Whether it belongs to a dialog.
    pub fn is_in_dialog(&self) -> bool {
        !self.to_tag.is_empty()
    }

    /// Whether its Route headers decide where it goes; all others are dispatched without them. (A
    /// BYE may lack the To tag: the callee of RFC 2543 gave none, see RFC 3261 section 12.1.2.)
    pub fn goes_by_its_routes(&self) -> bool {
        self.is_in_dialog() || matches!(self.method, Method::Ack | Method::Bye)
    }

    /// Whether it opens a call.
    pub fn opens_call(&self) -> bool {
        self.method == Method::Invite && !self.is_in_dialog()
    }

    /// Whether it has been here before with the same routing (RFC 5393 section 4.2.2).
    pub fn has_looped(&self, keys: &BranchKeys, locals: &Locals) -> bool {
        let mut mark = None;
        let mut is_loop = |via: &Via<'_>| {
            // The branch is looked at first: few others look like ours.
            let branch = via.branch.and_then(Branch::parse);
            let Some(seen) = branch.and_then(|branch| branch.loop_mark()) else {
                return false;
            };
            seen == *mark.get_or_insert_with(|| keys.loop_mark(self.message, self.source.ip()))
                && via
                    .sent_by_ip()
                    .is_some_and(|ip| locals.is_ours(ip, via.port.unwrap_or(5060)))
        };
        let via = self.via;
        is_loop(via)
            || self.message.has_via_below(via)
                && self
                    .message
                    .vias_below(via)
                    .flatten()
                    .any(|via| is_loop(&via))
    }
}

/// Where the answers to a request with this top Via go, received from `source`: back to the source
/// port if the Via asks for it (RFC 3581 section 4), else to the port that it names.
pub fn reply_address(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    let port = if via.rport.is_some() {
        source.port()
    } else {
        via.port.unwrap_or(5060)
    };
    SocketAddr::new(source.ip(), port)
}

/// The amendment of the top Via that makes [`reply_address`] readable in the reply.
pub fn amendment(request: &Request<'_>) -> Amend {
    let amend = Amend::for_source(request.via, request.source);
    if !request.forced_rport.get() {
        return amend;
    }
    Amend {
        received: Some(request.source.ip().to_canonical()),
        rport: Some(request.source.port()),
    }
}
