//! The witness at the proxy's door: it reads everything that goes in and out, and knows nothing of
//! what is inside. Invariants 3, 4 and 5.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::duties::Duty;
use super::key::{self, Key, key_of};
use super::ledger::Ledger;
use super::licence::Licence;
use super::seen::{Sent, Transaction};
use super::story::Violation;
use super::strangers::{forger, vandal};
use crate::proxy::RelayMode;
use crate::sip::{HeaderIndex, Message, Method, Name, StartLine, scan};
use crate::time::Timestamp;

/// An ended call is forgotten after 64 * T1; so long a retransmission finds its way.
const LINGER: Duration = Duration::from_secs(32);
/// The answer at the limit of transactions: nothing is kept of it.
const NO_ROOM: &[u8] = b"Transaction Table Full";
/// How the branch begins of what goes on without a transaction.
const LOOSE: &[u8] = b"z9hG4bKs";
/// The answers when no destination can take a call.
const BUSY: [&[u8]; 2] = [b"All Destinations Busy", b"No Destination Available"];

/// What made the proxy send something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A request from this address.
    Request(SocketAddr),
    /// A reply from this address.
    Reply(SocketAddr),
    /// A timer, or an error of the network.
    Itself,
}

/// Reads what passes.
#[derive(Debug)]
pub(super) struct Watch {
    index: HeaderIndex,
    pub(super) relay: RelayMode,
    listeners: BTreeSet<SocketAddr>,
    gateways: BTreeSet<SocketAddr>,
    /// Who may do what they like: what comes of their requests proves nothing.
    strangers: BTreeSet<SocketAddr>,
    pub(super) transactions: BTreeMap<Key, Transaction>,
    pub(super) sent: BTreeMap<Vec<u8>, Sent>,
    /// Who made a tag: (Call-ID, tag).
    tags: BTreeMap<(Vec<u8>, Vec<u8>), SocketAddr>,
    /// Where a call's INVITE went: (Call-ID, caller's tag, CSeq).
    calls: BTreeMap<(Vec<u8>, Vec<u8>, u32), Vec<SocketAddr>>,
    pub licence: Licence,
    pub ledger: Ledger,
    /// Calls that several gateways may have answered: (Call-ID, caller's tag).
    forked: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// Whether the request that a shard is dealing with says by Route where it goes.
    is_routed: bool,
    /// What must be done before the step is over.
    pub(super) duty: Option<Duty>,
    /// A call was refused for the first time since this was last asked.
    is_busy: bool,
}

impl Watch {
    pub fn new(
        relay: RelayMode,
        listeners: &[SocketAddr],
        gateways: &[SocketAddr],
        ledger: Ledger,
    ) -> Self {
        let strangers = listeners.iter().flat_map(|&it| [forger(it), vandal(it)]);
        Self {
            index: HeaderIndex::new(),
            relay,
            listeners: listeners.iter().copied().collect(),
            gateways: gateways.iter().copied().collect(),
            strangers: strangers.collect(),
            transactions: BTreeMap::new(),
            sent: BTreeMap::new(),
            tags: BTreeMap::new(),
            calls: BTreeMap::new(),
            licence: Licence::default(),
            ledger,
            forked: BTreeSet::new(),
            is_routed: false,
            duty: None,
            is_busy: false,
        }
    }

    /// Whether a call was refused for want of a destination since this was last asked.
    pub fn take_busy(&mut self) -> bool {
        std::mem::take(&mut self.is_busy)
    }

    /// A shard is going to deal with a datagram. Returns what its sendings are caused by.
    pub fn received(&mut self, now: Timestamp, from: SocketAddr, bytes: &[u8]) -> Cause {
        let mut index = std::mem::take(&mut self.index);
        let cause = match scan(bytes, &mut index) {
            Ok(message) if message.method().is_none() => {
                self.reply_received(from, message);
                Cause::Reply(from)
            }
            Ok(message) => {
                self.request_received(now, from, message);
                Cause::Request(from)
            }
            Err(_) => Cause::Request(from),
        };
        self.index = index;
        cause
    }

