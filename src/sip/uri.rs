//! URIs: sip, sips (RFC 3261 19.1), tel (RFC 3966), and others as they are.

use std::net::IpAddr;

use super::error::UriError;
use super::marks;
use super::param::Params;
use super::text;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel`.
    Tel,
    /// Any other: see [`Uri::scheme_text`].
    Other,
}

/// A URI in its parts. Nothing is unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The scheme as it stands.
    pub scheme_text: &'a [u8],
    /// What follows the colon after the scheme.
    pub rest: &'a [u8],
    /// The user part, with parameters of its own if it has some; the number of a `tel` URI.
    pub user: Option<&'a [u8]>,
    /// The password, from behind the colon in the user part.
    pub password: Option<&'a [u8]>,
    /// The host; an IPv6 address with its brackets. Empty in `tel` and other URIs.
    pub host: &'a [u8],
    /// The port.
    pub port: Option<u16>,
    /// The port as it stands; empty if there is none.
    pub port_text: &'a [u8],
    /// The parameters, from behind their first semicolon.
    pub params: &'a [u8],
    /// The headers, from behind the question mark.
    pub headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Takes a URI apart.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        if has_forbidden(text) {
            return Err(UriError::Character);
        }
        let (scheme, colon) = split_scheme(text).ok_or(UriError::Scheme)?;
        let (scheme_text, rest) = (&text[..colon], &text[colon + 1..]);
        let bare = Self {
            scheme,
            scheme_text,
            rest,
            user: None,
            password: None,
            host: b"",
            port: None,
            port_text: b"",
            params: b"",
            headers: b"",
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip_parts(),
            Scheme::Tel => bare.with_number(),
            Scheme::Other => Ok(bare),
        }
    }

    /// Whether a text is a URI of a scheme that SIP elements know.
    pub fn is_known(text: &'a [u8]) -> bool {
        is_usual(text) || Self::parse(text).is_ok_and(|uri| uri.has_known_scheme())
    }

    /// A parameter by its name, whatever the case: `None` if there is none, `Some(None)` if it has no
    /// value.
    pub fn param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        Params::new(self.params).find(name)
    }

    /// The host as an address, if it is one.
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// Whether this is a loose router's URI: it has the parameter `lr`, with whatever value
    /// (RFC 3261 19.1.1; some write `lr=on`).
    pub fn is_loose(&self) -> bool {
        self.param(b"lr").is_some()
    }

    /// Whether its user is a telephone number: a `tel` URI, or one with `user=phone` (RFC 3261 19.1.1).
    /// The value is compared with its case, as Kamailio does.
    pub fn is_phone(&self) -> bool {
        match self.scheme {
            Scheme::Tel => true,
            Scheme::Sip | Scheme::Sips => self.param(b"user") == Some(Some(b"phone")),
            Scheme::Other => false,
        }
    }

    /// The user without the parameters that it has as a telephone number (RFC 3261 19.1.6); of a `urn`
    /// its namespace. So scripts see it.
    pub fn name(&self) -> Option<&'a [u8]> {
        let user = self.user.or(self.urn_parts().map(|(space, _)| space))?;
        match memchr::memchr(b';', user) {
            Some(end) if self.is_phone() => Some(&user[..end]),
            _ => Some(user),
        }
    }

    /// The host; of a `urn` what follows its namespace. So scripts see it.
    pub fn domain(&self) -> &'a [u8] {
        self.urn_parts().map_or(self.host, |(_, name)| name)
    }

    /// Namespace and name of `urn:service:sos`.
    fn urn_parts(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.scheme != Scheme::Other || !self.scheme_text.eq_ignore_ascii_case(b"urn") {
            return None;
        }
        let colon = memchr::memchr(b':', self.rest)?;
        Some((&self.rest[..colon], &self.rest[colon + 1..]))
    }

    /// Whether SIP elements know its scheme. `urn` is for emergency calls (RFC 5031).
    pub fn has_known_scheme(&self) -> bool {
        self.scheme != Scheme::Other || self.scheme_text.eq_ignore_ascii_case(b"urn")
    }

    /// User, host, port, parameters and headers.
    fn with_sip_parts(mut self) -> Result<Self, UriError> {
        let rest = self.rest;
        // An `@` may stand unescaped nowhere but behind the user, and a user may have `;`, `?` and
        // `/`: the first `@` decides (RFC 3261 25.1).
        let host_start = match user_end(rest) {
            Some((0, _) | (_, Some(0))) => return Err(UriError::User),
            Some((at, colon)) => {
                self.user = Some(&rest[..colon.unwrap_or(at)]);
                self.password = colon.map(|colon| &rest[colon + 1..at]);
                at + 1
            }
            None => 0,
        };
        let host_port = &rest[host_start..];
        let host_end = if host_port.first() == Some(&b'[') {
            let close = host_port.iter().position(|&byte| byte == b']');
            close.ok_or(UriError::Host)? + 1
        } else {
            text::skip_host_name(host_port, 0)
        };
        let (host, tail) = host_port.split_at(host_end);
        if host.is_empty() || (host[0] == b'[' && !text::is_ipv6_reference(host)) {
            return Err(UriError::Host);
        }
        self.host = host;
        let tail = match tail {
            [b':', tail @ ..] => self.take_port(tail)?,
            _ => tail,
        };
        match tail.first() {
            None => {}
            Some(b';' | b'?') => (self.params, self.headers) = split_tail(tail),
            Some(_) if self.port.is_some() => return Err(UriError::Port),
            Some(_) => return Err(UriError::Host),
        }
        Ok(self)
    }

    /// Takes the port off the head of `text`; returns what follows it.
    fn take_port(&mut self, text: &'a [u8]) -> Result<&'a [u8], UriError> {
        let (port, length) = text::head_port(text).ok_or(UriError::Port)?;
        let (digits, tail) = text.split_at(length);
        self.port_text = digits;
        self.port = Some(port);
        Ok(tail)
    }

    /// The number and parameters of a `tel` URI.
    fn with_number(mut self) -> Result<Self, UriError> {
        let end = self
            .rest
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(UriError::User);
        }
        self.user = Some(&self.rest[..end]);
        self.params = self.rest.get(end + 1..).unwrap_or(b"");
        Ok(self)
    }
}

/// Whether a text is a URI as nearly all in From and To are: of a host and perhaps a port, with a user
/// that has only characters of hosts, and nothing behind it. What is not so, or not right, is false.
fn is_usual(text: &[u8]) -> bool {
    const SCHEME: &[u8] = b"sip:";
    if !text.starts_with(SCHEME) {
        return false;
    }
    let end_of_name = |start: usize| {
        let end = marks::find(text, start..text.len(), |part| !marks::host(part));
        end.unwrap_or(text.len())
    };
    let mut start = SCHEME.len();
    let mut end = end_of_name(start);
    if end > start && text.get(end) == Some(&b'@') {
        start = end + 1;
        end = end_of_name(start);
    }
    let ends_well = match &text[end..] {
        [b':', port @ ..] => text::head_port(port).is_some_and(|(_, length)| length == port.len()),
        rest => rest.is_empty(),
    };
    end > start && ends_well
}

/// Where the first `@` lies, and the first colon before it.
#[inline]
fn user_end(rest: &[u8]) -> Option<(usize, Option<usize>)> {
    // Mostly a user is short.
    if let Some(head) = rest.first_chunk()
        && let Some(at) = marks::first(head, b'@')
    {
        let colon = marks::first(head, b':');
        return Some((at, colon.filter(|&colon| colon < at)));
    }
    let at = memchr::memchr(b'@', rest)?;
    Some((at, rest[..at].iter().position(|&byte| byte == b':')))
}

/// Whether a byte is among `text` that no URI may have: white space, controls, `<`, `>`, `"`.
fn has_forbidden(text: &[u8]) -> bool {
    let is_forbidden = |&byte: &u8| byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
    let Some(last) = text.last_chunk() else {
        return text.iter().any(is_forbidden);
    };
    // The last sixteen bytes may have been seen before.
    let (parts, _) = text.as_chunks();
    let mut parts = parts.iter().chain([last]);
    parts.any(|part| marks::has_blank_or(part, [b'<', b'>', b'"', 0x7f]))
}

