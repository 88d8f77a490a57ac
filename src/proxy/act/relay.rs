//! Sending a request on: `t_relay()` and `forward()`.

use std::sync::Arc;

use super::{Act, NO_ROOM, Stage, Standing, TABLE_FULL, UNRESOLVABLE};
use crate::dispatch::Destination;
use crate::load::CellId;
use crate::proxy::branch::Branch;
use crate::proxy::context::Context;
use crate::proxy::draft::{FurtherBranch, NextHop, Text};
use crate::proxy::forward::{Hop, Way, write_request};
use crate::proxy::next::Next;
use crate::proxy::request::{Refusal, Request};
use crate::proxy::settings::SocketId;
use crate::proxy::stateful::send_trying;
use crate::sip::Method;

/// One branch, ready to be sent.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Where it goes.
    pub hop: Hop,
    /// The destination, if it goes to one.
    pub destination: Option<Arc<Destination>>,
    /// Its Request-URI; `None`: as received.
    pub uri: Option<Text>,
}

impl Act<'_> {
    /// Relays by a transaction, on all branches. An ACK makes none.
    pub fn relay(&mut self) -> Result<(), Refusal> {
        let Some(request) = self.request else {
            return self.fail(UNRESOLVABLE);
        };
        if request.method == Method::Ack {
            return self.forward();
        }
        let leg = self.first_leg()?;
        let is_full = self.core.contexts.is_full(&self.core.arena);
        if self.context.is_none() && is_full {
            if request.goes_by_its_routes() {
                // A call that stands must be able to end: without a transaction it can.
                return self.forward();
            }
            return self.fail(NO_ROOM);
        }
        let index = if self.stage == Stage::Request {
            let cell = self.open_call(request, false)?;
            let index = self.open_transaction(request)?;
            self.core.contexts.get_mut(index).cell = cell;
            if request.method == Method::Invite {
                send_trying(request, self.out);
            }
            index
        } else {
            let Some(index) = self.context else {
                return self.fail(NO_ROOM);
            };
            self.core.stats.counters.failovers += 1;
            self.move_call(index);
            index
        };
        let context = self.core.contexts.get_mut(index);
        context.armed = self.draft.armed;
        context.patience = self.draft.patience;
        context.choice = self.draft.choice;
        self.send_leg(index, request, leg);
        for number in 0..self.draft.further.len() {
            if let Some(leg) = self.further_leg(&self.draft.further[number]) {
                self.send_leg(index, request, leg);
            }
        }
        self.draft.further.clear();
        self.draft.is_dispatched = false;
        Ok(())
    }

    /// The transaction of the request; it is made if there is none.
    pub fn open_transaction(&mut self, request: &Request<'_>) -> Result<u32, Refusal> {
        if let Some(index) = self.context {
            return Ok(index);
        }
        let Some(key) = self.key.filter(|_| !self.core.contexts.is_full(&self.core.arena)) else {
            return self.fail(NO_ROOM);
        };
        let context = Context::new(key, request);
        let index = self.core.contexts.insert(context, &mut self.core.rng);
        self.context = Some(index);
        Ok(index)
    }

    fn send_leg(&mut self, index: u32, request: &Request<'_>, leg: Leg) {
        if self.draft.is_dispatched
            && let Some(destination) = &leg.destination
        {
            self.core.stats.of(destination).selected += 1;
        }
        self.core
            .add_branch(self.now, index, request, &self.draft, leg, self.out);
    }

    /// Relays without a transaction, on the first branch alone.
    pub fn forward(&mut self) -> Result<(), Refusal> {
        let Some(request) = self.request else {
            return self.fail(UNRESOLVABLE);
        };
        let leg = self.first_leg()?;
        self.open_call(request, true)?;
        let core = &mut *self.core;
        let draft = &*self.draft;
        if draft.is_dispatched
            && let Some(destination) = &leg.destination
        {
            core.stats.of(destination).selected += 1;
        }
        core.stats.counters.relayed_requests += 1;
        let branch = Branch::Stateless {
            mac: core.branch_keys.mac(
                request.message,
                request.via.branch,
                request.reply_to,
                request.socket,
            ),
            socket: request.socket,
            loop_mark: core.branch_keys.loop_mark(request.message),
        };
        let way = Way {
            hop: leg.hop,
            branch: &branch,
            uri: draft.uri_or_received(leg.uri, request.message),
            record_route: draft.record_route.map(|text| draft.text(text)),
        };
        let (locals, edits) = (&core.locals, &mut core.bench.edits);
        self.out.send(leg.hop.socket, leg.hop.address, |buffer| {
            write_request(request, draft, &way, locals, edits, buffer);
        });
        Ok(())
    }

    /// Puts the call that the request opens into the table, or gives the one that it goes on with:
    /// the one that the final answer decides on.
    fn open_call(
        &mut self,
        request: &Request<'_>,
        is_stateless: bool,
    ) -> Result<Option<CellId>, Refusal> {
        let calls = &mut self.core.calls;
        let cell = match (self.draft.hold.take(), self.standing) {
            // An INVITE that takes the place of one that is not answered yet (more digits, RFC 3578).
            (_, Standing::Known(cell)) => {
                let is_newer = calls.get(cell).is_some_and(|call| request.cseq > call.cseq);
                let follows = is_newer && calls.follow(cell, request.cseq);
                return Ok(follows.then_some(cell));
            }
            (None, _) => return Ok(None),
            (Some(hold), Standing::Ended(cell)) => {
                calls.revive(cell, request.cseq, hold, self.now);
                cell
            }
            (Some(hold), Standing::New) => {
                let (call_id, from_tag) = (request.call_id, request.from_tag);
                match calls.insert(call_id, from_tag, request.cseq, hold, self.now) {
                    Ok(cell) => cell,
                    Err(_) => return self.fail(TABLE_FULL),
                }
            }
        };
        calls.set_stateless(cell, is_stateless);
        // Should this request be relayed once more, its call is known.
        self.standing = Standing::Known(cell);
        Ok(Some(cell))
    }

    /// The call goes where it was dispatched to now.
    fn move_call(&mut self, index: u32) {
        if let Some(hold) = self.draft.hold.take()
            && let Some(cell) = self.core.contexts.get(index).cell
        {
            self.core.calls.move_to(cell, hold);
        }
    }

    /// The branch that the draft itself describes.
    fn first_leg(&mut self) -> Result<Leg, Refusal> {
        let draft = &*self.draft;
        let leg = self.leg(
            draft.uri,
            draft.uri_destination.as_ref(),
            &draft.next_hop,
            self.socket(),
        );
        match leg {
            Some(leg) => Ok(leg),
            None => self.fail(UNRESOLVABLE),
        }
    }

    fn further_leg(&self, branch: &FurtherBranch) -> Option<Leg> {
        self.leg(
            branch.uri,
            branch.uri_destination.as_ref(),
            &branch.next_hop,
            branch.socket.unwrap_or_else(|| self.socket()),
        )
    }

    fn leg(
        &self,
        uri: Option<Text>,
        uri_destination: Option<&Arc<Destination>>,
        next_hop: &NextHop,
        socket: SocketId,
    ) -> Option<Leg> {
        let (destination, next) = match next_hop {
            NextHop::Destination(destination) => (Some(destination), None),
            NextHop::RequestUri => (uri_destination, uri),
            NextHop::Uri(text) => (None, Some(*text)),
        };
        let hop = match destination {
            Some(destination) => self.core.hop_to(destination, socket),
            None => {
                let next = self.draft.uri_or_received(next, self.message);
                Next::of(next, socket, &self.core.locals).hop()
            }
        };
        Some(Leg {
            hop: hop?,
            destination: destination.cloned(),
            uri,
        })
    }

    /// What the URI that the request goes by means.
    pub fn next(&self) -> Next {
        let uri = match &self.draft.next_hop {
            NextHop::Uri(text) => Some(*text),
            NextHop::RequestUri | NextHop::Destination(_) => self.draft.uri,
        };
        let uri = self.draft.uri_or_received(uri, self.message);
        Next::of(uri, self.socket(), &self.core.locals)
    }

    /// The socket that the request leaves by if nothing else speaks for another.
    pub(super) fn socket(&self) -> SocketId {
        let came_by = self.request.map_or(0, |request| request.socket);
        self.draft.socket.unwrap_or(came_by)
    }
}
