//! The real SIPp as caller and as gateways: its calls, and what its message logs say.

use std::net::SocketAddr;
use std::time::Duration;

use crate::compare::{Attributes, GATEWAYS, Side, list};
use crate::ends::Received;
use crate::place::{CALLER, PROXY, Place};
use crate::process::{Process, wait_for};
use crate::server::{Server, is_bound};
use crate::transcript::{Repeats, Transcript};
use crate::wire::{header, kind};

const CALLER_SCENARIO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/side_by_side/scenarios/caller.xml"
);
const FAILING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/side_by_side/scenarios/failing.xml"
);
const GATEWAY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/side_by_side/scenarios/gateway.xml"
);

/// How many calls are made, one after another. By the hashes of their Call-IDs there are two for each of
/// three gateways.
pub const CALLS: usize = 6;

/// How long they may take together.
const LIMIT: Duration = Duration::from_secs(30);

/// A SIPp at a host.
struct Sipp {
    process: Process,
    host: u8,
    log: String,
}

impl Sipp {
    fn start(place: &Place, host: u8, scenario: &str, more: &[&str]) -> Self {
        let name = format!("sipp-{host}");
        let log = place
            .file(&format!("{name}.messages"))
            .display()
            .to_string();
        let address = place.address(host);
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut arguments = vec![
            "-sf",
            scenario,
            "-i",
            &ip,
            "-mi",
            &ip,
            "-p",
            &port,
            "-bind_local",
            "-nostdin",
            "-trace_msg",
            "-message_file",
            &log,
            "-message_overwrite",
            "false",
            "-default_behaviors",
            "none",
        ];
        arguments.extend(more);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let process = Process::start(place, &name, "sipp", &arguments);
        Self { process, host, log }
    }

    /// Datagrams that come before it reads wait in the socket.
    fn wait_until_bound(&mut self, address: SocketAddr) {
        let bound = wait_for(Duration::from_secs(20), || {
            let status = self.process.status();
            assert!(
                status.is_none(),
                "SIPp ended with {status:?}:\n{}",
                self.process.tail()
            );
            is_bound(address).then_some(())
        });
        assert!(
            bound.is_some(),
            "SIPp is not ready:\n{}",
            self.process.tail()
        );
    }

    /// What it has received for calls of the test, sorted: SIPp sends on without waiting, and several
    /// workers of a proxy may change the order.
    fn received(&self) -> Vec<Received> {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut all = Vec::<Received>::new();
        for text in received(&text) {
            let is_ours = header(&text, "Call-ID").ends_with("@ends");
            if is_ours && !all.iter().any(|one| one.text == text) {
                all.push(Received {
                    host: self.host,
                    text,
                    repeats: 0,
                });
            }
        }
        all.sort_by_cached_key(|one| {
            let (sequence, kind) = (
                header(&one.text, "CSeq").to_owned(),
                kind(&one.text).to_owned(),
            );
            (sequence, kind)
        });
        all
    }
}

/// The messages of a log that were received: each follows a line with its length.
fn received(log: &str) -> Vec<String> {
    let mut messages = Vec::new();
    for part in log.split("UDP message received [").skip(1) {
        let Some((length, rest)) = part.split_once("] bytes :\n\n") else {
            continue;
        };
        let length: usize = length.parse().expect("a number of bytes");
        // One that is being written is not complete yet.
        if let Some(message) = rest.get(..length) {
            messages.push(message.to_owned());
        }
    }
    messages
}

/// What the ends saw of each call. The gateway that is last in the list fails.
pub fn calls(side: Side<'_>, set: u32, attributes: Attributes) -> Vec<Transcript> {
    let place = Place::new();
    let list = list(&place, set, attributes);
    let server = Server::start(side.kind, &place, side.configuration, &list);
    let [first, second, last] = GATEWAYS;
    let mut ends = vec![
        Sipp::start(&place, first, GATEWAY, &[]),
        Sipp::start(&place, second, GATEWAY, &[]),
        Sipp::start(&place, last, FAILING, &[]),
    ];
    for gateway in &mut ends {
        gateway.wait_until_bound(place.address(gateway.host));
    }
    let (proxy, calls) = (place.address(PROXY).to_string(), CALLS.to_string());
    let more = [
        "-m",
        &calls,
        "-l",
        "1",
        "-r",
        "20",
        "-cid_str",
        "sipp%u@ends",
        &proxy,
    ];
    let mut caller = Sipp::start(&place, CALLER, CALLER_SCENARIO, &more);
    let status = caller.process.wait(LIMIT);
    let missed = (status != Some(0)).then(|| {
        let (said, log) = (caller.process.tail(), server.tail());
        eprintln!("--- SIPp:\n{said}\n--- {:?}:\n{log}", side.kind);
        format!("!!! SIPp ended with {status:?}")
    });
    ends.insert(0, caller);
    // The last ACK of a call that failed is on its way when the caller is done.
    wait_for(Duration::from_secs(5), || {
        let seen = ends[3].received();
        let count = |method: &str| seen.iter().filter(|one| kind(&one.text) == method).count();
        (count("ACK") >= count("INVITE")).then_some(())
    });
    let tries = ends[3].received().len();
    assert!(
        tries > 0,
        "{:?} never tried the gateway that fails",
        side.kind
    );
    let received: Vec<Received> = ends.iter().flat_map(Sipp::received).collect();
    let transcript = |number: usize| {
        let call = format!("sipp{number}@ends");
        let of_it = |one: &&Received| header(&one.text, "Call-ID") == call;
        let received: Vec<Received> = received.iter().filter(of_it).cloned().collect();
        Transcript::new(
            &call,
            Repeats::Ignored,
            &received,
            missed.clone(),
            &place.prefix(),
        )
    };
    (1..=CALLS).map(transcript).collect()
}

#[test]
fn messages_of_a_log_are_cut_by_their_length() {
    let log = "---- time\nUDP message received [10] bytes :\n\nBYE x\r\n\r\nY\n\n---- time\nUDP message sent [3] bytes :\n\nabc\n";
    assert_eq!(received(log), ["BYE x\r\n\r\nY"]);
}
