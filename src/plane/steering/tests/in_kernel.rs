//! The programs in the kernel, on loopback: which socket of a group gets a datagram.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::*;
use crate::plane::socket::{SocketOptions, bind_group};

const PATIENCE: Duration = Duration::from_secs(10);
const SHARDS: u16 = 4;

fn ownership() -> Ownership {
    Ownership::new(0xfeed_f00d_dead_beef, 16, SHARDS)
}

fn group(address: &str) -> Vec<UdpSocket> {
    let options = SocketOptions::default();
    bind_group(address.parse().unwrap(), usize::from(SHARDS), options).unwrap()
}

/// The number of the socket that gets a datagram from a fresh port.
fn receiver(group: &[UdpSocket], datagram: &[u8]) -> u32 {
    let to = group[0].local_addr().unwrap();
    let any = SocketAddr::new(to.ip(), 0);
    let sender = UdpSocket::bind(any).unwrap();
    sender.send_to(datagram, to).unwrap();
    let give_up = Instant::now() + PATIENCE;
    let mut buffer = vec![0; 65_536];
    loop {
        for (number, socket) in (0..).zip(group) {
            if let Ok(len) = socket.recv(&mut buffer) {
                assert_eq!(&buffer[..len], datagram);
                return number;
            }
        }
        assert!(Instant::now() < give_up, "the datagram did not arrive");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Whether this rung can be had here; says aloud if not.
fn can(attached: &Result<Steering, SteeringError>) -> bool {
    if let Err(error) = attached {
        let missing = missing_capabilities();
        assert!(
            error.rung == Rung::Ebpf && !missing.is_empty(),
            "with all capabilities that it needs: {error}"
        );
        eprintln!("NOT TESTED IN THE KERNEL: {error}");
        return false;
    }
    true
}

/// Messages of every kind; each must come to its owner. 60 of each: by chance that would be one in
/// 4^60.
fn all_arrive(rung: Rung, address: &str) {
    let ownership = ownership();
    let groups = [group(address), group(address)];
    let steering = Steering::attach(SteeringChoice::Only(rung), &ownership, &groups);
    if !can(&steering) {
        return;
    }
    let steering = steering.unwrap();
    assert_eq!(steering.report().rung, rung);
    let mut sent = 0;
    for number in 0..60 {
        for (spelling, before, body) in [
            ("Call-ID: ", 0, 0),
            ("CALL-id:", 300, 0),
            ("i: ", 0, 0),
            ("I:", 500, 1_000),
            ("Call-ID: ", 20, 9_000),
            ("Call-ID: ", 20, 40_000),
            ("Call-ID: ", 1_300, 0),
        ] {
            if before > 1_000 && rung == Rung::Cbpf {
                continue;
            }
            let mut message = message(before, &format!("{spelling}{number}-4711@192.0.2.7"));
            message.resize(message.len() + body, b'v');
            let expected = owner(&ownership, &message);
            let group = &groups[number % 2];
            let got = Some(receiver(group, &message));
            assert_eq!(
                got, expected,
                "{rung} {address}: {spelling}{number}, {body}"
            );
            sent += 1;
        }
    }
    let report = steering.report();
    if rung == Rung::Ebpf {
        let counts = report.outcomes.unwrap();
        assert_eq!(counts[ebpf::Outcome::Steered as usize], sent);
        assert_eq!(counts.iter().sum::<u64>(), sent);
    } else {
        assert_eq!(report.outcomes, None);
    }
}

#[test]
fn ebpf_steers_in_the_kernel_over_ipv4() {
    all_arrive(Rung::Ebpf, "127.0.0.1:0");
}

#[test]
fn ebpf_steers_in_the_kernel_over_ipv6() {
    all_arrive(Rung::Ebpf, "[::1]:0");
}

#[test]
fn classic_bpf_steers_in_the_kernel_over_ipv4() {
    all_arrive(Rung::Cbpf, "127.0.0.1:0");
}

#[test]
fn classic_bpf_steers_in_the_kernel_over_ipv6() {
    all_arrive(Rung::Cbpf, "[::1]:0");
}

#[test]
fn a_socket_that_takes_the_place_of_a_dead_one_gets_its_share() {
    let ownership = ownership();
    let mut group = group("127.0.0.1:0");
    let to = group[0].local_addr().unwrap();
    let Ok(desk) = BpfMap::new(MapKind::PerCpuArray, ebpf::DESK_BYTES, 1) else {
        assert!(!missing_capabilities().is_empty());
        eprintln!("NOT TESTED IN THE KERNEL: no capability for eBPF");
        return;
    };
    let sockets = direct(&ownership, &desk, &group).unwrap();
    let of_one = (0..).map(|number| message(0, &format!("Call-ID: {number}")));
    let of_one = of_one.filter(|message| owner(&ownership, message) == Some(1));
    let of_one: Vec<_> = of_one.take(20).collect();
    for message in &of_one {
        assert_eq!(receiver(&group, message), 1);
    }
    drop(group.remove(1));
    for message in &of_one {
        // Whoever gets it: the others live on.
        receiver(&group, message);
    }
    let lost = count(&desk).unwrap()[ebpf::Outcome::NoSocket as usize];
    assert_eq!(lost, 20);
    let again = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::DGRAM.nonblocking(),
        None,
    )
    .unwrap();
    again.set_reuse_port(true).unwrap();
    again.bind(&to.into()).unwrap();
    group.insert(1, again.into());
    sockets.set_socket(1, group[1].as_fd()).unwrap();
    for message in &of_one {
        assert_eq!(receiver(&group, message), 1);
    }
}

#[test]
fn what_is_not_found_is_spread_by_the_kernel() {
    let ownership = ownership();
    for rung in [Rung::Ebpf, Rung::Cbpf] {
        let groups = [group("127.0.0.1:0")];
        let steering = Steering::attach(SteeringChoice::Only(rung), &ownership, &groups);
        if !can(&steering) {
            continue;
        }
        let message = message(0, "Subject: no call");
        let receivers: std::collections::BTreeSet<_> =
            (0..100).map(|_| receiver(&groups[0], &message)).collect();
        assert_eq!(receivers.len(), usize::from(SHARDS), "{rung}");
    }
}

#[test]
fn one_worker_is_not_steered_and_off_is_off() {
    let groups = [group("127.0.0.1:0")];
    let alone = Ownership::new(1, 16, 1);
    let steering = Steering::attach(SteeringChoice::Auto, &alone, &groups).unwrap();
    let report = steering.report();
    assert_eq!(report.rung, Rung::Off);
    assert_eq!(report.passed_over.len(), 1);
    let off = Steering::attach(SteeringChoice::Only(Rung::Off), &ownership(), &groups).unwrap();
    assert_eq!(off.report().rung, Rung::Off);
    assert!(off.report().passed_over.is_empty());
}

#[test]
fn too_many_slots_for_classic_bpf_are_an_error_with_the_cause() {
    let large = Ownership::new(1, 24, 257);
    let choice = SteeringChoice::Only(Rung::Cbpf);
    let error = Steering::attach(choice, &large, &[group("127.0.0.1:0")]).unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "no steering by cbpf: 257 workers times 2^24 slots are more than 2^32"
    );
}

/// Set in the process that runs in a network namespace of its own.
const IN_NAMESPACE: &str = "SIPSHARD_TEST_IN_NAMESPACE";

/// Runs a test of this file again, in a network namespace whose loopback interface has a small MTU:
/// there, datagrams of more than 1,280 bytes come in fragments, and the Call-ID in the second.
fn in_namespace(test: &str) {
    let shell = "ip link set lo up mtu 1280 && exec \"$0\" \"$@\"";
    let ours = std::env::current_exe().unwrap();
    let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let output = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", shell])
        .arg(ours)
        .args(["--exact", &name, "--nocapture"])
        .env(IN_NAMESPACE, "1")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .expect("unshare of util-linux");
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("unshare failed: Operation not permitted") {
        eprintln!("NOT TESTED WITH FRAGMENTS: {text}");
        return;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{text}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn fragments_are_steered_by_ebpf_and_by_classic_bpf() {
    if std::env::var_os(IN_NAMESPACE).is_none() {
        return in_namespace("fragments_are_steered_by_ebpf_and_by_classic_bpf");
    }
    for rung in [Rung::Ebpf, Rung::Cbpf] {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            all_arrive(rung, address);
        }
    }
}
