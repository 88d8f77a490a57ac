//! The house rules that a compiler does not check: read from the sources themselves.
//!
//! Names are built from halves where this file would otherwise break its own rules.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that see no clock, socket, thread or chance but what they are handed.
const PURE: &[&str] = &[
    "src/sip",
    "src/dispatch",
    "src/load",
    "src/transaction",
    "src/probe",
    "src/route",
    "src/proxy",
    "src/agent",
    "src/sim",
    "src/arena.rs",
    "src/chunked.rs",
    "src/index.rs",
    "src/rng.rs",
    "src/time.rs",
];

/// What a pure room never names, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("Instant", "time is a parameter"),
    ("SystemTime", "time is a parameter"),
    ("UdpSocket", "datagrams are handed in"),
    ("TcpStream", "bytes are handed in"),
    ("UnixStream", "bytes are handed in"),
    ("std::thread", "who runs a room is the plane's business"),
    ("thread_local", "state has an owner"),
    ("static mut", "state has an owner"),
    ("OnceLock", "state has an owner"),
    ("LazyLock", "state has an owner"),
    ("Mutex", "a shard shares nothing that needs a lock"),
    ("RwLock", "a shard shares nothing that needs a lock"),
    ("rand::rng", "chance is handed in"),
    ("thread_rng", "chance is handed in"),
    ("std::fs", "files are read in source"),
    ("std::env", "settings are handed in"),
    ("std::process", "processes are the shell's business"),
    ("libc::", "the operating system belongs to the plane"),
    ("mio::", "the operating system belongs to the plane"),
    ("tokio::", "the control side has its own thread"),
    ("RandomState::new()", "hash keys are handed in"),
    ("RandomState::default()", "hash keys are handed in"),
    ("std::collections::HashMap", "its order is random"),
    ("std::collections::HashSet", "its order is random"),
    ("println!", "a room has no terminal"),
    (
        "crate::plane",
        "dependencies point from the plane to the proxy",
    ),
    (
        "crate::control",
        "dependencies point from control to the proxy",
    ),
    (
        "crate::source",
        "dependencies point from the sources of sets to dispatch",
    ),
];

/// The one file with unsafe code.
const UNSAFE: &str = "src/plane/sys.rs";

const MAX_LINES: usize = 600;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Its lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| {
            let code = line.split_once("//").map_or(line, |(code, _)| code);
            (index + 1, code)
        })
    }

    /// Whether it holds nothing but tests; these may look at what several threads do to an atomic.
    fn is_test(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "tests.rs")
    }

    fn is_in(&self, room: &str) -> bool {
        self.path.starts_with(room)
    }
}

/// Every Rust file of the project, by its path from the root.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["src", "tests", "benches", "loadtest"] {
        collect(root, &root.join(directory), &mut found);
    }
    assert!(found.len() > 30, "the sources were found");
    found
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source");
            let path = path.strip_prefix(root).expect("it lies below").to_owned();
            found.push(Source { path, text });
        }
    }
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_pure_rooms_name_no_clock_no_socket_no_thread_and_no_chance() {
    let mut faults = Vec::new();
    for source in sources() {
        if !PURE.iter().any(|room| source.is_in(room)) {
            continue;
        }
        for (line, code) in source.code() {
            for (name, why) in FORBIDDEN {
                let is_allowed = source.is_test() && *name == "std::thread";
                if code.contains(name) && !is_allowed {
                    faults.push(format!("{}:{line}: {name}: {why}", source.path.display()));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_room_that_is_called_pure_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for room in PURE {
        assert!(root.join(room).exists(), "{room}");
    }
}

#[test]
fn unsafe_code_stands_in_one_file_and_each_block_says_why_it_is_sound() {
    let word = concat!("uns", "afe");
    let reason = concat!("// SAF", "ETY:");
    let mut faults = Vec::new();
    for source in &sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (line, code) in source.code() {
            let opens = [" {", " fn ", " impl "]
                .iter()
                .any(|what| code.contains(&format!("{word}{what}")));
            if !opens {
                continue;
            }
            let place = format!("{}:{line}", source.path.display());
            if source.path != Path::new(UNSAFE) {
                faults.push(format!("{place}: {word} code belongs into {UNSAFE}"));
            }
            let before = &lines[line.saturating_sub(12)..line];
            if !before
                .iter()
                .any(|line| line.trim_start().starts_with(reason))
            {
                faults.push(format!("{place}: no {reason} before it"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let sources = sources();
    let long = sources
        .iter()
        .filter(|source| source.text.lines().count() >= MAX_LINES);
    let faults: Vec<String> = long
        .map(|source| {
            format!(
                "{}: {} lines",
                source.path.display(),
                source.text.lines().count()
            )
        })
        .collect();
    assert_none(&faults);
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let sources = sources();
    let mute = sources
        .iter()
        .filter(|source| !source.is_test() && !source.text.starts_with("//! "));
    let faults: Vec<String> = mute
        .map(|source| source.path.display().to_string())
        .collect();
    assert_none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ign", "ore"),
        concat!("allow(dead", "_code)"),
        concat!("db", "g!("),
    ];
    let mut faults = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                faults.push(format!("{}:{}: {mark}", source.path.display(), index + 1));
            }
        }
    }
    assert_none(&faults);
}
