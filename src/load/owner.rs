//! Who owns a call: Call-ID to slot, slot to shard.
//!
//! The hash is HalfSipHash-1-3 (Aumasson and Bernstein; Linux keeps its hash tables with it) over
//! the bytes of the Call-ID, with the boot-time seed as its key. It was chosen over the cheaper
//! multiply-and-rotate hashes because those have collisions that hold for every seed: a caller could
//! aim all its calls at one shard. And it needs nothing but additions, xors and rotations of 32-bit
//! words, so an eBPF program or a classic BPF one can compute the same in the kernel:
//!
//! 1. Four words of state from the two halves of the key.
//! 2. The Call-ID in words of 4 bytes, the first byte lowest: xor into v3, one round, xor into v0.
//! 3. The last word has the 0 to 3 bytes that are left, the first lowest, and in its top byte the
//!    length modulo 256. It is always there, even if no byte is left.
//! 4. v2 xor 0xff, three rounds, and the hash is v1 xor v3.
//!
//! The slot is the low `ds_hash_size` bits of the hash; shard = slot * shards >> `ds_hash_size`.

use std::ops::Range;

/// The number of a shard, 0 up to the number of shards less one.
pub type ShardId = u16;

/// Largest `ds_hash_size`.
pub const MAX_HASH_SIZE: u32 = 24;

/// The map from Call-IDs to the shards that own them; the same in every shard of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    seed: u64,
    hash_size: u32,
    shards: u32,
}

impl Ownership {
    /// 2^`hash_size` slots over `shards` shards. `seed` is drawn at boot and unknown to strangers.
    ///
    /// # Panics
    /// If `hash_size` is above [`MAX_HASH_SIZE`] or there is no shard.
    pub fn new(seed: u64, hash_size: u32, shards: u16) -> Self {
        assert!(hash_size <= MAX_HASH_SIZE, "ds_hash_size is checked before");
        assert!(shards > 0, "a process has at least one shard");
        Self {
            seed,
            hash_size,
            shards: u32::from(shards),
        }
    }

    /// The key of the hash.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// log2 of the number of slots.
    pub const fn hash_size(&self) -> u32 {
        self.hash_size
    }

    /// Number of shards.
    pub const fn shards(&self) -> u32 {
        self.shards
    }

    /// Number of slots.
    pub const fn slots(&self) -> u32 {
        1 << self.hash_size
    }

    /// The slot of a Call-ID (its value, without white space around it).
    pub fn slot(&self, call_id: &[u8]) -> u32 {
        half_siphash::<1, 3>(self.seed, call_id) & (self.slots() - 1)
    }

    /// The shard that owns a slot.
    pub fn owner_of(&self, slot: u32) -> ShardId {
        ((u64::from(slot) * u64::from(self.shards)) >> self.hash_size) as ShardId
    }

    /// The shard that owns a Call-ID.
    pub fn owner(&self, call_id: &[u8]) -> ShardId {
        if self.shards == 1 {
            // Whatever the slot is.
            return 0;
        }
        self.owner_of(self.slot(call_id))
    }

    /// The slots of a shard. With more shards than slots some own none.
    pub fn slots_of(&self, shard: ShardId) -> Range<u32> {
        let first = |shard: u32| {
            let slots = u64::from(shard) << self.hash_size;
            slots.div_ceil(u64::from(self.shards)) as u32
        };
        first(u32::from(shard))..first(u32::from(shard) + 1)
    }
}

/// The four words of state that a hash begins with.
pub fn first_state(key: u64) -> [u32; 4] {
    let (low, high) = (key as u32, (key >> 32) as u32);
    [low, high, 0x6c79_6765 ^ low, 0x7465_6462 ^ high]
}

/// HalfSipHash with `C` rounds for a word and `D` at the end.
fn half_siphash<const C: usize, const D: usize>(key: u64, bytes: &[u8]) -> u32 {
    let mut state = first_state(key);
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        absorb::<C>(&mut state, u32::from_le_bytes(*word));
    }
    let mut last = (bytes.len() as u32) << 24;
    for (i, &byte) in tail.iter().enumerate() {
        last |= u32::from(byte) << (8 * i);
    }
    absorb::<C>(&mut state, last);
    state[2] ^= 0xff;
    for _ in 0..D {
        round(&mut state);
    }
    state[1] ^ state[3]
}

fn absorb<const C: usize>(state: &mut [u32; 4], word: u32) {
    state[3] ^= word;
    for _ in 0..C {
        round(state);
    }
    state[0] ^= word;
}

