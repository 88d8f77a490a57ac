//! The built-in routing: what is done with a request that no transaction claims.
//!
//! Owns: the order of the decisions. A request inside a dialog follows its route set, or the call it
//! belongs to; everything else is dispatched to the one set.

use std::sync::Arc;

use super::core::Core;
use super::forward::Hop;
use super::request::{BAD_EXTENSION, Refusal, Request};
use super::settings::{Listener, RelayMode, SocketId};
use super::stats::Drop;
use crate::dispatch::Destination;
use crate::dispatch::select::{Candidates, Keys, SelectError, SelectOptions, select};
use crate::load::{CellId, Hold, Phase, Side};
use crate::sip::{Method, Name, Scheme, Uri};
use crate::time::Timestamp;

/// Where a request is relayed to.
#[derive(Debug)]
pub struct Target {
    /// The next element.
    pub hop: Hop,
    /// The destination, if it was dispatched.
    pub destination: Option<Arc<Destination>>,
    /// The call cell that the final answer to this request decides on.
    pub cell: Option<CellId>,
    /// The destinations to try after this one.
    pub candidates: Option<Candidates>,
    /// Whether it gets a Record-Route.
    pub record_route: bool,
}

impl Target {
    fn hop(hop: Hop) -> Self {
        Self {
            hop,
            destination: None,
            cell: None,
            candidates: None,
            record_route: false,
        }
    }
}

/// What is done with a request.
#[derive(Debug)]
pub enum Decision {
    /// It is sent on.
    Relay(Target),
    /// It is answered.
    Answer(Refusal),
    /// It is dropped.
    Drop(Drop),
}

const OK: Refusal = Refusal::new(200, "OK");
const TOO_MANY_HOPS: Refusal = Refusal::new(483, "Too Many Hops");
const LOOP_DETECTED: Refusal = Refusal::new(482, "Loop Detected");
const NO_SUCH_CALL: Refusal = Refusal::new(481, "Call/Transaction Does Not Exist");
const UNRESOLVABLE: Refusal = Refusal::new(478, "Unresolvable Destination");
const NO_KEY: Refusal = Refusal::new(400, "Nothing To Dispatch By");
const ALL_BUSY: Refusal = Refusal::busy("All Destinations Busy");
const NONE_ACTIVE: Refusal = Refusal::busy("No Destination Available");
const TABLE_FULL: Refusal = Refusal::busy("Call Table Full");
const SHUTTING_DOWN: Refusal = Refusal::busy("Shutting Down");

impl Core {
    /// Decides on a request.
    pub(super) fn route(&mut self, now: Timestamp, request: &mut Request<'_>) -> Decision {
        let asks_us = request.method == Method::Options
            && !request.is_in_dialog()
            && request.is_for_us(&self.locals);
        if asks_us {
            return Decision::Answer(OK);
        }
        if request.max_forwards == 0 {
            return Decision::Answer(TOO_MANY_HOPS);
        }
        if request.has_looped(&self.branch_keys, &self.locals) {
            return Decision::Answer(LOOP_DETECTED);
        }
        let may_demand = !matches!(request.method, Method::Ack | Method::Cancel);
        if may_demand && request.message.has(Name::ProxyRequire) {
            return Decision::Answer(BAD_EXTENSION);
        }
        if request.method == Method::Cancel && self.settings.relay == RelayMode::Stateful {
            // It matches no transaction, and by a transaction of its own it would cancel nothing.
            return Decision::Answer(NO_SUCH_CALL);
        }
        if let Some(cell) = self.failure_acknowledged_by(request) {
            request.routing.forget_routes();
            return self.route_to_call(cell, request);
        }
        if request.goes_by_its_routes() {
            return self.route_in_dialog(now, request);
        }
        request.routing.forget_routes();
        match request.method {
            Method::Invite => self.route_call(now, request),
            Method::Cancel => self.route_cancel(request),
            _ => self.route_other(now, request),
        }
    }

    /// The call whose INVITE failed, if the request is the ACK for that: without transactions it goes
    /// the way of the INVITE, whose R-URI and Routes it has (RFC 3261 sections 16.11, 17.1.1.3).
    fn failure_acknowledged_by(&self, request: &Request<'_>) -> Option<CellId> {
        if request.method != Method::Ack || self.settings.relay == RelayMode::Stateful {
            return None;
        }
        let (cell, _) = self.calls.find(request.call_id, request.from_tag, b"")?;
        let call = self.calls.get(cell)?;
        (!call.answered && call.cseq == request.cseq).then_some(cell)
    }

