//! A stateful request: one server transaction, the branches sent for it, and what is still to be
//! decided (the "response context" of RFC 3261 section 16.2), with the store of all of a shard.
//!
//! Owns: contexts and what is left of those that are answered, the index by which a retransmission,
//! ACK or CANCEL finds either, the timer of each context. What happens to them is in `stateful`.

use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use slab::Slab;
use smallvec::SmallVec;

use super::draft::{Armed, Choice, Options, Patience};
use super::forward::Head;
use super::relay_branch::{Branches, Cause, Leg, RelayBranch};
use super::request::Request;
use super::settings::{SocketId, Timers};
use crate::arena::{Arena, Bytes};
use crate::dispatch::Destination;
use crate::index::Index;
use crate::load::CellId;
use crate::rng::Rng;
use crate::sip::Method;
use crate::time::Timestamp;
use crate::transaction::answered::{BATCH, SERIAL_BITS};
use crate::transaction::key::is_unique;
use crate::transaction::wheel::{TimerId, Wheel};
use crate::transaction::{
    Answered, AnsweredQueue, ClientTransaction, KeptAnswer, Kind, ServerTransaction, TransactionKey,
};

/// A negative answer that is kept, as it would be sent.
#[derive(Clone, Copy, Debug)]
pub struct BestAnswer {
    /// Its status code.
    pub code: u16,
    /// How good it is; less is better.
    pub rank: u16,
    /// The status code that the branch ended with: a 503 is sent as 500.
    pub branch_code: u16,
    /// The branch.
    pub branch: u8,
    /// Whether it is an answer of our own.
    pub is_own: bool,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The next hop that the request was relayed to first, as failure routes find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeptHop {
    /// That of the Request-URI.
    #[default]
    RequestUri,
    /// This URI.
    Uri(Bytes),
    /// The destination of the first branch.
    Destination,
}

/// A stateful request.
#[derive(Debug)]
pub struct Context {
    /// By which repeats find it.
    pub key: TransactionKey,
    /// The chance in its branches.
    pub token: u64,
    /// What all of them bear that a looping request would show again.
    pub loop_mark: u32,
    /// Its method.
    pub method: Method,
    /// Whether all that a repeat or a late reply needs is in these themselves: see [`Answered`].
    pub is_plain: bool,
    /// The number in its CSeq.
    pub cseq: u32,
    /// By which accounting knows Call-ID and From tag again; `None` without accounting.
    pub identity: Option<u64>,
    /// The server transaction.
    pub server: ServerTransaction,
    /// The last answer sent, as long as it may have to be repeated.
    pub last_reply: Option<Bytes>,
    /// The best negative answer so far.
    pub best: Option<BestAnswer>,
    /// The socket that it came in by.
    pub socket: SocketId,
    /// Who sent it.
    pub source: SocketAddr,
    /// Where answers go.
    pub reply_to: SocketAddr,
    /// Whether that is the port that it came from, whatever its Via says.
    pub goes_to_source: bool,
    /// The call cell that its final answer decides on; `None` inside a dialog.
    pub cell: Option<CellId>,
    /// The destinations that are left.
    pub choice: Option<Choice>,
    /// The destinations tried.
    pub branches: Branches,
    /// `$du` when it was relayed.
    pub next_hop: KeptHop,
    /// Routes of the configuration that are to run for it.
    pub armed: Armed,
    /// How long its branches may take.
    pub patience: Patience,
    /// Choices about it.
    pub options: Options,
    /// Its flags.
    pub flags: u32,
    /// Its further flags.
    pub further_flags: u32,
    /// AVPs of the configuration.
    pub saved: Option<Bytes>,
    /// The request for further branches, where it is not the first branch as sent.
    pub base: Option<(Bytes, Head)>,
    /// Whether the call that it opened was counted.
    pub is_counted: bool,
    /// When it began.
    pub started: Timestamp,
    /// The code of the last answer sent, 0 before.
    pub sent_code: u16,
    /// Whether the caller cancelled it.
    pub cancelled: bool,
    /// The Reason lines of the CANCEL that did it.
    pub callers_reason: Bytes,
    timer: Option<TimerId>,
    timer_at: Timestamp,
}

impl Context {
    /// The context of a request, without branches.
    pub fn new(key: TransactionKey, request: &Request<'_>, now: Timestamp) -> Self {
        Self {
            key,
            method: request.method,
            is_plain: is_unique(request.via.branch.unwrap_or_default())
                && (request.method == Method::Invite || request.is_in_dialog()),
            cseq: request.cseq,
            identity: None,
            server: ServerTransaction::start(Kind::of(request.method)),
            socket: request.socket,
            source: request.source,
            reply_to: request.reply_to(),
            goes_to_source: request.has_forced_rport(),
            token: 0,
            loop_mark: 0,
            last_reply: None,
            best: None,
            cell: None,
            choice: None,
            next_hop: KeptHop::RequestUri,
            armed: Armed::default(),
            patience: Patience::default(),
            options: Options::default(),
            flags: 0,
            further_flags: 0,
            saved: None,
            base: None,
            is_counted: false,
            started: now,
            sent_code: 0,
            branches: SmallVec::new(),
            cancelled: false,
            callers_reason: Bytes::EMPTY,
            timer: None,
            timer_at: Timestamp::FAR,
        }
    }