/// The scheme at the head of a URI, and where the colon after it lies.
fn split_scheme(text: &[u8]) -> Option<(Scheme, usize)> {
    match text {
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', ..] => return Some((Scheme::Sip, 3)),
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', ..] => {
            return Some((Scheme::Sips, 4));
        }
        [b't' | b'T', b'e' | b'E', b'l' | b'L', b':', ..] => return Some((Scheme::Tel, 3)),
        [first, ..] if first.is_ascii_alphabetic() => {}
        _ => return None,
    }
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let end = text.iter().position(|byte| !usual(byte))?;
    (text[end] == b':').then_some((Scheme::Other, end))
}

/// Parameters and headers of `[;params][?headers]`.
fn split_tail(tail: &[u8]) -> (&[u8], &[u8]) {
    let question = tail.iter().position(|&byte| byte == b'?');
    let (params, headers) = tail.split_at(question.unwrap_or(tail.len()));
    let params = params.strip_prefix(b";").unwrap_or(params);
    (params, headers.strip_prefix(b"?").unwrap_or(headers))
}

/// The address that a host is, if it begins like one: most hosts that are names do not.
pub(super) fn host_ip(host: &[u8]) -> Option<IpAddr> {
    match host.first() {
        Some(b'[' | b'0'..=b'9') => text::ip(host),
        _ => None,
    }
}
