//! A gateway that answers as nobody should: late, twice, out of order, with the wrong tag, the wrong
//! method in CSeq or a Via too few.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;

use super::network::Wire;
use crate::rng::Rng;
use crate::sip::{HeaderIndex, Message, Method, build, scan};
use crate::time::Timestamp;

/// The codes that it answers INVITEs with.
const CODES: [u16; 18] = [
    100, 180, 183, 199, 200, 200, 204, 302, 401, 407, 408, 480, 486, 487, 500, 503, 600, 699,
];

/// The gateway.
#[derive(Debug)]
pub(super) struct Trickster {
    /// Whose place it has taken, while it has.
    pub address: Option<SocketAddr>,
    rng: Rng,
    index: HeaderIndex,
    pending: BTreeMap<(Timestamp, u64), Wire>,
    planned: u64,
}

impl Trickster {
    pub fn new(address: Option<SocketAddr>, rng: &mut Rng) -> Self {
        Self {
            address,
            rng: Rng::from_seed(rng.next()),
            index: HeaderIndex::new(),
            pending: BTreeMap::new(),
            planned: 0,
        }
    }

    /// It leaves; what it had in mind is forgotten.
    pub fn go_home(&mut self) {
        self.address = None;
        self.pending.clear();
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|&(at, _)| at)
    }

    pub fn tick(&mut self, now: Timestamp, sent: &mut Vec<Wire>) {
        while let Some(entry) = self.pending.first_entry()
            && entry.key().0 <= now
        {
            sent.push(entry.remove());
        }
    }

    pub fn receive(&mut self, now: Timestamp, wire: &Wire) {
        let mut index = std::mem::take(&mut self.index);
        if let Ok(message) = scan(&wire.bytes, &mut index) {
            match message.method() {
                Some(Method::Invite) => {
                    for _ in 0..self.rng.random_range(0..=5_u32) {
                        let code = CODES[self.rng.random_range(0..CODES.len())];
                        self.answer(now, wire, message, code);
                    }
                }
                Some(Method::Ack) | None => {}
                // It must be alive in the eyes of the prober, or nothing comes here.
                Some(Method::Options) => self.answer(now, wire, message, 200),
                Some(_) => {
                    let code = [200, 202, 407, 481, 500][self.rng.random_range(0..5_usize)];
                    self.answer(now, wire, message, code);
                }
            }
        }
        self.index = index;
    }

    fn answer(&mut self, now: Timestamp, wire: &Wire, request: Message<'_>, code: u16) {
        let tag = match self.rng.random_range(0..8_u32) {
            0 => String::new(),
            1 => format!("odd{:x}", self.rng.next()),
            which => format!("trick{}", which % 2),
        };
        let contact = format!("Contact: <sip:trick@{}>\r\n", wire.to);
        let extra = if self.rng.random_ratio(1, 6) {
            ""
        } else {
            &contact
        };
        let mut bytes = Vec::new();
        let reason = build::reason_phrase(code);
        build::reply(
            request,
            wire.from,
            code,
            reason,
            tag.as_bytes(),
            extra.as_bytes(),
            &mut bytes,
        );
        match self.rng.random_range(0..24_u32) {
            0 => remove_last_via(&mut bytes),
            1 => replace(&mut bytes, " INVITE\r\n", " PRACK\r\n"),
            2 => bytes.truncate(bytes.len() - 2),
            _ => {}
        }
        let delay = match self.rng.random_range(0..3_u32) {
            0 => Duration::ZERO,
            1 => Duration::from_millis(self.rng.random_range(0..500)),
            _ => Duration::from_millis(self.rng.random_range(0..4_000)),
        };
        self.planned += 1;
        let answer = Wire {
            from: wire.to,
            to: wire.from,
            bytes: bytes.into(),
        };
        self.pending.insert((now + delay, self.planned), answer);
    }
}

/// Leaves nobody whom the answer is for, beyond the proxy.
fn remove_last_via(bytes: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if let Some(start) = text.rfind("Via: ")
        && let Some(length) = text[start..].find("\r\n")
    {
        bytes.drain(start..start + length + 2);
    }
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    *bytes = String::from_utf8_lossy(bytes)
        .replacen(from, to, 1)
        .into_bytes();
}