    fn request_received(&mut self, now: Timestamp, from: SocketAddr, message: Message<'_>) {
        let call_id = message.call_id().unwrap_or_default();
        let by_vandal = vandal(from) == from;
        if by_vandal {
            self.ledger.touched(now, call_id);
        }
        self.is_routed = message.has(Name::Route);
        let Ok(via) = message.top_via() else { return };
        let Some(key) = key_of(message, &via) else {
            return;
        };
        let method = message.method();
        if method == Some(Method::Ack) {
            return;
        }
        if method == Some(Method::Cancel)
            && let Some(invite) = key::invite_of(message)
        {
            let transaction = self.transactions.entry(invite).or_default();
            transaction.cancelled |= !transaction.asked.is_empty();
        }
        let transaction = self.transactions.entry(key.clone()).or_default();
        let is_forgotten = transaction.may_be_forgotten(now, &self.licence);
        let is_unsure = is_forgotten && transaction.may_be_known(now, &self.licence);
        if is_forgotten {
            transaction.forget();
        }
        let is_repeat = !transaction.asked.is_empty() && !is_forgotten;
        // RFC 3581 section 4, or else RFC 3261 section 18.2.2.
        let port = match via.rport {
            Some(_) => from.port(),
            None => via.port.unwrap_or(5060),
        };
        transaction.asked.insert(SocketAddr::new(from.ip(), port));
        transaction.by_stranger |= self.strangers.contains(&from);
        transaction.in_dialog = message.to_tag().is_some();
        // With transactions a repeat changes nothing.
        let is_new = !is_repeat || self.relay == RelayMode::Stateless;
        if method == Some(Method::Bye) && !by_vandal && is_new {
            let tags = (message.from_tag(), message.to_tag());
            let (caller, callee) = (tags.0.unwrap_or_default(), tags.1.unwrap_or_default());
            self.ledger.bye(now, call_id, caller, callee);
        }
        let is_first = method == Some(Method::Invite) && message.to_tag().is_none();
        if self.strangers.contains(&from) {
            return;
        }
        if is_first {
            self.learn(message, message.from_tag(), from);
        }
        if !is_unsure {
            self.owe(&key, message, is_repeat);
        }
    }

