//! The parts of a shard besides the scratch index of the message at hand, and the small acts that
//! all of its rooms share: answering, dropping.
//!
//! Owns: everything of a call. The rooms that act on it: `act` is what the configuration can do with
//! a message, `stateful` and `stateless` deal with replies, `cancel` and `timers` do what their names
//! say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::branch::BranchKeys;
use super::context::Contexts;
use super::draft::Draft;
use super::incoming::Datagram;
use super::local::Locals;
use super::outbox::Outbox;
use super::request::{BAD_EXTENSION, Refusal, Request, reply_address};
use super::script::{ModuleSettings, Script};
use super::settings::{Settings, SocketId, Timers};
use super::stats::{Drop, Stats};
use super::untold::Untold;
use crate::arena::{Arena, Bytes};
use crate::dispatch::Sets;
use crate::load::{CallTable, Ownership, ShardId};
use crate::rng::Rng;
use crate::route::machine::Machine;
use crate::sip::{Edits, HeaderIndex, Identity, Message, Method, Name, build};
use crate::time::Timestamp;
use crate::transaction::{KeyMaker, TransactionKey};

/// A shard without the scratch index of the message at hand.
#[derive(Debug)]
pub struct Core {
    pub(super) id: ShardId,
    pub(super) settings: Arc<Settings>,
    /// Those of the settings, with what the configuration says of them.
    pub(super) timers: Timers,
    pub(super) locals: Locals,
    /// The socket by which requests leave for destinations that name none.
    pub(super) default_socket: Option<SocketId>,
    pub(super) sets: Arc<Sets>,
    pub(super) ownership: Ownership,
    pub(super) calls: CallTable,
    pub(super) keys: KeyMaker,
    pub(super) branch_keys: BranchKeys,
    pub(super) contexts: Contexts,
    pub(super) arena: Arena,
    pub(super) script: Arc<Script>,
    /// What its parameters of modules say.
    pub(super) modules: ModuleSettings,
    /// What runs the script; taken while it runs.
    pub(super) machine: Option<Box<Machine>>,
    pub(super) bench: Workbench,
    pub(super) stats: Stats,
    /// Scripts that were stopped and not told of yet.
    pub(super) untold: Untold,
    pub(super) rng: Rng,
    /// No new call is admitted.
    pub(super) draining: bool,
    /// Cells are still to be looked at for expiry.
    pub(super) expiring: bool,
}

/// Buffers that are used and left again within one act.
#[derive(Debug)]
pub struct Workbench {
    pub(super) edits: Edits,
    /// The scan of a stored request.
    pub(super) stored_index: Option<Box<HeaderIndex>>,
    /// The scan of a request as sent.
    pub(super) sent_index: Option<Box<HeaderIndex>>,
    /// What becomes of the message at hand, and of one that its script looks at.
    pub(super) drafts: ArrayVec<Box<Draft>, 4>,
    /// Changes of the request that are not for the branch at hand alone.
    pub(super) branch_edits: Edits,
    /// Changes that a reply gets on its way.
    pub(super) reply_edits: Edits,
    /// The code that it gets.
    pub(super) reply_code: Option<u16>,
    /// An answer before it is stored.
    pub(super) scratch: Vec<u8>,
    /// The bytes of an answer that a script looks at.
    pub(super) answer: Vec<u8>,
    /// The bytes of a stored request while it is acted on.
    pub(super) stored: Vec<u8>,
    /// Further header lines of an answer.
    pub(super) extra: Vec<u8>,
    /// A line of the log that is not finished.
    pub(super) line: Vec<u8>,
}

impl Workbench {
    pub(super) fn new() -> Self {
        Self {
            edits: Edits::new(),
            stored_index: Some(Box::default()),
            sent_index: Some(Box::default()),
            drafts: [(); 2]
                .map(|()| Box::new(Draft::new()))
                .into_iter()
                .collect(),
            branch_edits: Edits::bounded(),
            reply_edits: Edits::new(),
            reply_code: None,
            scratch: Vec::with_capacity(4096),
            answer: Vec::with_capacity(4096),
            stored: Vec::with_capacity(4096),
            extra: Vec::with_capacity(256),
            line: Vec::with_capacity(256),
        }
    }
}

impl Core {
    /// The time since 1970.
    pub(super) fn unix_time(&self, now: Timestamp) -> Duration {
        self.settings.unix_origin + Duration::from_nanos(now.as_nanos())
    }

    /// The transaction that a request belongs to.
    pub(super) fn key_of(&self, request: &Request<'_>) -> TransactionKey {
        let (message, method) = (request.message, request.method);
        self.keys
            .key(message, request.identity(), request.via, method)
    }

