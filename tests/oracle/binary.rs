//! sipshard as the operator has it: the program itself, with gateways that it sends to, asked the same
//! as Kamailio. What it tries, in which order, is what the gateways hear.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::generate::{Generator, plain_message, seed};
use crate::kamailio::{self, Kamailio, kamcmd};
use crate::scenario::{NONE, Options, Step, refused};
use crate::wire::{self, Request};
use crate::{OPTIONS, scenario};

const GATEWAYS: usize = 11;
/// Longer than any answer takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gateways on loopback. Each has one URI.
struct Gateways {
    sockets: Vec<(UdpSocket, String)>,
}

impl Gateways {
    fn bind() -> Self {
        let bind = |number: usize| {
            let host = if number % 5 == 4 {
                "[::1]"
            } else {
                "127.0.0.1"
            };
            let socket = UdpSocket::bind(format!("{host}:0")).expect("a free port");
            socket.set_nonblocking(true).expect("possible");
            let address = socket.local_addr().expect("bound");
            let uri = match number % 4 {
                0 => format!("sip:gw{number}@{address}"),
                1 => format!("sip:{address};transport=udp"),
                _ => format!("sip:{address}"),
            };
            (socket, uri)
        };
        Self {
            sockets: (0..GATEWAYS).map(bind).collect(),
        }
    }

    /// A list of sets 1 to `sets` over them; some lines are there twice.
    fn list(&self, generator: &mut Generator, sets: i32, attributes: &str) -> String {
        let mut list = String::new();
        for set in 1..=sets {
            let count = generator.pick(&[1, 2, 3, 3, 4, 5, 6, 8]);
            for number in 0..count {
                let (_, uri) = &self.sockets[generator.below(GATEWAYS as u64) as usize];
                let flags = generator.pick(&[0, 0, 0, 0, 0, 8, 2, 1, 4]);
                let priority = generator.pick(&[0, 0, 0, 1, 5, 100]);
                let weight = generator.pick(&[0, 10, 20, 50]);
                let latency = generator.pick(&[1, 7, 30, 200, 3_000]);
                let attributes = attributes
                    .replace("{n}", &number.to_string())
                    .replace("{w}", &weight.to_string())
                    .replace("{l}", &latency.to_string());
                writeln!(list, "{set} {uri} {flags} {priority} {attributes}").expect("in memory");
            }
        }
        list
    }

    /// A request that one of them has heard, and which.
    fn hear(&self) -> Option<(usize, Request)> {
        let mut heard = self.sockets.iter().enumerate();
        heard.find_map(|(place, (socket, _))| Some((place, Request::receive(socket)?)))
    }
}

/// A running sipshard.
struct Sipshard<'a> {
    process: Child,
    directory: TempDir,
    gateways: &'a Gateways,
    caller: UdpSocket,
    address: SocketAddr,
    set: i32,
    branch: u64,
}

