//! What a call costs while a million others are up: resident memory, and time in the shard against
//! that with a thousand up.
//!
//! `cargo bench --bench million_calls` prints a table; `-- 200000` does it with fewer calls.
//!
//! Each line is a process of its own with two shards, without sockets: one with few calls up and one
//! with many. Both set up and end calls at the same rate, 1,000 a second of virtual time, and always
//! end the oldest call, which has been out of the processor's caches for long. They take turns, so
//! that what else goes on in the machine slows both: the growth is the middle one of the ratios of
//! neighbouring turns, the times are those that a quarter of the turns kept below.

#[path = "../tests/support/world.rs"]
mod world;

use std::env;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use sipshard::proxy::RelayMode;
use world::{BATCH_INTERVAL, Watch, World};

const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
const BATCH: u64 = 64;
/// Batches in a turn, and turns that each shard gets.
const TURN: u64 = 64;
const TURNS: usize = 41;

/// Time spent in the shard.
#[derive(Default)]
struct Stopwatch(Duration);

impl Watch for Stopwatch {
    fn during(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.0 += start.elapsed();
    }
}

/// A shard with calls up, from the oldest to the newest.
struct Load {
    world: World<Stopwatch>,
    oldest: u64,
    newest: u64,
}

impl Load {
    fn new(relay: RelayMode, hash_size: u32) -> Self {
        Self {
            world: World::new(Stopwatch::default(), relay, hash_size, true),
            oldest: 0,
            newest: 0,
        }
    }

    fn begin(&mut self) {
        self.world.set_up(self.newest..self.newest + BATCH);
        self.newest += BATCH;
    }

    fn end(&mut self) {
        self.world.tear_down(self.oldest..self.oldest + BATCH);
        self.oldest += BATCH;
    }

    fn pass_time(&mut self) {
        self.world.wait(BATCH_INTERVAL);
    }

    fn fill(&mut self, calls: u64) {
        while self.newest - self.oldest < calls {
            self.begin();
            self.pass_time();
        }
    }

    /// Nanoseconds for a call, from its INVITE to the answer to its BYE.
    fn turn(&mut self) -> f64 {
        self.world.watch.0 = Duration::ZERO;
        for _ in 0..TURN {
            self.begin();
            self.end();
            self.pass_time();
        }
        self.world.watch.0.as_nanos() as f64 / (TURN * BATCH) as f64
    }

    /// How long a round over all slots takes.
    fn expiry_round(&mut self) -> Duration {
        self.world.watch.0 = Duration::ZERO;
        self.world.expire();
        self.pass_time();
        self.world.watch.0
    }
}

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match &arguments[..] {
        [] => table(MANY),
        [calls] => table(calls.parse().expect("a number of calls")),
        [relay, hash_size, calls] => line(
            relay,
            hash_size.parse().expect("a ds_hash_size"),
            calls.parse().expect("a number of calls"),
        ),
        _ => panic!("one argument at most: the number of calls"),
    }
}

fn table(calls: u64) {
    println!("{calls} calls up; resident memory counted from an empty shard of the same kind");
    println!(
        "relaying   ds_hash_size  bytes a call  us a call at {FEW}  at {calls}  growth  expiry round"
    );
    let this = env::current_exe().expect("the path of this program");
    for relay in ["stateless", "stateful"] {
        for hash_size in ["16", "8"] {
            let status = Command::new(&this)
                .args([relay, hash_size, &calls.to_string()])
                .status()
                .expect("this program runs");
            assert!(status.success(), "{relay} {hash_size}: {status}");
        }
    }
}

fn line(relay: &str, hash_size: u32, calls: u64) {
    let mode = match relay {
        "stateless" => RelayMode::Stateless,
        _ => RelayMode::Stateful,
    };
    // What the surroundings need is resident before anything is counted.
    let mut few = Load::new(mode, hash_size);
    few.fill(FEW);
    for _ in 0..TURN {
        few.turn();
    }
    let mut many = Load::new(mode, hash_size);
    let before = resident_bytes();
    many.fill(calls);
    // Transactions have ended by then, their memory is kept for the next.
    many.world.wait(Duration::from_secs(40));
    let bytes = resident_bytes().saturating_sub(before) as f64 / calls as f64;
    assert_eq!(u64::from(many.world.counted()), many.newest - many.oldest);
    for _ in 0..TURN / 8 {
        many.turn();
    }
    let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (few.turn(), many.turn())).collect();
    let at_few = quantile(0.25, turns.iter().map(|turn| turn.0));
    let at_many = quantile(0.25, turns.iter().map(|turn| turn.1));
    let growth = quantile(0.5, turns.iter().map(|turn| turn.1 / turn.0));
    let round = many.expiry_round();
    println!(
        "{relay:<10} {hash_size:>12}  {bytes:>12.0}  {:>17.2}  {:>10.2}  {:>6.2}  {round:>10.1?}",
        at_few / 1e3,
        at_many / 1e3,
        growth
    );
}

fn quantile(part: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * part) as usize]
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a line of the resident set");
    let kilobytes = line.trim().trim_end_matches(" kB").trim();
    kilobytes.parse::<u64>().expect("a number of kilobytes") * 1024
}
