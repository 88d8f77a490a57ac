//! Planes on loopback, with callers and gateways that are plain sockets.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::dispatch::{Sets, list};
use crate::probe::{ProbeSettings, ProbingMode};
use crate::proxy::{CallLoadSettings, Listener, Settings};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must come; loopback and an idle machine need milliseconds.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < give_up, "{what}: did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn settings(shards: u16, listen: &[&str]) -> Settings {
    let mut settings = Settings {
        shards,
        ..Settings::default()
    };
    let address = |text: &&str| Listener::from(text.parse::<SocketAddr>().unwrap());
    settings.listeners = listen.iter().map(address).collect();
    // Only what the network tells makes a call move on in these tests.
    settings.failover.no_answer = Duration::from_secs(3_600);
    settings
}

fn sets(lines: &[String]) -> Arc<Sets> {
    let list = list::parse(lines.join("\n").as_bytes()).unwrap();
    let entries = list.entries.into_iter().map(|one| {
        let mut entry = one.entry;
        let ip = one.host.trim_matches(['[', ']']).parse().unwrap();
        entry.address = Some(SocketAddr::new(ip, one.port));
        entry
    });
    Arc::new(Sets::build(entries.collect(), None, 1))
}

/// Without steering: the rings are to have something to do.
fn start(settings: &Settings, sets: &Arc<Sets>) -> Plane {
    let options = PlaneOptions {
        steering: SteeringChoice::Only(Rung::Off),
        ..PlaneOptions::default()
    };
    Plane::start(settings, &options, sets).unwrap()
}

