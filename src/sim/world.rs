//! The world: everybody in it, one step at a time.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::agenda::{Agenda, Event};
use super::checks::Checks;
use super::config::SimConfig;
use super::faults::{self, Fault, Roster, SET};
use super::ledger::Ledger;
use super::network::{Network, Weather, Wire};
use super::peers::{Peers, Receipt, gateway_addresses};
use super::plane::Plane;
use super::report::{Failure, Report};
use super::rogues::Rogues;
use super::story::{Fate, Listener, Story, Violation};
use super::strangers::{Strangers, forger};
use super::tricksters::Trickster;
use super::watch::{Cause, Watch};
use crate::dispatch::{Flags, Sets};
use crate::probe::Prober;
use crate::proxy::{Outbox, ShardId, Verdict};
use crate::rng::Rng;
use crate::time::Timestamp;
use rand::RngExt as _;

/// Steps at one point in time after which the world is said not to come to rest.
const MOST_STEPS_AT_ONCE: u32 = 100_000;

/// Who is next.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Agenda,
    Shard(ShardId),
    Prober,
    Peers,
    Rogues,
    Trickster,
}

/// A seeded world.
#[derive(Debug)]
pub struct World {
    pub(super) config: SimConfig,
    pub(super) now: Timestamp,
    pub(super) agenda: Agenda,
    pub(super) network: Network,
    pub(super) plane: Plane,
    pub(super) peers: Peers,
    pub(super) rogues: Rogues,
    pub(super) strangers: Strangers,
    pub(super) trickster: Trickster,
    pub(super) checks: Checks,
    pub(super) story: Story,
    pub(super) report: Report,
    roster: Roster,
    pub(super) watch: Watch,
    out: Outbox,
    wires: Vec<Wire>,
    rng: Rng,
    steps_at_once: u32,
}

impl World {
    /// The world of a configuration, before anything has happened.
    pub fn new(config: SimConfig) -> Self {
        let mut rng = Rng::from_seed(config.seed);
        let addresses = gateway_addresses(&config);
        let roster = Roster::new(&addresses, config.maxload, &mut rng);
        let sets = Arc::new(Sets::build(roster.entries(), None, roster.version));
        let plane = Plane::new(&config, sets, &mut rng);
        let network = Network::new(rng.next(), config.weather);
        let mut peers = Peers::new(&config, &addresses, &mut rng);
        peers.add_callers(&config);
        let rogues = Rogues::new(&config, &mut rng);
        let tricky = addresses
            .last()
            .copied()
            .filter(|_| config.faults.tricksters);
        let trickster = Trickster::new(tricky, &mut rng);
        let strangers = Strangers::new(config.faults, &mut rng);
        let is_kept = config.algorithm == 10 && !config.faults.tight_limits;
        let may_be_full = config.maxload > 0;
        let ledger = Ledger::new(is_kept, may_be_full, config.expire, config.initexpire);
        let mut watch = Watch::new(config.relay, &config.listeners, &addresses, ledger);
        watch.licence.forgets = config.faults.tight_limits;
        watch.licence.forgets_soon = config.expire < Duration::from_secs(32);
        watch.licence.wait = config.wait;
        // A shard forgets within a second, unless it stands still.
        watch.licence.lateness = Duration::from_secs(if config.faults.pauses { 3 } else { 1 });
        watch.licence.tries = tries(&config);
        watch.licence.contacts_spoilt = config.faults.vandals;
        watch.licence.memories_lost = config.faults.tricksters;
        let mut checks = Checks::default();
        checks.published(&plane);
        let mut agenda = Agenda::default();
        faults::plan(&config, &mut agenda, &mut rng);
        agenda.add(Timestamp::ZERO, Event::Expire);
        Self {
            now: Timestamp::ZERO,
            agenda,
            network,
            plane,
            peers,
            rogues,
            strangers,
            trickster,
            checks,
            story: Story::new(),
            report: Report::default(),
            roster,
            watch,
            out: Outbox::new(),
            wires: Vec::new(),
            rng,
            steps_at_once: 0,
            config,
        }
    }

