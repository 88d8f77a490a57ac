//! UDP sockets as the plane wants them, and what a wildcard listen address stands for.
//!
//! Owns: the socket options. May touch: sockets, the list of interfaces.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{abi, sys};
use crate::proxy::Listener;

/// The sizes of a socket's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Receive buffer in bytes. Best effort: without the right to force it the system's limit
    /// (`net.core.rmem_max`) holds.
    pub receive_buffer_bytes: usize,
    /// Send buffer in bytes, likewise (`net.core.wmem_max`).
    pub send_buffer_bytes: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            receive_buffer_bytes: 4 * 1024 * 1024,
            send_buffer_bytes: 4 * 1024 * 1024,
        }
    }
}

/// A UDP socket of its own for `address` (port 0: a free one), non-blocking, with receive stamps, an
/// error queue and a count of overflows. An IPv6 socket carries IPv6 only.
pub fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<UdpSocket> {
    let socket = open(address, options)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// `count` sockets that share `address` (`SO_REUSEPORT`); the kernel spreads the senders over them.
/// Their order is the order of their indexes in the kernel's group.
///
/// The first is bound as one that does not share, so that a port which another process has is an
/// error even if that process would share it, and port 0 finds one that is really free.
pub fn bind_group(
    address: SocketAddr,
    count: usize,
    options: SocketOptions,
) -> io::Result<Vec<UdpSocket>> {
    let first = open(address, options)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let first = UdpSocket::from(first);
    let bound = first.local_addr()?;
    let mut group = vec![first];
    while group.len() < count {
        let socket = open(bound, options)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        group.push(socket.into());
    }
    Ok(group)
}

fn open(address: SocketAddr, options: SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        sys::set_option(socket.as_fd(), libc::SOL_IPV6, libc::IPV6_RECVERR, 1)?;
    } else {
        sys::set_option(socket.as_fd(), libc::SOL_IP, libc::IP_RECVERR, 1)?;
        // Large SIP messages are fragmented on the way where they must be, as the peers have it;
        // otherwise the first one to a path with a small MTU would be lost.
        let (name, value) = (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT);
        sys::set_option(socket.as_fd(), libc::SOL_IP, name, value)?;
    }
    sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    size_buffer(
        &socket,
        options.receive_buffer_bytes,
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
    );
    size_buffer(
        &socket,
        options.send_buffer_bytes,
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    );
    Ok(socket)
}

/// Best effort: forced if the process may, else up to the system's limit.
fn size_buffer(socket: &Socket, bytes: usize, (force, ask): (i32, i32)) {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    let set = |name| sys::set_option(socket.as_fd(), libc::SOL_SOCKET, name, bytes);
    if set(force).is_err()
        && let Err(error) = set(ask)
    {
        tracing::warn!(%error, bytes, "cannot size a socket buffer");
    }
}

/// The size that the kernel gave a socket's receive buffer, as it was asked for (the kernel doubles
/// it for its own needs); 0 if it does not say.
pub(super) fn receive_buffer_bytes(socket: &UdpSocket) -> usize {
    SockRef::from(socket).recv_buffer_size().unwrap_or(0) / 2
}

/// Replaces each wildcard address (`0.0.0.0`, `[::]`) by the addresses of all interfaces that are up,
/// with its port: a SIP proxy must know under which address it is spoken to. Link-local addresses are
/// left out, since no Via can name them. The first mention of an address keeps its place.
pub fn expand(listeners: &[Listener]) -> io::Result<Vec<Listener>> {
    let wild = listeners
        .iter()
        .any(|listener| listener.address.ip().is_unspecified());
    let interfaces = if wild {
        sys::interface_addresses()?
    } else {
        Vec::new()
    };
    Ok(expand_over(listeners, &interfaces))
}

fn expand_over(listeners: &[Listener], interfaces: &[SocketAddr]) -> Vec<Listener> {
    let mut expanded: Vec<Listener> = Vec::new();
    let mut add = |address: SocketAddr, of: &Listener| {
        // Port 0 twice means two ports.
        if address.port() == 0 || !expanded.iter().any(|one| one.address == address) {
            expanded.push(Listener {
                address,
                ..of.clone()
            });
        }
    };
    for listener in listeners {
        let address = listener.address;
        if !address.ip().is_unspecified() {
            add(address, listener);
            continue;
        }
        for interface in interfaces {
            let ip = interface.ip();
            if ip.is_ipv4() == address.is_ipv4() && !abi::is_link_local(ip) {
                add(SocketAddr::new(ip, address.port()), listener);
            }
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn listeners(texts: &[&str]) -> Vec<Listener> {
        addresses(texts).into_iter().map(Listener::from).collect()
    }

    #[test]
    fn a_wildcard_stands_for_each_interface_of_its_family() {
        let interfaces = addresses(&[
            "127.0.0.1:0",
            "192.0.2.2:0",
            "169.254.7.7:0",
            "[::1]:0",
            "[fe80::1]:0",
        ]);
        assert_eq!(
            expand_over(&listeners(&["192.0.2.2:5060", "0.0.0.0:5060"]), &interfaces),
            listeners(&["192.0.2.2:5060", "127.0.0.1:5060"])
        );
        assert_eq!(
            expand_over(&listeners(&["[::]:5070"]), &interfaces),
            listeners(&["[::1]:5070"])
        );
    }

    #[test]
    fn this_machines_wildcard_holds_the_loopback_address() {
        let expanded = expand(&listeners(&["0.0.0.0:5060"])).unwrap();
        assert!(expanded.contains(&listeners(&["127.0.0.1:5060"])[0]));
        let is_wild = |one: &Listener| one.address.ip().is_unspecified();
        assert!(!expanded.iter().any(is_wild));
    }

    #[test]
    fn what_a_wildcard_stands_for_has_its_name() {
        let mut named = listeners(&["192.0.2.2:5060", "0.0.0.0:5060"]);
        named[1].name = Some("all".into());
        let expanded = expand_over(&named, &addresses(&["127.0.0.1:0", "192.0.2.2:0"]));
        let names: Vec<_> = expanded.iter().map(|one| one.name.as_deref()).collect();
        assert_eq!(names, [None, Some("all")]);
    }

    #[test]
    fn a_group_shares_one_port_that_nobody_else_gets() {
        let options = SocketOptions::default();
        let group = bind_group("127.0.0.1:0".parse().unwrap(), 3, options).unwrap();
        let bound = group[0].local_addr().unwrap();
        assert_ne!(bound.port(), 0);
        assert!(
            group
                .iter()
                .all(|socket| socket.local_addr().unwrap() == bound)
        );
        // A second program that would share is told that the address is taken.
        let error = bind_group(bound, 1, options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn both_families_listen_on_one_port_without_a_quarrel() {
        let options = SocketOptions::default();
        let v6 = bind("[::]:0".parse().unwrap(), options).unwrap();
        let port = v6.local_addr().unwrap().port();
        // Would fail if the IPv6 socket took IPv4 too.
        let _v4 = bind(SocketAddr::new([127, 0, 0, 1].into(), port), options).unwrap();
    }
}