/// A caller or a gateway.
struct Party {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Party {
    fn new(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    fn receive(&self) -> (String, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (len, from) = self.socket.recv_from(&mut buffer).expect("a datagram");
        (String::from_utf8(buffer[..len].to_vec()).unwrap(), from)
    }

    fn invite(&self, call: u32, plane: SocketAddr, body: &str) {
        let own = self.address;
        let message = format!(
            "INVITE sip:bob@{plane} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bKcall{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@{own}>;tag=a{call}\r\n\
             To: <sip:bob@{plane}>\r\nCall-ID: call-{call}@test\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:alice@{own}>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send_to(message.as_bytes(), plane).unwrap();
    }

    /// Reads up to a message that begins so.
    fn receive_one(&self, start: &str) -> (String, SocketAddr) {
        loop {
            let (message, from) = self.receive();
            if message.starts_with(start) {
                return (message, from);
            }
        }
    }

    fn answer(&self, request: &str, to: SocketAddr, status: &str) {
        let mut answer = format!("SIP/2.0 {status}\r\n");
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"];
        for line in request
            .lines()
            .filter(|line| kept.iter().any(|name| line.starts_with(name)))
        {
            answer += line;
            if line.starts_with("To:") {
                answer += ";tag=g";
            }
            answer += "\r\n";
        }
        answer += "Content-Length: 0\r\n\r\n";
        self.socket.send_to(answer.as_bytes(), to).unwrap();
    }
}

fn totals(plane: &PlaneHandle) -> PlaneCounters {
    let mut totals = PlaneCounters::default();
    for snapshot in plane.snapshots(PATIENCE) {
        totals.add(&snapshot.plane);
    }
    totals
}

/// An address at which nobody listens.
fn dead_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn line(address: SocketAddr, number: u32, priority: u32) -> String {
    format!("1 sip:{address} 0 {priority} duid=gw{number};maxload=1000")
}

#[test]
fn every_message_finds_its_owner_whichever_shard_receives_it() {
    let gateway = Party::new("127.0.0.1:0");
    let sets = sets(&[line(gateway.address, 1, 0)]);
    let plane = start(&settings(4, &["127.0.0.1:0"]), &sets);
    let to = plane.addresses()[0];
    for call in 0..40 {
        // One port for each caller, so that the kernel spreads them over the shards.
        let caller = Party::new("127.0.0.1:0");
        caller.invite(call, to, "");
        let (invite, from) = gateway.receive_one("INVITE");
        assert_eq!(from, to, "it leaves by the listen address");
        // The answer comes from one port: it nearly always reaches another shard than the owner.
        gateway.answer(&invite, from, "200 OK");
        let (answer, _) = caller.receive_one("SIP/2.0 200");
        assert!(answer.contains(&format!("call-{call}@test")));
    }
    let totals = totals(&plane);
    assert_eq!(totals.received, 80);
    assert!(totals.handed_out > 10, "{totals:?}");
    assert_eq!(totals.handed_in, totals.handed_out);
    assert_eq!(
        (totals.misrouted, totals.ring_full, totals.panics),
        (0, 0, 0)
    );
    let stages = plane.stages(PATIENCE, false);
    let count = |stage, kind| stages.histogram(stage, kind).map_or(0, |times| times.len());
    for stage in [Stage::Queue, Stage::Work, Stage::Send] {
        assert_eq!(count(stage, MessageKind::Invite), 40, "{stage:?}");
        assert_eq!(count(stage, MessageKind::Success), 40, "{stage:?}");
    }
    let handed =
        [MessageKind::Invite, MessageKind::Success].map(|kind| count(Stage::HandOff, kind));
    assert_eq!(handed.iter().sum::<u64>(), totals.handed_in);
    assert_eq!(
        plane
            .stages(PATIENCE, true)
            .longest(Stage::Queue, MessageKind::Ack),
        Duration::ZERO
    );
    let anew = plane.stages(PATIENCE, false);
    assert!(anew.histogram(Stage::Queue, MessageKind::Invite).is_none());

    let snapshots = plane.snapshots(PATIENCE);
    let shards: Vec<_> = snapshots.iter().map(|one| one.shard).collect();
    assert_eq!(shards, [0, 1, 2, 3]);
    let calls: usize = snapshots.iter().map(|one| one.proxy.counted_calls).sum();
    assert_eq!(calls, 40);
}

#[test]
fn large_messages_pass_over_both_families_through_the_rings() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let gateway = Party::new(address);
        let sets = sets(&[line(gateway.address, 1, 0)]);
        let plane = start(&settings(2, &[address]), &sets);
        let body = "v=0\r\n".repeat(12_000);
        // Both shards own some of these.
        for call in 0..8 {
            let caller = Party::new(address);
            caller.invite(call, plane.addresses()[0], &body);
            let (invite, _) = gateway.receive_one("INVITE");
            assert!(invite.ends_with(&body), "call {call} over {address}");
        }
    }
}

#[test]
fn a_dead_gateway_is_given_up_on_the_networks_word() {
    let gateway = Party::new("127.0.0.1:0");
    let sets = sets(&[line(dead_address(), 1, 10), line(gateway.address, 2, 0)]);
    let mut settings = settings(2, &["127.0.0.1:0"]);
    // By priority, the dead one first.
    settings.algorithm = 8;
    let plane = start(&settings, &sets);
    for call in 0..8 {
        let caller = Party::new("127.0.0.1:0");
        caller.invite(call, plane.addresses()[0], "");
        let (invite, from) = gateway.receive_one("INVITE");
        assert!(invite.contains(&format!("call-{call}@test")));
        gateway.answer(&invite, from, "200 OK");
        caller.receive_one("SIP/2.0 200");
    }
    let totals = totals(&plane);
    assert!(totals.undelivered + totals.send_errors >= 8, "{totals:?}");
}

#[test]
fn where_datagrams_gather_all_are_read_and_the_quiet_listener_too() {
    let gateway = Party::new("127.0.0.1:0");
    let sets = sets(&[line(gateway.address, 1, 0)]);
    let options = PlaneOptions {
        // From 320 datagrams a second on.
        gather: Duration::from_millis(50),
        ..PlaneOptions::default()
    };
    let settings = settings(1, &["127.0.0.1:0", "127.0.0.1:0"]);
    let plane = Plane::start(&settings, &options, &sets).unwrap();
    let [busy, quiet] = plane.addresses()[..] else {
        panic!("two listeners");
    };
    let caller = Party::new("127.0.0.1:0");
    let mut calls = 0;
    let mut call = |listener, count: u32| {
        let numbers = calls..calls + count;
        calls += count;
        numbers
            .clone()
            .for_each(|number| caller.invite(number, listener, ""));
        let name = |number| format!("Call-ID: call-{number}@test");
        let mut missing: BTreeSet<String> = numbers.map(name).collect();
        while !missing.is_empty() {
            let (invite, from) = gateway.receive_one("INVITE");
            // Else what is sent again drowns what is sent.
            gateway.answer(&invite, from, "486 Busy Here");
            let call_id = invite.lines().find(|line| line.starts_with("Call-ID"));
            missing.remove(call_id.expect("a Call-ID"));
        }
    };
    until("a pause", || {
        call(busy, 16);
        (totals(&plane).pauses > 0).then_some(())
    });
    call(busy, 16);
    call(quiet, 1);
}

#[test]
fn a_panic_costs_one_errand_and_not_the_shard() {
    let plane = start(&settings(1, &["127.0.0.1:0"]), &Arc::default());
    let nothing = plane.ask(0, PATIENCE, |_| panic!("by this test"));
    assert_eq!(nothing, None::<()>);
    assert_eq!(plane.ask(0, PATIENCE, |shard| shard.id()), Some(0));
    assert_eq!(totals(&plane).panics, 1);
    assert_eq!(plane.ask(1, PATIENCE, |shard| shard.id()), None);
}

#[test]
fn new_sets_reach_every_shard() {
    let plane = start(&settings(2, &["127.0.0.1:0"]), &Arc::default());
    let gateway = Party::new("127.0.0.1:0");
    plane.publish(&sets(&[line(gateway.address, 1, 0)]));
    // Whoever answers has obeyed what came before.
    assert_eq!(plane.snapshots(PATIENCE).len(), 2);
    for call in 0..16 {
        Party::new("127.0.0.1:0").invite(call, plane.addresses()[0], "");
    }
    let calls: BTreeSet<_> = (0..16).map(|_| gateway.receive_one("INVITE").0).collect();
    assert_eq!(calls.len(), 16);
}

#[test]
fn each_listener_has_its_own_address_and_wildcards_are_spelled_out() {
    let plane = start(
        &settings(2, &["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"]),
        &Arc::default(),
    );
    let addresses = plane.addresses();
    assert!(addresses.len() >= 3, "{addresses:?}");
    assert_eq!(addresses[0].ip(), addresses[2].ip());
    assert_ne!(addresses[0].port(), addresses[2].port());
    assert!(
        addresses
            .iter()
            .all(|one| one.port() != 0 && !one.ip().is_unspecified())
    );
    for (number, to) in addresses[..3].iter().enumerate() {
        let caller = Party::new(if to.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        });
        caller.invite(number as u32, *to, "");
        // No gateway: refused, by the address that was asked.
        let (_, from) = caller.receive_one("SIP/2.0 503");
        assert_eq!(from, *to);
    }
}

