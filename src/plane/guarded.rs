//! A shard behind its panic guard, and the ways that its verdicts take.
//!
//! Owns: the shard, its outbox, its ends of the rings to the others. May touch: the others' wakers.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::PlaneCounters;
use super::command::Wish;
use super::probing::Probing;
use super::ring::{Handoff, HandoffSender, Kind, Sleeper};
use super::stages::{MessageKind, Stage, Stages, Tally};
use super::steering::Reach;
use super::steering::missed::{self, Reason};
use crate::probe::{Change, ProbeEvent};
use crate::proxy::{Datagram, Outbox, Shard, ShardId, StateChange, Verdict};
use crate::route::host::Level;
use crate::time::Timestamp;

/// Panics are logged at most this often.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// The way to another shard.
#[derive(Debug)]
pub(super) struct Peer {
    /// The ring that only this shard fills.
    pub ring: HandoffSender,
    /// How to wake its reader.
    pub sleeper: Arc<Sleeper>,
}

/// One shard, driven message by message.
#[derive(Debug)]
pub(super) struct Guarded {
    /// The shard.
    pub shard: Shard,
    /// What it wants sent.
    pub out: Outbox,
    /// The ways to the other shards, by their numbers; `None` for itself.
    pub peers: Vec<Option<Peer>>,
    /// How far the program sees that steers, if there is one.
    pub reach: Option<Reach>,
    /// Who probes.
    pub probing: Probing,
    /// What happened.
    pub counters: PlaneCounters,
    /// How long messages were on their way.
    pub stages: Stages,
    /// What was worked since something was last sent.
    pub tally: Tally,
    /// When the last panic was logged.
    pub panic_logged: Option<Timestamp>,
    /// What a script's wish to read the destinations again does.
    pub on_reload: Option<Wish>,
}

impl Guarded {
    /// A datagram from one of this shard's sockets.
    pub(super) fn arrived(&mut self, now: Timestamp, datagram: Datagram<'_>) {
        self.counters.received += 1;
        let kind = MessageKind::of(datagram.bytes);
        let waited = now.since(datagram.received);
        self.stages.record(Stage::Queue, kind, waited, 1);
        let verdict = self.guard(now, |shard, out| shard.receive(now, datagram, out));
        if let Some(Verdict::HandOff(owner)) = verdict {
            self.count_miss(datagram.bytes);
            self.hand_off(owner, &handoff(Kind::Arrived, now, datagram));
        } else {
            self.tally.add(kind);
        }
    }

    /// A datagram of ours that was not delivered: a send error, or an ICMP message to one of this
    /// shard's sockets.
    pub(super) fn undelivered(&mut self, now: Timestamp, to: SocketAddr, sent: &[u8]) {
        let verdict = self.guard(now, |shard, out| shard.undeliverable(now, to, sent, out));
        if let Some(Verdict::HandOff(owner)) = verdict {
            let message = Handoff {
                kind: Kind::Undelivered,
                socket: 0,
                address: to,
                received: now,
                read: now,
                bytes: sent,
            };
            self.hand_off(owner, &message);
        }
    }

