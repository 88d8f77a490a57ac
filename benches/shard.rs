//! A whole call (INVITE, 180, 200, ACK, BYE, 200) through one shard, message by message in memory:
//! what the proxy itself costs, without sockets.
//!
//! `cargo bench --bench shard` gives times. `shard instructions MODE CALLS`, with MODE `stateless` or
//! `stateful`, only makes so many calls and ends: run it under `valgrind --tool=callgrind` with two
//! numbers of calls, and the difference of the instructions is what the calls between them cost, with
//! the texts of the two ends. MODE `texts` is these texts alone.

#[path = "support/texts.rs"]
mod texts;

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group};
use sipshard::dispatch::{Attributes, Entry, Flags, Sets};
use sipshard::proxy::{Datagram, Listener, Outbox, RelayMode, Settings, Shard};
use sipshard::time::Timestamp;
use texts::{CALLER, PROXY, address, reply};

const MESSAGES: u64 = 6;

fn sets() -> Arc<Sets> {
    let entries = (1..=4).map(|number| Entry {
        set: 1,
        uri: format!("sip:10.0.1.{number}:5060").into(),
        flags: Flags::default(),
        priority: 0,
        attributes: Attributes {
            duid: Some(format!("gw{number}").into()),
            ..Attributes::default()
        },
        address: Some(address(&format!("10.0.1.{number}:5060"))),
    });
    Arc::new(Sets::build(entries.collect(), None, 1))
}

/// The two ends of the calls, in plain text.
struct Bench {
    shard: Shard,
    out: Outbox,
    now: Timestamp,
    calls: u64,
}

impl Bench {
    fn new(relay: RelayMode) -> Self {
        let settings = Settings {
            relay,
            listeners: vec![Listener::from(address(PROXY))],
            ..Settings::default()
        };
        let now = Timestamp::from_secs(10);
        Self {
            shard: Shard::new(0, Arc::new(settings), sets(), 1, 2, now),
            out: Outbox::new(),
            now,
            calls: 0,
        }
    }

    fn receive(&mut self, source: SocketAddr, bytes: &[u8]) {
        self.out.clear();
        let datagram = Datagram {
            socket: 0,
            source,
            received: self.now,
            bytes,
        };
        black_box(self.shard.receive(self.now, datagram, &mut self.out));
    }

    /// What was sent last, to whom.
    fn last(&self) -> (SocketAddr, Vec<u8>) {
        let packet = self.out.packets().last().expect("something was sent");
        (packet.to, self.out.bytes(packet).to_vec())
    }

    fn call(&mut self) {
        self.calls += 1;
        // A call every 100 us: 10,000 a second; what lingers is then as in life.
        self.now += std::time::Duration::from_micros(100);
        self.out.clear();
        self.shard.tick(self.now, &mut self.out);
        let caller = address(CALLER);
        let id = self.calls;
        self.receive(caller, &request("INVITE", id, "", 1));
        let (gateway, invite) = self.last();
        assert!(invite.starts_with(b"INVITE "), "the call is relayed");
        self.receive(gateway, &reply(&invite, "180 Ringing"));
        self.receive(gateway, &reply(&invite, "200 OK"));
        self.receive(caller, &request("ACK", id, ";tag=b", 1));
        self.receive(caller, &request("BYE", id, ";tag=b", 2));
        let (gateway, bye) = self.last();
        self.receive(gateway, &reply(&bye, "200 OK"));
    }
}

/// What the caller sends; all goes to the proxy's own address.
fn request(method: &str, id: u64, to_tag: &str, cseq: u32) -> Vec<u8> {
    texts::request(method, id, to_tag, cseq, ("sip:service@10.0.0.1:5060", ""))
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Elements(MESSAGES));
    // The texts of the two ends are part of what is timed; this is what they cost alone.
    group.bench_function("texts alone", |bencher| {
        let mut id = 0;
        bencher.iter(|| {
            id += 1;
            both_texts(id);
        });
    });
    for (name, relay) in [
        ("stateless", RelayMode::Stateless),
        ("stateful", RelayMode::Stateful),
    ] {
        let mut bench = Bench::new(relay);
        group.bench_function(name, |bencher| bencher.iter(|| bench.call()));
    }
    group.finish();
}

/// The texts of the two ends of a call.
fn both_texts(id: u64) {
    let invite = request("INVITE", id, "", 1);
    black_box(reply(&invite, "180 Ringing"));
    black_box(reply(&invite, "200 OK"));
    black_box(request("ACK", id, ";tag=b", 1));
    let bye = request("BYE", id, ";tag=b", 2);
    black_box(reply(&bye, "200 OK"));
}

criterion_group!(benches, calls);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, command, mode, count] = arguments.as_slice() else {
        return benches();
    };
    if command != "instructions" {
        return benches();
    }
    let count = count.parse().expect("a number of calls");
    let relay = match mode.as_str() {
        "texts" => return (0..count).for_each(both_texts),
        "stateless" => RelayMode::Stateless,
        _ => RelayMode::Stateful,
    };
    let mut bench = Bench::new(relay);
    for _ in 0..count {
        bench.call();
    }
}
