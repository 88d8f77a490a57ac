//! Sending a request on: `t_relay()` and `forward()`.

use std::sync::Arc;

use super::{
    Act, NO_BRANCH, NO_BRANCH_BY_TM, NO_ROOM, Stage, Standing, TABLE_FULL, UNRESOLVABLE,
    UNRESOLVABLE_BY_TM,
};
use crate::dispatch::Destination;
use crate::load::{CellId, Hold};
use crate::proxy::branch::Branch;
use crate::proxy::context::{Context, KeptHop};
use crate::proxy::draft::{MAX_FURTHER, NextHop, Options, Text};
use crate::proxy::forward::{Hop, Way, write_request};
use crate::proxy::next::Next;
use crate::proxy::relay_branch::Leg;
use crate::proxy::request::{Refusal, Request};
use crate::proxy::script::Event;
use crate::proxy::settings::SocketId;
use crate::proxy::stateful::send_trying;
use crate::route::machine::Machine;
use crate::sip::{Method, Uri};

/// Most branches of a transaction.
const MAX_BRANCHES: usize = 2 * MAX_FURTHER;

impl Act<'_> {
    /// Relays by a transaction, on all branches. An ACK makes none.
    pub fn relay(&mut self, machine: &mut Machine) -> Result<(), Refusal> {
        let Some(request) = self.request else {
            return self.fail(UNRESOLVABLE);
        };
        if request.method == Method::Ack {
            return self.forward();
        }
        let begin = usize::from(self.was_tried());
        if begin > self.draft.further.len() {
            return self.fail(NO_BRANCH);
        }
        if begin == 0
            && let Err(error) = self.first_hop()
        {
            self.note_unsent(request, error);
            return Err(error);
        }
        let index = match self.context {
            Some(index) if !self.has_room_for_branch(index) => return self.fail(NO_ROOM),
            None if self.core.contexts.is_full(&self.core.arena) => {
                if request.goes_by_its_routes() {
                    // A call that stands must be able to end: without a transaction it can.
                    return self.forward();
                }
                return self.fail(NO_ROOM);
            }
            _ if self.stage == Stage::Request => self.begin_relaying(request)?,
            Some(index) => {
                self.core.stats.counters.failovers += 1;
                self.move_call(index);
                index
            }
            None => return self.fail(NO_ROOM),
        };
        let (patience, modules) = (&mut self.draft.patience, &self.core.modules);
        patience.answer = patience.answer.or(modules.fr_timer);
        patience.ringing = patience.ringing.or(modules.fr_inv_timer);
        patience.lifetime = patience.lifetime.or(match request.method {
            Method::Invite => modules.max_inv_lifetime,
            _ => modules.max_noninv_lifetime,
        });
        let context = self.core.contexts.get_mut(index);
        context.armed = self.draft.armed;
        context.patience = self.draft.patience;
        context.options = self.draft.options;
        context.choice = self.draft.choice;
        let route = self.draft.armed.branch.take();
        if route.is_some() {
            self.core.contexts.get_mut(index).armed.branch = None;
            self.core.keep_base(index, request, &self.draft);
        }
        for number in begin..=self.draft.further.len() {
            match route {
                Some(route) => self.send_by_branch_route(index, request, number, route, machine),
                None => {
                    if let Some(leg) = self.numbered_leg(number) {
                        self.send_leg(index, request, leg);
                    }
                }
            }
        }
        self.draft.further.clear();
        self.draft.is_dispatched = false;
        if self.core.contexts.get(index).branches.is_empty() {
            // The branch routes have dropped them all.
            self.unsent = Some(NO_BRANCH_BY_TM);
            return self.fail(NO_BRANCH);
        }
        self.unsent = None;
        Ok(())
    }

    /// A request that just came cannot be sent on: it has its transaction nevertheless, which answers it
    /// when the script has ended and has not.
    fn note_unsent(&mut self, request: &Request<'_>, error: Refusal) {
        if self.stage == Stage::Request && self.open_transaction(request).is_ok() {
            if self.unsent.is_none() {
                self.try_for(request);
            }
            self.unsent = Some(UNRESOLVABLE_BY_TM);
        }
        self.draft.error = Some(error);
    }

    /// Whether a failure route has left Request-URI and next hop as they were tried before: only what it
    /// appends is sent then.
    fn was_tried(&self) -> bool {
        let is_same = match (&self.draft.next_hop, &self.tried_hop) {
            (NextHop::RequestUri, NextHop::RequestUri) => true,
            (NextHop::Uri(one), NextHop::Uri(other)) => one == other,
            (NextHop::Destination(one), NextHop::Destination(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        self.stage == Stage::Failure && self.draft.uri.is_none() && is_same
    }

    /// The transaction of a request that just came, with the call that it opens.
    fn begin_relaying(&mut self, request: &Request<'_>) -> Result<u32, Refusal> {
        let is_counted = self.draft.hold.as_ref().is_some_and(Hold::is_counted);
        let cell = self.open_call(request, false)?;
        let index = self.open_transaction(request)?;
        let context = self.core.contexts.get_mut(index);
        if context.cell.is_none() {
            context.cell = cell;
            context.is_counted = is_counted;
        }
        if context.branches.is_empty() {
            self.keep_next_hop(index);
            if self.unsent.is_none() {
                self.try_for(request);
            }
        }
        Ok(index)
    }

    /// An INVITE is answered with 100 at once.
    fn try_for(&mut self, request: &Request<'_>) {
        if request.method == Method::Invite
            && !self.draft.options.has(Options::NO_TRYING)
            && self.core.modules.has_trying
        {
            send_trying(request, &self.core.modules, self.out);
        }
    }

    /// Keeps with the transaction what a failure route is to find: `$du`, and whether the Request-URI is
    /// another.
    fn keep_next_hop(&mut self, index: u32) {
        let is_changed = self.draft.uri.is_some();
        self.draft.options.set(Options::NEW_URI, is_changed);
        if self.draft.armed.failure.is_none() {
            return;
        }
        let context = self.core.contexts.get_mut(index);
        context.next_hop = match &self.draft.next_hop {
            NextHop::RequestUri => KeptHop::RequestUri,
            NextHop::Destination(_) => KeptHop::Destination,
            NextHop::Uri(uri) => {
                let kept = self.core.arena.try_store(self.draft.text(*uri));
                kept.map_or(KeptHop::RequestUri, KeptHop::Uri)
            }
        };
    }

    fn has_room_for_branch(&self, index: u32) -> bool {
        let context = self.core.contexts.get(index);
        !context.server.is_answered() && context.branches.len() < MAX_BRANCHES
    }

    /// The transaction of the request; it is made if there is none.
    fn open_transaction(&mut self, request: &Request<'_>) -> Result<u32, Refusal> {
        if let Some(index) = self.context {
            return Ok(index);
        }
        let is_full = self.core.contexts.is_full(&self.core.arena);
        // What an event route sees was sent by nobody, and nobody waits for an answer to it.
        if is_full || self.event.is_some() {
            return self.fail(NO_ROOM);
        }
        let key = self.key.unwrap_or_else(|| self.core.key_of(request));
        let mut context = Context::new(key, request, self.now);
        if self.core.modules.accounting.is_on() {
            context.identity = Some(self.core.branch_keys.identity(request.identity()));
        }
        let index = self.core.contexts.insert(context, &mut self.core.rng);
        self.context = Some(index);
        Ok(index)
    }

    /// Makes the transaction of the request now: `t_newtran()`.
    pub fn make_transaction(&mut self) -> bool {
        let error = self.draft.error;
        let made = match self.request {
            Some(request) if !matches!(request.method, Method::Ack | Method::Cancel) => {
                self.open_transaction(request).is_ok()
            }
            _ => false,
        };
        // What went wrong before is what is to be said.
        self.draft.error = error.or(self.draft.error);
        made
    }

    pub(super) fn send_leg(&mut self, index: u32, request: &Request<'_>, leg: Leg) {
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
        let hop = self.first_hop()?;
        self.open_call(request, true)?;
        self.unsent = None;
        if request.method == Method::Ack && self.core.modules.accounting.acks {
            self.to_account = Some((Event::Acknowledged, 200));
        }
        let core = &mut *self.core;
        let draft = &*self.draft;
        if draft.is_dispatched
            && let Some(destination) = draft.destination()
        {
            core.stats.of(destination).selected += 1;
        }
        core.stats.counters.relayed_requests += 1;
        let branch = Branch::Stateless {
            mac: core.branch_keys.mac(
                request.identity(),
                request.via.branch,
                request.reply_to(),
                request.socket,
            ),
            socket: request.socket,
            loop_mark: core
                .branch_keys
                .loop_mark(request.message, request.source.ip()),
        };
        let way = Way {
            hop,
            branch: &branch,
            uri: draft.uri_or_received(draft.uri, request.message),
            record_route: draft.record_route.map(|text| draft.text(text)),
            is_doubled: core.modules.has_double_rr,
        };
        let (locals, edits) = (&core.locals, &mut core.bench.edits);
        self.out.send(hop.socket, hop.address, |buffer| {
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

    /// How the branch is reached that the draft itself describes.
    fn first_hop(&mut self) -> Result<Hop, Refusal> {
        let draft = &*self.draft;
        let destination = draft.destination();
        match self.hop(draft.uri, destination, &draft.next_hop, self.socket()) {
            Some(hop) => Ok(hop),
            None => self.fail(UNRESOLVABLE),
        }
    }

    /// The branch that the draft itself describes.
    pub(super) fn first_leg(&mut self) -> Result<Leg, Refusal> {
        let hop = self.first_hop()?;
        Ok(Leg {
            hop,
            destination: self.draft.destination().cloned(),
            uri: self.draft.uri,
        })
    }

    /// A branch by its number; the first is the draft's own.
    fn numbered_leg(&mut self, number: usize) -> Option<Leg> {
        let Some(further) = number.checked_sub(1) else {
            return self.first_leg().ok();
        };
        let branch = self.draft.further.get(further)?;
        let destination = branch.next_hop.destination(branch.uri_destination.as_ref());
        let socket = branch.socket.unwrap_or_else(|| self.socket());
        Some(Leg {
            hop: self.hop(branch.uri, destination, &branch.next_hop, socket)?,
            destination: destination.cloned(),
            uri: branch.uri,
        })
    }

    /// How a branch is reached; `destination` is the one that it goes to, if it goes to one.
    fn hop(
        &self,
        uri: Option<Text>,
        destination: Option<&Arc<Destination>>,
        next_hop: &NextHop,
        socket: SocketId,
    ) -> Option<Hop> {
        if uri.is_some_and(Text::is_empty) {
            return None;
        }
        if let Some(destination) = destination {
            return self.core.hop_to(destination, socket);
        }
        let next = match next_hop {
            NextHop::Uri(text) => Some(*text),
            NextHop::RequestUri | NextHop::Destination(_) => uri,
        };
        let uri = match next {
            Some(text) => &Uri::parse(self.draft.text(text)).ok()?,
            None => self.request?.uri,
        };
        Next::of(uri, socket, &self.core.locals).hop()
    }

    /// The socket that the request leaves by if nothing else speaks for another.
    pub(super) fn socket(&self) -> SocketId {
        let came_by = self.request.map_or(0, |request| request.socket);
        self.draft.socket.unwrap_or(came_by)
    }
}