impl<'a> Sipshard<'a> {
    fn start(
        gateways: &'a Gateways,
        list: &str,
        set: i32,
        algorithm: u32,
        more: &[String],
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("dispatcher.list"), list).expect("written");
        let (set_text, algorithm) = (set.to_string(), algorithm.to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sipshard"));
        command
            .current_dir(directory.path())
            .args(["run", "--list", "dispatcher.list", "--ctl", "ctl"])
            .args(["--workers", "1", "--set", &set_text, "--alg", &algorithm])
            .args(["--listen", "127.0.0.1:0", "--listen", "[::1]:0"])
            .args(["-P", "ds_compat=1", "-P", "ds_ping_timeout_ms=9000"])
            // Only answers move a request on, and nothing is sent twice.
            .args(["-P", "t1_ms=20000", "-P", "failover_timeout_ms=600000"])
            .stderr(Stdio::piped());
        for parameter in more {
            command.args(["-P", parameter]);
        }
        let mut process = command.spawn().expect("sipshard starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            writeln!(said, "{line}").expect("in memory");
            let (_, rest) = line.split_once("ready: udp:")?;
            rest.split(' ').next()?.parse().ok()
        });
        let Some(address) = ready else {
            panic!("sipshard ended before it was ready:\n{said}");
        };
        // It must never wait for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let caller = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        caller.set_nonblocking(true).expect("possible");
        Self {
            process,
            directory,
            gateways,
            caller,
            address,
            set,
            branch: 0,
        }
    }

    /// Sends a request. The `taken`-th gateway that hears it takes it (0: none does), the others refuse.
    /// Returns whom it reached, in order, and the answer's code.
    fn ask(&mut self, message: &[u8], taken: usize) -> (Vec<usize>, u16) {
        self.branch += 1;
        let branch = format!("z9hG4bKoracle{}", self.branch);
        let from = self.caller.local_addr().expect("bound");
        let via = format!("Via: SIP/2.0/UDP {from};branch={branch}\r\n");
        let whole = wire::insert_after_first_line(message, &via);
        self.caller.send_to(&whole, self.address).expect("sent");
        let begun = Instant::now();
        let mut tried = Vec::new();
        while begun.elapsed() < PATIENCE {
            let mut buffer = [0; 4096];
            if let Some((place, request)) = self.gateways.hear() {
                if !request.is("ACK") {
                    tried.push(place);
                    let code = if tried.len() == taken { 200 } else { 503 };
                    request.answer(&self.gateways.sockets[place].0, code);
                }
            } else if let Ok(length) = self.caller.recv(&mut buffer) {
                if let Some(code) = wire::final_answer(&buffer[..length], &branch) {
                    return (tried, code);
                }
            } else {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        panic!("no final answer to {}", message.escape_ascii());
    }

    /// The same as a text.
    fn tried(&mut self, message: &[u8], taken: usize) -> String {
        let (tried, code) = self.ask(message, taken);
        let uris = tried
            .into_iter()
            .map(|place| self.gateways.sockets[place].1.as_str());
        let text = uris.collect::<Vec<_>>().join(",");
        match code {
            // The message has no key for the algorithm, or nobody is active.
            400 | 503 if text.is_empty() => NONE.to_owned(),
            // RFC 3261 16.7: a 503 goes on as a 500.
            200 | 500 => text,
            other => format!("{text} answer {other}"),
        }
    }

    fn step(&mut self, step: &Step, theirs: &str) -> String {
        match step {
            Step::Select { message, .. } => self.tried(message, 0),
            Step::Call { call_id, .. } => {
                let invite = plain_message("INVITE", call_id);
                // The last that Kamailio would have tried takes the call.
                let taken = theirs.split(',').count();
                self.tried(&invite, taken)
            }
            Step::HangUp { call_id } => {
                let bye = plain_message("BYE", call_id);
                let bye = String::from_utf8(bye).expect("text");
                let bye = bye.replacen("To: <sip:bob@example.com>", "To: <sip:b@h>;tag=gw", 1);
                self.ask(bye.as_bytes(), 1);
                String::new()
            }
            Step::State { set, state, target } => {
                self.kamcmd(&["dispatcher.set_state", state, &set.to_string(), target]);
                kamailio::states(&self.kamcmd(&["dispatcher.list"]), *set)
            }
        }
    }

    fn kamcmd(&self, arguments: &[&str]) -> String {
        kamcmd(&self.directory.path().join("ctl"), arguments)
    }

    fn states(&self) -> String {
        kamailio::states(&self.kamcmd(&["dispatcher.list"]), self.set)
    }
}

impl Drop for Sipshard<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parameters(options: Options, most_branches: u32) -> Vec<String> {
    vec![
        format!("use_default={}", u32::from(options.use_default)),
        format!("flags={}", 2 + u32::from(options.user_only)),
        format!("max_branches={most_branches}"),
        "ds_ping_interval=0".to_owned(),
    ]
}

/// Runs the steps, all of one set and algorithm, on both.
fn assert_same(
    gateways: &Gateways,
    options: Options,
    list: &str,
    (set, algorithm, limit): (i32, u32, u32),
    steps: &[Step],
) {
    let theirs = Kamailio::start(options, list).run(steps);
    let most_branches = if limit == 0 { 31 } else { limit };
    let parameters = parameters(options, most_branches);
    let mut program = Sipshard::start(gateways, list, set, algorithm, &parameters);
    let pairs = steps.iter().zip(&theirs);
    let ours: Vec<_> = pairs
        .map(|(step, theirs)| program.step(step, theirs))
        .collect();
    let differences = scenario::differences(steps, &ours, &theirs);
    assert!(
        differences.is_empty(),
        "seed {}, {options:?}, list:\n{list}{}",
        seed(),
        differences.join("\n")
    );
}

/// Messages and commands for one set.
fn steps(
    generator: &mut Generator,
    list: &str,
    (set, algorithm, limit): (i32, u32, u32),
) -> Vec<Step> {
    let mut steps = Vec::new();
    let messages = generator.messages(20);
    // docs/compatibility.md: what is no sound request is refused, wherever it would go.
    let sound = messages.into_iter().filter(|message| !refused(message));
    for message in sound.take(12) {
        steps.push(Step::Select {
            set,
            algorithm,
            limit,
            message,
        });
        if generator.one_in(4) {
            let state = generator.state(list);
            if matches!(&state, Step::State { set: of, .. } if *of == set) {
                steps.push(state);
            }
        }
    }
    steps
}

#[test]
fn the_program_sends_every_message_where_kamailio_sends_it() {
    if !kamailio::is_installed() {
        return;
    }
    let gateways = Gateways::bind();
    for (number, options) in OPTIONS.into_iter().enumerate() {
        let mut generator = Generator::new(seed() ^ 0x100 ^ number as u64);
        for algorithm in [0, 1, 2, 3, 4, 5, 8, 13] {
            if algorithm == 13 && options.use_default {
                // docs/compatibility.md has it.
                continue;
            }
            let attributes = "duid=d{n};latency={l}";
            let list = gateways.list(&mut generator, 2, attributes);
            for set in 1..=2 {
                let way = (set, algorithm, generator.pick(&[0, 0, 2]));
                let steps = steps(&mut generator, &list, way);
                assert_same(&gateways, options, &list, way, &steps);
            }
        }
    }
}

#[test]
fn the_program_counts_calls_where_kamailio_counts_them() {
    if !kamailio::is_installed() {
        return;
    }
    let gateways = Gateways::bind();
    let [options, ..] = OPTIONS;
    for number in 0..4 {
        let mut generator = Generator::new(seed() ^ 0x200 ^ number);
        let list = gateways.list(&mut generator, 1, "duid=d{n};maxload={w}");
        // Weights of 10 and more would never be reached.
        let list = list
            .replace("maxload=10", "maxload=1")
            .replace("maxload=20", "maxload=2");
        let way = (1, 10, 0);
        let mut steps = Vec::new();
        while steps.len() < 60 {
            let step = generator.call(&list);
            let is_of_other_set = matches!(&step, Step::Call { set, .. } if *set != 1);
            if is_of_other_set {
                generator.forget_call();
                continue;
            }
            steps.push(step);
            if generator.one_in(6) {
                steps.push(generator.state(&list));
            }
        }
        assert_same(&gateways, options, &list, way, &steps);
    }
}

/// How often each is the first to hear of so many messages.
fn counts(outcomes: impl IntoIterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

#[test]
fn the_program_shares_as_kamailio_does() {
    if !kamailio::is_installed() {
        return;
    }
    let gateways = Gateways::bind();
    let mut generator = Generator::new(seed() ^ 0x300);
    let message = plain_message("OPTIONS", "x");
    for (algorithm, turns) in [(9, 100), (11, 100), (6, 300)] {
        for options in [OPTIONS[0], OPTIONS[1]] {
            let list = gateways.list(&mut generator, 1, "duid=d{n};weight={w};rweight={w}");
            let step = Step::Select {
                set: 1,
                algorithm,
                limit: 1,
                message: message.clone(),
            };
            let theirs = Kamailio::start(options, &list).run(&vec![step; turns]);
            let theirs = counts(theirs);
            let parameters = parameters(options, 1);
            let mut program = Sipshard::start(&gateways, &list, 1, algorithm, &parameters);
            let ours = counts((0..turns).map(|_| program.tried(&message, 1)));
            if algorithm != 6 {
                assert_eq!(ours, theirs, "seed {}, {options:?}:\n{list}", seed());
                continue;
            }
            assert!(
                ours.keys().eq(theirs.keys()),
                "{ours:?}, {theirs:?}:\n{list}"
            );
            for (uri, count) in &ours {
                // Five times the deviation of the difference of two such counts.
                assert!(
                    count.abs_diff(theirs[uri]) < 62,
                    "{ours:?}, {theirs:?}:\n{list}"
                );
            }
        }
    }
}

/// What each gateway answers to the keepalives of one of the two, one after the other; the last goes on
/// for ever.
type Scripts = Vec<Vec<u16>>;

/// Whether no keepalive can change these states any more: who is still probed has heard the end of its
/// script as often as thresholds can ask for, and nobody asks the others.
fn is_through(mode: u32, heard: &[usize], letters: &str) -> bool {
    // The first of the set is the last line.
    letters.split(' ').rev().zip(heard).all(|(one, heard)| {
        let is_probed = match mode {
            1 => !one.starts_with('D'),
            2 => one.starts_with("IP"),
            _ => one[1..].starts_with('P'),
        };
        !is_probed || *heard >= 5 + 3
    })
}

/// For the program and for Kamailio.
fn parameters_of_keepalives(mode: u32, down: u32, up: u32) -> (Vec<String>, String) {
    let common = [
        ("ds_ping_interval", "1".to_owned()),
        ("ds_probing_mode", mode.to_string()),
        ("ds_probing_threshold", down.to_string()),
        ("ds_inactive_threshold", up.to_string()),
    ];
    let mut theirs = String::new();
    let codes = "class=4;code=503";
    for (name, value) in &common {
        writeln!(theirs, "modparam(\"dispatcher\", \"{name}\", {value})").expect("in memory");
    }
    let name = "ds_ping_reply_codes";
    writeln!(theirs, "modparam(\"dispatcher\", \"{name}\", \"{codes}\")").expect("in memory");
    let mut ours: Vec<_> = common.map(|(name, value)| format!("{name}={value}")).into();
    ours.push(format!("ds_ping_reply_codes={codes}"));
    (ours, theirs)
}

/// Answers keepalives by the scripts until both hold the same states and every script of a destination
/// that is still probed is through.
fn keepalives(mode: u32, down: u32, up: u32) {
    let gateways = Gateways::bind();
    let mut generator = Generator::new(seed() ^ 0x400 ^ u64::from(mode));
    let mut list = String::new();
    for (_, uri) in &gateways.sockets {
        let flags = generator.pick(&[0, 8, 8, 9, 9, 1, 4, 2, 10]);
        writeln!(list, "1 {uri} {flags}").expect("in memory");
    }
    let script = |_| -> Vec<u16> {
        let begin = (0..4).map(|_| generator.pick(&[200, 200, 500, 486, 503, 603]));
        let begin: Vec<_> = begin.collect();
        let end = generator.pick(&[200, 500]);
        begin.into_iter().chain([end]).collect()
    };
    let scripts: Scripts = (0..GATEWAYS).map(script).collect();
    let (ours, theirs) = parameters_of_keepalives(mode, down, up);
    let kamailio = Kamailio::start_with(OPTIONS[0], &list, &theirs);
    let program = Sipshard::start(&gateways, &list, 1, 4, &ours);
    let mut heard = [vec![0; GATEWAYS], vec![0; GATEWAYS]];
    let begun = Instant::now();
    let mut looked = Instant::now();
    loop {
        if let Some((place, request)) = gateways.hear() {
            // Both sockets of Kamailio have one port.
            let side = usize::from(request.from.port() == kamailio.port());
            let script = &scripts[place];
            let code = script[heard[side][place].min(script.len() - 1)];
            heard[side][place] += 1;
            request.answer(&gateways.sockets[place].0, code);
            continue;
        }
        std::thread::sleep(Duration::from_millis(1));
        if looked.elapsed() < Duration::from_millis(300) {
            continue;
        }
        looked = Instant::now();
        let (ours, theirs) = (program.states(), kamailio.states(1));
        if is_through(mode, &heard[0], &ours) && is_through(mode, &heard[1], &theirs) {
            assert_eq!(
                ours,
                theirs,
                "seed {}, mode {mode}:\n{list}{scripts:?}",
                seed()
            );
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "mode {mode}: {ours}, {theirs}, {heard:?}"
        );
    }
}

#[test]
fn the_program_holds_the_states_that_kamailio_holds() {
    if !kamailio::is_installed() {
        return;
    }
    std::thread::scope(|scope| {
        for (mode, (down, up)) in [(1, 1), (3, 2), (2, 1), (2, 3)].into_iter().enumerate() {
            scope.spawn(move || keepalives(mode as u32, down, up));
        }
    });
}
