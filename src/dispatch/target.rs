//! Where a destination's URI leads: its host, port and, if the host is a number, its address.
//!
//! Owns: which URIs can be destinations. Pure: names are resolved in `source`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The port of a `sip:` URI without one.
const SIP_PORT: u16 = 5060;
/// The longest host name (RFC 1035 section 2.3.4, without the dots at the ends).
const MAX_HOST_BYTES: usize = 254;

/// A destination's URI, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URI, with `sip:` before it if it had no scheme.
    pub uri: Box<str>,
    /// The host as written, without the brackets of IPv6.
    pub host: Box<str>,
    /// The port; the one of the scheme if the URI names none.
    pub port: u16,
    /// The address, if the host is a number.
    pub address: Option<SocketAddr>,
}

/// Why a URI cannot be a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a SIP URI.
    #[error("bad URI: {0}")]
    Malformed(&'static str),
    /// A scheme or transport other than `sip` over UDP.
    #[error("{0} is not supported yet, only UDP is")]
    Unsupported(Box<str>),
}

impl Target {
    /// Understands a URI as lists have them.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text
            .bytes()
            .any(|byte| byte.is_ascii_control() || b" <>\"".contains(&byte))
        {
            return Err(TargetError::Malformed("a character that no URI has"));
        }
        let (uri, rest) = match scheme(text) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (text.into(), rest),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("sips") => {
                return Err(TargetError::Unsupported("sips (TLS)".into()));
            }
            Some(_) => return Err(TargetError::Malformed("not a sip: URI")),
            None => (format!("sip:{text}").into(), text),
        };
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        let (address, params) = rest.split_once(';').unwrap_or((rest, ""));
        check_transport(params)?;
        let host_port = address.rsplit_once('@').map_or(address, |(_, after)| after);
        let (host, port, ip) = split_host_port(host_port)?;
        Ok(Self {
            uri,
            host: host.into(),
            port,
            address: ip.map(|ip| SocketAddr::new(ip, port)),
        })
    }
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    ["sip", "sips", "tel", "http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        .then_some((scheme, rest))
}

fn check_transport(params: &str) -> Result<(), TargetError> {
    for param in params.split(';') {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        if name.eq_ignore_ascii_case("transport") && !value.eq_ignore_ascii_case("udp") {
            return Err(TargetError::Unsupported(
                format!("transport {value}").into(),
            ));
        }
    }
    Ok(())
}

fn split_host_port(text: &str) -> Result<(&str, u16, Option<IpAddr>), TargetError> {
    let (host, port, ip) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or(TargetError::Malformed("no closing ]"))?;
        let ip = host
            .parse::<Ipv6Addr>()
            .map_err(|_| TargetError::Malformed("not an IPv6 address between [ and ]"))?;
        let port = match after.strip_prefix(':') {
            Some(port) => port,
            None if after.is_empty() => "",
            None => return Err(TargetError::Malformed("text after ]")),
        };
        (host, port, Some(IpAddr::V6(ip)))
    } else {
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        (host, port, host.parse().ok())
    };
    if host.is_empty() {
        return Err(TargetError::Malformed("no host"));
    }
    if host.len() > MAX_HOST_BYTES {
        return Err(TargetError::Malformed("host longer than 254 bytes"));
    }
    // An empty port and port 0 are the scheme's port, as the peers take them.
    let port = match port {
        "" => SIP_PORT,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
            Ok(0) => SIP_PORT,
            Ok(port) => port,
            Err(_) => return Err(TargetError::Malformed("port above 65535")),
        },
        _ => return Err(TargetError::Malformed("the port is not a number")),
    };
    Ok((host, port, ip))
}
