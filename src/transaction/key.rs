//! Which server transaction a request belongs to: RFC 3261 section 17.2.3.
//!
//! The fields that identify a transaction are folded into 128 bits by a hash that is keyed with a
//! secret, so that a stranger can neither find two requests that collide nor aim at one bucket.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use crate::sip::{Message, Method, Via};

/// What every RFC 3261 branch begins with.
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The identity of a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionKey(u128);

impl TransactionKey {
    /// 32 of its bits, for an index.
    pub fn index_hash(self) -> u32 {
        self.0 as u32
    }
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
    pub fn key(&self, message: Message<'_>, via: &Via<'_>, method: Method) -> TransactionKey {
        let low = fold(&self.low, message, via, method);
        let high = fold(&self.high, message, via, method);
        TransactionKey(u128::from(high) << 64 | u128::from(low))
    }
}

fn fold(state: &RandomState, message: Message<'_>, via: &Via<'_>, method: Method) -> u64 {
    let mut hasher = state.build_hasher();
    let mut field = |bytes: &[u8]| {
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    };
    // Section 17.2.3 asks for branch and sent-by only. Call-ID and CSeq are in it too, since weak
    // clients behind one address do repeat branches.
    field(message.call_id().unwrap_or_default());
    let number = message.cseq().map_or(0, |cseq| cseq.number);
    field(&number.to_be_bytes());
    field(via.host);
    field(&via.port.unwrap_or(5060).to_be_bytes());
    match via.branch {
        Some(branch) if branch.starts_with(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len() => {
            field(branch);
        }
        // A client older than RFC 3261. The To tag is left out: the ACK carries the one that the
        // INVITE did not have.
        other => {
            field(other.unwrap_or_default());
            field(message.request_uri().unwrap_or_default());
            field(message.from_tag().unwrap_or_default());
        }
    }
    // INVITE, ACK and CANCEL share a branch; other methods never share one with them.
    let class = match method {
        Method::Ack | Method::Cancel => Method::Invite,
        other => other,
    };
    hasher.write_u8(class as u8);
    hasher.finish()
}
