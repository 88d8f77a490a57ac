//! Our own addresses: which URIs mean us, and by which socket a datagram leaves.

use std::net::{IpAddr, SocketAddr};

use super::settings::{Listener, SocketId};
use crate::sip::{Scheme, Uri};

/// One listen address with the texts that are put into messages.
#[derive(Debug)]
struct Local {
    address: SocketAddr,
    /// What the configuration calls it.
    name: Option<Box<str>>,
    /// `127.0.0.1:5060` or `[::1]:5060`, as in a Via's sent-by.
    sent_by: Vec<u8>,
}

/// All listen addresses.
#[derive(Debug)]
pub struct Locals {
    locals: Vec<Local>,
    /// Names of our own.
    aliases: Vec<String>,
}

impl Locals {
    /// From the settings; a [`SocketId`] is an index into `listeners`.
    pub fn new(listeners: &[Listener], aliases: &[String]) -> Self {
        let locals = listeners
            .iter()
            .map(|listener| Local {
                address: listener.address,
                name: listener.name.clone(),
                sent_by: listener.sent_by().into_bytes(),
            })
            .collect();
        Self {
            locals,
            aliases: aliases.iter().map(|alias| alias.to_lowercase()).collect(),
        }
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

impl Locals {
    /// The address of a socket.
    pub fn address(&self, socket: SocketId) -> Option<SocketAddr> {
        Some(self.locals.get(usize::from(socket))?.address)
    }

    /// The name of a socket.
    pub fn name(&self, socket: SocketId) -> Option<&[u8]> {
        let name = self.locals.get(usize::from(socket))?.name.as_deref();
        name.map(str::as_bytes)
    }

    /// The socket that a text means: `udp:10.0.0.1:5060`, `10.0.0.1`, or its name.
    pub fn find(&self, text: &[u8]) -> Option<SocketId> {
        let place = self.locals.iter().position(|local| {
            let is_name = local.name.as_deref().map(str::as_bytes) == Some(text);
            let address = text.strip_prefix(b"udp:").unwrap_or(text);
            is_name || address == local.sent_by || address == host_of(&local.sent_by)
        });
        place.and_then(|place| SocketId::try_from(place).ok())
    }

    /// Whether a URI, a host, or an address with its port is one of ours. Without a port, any is.
    pub fn is_myself(&self, text: &[u8]) -> bool {
        self.is_named(text, Uri::parse(text).ok().as_ref())
    }

    /// The same of a text that was read as a URI before, if it is one.
    pub fn is_named(&self, text: &[u8], uri: Option<&Uri<'_>>) -> bool {
        if let Some(uri) = uri
            && matches!(uri.scheme, Scheme::Sip | Scheme::Sips)
        {
            let is_ours = |ip| self.is_ours(ip, uri.port.unwrap_or(5060));
            return self.is_alias(uri.host) || uri.host_ip().is_some_and(is_ours);
        }
        if self.is_alias(text) {
            return true;
        }
        let is_ours = |local: &Local| text == local.sent_by || text == host_of(&local.sent_by);
        self.locals.iter().any(is_ours)
    }

    fn is_alias(&self, host: &[u8]) -> bool {
        self.aliases.iter().any(|alias| {
            let alias = alias.as_bytes();
            let below = host.len().saturating_sub(alias.len());
            let is_below = alias.starts_with(b".") && host[below..].eq_ignore_ascii_case(alias);
            is_below || host.eq_ignore_ascii_case(alias)
        })
    }
}

/// What stands before the port.
fn host_of(sent_by: &[u8]) -> &[u8] {
    let colon = sent_by.iter().rposition(|&byte| byte == b':');
    &sent_by[..colon.unwrap_or(sent_by.len())]
}
