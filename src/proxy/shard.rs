//! The shard: the narrow interface by which the plane, the simulation and the demo drive it.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use super::branch::{Branch, BranchKeys};
use super::context::Contexts;
use super::core::{Core, Workbench};
use super::incoming::{Datagram, Incoming};
use super::local::Locals;
use super::outbox::{Outbox, ProbeAnswer, StateChange};
use super::request::Refusal;
use super::script::{ModuleSettings, Script, built_in};
use super::settings::{Settings, Timers};
use super::stats::{Drop, Load, SeenDestination, Snapshot, Stats};
use super::untold::Untold;
use crate::arena::Arena;
use crate::dispatch::Sets;
use crate::load::{CallTable, Ownership, Progress, ShardId};
use crate::rng::Rng;
use crate::route::machine::Machine;
use crate::route::program::Program;
use crate::sip::{HeaderIndex, Message, is_keepalive, scan};
use crate::time::Timestamp;
use crate::transaction::KeyMaker;

/// Cells looked at for expiry in one tick: some microseconds.
const EXPIRY_BUDGET: usize = 256;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was dealt with.
    Done,
    /// It belongs to a call of this other shard and was not touched.
    HandOff(ShardId),
}

/// One shard of the proxy.
#[derive(Debug)]
pub struct Shard {
    index: HeaderIndex,
    core: Core,
}

impl Shard {
    /// A shard without calls. `secret` is the same for all shards of a process and unknown to
    /// strangers; `seed` differs between shards.
    pub fn new(
        id: ShardId,
        settings: Arc<Settings>,
        sets: Arc<Sets>,
        secret: u64,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let script = Arc::new(Script::new(program_of(&settings)));
        let shards = usize::from(settings.shards.max(1));
        let share = |all: u32| (all as usize).div_ceil(shards);
        let ownership = Ownership::new(secret, settings.call_load.hash_size, settings.shards);
        let linger = settings.timers.t1 * 64;
        let locals = Locals::new(&settings.listeners, &settings.aliases);
        let called = settings.default_sockname.as_deref();
        let default_socket = called
            .and_then(|name| locals.called(name))
            .or_else(|| locals.bound_to(settings.default_socket?));
        let modules = ModuleSettings::of(script.program.settings());
        let timers = Timers {
            wait: modules.wt_timer.unwrap_or(settings.timers.wait),
            ..settings.timers
        };
        let core = Core {
            id,
            timers,
            locals,
            default_socket,
            calls: CallTable::new(&settings.call_load, &ownership, id, linger, secret),
            ownership,
            keys: KeyMaker::new(secret),
            branch_keys: BranchKeys::new(secret),
            contexts: Contexts::new(share(settings.limits.max_transactions), &timers, now),
            arena: Arena::new(),
            machine: Some(Box::new(Machine::new(Arc::clone(&script.program)))),
            modules,
            script,
            bench: Workbench::new(),
            stats: Stats::default(),
            untold: Untold::default(),
            rng: Rng::from_seed(seed),
            draining: false,
            expiring: false,
            settings,
            sets,
        };
        Self {
            index: HeaderIndex::new(),
            core,
        }
    }

    /// Its number.
    pub fn id(&self) -> ShardId {
        self.core.id
    }

    /// Deals with one datagram, or says whose it is.
    pub fn receive(&mut self, now: Timestamp, datagram: Datagram<'_>, out: &mut Outbox) -> Verdict {
        let core = &mut self.core;
        if is_keepalive(datagram.bytes) {
            core.stats.counters.keepalives += 1;
            return Verdict::Done;
        }
        let Ok(message) = scan(datagram.bytes, &mut self.index) else {
            core.stats.counters.drop(Drop::Garbage);
            return Verdict::Done;
        };
        let Some(call_id) = message.call_id() else {
            if message.method().is_some() {
                let refusal = Refusal::new(400, "Missing Call-ID");
                core.answer_unread(&datagram, message, refusal, out);
            } else {
                core.stats.counters.drop(Drop::Garbage);
            }
            return Verdict::Done;
        };
        let owner = core.ownership.owner(call_id);
        if owner != core.id {
            return Verdict::HandOff(owner);
        }
        match message.method() {
            Some(_) => core.on_request(now, &datagram, message, out),
            None => core.on_reply(now, &datagram, message, out),
        }
        Verdict::Done
    }

    /// Hears that a datagram of ours could not be delivered (send error, or ICMP unreachable).
    /// `sent` is what we sent, perhaps cut short by the network.
    pub fn undeliverable(
        &mut self,
        now: Timestamp,
        to: SocketAddr,
        sent: &[u8],
        out: &mut Outbox,
    ) -> Verdict {
        let Ok(message) = scan(sent, &mut self.index) else {
            return Verdict::Done;
        };
        let Some(branch) = our_branch(message) else {
            return Verdict::Done;
        };
        let _ = to;
        match branch {
            Branch::Stateful { shard, .. } if shard != self.core.id => Verdict::HandOff(shard),
            _ => {
                self.core.on_undeliverable(now, branch, out);
                Verdict::Done
            }
        }
    }

    /// Runs the event route for a destination that went up or down, with a request of our own for
    /// that destination.
    pub fn on_state_change(&mut self, now: Timestamp, change: &StateChange, out: &mut Outbox) {
        self.core.run_event_route(now, change, &mut self.index, out);
    }

