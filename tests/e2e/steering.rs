//! Steering: how many messages have to be handed over between workers.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use crate::support::{Callers, Gateways, Options, Place, Progress, Server, Turn, free_address};

const WORKERS: u16 = 4;
const PORTS: usize = 64;
const CALLS: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(30);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// util-linux takes these by number where it does not know their names: CAP_BPF, CAP_PERFMON, and
/// CAP_SYS_ADMIN, which implies both.
const WITHOUT_BPF: &str = "--bounding-set=-cap_39,-cap_38,-cap_21";

/// A figure of `sipshard.steering`.
fn figure(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().map(str::trim);
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let found = found.unwrap_or_else(|| panic!("no {name}: {text}"));
    found.parse().expect("a number")
}

/// Makes calls over 64 ports through 4 workers; all are answered. Returns what the RPC method says.
fn steered_calls(
    steering: &'static str,
    place: &Place,
    ends: [SocketAddr; 2],
    host: IpAddr,
) -> String {
    let _turn = Turn::core();
    let [proxy, gateway] = ends;
    let gateways = Gateways::start([gateway]);
    let mut options = Options::new(proxy, WORKERS);
    options.steering = steering;
    let server = Server::start(place, &options, &gateways.lines(""));
    let mut callers = Callers::new(host, PORTS, proxy, CALLS, steering);
    callers.call_all(LIMIT);
    assert_eq!(
        callers.count(Progress::Ringing),
        CALLS,
        "{:?}",
        callers.summary()
    );
    gateways.answer_all();
    callers.wait_for_answers(LIMIT);
    assert_eq!(
        callers.count(Progress::Answered),
        CALLS,
        "{:?}",
        callers.summary()
    );
    server.kamcmd.call(&["sipshard.steering"])
}

/// At most this share of the messages was handed over, in percent.
fn assert_handed_off(text: &str, most_percent: u64) {
    let (received, handed_off) = (figure(text, "RECEIVED"), figure(text, "HANDED_OFF"));
    // INVITE, 180, 200.
    assert!(received >= 3 * CALLS as u64, "{text}");
    assert!(handed_off * 100 <= received * most_percent, "{text}");
}

fn ipv4(place: &Place) -> ([SocketAddr; 2], IpAddr) {
    ([place.address(1), place.address(10)], place.host(2))
}

fn ipv6() -> ([SocketAddr; 2], IpAddr) {
    (
        [free_address(LOCALHOST6), free_address(LOCALHOST6)],
        LOCALHOST6,
    )
}

/// As root there is eBPF; else it is said aloud, and the next rung is what is tested.
fn assert_best_rung(text: &str) {
    if text.contains("RUNG: ebpf") {
        assert!(figure(text, "STEERED") >= 3 * CALLS as u64, "{text}");
        assert_handed_off(text, 1);
    } else {
        assert!(text.contains("the process has no CAP_BPF"), "{text}");
        eprintln!("EBPF WAS NOT TESTED: {text}");
        assert_handed_off(text, 3);
    }
}

#[test]
fn the_best_rung_hands_over_at_most_one_percent() {
    let place = Place::new();
    let (ends, host) = ipv4(&place);
    assert_best_rung(&steered_calls("auto", &place, ends, host));
}

#[test]
fn the_best_rung_hands_over_at_most_one_percent_over_ipv6() {
    let place = Place::new();
    let (ends, host) = ipv6();
    assert_best_rung(&steered_calls("auto", &place, ends, host));
}

#[test]
fn classic_bpf_hands_over_at_most_three_percent() {
    let place = Place::new();
    let (ends, host) = ipv4(&place);
    let text = steered_calls("cbpf", &place, ends, host);
    assert!(text.contains("RUNG: cbpf"), "{text}");
    assert_handed_off(&text, 3);
}

#[test]
fn classic_bpf_hands_over_at_most_three_percent_over_ipv6() {
    let place = Place::new();
    let (ends, host) = ipv6();
    assert_handed_off(&steered_calls("cbpf", &place, ends, host), 3);
}

#[test]
fn without_steering_most_messages_are_handed_over_and_all_calls_complete() {
    let place = Place::new();
    let (ends, host) = ipv4(&place);
    let text = steered_calls("off", &place, ends, host);
    assert!(text.contains("RUNG: off"), "{text}");
    let (received, handed_off) = (figure(&text, "RECEIVED"), figure(&text, "HANDED_OFF"));
    // Three of four, by chance.
    assert!(handed_off * 2 > received, "{text}");
}

#[test]
fn ebpf_without_the_capabilities_is_an_error_that_names_them() {
    let place = Place::new();
    std::fs::write(place.file("list"), "1 sip:127.0.0.1:9\n").expect("a file of ours");
    let listen = format!("udp:{}", place.address(1));
    let output = Command::new("setpriv")
        .args([
            WITHOUT_BPF,
            env!("CARGO_BIN_EXE_sipshard"),
            "run",
            "--workers",
            "2",
        ])
        .args([
            "--steering",
            "ebpf",
            "--list",
            "list",
            "--ctl",
            "ctl",
            "--listen",
            &listen,
        ])
        .current_dir(place.directory())
        .output()
        .expect("setpriv of util-linux");
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("setpriv:") {
        // Only root may drop capabilities; whoever is not root has none.
        eprintln!("NOT TESTED: {text}");
        return;
    }
    assert!(!output.status.success(), "{text}");
    let cause = "no steering by ebpf: cannot make a map: Operation not permitted (os error 1); \
                 the process has no CAP_BPF and no CAP_PERFMON";
    assert!(text.contains(cause), "{text}");
}