    /// A branch of it whose request was just sent.
    pub fn branch(
        &self,
        leg: Leg,
        sent: Bytes,
        head: Head,
        now: Timestamp,
        timers: &Timers,
    ) -> RelayBranch {
        RelayBranch {
            hop: leg.hop,
            outages: leg.destination.as_ref().map_or(0, |one| one.outages()),
            destination: leg.destination,
            client: ClientTransaction::start(Kind::of(self.method), now, timers),
            abandoned: false,
            cancel_wanted: false,
            cancel: None,
            cause: Cause::Untold,
            sent,
            head,
            timeout_at: now.after(self.patience.answer).min(self.ends_at()),
            silence_at: now.after(self.patience.silence),
            timed_out: false,
            last_code: 0,
            sent_at: now,
            rang: false,
        }
    }

    /// When its lifetime is over.
    pub fn ends_at(&self) -> Timestamp {
        self.started.after(self.patience.lifetime)
    }

    /// Whether a branch whose answer is wanted has not got its final answer yet.
    pub fn awaits_answer(&self) -> bool {
        self.branches
            .iter()
            .any(|branch| !branch.abandoned && branch.client.is_pending())
    }

    /// Whether it was sent to this destination already.
    pub fn has_tried(&self, destination: &Destination) -> bool {
        self.branches.iter().any(|branch| {
            let tried = branch.destination.as_ref();
            tried.is_some_and(|tried| tried.is_same(destination))
        })
    }

    /// Whether nothing of it is left to do.
    pub fn is_over(&self) -> bool {
        self.server.is_terminated()
            && self.branches.iter().all(|branch| {
                branch.client.is_terminated()
                    && branch.cancel.is_none_or(|cancel| cancel.is_terminated())
            })
    }

    /// Whether stopping now would lose something: an answer is still owed.
    pub fn is_in_flight(&self) -> bool {
        !self.server.is_answered()
    }

    /// What is to be kept of it when it was answered, if few words are enough: nothing is pending, no
    /// route runs for what comes late, and the answer can be made from the request. A repeated REGISTER,
    /// say, wants to hear what was bound, and not just 200.
    fn in_few_words(&self, arena: &Arena) -> Option<Answered> {
        if !(200..300).contains(&self.sent_code) || self.server.is_terminated() {
            return None;
        }
        let needs_no_answer = match self.method {
            Method::Invite => self.armed.reply.is_none(),
            Method::Bye | Method::Info | Method::Notify | Method::Prack => {
                let answer = self.last_reply.map_or(&b""[..], |stored| arena.get(stored));
                answer.ends_with(b"\r\n\r\n")
            }
            _ => false,
        };
        let is_quiet = !self.branches.iter().any(RelayBranch::needs_request);
        (self.is_plain && is_quiet && needs_no_answer).then(|| Answered {
            key: self.key,
            token: self.token,
            ends_at: self.server.ends_at(),
            code: self.sent_code,
            socket: self.socket,
            goes_to_source: self.goes_to_source,
        })
    }

    fn deadline(&self) -> Timestamp {
        let mut at = self.server.deadline();
        for branch in &self.branches {
            at = at
                .min(branch.client.deadline())
                .min(branch.timeout_at)
                .min(branch.silence_at);
            if let Some(cancel) = &branch.cancel {
                at = at.min(cancel.deadline());
            }
        }
        at
    }
}

/// What the messages kept for one context may take on the average: few are half as long, and a
/// stranger who sends long ones must not get at more memory than one who sends many.
const STORED_BYTES: usize = 4096;

/// A transaction as it was found. It is worth nothing once time has passed.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// This context.
    Whole(u32),
    /// It was answered, and nothing is pending: see [`Contexts::answered_one`].
    Answered(u32),
}

