//! Where certain bytes stand: many bytes are compared at a time, and the answer is a word with a bit for
//! each of them. Sixty-four are looked at where all of a message is, sixteen where the next mark is near.

use std::ops::Range;

use wide::u8x16;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Bytes of a part.
const PART: usize = 16;

/// The same byte sixteen times.
const fn lanes(byte: u8) -> u8x16 {
    u8x16::new([byte; 16])
}

/// 255 for each byte that is one of these, 0 for others.
#[inline]
pub(super) fn one_of<const N: usize>(part: u8x16, wanted: [u8; N]) -> u8x16 {
    let add = |found, byte| found | part.simd_eq(lanes(byte));
    wanted.into_iter().fold(lanes(0), add)
}

/// 255 for each byte up to `last`, 0 for others.
#[inline]
pub(super) fn up_to(part: u8x16, last: u8) -> u8x16 {
    part.min(lanes(last)).simd_eq(part)
}

/// 255 for each byte from `first` to `last`, 0 for others.
#[inline]
fn within(part: u8x16, first: u8, last: u8) -> u8x16 {
    up_to(part - lanes(first), last - first)
}

/// 255 for each character of a host name, 0 for others: see [`super::text::is_host_byte`].
#[inline]
pub(super) fn host(part: u8x16) -> u8x16 {
    const TO_LOWER: u8 = 0x20;
    let letters = within(part | lanes(TO_LOWER), b'a', b'z');
    // Hyphen, dot, slash and digits.
    let others = within(part, b'-', b'9') & !part.simd_eq(lanes(b'/'));
    letters | others | part.simd_eq(lanes(b'_'))
}

/// A bit for each byte of the block for which `test` gives 255.
#[inline]
fn of_whole(block: &[u8; BLOCK], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let mark = |place: usize| {
        let marked = test(u8x16::new(quarters[place])).to_bitmask();
        u64::from(marked) << (16 * place)
    };
    mark(0) | mark(1) | mark(2) | mark(3)
}

/// The same for the block of `bytes` that begins at `from`, which may be cut short by their end.
#[inline]
pub(super) fn of_block(bytes: &[u8], from: usize, test: impl Fn(u8x16) -> u8x16) -> u64 {
    match bytes.get(from..).and_then(<[u8]>::first_chunk) {
        Some(block) => of_whole(block, test),
        None => of_last(bytes, from, test),
    }
}

#[cold]
#[inline(never)]
fn of_last(bytes: &[u8], from: usize, test: impl Fn(u8x16) -> u8x16) -> u64 {
    let rest = bytes.get(from..).unwrap_or_default();
    let (last, before) = match bytes.last_chunk() {
        // Mostly there is a whole block before their end.
        Some(last) => (*last, BLOCK - rest.len()),
        None => (last_part(bytes, from), 0),
    };
    let marks = of_whole(&last, test);
    marks.unbounded_shr(before as u32) & !u64::MAX.unbounded_shl(rest.len() as u32)
}

/// Whether there is a blank, a control character or one of these among sixteen bytes.
#[inline]
pub(super) fn has_blank_or<const N: usize>(part: &[u8; 16], wanted: [u8; N]) -> bool {
    let part = u8x16::new(*part);
    (up_to(part, b' ') | one_of(part, wanted)).to_bitmask() != 0
}

/// The first place of a byte among sixteen.
#[inline]
pub(super) fn first(part: &[u8; 16], wanted: u8) -> Option<usize> {
    let found = u8x16::new(*part).simd_eq(lanes(wanted)).to_bitmask();
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// The bytes from `from` on, fewer than wanted, filled up with zeros.
#[cold]
#[inline(never)]
fn last_part<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let rest = bytes.get(from..).unwrap_or_default();
    let mut part = [0; N];
    part[..rest.len()].copy_from_slice(rest);
    part
}

/// The first place in `range` of a byte for which `test` gives 255. Sixteen are looked at a time:
/// mostly it is near.
#[inline]
pub(super) fn find(
    bytes: &[u8],
    range: Range<usize>,
    test: impl Fn(u8x16) -> u8x16,
) -> Option<usize> {
    let Range { start, end } = range;
    let marks = |part: &[u8; PART]| test(u8x16::new(*part)).to_bitmask();
    let (parts, _) = bytes.get(start..)?.as_chunks();
    let mut from = start;
    for part in parts {
        if from >= end {
            return None;
        }
        let found = marks(part);
        if found != 0 {
            let at = from + found.trailing_zeros() as usize;
            return (at < end).then_some(at);
        }
        from += PART;
    }
    let found = match bytes.last_chunk() {
        // Mostly there is a whole part before their end.
        Some(last) => marks(last).unbounded_shr((PART - (bytes.len() - from)) as u32),
        None => marks(&last_part(bytes, from)),
    };
    let at = from + found.trailing_zeros() as usize;
    (at < end).then_some(at)
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
            let found = find(&bytes, range.clone(), |part| one_of(part, wanted));
            prop_assert_eq!(found, naive);
            let naive = range.clone().find(|&at| bytes[at] <= b' ' || wanted.contains(&bytes[at]));
            let found = find(&bytes, range, |part| up_to(part, b' ') | one_of(part, wanted));
            prop_assert_eq!(found, naive);
        }

        #[test]
        fn marks_of_hosts_are_where_hosts_are_byte_by_byte(bytes in any::<[u8; PART]>()) {
            let marks = host(u8x16::new(bytes)).to_array();
            let naive = bytes.map(|byte| if super::super::text::is_host_byte(byte) { 255 } else { 0 });
            prop_assert_eq!(marks, naive);
        }

        #[test]
        fn marks_are_of_the_right_bytes(
            bytes in proptest::collection::vec(0..20_u8, 0..200), from in 0..220_usize, last in 0..20_u8,
        ) {
            let marks = of_block(&bytes, from, |part| up_to(part, last));
            for place in 0..BLOCK {
                let wanted = bytes.get(from + place).is_some_and(|&byte| byte <= last);
                prop_assert_eq!(marks >> place & 1 == 1, wanted);
            }
        }
    }
}
