//! Numbers that nobody outside can foretell, not even a gateway that sees many of them.
//!
//! A keepalive's answer is believed because it carries the keepalive's token. The pure rooms'
//! generator is no secret-keeper: whoever sees a few of its numbers knows the rest. So its seed only
//! gives a key, and SipHash-2-4 (Aumasson and Bernstein, 2012) of a counter gives the numbers.

use crate::rng::Rng;

/// A stream of secret numbers, fixed by its seed.
#[derive(Debug)]
pub(super) struct Tokens {
    key: [u64; 2],
    counter: u64,
}

impl Tokens {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            key: [rng.next(), rng.next()],
            counter: 0,
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        siphash(self.key, self.counter)
    }
}

/// SipHash-2-4 of a message of eight bytes.
fn siphash(key: [u64; 2], message: u64) -> u64 {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    // The last word holds the message's length in its highest byte and no rest.
    for word in [message, 8 << 56] {
        v[3] ^= word;
        round(&mut v);
        round(&mut v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_gives_the_numbers_of_its_paper() {
        // The reference implementation's vector for the message 00 01 .. 07 under key 00 01 .. 0f.
        let word = |first: u8| u64::from_le_bytes(std::array::from_fn(|i| first + i as u8));
        let hash = siphash([word(0), word(8)], word(0));
        assert_eq!(
            hash.to_le_bytes(),
            [0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93]
        );
    }
}
