//! The name that was probably meant: for hints in error messages.

/// The candidate that is the fewest typing mistakes away from `name`, if it is near at all: at most
/// a third of its letters are wrong, and not all. Case counts for nothing.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (mistakes(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(mistakes, candidate)| {
            *mistakes <= 1.max(candidate.len() / 3) && *mistakes < candidate.len()
        })
        .min_by_key(|(mistakes, _)| *mistakes)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour to make `b` of
/// `a` (the optimal string alignment distance).
fn mistakes(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let changed = last[j] + usize::from(a[i] != b[j]);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["ds_hash_size", "ds_hash_expire", "list_file", "t1_ms"];

    #[test]
    fn slips_of_the_pen_find_the_name() {
        for slip in [
            "ds_hash_sise",
            "dshash_size",
            "ds_hash_szie",
            "DS_HASH_SIZE",
            "hash_size",
        ] {
            assert_eq!(nearest(slip, NAMES), Some("ds_hash_size"), "{slip}");
        }
        assert_eq!(nearest("listfile", NAMES), Some("list_file"));
    }

    #[test]
    fn nothing_is_guessed_when_nothing_is_near() {
        assert_eq!(nearest("db_url", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
        assert_eq!(nearest("a", ["b", ""]), None);
    }

    #[test]
    fn a_swap_is_one_mistake() {
        assert_eq!(mistakes("size", "szie"), 1);
        assert_eq!(mistakes("", "abc"), 3);
        assert_eq!(mistakes("kitten", "sitting"), 3);
    }
}
