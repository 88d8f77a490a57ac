//! Via (RFC 3261 20.42, RFC 3581, RFC 5118).

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::error::HeaderError;
use super::marks;
use super::param::Params;
use super::text;

/// What a branch begins with that is unique in space and time (RFC 3261 8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";

/// The port of UDP and TCP if none is named.
const DEFAULT_PORT: u16 = 5060;

/// Where a part of a message lies, in few bytes: what has it is handed on often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    start: u16,
    end: u16,
}

impl Place {
    fn new(range: &Range<usize>) -> Self {
        Self {
            start: range.start as u16,
            end: range.end as u16,
        }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as it stands: `UDP`, `TCP`, `TLS`, `SCTP`, `WS`, ...
    pub transport: &'a [u8],
    /// The host of sent-by; an IPv6 address with its brackets if it stands in brackets.
    pub host: &'a [u8],
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The branch.
    pub branch: Option<&'a [u8]>,
    /// Where the request came from, as the receiver noted.
    pub received: Option<&'a [u8]>,
    /// `None` without `rport`, `Some(None)` for one that still has no (usable) value.
    pub rport: Option<Option<u16>>,
    /// All parameters, from behind their first semicolon.
    pub params: &'a [u8],
    /// Where this value lies in the message.
    pub range: Range<usize>,
    /// False if there are empty parameters or text where none may stand. The fields above are right
    /// nevertheless, so that a request can be answered.
    pub well_formed: bool,
    /// From behind the name `received` to the end of the parameter, in the message.
    pub(super) received_tail: Option<Place>,
    /// From behind the name `rport` to the end of the parameter, in the message.
    pub(super) rport_tail: Option<Place>,
}

impl<'a> Via<'a> {
    /// Decodes the value that lies at `range` of `bytes`, if it is written as nearly all are: UDP, a
    /// single space, nothing quoted or empty, no second value. What is not so, or not right, is `None`.
    #[inline]
    pub(super) fn usual(bytes: &'a [u8], range: Range<usize>) -> Option<Self> {
        const HEAD: &[u8] = b"SIP/2.0/UDP ";
        let value = &bytes[range.clone()];
        if !value.starts_with(HEAD) {
            return None;
        }
        let (host, port, mut end) = usual_sent_by(bytes, range.start + HEAD.len()..range.end)?;
        let mut via = Self::new(value, range.start, &value[8..11], host);
        via.port = port;
        via.params = bytes.get(end + 1..range.end).unwrap_or_default();
        while end < range.end {
            let start = end + 1;
            // What is up to a quote is a blank, or at least no usual part of a Via. Where no comma is, angle
            // brackets hide none.
            let mark = marks::find(bytes, start..range.end, |part| {
                marks::up_to(part, b'"') | marks::one_of(part, [b';', b','])
            });
            end = match mark {
                Some(end) => (bytes[end] == b';').then_some(end)?,
                None => range.end,
            };
            via.take_part(bytes, start..end)?;
        }
        Some(via)
    }

    /// Takes a parameter, which stands between two semicolons.
    fn take_part(&mut self, bytes: &'a [u8], range: Range<usize>) -> Option<()> {
        let part = &bytes[range.clone()];
        if let Some(branch) = part.strip_prefix(b"branch=")
            && self.branch.is_none()
        {
            self.branch = Some(branch);
            return Some(());
        }
        let equals = part.iter().position(|&byte| byte == b'=');
        let name = &part[..equals.unwrap_or(part.len())];
        let value = equals.map(|equals| &part[equals + 1..]);
        self.take_param(name, value, range.start + name.len()..range.end);
        (!part.is_empty()).then_some(())
    }

    fn new(value: &'a [u8], offset: usize, transport: &'a [u8], host: &'a [u8]) -> Self {
        Self {
            transport,
            host,
            port: None,
            branch: None,
            received: None,
            rport: None,
            params: b"",
            range: offset..offset + value.len(),
            well_formed: true,
            received_tail: None,
            rport_tail: None,
        }
    }

