//! A byte arena: many small byte strings (Call-IDs, messages) without an allocation for each.
//!
//! Owns: pages of memory, cut into buffers of one size class each. May touch: memory only.
//!
//! A string takes the smallest buffer that holds it: steps of 16 bytes up to 128, then four steps
//! to a doubling, so at most a quarter is wasted beyond the first steps. Freed buffers are linked
//! through their own first bytes and are reused before a new page is taken. Stored bytes never
//! move. Pages are kept until the arena is dropped, each for its class: after a peak the memory
//! stays, and in a steady state nothing is allocated.

/// Longest string that can be stored.
pub const MAX_STORED_BYTES: usize = 128 * 1024;

/// Classes of 16, 32, ... 128 bytes.
const SMALL_CLASSES: usize = 8;
/// log2 of the largest small class.
const SMALL_BITS: u32 = 7;
const CLASSES: usize =
    SMALL_CLASSES + 4 * (MAX_STORED_BYTES.ilog2() as usize - SMALL_BITS as usize);
/// Pages are about this big, those of large classes bigger.
const PAGE_BYTES: usize = 64 * 1024;
/// Fewest buffers in a page.
const MIN_BUFFERS: usize = 4;
/// No buffer.
const NIL: u32 = u32::MAX;

/// Names a stored string. It is worth nothing after [`Arena::free`]: keep no copy beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// The number of the buffer in its class; the class follows from the length.
    index: u32,
    len: u32,
}

impl Bytes {
    /// The empty string, which takes no buffer.
    pub const EMPTY: Self = Self { index: NIL, len: 0 };

    /// Length of the string.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether the string is empty.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// The buffers of one size.
#[derive(Debug)]
struct Class {
    /// Bytes in a buffer.
    size: usize,
    /// log2 of the buffers in a page.
    page_shift: u32,
    pages: Vec<Box<[u8]>>,
    /// Buffers that were ever handed out; the rest of the last page has none yet.
    used: u32,
    /// The first free buffer; each holds the number of the next in its first four bytes.
    free: u32,
    /// Which buffers hold a string: catches a string that is freed twice or read after that.
    #[cfg(debug_assertions)]
    live: Vec<bool>,
}

/// A store of byte strings.
#[derive(Debug)]
pub struct Arena {
    classes: Box<[Class]>,
    allocated_bytes: usize,
    max_bytes: usize,
    /// Strings stored now, empty ones not counted.
    in_use: usize,
    /// Bytes of the buffers that they take.
    in_use_bytes: usize,
}

impl Arena {
    /// An empty arena; it takes a page when it first needs one.
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// An arena whose pages take at most `max_bytes` together. The first page of a class takes up
    /// to 64 KiB (for strings over 16 KiB: four times the string).
    pub fn bounded(max_bytes: usize) -> Self {
        Self {
            classes: (0..CLASSES).map(Class::new).collect(),
            allocated_bytes: 0,
            max_bytes,
            in_use: 0,
            in_use_bytes: 0,
        }
    }

    /// Stores a string. `None` if it is longer than [`MAX_STORED_BYTES`] or the arena's bound is
    /// reached.
    pub fn try_store(&mut self, bytes: &[u8]) -> Option<Bytes> {
        if bytes.is_empty() {
            return Some(Bytes::EMPTY);
        }
        if bytes.len() > MAX_STORED_BYTES {
            return None;
        }
        let class = &mut self.classes[class_of(bytes.len())];
        if class.is_exhausted() {
            if class.page_bytes() > self.max_bytes - self.allocated_bytes {
                return None;
            }
            self.allocated_bytes += class.page_bytes();
            class.add_page();
        }
        self.in_use += 1;
        self.in_use_bytes += class.size;
        let index = class.take();
        class.buffer_mut(index)[..bytes.len()].copy_from_slice(bytes);
        Some(Bytes {
            index,
            len: bytes.len() as u32,
        })
    }

    /// Stores a string.
    ///
    /// # Panics
    /// If it is longer than [`MAX_STORED_BYTES`] (no SIP message over UDP is, whatever was added to
    /// it) or if the arena is bounded and full; use [`Arena::try_store`] on a bounded one.
    pub fn store(&mut self, bytes: &[u8]) -> Bytes {
        self.try_store(bytes)
            .expect("the caller keeps to the arena's bounds")
    }

