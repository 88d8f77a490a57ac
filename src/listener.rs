//! What a process listens on: one address, and what stands for it in messages.
//!
//! Owns: nothing. May touch: nothing.

use std::net::SocketAddr;

/// The index of a listen address; every shard has one socket for each.
pub type SocketId = u16;

/// One listen address (UDP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address that the sockets are bound to: never a wildcard.
    pub address: SocketAddr,
    /// What Via and Record-Route name instead, with or without a port.
    pub advertise: Option<String>,
    /// Its name, for the attribute `sockname`, the parameter `ds_default_sockname` and routing
    /// configurations. What a wildcard stands for has the wildcard's name; of several of one name the
    /// first counts.
    pub name: Option<Box<str>>,
}

impl From<SocketAddr> for Listener {
    /// One without a name.
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            advertise: None,
            name: None,
        }
    }
}

impl Listener {
    /// What Via and Record-Route name: an address with its port.
    pub fn sent_by(&self) -> String {
        let Some(advertise) = &self.advertise else {
            return self.address.to_string();
        };
        let has_port = match advertise.rsplit_once(':') {
            Some((host, _)) => !host.contains(':') || host.ends_with(']'),
            None => false,
        };
        if has_port {
            advertise.clone()
        } else {
            format!("{advertise}:{}", self.address.port())
        }
    }

    /// Whether this is its name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// Whether its sockets may come to be bound to this address: a wildcard to any of its family, port
    /// 0 to any port.
    pub fn may_become(&self, address: SocketAddr) -> bool {
        let own = self.address;
        let is_ip = own.ip() == address.ip()
            || own.ip().is_unspecified() && own.is_ipv4() == address.is_ipv4();
        is_ip && (own.port() == 0 || own.port() == address.port())
    }

    /// The address of a socket as lists and configurations write it: `udp:IP:PORT`.
    pub fn parse_address(socket: &str) -> Option<SocketAddr> {
        socket.strip_prefix("udp:").unwrap_or(socket).parse().ok()
    }
}