    fn reply_received(&mut self, from: SocketAddr, message: Message<'_>) {
        self.branch_answered(message);
        let is_invite = message
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Invite);
        if is_invite && self.gateways.contains(&from) {
            self.learn(message, message.to_tag(), from);
        }
    }

    fn learn(&mut self, message: Message<'_>, tag: Option<&[u8]>, maker: SocketAddr) {
        if let (Some(call_id), Some(tag)) = (message.call_id(), tag) {
            let name = (call_id.to_vec(), tag.to_vec());
            self.tags.entry(name).or_insert(maker);
        }
    }

    /// A shard has sent a datagram.
    pub fn sent(
        &mut self,
        now: Timestamp,
        cause: Cause,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let mut index = std::mem::take(&mut self.index);
        let verdict = match scan(bytes, &mut index) {
            Ok(message) => {
                let verdict = if message.method().is_some() {
                    self.request_sent(now, cause, to, message)
                } else {
                    self.reply_sent(now, cause, to, message)
                };
                verdict.map_err(|violation| violation.in_call(message.call_id().unwrap_or(b"")))
            }
            Err(error) => Err(Violation::new(8, format!("sent no SIP: {error}"))),
        };
        self.index = index;
        verdict
    }

    /// Invariant 3.
    fn reply_sent(
        &mut self,
        now: Timestamp,
        cause: Cause,
        to: SocketAddr,
        message: Message<'_>,
    ) -> Result<(), Violation> {
        // What a stranger is told of its spoilt copy is not what the caller sees.
        let is_stranger = self.strangers.iter().any(|it| it.ip() == to.ip());
        if is_stranger {
            let call_id = message.call_id().unwrap_or_default();
            self.ledger.touched(now, call_id);
        } else {
            self.book_answer(now, cause, message);
        }
        if !message.has(Name::Via) {
            return Err(Violation::new(8, "sent an answer without Via"));
        }
        let via = message.top_via().ok();
        let Some(key) = via.and_then(|via| key_of(message, &via)) else {
            return Ok(());
        };
        if matches!(&self.duty, Some(Duty::Answer(owed)) if *owed == key) {
            self.duty = None;
        }
        let Some(transaction) = self.transactions.get_mut(&key) else {
            return Ok(());
        };
        // Of what a stranger was refused, the proxy keeps nothing; what went on is answered for all.
        let is_kept = !is_stranger || !transaction.forwards.is_empty();
        if is_kept && message.reply_code() >= Some(200) {
            transaction.answered_at.get_or_insert(now);
        }
        if !transaction.asked.contains(&to) {
            let asked = &transaction.asked;
            return Err(Violation::new(
                3,
                format!("an answer went to {to}, but {asked:?} asked"),
            ));
        }
        if is_stranger {
            return Ok(());
        }
        self.answer_sent(cause, &key, message)
    }

    /// An answer went to who asked.
    fn answer_sent(
        &mut self,
        cause: Cause,
        key: &Key,
        message: Message<'_>,
    ) -> Result<(), Violation> {
        let code = message.reply_code().unwrap_or(0);
        if key.last() == Some(&(Method::Cancel as u8)) && code == 200 {
            let invite = self.transactions.entry(key::invite_by_name(key));
            invite.or_default().cancel_accepted = true;
        }
        let Some(transaction) = self.transactions.get_mut(key) else {
            return Ok(());
        };
        let answer = (code, message.to_tag().unwrap_or_default().to_vec());
        let is_new = !transaction.finals.contains(&answer);
        let is_stateful = self.relay == RelayMode::Stateful;
        if BUSY.contains(&reason(message)) {
            // A repeat gets the same refusal, though there may be room by then.
            self.is_busy |= !is_stateful || !transaction.refused;
            transaction.refused = true;
        }
        let is_kept = is_stateful && !is_without_trace(message, self.licence.forgets);
        // At the limit what is in a dialog is relayed without a transaction.
        let is_loose = transaction.in_dialog || transaction.was_loose;
        let is_kept = is_kept && !(self.licence.forgets && is_loose);
        if code < 200 || !is_kept || !is_new {
            return Ok(());
        }
        let is_invite = key.last() == Some(&(Method::Invite as u8));
        let is_success = code < 300 && is_invite;
        let forked = transaction.is_forked() || self.licence.memories_lost;
        if is_success && transaction.past.contains(&answer) {
            return Ok(());
        }
        // What was given up may be answered all the same: then that is told (RFC 3261 section 16.7, step 5).
        let given_up = transaction.by_itself;
        let allowed = transaction.finals.is_empty() || is_success && (forked || given_up);
        transaction.by_itself |= cause == Cause::Itself;
        transaction.finals.push(answer);
        if !allowed {
            let finals: Vec<u16> = transaction.finals.iter().map(|(code, _)| *code).collect();
            let sent = &transaction.forwards;
            let what = format!("a request got several final answers {finals:?}, sent to {sent:?}");
            return Err(Violation::new(3, what));
        }
        if is_invite {
            self.may_give_up(key, code)
        } else {
            Ok(())
        }
    }

    /// Writes a final answer that goes to a caller into the books.
    fn book_answer(&mut self, now: Timestamp, cause: Cause, message: Message<'_>) {
        let code = message.reply_code().unwrap_or(0);
        let (Ok(cseq), Ok(via)) = (message.cseq(), message.top_via()) else {
            return;
        };
        let Some(key) = key_of(message, &via) else {
            return;
        };
        let Some(transaction) = self.transactions.get(&key) else {
            return;
        };
        if code < 200 {
            return;
        }
        let call_id = message.call_id().unwrap_or_default();
        let from = message.from_tag().unwrap_or_default();
        let to = message.to_tag().unwrap_or_default();
        let name = (call_id.to_vec(), from.to_vec());
        match cseq.method {
            Method::Invite if !transaction.in_dialog => {
                let by = match cause {
                    Cause::Reply(by) => Some(by),
                    _ => None,
                };
                self.ledger.answered(now, &name, &key, code, to, by);
            }
            Method::Invite | Method::Update if code < 300 => {
                let is_first = !transaction.finals.iter().any(|(sent, _)| *sent < 300);
                self.ledger.refreshed(now, &name, is_first);
            }
            Method::Bye if matches!(cause, Cause::Reply(_)) => {
                let challenged = matches!(code, 401 | 407);
                self.ledger
                    .bye_answered(now, call_id, (from, to), challenged);
            }
            _ => {}
        }
    }

    /// Invariants 4 and 5.
    fn request_sent(
        &mut self,
        now: Timestamp,
        cause: Cause,
        to: SocketAddr,
        message: Message<'_>,
    ) -> Result<(), Violation> {
        let branch = message.top_via().ok().and_then(|via| via.branch);
        let Some(branch) = branch else {
            return Err(Violation::new(8, "sent a request without branch"));
        };
        let method = message.method();
        if self.sent.contains_key(branch) {
            return self.sent_again(now, to, branch, message);
        }
        let is_invite = method == Some(Method::Invite);
        let upstream = message.vias().nth(1).and_then(Result::ok);
        let transaction = upstream.and_then(|via| key_of(message, &via));
        let transaction = transaction.unwrap_or_default();
        let place = self
            .transactions
            .get(&transaction)
            .map_or(0, |it| it.forwards.len());
        self.sent.insert(
            branch.to_vec(),
            Sent {
                to,
                is_invite,
                last: now,
                transaction: transaction.clone(),
                place,
                provisional: false,
                is_over: false,
                cancelled: false,
            },
        );
        let by_stranger = matches!(cause, Cause::Request(from) if self.strangers.contains(&from));
        let invite = self.transactions.get(&key::invite_by_name(&transaction));
        let of_stranger = by_stranger || invite.is_some_and(|invite| invite.by_stranger);
        if method == Some(Method::Cancel) && !of_stranger {
            return Err(Violation::new(5, "a CANCEL has the branch of no INVITE"));
        }
        let is_loose = branch.starts_with(LOOSE);
        if is_loose && !self.may_be_loose(message) {
            let what = format!("a {method:?} went on without a transaction");
            return Err(Violation::new(8, what));
        }
        if message.to_tag().is_none() {
            let selected = self.selected(now, cause, to, &transaction, message);
            if let Some(transaction) = self.transactions.get_mut(&transaction) {
                transaction.is_loose = is_loose;
                transaction.was_loose |= is_loose;
            }
            return if by_stranger { Ok(()) } else { selected };
        }
        if by_stranger {
            return Ok(());
        }
        self.in_dialog_sent(to, message)
    }

    /// A request was sent by a branch that was seen before.
    fn sent_again(
        &mut self,
        now: Timestamp,
        to: SocketAddr,
        branch: &[u8],
        message: Message<'_>,
    ) -> Result<(), Violation> {
        let method = message.method();
        let is_misread = self.may_be_misread(to, message);
        let Some(sent) = self.sent.get_mut(branch) else {
            return Ok(());
        };
        let may_forget = self.relay == RelayMode::Stateless
            && (self.licence.forgets
                || self.licence.forgets_soon
                || now.since(sent.last) >= LINGER
                || !sent.is_invite);
        sent.last = now;
        let follows = matches!(method, Some(Method::Ack | Method::Cancel));
        sent.cancelled |= method == Some(Method::Cancel);
        if sent.to == to || is_misread {
            return Ok(());
        }
        if may_forget && !follows {
            sent.to = to;
            if method == Some(Method::Invite) && message.to_tag().is_none() {
                self.went_to(to, message);
            }
            return Ok(());
        }
        let (invariant, what) = if follows {
            (5, "went elsewhere than its INVITE")
        } else {
            (4, "was sent again, but elsewhere")
        };
        Err(Violation::new(
            invariant,
            format!("a {method:?} {what}: to {to}, not {}", sent.to),
        ))
    }

    /// Notes where an INVITE outside a dialog went; gives where it had gone before.
    fn went_to(&mut self, to: SocketAddr, message: Message<'_>) -> Vec<SocketAddr> {
        let (call_id, tag, cseq) = call_of(message);
        let name = (call_id.clone(), tag.clone(), cseq);
        let of_call = self.calls.entry(name).or_default();
        let before = of_call.clone();
        of_call.push(to);
        if before.iter().any(|other| *other != to) {
            self.forked.insert((call_id, tag));
        }
        before
    }

    /// Whether an ACK to a 2xx may be taken for one to a refusal, which goes where its INVITE went:
    /// without transactions only that the call was answered tells them apart. A call that was forgotten
    /// and begun anew, at this gateway, by a late copy of its INVITE is not answered yet.
    fn may_be_misread(&self, to: SocketAddr, message: Message<'_>) -> bool {
        let forgets = self.licence.forgets || self.licence.forgets_soon;
        let is_unsure = self.relay == RelayMode::Stateless && forgets;
        let went = self.calls.get(&call_of(message));
        is_unsure
            && message.method() == Some(Method::Ack)
            && went.is_some_and(|went| went.len() > 1 && went.last() == Some(&to))
    }

    /// Whether a request may go on without a transaction: in a world with transactions only an ACK,
    /// and at their limit what belongs to a call.
    fn may_be_loose(&self, message: Message<'_>) -> bool {
        self.relay == RelayMode::Stateless
            || message.method() == Some(Method::Ack)
            || self.licence.forgets
                && (message.to_tag().is_some() || message.method() == Some(Method::Bye))
    }

    /// A request outside a dialog was sent by a branch that was not seen before.
    fn selected(
        &mut self,
        now: Timestamp,
        cause: Cause,
        to: SocketAddr,
        key: &Key,
        message: Message<'_>,
    ) -> Result<(), Violation> {
        let is_sure = self.is_stateful();
        let Some(transaction) = self.transactions.get_mut(key) else {
            return Ok(());
        };
        let earlier = std::mem::take(&mut transaction.forwards);
        transaction.forwards.clone_from(&earlier);
        transaction.forwards.push(to);
        let is_request = matches!(cause, Cause::Request(_));
        // What went on without a transaction goes the same way again.
        let is_absorbed = self.relay == RelayMode::Stateful && !earlier.is_empty();
        let is_absorbed = is_absorbed && !(transaction.is_loose && earlier.last() == Some(&to));
        if is_request && is_absorbed {
            return Err(Violation::new(
                4,
                format!("a retransmission was sent to {to}, after {earlier:?}"),
            ));
        }
        if message.method() != Some(Method::Invite) {
            return Ok(());
        }
        if is_sure && transaction.cancel_accepted && !earlier.is_empty() {
            let what = format!("a cancelled call was sent on to {to}");
            return Err(Violation::new(8, what));
        }
        let follows = earlier.is_empty();
        let before = self.went_to(to, message);
        let is_known = before.contains(&to) || before.is_empty();
        if let Some(transaction) = self.transactions.get_mut(key) {
            transaction.follows |= follows && !before.is_empty();
        }
        let (call_id, tag, cseq) = call_of(message);
        let surely = !matches!(cause, Cause::Request(from) if self.strangers.contains(&from));
        self.ledger
            .invited(now, (call_id, tag), cseq, key, to, surely);
        if is_request && !is_known && !self.licence.forgets {
            return Err(Violation::new(
                4,
                format!("a repeated INVITE of a call was sent to {to}, the first to {before:?}"),
            ));
        }
        Ok(())
    }

    /// A request inside a dialog goes to the maker of its To tag.
    fn in_dialog_sent(&self, to: SocketAddr, message: Message<'_>) -> Result<(), Violation> {
        let call_id = message.call_id().unwrap_or_default().to_vec();
        let tag = message.to_tag().unwrap_or_default().to_vec();
        let caller = message.from_tag().unwrap_or_default().to_vec();
        let Some(&maker) = self.tags.get(&(call_id.clone(), tag)) else {
            return Ok(());
        };
        // Without a Route nothing says which of the gateways that answered is meant.
        let is_unclear = !self.is_routed && self.forked.contains(&(call_id, caller));
        // Who takes a spoilt INVITE for the caller's calls back where that says.
        let is_misled = self.licence.contacts_spoilt && !self.gateways.contains(&maker);
        if maker == to || is_unclear || is_misled || self.may_be_misread(to, message) {
            return Ok(());
        }
        let method = message.method();
        Err(Violation::new(
            5,
            format!("a {method:?} went to {to}, its dialog is with {maker}"),
        ))
    }

    /// Whether the proxy itself is at this address.
    pub fn is_listener(&self, address: SocketAddr) -> bool {
        self.listeners.contains(&address)
    }
}

