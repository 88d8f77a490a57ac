//! Module `textopsx`: shell patterns, and headers that are sets of values.

use super::variables::same_name;
use super::{Function, function, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Line, Name};

pub(super) const FUNCTIONS: &[Function] = &[
    function("fnmatch", fnmatch),
    function("hf_value_exists", hf_value_exists),
    function("include_hf_value", include_hf_value),
    function("exclude_hf_value", exclude_hf_value),
];

fn fnmatch(_: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let given = |at| text(arguments, at).map(|text| machine.bytes(text));
    let (Some(value), Some(pattern)) = (given(0), given(1)) else {
        return Outcome::FALSE;
    };
    let ignores_case = given(2).is_some_and(|flags| flags.first() == Some(&b'i'));
    is_match(pattern, value, ignores_case).into()
}

/// Whether a text matches a shell pattern as a whole. When a part behind a star does not fit, the star
/// takes one byte more; only the last star needs to be tried again.
fn is_match(pattern: &[u8], text: &[u8], ignores_case: bool) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star = None;
    loop {
        match (pattern.get(at), text.get(place)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((at + 1, place));
                at += 1;
                continue;
            }
            (Some(_), Some(&byte)) => {
                if let Some(length) = one(&pattern[at..], byte, ignores_case) {
                    at += length;
                    place += 1;
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((behind, from)) if from < text.len() => {
                at = behind;
                place = from + 1;
                star = Some((behind, place));
            }
            _ => return false,
        }
    }
}

/// How much of the pattern stands for one byte, if it does for this one.
fn one(pattern: &[u8], byte: u8, ignores_case: bool) -> Option<usize> {
    let same = |other: u8| byte == other || (ignores_case && byte.eq_ignore_ascii_case(&other));
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => same(*escaped).then_some(2),
        [b'[', rest @ ..] => match set(rest, byte, ignores_case) {
            Some((length, is_in)) => is_in.then_some(length + 1),
            // A bracket that does not end is one.
            None => same(b'[').then_some(1),
        },
        [literal, ..] => same(*literal).then_some(1),
        [] => None,
    }
}

/// The length of a set behind its bracket, and whether a byte is in it.
fn set(rest: &[u8], byte: u8, ignores_case: bool) -> Option<(usize, bool)> {
    let is_negative = matches!(rest.first(), Some(b'!' | b'^'));
    let first = usize::from(is_negative);
    let mut at = first;
    let mut is_in = false;
    loop {
        let low = *rest.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, is_in != is_negative));
        }
        let (low, next) = if low == b'\\' {
            (*rest.get(at + 1)?, at + 2)
        } else {
            (low, at + 1)
        };
        let high = match rest.get(next..next + 2) {
            Some([b'-', high]) if *high != b']' => Some(*high),
            _ => None,
        };
        let high_or_low = high.unwrap_or(low);
        at = if high.is_some() { next + 2 } else { next };
        let fits = |byte: u8| (low..=high_or_low).contains(&byte);
        is_in |= fits(byte);
        if ignores_case {
            is_in |= fits(byte.to_ascii_lowercase()) || fits(byte.to_ascii_uppercase());
        }
    }
}

/// The values of a line between commas, each with where it lies in the message: with its blanks, and the
/// comma behind it if there is one.
fn values<'a>(
    line: &Line<'a>,
) -> impl Iterator<Item = (&'a [u8], std::ops::Range<usize>)> + use<'a> {
    let (value, mut at) = (line.value, line.value_range.start);
    let end = line.value_range.end;
    value.split(|&byte| byte == b',').map(move |part| {
        let range = at..(at + part.len() + 1).min(end);
        at = range.end;
        (part.trim_ascii(), range)
    })
}

fn given<'a>(arguments: &[Argument], machine: &'a Machine) -> Option<(&'a [u8], &'a [u8])> {
    let (name, value) = (text(arguments, 0)?, text(arguments, 1)?);
    let value = machine.bytes(value);
    let is_sound = value.iter().all(|&byte| byte >= b' ' && byte != 127);
    (is_sound && !value.is_empty()).then_some((machine.bytes(name), value))
}

fn has_value(act: &Act<'_>, name: &[u8], wanted: &[u8]) -> bool {
    same_name(act.message, name)
        .any(|line| values(&line).any(|(value, _)| value.eq_ignore_ascii_case(wanted)))
}

fn hf_value_exists(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let given = given(arguments, machine);
    given
        .is_some_and(|(name, value)| has_value(act, name, value))
        .into()
}

/// Behind the values of the first line; a new line if there is none.
fn include_hf_value(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some((name, value)) = given(arguments, machine).filter(|_| act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    if has_value(act, name, value) {
        return Outcome::TRUE;
    }
    if let Some(line) = same_name(act.message, name).next() {
        let separator: &[u8] = if line.value.is_empty() { b" " } else { b"," };
        act.draft.edits.insert_with(line.value_range.end, |out| {
            out.extend_from_slice(separator);
            out.extend_from_slice(value);
        });
        return Outcome::TRUE;
    }
    act.draft
        .edits
        .insert_with(act.message.headers_end(), |out| {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        });
    Outcome::TRUE
}

/// Takes the value out of all lines, and lines away that had no other.
fn exclude_hf_value(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some((name, wanted)) = given(arguments, machine) else {
        return Outcome::FALSE;
    };
    for line in same_name(act.message, name).filter(|line| line.name != Name::Via) {
        let is_it = |value: &[u8]| value.eq_ignore_ascii_case(wanted);
        if values(&line).all(|(value, _)| is_it(value)) {
            act.draft.edits.remove(line.range);
            continue;
        }
        let last = values(&line).count() - 1;
        for (at, (_, range)) in values(&line)
            .enumerate()
            .filter(|(_, (value, _))| is_it(value))
        {
            // The last goes with the comma before it.
            let start = if at == last {
                range.start - 1
            } else {
                range.start
            };
            act.draft.edits.remove(start..range.end);
        }
    }
    Outcome::TRUE
}

#[cfg(test)]
mod tests {
    use super::is_match;

    #[test]
    fn shell_patterns_match_as_a_whole() {
        for (pattern, text, matches) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*d", "aXbXbc", false),
            ("a?c", "abc", true),
            ("a?", "abc", false),
            ("", "", true),
            ("*", "", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a]x", "bx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("A*", "abc", false),
            ("***a", "ba", true),
        ] {
            assert_eq!(
                is_match(pattern.as_bytes(), text.as_bytes(), false),
                matches,
                "{pattern} {text}"
            );
        }
        assert!(is_match(b"A[B-C]c", b"abC", true));
    }

    #[test]
    fn a_pattern_of_stars_takes_no_time() {
        let text = [b'a'; 5000];
        assert!(!is_match(b"*a*a*a*a*a*a*a*a*a*a*a*a*b", &text, false));
    }
}