    /// Decodes one value, which lies at `offset` in its message, however it is written.
    pub fn parse(value: &'a [u8], offset: usize) -> Result<Self, HeaderError> {
        let transport_start = protocol_end(value).ok_or(HeaderError::SentProtocol)?;
        let transport_end = text::skip_token(value, transport_start);
        let host_start = text::skip_lws(value, transport_end);
        if transport_end == transport_start || host_start == transport_end {
            return Err(HeaderError::SentProtocol);
        }
        let sent_by = SentBy::parse(value, host_start)?;
        let transport = &value[transport_start..transport_end];
        let mut via = Self::new(value, offset, transport, sent_by.host);
        via.port = sent_by.port;
        match value.get(sent_by.end) {
            None => {}
            Some(b';') => {
                let params_start = sent_by.end + 1;
                via.params = &value[params_start..];
                via.read_params(offset + params_start);
            }
            // A comment, as RFC 2543 had it, or nonsense.
            Some(_) => via.well_formed = false,
        }
        Ok(via)
    }

    /// Fills in the parameters, which lie at `offset` in the message.
    fn read_params(&mut self, offset: usize) {
        let mut params = Params::new(self.params);
        for param in params.by_ref() {
            let tail = offset + param.name_range.end..offset + param.end;
            self.take_param(param.name, param.value, tail);
        }
        let trailing = self.params.last().is_none_or(|&last| last == b';');
        self.well_formed = !params.saw_empty() && !trailing;
    }

    /// Takes one parameter; `tail` is what follows its name. The first of a name counts.
    fn take_param(&mut self, name: &[u8], value: Option<&'a [u8]>, tail: Range<usize>) {
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        match name.len() {
            6 if self.branch.is_none() && is(b"branch") => self.branch = value,
            5 if self.rport.is_none() && is(b"rport") => {
                self.rport = Some(value.and_then(text::port));
                self.rport_tail = Some(Place::new(&tail));
            }
            8 if self.received_tail.is_none() && is(b"received") => {
                self.received = value;
                self.received_tail = Some(Place::new(&tail));
            }
            _ => {}
        }
    }

    /// A parameter by its name, whatever the case: `None` if there is none, `Some(None)` if it has no
    /// value.
    pub fn param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        Params::new(self.params).find(name)
    }

    /// Whether the branch is unique in space and time: the cookie and something behind it
    /// (RFC 3261 8.1.1.7). Without it, transactions are matched as in RFC 2543.
    pub fn has_unique_branch(&self) -> bool {
        self.branch.is_some_and(|branch| {
            branch.len() > COOKIE.len() && branch[..COOKIE.len()].eq_ignore_ascii_case(COOKIE)
        })
    }

    /// The host of sent-by as an address, if it is one.
    pub fn sent_by_ip(&self) -> Option<IpAddr> {
        match self.host.first() {
            Some(b'[' | b':') => text::ip(self.host),
            Some(byte) if byte.is_ascii_hexdigit() => text::ip(self.host),
            _ => None,
        }
    }

    /// Where a reply with this Via on top goes over UDP: `received`, else a numeric sent-by; `rport`,
    /// else the port of sent-by, else 5060 (RFC 3261 18.2.2, RFC 3581 4). `maddr` is not followed:
    /// it would let a stranger aim our replies. `None` if there is only a name, which would have
    /// to be resolved.
    pub fn reply_address(&self) -> Option<SocketAddr> {
        let received = self.received.and_then(text::ip);
        let ip = received.or_else(|| self.sent_by_ip())?;
        let port = self.rport.flatten().or(self.port).unwrap_or(DEFAULT_PORT);
        Some(SocketAddr::new(ip, port))
    }
}

