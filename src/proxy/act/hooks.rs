//! Routes of the configuration: which one runs when, and what outlives it.

use std::sync::Arc;

use super::{Act, Stage};
use crate::proxy::branch::TAG_BYTES;
use crate::proxy::core::Core;
use crate::proxy::draft::FurtherBranch;
use crate::proxy::forward::record_route_parameters;
use crate::proxy::incoming::{Datagram, Incoming};
use crate::proxy::outbox::{Outbox, StateChange};
use crate::proxy::request::Request;
use crate::proxy::script::Event;
use crate::route::host::Level;
use crate::route::machine::{End, Machine};
use crate::route::program::RouteId;
use crate::sip::{HeaderIndex, Message, Method, scan};
use crate::time::Timestamp;

impl Core {
    /// Deals with a request.
    pub(in crate::proxy) fn on_request(
        &mut self,
        now: Timestamp,
        datagram: &Datagram<'_>,
        message: Message<'_>,
        out: &mut Outbox,
    ) {
        self.stats.counters.requests += 1;
        let basics = message.basics();
        let basics = match &basics {
            Ok(basics) => basics,
            Err(fault) => return self.answer_unread(datagram, message, (*fault).into(), out),
        };
        let request = match Request::read(message, basics, datagram, &self.locals) {
            Ok(request) => request,
            Err(refusal) => return self.answer_unread(datagram, message, refusal, out),
        };
        // Nothing is known of it where there are no transactions at all.
        let key = (self.contexts.len() > 0).then(|| self.key_of(&request));
        let known = key.and_then(|key| self.contexts.find(key));
        let is_cancel = request.method == Method::Cancel;
        if let Some(context) = known.filter(|_| !is_cancel)
            && self.repeat(now, context, &request, out)
        {
            return;
        }
        if request.method == Method::Ack && self.is_to_our_answer(&request) {
            return;
        }
        let mut act = Act::on_request(self, now, &request, key, out);
        act.cancels = known.filter(|_| is_cancel);
        if act.admit()
            && let Some(route) = act.core.script.request
        {
            act.run(route);
        }
        act.finish();
    }

    /// Whether an ACK acknowledges an answer of our own: it has our tag, and ends here.
    fn is_to_our_answer(&self, request: &Request<'_>) -> bool {
        request.to_tag.len() == TAG_BYTES
            && request.to_tag == self.branch_keys.tag(request.identity()).as_slice()
    }

    /// All branches have failed: the configuration may send the request elsewhere, or answer it.
    pub(in crate::proxy) fn run_failure_route(
        &mut self,
        now: Timestamp,
        index: u32,
        route: RouteId,
        out: &mut Outbox,
    ) {
        self.with_base(index, |core, request, record_routes| {
            let mut act = Act::on_failure(core, now, request, index, out);
            if !record_routes.is_empty() {
                let parameters = record_route_parameters(record_routes);
                act.draft.record_route = Some(act.draft.keep(parameters));
            }
            act.run(route);
            act.finish();
        });
    }

    /// Runs the route for a reply. False: it is dropped.
    pub(in crate::proxy) fn run_reply_route(
        &mut self,
        now: Timestamp,
        reply: &Incoming<'_>,
        context: Option<(u32, usize)>,
        route: RouteId,
        out: &mut Outbox,
    ) -> bool {
        let is_core = self.script.reply == Some(route);
        let mut act = Act::on_reply(self, now, reply, context, out);
        act.is_core_route = is_core;
        let end = act.run(route);
        let is_answered = act.is_answered;
        act.finish();
        if is_answered
            && let Some((index, _)) = context
            && let Some(stored) = self.contexts.get(index).last_reply
        {
            let code = self.contexts.get(index).sent_code;
            self.account_stored(now, index, Event::Answered, (code, stored), out);
        }
        // A final answer cannot be dropped: somebody waits for it.
        end != End::Drop || reply.message.reply_code().is_some_and(|code| code >= 200)
    }

    /// A destination went up or down. What the route sees is a request to it that nobody sent.
    pub(in crate::proxy) fn run_event_route(
        &mut self,
        now: Timestamp,
        change: &StateChange,
        index: &mut HeaderIndex,
        out: &mut Outbox,
    ) {
        let route = if change.is_up {
            self.script.up
        } else {
            self.script.down
        };
        let Some(route) = route else { return };
        let own = self.settings.listeners.first();
        let Some(own) = own.map(|listener| listener.address) else {
            return;
        };
        let uri = &change.destination.uri;
        let bytes = format!(
            "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own}\r\nFrom: <{uri}>;tag=event\r\n\
             To: <{uri}>\r\nCall-ID: event@{own}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let datagram = Datagram {
            socket: 0,
            source: own,
            received: now,
            bytes: bytes.as_bytes(),
        };
        if let Ok(message) = scan(bytes.as_bytes(), index)
            && let Ok(basics) = &message.basics()
            && let Ok(request) = Request::read(message, basics, &datagram, &self.locals)
        {
            let mut act = Act::on_event(self, now, &request, change, out);
            act.run(route);
            act.finish();
        }
    }
}

