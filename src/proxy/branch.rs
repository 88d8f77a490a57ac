//! The branch parameter of our own Via: what a reply needs to find its way back.
//!
//! Owns: the form of the branch and the keyed hashes in it. RFC 3261 section 16.6 step 8 asks for a
//! branch that is unique in its first part and lets a loop be recognised by its second
//! (RFC 5393 section 4.2).
//!
//! ```text
//! z9hG4bK s MMMMMMMMMMMMMMMM SSSS . LLLLLLLL . 0             stateless
//! z9hG4bK t HHHH IIIIIIII TTTTTTTTTTTTTTTT . LLLLLLLL . N    stateful, N-th destination tried
//! z9hG4bK p TTTTTTTTTTTTTTTT                                 keepalive
//! ```

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, SocketAddr};

use ahash::RandomState;

use super::settings::SocketId;
use crate::load::ShardId;
use crate::sip::{Identity, Message, Name};
use crate::transaction::key::MAGIC_COOKIE;

/// Length of a tag of our own.
pub const TAG_BYTES: usize = 16;

/// A branch that we put into a Via, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// Of a request relayed without a transaction.
    Stateless {
        /// Proves that the rest of the Via stack is the one that we sent.
        mac: u64,
        /// The socket by which the request came in and the reply leaves.
        socket: SocketId,
        /// What a looping request would show again.
        loop_mark: u32,
    },
    /// Of a request relayed by a transaction.
    Stateful {
        /// The shard that owns the transaction.
        shard: ShardId,
        /// Its place in that shard.
        index: u32,
        /// Chance, so that a stranger cannot name a transaction.
        token: u64,
        /// What a looping request would show again.
        loop_mark: u32,
        /// Which of the tried destinations.
        number: u8,
    },
    /// Of a keepalive.
    Probe {
        /// Names the keepalive.
        token: u64,
    },
}

impl Branch {
    /// Appends the parameter's value.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC_COOKIE);
        match *self {
            Self::Stateless {
                mac,
                socket,
                loop_mark,
            } => {
                out.push(b's');
                write_hex::<16>(mac, out);
                write_hex::<4>(u64::from(socket), out);
                out.push(b'.');
                write_hex::<8>(u64::from(loop_mark), out);
                out.extend_from_slice(b".0");
            }
            Self::Stateful {
                shard,
                index,
                token,
                loop_mark,
                number,
            } => {
                out.push(b't');
                write_hex::<4>(u64::from(shard), out);
                write_hex::<8>(u64::from(index), out);
                write_hex::<16>(token, out);
                out.push(b'.');
                write_hex::<8>(u64::from(loop_mark), out);
                out.push(b'.');
                if number >= 10 {
                    out.push(b'0' + number / 10 % 10);
                }
                out.push(b'0' + number % 10);
            }
            Self::Probe { token } => {
                out.push(b'p');
                write_hex::<16>(token, out);
            }
        }
    }

    /// Reads a branch; `None` when it is not one of ours.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(MAGIC_COOKIE)?;
        let (&kind, mut rest) = rest.split_first()?;
        let branch = match kind {
            b's' => Self::Stateless {
                mac: take_hex::<16>(&mut rest)?,
                socket: take_hex::<4>(&mut rest)? as SocketId,
                loop_mark: take_loop_mark(&mut rest)?,
            },
            b't' => Self::Stateful {
                shard: take_hex::<4>(&mut rest)? as ShardId,
                index: take_hex::<8>(&mut rest)? as u32,
                token: take_hex::<16>(&mut rest)?,
                loop_mark: take_loop_mark(&mut rest)?,
                number: take_number(&mut rest)?,
            },
            b'p' => Self::Probe {
                token: take_hex::<16>(&mut rest)?,
            },
            _ => return None,
        };
        let complete = match kind {
            b's' => rest == b"0",
            _ => rest.is_empty(),
        };
        complete.then_some(branch)
    }

    /// The mark by which a loop is recognised.
    pub fn loop_mark(&self) -> Option<u32> {
        match *self {
            Self::Stateless { loop_mark, .. } | Self::Stateful { loop_mark, .. } => Some(loop_mark),
            Self::Probe { .. } => None,
        }
    }
}

fn take_loop_mark(rest: &mut &[u8]) -> Option<u32> {
    *rest = rest.strip_prefix(b".")?;
    let mark = take_hex::<8>(rest)? as u32;
    *rest = rest.strip_prefix(b".")?;
    Some(mark)
}

/// One digit, or two.
fn take_number(rest: &mut &[u8]) -> Option<u8> {
    let number = match **rest {
        [ones @ b'0'..=b'9'] => ones - b'0',
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9'] => (tens - b'0') * 10 + (ones - b'0'),
        _ => return None,
    };
    *rest = &[];
    Some(number)
}

fn write_hex<const DIGITS: usize>(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&hex_digits(value)[16 - DIGITS..]);
}

/// The lower-case hexadecimal digits of a number.
fn hex_digits(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (half, part) in digits
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip([value >> 32, value])
    {
        // Each half byte gets a byte of its own,
        let spread = part & 0xffff_ffff;
        let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
        let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
        let spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // and those above 9 are letters.
        let letters = (spread + 6 * ONES) >> 4 & ONES;
        let text = spread + u64::from(b'0') * ONES + u64::from(b'a' - b'0' - 10) * letters;
        *half = text.to_be_bytes();
    }
    digits
}