    fn route_in_dialog(&mut self, now: Timestamp, request: &Request<'_>) -> Decision {
        let known = self
            .calls
            .find(request.call_id, request.from_tag, request.to_tag);
        if request.method == Method::Bye {
            self.observe_bye(now, request, known);
        }
        let by = request.routing.leaves_by.unwrap_or(request.socket);
        let next = NextHop::of(request.routing.next_uri, by, self);
        if let NextHop::Element(hop) = next {
            return Decision::Relay(Target::hop(hop));
        }
        // No route set leads on from here: the caller sent this to our own address, or to a name.
        // The call knows where it goes.
        if let Some((cell, Side::Caller)) = known
            && !self.is_past_attempt(cell, request)
            && let Some(destination) = self.destination_of(cell)
            && let Some(hop) = self.hop_to(&destination, by)
        {
            return Decision::Relay(Target {
                destination: Some(destination),
                ..Target::hop(hop)
            });
        }
        match next {
            _ if request.method == Method::Ack => Decision::Drop(Drop::StrayAck),
            NextHop::Nowhere => Decision::Answer(UNRESOLVABLE),
            _ => Decision::Answer(NO_SUCH_CALL),
        }
    }

    fn route_call(&mut self, now: Timestamp, request: &Request<'_>) -> Decision {
        let known = self.calls.find(request.call_id, request.from_tag, b"");
        if let Some((cell, Side::Caller)) = known {
            if self.is_past_attempt(cell, request) {
                return Decision::Drop(Drop::PastAttempt);
            }
            // With transactions, a repeat does not come this far: this INVITE is another one.
            let is_repeat =
                |cseq| self.settings.relay == RelayMode::Stateless && request.cseq == cseq;
            let is_new_attempt = self
                .calls
                .get(cell)
                .is_some_and(|call| call.phase == Phase::Ended && !is_repeat(call.cseq));
            if !is_new_attempt {
                return self.route_to_same_call(cell, request);
            }
        }
        if self.draining {
            return Decision::Answer(SHUTTING_DOWN);
        }
        match self.dispatch(now, request) {
            Ok((target, hold)) => {
                let cell = match known {
                    Some((cell, Side::Caller)) => {
                        self.calls.revive(cell, request.cseq, hold, now);
                        Some(cell)
                    }
                    _ => self
                        .calls
                        .insert(request.call_id, request.from_tag, request.cseq, hold, now)
                        .ok(),
                };
                if cell.is_none() {
                    return Decision::Answer(TABLE_FULL);
                }
                Decision::Relay(Target {
                    cell,
                    record_route: true,
                    ..target
                })
            }
            Err(refusal) => Decision::Answer(refusal),
        }
    }

    /// Whether a request is about an INVITE of the call that was since tried anew with a higher
    /// CSeq: the new attempt may have gone elsewhere, and where the old one went is not known.
    fn is_past_attempt(&self, cell: CellId, request: &Request<'_>) -> bool {
        let call = self.calls.get(cell);
        call.is_some_and(|call| request.cseq < call.cseq)
    }

    /// A request that belongs to a call goes where the call went, and is not counted again.
    fn route_to_call(&mut self, cell: CellId, request: &Request<'_>) -> Decision {
        let hop = self.destination_of(cell).and_then(|destination| {
            let hop = self.hop_to(&destination, request.socket)?;
            Some((destination, hop))
        });
        match hop {
            Some((destination, hop)) => Decision::Relay(Target {
                destination: Some(destination),
                // A stateless retransmission must look like the first.
                record_route: request.opens_call(),
                ..Target::hop(hop)
            }),
            None => Decision::Answer(NONE_ACTIVE),
        }
    }

    /// An INVITE outside a dialog that belongs to a call: a repeat, or one that takes the place of an
    /// INVITE that is not answered yet (more digits, RFC 3578).
    fn route_to_same_call(&mut self, cell: CellId, request: &Request<'_>) -> Decision {
        let call = self.calls.get(cell);
        let is_newer = call.is_some_and(|call| request.cseq > call.cseq);
        let decision = self.route_to_call(cell, request);
        match decision {
            Decision::Relay(target) if is_newer && self.calls.follow(cell, request.cseq) => {
                Decision::Relay(Target {
                    cell: Some(cell),
                    ..target
                })
            }
            other => other,
        }
    }

    fn destination_of(&self, cell: CellId) -> Option<Arc<Destination>> {
        Some(Arc::clone(self.calls.get(cell)?.destination))
    }