impl Act<'_> {
    /// Runs a route. AVPs are those of the transaction, if there is one, and stay with it.
    pub fn run(&mut self, route: RouteId) -> End {
        let ended = self.with_machine(|act, machine| {
            let ended = machine.run(act, route);
            if let Some(refusal) = act.unsent.take().filter(|_| !act.is_answered) {
                act.reply(refusal.code, refusal.reason.as_bytes());
            }
            if let Some((event, code)) = act.to_account.take() {
                act.account_own(event, code, machine);
            }
            act.save(machine);
            ended
        });
        if ended.by == End::Stopped {
            self.tell_of_stop();
        }
        ended.by
    }

    fn tell_of_stop(&mut self) {
        use std::io::Write as _;
        self.core.stats.counters.stopped_scripts += 1;
        let Some(count) = self.core.untold.add(self.now) else {
            return;
        };
        let scripts = if count == 1 { "script" } else { "scripts" };
        let mut line = std::mem::take(&mut self.core.bench.line);
        line.clear();
        // Writing to a vector cannot fail.
        let _ = write!(
            line,
            "{count} {scripts} took too many steps, or made too much text: stopped"
        );
        self.out.log(Level::Error, &line);
        self.core.bench.line = line;
    }

    /// Hands the machine to `work`, with the AVPs of the transaction.
    pub fn with_machine<T>(&mut self, work: impl FnOnce(&mut Self, &mut Machine) -> T) -> T {
        let program = &self.core.script.program;
        let machine = self.core.machine.take();
        let mut machine = machine.unwrap_or_else(|| Box::new(Machine::new(Arc::clone(program))));
        machine.begin();
        if let Some(index) = self.context
            && let Some(saved) = self.core.contexts.get(index).saved
        {
            machine.load(self.core.arena.get(saved));
        }
        let made = work(self, &mut machine);
        self.core.machine = Some(machine);
        made
    }

    /// Keeps the AVPs with the transaction.
    fn save(&mut self, machine: &Machine) {
        let Some(index) = self.context else { return };
        let scratch = &mut self.core.bench.scratch;
        machine.save(scratch);
        let stored = (!scratch.is_empty())
            .then(|| self.core.arena.try_store(scratch))
            .flatten();
        let context = self.core.contexts.get_mut(index);
        if let Some(stale) = std::mem::replace(&mut context.saved, stored) {
            self.core.arena.free(stale);
        }
    }

    /// Runs the route for one branch, which may change what that branch is sent, and sends it unless
    /// it is dropped. What the route changes holds for this branch alone.
    pub(super) fn send_by_branch_route(
        &mut self,
        index: u32,
        request: &Request<'_>,
        number: usize,
        route: RouteId,
        machine: &mut Machine,
    ) {
        let mut edits = std::mem::take(&mut self.core.bench.branch_edits);
        edits.copy_from(&self.draft.edits);
        let draft = &self.draft;
        let before = FurtherBranch {
            uri: draft.uri,
            uri_destination: draft.uri_destination.clone(),
            next_hop: draft.next_hop.clone(),
            socket: draft.socket,
            flags: draft.branch_flags,
            preference: None,
        };
        let (stage, record_route) = (self.stage, self.draft.record_route);
        if let Some(place) = number.checked_sub(1) {
            let branch = self.draft.further[place].clone();
            self.take_branch(branch);
        }
        self.stage = Stage::Branch;
        self.branch = self.core.contexts.get(index).branches.len();
        let ended = machine.run(self, route);
        if ended.by != End::Drop
            && let Ok(leg) = self.first_leg()
        {
            self.send_leg(index, request, leg);
        }
        self.take_branch(before);
        self.stage = stage;
        self.draft.record_route = record_route;
        std::mem::swap(&mut self.draft.edits, &mut edits);
        self.core.bench.branch_edits = edits;
    }

    /// The draft's own branch is this one.
    fn take_branch(&mut self, branch: FurtherBranch) {
        self.draft.uri = branch.uri;
        self.draft.uri_destination = branch.uri_destination;
        self.draft.next_hop = branch.next_hop;
        self.draft.socket = branch.socket;
        self.draft.branch_flags = branch.flags;
    }
}