#[test]
fn an_address_that_is_taken_is_named_with_the_cause() {
    let first = start(&settings(2, &["127.0.0.1:0"]), &Arc::default());
    let taken = first.addresses()[0];
    let settings = settings(2, &[&taken.to_string()]);
    let error = Plane::start(&settings, &PlaneOptions::default(), &Arc::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&taken.to_string()) && text.contains("in use"),
        "{text}"
    );
    drop(first);
    start(&settings, &Arc::default());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |settings: &Settings| {
        Plane::start(settings, &PlaneOptions::default(), &Arc::default()).unwrap_err()
    };
    assert!(matches!(refused(&settings(1, &[])), PlaneError::NoListener));
    assert!(matches!(
        refused(&settings(0, &["127.0.0.1:0"])),
        PlaneError::NoShard
    ));
    let mut large = settings(1, &["127.0.0.1:0"]);
    large.call_load.hash_size = 99;
    assert!(matches!(refused(&large), PlaneError::HashSize(99)));
}

#[test]
fn a_stop_lets_what_is_in_flight_finish() {
    let gateway = Party::new("127.0.0.1:0");
    let sets = sets(&[line(gateway.address, 1, 0)]);
    let plane = start(&settings(2, &["127.0.0.1:0"]), &sets);
    let caller = Party::new("127.0.0.1:0");
    caller.invite(1, plane.addresses()[0], "");
    let (invite, from) = gateway.receive_one("INVITE");
    let stopping = std::thread::spawn({
        let handle = plane.handle();
        move || handle.stop(PATIENCE)
    });
    // A new call is refused as soon as the stop has begun.
    let mut call = 2;
    until("a refusal", || {
        caller.invite(call, plane.addresses()[0], "");
        call += 1;
        let (answer, _) = caller.receive_one("SIP/2.0");
        answer.starts_with("SIP/2.0 503").then_some(())
    });
    assert!(!stopping.is_finished());
    gateway.answer(&invite, from, "200 OK");
    // Others came before the stop had begun.
    gateway.socket.set_nonblocking(true).unwrap();
    until("the end", || {
        let mut buffer = [0; 2_000];
        while let Ok((len, from)) = gateway.socket.recv_from(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..len]);
            if request.starts_with("INVITE") {
                gateway.answer(&request, from, "200 OK");
            }
        }
        stopping.is_finished().then_some(())
    });
    assert!(stopping.join().unwrap(), "everything was finished");
    caller.receive_one("SIP/2.0 200");
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let gateway = Party::new("127.0.0.1:0");
    let sets = sets(&[line(gateway.address, 1, 0)]);
    let plane = start(&settings(2, &["127.0.0.1:0"]), &sets);
    Party::new("127.0.0.1:0").invite(1, plane.addresses()[0], "");
    gateway.receive_one("INVITE");
    assert!(!plane.stop(Duration::from_millis(30)));
    assert!(
        plane.snapshots(PATIENCE).is_empty(),
        "the threads have ended"
    );
    assert!(plane.stop(PATIENCE), "nothing is left to stop");
}

