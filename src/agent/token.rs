//! Names of calls that need no table: a slab index and a serial number, scrambled into 16 hex digits.
//!
//! A caller writes them into its Call-IDs and branches, a gateway into its To tags; what comes back is
//! unscrambled and checked against the slot. The scrambling (the finaliser of splitmix64, a bijection)
//! is there so that Call-IDs look like anyone's: a hash over them must not meet a counter.

/// One use of one slot of a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Index into the slab.
    pub slot: u32,
    /// Counts the uses; never the same twice for one agent.
    pub serial: u32,
}

/// How many hex digits a token has.
pub(super) const TOKEN_DIGITS: usize = 16;
/// How many hex digits an agent's mark has.
pub(super) const MARK_DIGITS: usize = 8;

/// Turns places into tokens and back, with one agent's own key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    key: u64,
    mark: [u8; MARK_DIGITS],
}

impl Tokens {
    /// From two random numbers: the key of the scrambling, and what marks this agent's messages.
    pub fn new(key: u64, mark: u32) -> Self {
        let mut digits = [0; MARK_DIGITS];
        write_hex(u64::from(mark), &mut digits);
        Self { key, mark: digits }
    }

    /// Eight hex digits that tell this agent's calls from any other's.
    pub fn mark(&self) -> &[u8; MARK_DIGITS] {
        &self.mark
    }

    /// The token of a place.
    pub fn token(&self, place: Place) -> u64 {
        scramble(((u64::from(place.serial) << 32) | u64::from(place.slot)) ^ self.key)
    }

    /// The place that a token names. Any number names one: whether it is real, the slab knows.
    pub fn place(&self, token: u64) -> Place {
        let plain = unscramble(token) ^ self.key;
        Place {
            slot: plain as u32,
            serial: (plain >> 32) as u32,
        }
    }

    /// Reads `prefix`, the mark, a separator, a token; returns the token and what follows it.
    pub fn read<'a>(&self, text: &'a [u8], prefix: &[u8]) -> Option<(u64, &'a [u8])> {
        let rest = text.strip_prefix(prefix)?.strip_prefix(&self.mark)?;
        let (separator, rest) = rest.split_first()?;
        if *separator != b'-' {
            return None;
        }
        let (digits, rest) = rest.split_first_chunk::<TOKEN_DIGITS>()?;
        Some((parse_hex(digits)?, rest))
    }
}

/// Writes the low digits of `value` in lower-case hex, as many as `digits` holds.
pub(super) fn write_hex(value: u64, digits: &mut [u8]) {
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = HEX[(rest & 15) as usize];
        rest >>= 4;
    }
}

/// The value of each lower-case hex digit; `NO_DIGIT` for anything else.
const NIBBLES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        table[HEX[value] as usize] = value as u8;
        value += 1;
    }
    table
};
const HEX: &[u8; 16] = b"0123456789abcdef";
const NO_DIGIT: u8 = 0x80;

/// Sixteen lower-case hex digits as a number.
pub(super) fn parse_hex(digits: &[u8; TOKEN_DIGITS]) -> Option<u64> {
    let mut value = 0;
    let mut seen = 0;
    for digit in digits {
        let nibble = NIBBLES[usize::from(*digit)];
        seen |= nibble;
        value = (value << 4) | u64::from(nibble);
    }
    (seen & NO_DIGIT == 0).then_some(value)
}

/// A bijection on 64 bits in which each bit of the input moves half of the output's.
pub(super) fn scramble(value: u64) -> u64 {
    let z = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn unscramble(value: u64) -> u64 {
    let z = (value ^ (value >> 31) ^ (value >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    let z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_names_its_place(key: u64, mark: u32, slot: u32, serial: u32) {
            let tokens = Tokens::new(key, mark);
            let place = Place { slot, serial };
            prop_assert_eq!(tokens.place(tokens.token(place)), place);
        }

        #[test]
        fn what_is_written_is_read_back(key: u64, mark: u32, token: u64) {
            let tokens = Tokens::new(key, mark);
            let mut digits = [0; TOKEN_DIGITS];
            write_hex(token, &mut digits);
            let mut text = b"z9hG4bK-".to_vec();
            text.extend_from_slice(tokens.mark());
            text.push(b'-');
            text.extend_from_slice(&digits);
            text.extend_from_slice(b"-1i");
            prop_assert_eq!(tokens.read(&text, b"z9hG4bK-"), Some((token, &b"-1i"[..])));
        }
    }

    #[test]
    fn foreign_and_broken_texts_are_refused() {
        let tokens = Tokens::new(7, 0xabcd_0123);
        let good = b"abcd0123-0123456789abcdef";
        assert_eq!(
            tokens.read(good, b""),
            Some((0x0123_4567_89ab_cdef, &b""[..]))
        );
        for bad in [
            &b"abcd0124-0123456789abcdef"[..],
            b"abcd0123_0123456789abcdef",
            b"abcd0123-0123456789ABCDEF",
            b"abcd0123-0123456789abcde",
            b"",
        ] {
            assert_eq!(tokens.read(bad, b""), None);
        }
    }
}
