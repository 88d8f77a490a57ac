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
    if seeds() == SEEDS {
        everything_must_have_happened(&reports);
    }
}

/// What never happens is not tested either.
fn everything_must_have_happened(reports: &[Report]) {
    type Count = fn(&Report) -> u64;
    let counts: &[(&str, Count)] = &[
        ("steps", |it| it.steps),
        ("datagrams lost", |it| it.lost),
        ("datagrams doubled", |it| it.doubled),
        ("hand-offs", |it| it.hand_offs),
        ("full rings", |it| it.rings_full),
        ("errors of the network", |it| it.undeliverable),
        ("reloads", |it| it.reloads),
        ("changes of state", |it| it.state_changes),
        ("forged messages", |it| it.forged),
        ("spoilt messages", |it| it.spoilt),
        ("answers to rogues", |it| it.rogue_finals),
        ("calls completed", |it| it.calls.completed),
        ("calls cancelled", |it| it.calls.cancelled),
        ("calls failed", |it| it.calls.failed),
        ("calls that rang too long", |it| it.calls.ring_timeouts),
        ("calls that two gateways answered", |it| it.calls.forked),
        ("sessions changed", |it| it.calls.reinvites),
        ("calls after healing", |it| it.calls_after_healing.completed),
        ("failovers", |it| it.proxy.failovers),
        ("calls refused", |it| it.proxy.refused_calls),
        ("calls expired", |it| it.proxy.expired_calls),
        ("repeats", |it| it.proxy.repeats),
        ("stray answers", |it| it.proxy.dropped_stray_replies),
        ("garbage", |it| it.proxy.dropped_garbage),
    ];
    for (what, count) in counts {
        let sum: u64 = reports.iter().map(count).sum();
        println!("{sum:>9} {what}");
        assert!(sum > 0, "there were no {what}");
    }
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
