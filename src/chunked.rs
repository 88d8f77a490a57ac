//! A growable array whose elements never move.
//!
//! A `Vec` that doubles copies everything it holds, which at a million elements is a pause that
//! calls can feel. This one grows by chunks of fixed size and copies nothing but its chunk table.
//! Owns: its elements. May touch: memory only.

use std::ops::{Index, IndexMut};

/// Elements in a chunk; a power of two.
const CHUNK: usize = 1 << SHIFT;
const SHIFT: u32 = 10;

/// A growable array; elements are pushed and indexed, and stay until it is dropped.
#[derive(Debug)]
pub struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Chunked<T> {
    /// An empty array; it allocates with the first push.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }

    /// Number of elements.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether it has no element.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an element and returns its index.
    pub fn push(&mut self, element: T) -> u32 {
        let index = self.len;
        if index as usize >> SHIFT == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[index as usize >> SHIFT].push(element);
        self.len += 1;
        index
    }

    /// All elements in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Bytes taken from the allocator.
    pub fn allocated_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<u32> for Chunked<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        &self.chunks[index as usize >> SHIFT][index as usize & (CHUNK - 1)]
    }
}

impl<T> IndexMut<u32> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.chunks[index as usize >> SHIFT][index as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_index_and_their_place_while_it_grows() {
        let mut array = Chunked::new();
        assert_eq!(array.push(0_u64), 0);
        let place = &raw const array[0];
        for i in 1..5_000_u64 {
            assert_eq!(u64::from(array.push(i)), i);
        }
        assert_eq!(&raw const array[0], place);
        assert_eq!(array.len(), 5_000);
        assert!((0..5_000).all(|i| array[i] == u64::from(i)));
        assert!(array.iter().copied().eq(0..5_000));
        assert!(array.allocated_bytes() >= 5_000 * 8);
    }
}