fn timed(mode: TimerMode, probe: ProbeSettings) -> PlaneOptions {
    PlaneOptions {
        timer_mode: mode,
        probe: Arc::new(probe),
        ..PlaneOptions::default()
    }
}

#[test]
fn keepalives_find_out_who_lives_in_both_timer_modes() {
    for mode in [TimerMode::Shards, TimerMode::Thread] {
        let alive: Vec<_> = (0..4).map(|_| Party::new("127.0.0.1:0")).collect();
        // The living begin as inactive, the dead ones as active.
        let mut lines: Vec<_> = alive
            .iter()
            .map(|gateway| format!("1 sip:{} 1", gateway.address))
            .collect();
        lines.extend((0..4).map(|_| format!("1 sip:{} 0", dead_address())));
        let sets = sets(&lines);
        let probe = ProbeSettings {
            interval: Duration::from_millis(20),
            // Only an ICMP message can tell that one is dead.
            timeout: Duration::from_secs(3_600),
            mode: ProbingMode::All,
            ..ProbeSettings::default()
        };
        let settings = settings(2, &["127.0.0.1:0"]);
        let plane = Plane::start(&settings, &timed(mode, probe), &sets).unwrap();
        for gateway in &alive {
            let (options, from) = gateway.receive_one("OPTIONS");
            assert_eq!(from, plane.addresses()[0]);
            gateway.answer(&options, from, "200 OK");
        }
        until("all states", || {
            let states = sets.destinations().map(|one| {
                let dead = !alive
                    .iter()
                    .any(|gateway| Some(gateway.address) == one.address);
                one.health().flags.is_skipped() == dead
            });
            states.into_iter().all(|right| right).then_some(())
        });
    }
}

#[test]
fn keepalives_stop_when_they_are_told_to() {
    for mode in [TimerMode::Shards, TimerMode::Thread] {
        let gateway = Party::new("127.0.0.1:0");
        let sets = sets(&[format!("1 sip:{} 0", gateway.address)]);
        let probe = ProbeSettings {
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(10),
            mode: ProbingMode::All,
            ..ProbeSettings::default()
        };
        let settings = settings(1, &["127.0.0.1:0"]);
        let plane = Plane::start(&settings, &timed(mode, probe), &sets).unwrap();
        gateway.receive_one("OPTIONS");
        plane.set_probing(false);
        // What is under way arrives; then there is silence, for many intervals.
        let silence = Some(Duration::from_millis(300));
        gateway.socket.set_read_timeout(silence).unwrap();
        until("silence", || {
            gateway.socket.recv(&mut [0; 2_000]).is_err().then_some(())
        });
        plane.set_probing(true);
        gateway.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        gateway.receive_one("OPTIONS");
    }
}

#[test]
fn calls_expire_in_both_timer_modes() {
    for mode in [TimerMode::Shards, TimerMode::Thread] {
        let gateway = Party::new("127.0.0.1:0");
        let sets = sets(&[line(gateway.address, 1, 0)]);
        let mut settings = settings(2, &["127.0.0.1:0"]);
        settings.call_load = CallLoadSettings {
            expire: Duration::from_millis(20),
            check_interval: Duration::from_millis(50),
            ..CallLoadSettings::default()
        };
        let options = timed(mode, ProbeSettings::default());
        let plane = Plane::start(&settings, &options, &sets).unwrap();
        for call in 0..10 {
            let caller = Party::new("127.0.0.1:0");
            caller.invite(call, plane.addresses()[0], "");
            let (invite, from) = gateway.receive_one("INVITE");
            gateway.answer(&invite, from, "200 OK");
            caller.receive_one("SIP/2.0 200");
        }
        until("all calls are forgotten", || {
            let expired: u64 = plane
                .snapshots(PATIENCE)
                .iter()
                .map(|one| one.proxy.counters.expired_calls)
                .sum();
            (expired == 10).then_some(())
        });
        assert_eq!(sets.destinations().next().unwrap().active_calls(), 0);
    }
}