    fn route_cancel(&mut self, request: &Request<'_>) -> Decision {
        let known = self.calls.find(request.call_id, request.from_tag, b"");
        match known {
            Some((cell, Side::Caller)) if !self.is_past_attempt(cell, request) => {
                self.route_to_call(cell, request)
            }
            _ => Decision::Answer(NO_SUCH_CALL),
        }
    }

    fn route_other(&mut self, now: Timestamp, request: &Request<'_>) -> Decision {
        let known = self.calls.find(request.call_id, request.from_tag, b"");
        if let Some((cell, Side::Caller)) = known {
            return self.route_to_call(cell, request);
        }
        match self.dispatch(now, request) {
            Ok((target, _)) => Decision::Relay(Target {
                record_route: matches!(
                    request.method,
                    Method::Subscribe | Method::Refer | Method::Notify
                ),
                ..target
            }),
            Err(refusal) => Decision::Answer(refusal),
        }
    }

    /// Selects a destination and reserves it, in one step. Destinations that cannot be sent to (no
    /// address, no socket of that family) are passed over.
    fn dispatch(
        &mut self,
        now: Timestamp,
        request: &Request<'_>,
    ) -> Result<(Target, Hold), Refusal> {
        let sets = Arc::clone(&self.sets);
        let set = sets.get(self.settings.set).ok_or(NONE_ACTIVE)?;
        let keys = Keys {
            message: Some(request.message),
            call_id: Some(request.call_id),
            request_uri: request.routing.new_request_uri,
            variable: None,
            invite: request.method == Method::Invite,
            chance: self.rng.next(),
            now,
        };
        let options = SelectOptions {
            use_default: self.settings.use_default,
            limit: self.settings.failover.max_branches as u32,
            user_only: self.settings.user_only,
            compat: self.settings.compat,
        };
        let selection =
            select(set, self.settings.algorithm, &keys, options).map_err(|error| match error {
                SelectError::AllFull => ALL_BUSY,
                SelectError::NoKey => NO_KEY,
                SelectError::NoDestination | SelectError::UnknownAlgorithm => NONE_ACTIVE,
            })?;
        let mut candidates = selection.candidates;
        let mut chosen = (selection.destination, selection.reservation);
        loop {
            let (destination, reservation) = chosen;
            if let Some(hop) = self.hop_to(&destination, request.socket) {
                let hold = reservation
                    .map_or_else(|| Hold::Pinned(Arc::clone(&destination)), Hold::Counted);
                let target = Target {
                    destination: Some(destination),
                    candidates: Some(candidates),
                    ..Target::hop(hop)
                };
                return Ok((target, hold));
            }
            chosen = candidates.next(set).ok_or(NONE_ACTIVE)?;
        }
    }

    /// How a destination is reached: by the socket that it names, else by the default one, else by
    /// the one the request came by.
    pub(super) fn hop_to(&self, destination: &Destination, came_by: SocketId) -> Option<Hop> {
        let address = destination.address?;
        let (attributes, settings) = (&destination.attributes, &self.settings);
        let called = |name: &Option<Box<str>>| self.locals.called(name.as_deref()?);
        let bound_to = |bound| self.locals.bound_to(bound);
        let wanted = called(&attributes.sockname)
            .or_else(|| bound_to(Listener::parse_address(attributes.socket.as_deref()?)?))
            .or_else(|| called(&settings.default_sockname))
            .or_else(|| bound_to(settings.default_socket?));
        let preferred = wanted.unwrap_or(came_by);
        let socket = self.locals.socket_for(address, preferred)?;
        Some(Hop { socket, address })
    }
}

/// What the URI that a request is to follow means.
enum NextHop {
    /// Another element that can be sent to.
    Element(Hop),
    /// Ourselves.
    Us,
    /// A name, another transport, or no SIP URI at all.
    Nowhere,
}

impl NextHop {
    fn of(uri: &[u8], came_by: SocketId, core: &Core) -> Self {
        let Ok(uri) = Uri::parse(uri) else {
            return Self::Nowhere;
        };
        let is_udp = match uri.param(b"transport") {
            None => true,
            Some(value) => value.is_some_and(|name| name.eq_ignore_ascii_case(b"udp")),
        };
        let Some(ip) = uri.host_ip() else {
            return Self::Nowhere;
        };
        let port = uri.port.unwrap_or(5060);
        if core.locals.is_ours(ip, port) {
            return Self::Us;
        }
        let address = std::net::SocketAddr::new(ip, port);
        match core.locals.socket_for(address, came_by) {
            Some(socket) if is_udp && uri.scheme == Scheme::Sip => {
                Self::Element(Hop { socket, address })
            }
            _ => Self::Nowhere,
        }
    }
}