/// Whether a final answer is one that the proxy keeps nothing of, so that a repeat of the request
/// may be answered otherwise: the answer at the limit of transactions and, if that limit is `near`,
/// every refusal of a call; its own answers to requests other than INVITE (RFC 3261 section 8.2.7).
fn is_without_trace(message: Message<'_>, near: bool) -> bool {
    let by_limit = reason(message) == NO_ROOM || near && BUSY.contains(&reason(message));
    let is_invite = message
        .cseq()
        .is_ok_and(|cseq| cseq.method == Method::Invite);
    let is_ours =
        !message.has(Name::Contact) && message.to_tag().is_some_and(|tag| tag.len() == 16);
    by_limit || !is_invite && is_ours
}

/// What names an attempt of a call: Call-ID, caller's tag and CSeq.
fn call_of(message: Message<'_>) -> (Vec<u8>, Vec<u8>, u32) {
    let call_id = message.call_id().unwrap_or_default().to_vec();
    let tag = message.from_tag().unwrap_or_default().to_vec();
    (call_id, tag, message.cseq().map_or(0, |cseq| cseq.number))
}

/// The reason phrase of a reply.
fn reason(message: Message<'_>) -> &[u8] {
    match message.start() {
        StartLine::Reply { reason, .. } => reason,
        StartLine::Request { .. } => b"",
    }
}
