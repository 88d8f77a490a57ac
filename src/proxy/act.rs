//! One message at work: what arrived, the draft of what is to become of it, and the shard that acts
//! on it at once. The routing configuration runs on this and nothing else.
//!
//! Owns: what is common to all acts. `select` chooses destinations, `relay` sends on, `respond`
//! answers; `hooks` runs the routes that come later in the life of a transaction.

mod hooks;
mod relay;
mod respond;
mod select;
mod transaction;

use std::net::SocketAddr;

use super::context::{Context, Found, KeptHop};
use super::core::Core;
use super::draft::{Draft, NextHop};
use super::incoming::Incoming;
use super::outbox::{Outbox, StateChange};
use super::request::{BAD_EXTENSION, Refusal, Request};
use super::script::Event;
use super::settings::SocketId;
use super::stats::Drop;
use crate::load::{CellId, Phase, Side};
use crate::sip::{Message, Method, Name};
use crate::time::Timestamp;
use crate::transaction::TransactionKey;

pub(super) const LOOP_DETECTED: Refusal = Refusal::new(482, "Loop Detected");
pub(super) const UNRESOLVABLE: Refusal = Refusal::new(478, "Unresolvable destination (478/SL)");
/// The same as the transaction says it, if the script does not.
const UNRESOLVABLE_BY_TM: Refusal = Refusal::new(478, "Unresolvable destination (478/TM)");
const NO_BRANCH: Refusal = Refusal::new(500, "I'm terribly sorry, server error occurred (6/SL)");
/// The same as the transaction says it, if the script does not.
const NO_BRANCH_BY_TM: Refusal =
    Refusal::new(500, "I'm terribly sorry, server error occurred (6/TM)");
/// What `sl_reply_error()` says if nothing went wrong.
const SORRY: Refusal = Refusal::new(500, "I'm terribly sorry, server error occurred (1/SL)");
pub(super) const NO_KEY: Refusal = Refusal::new(400, "Nothing To Dispatch By");
pub(super) const ALL_BUSY: Refusal = Refusal::busy("All Destinations Busy");
pub(super) const NONE_ACTIVE: Refusal = Refusal::busy("No Destination Available");
pub(super) const TABLE_FULL: Refusal = Refusal::busy("Call Table Full");
pub(super) const NO_ROOM: Refusal = Refusal::busy("Transaction Table Full");
const SHUTTING_DOWN: Refusal = Refusal::busy("Shutting Down");

/// Where in the life of a transaction a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A request that just came.
    Request,
    /// A request whose branches have all failed.
    Failure,
    /// A request of which one branch is about to be sent.
    Branch,
    /// A reply.
    Reply,
}

/// What the call table says to an INVITE that opens a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its call is not known, or the request opens none.
    New,
    /// It goes where its call went.
    Known(CellId),
    /// Its call has ended and is tried anew.
    Ended(CellId),
}

/// What the call table knows of a message.
#[derive(Clone, Copy, Debug)]
enum Known {
    NotLookedUp,
    Nothing,
    Call(CellId, Side),
}

/// Where a chosen destination is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// It is the next hop: `$du`.
    NextHop,
    /// It is the host of the Request-URI.
    Domain,
    /// It is only noted.
    Nothing,
}

/// A message at work.
pub struct Act<'a> {
    /// The shard.
    pub core: &'a mut Core,
    /// The time.
    pub now: Timestamp,
    /// What is to be sent.
    pub out: &'a mut Outbox,
    /// Where in the life of a transaction it is.
    pub stage: Stage,
    /// The message: the request, or the reply.
    pub message: Message<'a>,
    /// The request, unless it is a reply.
    pub request: Option<&'a Request<'a>>,
    /// Where a reply came from, and by which socket.
    pub came_from: Option<(SocketAddr, SocketId)>,
    /// What is to become of it.
    pub draft: Box<Draft>,
    /// The transaction, if there is one.
    pub context: Option<u32>,
    /// The transaction of the INVITE that a CANCEL is for.
    pub cancels: Option<Found>,
    /// The number of the branch that it is about.
    pub branch: usize,
    /// What an event route is told.
    pub event: Option<StateChange>,
    /// In a failure route: the next hop that it began with. It is not tried again as it is.
    pub tried_hop: NextHop,
    /// Whether a final answer of our own was sent.
    pub is_answered: bool,
    /// Whether it runs the route for all replies, which knows no transactions.
    pub is_core_route: bool,
    /// Why the request could not be relayed. If the script does not answer it, its transaction does.
    pub unsent: Option<Refusal>,
    /// What is to be accounted for when the script has run.
    pub to_account: Option<(Event, u16)>,
    /// The transaction that it would be, as far as that was asked.
    key: Option<TransactionKey>,
    standing: Standing,
    known: Known,
}