    /// The bytes of a stored string.
    pub fn get(&self, bytes: Bytes) -> &[u8] {
        if bytes.is_empty() {
            return &[];
        }
        let class = &self.classes[class_of(bytes.len())];
        #[cfg(debug_assertions)]
        debug_assert!(class.live[bytes.index as usize], "read after free");
        &class.buffer(bytes.index)[..bytes.len()]
    }

    /// Gives back the buffer of a string.
    pub fn free(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            let class = &mut self.classes[class_of(bytes.len())];
            class.give_back(bytes.index);
            self.in_use -= 1;
            self.in_use_bytes -= class.size;
        }
    }

    /// Strings stored now; empty ones, which take nothing, are not counted.
    pub const fn in_use(&self) -> usize {
        self.in_use
    }

    /// Bytes of the buffers that hold strings now.
    pub const fn in_use_bytes(&self) -> usize {
        self.in_use_bytes
    }

    /// Bytes taken from the allocator for pages, in use or free.
    pub const fn allocated_bytes(&self) -> usize {
        self.allocated_bytes
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Class {
    fn new(class: usize) -> Self {
        let size = size_of_class(class);
        Self {
            size,
            page_shift: (PAGE_BYTES / size).max(MIN_BUFFERS).ilog2(),
            pages: Vec::new(),
            used: 0,
            free: NIL,
            #[cfg(debug_assertions)]
            live: Vec::new(),
        }
    }

    const fn page_bytes(&self) -> usize {
        self.size << self.page_shift
    }

    /// Whether the next string needs a new page.
    fn is_exhausted(&self) -> bool {
        self.free == NIL && self.used as usize == self.pages.len() << self.page_shift
    }

    fn add_page(&mut self) {
        self.pages.push(vec![0; self.page_bytes()].into());
        #[cfg(debug_assertions)]
        self.live.resize(self.pages.len() << self.page_shift, false);
    }

    /// A free buffer, of which there is one.
    fn take(&mut self) -> u32 {
        let index = if self.free == NIL {
            self.used += 1;
            self.used - 1
        } else {
            let index = self.free;
            let link = self.buffer(index).first_chunk();
            self.free = u32::from_le_bytes(*link.expect("a buffer has 16 bytes or more"));
            index
        };
        #[cfg(debug_assertions)]
        {
            self.live[index as usize] = true;
        }
        index
    }

    fn give_back(&mut self, index: u32) {
        #[cfg(debug_assertions)]
        debug_assert!(
            std::mem::replace(&mut self.live[index as usize], false),
            "freed twice"
        );
        let link = self.free.to_le_bytes();
        self.buffer_mut(index)[..link.len()].copy_from_slice(&link);
        self.free = index;
    }

    fn buffer(&self, index: u32) -> &[u8] {
        let (page, start) = self.place(index);
        &self.pages[page][start..start + self.size]
    }

    fn buffer_mut(&mut self, index: u32) -> &mut [u8] {
        let (page, start) = self.place(index);
        &mut self.pages[page][start..start + self.size]
    }

    /// The page of a buffer and where in it the buffer begins.
    const fn place(&self, index: u32) -> (usize, usize) {
        let page = index >> self.page_shift;
        let slot = index & ((1 << self.page_shift) - 1);
        (page as usize, slot as usize * self.size)
    }
}

/// The class of strings of this length (1 to [`MAX_STORED_BYTES`]).
const fn class_of(len: usize) -> usize {
    let last = len - 1;
    if len <= 1 << SMALL_BITS {
        return last / 16;
    }
    let bits = last.ilog2();
    SMALL_CLASSES + 4 * (bits - SMALL_BITS) as usize + (last >> (bits - 2) & 3)
}

/// Bytes in a buffer of this class.
const fn size_of_class(class: usize) -> usize {
    if class < SMALL_CLASSES {
        return (class + 1) * 16;
    }
    let large = class - SMALL_CLASSES;
    (5 + large % 4) << (large / 4 + SMALL_BITS as usize - 2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_has_the_smallest_class_that_holds_it() {
        for len in 1..=MAX_STORED_BYTES {
            let class = class_of(len);
            assert!(size_of_class(class) >= len, "{len}");
            assert!(class == 0 || size_of_class(class - 1) < len, "{len}");
        }
        assert_eq!(class_of(MAX_STORED_BYTES), CLASSES - 1);
        assert_eq!(size_of_class(CLASSES - 1), MAX_STORED_BYTES);
        assert_eq!(size_of::<Bytes>(), 8);
    }

    #[test]
    fn a_class_is_at_most_a_quarter_larger_than_the_one_before() {
        for class in SMALL_CLASSES..CLASSES {
            assert!(size_of_class(class) * 4 <= size_of_class(class - 1) * 5);
        }
    }

    #[test]
    fn freed_buffers_are_reused_before_memory_grows() {
        let mut arena = Arena::new();
        let text = [7; 900];
        let many =
            |arena: &mut Arena| -> Vec<Bytes> { (0..1_000).map(|_| arena.store(&text)).collect() };
        let first = many(&mut arena);
        let peak = arena.allocated_bytes();
        assert!((900_000..1_200_000).contains(&peak), "{peak}");
        for bytes in first {
            arena.free(bytes);
        }
        let second = many(&mut arena);
        assert_eq!(arena.allocated_bytes(), peak);
        assert!(second.iter().all(|&bytes| arena.get(bytes) == text));
    }

    #[test]
    fn stored_bytes_do_not_move_while_it_grows() {
        let mut arena = Arena::new();
        let bytes = arena.store(b"3848276298220188511@atlanta.example.com");
        let place = arena.get(bytes).as_ptr();
        for _ in 0..10_000 {
            arena.store(b"3848276298220188511@atlanta.example.com");
        }
        assert_eq!(arena.get(bytes).as_ptr(), place);
    }

    #[test]
    fn the_empty_string_takes_no_memory() {
        let mut arena = Arena::new();
        let bytes = arena.store(b"");
        assert_eq!(arena.get(bytes), b"");
        arena.free(bytes);
        arena.free(bytes);
        assert_eq!(arena.allocated_bytes(), 0);
    }

    #[test]
    fn a_bounded_arena_refuses_the_page_that_would_pass_its_bound() {
        let mut arena = Arena::bounded(60_000);
        let long = vec![1; 12_000];
        let stored: Vec<Bytes> = std::iter::from_fn(|| arena.try_store(&long)).collect();
        assert_eq!(stored.len(), 4);
        assert!(arena.allocated_bytes() <= 60_000);
        assert_eq!(arena.try_store(&vec![1; 40_000]), None);
        arena.free(stored[2]);
        assert!(arena.try_store(&long).is_some());
    }

    #[test]
    fn a_string_over_the_limit_is_refused() {
        let mut arena = Arena::new();
        assert!(arena.try_store(&vec![1; MAX_STORED_BYTES]).is_some());
        assert_eq!(arena.try_store(&vec![1; MAX_STORED_BYTES + 1]), None);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "freed twice")]
    fn freeing_twice_is_caught_in_debug_builds() {
        let mut arena = Arena::new();
        let bytes = arena.store(b"x");
        arena.free(bytes);
        arena.free(bytes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_holds_what_a_map_holds(
            steps in prop::collection::vec((any::<bool>(), 0..3_usize, 0..3_000_usize, any::<u8>()), 1..300),
        ) {
            let mut arena = Arena::new();
            let mut model: BTreeMap<usize, (Bytes, Vec<u8>)> = BTreeMap::new();
            for (number, (store, kind, len, fill)) in steps.into_iter().enumerate() {
                if store {
                    let len = [len % 64, len, len * 40][kind];
                    let text: Vec<u8> = (0..len).map(|i| fill ^ i as u8).collect();
                    model.insert(number, (arena.store(&text), text));
                } else if let Some(&key) = model.keys().min_by_key(|&&key| (key * 31 + len) % 97) {
                    let (bytes, text) = model.remove(&key).expect("the key is there");
                    prop_assert_eq!(arena.get(bytes), &text);
                    arena.free(bytes);
                }
                for (bytes, text) in model.values() {
                    prop_assert_eq!(arena.get(*bytes), text);
                }
            }
        }
    }
}
