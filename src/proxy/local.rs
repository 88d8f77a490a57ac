//! Our own addresses: which URIs mean us, and by which socket a datagram leaves.

use std::net::{IpAddr, SocketAddr};

use super::settings::{Listener, SocketId};
use crate::sip::{Scheme, Uri};

/// One listen address with the texts that are put into messages.
#[derive(Debug)]
struct Local {
    address: SocketAddr,
    name: Option<Box<str>>,
    /// `127.0.0.1:5060` or `[::1]:5060`, as in a Via's sent-by.
    sent_by: Vec<u8>,
}

/// All listen addresses.
#[derive(Debug)]
pub struct Locals {
    locals: Vec<Local>,
}

impl Locals {
    /// From the settings; a [`SocketId`] is an index into `listeners`.
    pub fn new(listeners: &[Listener]) -> Self {
        let locals = listeners
            .iter()
            .map(|listener| Local {
                address: listener.address,
                name: listener.name.clone(),
                sent_by: listener.address.to_string().into_bytes(),
            })
            .collect();
        Self { locals }
    }

    /// The sent-by text of a socket.
    pub fn sent_by(&self, socket: SocketId) -> &[u8] {
        self.locals
            .get(usize::from(socket))
            .map_or(&[], |local| &local.sent_by)
    }

    /// Whether we listen on this address.
    pub fn is_ours(&self, ip: IpAddr, port: u16) -> bool {
        let address = SocketAddr::new(ip.to_canonical(), port);
        self.bound_to(address).is_some()
    }

    /// Whether a SIP URI names one of our listen addresses.
    pub fn is_our_uri(&self, uri: &Uri<'_>) -> bool {
        self.named_by(uri).is_some()
    }

    /// The socket whose listen address a SIP URI names.
    pub fn named_by(&self, uri: &Uri<'_>) -> Option<SocketId> {
        if uri.scheme != Scheme::Sip {
            return None;
        }
        let address = SocketAddr::new(uri.host_ip()?.to_canonical(), uri.port.unwrap_or(5060));
        self.bound_to(address)
    }

    /// The socket by which a datagram to `to` leaves: the one named (by which the request came in,
    /// say) if it is of the right address family, else the first that is.
    pub fn socket_for(&self, to: SocketAddr, preferred: SocketId) -> Option<SocketId> {
        let fits = |local: &Local| local.address.is_ipv4() == to.is_ipv4();
        if self.locals.get(usize::from(preferred)).is_some_and(fits) {
            return Some(preferred);
        }
        self.locals
            .iter()
            .position(fits)
            .and_then(|index| SocketId::try_from(index).ok())
    }

    /// The first socket of this name (a destination's `sockname` attribute).
    pub fn called(&self, name: &str) -> Option<SocketId> {
        self.locals
            .iter()
            .position(|local| local.name.as_deref() == Some(name))
            .and_then(|index| SocketId::try_from(index).ok())
    }

    /// The socket that is bound to exactly this address (a destination's `socket` attribute).
    pub fn bound_to(&self, address: SocketAddr) -> Option<SocketId> {
        self.locals
            .iter()
            .position(|local| local.address == address)
            .and_then(|index| SocketId::try_from(index).ok())
    }
}
