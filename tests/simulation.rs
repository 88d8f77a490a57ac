//! Two hundred worlds, each drawn from its seed: shards, ways of relaying, algorithms, weather,
//! faults. `SIM_SEED=n` replays one and prints all that happens; `SIM_SEEDS=a..b` runs others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sipshard::sim::{Failure, Report, SimConfig, World};

const SEEDS: std::ops::Range<u64> = 0..200;

fn run(seed: u64) -> Result<Report, Box<Failure>> {
    World::new(SimConfig::from_seed(seed)).run()
}

/// The seeds that are asked for, or the usual ones.
fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("SIM_SEEDS") else {
        return SEEDS;
    };
    let bounds = text.split_once("..");
    let range = bounds.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.expect("SIM_SEEDS is a range of numbers such as 200..1000")
}

/// Runs every seed, on all cores; the reports in order, or every failure.
fn run_all(seeds: std::ops::Range<u64>) -> Vec<Report> {
    let next = AtomicU64::new(seeds.start);
    let outcomes = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let outcome = run(seed);
                    outcomes.lock().unwrap().push((seed, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(seed, _)| *seed);
    let failures: Vec<String> = outcomes
        .iter()
        .filter_map(|(_, outcome)| outcome.as_ref().err().map(ToString::to_string))
        .collect();
    let numbers: Vec<u64> = outcomes
        .iter()
        .filter_map(|(seed, outcome)| outcome.is_err().then_some(*seed))
        .collect();
    assert!(
        failures.is_empty(),
        "{}\n{} of {} seeds failed: {numbers:?}",
        failures.join("\n\n"),
        failures.len(),
        outcomes.len(),
    );
    outcomes
        .into_iter()
        .filter_map(|(_, outcome)| outcome.ok())
        .collect()
}

#[test]
fn promises_are_kept_in_every_world() {
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let seed = seed.parse().expect("SIM_SEED is a number");
        let config = SimConfig::from_seed(seed);
        println!("{config:#?}");
        let mut world = World::new(config);
        world.listen(Box::new(|line| println!("{line}")));
        match world.run() {
            Ok(report) => println!("{report:#?}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let reports = run_all(seeds());
    let sum = |what: fn(&Report) -> u64| reports.iter().map(what).sum::<u64>();
    println!(
        "{} worlds, {} steps, {} datagrams sent, {} calls",
        reports.len(),
        sum(|it| it.steps),
        sum(|it| it.sent),
        sum(|it| it.calls.started),
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut hashes: Vec<u64> = (0..12)
        .map(|seed| {
            let seed = 1_000 + seed;
            let (first, second) = (run(seed), run(seed));
            let (first, second) = (first.expect("it runs"), second.expect("it runs"));
            assert_eq!(first.hash, second.hash, "seed {seed}");
            assert_eq!(first.steps, second.steps, "seed {seed}");
            assert_eq!(first.proxy, second.proxy, "seed {seed}");
            first.hash
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 12, "other seeds give other bytes");
}
