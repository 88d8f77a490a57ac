//! The hashes by which destinations are picked: the peers' (algorithms 0 to 3, 5, 7 and RPC
//! `dispatcher.hash`; the same key gives the same number as there, bit for bit), and our own, by which
//! rendezvous draws lots.

/// The hash of up to two keys. Never 0.
///
/// Each key is summed up by itself in words of four bytes, so swapping the keys changes nothing.
/// Bytes are signed, as `char` is on the machines where the peers run.
pub fn hash(first: &[u8], second: Option<&[u8]>) -> u32 {
    let sum = sum(first).wrapping_add(second.map_or(0, sum));
    let mixed = sum
        .wrapping_add(sum >> 11)
        .wrapping_add(sum >> 13)
        .wrapping_add(sum >> 23);
    mixed.max(1)
}

fn sum(key: &[u8]) -> u32 {
    let (words, rest) = key.as_chunks::<4>();
    words
        .iter()
        .map(|word| fold(word))
        .chain(std::iter::once(fold(rest)))
        .fold(0, u32::wrapping_add)
}

/// One word of up to four bytes, big end first, mixed with itself.
fn fold(word: &[u8]) -> u32 {
    let value = word.iter().fold(0_u32, |value, &byte| {
        (value << 8).wrapping_add(i32::from(byte as i8) as u32)
    });
    value ^ (value >> 3)
}

/// The Call-ID as it is hashed: without blanks and line ends around it.
pub fn trim(key: &[u8]) -> &[u8] {
    let is_kept = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = key.iter().position(is_kept).unwrap_or(key.len());
    let end = key.iter().rposition(is_kept).map_or(start, |last| last + 1);
    &key[start..end]
}

/// FNV-1a over the parts, with their lengths, and mixed. It is the same on every machine and in
/// every version, so that several nodes choose alike.
pub(super) fn name_hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.iter().copied().for_each(&mut add);
        (part.len() as u32)
            .to_be_bytes()
            .into_iter()
            .for_each(&mut add);
    }
    mix(hash)
}

/// The finalizer of splitmix64.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_numbers_for_one_key() {
        let vectors: [(&[u8], u32); 11] = [
            (b"a", 109),
            (b"ab", 27_998),
            (b"abc", 7_167_810),
            (b"abcd", 1_834_959_896),
            (b"abcde", 1_834_960_001),
            (b"abcdefgh", 3_610_933_276),
            (b"alice", 1_834_153_949),
            (
                b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com",
                1_180_737_664,
            ),
            (b"3848276298220188511@atlanta.example.com", 3_416_024_093),
            (b"caf\xe9", 1_864_279_109),
            (b"J\xfc\xff\x80\x90x", 550_109_899),
        ];
        for (key, number) in vectors {
            assert_eq!(hash(key, None), number, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn the_peers_numbers_for_two_keys() {
        let vectors: [(&[u8], &[u8], u32); 3] = [
            (b"alice", b"example.com", 1_442_294_598),
            (b"alice", b"example.com:5070", 4_164_596_482),
            (b"", b"example.com", 3_905_729_897),
        ];
        for (first, second, number) in vectors {
            assert_eq!(hash(first, Some(second)), number);
            assert_eq!(hash(second, Some(first)), number, "keys commute");
        }
    }

    #[test]
    fn nothing_hashes_to_one() {
        assert_eq!(hash(b"", None), 1);
        assert_eq!(hash(b"\0\0\0\0", None), 1);
    }

    #[test]
    fn names_never_change_their_hashes() {
        assert_eq!(
            name_hash(&[b"alice", b"example.com"]),
            name_hash(&[b"alice", b"example.com"])
        );
        assert_ne!(name_hash(&[b"ab", b"c"]), name_hash(&[b"a", b"bc"]));
        assert_eq!(name_hash(&[b"gw1"]), 193_311_196_000_596_022);
    }
}