    /// Tells every line of the story to `listener` as it happens.
    pub fn listen(&mut self, listener: Listener) {
        self.story.listen(listener);
    }

    /// Lets everything happen: the time of faults, the healing, the quiet after it, calls that must
    /// all succeed, and quiet again.
    pub fn run(mut self) -> Result<Report, Box<Failure>> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.live()));
        let violation = match outcome {
            Ok(Ok(())) => return Ok(self.finish()),
            Ok(Err(violation)) => violation,
            Err(panic) => Violation::new(8, format!("a panic: {}", panic_text(&*panic))),
        };
        Err(Box::new(Failure {
            seed: self.config.seed,
            at: self.now,
            ladder: self.story.ladder(violation.call_id.as_deref()),
            config: self.config,
            violation,
        }))
    }

    /// Steps until nothing is due before or at `end`.
    pub(super) fn run_until(&mut self, end: Timestamp) -> Result<(), Violation> {
        while let Some((at, turn)) = self.next_turn()
            && at <= end
        {
            if at > self.now {
                self.now = at;
                self.steps_at_once = 0;
            }
            self.steps_at_once += 1;
            if self.steps_at_once > MOST_STEPS_AT_ONCE {
                let what = format!("{turn:?} does not come to rest");
                return Err(Violation::new(6, what));
            }
            self.report.steps += 1;
            self.step(turn)?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Who is next, and when. At one time, what arrives comes before timers.
    fn next_turn(&self) -> Option<(Timestamp, Turn)> {
        let mut next: Option<(Timestamp, Turn)> = None;
        let mut offer = |at: Option<Timestamp>, turn| {
            if let Some(at) = at
                && next.is_none_or(|(earliest, _)| at < earliest)
            {
                next = Some((at, turn));
            }
        };
        offer(self.agenda.next_at(), Turn::Agenda);
        for seat in &self.plane.seats {
            offer(seat.deadline(), Turn::Shard(seat.shard.id()));
        }
        let prober = self.plane.prober.as_ref();
        offer(prober.and_then(Prober::next_deadline), Turn::Prober);
        offer(self.peers.next_deadline(), Turn::Peers);
        offer(self.rogues.next_deadline(), Turn::Rogues);
        offer(self.trickster.next_deadline(), Turn::Trickster);
        next
    }

    fn step(&mut self, turn: Turn) -> Result<(), Violation> {
        match turn {
            Turn::Agenda => match self.agenda.pop() {
                Some(event) => return self.happen(event),
                None => return Ok(()),
            },
            Turn::Shard(shard) => {
                let seat = &mut self.plane.seats[usize::from(shard)];
                seat.shard.tick(self.now, &mut self.out);
                return self.proxy_sent(Cause::Itself);
            }
            Turn::Prober => {
                if let Some(prober) = &mut self.plane.prober {
                    prober.tick(self.now, &mut self.out);
                }
                return self.proxy_sent(Cause::Itself);
            }
            Turn::Peers => self.peers.tick(self.now, &mut self.wires),
            Turn::Rogues => self.rogues.tick(self.now, &mut self.wires),
            Turn::Trickster => self.trickster.tick(self.now, &mut self.wires),
        }
        self.peers_sent();
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Arrive(wire) => self.arrive(wire),
            Event::HandOver(shard, wire) => {
                if self.is_paused(shard) {
                    self.wait_for(shard, |wire| Event::HandOver(shard, wire), wire);
                    return Ok(());
                }
                self.plane.seats[usize::from(shard)].in_ring -= 1;
                self.read(shard, wire, true)
            }
            Event::Undeliverable(shard, to, sent) => self.undeliverable(shard, to, &sent),
            Event::Publish(shard, sets) => {
                let seat = &mut self.plane.seats[usize::from(shard)];
                // Publications come in order: a shard never goes back to an older one.
                if sets.version() > seat.sets.version() {
                    seat.shard.publish(Arc::clone(&sets));
                    seat.sets = sets;
                }
                self.check()
            }
            Event::ProbeAnswer(answer) => {
                if let Some(prober) = &mut self.plane.prober {
                    prober.answer(self.now, answer);
                }
                self.hear_prober();
                Ok(())
            }
            Event::ProbeLost(token) => {
                if let Some(prober) = &mut self.plane.prober {
                    prober.undeliverable(self.now, token);
                }
                self.hear_prober();
                Ok(())
            }
            Event::Expire => {
                let next = self.plane.expire_slice(self.now);
                self.agenda.add(next, Event::Expire);
                Ok(())
            }
            Event::Fault(fault) => {
                self.fault(fault);
                Ok(())
            }
        }
    }

    fn is_paused(&self, shard: ShardId) -> bool {
        self.plane.seats[usize::from(shard)].paused_until > self.now
    }

    /// What comes to a shard that stands still waits in order.
    fn wait_for<T>(&mut self, shard: ShardId, event: impl FnOnce(T) -> Event, what: T) {
        let until = self.plane.seats[usize::from(shard)].paused_until;
        self.agenda.add(until, event(what));
    }

    fn arrive(&mut self, wire: Wire) -> Result<(), Violation> {
        if self.watch.is_listener(wire.to) {
            let shard = self.plane.arrives_at(wire.from, wire.to);
            if self.is_paused(shard) {
                self.wait_for(shard, Event::Arrive, wire);
                return Ok(());
            }
            return self.read(shard, wire, false);
        }
        if wire.to == self.rogues.address {
            self.rogues.receive(self.now, &wire, &mut self.wires);
            self.peers_sent();
            return Ok(());
        }
        if self.trickster.address == Some(wire.to) {
            self.trickster.receive(self.now, &wire);
            return Ok(());
        }
        match self.peers.receive(self.now, &wire, &mut self.wires) {
            Receipt::Taken => self.peers_sent(),
            Receipt::Swallowed => {}
            Receipt::Refused | Receipt::Unknown => self.refuse(&wire),
        }
        Ok(())
    }

    /// Nobody listens where a datagram went: the proxy hears of it, if it was its own.
    fn refuse(&mut self, wire: &Wire) {
        self.story.datagram(self.now, wire, Fate::Unreachable);
        if !self.watch.is_listener(wire.from) {
            return;
        }
        for at in self.network.send(self.now, wire.to, wire.from) {
            let shard = self.plane.arrives_at(wire.to, wire.from);
            // The error quotes what was sent, as a rule not the whole of it.
            let most = wire.bytes.len();
            let quoted = match self.rng.random_range(0..3_u32) {
                0 => most,
                1 => most.min(548),
                _ => self.rng.random_range(0..=most),
            };
            self.agenda.add(
                at,
                Event::Undeliverable(shard, wire.to, wire.bytes[..quoted].into()),
            );
        }
    }

    fn undeliverable(
        &mut self,
        shard: ShardId,
        to: SocketAddr,
        sent: &Arc<[u8]>,
    ) -> Result<(), Violation> {
        if self.is_paused(shard) {
            let event = |sent| Event::Undeliverable(shard, to, sent);
            self.wait_for(shard, event, Arc::clone(sent));
            return Ok(());
        }
        self.report.undeliverable += 1;
        let seat = &mut self.plane.seats[usize::from(shard)];
        let verdict = seat.shard.undeliverable(self.now, to, sent, &mut self.out);
        if let Verdict::HandOff(owner) = verdict {
            if usize::from(owner) < self.plane.seats.len() {
                let event = Event::Undeliverable(owner, to, Arc::clone(sent));
                self.agenda.add(self.now + Duration::from_micros(30), event);
            }
            return Ok(());
        }
        if self.watch.is_bounce(sent) && self.out.packets().is_empty() {
            let what = format!("nothing was done about an INVITE that did not reach {to}");
            return Err(Violation::new(8, what));
        }
        self.proxy_sent(Cause::Itself)
    }

    /// A shard reads a datagram, for itself or to hand it on.
    fn read(&mut self, shard: ShardId, wire: Wire, handed: bool) -> Result<(), Violation> {
        let Some(socket) = self.plane.socket(wire.to) else {
            return Ok(());
        };
        self.report.received += 1;
        let before = self.checks.total_active();
        let verdict = self.plane.receive(
            self.now,
            shard,
            wire.from,
            socket,
            &wire.bytes,
            &mut self.out,
        );
        if let Verdict::HandOff(owner) = verdict {
            if handed || owner == shard {
                let what = format!("shard {shard} handed on what was handed to it, to {owner}");
                return Err(Violation::new(8, what));
            }
            if !self.plane.enter_ring(owner) {
                self.story.datagram(self.now, &wire, Fate::RingFull(owner));
                return Ok(());
            }
            self.story
                .datagram(self.now, &wire, Fate::HandedOff(shard, owner));
            let delay = Duration::from_micros(self.rng.random_range(1..=2_000));
            self.agenda
                .add(self.now + delay, Event::HandOver(owner, wire));
            return Ok(());
        }
        self.story.datagram(self.now, &wire, Fate::Read(shard));
        let cause = self.watch.received(self.now, wire.from, &wire.bytes);
        let is_forged = wire.from == forger(wire.to);
        if is_forged && matches!(cause, Cause::Reply(_)) && !self.out.is_empty() {
            return Err(Violation::new(8, "a forged answer was passed on"));
        }
        self.proxy_sent(cause)?;
        self.watch.must_have_been_done()?;
        if self.watch.take_busy() {
            let seat = &self.plane.seats[usize::from(shard)];
            Checks::refusal_is_true(seat)?;
        }
        if is_forged && self.checks.total_active() < before {
            return Err(Violation::new(1, "a forged message ended a call"));
        }
        Ok(())
    }

    /// Takes what the proxy wants sent, and checks it.
    fn proxy_sent(&mut self, cause: Cause) -> Result<(), Violation> {
        let out = std::mem::take(&mut self.out);
        let mut verdict = Ok(());
        for packet in out.packets() {
            let from = self.config.listeners[usize::from(packet.socket)];
            let wire = Wire {
                from,
                to: packet.to,
                bytes: out.bytes(packet).into(),
            };
            self.report.sent += 1;
            self.story.hash(self.now, &wire);
            let checked = self.watch.sent(self.now, cause, wire.to, &wire.bytes);
            if from.is_ipv4() != wire.to.is_ipv4() {
                let what = format!("sent from {from} to {}", wire.to);
                verdict = Err(Violation::new(8, what));
            }
            verdict = verdict.and(checked);
            self.transmit(&wire, from);
        }
        let soon = self.now + Duration::from_micros(20);
        for &answer in out.probe_answers() {
            self.agenda.add(soon, Event::ProbeAnswer(answer));
        }
        for &token in out.undelivered_probes() {
            self.agenda.add(soon, Event::ProbeLost(token));
        }
        self.out = out;
        self.out.clear();
        verdict?;
        self.check()
    }

    /// Takes what callers, gateways and rogues want sent.
    fn peers_sent(&mut self) {
        for wire in std::mem::take(&mut self.wires) {
            let proxy = wire.to;
            self.transmit(&wire, proxy);
        }
    }

    /// Gives a datagram to the network, where others may overhear it. `proxy` is the end of it that
    /// is the proxy's.
    fn transmit(&mut self, wire: &Wire, proxy: SocketAddr) {
        if let Some((after, mischief)) = self.strangers.overhear(wire, proxy) {
            self.agenda.add(self.now + after, Event::Arrive(mischief));
        }
        let arrivals = self.network.send(self.now, wire.from, wire.to);
        self.story
            .datagram(self.now, wire, Fate::Sent(arrivals.len()));
        for at in arrivals {
            self.agenda.add(at, Event::Arrive(wire.clone()));
        }
    }

    fn check(&mut self) -> Result<(), Violation> {
        self.checks
            .check(self.now, &self.plane, &mut self.watch.ledger)
    }

    fn hear_prober(&mut self) {
        let Some(prober) = &mut self.plane.prober else {
            return;
        };
        for event in prober.drain_events() {
            self.report.state_changes += 1;
            let what = format!(
                "{} goes {:?} ({})",
                event.destination.uri, event.change, event.code
            );
            self.story.remark(self.now, what);
        }
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Dies(gateway, death) => {
                self.story
                    .remark(self.now, format!("gateway {gateway} dies ({death:?})"));
                self.peers.kill(gateway, death);
            }
            Fault::Returns(gateway, forgetful) => {
                let how = if forgetful {
                    "without memory"
                } else {
                    "as it was"
                };
                self.story
                    .remark(self.now, format!("gateway {gateway} returns {how}"));
                self.watch.licence.memories_lost |= forgetful;
                self.peers.revive(self.now, gateway, forgetful);
            }
            Fault::Mood(gateway, mix) => {
                self.story
                    .remark(self.now, format!("gateway {gateway} now has {mix:?}"));
                self.peers.gateways[gateway].gateway.set_mix(mix);
            }
            Fault::Pause(shard, pause) => {
                self.story.remark(
                    self.now,
                    format!("shard {shard} stands still for {pause:?}"),
                );
                let seat = &mut self.plane.seats[usize::from(shard)];
                seat.paused_until = seat.paused_until.max(self.now + pause);
            }
            Fault::Reload => {
                let what = self.roster.edit(&mut self.rng);
                self.story.remark(self.now, what);
                self.publish();
            }
            Fault::SetState(gateway, flags) => {
                let uri = self.roster.uri(gateway);
                self.story
                    .remark(self.now, format!("operator sets {uri} to {flags}"));
                self.plane.sets.set_state(SET, &uri, flags);
            }
        }
    }

    /// Loads the list; every shard hears of it in its own time.
    fn publish(&mut self) {
        let sets = Sets::build(
            self.roster.entries(),
            Some(&self.plane.sets),
            self.roster.version,
        );
        let sets = Arc::new(sets);
        self.plane.sets = Arc::clone(&sets);
        self.checks.published(&self.plane);
        if let Some(prober) = &mut self.plane.prober {
            prober.publish(&sets, self.now);
        }
        for shard in 0..self.config.shards {
            let delay = Duration::from_micros(self.rng.random_range(1..=300_000));
            let event = Event::Publish(shard, Arc::clone(&sets));
            self.agenda.add(self.now + delay, event);
        }
        self.report.reloads += 1;
    }

    /// Everything is repaired and everybody becomes reasonable.
    pub(super) fn heal(&mut self) {
        self.story.remark(self.now, "everything heals");
        self.network.set_weather(Weather::FAIR);
        self.strangers.go_home();
        self.trickster.go_home();
        self.rogues.go_home();
        self.peers.heal(self.now);
        self.roster.restore();
        self.publish();
        if self.plane.prober.is_none() {
            self.plane.sets.set_state(SET, "all", Flags(0));
        }
        for destination in self.plane.sets.destinations() {
            // What the operator has taken out, only the operator brings back.
            if destination.health().flags.has(Flags::DISABLED) {
                destination.update_health(|health| health.set(Flags(0)));
            }
        }
    }
}

/// How many gateways must have been tried before a caller hears that there is none: all, where
/// nothing but their deaths takes them away.
fn tries(config: &SimConfig) -> usize {
    let faults = &config.faults;
    let changes = config.probing || faults.reloads || faults.operator || faults.vandals;
    let changes = changes || faults.tricksters;
    let limits = config.maxload > 0 || faults.tight_limits;
    if changes || limits {
        0
    } else {
        usize::from(config.gateways).min(config.most_branches)
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
