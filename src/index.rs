//! A hash index from a 64-bit hash to a `u32` place, in segments, so that growing it never stalls.
//!
//! One large table doubles by rehashing millions of entries at once: tens of milliseconds in which
//! a shard answers nobody. 256 segments by the high bits of the hash grow one by one, each in
//! microseconds. What is at a place (and whether it equals what is sought) is the caller's to say.

use hashbrown::HashTable;

const SEGMENTS: usize = 256;

/// The index. Hashes must be keyed with a secret when what is hashed comes from outside.
#[derive(Debug)]
pub struct SegmentedIndex {
    segments: Box<[HashTable<u32>]>,
}

impl Default for SegmentedIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl SegmentedIndex {
    /// An empty index; it allocates with its first entries.
    pub fn new() -> Self {
        Self {
            segments: (0..SEGMENTS).map(|_| HashTable::new()).collect(),
        }
    }

    /// The high bits choose the segment: the table inside uses the low ones and the highest seven,
    /// so the segment takes bits from between.
    fn segment(hash: u64) -> usize {
        (hash >> 48) as usize % SEGMENTS
    }

    /// The place with this hash that `is_it` confirms.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.segments[Self::segment(hash)]
            .find(hash, |&place| is_it(place))
            .copied()
    }

    /// Adds a place. `hash_of` gives the hash of any place that is in the index, for growing.
    pub fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        self.segments[Self::segment(hash)].insert_unique(hash, place, |&other| {
            if other == place { hash } else { hash_of(other) }
        });
    }

    /// Removes a place; says whether it was there.
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        self.segments[Self::segment(hash)]
            .find_entry(hash, |&other| other == place)
            .map(hashbrown::hash_table::OccupiedEntry::remove)
            .is_ok()
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(HashTable::allocation_size).sum()
    }
}