/// For so many T1 the bytes of an answer are kept. The first two repeats of a request come within this
/// time (after 1 and 3 T1), nearly always the only ones.
const REPEATS_T1: u32 = 4;

/// In the index: the bit that tells the serial number of what is answered from that of a context.
const ANSWERED: u32 = 1 << SERIAL_BITS;

/// All transactions of a shard.
#[derive(Debug)]
pub struct Contexts {
    slab: Slab<Context>,
    answered: AnsweredQueue,
    index: Index,
    wheel: Wheel<u32>,
    /// How long before the end of an answered transaction the bytes of its answer go.
    without_answer: Duration,
    limit: usize,
    in_flight: usize,
    /// Emptied memory of requests that had several branches, for the next that fail over.
    spare_branches: Vec<Branches>,
}

impl Contexts {
    /// Room for at most `limit` transactions.
    pub fn new(limit: usize, timers: &Timers, now: Timestamp) -> Self {
        Self {
            slab: Slab::new(),
            answered: AnsweredQueue::new(),
            index: Index::new(),
            wheel: Wheel::new(now),
            without_answer: timers.wait.saturating_sub(timers.t1 * REPEATS_T1),
            limit,
            in_flight: 0,
            spare_branches: Vec::new(),
        }
    }

    /// How many there are, answered ones included.
    pub fn len(&self) -> usize {
        self.slab.len() + self.answered.len()
    }

    /// Whether there is room for no more, or for no more messages than `arena` holds of them.
    pub fn is_full(&self, arena: &Arena) -> bool {
        self.len() >= self.limit || arena.in_use_bytes() >= self.limit * STORED_BYTES
    }

    /// Whether any context still owes an answer.
    pub fn any_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// The transaction with this key.
    #[inline]
    pub fn find(&self, key: TransactionKey) -> Option<Found> {
        let found = self.index.find(key.index_hash(), |place| {
            let of_place = match place & ANSWERED {
                0 => self.slab[place as usize].key,
                _ => self.answered.get(place & !ANSWERED).key,
            };
            of_place == key
        })?;
        Some(match found & ANSWERED {
            0 => Found::Whole(found),
            _ => Found::Answered(found & !ANSWERED),
        })
    }

    /// An answered transaction as [`Contexts::find`] has found it.
    pub fn answered_one(&self, serial: u32) -> &Answered {
        self.answered.get(serial)
    }

    /// The answer that it got, as long as its first repeats may come.
    pub fn answer_of(&self, serial: u32) -> Option<KeptAnswer> {
        self.answered.answer(serial)
    }

    /// The context that a branch of ours names.
    pub fn named(&self, index: u32, token: u64) -> Option<&Context> {
        self.slab
            .get(index as usize)
            .filter(|context| context.token == token)
    }

    /// Adds a context and names it with chance.
    pub fn insert(&mut self, mut context: Context, rng: &mut Rng) -> u32 {
        context.token = rng.next();
        let hash = context.key.index_hash();
        self.in_flight += usize::from(context.is_in_flight());
        let index = self.slab.insert(context) as u32;
        // A transaction that the index has no room for (hundreds of keys with one hash) works, but
        // its repeats are taken for new requests.
        self.index.insert(hash, index).ok();
        index
    }

    /// One context.
    pub fn get(&self, index: u32) -> &Context {
        &self.slab[index as usize]
    }

    /// One context, to change. Call [`Contexts::settle`] when done.
    pub fn get_mut(&mut self, index: u32) -> &mut Context {
        &mut self.slab[index as usize]
    }

    /// Adds a branch to a context.
    pub fn add_branch(&mut self, index: u32, branch: RelayBranch) {
        let branches = &mut self.slab[index as usize].branches;
        if branches.len() == branches.inline_size()
            && let Some(mut roomy) = self.spare_branches.pop()
        {
            roomy.extend(branches.drain(..));
            *branches = roomy;
        }
        branches.push(branch);
    }

    /// Ends a transaction that was made and neither relayed nor answered.
    pub fn end_unused(&mut self, index: u32) {
        let context = &mut self.slab[index as usize];
        if context.branches.is_empty() && !context.server.is_answered() {
            context.server.give_up();
            self.answered();
        }
    }

