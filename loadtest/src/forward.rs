//! The bare forwarder: what moving datagrams costs if nothing is done with them.
//!
//! Owns: its sockets and a thread for each. May touch: the operating system. It is the yardstick for the CPU
//! time of a message: one blocking `recvfrom` and one `sendto` for each datagram, no event loop, no batch.
//! A request goes to the target. An answer goes to the address in its first Via, which is the caller's own,
//! since a bare forwarder adds none. Callers must ask for answers to the address that their requests came
//! from (`--rport`), or the other side would answer past the forwarder.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, Protocol, Socket, Type};

use crate::cpu;
use crate::options::Options;
use crate::plan::sockets;
use crate::screen;

/// How long a thread without traffic sleeps before it looks whether it shall stop.
const GLANCE: Duration = Duration::from_millis(100);
const BUFFER_BYTES: usize = 65_536;
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
const DEFAULT_SIP_PORT: u16 = 5060;

/// What was forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Datagrams sent to the target.
    pub requests: u64,
    /// Datagrams sent back to callers.
    pub answers: u64,
    /// Answers without an address in their first Via.
    pub lost: u64,
    /// Datagrams that the system did not take.
    pub unsent: u64,
}

/// A forwarder at work.
#[derive(Debug)]
pub struct Forwarder {
    addresses: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Forwarded>>,
}

