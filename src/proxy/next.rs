//! Where a URI leads, and how that is reached.

use std::net::SocketAddr;

use super::core::Core;
use super::forward::Hop;
use super::local::Locals;
use super::settings::SocketId;
use crate::dispatch::Destination;
use crate::sip::{Scheme, Uri};

/// What the URI that a request is to follow means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another element that can be sent to.
    Element(Hop),
    /// Ourselves.
    Us,
    /// A name, another transport, or no SIP URI at all.
    Nowhere,
}

impl Next {
    /// Of a URI. The element is reached by the preferred socket if that is of its family.
    pub fn of(uri: &Uri<'_>, preferred: SocketId, locals: &Locals) -> Self {
        let is_udp = match uri.param(b"transport") {
            None => true,
            Some(value) => value.is_some_and(|name| name.eq_ignore_ascii_case(b"udp")),
        };
        let Some(ip) = uri.host_ip() else {
            return Self::Nowhere;
        };
        let port = uri.port.unwrap_or(5060);
        if locals.is_ours(ip, port) {
            return Self::Us;
        }
        let address = SocketAddr::new(ip, port);
        match locals.socket_for(address, preferred) {
            Some(socket) if is_udp && uri.scheme == Scheme::Sip => {
                Self::Element(Hop { socket, address })
            }
            _ => Self::Nowhere,
        }
    }

    /// How it is reached, if it is another element.
    pub fn hop(self) -> Option<Hop> {
        match self {
            Self::Element(hop) => Some(hop),
            Self::Us | Self::Nowhere => None,
        }
    }
}

impl Core {
    /// How a destination is reached: by the socket that it names, else by the default one, else by
    /// the one preferred.
    pub(super) fn hop_to(&self, destination: &Destination, preferred: SocketId) -> Option<Hop> {
        let address = destination.address?;
        let attributes = &destination.attributes;
        let called = |name: &Option<Box<str>>| self.locals.called(name.as_deref()?);
        let wanted = called(&attributes.sockname)
            .or_else(|| self.locals.bound_to(attributes.socket_address?))
            .or(self.default_socket);
        let socket = self
            .locals
            .socket_for(address, wanted.unwrap_or(preferred))?;
        Some(Hop { socket, address })
    }
}