impl<'a> Act<'a> {
    fn new(
        core: &'a mut Core,
        now: Timestamp,
        stage: Stage,
        message: Message<'a>,
        out: &'a mut Outbox,
    ) -> Self {
        let draft = core.bench.drafts.pop();
        let draft = draft.unwrap_or_else(|| Box::new(Draft::new()));
        Self {
            core,
            now,
            out,
            stage,
            message,
            request: None,
            came_from: None,
            draft,
            context: None,
            cancels: None,
            branch: 0,
            event: None,
            tried_hop: NextHop::RequestUri,
            is_answered: false,
            is_core_route: false,
            unsent: None,
            to_account: None,
            key: None,
            standing: Standing::New,
            known: Known::NotLookedUp,
        }
    }

    /// A request that just came.
    pub fn on_request(
        core: &'a mut Core,
        now: Timestamp,
        request: &'a Request<'a>,
        key: Option<TransactionKey>,
        out: &'a mut Outbox,
    ) -> Self {
        Self {
            request: Some(request),
            key,
            ..Self::new(core, now, Stage::Request, request.message, out)
        }
    }

    /// A request whose branches have all failed.
    pub fn on_failure(
        core: &'a mut Core,
        now: Timestamp,
        request: &'a Request<'a>,
        context: u32,
        out: &'a mut Outbox,
    ) -> Self {
        let mut act = Self {
            request: Some(request),
            ..Self::new(core, now, Stage::Failure, request.message, out)
        };
        act.take_context(context);
        let context = act.core.contexts.get(context);
        act.branch = context.best.map_or(0, |best| usize::from(best.branch));
        act.draft.choice = context.choice;
        let kept = match context.next_hop {
            KeptHop::RequestUri => NextHop::RequestUri,
            KeptHop::Uri(uri) => NextHop::Uri(act.draft.keep(act.core.arena.get(uri))),
            KeptHop::Destination => {
                let first = context.branches.first();
                let first = first.and_then(|branch| branch.destination.clone());
                first.map_or(NextHop::RequestUri, NextHop::Destination)
            }
        };
        act.draft.next_hop = kept.clone();
        act.tried_hop = kept;
        act
    }

    /// An event, with a request that nobody sent: no transaction can be made of it.
    pub fn on_event(
        core: &'a mut Core,
        now: Timestamp,
        request: &'a Request<'a>,
        change: &StateChange,
        out: &'a mut Outbox,
    ) -> Self {
        Self {
            request: Some(request),
            event: Some(change.clone()),
            is_answered: true,
            ..Self::new(core, now, Stage::Request, request.message, out)
        }
    }

    /// A reply, with its transaction and branch if there are such.
    pub fn on_reply(
        core: &'a mut Core,
        now: Timestamp,
        reply: &Incoming<'a>,
        context: Option<(u32, usize)>,
        out: &'a mut Outbox,
    ) -> Self {
        let mut act = Self {
            came_from: Some((reply.source, reply.socket)),
            ..Self::new(core, now, Stage::Reply, reply.message, out)
        };
        act.draft.edits.copy_from(&act.core.bench.reply_edits);
        act.draft.reply_code = act.core.bench.reply_code;
        if let Some((context, branch)) = context {
            act.take_context(context);
            act.branch = branch;
        }
        act
    }

    fn take_context(&mut self, index: u32) {
        let context = self.core.contexts.get(index);
        self.context = Some(index);
        self.draft.flags = context.flags;
        self.draft.further_flags = context.further_flags;
        self.draft.armed = context.armed;
        self.draft.patience = context.patience;
        self.draft.options = context.options;
    }

