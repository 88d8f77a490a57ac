//! The sockets of a run: on which addresses and ports callers and gateways are.
//!
//! May touch: the operating system.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use anyhow::{Context as _, Result, ensure};
use sipshard::plane::{SocketOptions, socket};

use crate::options::{Options, Role};

const DEFAULT_GATEWAY_PORT: u16 = 5060;
const SOCKETS_PER_THREAD: usize = 4;
/// Some ten thousand datagrams: a third of a second at 10,000 calls a second. What is lost here is
/// the generator's fault and would look like the subject's.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// Most sockets of all callers, and of all gateways.
const MOST_SOCKETS: usize = 16_384;

/// The own addresses: those of `-i`, or the one under which the target can speak to us.
///
/// # Errors
/// If `-i` names one twice, or callers cannot use one, or there is no way to the target.
pub fn local_ips(options: &Options) -> Result<Vec<IpAddr>> {
    let named: Vec<IpAddr> = options
        .local_ip
        .iter()
        .flat_map(|item| item.0.iter().copied())
        .collect();
    let Some(first) = named.first() else {
        return Ok(vec![towards(options.target)?]);
    };
    let mut seen = BTreeSet::new();
    for ip in &named {
        ensure!(seen.insert(ip), "-i names {ip} twice");
        if !options.role.calls() {
            continue;
        }
        if let Some(target) = options.target {
            ensure!(
                target.is_ipv4() == ip.is_ipv4(),
                "-i {ip}: TARGET {target} cannot be called from an address of another family"
            );
        }
        ensure!(
            ip.is_ipv4() == first.is_ipv4(),
            "-i {ip}: callers need addresses of one family, and {first} is of another"
        );
    }
    ensure!(
        named.len() == 1 || !options.any_address,
        "--any-address goes with one address of -i, which names {}",
        named.len()
    );
    Ok(named)
}

/// The address from which a target is reached.
fn towards(target: Option<SocketAddr>) -> Result<IpAddr> {
    let Some(target) = target else {
        return Ok(Ipv4Addr::LOCALHOST.into());
    };
    let any: SocketAddr = if target.is_ipv4() {
        "0.0.0.0:0".parse()?
    } else {
        "[::]:0".parse()?
    };
    let probe = UdpSocket::bind(any).context("cannot open a UDP socket")?;
    probe
        .connect(target)
        .with_context(|| format!("no route to {target}; name the own address with -i"))?;
    Ok(probe.local_addr()?.ip())
}

fn bind(ip: IpAddr, port: u16) -> Result<UdpSocket> {
    let address = SocketAddr::new(ip, port);
    let options = SocketOptions {
        receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
        ..SocketOptions::default()
    };
    socket::bind(address, options).with_context(|| format!("cannot bind UDP {address}"))
}

/// What a socket calls itself: where it is bound, or `ip` if that is everywhere.
pub fn address_of(socket: &UdpSocket, ip: IpAddr) -> Result<SocketAddr> {
    let mut address = socket.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(ip);
    }
    Ok(address)
}

/// A socket on each of the ports of each address, in the order of the ports: whoever takes them in turn
/// has another address each time.
fn bind_all(ips: &[IpAddr], ports: &[u16]) -> Result<Vec<UdpSocket>> {
    let number = ips.len() * ports.len();
    ensure!(
        number <= MOST_SOCKETS,
        "{} addresses with {} ports each are {number} sockets: at most {MOST_SOCKETS} are possible",
        ips.len(),
        ports.len()
    );
    let places = ports
        .iter()
        .flat_map(|port| ips.iter().map(|ip| (*ip, *port)));
    places.map(|(ip, port)| bind(ip, port)).collect()
}

/// Ports from `first` on; free ones if it is 0.
fn consecutive(first: u16, number: usize) -> Result<Vec<u16>> {
    if first == 0 {
        return Ok(vec![0; number]);
    }
    let last = u16::try_from(usize::from(first) + number - 1);
    let last = last
        .with_context(|| format!("{number} ports from {first} on: there are none above 65535"))?;
    Ok((first..=last).collect())
}

/// The sockets of the gateways.
///
/// # Errors
/// If options contradict each other, or a port is not free.
pub fn bind_gateways(options: &Options, ips: &[IpAddr], threads: usize) -> Result<Vec<UdpSocket>> {
    if !options.role.answers() {
        ensure!(options.ports.is_none(), "--ports is for gateways");
        ensure!(!options.any_address, "--any-address is for gateways");
        return Ok(Vec::new());
    }
    let everywhere: &[IpAddr] = match ips {
        _ if !options.any_address => ips,
        [IpAddr::V6(_), ..] => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        _ => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let first = match (options.role, options.port.as_slice()) {
        (Role::Uas, []) => DEFAULT_GATEWAY_PORT,
        (_, []) => 0,
        (_, [first]) => *first,
        (_, list) => {
            ensure!(
                options
                    .ports
                    .is_none_or(|ports| usize::from(ports) == list.len()),
                "-p names {} ports, --ports says {}",
                list.len(),
                options.ports.unwrap_or_default()
            );
            return bind_all(everywhere, list);
        }
    };
    // A script that waits for calls has one port, as in SIPp, if nothing else is said.
    let serves = options
        .scenario
        .program
        .as_ref()
        .is_some_and(|program| !program.calls);
    let default = if options.port.is_empty() && !serves {
        threads.div_ceil(ips.len())
    } else {
        1
    };
    let number = options.ports.map_or(default, usize::from);
    bind_all(everywhere, &consecutive(first, number)?)
}

/// The sockets of the callers.
///
/// # Errors
/// If options contradict each other, or a port is not free.
pub fn bind_callers(options: &Options, ips: &[IpAddr], threads: usize) -> Result<Vec<UdpSocket>> {
    if !options.role.calls() {
        return Ok(Vec::new());
    }
    // Each thread has a socket at least; if nothing is said, each thread has the same number.
    let least = threads.div_ceil(ips.len());
    let number = match options.sockets {
        Some(number) => usize::from(number).max(least),
        None => even(
            (threads * SOCKETS_PER_THREAD).div_ceil(ips.len()),
            ips.len(),
            threads,
        ),
    };
    let first = match (options.role, options.port.as_slice()) {
        (Role::Uac, [first]) => *first,
        (Role::Uac, [_, ..]) => anyhow::bail!("with --role uac, -p names the first port only"),
        _ => 0,
    };
    bind_all(ips, &consecutive(first, number)?)
}

/// The least number of ports from `least` on with which the sockets of all addresses can be shared out evenly.
fn even(least: usize, addresses: usize, threads: usize) -> usize {
    (least..least + threads)
        .find(|ports| (ports * addresses).is_multiple_of(threads))
        .unwrap_or(least)
}