    /// Whether there is an event route for changes of states.
    pub fn hears_of_changes(&self) -> bool {
        let script = &self.core.script;
        script.up.is_some() || script.down.is_some()
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        while let Some(context) = self.core.contexts.pop_due(now) {
            self.core.on_timer(now, context, out);
        }
        let core = &mut self.core;
        core.contexts.forget_answered(now, &mut core.arena);
        if self.core.expiring {
            self.core.expire(now);
        }
    }

    /// When [`Shard::tick`] is next needed; `None` when nothing is armed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.core.expiring {
            return Some(Timestamp::ZERO);
        }
        self.core.contexts.next_deadline()
    }

    /// Asks for the calls of these slots (of this shard's own) to be looked at: those whose time is
    /// over are forgotten in the ticks that follow, a few at a time.
    pub fn expire_calls(&mut self, slots: Range<u32>) {
        self.core.calls.schedule_expiry(slots);
        self.core.expiring = true;
    }

    /// Takes over newly loaded sets. New calls are dispatched to these; old ones keep their
    /// destination.
    pub fn publish(&mut self, sets: Arc<Sets>) {
        self.core.stats.publish(&sets);
        self.core.sets = sets;
    }

    /// Admits no new call from now on: they get 503.
    pub fn drain(&mut self) {
        self.core.draining = true;
    }

    /// Whether no request waits for its answer.
    pub fn is_idle(&self) -> bool {
        !self.core.contexts.any_in_flight()
    }

    /// A copy of its numbers.
    pub fn snapshot(&self) -> Snapshot {
        let core = &self.core;
        Snapshot {
            counters: core.stats.counters,
            cells: core.calls.len(),
            counted_calls: core.calls.counted(),
            transactions: core.contexts.len(),
            memory_bytes: core.calls.bytes() + core.arena.allocated_bytes(),
        }
    }

    /// A copy of what it saw of every destination that was selected: some 24 KiB for each.
    pub fn seen_destinations(&self) -> Vec<SeenDestination> {
        self.core.stats.destinations().cloned().collect()
    }

    /// How much it holds, for checkers.
    pub fn load(&self) -> Load {
        let core = &self.core;
        Load {
            cells: core.calls.len(),
            transactions: core.contexts.len(),
            stored_messages: core.arena.in_use(),
            memory_bytes: core.calls.bytes() + core.arena.allocated_bytes(),
        }
    }

    /// Its call table, for checkers.
    pub fn calls(&self) -> &CallTable {
        &self.core.calls
    }

    /// The slots of the call table that this shard owns.
    pub fn slots(&self) -> Range<u32> {
        self.core.ownership.slots_of(self.core.id)
    }
}

impl Core {
    /// Looks at the next few of the cells that were asked for.
    fn expire(&mut self, now: Timestamp) {
        let counters = &mut self.stats.counters;
        let progress = self.calls.expire(now, EXPIRY_BUDGET, |_| {
            counters.expired_calls += 1;
        });
        self.expiring = progress == Progress::More;
    }

    fn on_reply(
        &mut self,
        now: Timestamp,
        datagram: &Datagram<'_>,
        reply: Message<'_>,
        out: &mut Outbox,
    ) {
        self.stats.counters.replies += 1;
        let basics = reply.basics();
        let Ok(basics) = &basics else {
            return self.on_faulty_reply(reply, out);
        };
        let incoming = Incoming {
            message: reply,
            basics,
            source: datagram.source,
            socket: datagram.socket,
        };
        self.bench.reply_edits.clear();
        self.bench.reply_code = None;
        match basics.via.branch.and_then(Branch::parse) {
            Some(Branch::Stateless { mac, socket, .. }) => {
                self.relay_stateless_reply(now, &incoming, mac, socket, out);
            }
            Some(Branch::Stateful {
                index,
                token,
                number,
                ..
            }) => {
                if self.contexts.named(index, token).is_some() {
                    self.on_branch_reply(now, index, usize::from(number), &incoming, out);
                } else {
                    self.on_late_reply(now, &incoming, token, out);
                }
            }
            Some(Branch::Probe { token }) => answer_probe(token, reply, out),
            _ => self.stats.counters.drop(Drop::StrayReply),
        }
    }

    /// What is wrong with the answer to a keepalive does not matter: somebody is there.
    fn on_faulty_reply(&mut self, reply: Message<'_>, out: &mut Outbox) {
        match our_branch(reply) {
            Some(Branch::Probe { token }) => answer_probe(token, reply, out),
            Some(_) => self.stats.counters.drop(Drop::Garbage),
            None => self.stats.counters.drop(Drop::StrayReply),
        }
    }
}

fn answer_probe(token: u64, reply: Message<'_>, out: &mut Outbox) {
    out.answer_probe(ProbeAnswer {
        token,
        code: reply.reply_code().unwrap_or(0),
    });
}

/// The routing configuration of settings; where they have none, the built-in one.
fn program_of(settings: &Settings) -> Arc<Program> {
    match &settings.program {
        Some(program) => Arc::clone(program),
        // It is a part of this program, and compiles whatever it is filled in with.
        None => Arc::new(built_in(settings).expect("the built-in configuration compiles")),
    }
}

/// The branch of the top Via if we wrote it.
fn our_branch(message: Message<'_>) -> Option<Branch> {
    let via = message.top_via().ok()?;
    Branch::parse(via.branch?)
}