    /// Ends the work: what was reserved and not used is given back.
    pub fn finish(self) {
        let Self {
            core,
            mut draft,
            context,
            stage,
            ..
        } = self;
        if let Some(index) = context {
            let context = core.contexts.get_mut(index);
            context.flags = draft.flags;
            context.further_flags = draft.further_flags;
            context.armed = draft.armed;
            context.patience = draft.patience;
            context.options = draft.options;
            if stage == Stage::Request {
                core.contexts.end_unused(index);
                core.contexts.settle(index, &mut core.arena);
            }
        }
        if stage == Stage::Reply {
            core.bench.reply_edits.copy_from(&draft.edits);
            core.bench.reply_code = draft.reply_code;
        }
        draft.clear();
        // Never more than were taken.
        core.bench.drafts.try_push(draft).ok();
    }

    /// What no configuration may forget. Says whether the request goes on.
    pub fn admit(&mut self) -> bool {
        let Some(request) = self.request else {
            return true;
        };
        let refusal = if request.has_looped(&self.core.branch_keys, &self.core.locals) {
            LOOP_DETECTED
        } else if !matches!(request.method, Method::Ack | Method::Cancel)
            && request.message.has(Name::ProxyRequire)
            && self.core.modules.unknown_option(request.message).is_some()
        {
            BAD_EXTENSION
        } else if request.opens_call() {
            return self.admit_call(request);
        } else {
            if request.method == Method::Bye {
                let known = self.known_call();
                self.core.observe_bye(self.now, request, known);
            }
            return true;
        };
        if request.method == Method::Ack {
            self.core.stats.counters.drop(Drop::StrayAck);
        } else {
            self.core.refuse(request, refusal, self.out);
        }
        false
    }

    fn admit_call(&mut self, request: &Request<'_>) -> bool {
        if let Some((cell, Side::Caller)) = self.known_call()
            && let Some(call) = self.core.calls.get(cell)
        {
            if request.cseq < call.cseq {
                self.core.stats.counters.drop(Drop::PastAttempt);
                return false;
            }
            // With transactions a repeat does not come this far: this INVITE is another one.
            let is_repeat = call.is_stateless && request.cseq == call.cseq;
            self.standing = if call.phase == Phase::Ended && !is_repeat {
                Standing::Ended(cell)
            } else {
                Standing::Known(cell)
            };
        }
        if self.core.draining && !matches!(self.standing, Standing::Known(_)) {
            self.core.refuse(request, SHUTTING_DOWN, self.out);
            return false;
        }
        true
    }

    /// The call that the message belongs to and the end that it came from; looked up once.
    pub fn known_call(&mut self) -> Option<(CellId, Side)> {
        if let Known::NotLookedUp = self.known {
            let (call_id, from_tag, to_tag) = match self.request {
                Some(request) => (request.call_id, request.from_tag, request.to_tag),
                None => (
                    self.message.call_id().unwrap_or_default(),
                    self.message.from_tag().unwrap_or_default(),
                    self.message.to_tag().unwrap_or_default(),
                ),
            };
            self.known = match self.core.calls.find(call_id, from_tag, to_tag) {
                Some((cell, side)) => Known::Call(cell, side),
                None => Known::Nothing,
            };
        }
        match self.known {
            Known::Call(cell, side) => Some((cell, side)),
            Known::NotLookedUp | Known::Nothing => None,
        }
    }

    /// Notes what went wrong, for `sl_reply_error()`.
    pub fn fail<T>(&mut self, error: Refusal) -> Result<T, Refusal> {
        self.draft.error = Some(error);
        Err(error)
    }

    /// The transaction, if there is one.
    pub fn transaction(&self) -> Option<&Context> {
        self.context.map(|index| self.core.contexts.get(index))
    }

    /// Its Max-Forwards as it is now; 70 if it has none.
    pub fn max_forwards(&self) -> u32 {
        let received = self.request.map(|request| request.max_forwards);
        self.draft.max_forwards.or(received).unwrap_or(70)
    }

    /// Who sent it.
    pub fn source(&self) -> Option<SocketAddr> {
        let of_reply = self.came_from.map(|(source, _)| source);
        of_reply.or_else(|| Some(self.request?.source))
    }

    /// The socket that it came by.
    pub fn came_by(&self) -> SocketId {
        let of_reply = self.came_from.map(|(_, socket)| socket);
        of_reply
            .or_else(|| Some(self.request?.socket))
            .unwrap_or_default()
    }

    /// The Request-URI as it is now.
    pub fn request_uri(&self) -> &[u8] {
        self.draft.uri_or_received(self.draft.uri, self.message)
    }
}