/// Host and port at the head of `range`, with nothing around them and no IPv6, and where they end: there
/// is a semicolon, or nothing.
#[inline]
fn usual_sent_by(bytes: &[u8], range: Range<usize>) -> Option<(&[u8], Option<u16>, usize)> {
    let host_end = marks::find(bytes, range.clone(), |part| !marks::host(part));
    let host = &bytes[range.start..host_end.unwrap_or(range.end)];
    let rest = &bytes[range.start + host.len()..range.end];
    let (port, rest) = match rest {
        [b':', rest @ ..] => {
            let (number, digits) = text::head_number(rest);
            let port = u16::try_from(number).ok().filter(|_| digits > 0)?;
            (Some(port), &rest[digits..])
        }
        _ => (None, rest),
    };
    let is_usual = !host.is_empty() && matches!(rest, [] | [b';', ..]);
    is_usual.then_some((host, port, range.end - rest.len()))
}

/// Where the transport begins: behind `SIP/2.0/`, with white space wherever RFC 3261 25.1 has
/// `SLASH`. Other versions are read too, because even their sender wants an answer.
fn protocol_end(value: &[u8]) -> Option<usize> {
    const USUAL: &[u8] = b"SIP/2.0/";
    if value.starts_with(USUAL)
        && value
            .get(USUAL.len())
            .is_some_and(|&byte| !text::is_lws(byte))
    {
        return Some(USUAL.len());
    }
    let mut at = 0;
    for part in 0..2 {
        let end = text::skip_token(value, at);
        if end == at || (part == 0 && !value[at..end].eq_ignore_ascii_case(b"SIP")) {
            return None;
        }
        let slash = text::skip_lws(value, end);
        if value.get(slash) != Some(&b'/') {
            return None;
        }
        at = text::skip_lws(value, slash + 1);
    }
    Some(at)
}

struct SentBy<'a> {
    host: &'a [u8],
    port: Option<u16>,
    /// The first position that is neither of them nor white space.
    end: usize,
}

impl<'a> SentBy<'a> {
    fn parse(value: &'a [u8], start: usize) -> Result<Self, HeaderError> {
        let usual = Self::host_and_port(value, start);
        // What follows an address without brackets looks like a bad port, or like a second one.
        let odd = match &usual {
            Ok(sent_by) => value.get(sent_by.end) == Some(&b':'),
            Err(_) => true,
        };
        if odd && let Some(bare) = Self::bare_ipv6(value, start) {
            return Ok(bare);
        }
        usual
    }

    fn host_and_port(value: &'a [u8], start: usize) -> Result<Self, HeaderError> {
        let host_end = if value.get(start) == Some(&b'[') {
            let close = value[start..].iter().position(|&byte| byte == b']');
            start + close.ok_or(HeaderError::SentBy)? + 1
        } else {
            text::skip_host_name(value, start)
        };
        let host = &value[start..host_end];
        if host.is_empty() || (host[0] == b'[' && !text::is_ipv6_reference(host)) {
            return Err(HeaderError::SentBy);
        }
        let colon = text::skip_lws(value, host_end);
        if value.get(colon) != Some(&b':') {
            let ends = matches!(value.get(host_end), None | Some(b';')) || colon > host_end;
            return ends
                .then_some(Self {
                    host,
                    port: None,
                    end: colon,
                })
                .ok_or(HeaderError::SentBy);
        }
        let port_start = text::skip_lws(value, colon + 1);
        let port_end = text::skip_token(value, port_start);
        let port = text::port(&value[port_start..port_end]).ok_or(HeaderError::Port)?;
        Ok(Self {
            host,
            port: Some(port),
            end: text::skip_lws(value, port_end),
        })
    }

    /// An IPv6 address without brackets, which has at least two colons and leaves no room for a port.
    fn bare_ipv6(value: &'a [u8], start: usize) -> Option<Self> {
        let is_end = |&byte: &u8| byte == b';' || text::is_lws(byte);
        let length = value[start..].iter().position(is_end);
        let end = length.map_or(value.len(), |length| start + length);
        let host = &value[start..end];
        let colons = memchr::memchr_iter(b':', host).count();
        if colons < 2 || host.first() == Some(&b'[') || !text::ip(host)?.is_ipv6() {
            return None;
        }
        Some(Self {
            host,
            port: None,
            end: text::skip_lws(value, end),
        })
    }
}
