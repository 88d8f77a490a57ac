//! One message at work: what arrived, the draft of what is to become of it, and the shard that acts
//! on it at once. The routing configuration runs on this and nothing else.
//!
//! Owns: what is common to all acts. `select` chooses destinations, `relay` sends on, `respond`
//! answers; `hooks` runs the routes that come later in the life of a transaction.

mod hooks;
mod relay;
mod respond;
mod select;

pub use relay::Leg;

use super::core::Core;
use super::draft::Draft;
use super::outbox::Outbox;
use super::request::{BAD_EXTENSION, Refusal, Request};
use super::stats::Drop;
use crate::load::{CellId, Phase, Side};
use crate::sip::{Message, Method, Name};
use crate::time::Timestamp;
use crate::transaction::TransactionKey;

pub(super) const LOOP_DETECTED: Refusal = Refusal::new(482, "Loop Detected");
pub(super) const UNRESOLVABLE: Refusal = Refusal::new(478, "Unresolvable Destination");
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
    /// What is to become of it.
    pub draft: Box<Draft>,
    /// The transaction, if there is one.
    pub context: Option<u32>,
    /// By which the transaction is found.
    pub key: Option<TransactionKey>,
    /// Whether a final answer of our own was sent.
    pub is_answered: bool,
    standing: Standing,
    known: Option<Option<(CellId, Side)>>,
}

impl<'a> Act<'a> {
    /// A request that just came.
    pub fn on_request(
        core: &'a mut Core,
        now: Timestamp,
        request: &'a Request<'a>,
        key: TransactionKey,
        out: &'a mut Outbox,
    ) -> Self {
        let draft = core.bench.draft.take().unwrap_or_default();
        Self {
            core,
            now,
            out,
            stage: Stage::Request,
            message: request.message,
            request: Some(request),
            draft,
            context: None,
            key: Some(key),
            is_answered: false,
            standing: Standing::New,
            known: None,
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
        let draft = core.bench.draft.take().unwrap_or_default();
        let mut act = Self {
            core,
            now,
            out,
            stage: Stage::Failure,
            message: request.message,
            request: Some(request),
            draft,
            context: Some(context),
            key: None,
            is_answered: false,
            standing: Standing::New,
            known: None,
        };
        let context = act.core.contexts.get(context);
        act.draft.flags = context.flags;
        act.draft.armed = context.armed;
        act.draft.patience = context.patience;
        act.draft.choice = context.choice;
        act
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
            context.armed = draft.armed;
            context.patience = draft.patience;
            if stage == Stage::Request {
                core.contexts.end_unused(index);
                core.contexts.settle(index, &mut core.arena);
            }
        }
        draft.clear();
        core.bench.draft = Some(draft);
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

    /// The call that the request belongs to and the end that it came from; looked up once.
    pub fn known_call(&mut self) -> Option<(CellId, Side)> {
        *self.known.get_or_insert_with(|| {
            let request = self.request?;
            self.core
                .calls
                .find(request.call_id, request.from_tag, request.to_tag)
        })
    }

    /// Notes what went wrong, for `sl_reply_error()`.
    pub fn fail<T>(&mut self, error: Refusal) -> Result<T, Refusal> {
        self.draft.error = Some(error);
        Err(error)
    }

    /// The Request-URI as it is now.
    pub fn request_uri(&self) -> &[u8] {
        self.draft.uri_or_received(self.draft.uri, self.message)
    }
}