    /// A message that another shard handed over. It is not handed on a second time: the shards agree
    /// on who owns what, so that would be a fault, and two that disagree would play with it for ever.
    pub(super) fn handed_in(&mut self, now: Timestamp, message: &Handoff<'_>) {
        self.counters.handed_in += 1;
        let &Handoff {
            socket,
            address,
            received,
            read,
            bytes,
            ..
        } = message;
        if message.kind == Kind::Arrived {
            let kind = MessageKind::of(bytes);
            self.stages.record(Stage::HandOff, kind, now.since(read), 1);
            self.tally.add(kind);
        }
        let verdict = self.guard(now, |shard, out| match message.kind {
            Kind::Arrived => {
                let datagram = Datagram {
                    socket,
                    source: address,
                    received,
                    bytes,
                };
                shard.receive(now, datagram, out)
            }
            Kind::Undelivered => shard.undeliverable(now, address, bytes, out),
        });
        if let Some(Verdict::HandOff(_)) = verdict {
            self.counters.misrouted += 1;
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.shard.next_deadline().is_some_and(|at| at <= now) {
            self.guard(now, |shard, out| shard.tick(now, out));
        }
        self.probing.tick(now, &mut self.out);
    }

    /// Runs the event routes for destinations that this shard's keepalives found up or down.
    pub(super) fn tell_changes(&mut self, now: Timestamp) {
        for event in self.probing.take_changes() {
            let change = state_change(&event);
            self.changed(now, &change);
        }
    }

    /// Runs the event route for a destination that went up or down.
    pub(super) fn changed(&mut self, now: Timestamp, change: &StateChange) {
        self.guard(now, |shard, out| shard.on_state_change(now, change, out));
    }

    /// Does what scripts asked for besides sending.
    pub(super) fn hear_scripts(&mut self, now: Timestamp, sent: &Outbox) {
        for (level, line) in sent.log_lines() {
            write_line(level, line);
        }
        if sent.lost_lines() > 0 {
            let lines = sent.lost_lines();
            tracing::warn!(lines, "lines of the script were too many and are lost");
        }
        for change in sent.changes() {
            self.changed(now, change);
        }
        if sent.wants_reload()
            && let Some(wish) = &self.on_reload
        {
            wish.ask();
        }
    }

    /// When [`Guarded::tick`] is next needed.
    pub(super) fn next_deadline(&self) -> Timestamp {
        let shard = self.shard.next_deadline().unwrap_or(Timestamp::FAR);
        shard.min(self.probing.next_deadline())
    }

    /// Lets `work` at the shard; `None` if it panicked. What it had put into the outbox until then
    /// stays there, whole packets all of them.
    pub(super) fn guard<R>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Shard, &mut Outbox) -> R,
    ) -> Option<R> {
        let (shard, out) = (&mut self.shard, &mut self.out);
        let result = catch_unwind(AssertUnwindSafe(|| work(shard, out)));
        if result.is_err() {
            self.count_panic(now);
        }
        result.ok()
    }

    /// Counts a panic that was caught, and logs it unless one was just logged.
    #[cold]
    pub(super) fn count_panic(&mut self, now: Timestamp) {
        self.counters.panics += 1;
        if self
            .panic_logged
            .is_none_or(|at| now.since(at) >= LOG_PAUSE)
        {
            self.panic_logged = Some(now);
            let (shard, panics) = (self.shard.id(), self.counters.panics);
            tracing::error!(shard, panics, "a panic cost one message");
        }
    }

    /// Notes why a message was not steered to its owner.
    fn count_miss(&mut self, message: &[u8]) {
        let Some(reach) = self.reach else {
            return;
        };
        let counters = &mut self.counters;
        *match missed::reason(reach, message) {
            Reason::OutOfReach => &mut counters.missed_out_of_reach,
            Reason::TooLong => &mut counters.missed_too_long,
            Reason::Other => &mut counters.missed_other,
        } += 1;
    }

    fn hand_off(&mut self, owner: ShardId, message: &Handoff<'_>) {
        let Some(Some(peer)) = self.peers.get_mut(usize::from(owner)) else {
            self.counters.misrouted += 1;
            return;
        };
        if peer.ring.push(message) {
            self.counters.handed_out += 1;
            self.counters.wakes += u64::from(peer.sleeper.notify());
        } else {
            self.counters.ring_full += 1;
        }
    }
}

/// What event routes are told of a keepalive's result.
pub(super) fn state_change(event: &ProbeEvent) -> StateChange {
    StateChange {
        destination: Arc::clone(&event.destination),
        is_up: event.change == Change::Up,
        code: event.code,
        // 408 stands for no answer, 500 for a keepalive that could not be sent.
        is_answer: !matches!(event.code, 408 | 500),
    }
}

/// Writes a line of a script, at its level.
fn write_line(level: Level, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    match level {
        Level::Alert | Level::Bug | Level::Critical | Level::Error => tracing::error!("{text}"),
        Level::Warning => tracing::warn!("{text}"),
        Level::Notice | Level::Info => tracing::info!("{text}"),
        Level::Debug => tracing::debug!("{text}"),
    }
}