    /// Answers a request without keeping anything.
    pub(super) fn answer(
        &mut self,
        request: &Request<'_>,
        answer: OwnAnswer<'_>,
        out: &mut Outbox,
    ) {
        self.count_answer(answer.code);
        let tag = self.branch_keys.tag(request.identity());
        let server = &self.modules.server;
        out.send(request.socket, request.reply_to(), |buffer| {
            answer.write(request, &tag, server, buffer);
        });
    }

    /// Refuses a request that the configuration does not get to see.
    pub(super) fn refuse(&mut self, request: &Request<'_>, refusal: Refusal, out: &mut Outbox) {
        let mut headers = std::mem::take(&mut self.bench.extra);
        headers.clear();
        write_extra(refusal, request.message, &self.settings, &mut headers);
        let answer = OwnAnswer {
            code: refusal.code,
            reason: refusal.reason.as_bytes(),
            headers: &headers,
            body: b"",
        };
        self.answer(request, answer, out);
        self.bench.extra = headers;
    }

    /// Answers a request that could not be read as a whole, as far as its Via can be.
    pub(super) fn answer_unread(
        &mut self,
        datagram: &Datagram<'_>,
        message: Message<'_>,
        refusal: Refusal,
        out: &mut Outbox,
    ) {
        let is_ack = message.method() == Some(Method::Ack);
        let Ok(via) = message.top_via() else {
            return self.stats.counters.drop(Drop::Garbage);
        };
        if is_ack {
            return self.stats.counters.drop(Drop::Garbage);
        }
        self.count_answer(refusal.code);
        let tag = self.branch_keys.tag(Identity::of(message));
        let to = reply_address(&via, datagram.source);
        out.send(datagram.socket, to, |buffer| {
            build::reply(
                message,
                datagram.source,
                refusal.code,
                refusal.reason,
                &tag,
                &self.modules.server,
                buffer,
            );
        });
    }

    pub(super) fn count_answer(&mut self, code: u16) {
        let counters = &mut self.stats.counters;
        counters.own_answers += u64::from(code >= 200);
        counters.refused_calls += u64::from(code == 503);
    }
}

/// An answer of our own.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnAnswer<'a> {
    pub(super) code: u16,
    pub(super) reason: &'a [u8],
    /// Header lines besides the usual ones.
    pub(super) headers: &'a [u8],
    /// Its body, mostly empty.
    pub(super) body: &'a [u8],
}

impl OwnAnswer<'_> {
    /// Appends it; `server` is the header line that names us, if there is one.
    pub(super) fn write(
        &self,
        request: &Request<'_>,
        to_tag: &[u8],
        server: &[u8],
        out: &mut Vec<u8>,
    ) {
        let to_tag = if self.code == 100 { b"" } else { to_tag };
        let Self {
            code,
            reason,
            headers,
            body,
        } = *self;
        build::reply(
            request.message,
            request.source,
            code,
            reason,
            to_tag,
            headers,
            out,
        );
        build::add_lines(server, out);
        if !body.is_empty() {
            build::add_body(body, out);
        }
    }
}

/// Appends the header lines that a refusal of this request has besides the usual ones.
pub(super) fn write_extra(
    refusal: Refusal,
    request: Message<'_>,
    settings: &Settings,
    extra: &mut Vec<u8>,
) {
    use std::io::Write as _;
    if refusal.retry_after {
        let seconds = settings.limits.retry_after.as_secs();
        // Writing to a vector cannot fail.
        write!(extra, "Retry-After: {seconds}\r\n").ok();
    }
    if refusal.code == BAD_EXTENSION.code {
        for line in request.all(Name::ProxyRequire) {
            extra.extend_from_slice(b"Unsupported: ");
            extra.extend_from_slice(line.value);
            extra.extend_from_slice(b"\r\n");
        }
    }
}

/// Sends what `write` appends, and stores it as well.
pub(super) fn send_and_store(
    arena: &mut Arena,
    socket: SocketId,
    to: SocketAddr,
    out: &mut Outbox,
    write: impl FnOnce(&mut Vec<u8>),
) -> Bytes {
    let mut stored = Bytes::EMPTY;
    out.send(socket, to, |buffer| {
        let start = buffer.len();
        write(buffer);
        stored = arena.store(&buffer[start..]);
    });
    stored
}

/// Sends stored bytes.
pub(super) fn send_stored(
    arena: &Arena,
    stored: Bytes,
    socket: SocketId,
    to: SocketAddr,
    out: &mut Outbox,
) {
    out.send(socket, to, |buffer| {
        buffer.extend_from_slice(arena.get(stored));
    });
}
