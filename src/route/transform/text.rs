//! `{s....}`: texts.

use super::escape;
use super::{Arguments, Change, Made};
use crate::dispatch::hash::hash;
use crate::route::date::Date;
use crate::route::value::{number_of, write_number};

/// The transformation of a name.
pub(super) fn change(name: &str) -> Option<Change> {
    escape::change(name)
        .or_else(|| part(name).map(Change::Part))
        .or_else(|| build(name).map(Change::Build))
}

type Part = fn(&[u8], &Arguments<'_>) -> Made;

/// Those that give a number or a part of the text.
fn part(name: &str) -> Option<Part> {
    Some(match name {
        "len" => |text, _| Made::Number(text.len() as i64),
        "int" => |text, _| match number_of(text) {
            // Hex is a number for (int), not here.
            Some(number) if !text.contains(&b'x') && !text.contains(&b'X') => Made::Number(number),
            _ if text.is_empty() => Made::Unset,
            _ => Made::Null,
        },
        "corehash" => corehash,
        "count" => |text, given| {
            let counted = given.texts[0].first();
            Made::Number(counted.map_or(0, |byte| memchr::memchr_iter(*byte, text).count() as i64))
        },
        "substr" => substr,
        "select" => select,
        "strip" => |text, given| Made::Part(given.size(0).min(text.len())..text.len()),
        "striptail" => |text, given| Made::Part(0..text.len().saturating_sub(given.size(0))),
        "trim" => |text, _| trimmed(text, true, true),
        "ltrim" => |text, _| trimmed(text, true, false),
        "rtrim" => |text, _| trimmed(text, false, true),
        "after" => |text, given| match found(text, given) {
            Some(at) => Made::Part(at + 1..text.len()),
            None => Made::Empty,
        },
        "before" => |text, given| Made::Part(0..found(text, given).unwrap_or(text.len())),
        "unquote" => |text, _| match text {
            [b'"', .., b'"'] | [b'\'', .., b'\''] => Made::Part(1..text.len() - 1),
            _ => Made::Part(0..text.len()),
        },
        "unbracket" => |text, _| match text {
            [b'<', .., b'>'] | [b'[', .., b']'] | [b'(', .., b')'] | [b'{', .., b'}'] => {
                Made::Part(1..text.len() - 1)
            }
            _ => Made::Part(0..text.len()),
        },
        _ => return None,
    })
}

type Build = fn(&[u8], &Arguments<'_>, &mut Vec<u8>) -> bool;

/// Those that make a new text.
fn build(name: &str) -> Option<Build> {
    Some(match name {
        "tolower" => |text, _, out| add(out, text.iter().map(u8::to_ascii_lowercase)),
        "toupper" => |text, _, out| add(out, text.iter().map(u8::to_ascii_uppercase)),
        "numeric" => |text, _, out| add(out, text.iter().copied().filter(u8::is_ascii_digit)),
        "rmws" => |text, _, out| add(out, text.iter().copied().filter(|byte| !is_blank(*byte))),
        "replace" => |text, given, out| replace(text, given.texts[0], given.texts[1], out),
        "rm" => |text, given, out| replace(text, given.texts[0], b"", out),
        "prefixes" => prefixes,
        "ftime" => ftime,
        _ => return None,
    })
}

fn add(out: &mut Vec<u8>, bytes: impl Iterator<Item = u8>) -> bool {
    out.extend(bytes);
    true
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The hash by which destinations are chosen too; in so many slots, if that is said.
fn corehash(text: &[u8], given: &Arguments<'_>) -> Made {
    if text.is_empty() {
        return Made::Number(0);
    }
    let hashed = i64::from(hash(text, None));
    let slots = given.numbers[0];
    // So many slots if it is a power of two; else Kamailio leaves some out, and so do we.
    Made::Number(if slots > 0 {
        hashed & (slots - 1)
    } else {
        hashed
    })
}

/// From a place, so many bytes; 0 bytes: to the end. A negative place counts from the end.
fn substr(text: &[u8], given: &Arguments<'_>) -> Made {
    let [start, length] = given.numbers;
    let all = text.len() as i64;
    let start = if start < 0 {
        all.saturating_add(start)
    } else {
        start
    };
    if start < 0 || start >= all || length < 0 {
        return Made::Null;
    }
    let rest = all - start;
    let length = if length == 0 { rest } else { length.min(rest) };
    Made::Part(start as usize..(start + length) as usize)
}

/// The n-th part between separators, from the end if n is negative.
fn select(text: &[u8], given: &Arguments<'_>) -> Made {
    let Some(&separator) = given.texts[1].first() else {
        return Made::Null;
    };
    let mut at = given.numbers[0];
    if at < 0 {
        at = at.saturating_add(1 + memchr::memchr_iter(separator, text).count() as i64);
    }
    let mut start = 0;
    for part in text.split(|byte| *byte == separator) {
        if at == 0 {
            return Made::Part(start..start + part.len());
        }
        at -= 1;
        start += part.len() + 1;
    }
    Made::Empty
}

fn trimmed(text: &[u8], at_begin: bool, at_end: bool) -> Made {
    let mut range = 0..text.len();
    while at_begin && range.start < range.end && is_blank(text[range.start]) {
        range.start += 1;
    }
    while at_end && range.start < range.end && is_blank(text[range.end - 1]) {
        range.end -= 1;
    }
    Made::Part(range)
}

fn found(text: &[u8], given: &Arguments<'_>) -> Option<usize> {
    memchr::memchr(*given.texts[0].first()?, text)
}

fn replace(text: &[u8], old: &[u8], new: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while !old.is_empty()
        && let Some(at) = memchr::memmem::find(rest, old)
    {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    true
}

/// `a,ab,abc`, up to a length.
fn prefixes(text: &[u8], given: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    let most = match given.size(0) {
        0 => text.len(),
        most => most.min(text.len()),
    };
    // All prefixes of a long text are much; what would not fit into a message is no list of use.
    for length in 1..=most.min(MAX_PREFIXES) {
        if length > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&text[..length]);
    }
    true
}

const MAX_PREFIXES: usize = 255;

/// Seconds since 1970 in the form of C's strftime(), in UTC.
fn ftime(text: &[u8], given: &Arguments<'_>, out: &mut Vec<u8>) -> bool {
    let Some(seconds) = number_of(text) else {
        return false;
    };
    write_time(given.texts[0], seconds, out);
    true
}

/// Writes seconds since 1970 in the form of C's strftime().
pub fn write_time(form: &[u8], seconds: i64, out: &mut Vec<u8>) {
    let date = Date::of(seconds);
    let mut form = form.iter();
    let two = |out: &mut Vec<u8>, number: i64| {
        if (0..10).contains(&number) {
            out.push(b'0');
        }
        write_number(out, number);
    };
    while let Some(&byte) = form.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match form.next() {
            Some(b'Y') => write_number(out, date.year),
            Some(b'y') => two(out, date.year.rem_euclid(100)),
            Some(b'm') => two(out, date.month),
            Some(b'd') => two(out, date.day),
            Some(b'H') => two(out, date.hour),
            Some(b'M') => two(out, date.minute),
            Some(b'S') => two(out, date.second),
            Some(b'j') => {
                if date.year_day < 99 {
                    out.push(b'0');
                }
                two(out, date.year_day + 1);
            }
            Some(b'u') => write_number(out, (date.week_day + 6) % 7 + 1),
            Some(b'w') => write_number(out, date.week_day),
            Some(b'a') => out.extend_from_slice(date.day_name().as_bytes()),
            Some(b'b') => out.extend_from_slice(date.month_name().as_bytes()),
            Some(b's') => write_number(out, seconds),
            Some(b'T') => {
                for (at, part) in [date.hour, date.minute, date.second]
                    .into_iter()
                    .enumerate()
                {
                    if at > 0 {
                        out.push(b':');
                    }
                    two(out, part);
                }
            }
            Some(b'F') => {
                write_number(out, date.year);
                for part in [date.month, date.day] {
                    out.push(b'-');
                    two(out, part);
                }
            }
            Some(b'%') | None => out.push(b'%'),
            Some(other) => out.extend_from_slice(&[b'%', *other]),
        }
    }
}