impl Forwarder {
    /// Starts one thread for each of the ports.
    ///
    /// # Errors
    /// If a port is taken or a thread cannot be started.
    pub fn start(ip: IpAddr, ports: &[u16], target: SocketAddr) -> Result<Self> {
        let sockets: Vec<UdpSocket> = ports
            .iter()
            .map(|port| {
                let address = SocketAddr::new(ip, *port);
                bind(address).with_context(|| format!("cannot bind UDP {address}"))
            })
            .collect::<Result<_>>()?;
        let addresses = sockets.iter().map(UdpSocket::local_addr);
        let addresses = addresses.collect::<io::Result<_>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = sockets
            .into_iter()
            .map(|socket| {
                let stop = stop.clone();
                thread::Builder::new()
                    .name("sipload-forward".to_owned())
                    .spawn(move || forward(&socket, target, &stop))
                    .context("cannot start a thread")
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            addresses,
            stop,
            threads,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends it; returns what it did.
    pub fn finish(self) -> Forwarded {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Forwarded::default();
        for done in self.threads.into_iter().filter_map(|one| one.join().ok()) {
            sum.requests += done.requests;
            sum.answers += done.answers;
            sum.lost += done.lost;
            sum.unsent += done.unsent;
        }
        sum
    }
}

/// Forwards until `--duration` is over or a signal comes; prints what was done.
///
/// # Errors
/// Without a target, or if the system does not give what is needed.
pub fn run(options: &Options) -> Result<()> {
    let target = options
        .target
        .context("--role forward needs a TARGET: where requests go")?;
    let ips = sockets::local_ips(options)?;
    let [ip] = ips[..] else {
        bail!("--role forward takes one address by -i, not {}", ips.len());
    };
    let ports = match options.port.as_slice() {
        [first] => {
            let last = first.checked_add(options.ports.unwrap_or(1) - 1);
            let last = last.context("there are no ports above 65535")?;
            (*first..=last).collect()
        }
        [] => vec![DEFAULT_SIP_PORT],
        list => list.to_vec(),
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let (begin, cpu_before) = (Instant::now(), cpu::time());
    let forwarder = Forwarder::start(ip, &ports, target)?;
    if !options.quiet {
        for address in forwarder.addresses() {
            eprintln!("forwarder {address} to {target}");
        }
    }
    let is_over = || options.duration.is_some_and(|most| begin.elapsed() >= most);
    while signals.pending().next().is_none() && !is_over() {
        thread::sleep(GLANCE);
    }
    let done = forwarder.finish();
    print!(
        "{}",
        table(
            &done,
            begin.elapsed(),
            cpu::time().saturating_sub(cpu_before)
        )
    );
    Ok(())
}

fn table(done: &Forwarded, elapsed: Duration, cpu: Duration) -> String {
    let messages = done.requests + done.answers;
    let each = cpu.as_secs_f64() * 1e6 / messages.max(1) as f64;
    let rows = [
        ("Elapsed Time", format!("{:.3} s", elapsed.as_secs_f64())),
        ("Requests forwarded", done.requests.to_string()),
        ("Answers forwarded", done.answers.to_string()),
        ("Answers without address", done.lost.to_string()),
        ("Not sent for an error", done.unsent.to_string()),
        (
            "CPU time",
            format!("{:.3} s, {each:.3} us a message", cpu.as_secs_f64()),
        ),
    ];
    let mut out = String::new();
    let rows = rows.map(|(name, value)| (name.to_owned(), value));
    screen::print_rows(&mut out, &rows.to_vec());
    out
}

/// A plain blocking socket: none of the stamps and error queues that the other roles ask for.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_read_timeout(Some(GLANCE))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn forward(socket: &UdpSocket, target: SocketAddr, stop: &AtomicBool) -> Forwarded {
    let mut done = Forwarded::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    while !stop.load(Ordering::Relaxed) {
        // A timeout is a glance at `stop`; an ICMP answer to something sent is the sender's business.
        let Ok((length, _)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let datagram = &buffer[..length];
        let is_answer = datagram.starts_with(b"SIP/2.0");
        let to = if is_answer {
            return_address(datagram)
        } else {
            Some(target)
        };
        let Some(to) = to else {
            done.lost += 1;
            continue;
        };
        match socket.send_to(datagram, to) {
            Ok(_) if is_answer => done.answers += 1,
            Ok(_) => done.requests += 1,
            Err(_) => done.unsent += 1,
        }
    }
    done
}

/// The address in the first Via of a message.
fn return_address(datagram: &[u8]) -> Option<SocketAddr> {
    let line = datagram
        .split(|byte| *byte == b'\n')
        .skip(1)
        .take_while(|line| !line.trim_ascii().is_empty())
        .find_map(|line| {
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
            let name = name.trim_ascii_end();
            let is_via = name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v");
            is_via.then_some(&value[1..])
        })?;
    let line = std::str::from_utf8(line).ok()?.trim_start();
    let (_protocol, sent_by) = line.split_once(|c: char| c.is_ascii_whitespace())?;
    let end = sent_by.find([';', ',', '\r', ' ']).unwrap_or(sent_by.len());
    let sent_by = &sent_by[..end];
    sent_by.parse().ok().or_else(|| {
        let host = sent_by.trim_matches(['[', ']']);
        Some(SocketAddr::new(host.parse().ok()?, DEFAULT_SIP_PORT))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_in(lines: &str) -> Option<SocketAddr> {
        return_address(
            format!("SIP/2.0 200 OK\r\n{lines}\r\n\r\nVia: SIP/2.0/UDP 9.9.9.9").as_bytes(),
        )
    }

    #[test]
    fn answers_go_to_the_first_via() {
        for (lines, address) in [
            ("Via: SIP/2.0/UDP 192.0.2.1:7000;branch=x", "192.0.2.1:7000"),
            ("To: x\r\nv: SIP/2.0/UDP 192.0.2.1", "192.0.2.1:5060"),
            (
                "VIA : SIP/2.0/UDP [::1]:7;rport\r\nVia: SIP/2.0/UDP 1.1.1.1",
                "[::1]:7",
            ),
            ("Via: SIP/2.0/UDP [::1]", "[::1]:5060"),
        ] {
            assert_eq!(address_in(lines), Some(address.parse().unwrap()), "{lines}");
        }
    }

    #[test]
    fn broken_answers_go_nowhere() {
        for lines in [
            "To: x",
            "Via: SIP/2.0/UDP",
            "Via: SIP/2.0/UDP a.example",
            "Via",
        ] {
            assert_eq!(address_in(lines), None, "{lines}");
        }
        assert_eq!(return_address(b"\xff\xff"), None);
    }
}