/// 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

fn take_hex<const COUNT: usize>(rest: &mut &[u8]) -> Option<u64> {
    let (head, tail) = rest.split_first_chunk::<COUNT>()?;
    let (mut value, mut all) = (0, 0);
    for &byte in head {
        let digit = DIGITS[usize::from(byte)];
        all |= digit;
        value = value << 4 | u64::from(digit);
    }
    *rest = tail;
    (all <= 0xf).then_some(value)
}

/// The value of each lower-case hexadecimal digit; 255 for all other bytes.
const DIGITS: [u8; 256] = {
    let mut table = [255; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// The keyed hashes inside branches and tags; holds the secret of the process.
#[derive(Clone, Debug)]
pub struct BranchKeys {
    mac: RandomState,
    looping: RandomState,
    tag: RandomState,
}

impl BranchKeys {
    /// From the secret, which all shards share.
    pub fn new(secret: u64) -> Self {
        let state = |salt: u64| {
            RandomState::with_seeds(
                secret.wrapping_add(salt),
                secret.rotate_left(13) ^ salt,
                secret.rotate_left(29).wrapping_mul(salt | 1),
                !secret ^ salt.rotate_left(32),
            )
        };
        Self {
            mac: state(0xa409_3822_299f_31d0),
            looping: state(0x082e_fa98_ec4e_6c89),
            tag: state(0x4528_21e6_38d0_1377),
        }
    }

    /// The mark of a stateless branch: the same for an INVITE, its retransmissions, its CANCEL and
    /// the ACK to a negative answer (RFC 3261 section 16.11), and recomputed from the reply, so that
    /// a forged reply cannot make us send anything anywhere.
    pub fn mac(
        &self,
        of: Identity<'_>,
        upstream_branch: Option<&[u8]>,
        reply_to: SocketAddr,
        socket: SocketId,
    ) -> u64 {
        let mut hasher = self.mac.build_hasher();
        hash_identity(of, &mut hasher);
        hasher.write(upstream_branch.unwrap_or_default());
        write_ip(reply_to.ip(), &mut hasher);
        hasher.write_u16(reply_to.port());
        hasher.write_u16(socket);
        hasher.finish()
    }

    /// The mark of everything about a request that decides where it is routed to. Who sent it is part of
    /// that: what a gateway sends back unchanged may be meant for somebody else than what callers send.
    pub fn loop_mark(&self, message: Message<'_>, source: IpAddr) -> u32 {
        let mut hasher = self.looping.build_hasher();
        write_ip(source, &mut hasher);
        hasher.write(message.request_uri().unwrap_or_default());
        hasher.write(message.call_id().unwrap_or_default());
        for line in message.all(Name::Route) {
            hasher.write(line.value);
        }
        hasher.finish() as u32
    }

    /// The To tag of an answer of our own: the same for every repeat of the request
    /// (RFC 3261 section 8.2.7).
    pub fn tag(&self, of: Identity<'_>) -> [u8; TAG_BYTES] {
        hex_digits(self.identity(of))
    }

    /// By which it is known again.
    pub fn identity(&self, of: Identity<'_>) -> u64 {
        let mut hasher = self.tag.build_hasher();
        hash_identity(of, &mut hasher);
        hasher.finish()
    }
}

fn hash_identity(of: Identity<'_>, hasher: &mut impl Hasher) {
    hasher.write(of.call_id);
    hasher.write(of.from_tag);
    hasher.write_u32(of.cseq);
}

fn write_ip(ip: IpAddr, hasher: &mut impl Hasher) {
    match ip {
        IpAddr::V4(v4) => hasher.write_u32(v4.to_bits()),
        IpAddr::V6(v6) => hasher.write_u128(v6.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(branch: Branch) {
        let mut text = Vec::new();
        branch.write(&mut text);
        assert_eq!(Branch::parse(&text), Some(branch));
        for cut in 0..text.len() {
            assert_eq!(Branch::parse(&text[..cut]), None, "cut at {cut}");
        }
        text.push(b'0');
        assert_ne!(Branch::parse(&text), Some(branch));
    }

    #[test]
    fn a_branch_is_read_back_as_written() {
        round_trip(Branch::Stateless {
            mac: 0x0123_4567_89ab_cdef,
            socket: 3,
            loop_mark: 0xdead_beef,
        });
        for number in [0, 9, 10, 12] {
            let mut text = Vec::new();
            let branch = Branch::Stateful {
                shard: 7,
                index: 99,
                token: u64::MAX,
                loop_mark: 1,
                number,
            };
            branch.write(&mut text);
            assert_eq!(Branch::parse(&text), Some(branch));
        }
        round_trip(Branch::Probe { token: 5 });
    }

    #[test]
    fn a_number_is_written_in_all_its_digits() {
        for value in [
            0,
            9,
            10,
            0xf,
            0x10,
            0x0123_4567_89ab_cdef,
            0xfedc_ba98_7654_3210,
            u64::MAX,
        ] {
            let expected = format!("{value:016x}");
            assert_eq!(hex_digits(value).as_slice(), expected.as_bytes());
        }
    }

    #[test]
    fn a_strangers_branch_is_not_ours() {
        for text in [&b""[..], b"z9hG4bK", b"z9hG4bKs", b"z9hG4bK776asdhds", b"1"] {
            assert_eq!(Branch::parse(text), None);
        }
    }
}
