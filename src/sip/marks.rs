//! Where certain bytes stand: sixty-four bytes are compared at a time, and the answer is a word with a
//! bit for each of them.

use std::ops::Range;

use wide::u8x16;

/// Bytes that are compared at a time.
pub(super) const BLOCK: usize = 64;

/// The same byte sixteen times.
const fn lanes(byte: u8) -> u8x16 {
    u8x16::new([byte; 16])
}

/// 255 for each byte that is one of these, 0 for others.
#[inline]
fn is_one_of<const N: usize>(part: u8x16, wanted: [u8; N]) -> u8x16 {
    let add = |found, byte| found | part.simd_eq(lanes(byte));
    wanted.into_iter().fold(lanes(0), add)
}

/// 255 for each byte that is a blank or a control character, 0 for others.
#[inline]
fn is_blank(part: u8x16) -> u8x16 {
    part.min(lanes(b' ')).simd_eq(part)
}

/// A bit for each byte for which `test` gives 255.
#[inline]
fn marks(block: &[u8; BLOCK], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let mark = |place: usize| {
        let marked = test(u8x16::new(quarters[place])).to_bitmask();
        u64::from(marked) << (16 * place)
    };
    mark(0) | mark(1) | mark(2) | mark(3)
}

/// A bit for each byte of the block that is one of these.
#[inline]
pub(super) fn equal<const N: usize>(block: &[u8; BLOCK], wanted: [u8; N]) -> u64 {
    marks(block, |part| is_one_of(part, wanted))
}

/// A bit for each byte of the block that is a blank, a control character or one of these.
#[inline]
pub(super) fn blank_or<const N: usize>(block: &[u8; BLOCK], wanted: [u8; N]) -> u64 {
    marks(block, |part| is_blank(part) | is_one_of(part, wanted))
}

/// Whether there is a blank, a control character or one of these among sixteen bytes.
#[inline]
pub(super) fn has_blank_or<const N: usize>(part: &[u8; 16], wanted: [u8; N]) -> bool {
    let part = u8x16::new(*part);
    (is_blank(part) | is_one_of(part, wanted)).to_bitmask() != 0
}

/// The bits below this place; all, if it lies behind the block.
#[inline]
pub(super) fn below(place: usize) -> u64 {
    if place < BLOCK {
        (1 << place) - 1
    } else {
        u64::MAX
    }
}

/// Looks at the block of `bytes` that begins at `from`, filled up with zeros where they end.
#[inline]
pub(super) fn with_block<T>(bytes: &[u8], from: usize, look: impl FnOnce(&[u8; BLOCK]) -> T) -> T {
    let rest = bytes.get(from..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        look(block)
    } else {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        look(&block)
    }
}

/// The places of marked bytes, one after the other.
pub(super) struct Places<'a, const N: usize> {
    bytes: &'a [u8],
    end: usize,
    wanted: [u8; N],
    /// Where the block at hand begins.
    block: usize,
    /// Its marks that were not reached yet.
    marks: u64,
}

/// The places in `range` of all bytes that are blanks, control characters or one of these.
#[inline]
pub(super) fn places<const N: usize>(
    bytes: &[u8],
    range: Range<usize>,
    wanted: [u8; N],
) -> Places<'_, N> {
    let mut places = Places {
        bytes,
        end: range.end,
        wanted,
        block: range.start,
        marks: 0,
    };
    places.look();
    places
}

impl<const N: usize> Places<'_, N> {
    #[inline]
    fn look(&mut self) {
        let marks = with_block(self.bytes, self.block, |block| blank_or(block, self.wanted));
        self.marks = marks & below(self.end.saturating_sub(self.block));
    }
}

impl<const N: usize> Iterator for Places<'_, N> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.marks == 0 {
            if self.end.saturating_sub(self.block) <= BLOCK {
                return None;
            }
            self.block += BLOCK;
            self.look();
        }
        let at = self.block + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        Some(at)
    }
}

/// The first place in `range` of one of these bytes.
#[inline]
pub(super) fn find<const N: usize>(
    bytes: &[u8],
    range: Range<usize>,
    wanted: [u8; N],
) -> Option<usize> {
    let mut from = range.start;
    while from < range.end {
        let found = with_block(bytes, from, |block| equal(block, wanted));
        if found != 0 {
            let at = from + found.trailing_zeros() as usize;
            return (at < range.end).then_some(at);
        }
        from += BLOCK;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_byte_by_byte_finds(
            bytes in proptest::collection::vec(prop_oneof![9 => Just(b'a'), 1 => any::<u8>()], 0..300),
            from in 0..300_usize, to in 0..300_usize, other in any::<u8>(),
        ) {
            let range = from.min(bytes.len())..to.min(bytes.len());
            let wanted = [b'\n', other];
            let naive = range.clone().find(|&at| wanted.contains(&bytes[at]));
            prop_assert_eq!(find(&bytes, range.clone(), wanted), naive);
            let all = range.clone().filter(|&at| bytes[at] <= b' ' || wanted.contains(&bytes[at]));
            prop_assert_eq!(places(&bytes, range, wanted).collect::<Vec<_>>(), all.collect::<Vec<_>>());
        }

        #[test]
        fn marks_are_of_the_right_bytes(bytes in any::<[u8; BLOCK]>()) {
            for (place, byte) in bytes.into_iter().enumerate() {
                let has = |marks: u64| marks >> place & 1 == 1;
                let wanted = matches!(byte, b';' | b'x');
                prop_assert_eq!(has(equal(&bytes, [b';', b'x'])), wanted);
                prop_assert_eq!(has(blank_or(&bytes, [b';', b'x'])), byte <= b' ' || wanted);
                prop_assert!(!has(below(place)) && has(below(place + 1)));
            }
        }
    }
}
