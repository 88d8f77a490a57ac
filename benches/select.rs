//! What it costs to choose, by algorithm and by the number of destinations.
//!
//! `cargo bench --bench select` gives times. `select instructions ALGORITHM COUNT TURNS` only chooses so
//! many times and ends: run it under `valgrind --tool=callgrind` with two numbers of turns, and the
//! difference of the instructions is what the turns between them cost, whatever else the machine does.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group};
use sipshard::dispatch::select::ALGORITHMS;
use sipshard::dispatch::{Keys, Reservation, SelectOptions, Set, Sets, list, select};
use sipshard::rng::Rng;
use sipshard::sip::{HeaderIndex, Message, scan};

const COUNTS: [usize; 5] = [2, 10, 100, 1_000, 10_000];
/// Calls that are up on each destination, on average.
const CALLS: usize = 5;

const INVITE: &[u8] = b"INVITE sip:+12125550123@example.com:5070;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK74bf9\r\nMax-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    Call-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com\r\nCSeq: 1 INVITE\r\n\
    Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"f84f1cec41e6cbe5\"\r\n\
    Contact: <sip:alice@192.0.2.9>\r\nContent-Length: 0\r\n\r\n";

fn sets(count: usize) -> Sets {
    let line = |number: usize| {
        let (a, b) = (number / 250, number % 250 + 1);
        format!("1 sip:10.0.{a}.{b} 0 9 duid=gw{number};weight=50;rweight=50\n")
    };
    let text: String = (0..count).map(line).collect();
    let list = list::parse(text.as_bytes()).expect("a good list");
    Sets::build(list.into_entries(), None, 1)
}

/// A set with calls that come and go.
struct Scene<'a> {
    set: &'a Set,
    message: Message<'a>,
    rng: Rng,
    calls: Vec<Reservation>,
}

impl<'a> Scene<'a> {
    fn new(set: &'a Set, message: Message<'a>, algorithm: u32) -> Self {
        let rng = Rng::from_seed(1);
        let mut scene = Self {
            set,
            message,
            rng,
            calls: Vec::new(),
        };
        if algorithm == 10 {
            for _ in 0..set.len() * CALLS {
                let call = scene.choose(algorithm);
                scene.calls.extend(call);
            }
        }
        scene
    }

    /// One call more; with algorithm 10 another one ends.
    fn turn(&mut self, algorithm: u32) {
        let call = self.choose(algorithm);
        if let Some(call) = call {
            let ended = (self.rng.next() % self.calls.len() as u64) as usize;
            self.calls[ended] = call;
        }
    }

    fn choose(&mut self, algorithm: u32) -> Option<Reservation> {
        let keys = Keys {
            message: Some(self.message),
            variable: Some(b"+12125550123"),
            invite: true,
            chance: self.rng.next(),
            ..Keys::default()
        };
        let selection = select(
            self.set,
            algorithm,
            black_box(&keys),
            SelectOptions::default(),
        );
        black_box(selection.expect("all are up")).reservation
    }
}

fn with_scene<T>(count: usize, algorithm: u32, act: impl FnOnce(&mut Scene<'_>) -> T) -> T {
    let mut index = HeaderIndex::new();
    let message = scan(INVITE, &mut index).expect("a good message");
    let sets = sets(count);
    let set = sets.get(1).expect("it was loaded");
    act(&mut Scene::new(set, message, algorithm))
}

fn benches(criterion: &mut Criterion) {
    for algorithm in ALGORITHMS {
        let number = algorithm.number;
        let mut group = criterion.benchmark_group(format!("select {number} ({})", algorithm.name));
        for count in COUNTS {
            group.bench_function(BenchmarkId::from_parameter(count), |bench| {
                with_scene(count, number, |scene| bench.iter(|| scene.turn(number)));
            });
        }
        group.finish();
    }
}

criterion_group!(all, benches);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|word| word == "instructions") else {
        return all();
    };
    let number = |offset: usize| -> usize {
        let word = arguments.get(at + offset);
        let number = word.and_then(|word| word.parse().ok());
        number.expect("usage: instructions ALGORITHM COUNT TURNS")
    };
    with_scene(number(2), number(1) as u32, |scene| {
        (0..number(3)).for_each(|_| scene.turn(number(1) as u32));
    });
}
