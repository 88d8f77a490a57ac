//! Where the Route headers send a request: RFC 3261 sections 16.4 and 16.6 step 6.
//!
//! Owns: the decision which Route values go, which R-URI is sent on and whose host is the next hop.
//! Strict routers (RFC 2543) before and after us are served.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::local::Locals;
use super::settings::SocketId;
use crate::sip::{Edits, Message, Name, NameAddr, Uri};

/// Most Route values that are followed; a request with more is refused.
const MAX_ROUTES: usize = 32;

/// Why Route headers cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingError {
    /// A value is no address.
    Malformed,
    /// There are more than are followed.
    TooMany,
}

/// What the Route headers of one request ask for.
#[derive(Debug)]
pub struct Routing<'a> {
    /// The URI whose host is the next hop, if the request is not dispatched.
    pub next_uri: &'a [u8],
    /// The R-URI to send on, when it is not the one received.
    pub new_request_uri: Option<&'a [u8]>,
    /// The socket that the last of our own Route values names: the one by which the request leaves,
    /// if it can (see [`super::forward`] on the two Record-Route values).
    pub leaves_by: Option<SocketId>,
    /// Whether a Route value was ours, or the R-URI.
    pub was_ours: bool,
    /// Which of the Route values stay; `None` when the headers stay as they are.
    kept: Option<Range<usize>>,
    /// The value that is put behind them.
    added: Option<&'a [u8]>,
}

impl<'a> Routing<'a> {
    /// Reads the Route headers of a request with this R-URI.
    pub fn read(
        message: Message<'a>,
        uri: &Uri<'_>,
        locals: &Locals,
    ) -> Result<Self, RoutingError> {
        let request_uri = message.request_uri().unwrap_or_default();
        if message.first(Name::Route).is_none() {
            return Ok(Self {
                next_uri: request_uri,
                new_request_uri: None,
                leaves_by: None,
                was_ours: false,
                kept: None,
                added: None,
            });
        }
        let mut routes = ArrayVec::<NameAddr<'a>, MAX_ROUTES>::new();
        for route in message.routes() {
            let route = route.map_err(|_| RoutingError::Malformed)?;
            routes.try_push(route).map_err(|_| RoutingError::TooMany)?;
        }
        Ok(Self::decide(message, uri, &routes, locals))
    }

    fn decide(
        message: Message<'a>,
        uri: &Uri<'_>,
        routes: &[NameAddr<'a>],
        locals: &Locals,
    ) -> Self {
        let request_uri = message.request_uri().unwrap_or_default();
        let mut target = request_uri;
        let mut kept = 0..routes.len();
        // A strict router put our Record-Route value into the R-URI; the real one is the last Route.
        if let Some(last) = routes.last()
            && is_our_record_route(uri, locals)
        {
            target = last.uri;
            kept.end -= 1;
        }
        // Two values are ours when the dialog crosses between two of our sockets.
        let mut leaves_by = None;
        while let Some(first) = routes[kept.clone()].first()
            && let Ok(uri) = Uri::parse(first.uri)
            && let Some(socket) = locals.named_by(&uri)
        {
            leaves_by = Some(socket);
            kept.start += 1;
        }
        let was_ours = kept.len() < routes.len();
        let mut next_uri = target;
        let mut added = None;
        if let Some(first) = routes[kept.clone()].first() {
            next_uri = first.uri;
            let is_strict = Uri::parse(first.uri).is_ok_and(|uri| !uri.is_loose());
            if is_strict {
                // The next hop is a strict router: it wants itself in the R-URI and the target last.
                kept.start += 1;
                added = Some(target);
                target = first.uri;
            }
        }
        Self {
            next_uri,
            new_request_uri: (target != request_uri).then_some(target),
            leaves_by,
            was_ours,
            kept: Some(kept),
            added,
        }
    }

    /// Writes what stays of the Route headers into the edits of the request that it was read from.
    pub fn apply(&self, message: Message<'a>, edits: &mut Edits) {
        let Some(kept) = &self.kept else {
            return;
        };
        let mut at = None;
        for line in message.all(Name::Route) {
            at.get_or_insert(line.range.start);
            edits.remove(line.range);
        }
        let Some(at) = at else { return };
        // They are seldom any, and were read before.
        let values = message.routes().flatten();
        let kept = values.skip(kept.start).take(kept.len());
        let kept = kept.filter_map(|route| message.bytes().get(route.range));
        for value in kept.chain(self.added) {
            edits.insert_with(at, |text| {
                text.extend_from_slice(b"Route: ");
                if value.contains(&b'<') {
                    text.extend_from_slice(value);
                } else {
                    text.push(b'<');
                    text.extend_from_slice(value);
                    text.push(b'>');
                }
                text.extend_from_slice(b"\r\n");
            });
        }
    }
}

/// Whether a URI is what we put into Record-Route: one of our addresses with `lr` and no user.
/// (An ordinary request to our address has no `lr`.)
fn is_our_record_route(uri: &Uri<'_>, locals: &Locals) -> bool {
    uri.user.is_none() && uri.is_loose() && locals.is_our_uri(uri)
}
