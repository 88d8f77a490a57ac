//! Where a destination's URI leads: its host, port and, if the host is a number, its address.
//!
//! Owns: which URIs can be destinations. Pure: names are resolved in `source`.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::sip::{Scheme, Uri, UriError};

/// The port of a `sip:` URI without one (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;
/// The longest host name that the peers take.
const MAX_HOST_BYTES: usize = 254;

/// A destination's URI, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URI, with `sip:` before it if it had no scheme.
    pub uri: Box<str>,
    /// The host as written, without the brackets of IPv6.
    pub host: Box<str>,
    /// The port; the one of the scheme if the URI names none, or 0.
    pub port: u16,
    /// The address, if the host is a number.
    pub address: Option<SocketAddr>,
}

/// Why a URI cannot be a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// It names no host, as `tel:` URIs do not.
    #[error("a {0}: URI names no host")]
    NoHost(String),
    /// The host is too long to be a name.
    #[error("host longer than {MAX_HOST_BYTES} bytes")]
    LongHost,
    /// Anything but `sip:` over UDP.
    #[error("{0} is not supported yet, only UDP is")]
    Transport(String),
}

impl Target {
    /// Understands a URI as lists have them: a missing `sip:` is added.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = match Uri::parse(text.as_bytes()) {
            // `gw.example.com:5060` looks like a scheme and the rest of a URI.
            Ok(Uri {
                scheme: Scheme::Other,
                ..
            })
            | Err(UriError::Scheme) => Cow::Owned(format!("sip:{text}")),
            Ok(_) | Err(_) => Cow::Borrowed(text),
        };
        let uri = Uri::parse(text.as_bytes())?;
        match uri.scheme {
            Scheme::Sip => {}
            Scheme::Sips => return Err(TargetError::Transport("sips: (TLS)".to_owned())),
            Scheme::Tel | Scheme::Other => return Err(TargetError::NoHost(lossy(uri.scheme_text))),
        }
        if let Some(transport) = uri.param(b"transport")
            && !transport.is_some_and(|value| value.eq_ignore_ascii_case(b"udp"))
        {
            let transport = lossy(transport.unwrap_or_default());
            return Err(TargetError::Transport(format!("transport={transport}")));
        }
        if uri.host.len() > MAX_HOST_BYTES {
            return Err(TargetError::LongHost);
        }
        let address = uri.host_ip();
        if uri.host.starts_with(b"[") && address.is_none() {
            return Err(UriError::Host.into());
        }
        let port = uri.port.filter(|&port| port != 0).unwrap_or(SIP_PORT);
        let host = lossy(uri.host);
        let host = host.strip_prefix('[').unwrap_or(&host);
        Ok(Self {
            host: host.strip_suffix(']').unwrap_or(host).into(),
            port,
            address: address.map(|ip| SocketAddr::new(ip, port)),
            uri: text.into(),
        })
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
