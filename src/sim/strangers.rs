//! People who have no business here: forgers, who know of calls what passes over the wire, and
//! vandals, who send garbage and spoilt copies of what they have overheard.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;

use super::config::Faults;
use super::network::Wire;
use super::peers::host;
use crate::rng::Rng;
use crate::sip::{HeaderIndex, Message, Method, Name, scan};

/// Both kinds, and what they are about to do.
#[derive(Debug)]
pub(super) struct Strangers {
    forges: bool,
    spoils: bool,
    rng: Rng,
    index: HeaderIndex,
    pub forged: u64,
    pub spoilt: u64,
}

/// What a stranger sends, and how long after what it overheard.
pub(super) type Mischief = (Duration, Wire);

impl Strangers {
    pub fn new(faults: Faults, rng: &mut Rng) -> Self {
        Self {
            forges: faults.forgers,
            spoils: faults.vandals,
            rng: Rng::from_seed(rng.next()),
            index: HeaderIndex::new(),
            forged: 0,
            spoilt: 0,
        }
    }

    /// They stop.
    pub fn go_home(&mut self) {
        self.forges = false;
        self.spoils = false;
    }

    /// They overhear a datagram that is sent to the proxy at `proxy`, or by it.
    pub fn overhear(&mut self, wire: &Wire, proxy: SocketAddr) -> Option<Mischief> {
        let to_proxy = wire.to == proxy;
        if self.forges && !to_proxy && self.rng.random_ratio(1, 5) {
            return self.forge(wire, proxy);
        }
        if self.spoils && to_proxy && self.rng.random_ratio(1, 12) {
            return self.spoil(wire, proxy);
        }
        None
    }

    fn soon(&mut self) -> Duration {
        Duration::from_micros(self.rng.random_range(100..1_500_000))
    }

    /// From an answer to an INVITE: a BYE that is not of its call, or an answer that nobody gave.
    fn forge(&mut self, wire: &Wire, proxy: SocketAddr) -> Option<Mischief> {
        let mut index = std::mem::take(&mut self.index);
        let forged = scan(&wire.bytes, &mut index)
            .ok()
            .and_then(|message| self.forge_from(message, proxy));
        self.index = index;
        let (from, bytes) = forged?;
        self.forged += 1;
        let wire = Wire {
            from,
            to: proxy,
            bytes: bytes.into(),
        };
        Some((self.soon(), wire))
    }

    fn forge_from(
        &mut self,
        message: Message<'_>,
        proxy: SocketAddr,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let is_invite = message.cseq().ok()?.method == Method::Invite;
        if !is_invite || message.reply_code()? < 180 {
            return None;
        }
        let text = |name| {
            let line = message.first(name)?;
            Some(String::from_utf8_lossy(line.value).into_owned())
        };
        let (call_id, from, to) = (text(Name::CallId)?, text(Name::From)?, text(Name::To)?);
        let wrong = format!("{:08x}", self.rng.next() as u32);
        let spoil_tag = |value: &str| match value.find(";tag=") {
            Some(at) => format!("{};tag={wrong}", &value[..at]),
            // A callee of RFC 2543 has none.
            None => format!("{value};tag={wrong}"),
        };
        let (from, to) = match self.rng.random_range(0..5_u32) {
            0 => (spoil_tag(&from), to),
            1 => (from, spoil_tag(&to)),
            2 => (spoil_tag(&from), spoil_tag(&to)),
            3 => (to, spoil_tag(&from)),
            _ => (spoil_tag(&to), from),
        };
        let branch = self.rng.next();
        let forger = forger(proxy);
        if self.rng.random_ratio(1, 5) {
            let kind = if self.rng.random_ratio(1, 2) {
                format!("t0000{:08x}", self.rng.random_range(0..16_u32))
            } else {
                "s".to_owned()
            };
            let tail = if kind == "s" { "0000" } else { "" };
            let answer = format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {proxy};branch=z9hG4bK{kind}{branch:016x}{tail}.{:08x}.0\r\n\
                 Via: SIP/2.0/UDP {forger};branch=z9hG4bKf{branch:x}\r\nFrom: {from}\r\nTo: {to}\r\n\
                 Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
                self.rng.next() as u32,
            );
            return Some((forger, answer.into_bytes()));
        }
        let bye = format!(
            "BYE sip:x@{proxy} SIP/2.0\r\nVia: SIP/2.0/UDP {forger};branch=z9hG4bKf{branch:x};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {} BYE\r\nContent-Length: 0\r\n\r\n",
            self.rng.random_range(1..9_u32),
        );
        Some((forger, bye.into_bytes()))
    }

    /// Garbage, or a copy of a request with something changed, cut off or put in.
    fn spoil(&mut self, wire: &Wire, proxy: SocketAddr) -> Option<Mischief> {
        let is_request = !wire.bytes.starts_with(b"SIP/2.0");
        let mut bytes = if is_request {
            wire.bytes.to_vec()
        } else {
            self.garbage()
        };
        for _ in 0..self.rng.random_range(1..=3_u32) {
            self.spoil_bytes(&mut bytes);
        }
        // A copy without a change would be the real thing.
        if bytes == *wire.bytes {
            return None;
        }
        self.spoilt += 1;
        let wire = Wire {
            from: vandal(proxy),
            to: proxy,
            bytes: bytes.into(),
        };
        Some((self.soon(), wire))
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = self.rng.random_range(0..200_usize);
        let kind = self.rng.random_range(0..4_u32);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.rng.next() as u8).collect();
        match kind {
            0 => bytes.iter_mut().for_each(|byte| *byte = 0),
            1 => bytes
                .iter_mut()
                .for_each(|byte| *byte = b"\r\n"[usize::from(*byte & 1)]),
            2 => {
                let mut start = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\n".to_vec();
                start.append(&mut bytes);
                bytes = start;
            }
            _ => {}
        }
        bytes
    }

    fn spoil_bytes(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..bytes.len());
        match self.rng.random_range(0..6_u32) {
            0 => bytes[at] ^= 1 << self.rng.random_range(0..8_u32),
            1 => bytes.truncate(at),
            2 => bytes[at] = b"0123456789abcdef;:,<>\"@\r\n "[self.rng.random_range(0..26_usize)],
            3 => bytes.insert(at, self.rng.next() as u8),
            4 => {
                let end = (at + self.rng.random_range(1..40_usize)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                // A whole line once more, somewhere.
                let line = bytes.split_inclusive(|&byte| byte == b'\n');
                let lines: Vec<Vec<u8>> = line.map(<[u8]>::to_vec).collect();
                let copied = lines[self.rng.random_range(0..lines.len())].clone();
                let place = self.rng.random_range(0..=lines.len());
                let position: usize = lines[..place].iter().map(Vec::len).sum();
                bytes.splice(position..position, copied);
            }
        }
    }
}

/// Where the forgers are that reach the proxy at this address. Their BYEs must never end a call.
pub(super) fn forger(proxy: SocketAddr) -> SocketAddr {
    SocketAddr::new(host(proxy, 9, 1), 5_060)
}

/// Where the vandals are that reach the proxy at this address.
pub(super) fn vandal(proxy: SocketAddr) -> SocketAddr {
    SocketAddr::new(host(proxy, 9, 2), 5_060)
}