fn handoff(kind: Kind, read: Timestamp, datagram: Datagram<'_>) -> Handoff<'_> {
    Handoff {
        kind,
        socket: datagram.socket,
        address: datagram.source,
        received: datagram.received,
        read,
        bytes: datagram.bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Ownership;
    use crate::plane::ring::{HandoffReceiver, ring};
    use crate::proxy::Settings;

    const SECRET: u64 = 9;

    /// Shard 0 of two, whose ring to the other takes `ring_bytes`.
    fn shard_of_two(ring_bytes: usize) -> (Guarded, HandoffReceiver, mio::Poll) {
        let poll = mio::Poll::new().unwrap();
        let sleeper = Arc::new(Sleeper::new(&poll, mio::Token(0)).unwrap());
        let (sender, receiver) = ring(ring_bytes);
        let settings = Arc::new(Settings {
            shards: 2,
            ..Settings::default()
        });
        let guarded = Guarded {
            shard: Shard::new(0, settings, Arc::default(), SECRET, 1, Timestamp::ZERO),
            out: Outbox::new(),
            peers: vec![
                None,
                Some(Peer {
                    ring: sender,
                    sleeper,
                }),
            ],
            reach: None,
            probing: Probing::There(crossbeam::channel::bounded(1).0),
            counters: PlaneCounters::default(),
            stages: Stages::new(),
            tally: Tally::default(),
            panic_logged: None,
            on_reload: None,
        };
        (guarded, receiver, poll)
    }

    /// A request whose Call-ID shard 1 owns.
    fn foreign_request() -> Vec<u8> {
        let ownership = Ownership::new(SECRET, Settings::default().call_load.hash_size, 2);
        let mut ids = (0..).map(|number| format!("call-{number}"));
        let id = ids.find(|id| ownership.owner(id.as_bytes()) == 1).unwrap();
        format!("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: {id}\r\n\r\n").into_bytes()
    }

    fn datagram(bytes: &[u8]) -> Datagram<'_> {
        Datagram {
            socket: 3,
            source: "192.0.2.1:5060".parse().unwrap(),
            received: Timestamp::from_nanos(77),
            bytes,
        }
    }

    #[test]
    fn a_foreign_message_reaches_its_owner_as_it_came() {
        let (mut guarded, mut receiver, _poll) = shard_of_two(1_000);
        let request = foreign_request();
        guarded.arrived(Timestamp::ZERO, datagram(&request));
        let expected = handoff(Kind::Arrived, Timestamp::ZERO, datagram(&request));
        assert_eq!(receiver.pop(|got| got == expected), Some(true));
        assert_eq!(guarded.counters.handed_out, 1);
    }

    #[test]
    fn a_miss_of_steering_is_counted_with_its_reason() {
        let (mut guarded, _receiver, _poll) = shard_of_two(1_000);
        let request = foreign_request();
        for (scanned_bytes, call_id_bytes) in [(10, 100), (2_000, 1), (2_000, 100)] {
            guarded.reach = Some(Reach {
                scanned_bytes,
                call_id_bytes,
            });
            guarded.arrived(Timestamp::ZERO, datagram(&request));
        }
        let counters = guarded.counters;
        let missed = [
            counters.missed_out_of_reach,
            counters.missed_too_long,
            counters.missed_other,
        ];
        assert_eq!(missed, [1, 1, 1]);
    }

    #[test]
    fn a_full_ring_costs_the_message_and_is_counted() {
        let (mut guarded, mut receiver, _poll) = shard_of_two(200);
        let request = foreign_request();
        for _ in 0..10 {
            guarded.arrived(Timestamp::ZERO, datagram(&request));
        }
        let mut arrived = 0;
        while receiver.pop(|_| ()).is_some() {
            arrived += 1;
        }
        assert!(arrived > 0);
        assert_eq!(guarded.counters.handed_out, arrived);
        assert_eq!(guarded.counters.ring_full, 10 - arrived);
    }

    #[test]
    fn a_message_is_not_handed_on_twice() {
        let (mut guarded, mut receiver, _poll) = shard_of_two(1_000);
        let request = foreign_request();
        let message = handoff(Kind::Arrived, Timestamp::ZERO, datagram(&request));
        guarded.handed_in(Timestamp::ZERO, &message);
        assert!(receiver.pop(|_| ()).is_none());
        assert_eq!(guarded.counters.misrouted, 1);
    }

    #[test]
    fn a_panic_is_counted_and_what_was_put_out_before_is_kept() {
        let (mut guarded, _receiver, _poll) = shard_of_two(1_000);
        let to = "192.0.2.1:5060".parse().unwrap();
        let result: Option<()> = guarded.guard(Timestamp::ZERO, |_, out| {
            out.send(0, to, |bytes| bytes.extend(b"whole"));
            out.send(0, to, |bytes| {
                bytes.extend(b"half");
                panic!("by this test")
            });
        });
        assert_eq!((result, guarded.counters.panics), (None, 1));
        let packets = guarded.out.packets();
        assert_eq!(packets.len(), 1);
        assert_eq!(guarded.out.bytes(&packets[0]), b"whole");
    }
}
