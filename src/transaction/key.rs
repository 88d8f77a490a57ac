//! Which server transaction a request belongs to: RFC 3261 section 17.2.3.
//!
//! The fields that identify a transaction are folded into 128 bits by a hash that is keyed with a
//! secret, so that a stranger can neither find two requests that collide nor aim at one bucket.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use crate::sip::{Identity, Message, Method, Via};

/// What every RFC 3261 branch begins with.
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The identity of a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionKey {
    high: u64,
    low: u64,
}

impl TransactionKey {
    /// 32 of its bits, for an index.
    pub fn index_hash(self) -> u32 {
        self.low as u32
    }

    /// One of these parts, for tests of what holds keys.
    #[cfg(test)]
    pub fn of_parts(high: u64, low: u64) -> Self {
        Self { high, low }
    }
}

/// Whether a branch is one of RFC 3261, which no other transaction of its sender has: then a reply has
/// all that the key is made of.
pub fn is_unique(branch: &[u8]) -> bool {
    branch.starts_with(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len()
}

/// Makes keys; holds the secret.
#[derive(Clone, Debug)]
pub struct KeyMaker {
    low: RandomState,
    high: RandomState,
}

impl KeyMaker {
    /// From the secret of the process.
    pub fn new(secret: u64) -> Self {
        let state = |salt: u64| {
            RandomState::with_seeds(
                secret ^ salt,
                secret.rotate_left(17).wrapping_add(salt),
                secret.rotate_left(34) ^ !salt,
                secret.rotate_left(51).wrapping_mul(salt | 1),
            )
        };
        Self {
            low: state(0x243f_6a88_85a3_08d3),
            high: state(0x1319_8a2e_0370_7344),
        }
    }

    /// The key of a request with this top Via. ACK and CANCEL get the key of the INVITE that they
    /// belong to.
    pub fn key(
        &self,
        message: Message<'_>,
        of: Identity<'_>,
        via: &Via<'_>,
        method: Method,
    ) -> TransactionKey {
        let branch = via.branch.unwrap_or_default();
        // Section 17.2.3 asks for branch and sent-by only. Call-ID and CSeq are in it too, since weak
        // clients behind one address do repeat branches. A client older than RFC 3261 is known by more.
        // The To tag is left out: the ACK carries the one that the INVITE did not have.
        let uri = message.request_uri().unwrap_or_default();
        let texts = [of.call_id, via.host, branch, uri, of.from_tag];
        let texts = if is_unique(branch) {
            &texts[..3]
        } else {
            &texts
        };
        // INVITE, ACK and CANCEL share a branch; other methods never share one with them.
        let class = match method {
            Method::Ack | Method::Cancel => Method::Invite,
            other => other,
        };
        let port = via.port.unwrap_or(5060);
        let numbers = u64::from(of.cseq) << 32 | u64::from(port) << 16 | class as u64;
        let fold = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(numbers);
            for text in texts {
                hasher.write_usize(text.len());
                hasher.write(text);
            }
            hasher.finish()
        };
        TransactionKey {
            high: fold(&self.high),
            low: fold(&self.low),
        }
    }
}
