//! A hash index: from the hash of a key to the numbers of the places that may have it. The call
//! table finds its cells by it, and a shard its transactions.
//!
//! Extendible hashing: pages of 512 entries, and a directory that finds the page by the top bits of
//! the hash. A page that is three quarters full is split in two by the next bit. So the table grows
//! by 4 KiB at a time, the longest pause of a growth is the time to deal out one page (the directory
//! has one word for a page or two), and a search is as long at a million cells as at a thousand.
//! Within a page: linear probing, and removing closes the gap, so that nothing is left behind that
//! would lengthen searches or have to be cleaned up.

/// Entries in a page; a power of two.
const PAGE: usize = 512;
const MASK: usize = PAGE - 1;
/// A page with this many entries is split.
const FULL: usize = PAGE / 4 * 3;
/// Most hash bits that the directory uses; the others tell the place in the page.
const MAX_DEPTH: u32 = 32 - PAGE.ilog2();

/// No further entry has room: thousands of keys with nearly the same hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexFull;

/// Hash in the upper half, the cell's number plus one in the lower; 0 is an empty place.
type Entry = u64;

fn entry(hash: u32, cell: u32) -> Entry {
    u64::from(hash) << 32 | (u64::from(cell) + 1)
}

const fn hash_of(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

/// The place in its page where the search for a hash begins.
const fn home(hash: u32) -> usize {
    hash as usize & MASK
}

#[derive(Debug)]
struct Page {
    entries: Box<[Entry; PAGE]>,
    len: usize,
    /// The top hash bits that all its entries share.
    depth: u32,
}

impl Page {
    fn new(depth: u32) -> Self {
        let entries = vec![0; PAGE].into_boxed_slice();
        Self {
            entries: entries.try_into().expect("the length is that of a page"),
            len: 0,
            depth,
        }
    }

    fn put(&mut self, entry: Entry) {
        let mut place = home(hash_of(entry));
        while self.entries[place] != 0 {
            place = (place + 1) & MASK;
        }
        self.entries[place] = entry;
        self.len += 1;
    }

    fn replace(&mut self, old: Entry, new: Entry) -> bool {
        let mut place = home(hash_of(old));
        while self.entries[place] != old {
            if self.entries[place] == 0 {
                return false;
            }
            place = (place + 1) & MASK;
        }
        self.entries[place] = new;
        true
    }

    fn remove(&mut self, entry: Entry) -> bool {
        let mut gap = home(hash_of(entry));
        while self.entries[gap] != entry {
            if self.entries[gap] == 0 {
                return false;
            }
            gap = (gap + 1) & MASK;
        }
        let mut place = gap;
        loop {
            place = (place + 1) & MASK;
            let moved = self.entries[place];
            if moved == 0 {
                break;
            }
            // It may move back to the gap unless its search would begin behind the gap.
            let way = place.wrapping_sub(home(hash_of(moved))) & MASK;
            if way >= place.wrapping_sub(gap) & MASK {
                self.entries[gap] = moved;
                gap = place;
            }
        }
        self.entries[gap] = 0;
        self.len -= 1;
        true
    }
}

/// The index. Keys are compared by whoever owns the places.
/// Hashes of what comes from outside must be keyed with a secret.
#[derive(Debug)]
pub struct Index {
    /// The number of a page for each value of the top `depth` bits of a hash.
    directory: Vec<u32>,
    depth: u32,
    pages: Vec<Page>,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An empty index.
    pub fn new() -> Self {
        Self {
            directory: vec![0],
            depth: 0,
            pages: vec![Page::new(0)],
        }
    }

    /// The first cell under this hash for which `is_it` holds.
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let entries = &self.pages[self.page_of(hash)].entries;
        let mut place = home(hash);
        loop {
            let entry = entries[place];
            if entry == 0 {
                return None;
            }
            if hash_of(entry) == hash {
                let cell = entry as u32 - 1;
                if is_it(cell) {
                    return Some(cell);
                }
            }
            place = (place + 1) & MASK;
        }
    }

    /// Adds a cell under its hash.
    pub fn insert(&mut self, hash: u32, cell: u32) -> Result<(), IndexFull> {
        let mut number = self.page_of(hash);
        while self.pages[number].len >= FULL && self.pages[number].depth < MAX_DEPTH {
            self.split(number);
            number = self.page_of(hash);
        }
        // A search ends at an empty place: one is always left.
        if self.pages[number].len == PAGE - 1 {
            return Err(IndexFull);
        }
        self.pages[number].put(entry(hash, cell));
        Ok(())
    }

    /// Puts another cell in the place of one under the same hash; false if that was not there.
    pub fn replace(&mut self, hash: u32, cell: u32, other: u32) -> bool {
        let number = self.page_of(hash);
        self.pages[number].replace(entry(hash, cell), entry(hash, other))
    }

    /// Removes a cell from under its hash; false if it was not there.
    pub fn remove(&mut self, hash: u32, cell: u32) -> bool {
        let number = self.page_of(hash);
        self.pages[number].remove(entry(hash, cell))
    }

    /// Removes cells from under their hashes, those that are there.
    pub fn remove_all(&mut self, cells: &[(u32, u32)]) {
        // Each lies elsewhere in memory. If nothing else is done meanwhile, the processor fetches many at
        // a time.
        let first_looks = cells
            .iter()
            .map(|&(hash, _)| self.pages[self.page_of(hash)].entries[home(hash)]);
        std::hint::black_box(first_looks.fold(0, |all, entry| all ^ entry));
        for &(hash, cell) in cells {
            self.remove(hash, cell);
        }
    }

    /// Bytes taken from the allocator.
    pub fn allocated_bytes(&self) -> usize {
        self.pages.len() * size_of::<[Entry; PAGE]>()
            + self.pages.capacity() * size_of::<Page>()
            + self.directory.capacity() * size_of::<u32>()
    }

    fn page_of(&self, hash: u32) -> usize {
        self.directory[(u64::from(hash) >> (32 - self.depth)) as usize] as usize
    }

    /// Deals a page's entries out over itself and a new page by one more bit of their hashes.
    fn split(&mut self, number: usize) {
        let depth = self.pages[number].depth + 1;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|&page| [page; 2]).collect();
            self.depth = depth;
        }
        let upper = self.pages.len();
        self.pages.push(Page::new(depth));
        let page = &mut self.pages[number];
        page.depth = depth;
        page.len = 0;
        let entries = std::mem::replace(&mut *page.entries, [0; PAGE]);
        let mut some_hash = 0;
        for entry in entries.into_iter().filter(|&entry| entry != 0) {
            some_hash = hash_of(entry);
            let is_upper = some_hash >> (32 - depth) & 1 == 1;
            self.pages[if is_upper { upper } else { number }].put(entry);
        }
        // The words of the directory that lead to the old page adjoin; the upper half is the new one's.
        let prefix = (some_hash >> (32 - depth) | 1) as usize;
        let span = 1 << (self.depth - depth);
        self.directory[prefix * span..(prefix + 1) * span].fill(upper as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    fn holds(index: &Index, hash: u32, cell: u32) -> bool {
        index.find(hash, |found| found == cell) == Some(cell)
    }

    #[test]
    fn it_grows_by_pages_and_finds_everything() {
        let mut index = Index::new();
        let hashes: Vec<u32> = {
            let mut rng = Rng::from_seed(3);
            (0..100_000).map(|_| rng.next() as u32).collect()
        };
        let mut before = index.pages.len();
        for (cell, &hash) in hashes.iter().enumerate() {
            index.insert(hash, cell as u32).expect("there is room");
            assert!(index.pages.len() <= before + 1, "one page at a time");
            before = index.pages.len();
        }
        for (cell, &hash) in hashes.iter().enumerate() {
            assert!(holds(&index, hash, cell as u32));
        }
        let bytes = index.allocated_bytes() / hashes.len();
        assert!(bytes <= 24, "{bytes} bytes for an entry");
        for (cell, &hash) in hashes.iter().enumerate() {
            assert!(index.remove(hash, cell as u32));
            assert!(!index.remove(hash, cell as u32));
        }
        assert!(index.pages.iter().all(|page| page.len == 0));
    }

    #[test]
    fn searches_stay_short_as_it_grows() {
        let mut index = Index::new();
        let mut rng = Rng::from_seed(4);
        for cell in 0..300_000 {
            index
                .insert(rng.next() as u32, cell)
                .expect("there is room");
        }
        let longest = |page: &Page| {
            let way = |(place, &entry): (usize, &Entry)| match entry {
                0 => 0,
                _ => place.wrapping_sub(home(hash_of(entry))) & MASK,
            };
            page.entries.iter().enumerate().map(way).sum::<usize>()
        };
        let ways: usize = index.pages.iter().map(longest).sum();
        assert!(ways < 300_000 * 3, "mean way {}", ways as f64 / 300_000.0);
    }

    #[test]
    fn equal_hashes_are_refused_before_a_search_could_become_endless() {
        let mut index = Index::new();
        let mut cell = 0;
        while index.insert(0xdead_beef, cell).is_ok() {
            cell += 1;
        }
        assert_eq!(cell as usize, PAGE - 1);
        assert_eq!(index.find(0xdead_beef, |_| false), None);
        assert!(index.remove(0xdead_beef, 7));
        assert_eq!(index.insert(0xdead_beef, 7), Ok(()));
    }

    #[test]
    fn a_cell_is_replaced_where_it_is() {
        let mut index = Index::new();
        for cell in 0..5 {
            index.insert(0xdead_beef, cell).expect("there is room");
        }
        assert!(index.replace(0xdead_beef, 3, 1 << 31));
        assert!(!index.replace(0xdead_beef, 3, 9), "it is gone");
        assert!(!index.replace(0xdead_bee0, 4, 9), "another hash");
        assert!(!holds(&index, 0xdead_beef, 3) && holds(&index, 0xdead_beef, 1 << 31));
        assert!(holds(&index, 0xdead_beef, 4), "what lies behind is found");
        assert!(index.remove(0xdead_beef, 1 << 31));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_holds_what_a_set_holds(seed in any::<u64>(), spread in 1..12_u32) {
            // Few distinct low bits make long runs that wrap around the page's end.
            let mut rng = Rng::from_seed(seed);
            let mut index = Index::new();
            let mut model = BTreeSet::new();
            for _ in 0..2_000 {
                let draw = rng.next();
                let low = (draw as u32 % (1 << spread)).wrapping_sub(3) & MASK as u32;
                let pair = ((draw >> 32) as u32 & !(MASK as u32) | low, (draw >> 20) as u32 % 64);
                if model.contains(&pair) {
                    continue;
                }
                index.insert(pair.0, pair.1).expect("there is room");
                model.insert(pair);
                if !draw.is_multiple_of(3) {
                    let victim = *model.range((draw as u32, 0)..).next().unwrap_or(&pair);
                    prop_assert!(index.remove(victim.0, victim.1));
                    model.remove(&victim);
                    prop_assert!(!holds(&index, victim.0, victim.1));
                }
            }
            for &(hash, cell) in &model {
                prop_assert!(holds(&index, hash, cell));
            }
            let len: usize = index.pages.iter().map(|page| page.len).sum();
            prop_assert_eq!(len, model.len());
        }
    }
}