fn round([v0, v1, v2, v3]: &mut [u32; 4]) {
    *v0 = v0.wrapping_add(*v1);
    *v1 = v1.rotate_left(5) ^ *v0;
    *v0 = v0.rotate_left(16);
    *v2 = v2.wrapping_add(*v3);
    *v3 = v3.rotate_left(8) ^ *v2;
    *v0 = v0.wrapping_add(*v3);
    *v3 = v3.rotate_left(7) ^ *v0;
    *v2 = v2.wrapping_add(*v1);
    *v1 = v1.rotate_left(13) ^ *v2;
    *v2 = v2.rotate_left(16);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The authors' vectors for 2 and 4 rounds: key 00 01 .. 07, message 00 01 .. of that length.
    #[test]
    fn it_is_the_published_function() {
        let key = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]);
        let vectors: [[u8; 4]; 5] = [
            [0xa9, 0x35, 0x9f, 0x5b],
            [0x27, 0x47, 0x5a, 0xb8],
            [0xfa, 0x62, 0xa6, 0x03],
            [0x8a, 0xfe, 0xe7, 0x04],
            [0x2a, 0x6e, 0x46, 0x89],
        ];
        let message = [0, 1, 2, 3];
        for (len, vector) in vectors.iter().enumerate() {
            let hash = half_siphash::<2, 4>(key, &message[..len]);
            assert_eq!(hash.to_le_bytes(), *vector, "length {len}");
        }
    }

    /// The kernel's programs must compute the same: this pins what they have to agree with.
    #[test]
    fn the_hash_of_a_call_id_never_changes() {
        let hash = |text: &[u8]| half_siphash::<1, 3>(0x0706_0504_0302_0100, text);
        assert_eq!(hash(b""), 0x5814_c896);
        assert_eq!(
            hash(b"a84b4c76e66710@pc33.atlanta.example.com"),
            0x6dab_8d04
        );
    }

    fn sequential(number: u32) -> Vec<u8> {
        format!("{number}-4711@192.0.2.7").into_bytes()
    }

    /// Chi-square of `counts` against an even spread; its mean is `counts.len() - 1`.
    fn chi_square(counts: &[u32]) -> f64 {
        let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        let square = |&count: &u32| (f64::from(count) - expected).powi(2) / expected;
        counts.iter().map(square).sum()
    }

    #[test]
    fn sequential_call_ids_spread_evenly_over_the_slots_whatever_the_seed() {
        for seed in 0..20 {
            let ownership = Ownership::new(seed, 8, 2);
            let mut counts = [0; 256];
            for number in 0..25_600 {
                counts[ownership.slot(&sequential(number)) as usize] += 1;
            }
            // 255 degrees of freedom: mean 255, deviation 22.6; six deviations either way.
            let chi = chi_square(&counts);
            assert!((120.0..391.0).contains(&chi), "seed {seed}: {chi}");
        }
    }

    #[test]
    fn the_seed_decides_the_slots() {
        let (one, other) = (Ownership::new(1, 16, 4), Ownership::new(2, 16, 4));
        let same = (0..10_000)
            .filter(|&n| one.slot(&sequential(n)) == other.slot(&sequential(n)))
            .count();
        assert!(same < 10, "{same} of 10,000 stay in their slot");
    }

    /// Flipping the top bits of two words cancels out in multiplicative hashes, whatever the seed.
    #[test]
    fn a_pattern_that_defeats_multiplicative_hashes_makes_no_collision() {
        let hash = |text: &[u8]| half_siphash::<1, 3>(99, text);
        let base = *b"0123456789abcdef0123456789abcdef";
        let collides = (0..7).filter(|&word| {
            let mut text = base;
            text[word * 4 + 3] ^= 0x80;
            text[word * 4 + 7] ^= 0x80;
            hash(&text) == hash(&base)
        });
        assert_eq!(collides.count(), 0);
    }

    #[test]
    fn with_more_shards_than_slots_some_shards_own_nothing() {
        let ownership = Ownership::new(0, 1, 4);
        let owned: Vec<_> = (0..4)
            .map(|shard| ownership.slots_of(shard).len())
            .collect();
        assert_eq!(owned.iter().sum::<usize>(), 2);
        assert!(owned.contains(&0));
    }

    proptest! {
        #[test]
        fn the_shards_own_adjoining_ranges_that_cover_all_slots(hash_size in 0..=12_u32, shards in 1..200_u16) {
            let ownership = Ownership::new(0, hash_size, shards);
            let mut next = 0;
            for shard in 0..shards {
                let slots = ownership.slots_of(shard);
                prop_assert_eq!(slots.start, next);
                prop_assert!(slots.clone().all(|slot| ownership.owner_of(slot) == shard));
                next = slots.end;
            }
            prop_assert_eq!(next, ownership.slots());
        }
    }
}