    /// Frees what nobody needs of an answered request: its branches as sent, but for those that may
    /// have to be repeated, cancelled or acknowledged, and the best of the negative answers.
    pub fn release(&mut self, index: u32, arena: &mut Arena) {
        let context = &mut self.slab[index as usize];
        for branch in &mut context.branches {
            if !branch.needs_request() {
                arena.free(std::mem::replace(&mut branch.sent, Bytes::EMPTY));
            }
        }
        if let Some(best) = context.best.take() {
            arena.free(best.bytes);
        }
        if let Some((base, _)) = context.base.take() {
            arena.free(base);
        }
    }

    /// Notes that a final answer was sent; from then on the request is no longer in flight.
    pub fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// After a change: removes the context if it is over, keeps few words of it if it is answered and
    /// these are enough, else arms its one timer for the earliest of its deadlines. A deadline that
    /// moved away leaves the timer where it is: it fires once for nothing, which is cheaper than moving
    /// it for every message.
    pub fn settle(&mut self, index: u32, arena: &mut Arena) {
        let context = &mut self.slab[index as usize];
        if context.is_over() {
            self.remove(index, arena);
            return;
        }
        if let Some(answered) = context.in_few_words(arena) {
            self.condense(index, answered, arena);
            return;
        }
        let deadline = context.deadline();
        if deadline < context.timer_at {
            if let Some(timer) = context.timer.take() {
                self.wheel.cancel(timer);
            }
            context.timer = Some(self.wheel.insert(deadline, index));
            context.timer_at = deadline;
        }
    }

    /// Keeps few words in the place of a context. The first repeats of a request get the very bytes of
    /// its answer; an INVITE's 2xx is repeated by who sent it.
    fn condense(&mut self, index: u32, answered: Answered, arena: &mut Arena) {
        let hash = answered.key.index_hash();
        let serial = self.answered.push(answered);
        // What the index had no room for is not found this way either, and goes with its time.
        self.index.replace(hash, index, ANSWERED | serial);
        let context = &mut self.slab[index as usize];
        if context.method != Method::Invite
            && let Some(bytes) = context.last_reply.take()
        {
            let answer = KeptAnswer {
                bytes,
                to: context.reply_to,
                goes_at: answered.ends_at - self.without_answer,
            };
            self.answered.keep_answer(serial, answer);
        }
        self.discard(index, arena);
    }

    /// Forgets what was answered so long ago that its time is over, and answers that no repeat may want.
    pub fn forget_answered(&mut self, now: Timestamp, arena: &mut Arena) {
        while let Some(answer) = self.answered.pop_answer(now) {
            arena.free(answer);
        }
        while self.answered.has_batch(now) {
            let due = std::iter::from_fn(|| self.answered.pop_due(now));
            let places = due.map(|(serial, one)| (one.key.index_hash(), ANSWERED | serial));
            let batch: ArrayVec<_, BATCH> = places.take(BATCH).collect();
            self.index.remove_all(&batch);
        }
    }

    fn remove(&mut self, index: u32, arena: &mut Arena) {
        let hash = self.slab[index as usize].key.index_hash();
        self.index.remove(hash, index);
        self.discard(index, arena);
    }

    /// Frees a context that is in the index no more.
    fn discard(&mut self, index: u32, arena: &mut Arena) {
        let mut context = self.slab.remove(index as usize);
        for branch in &context.branches {
            arena.free(branch.sent);
        }
        if context.branches.spilled() {
            context.branches.clear();
            self.spare_branches.push(context.branches);
        }
        arena.free(context.callers_reason);
        if let KeptHop::Uri(uri) = context.next_hop {
            arena.free(uri);
        }
        if let Some(timer) = context.timer {
            self.wheel.cancel(timer);
        }
        let stored = [
            context.last_reply,
            context.best.map(|best| best.bytes),
            context.saved,
            context.base.map(|(bytes, _)| bytes),
        ];
        for bytes in stored.into_iter().flatten() {
            arena.free(bytes);
        }
    }

    /// The next context whose timer is due.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        let index = self.wheel.pop_due(now)?;
        let context = &mut self.slab[index as usize];
        context.timer = None;
        context.timer_at = Timestamp::FAR;
        Some(index)
    }

    /// When the next timer is due, or answered ones are to be forgotten.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let timer = self.wheel.next_deadline();
        timer.into_iter().chain(self.answered.next_deadline()).min()
    }
}
