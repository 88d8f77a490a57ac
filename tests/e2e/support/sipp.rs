//! The real SIPp, as caller and as gateway, and what its logs say.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Place, Process, wait_until};

const GATEWAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/gateway.xml");
const CALLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/caller.xml");

/// What a scenario logged: for each kind of event the Call-IDs, with what else the line says.
#[derive(Debug, Default)]
pub struct CallLog(BTreeMap<String, BTreeMap<String, String>>);

impl CallLog {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut log = Self::default();
        // A line that is being written has no end yet.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let mut words = line.trim_end().splitn(3, ' ');
            if let (Some(event), Some(call)) = (words.next(), words.next()) {
                let rest = words.next().unwrap_or_default();
                let calls = log.0.entry(event.to_owned()).or_default();
                calls.insert(call.to_owned(), rest.to_owned());
            }
        }
        log
    }

    /// The calls with this event.
    pub fn calls(&self, event: &str) -> BTreeSet<&str> {
        self.notes(event).map(|(call, _)| call).collect()
    }

    /// The calls with this event, and what was noted with it.
    pub fn notes(&self, event: &str) -> impl Iterator<Item = (&str, &str)> {
        let calls = self.0.get(event).into_iter().flatten();
        calls.map(|(call, note)| (call.as_str(), note.as_str()))
    }
}

/// SIPp as a gateway.
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Its address.
    pub address: SocketAddr,
    log: PathBuf,
}

impl Gateway {
    /// Starts a gateway and waits until it answers. It loses `lost_percent` of what it receives and
    /// of what it sends.
    pub fn start(place: &Place, address: SocketAddr, lost_percent: u32) -> Self {
        let name = format!("gateway-{}-{}", address.ip(), address.port());
        let log = place.file(&format!("{name}.calls"));
        let mut arguments = vec!["-sf".to_owned(), GATEWAY.to_owned()];
        arguments.extend(common(address, &log, lost_percent));
        // What comes late or twice is no reason to hang up.
        arguments.extend(["-default_behaviors", "none"].map(str::to_owned));
        let mut process = start(place, &arguments, &name);
        let socket = UdpSocket::bind((address.ip(), 0)).expect("a free port");
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout above zero");
        wait_until("the gateway answers", Duration::from_secs(20), || {
            assert!(process.is_running(), "SIPp ended: {}", process.output());
            socket.send_to(&options(&socket), address).ok();
            socket.recv(&mut [0; 2048]).is_ok()
        });
        Self {
            process,
            address,
            log,
        }
    }

    /// Its line in a `dispatcher.list`.
    pub fn line(&self, duid: &str) -> String {
        format!("1 {} 0 0 duid={duid}", self.uri())
    }

    /// Its URI in the list.
    pub fn uri(&self) -> String {
        format!("sip:{}", self.address)
    }

    /// What it has seen.
    pub fn log(&self) -> CallLog {
        CallLog::read(&self.log)
    }

    /// Waits until it has seen the ACK and the BYE of each of its calls, and returns their number.
    pub fn wait_for_ack_and_bye(&self, limit: Duration) -> usize {
        wait_until("the ACK and BYE of each call", limit, || {
            let log = self.log();
            let calls = log.calls("INVITE");
            log.calls("ACK") == calls && log.calls("BYE") == calls
        });
        self.log().calls("INVITE").len()
    }
}

/// The calls that a caller makes.
#[derive(Clone, Copy)]
pub struct Load {
    /// How many.
    pub calls: usize,
    /// How many in a second.
    pub rate: u32,
    /// How long each is held.
    pub hold: Duration,
    /// How much the caller loses of what it sends, and of what it receives.
    pub lost_percent: u32,
    /// Whether it is SIPp's built-in caller, which sends ACK and BYE to the proxy without a Route,
    /// or the scenario of these tests, which follows the route set and logs.
    pub built_in: bool,
}

/// SIPp as a caller.
pub struct Caller {
    /// The process.
    pub process: Process,
    /// When it was about to be started.
    pub started: Instant,
    statistics: PathBuf,
    log: PathBuf,
}

/// How a caller fared by its own count.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Calls that came to their end.
    pub successful: usize,
    /// Calls that did not.
    pub failed: usize,
}

impl Caller {
    /// Starts calling `proxy`.
    pub fn start(place: &Place, address: SocketAddr, proxy: SocketAddr, load: &Load) -> Self {
        let name = format!("caller-{}-{}", address.ip(), address.port());
        let statistics = place.file(&format!("{name}.csv"));
        let log = place.file(&format!("{name}.calls"));
        let mut arguments = if load.built_in {
            vec!["-sn".to_owned(), "uac".to_owned()]
        } else {
            vec!["-sf".to_owned(), CALLER.to_owned()]
        };
        arguments.extend(common(address, &log, load.lost_percent));
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("-m", load.calls.to_string());
        option("-r", load.rate.to_string());
        option("-l", load.calls.to_string());
        option("-d", load.hold.as_millis().to_string());
        option("-stf", statistics.display().to_string());
        arguments.extend(["-trace_stat".to_owned(), proxy.to_string()]);
        Self {
            started: Instant::now(),
            process: start(place, &arguments, &name),
            statistics,
            log,
        }
    }

    /// Waits until all its calls are over.
    pub fn finish(&mut self, limit: Duration) -> Outcome {
        self.process.wait(limit);
        let text = fs::read_to_string(&self.statistics).expect("SIPp leaves its statistics");
        let mut lines = text.lines();
        let names = lines.next().expect("a line of names").split(';');
        let values = lines.next_back().expect("a line of figures").split(';');
        let figures: BTreeMap<&str, &str> = names.zip(values).collect();
        let figure = |name: &str| figures[name].parse().expect("a figure");
        Outcome {
            successful: figure("SuccessfulCall(C)"),
            failed: figure("FailedCall(C)"),
        }
    }

    /// What it has seen; the built-in scenario logs nothing.
    pub fn log(&self) -> CallLog {
        CallLog::read(&self.log)
    }
}

fn common(address: SocketAddr, log: &Path, lost_percent: u32) -> Vec<String> {
    let ip = address.ip().to_string();
    let port = address.port().to_string();
    let lost = lost_percent.to_string();
    let log = log.display().to_string();
    [
        "-i",
        &ip,
        "-mi",
        &ip,
        "-p",
        &port,
        "-bind_local",
        "-nostdin",
        "-lost",
        &lost,
        "-trace_logs",
        "-log_file",
        &log,
        "-trace_err",
        "-buff_size",
        "2000000",
        // With a fifth lost there and back, one request in four million is given up.
        "-max_retrans",
        "9",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn start(place: &Place, arguments: &[String], name: &str) -> Process {
    let output = format!("{name}.out");
    Process::start(OsStr::new("sipp"), arguments, place.directory(), &output)
}

fn options(socket: &UdpSocket) -> Vec<u8> {
    let us = socket.local_addr().expect("it is bound");
    format!(
        "OPTIONS sip:gateway SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK-ready\r\n\
         From: <sip:test@{us}>;tag=1\r\nTo: <sip:gateway>\r\nCall-ID: ready@{us}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
