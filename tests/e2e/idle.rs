//! What it costs when nobody calls.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Options, Place, Server};

/// How long it is watched.
const WATCH: Duration = Duration::from_secs(4);
/// How often all its threads together may wake in a second.
const MOST_WAKES: f64 = 10.0;

/// How often the threads of a process have waited for something so far.
fn waits(process: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("a running process");
    let of_thread = |task: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(task.expect("a thread").path().join("status"));
        let status = status.expect("a running thread");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let count = line.and_then(|count| count.trim().parse::<u64>().ok());
        count.expect("the kernel counts them")
    };
    tasks.map(of_thread).sum()
}

/// Keepalives and the expiry of calls go on, by the shards' own clocks or by a thread for it.
#[test]
fn an_idle_instance_sleeps() {
    for timer_mode in ["ds_timer_mode=0", "ds_timer_mode=1"] {
        let place = Place::new();
        let options = Options::new(place.address(1), 4).parameter(timer_mode);
        let server = Server::start(
            &place,
            &options,
            &["1 sip:127.0.0.1:9 0 0 duid=a".to_owned()],
        );
        let (began, before) = (Instant::now(), waits(server.process.id()));
        thread::sleep(WATCH);
        let (after, took) = (waits(server.process.id()), began.elapsed());
        let wakes = (after - before) as f64 / took.as_secs_f64();
        assert!(wakes <= MOST_WAKES, "{timer_mode}: {wakes} wakes a second");
        assert!(wakes > 0.0, "{timer_mode}: nothing was seen of its threads");
    }
}
