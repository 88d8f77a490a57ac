//! `{param....}`, `{nameaddr....}`, `{tobody....}` and `{line....}`.

use super::{Arguments, Change, Made, part_in};
use crate::sip::{NameAddr, Uri};

/// The transformation of a class and a name.
pub(super) fn change(class: &str, name: &str) -> Option<Change> {
    Some(Change::Part(match (class, name) {
        ("param", "value") => |text, given| {
            let found = parameters(text, given, 1).find(|(name, _)| is_name(name, given.texts[0]));
            value(text, found)
        },
        ("param", "in") => |text, given| {
            let mut all = parameters(text, given, 1);
            Made::Number(i64::from(
                all.any(|(name, _)| is_name(name, given.texts[0])),
            ))
        },
        ("param", "valueat") => |text, given| value(text, nth(text, given)),
        ("param", "name") => |text, given| match nth(text, given) {
            Some((name, _)) => part_in(text, name),
            None => Made::Empty,
        },
        ("param", "count") => |text, given| Made::Number(parameters(text, given, 0).count() as i64),
        ("nameaddr", "name") | ("tobody", "display") => {
            |text, _| of_address(text, |address| address.display)
        }
        ("nameaddr" | "tobody", "uri") => |text, _| of_address(text, |address| address.uri),
        ("nameaddr", "len") => |text, _| match NameAddr::parse(text, 0) {
            Ok(address) => {
                let end = address.uri_range.end;
                let closes = text.get(end) == Some(&b'>');
                Made::Number((end + usize::from(closes)) as i64)
            }
            Err(_) => Made::Null,
        },
        ("tobody", "tag") => {
            |text, _| of_address(text, |address| address.tag().unwrap_or_default())
        }
        ("tobody", "params") => |text, _| of_address(text, |address| address.params),
        ("tobody", "user") => |text, _| of_uri(text, |uri| uri.user.unwrap_or_default()),
        ("tobody", "host") => |text, _| of_uri(text, |uri| uri.host),
        ("line", "count") => |text, _| Made::Number(lines(text).count() as i64),
        ("line", "at") => line_at,
        ("line", "sw") => |text, given| {
            let found = lines(text).find(|line| line.starts_with(given.texts[0]));
            found.map_or(Made::Empty, |line| part_in(text, line))
        },
        _ => return None,
    }))
}

fn of_address(text: &[u8], choose: for<'a> fn(&NameAddr<'a>) -> &'a [u8]) -> Made {
    match NameAddr::parse(text, 0) {
        Ok(address) => part_in(text, choose(&address)),
        Err(_) => Made::Null,
    }
}

fn of_uri(text: &[u8], choose: for<'a> fn(&Uri<'a>) -> &'a [u8]) -> Made {
    let uri = NameAddr::parse(text, 0).ok().map(|address| address.uri);
    match uri.map(Uri::parse) {
        Some(Ok(uri)) => part_in(text, choose(&uri)),
        _ => Made::Null,
    }
}

type Parameter<'a> = (&'a [u8], &'a [u8]);

/// Names and values, between `;` or what the argument at `separator` says. Quotes stay together.
fn parameters<'a>(
    text: &'a [u8],
    given: &Arguments<'_>,
    separator: usize,
) -> impl Iterator<Item = Parameter<'a>> {
    let separator = given.texts[separator].first().copied().unwrap_or(b';');
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_part(text, separator);
        rest = text.get(end + 1..);
        Some(&text[..end])
    })
    .map(<[u8]>::trim_ascii)
    .filter(|part| !part.is_empty())
    .map(|part| match memchr::memchr(b'=', part) {
        Some(at) => (
            part[..at].trim_ascii_end(),
            part[at + 1..].trim_ascii_start(),
        ),
        None => (part, &part[part.len()..]),
    })
}

fn end_of_part(text: &[u8], separator: u8) -> usize {
    let mut quote = None;
    for (at, &byte) in text.iter().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if byte == separator => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_name(name: &[u8], wanted: &[u8]) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

/// A value without its quotes.
fn value(text: &[u8], found: Option<Parameter<'_>>) -> Made {
    match found {
        Some((_, [b'"', value @ .., b'"'] | [b'\'', value @ .., b'\''] | value)) => {
            part_in(text, value)
        }
        None => Made::Empty,
    }
}

/// The n-th parameter, from the end if n is negative.
fn nth<'a>(text: &'a [u8], given: &Arguments<'_>) -> Option<Parameter<'a>> {
    let mut at = given.numbers[0];
    if at < 0 {
        at = at.saturating_add(parameters(text, given, 1).count() as i64);
    }
    parameters(text, given, 1).nth(usize::try_from(at).ok()?)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn line_at(text: &[u8], given: &Arguments<'_>) -> Made {
    let mut at = given.numbers[0];
    if at < 0 {
        at = at.saturating_add(lines(text).count() as i64);
    }
    let line = usize::try_from(at).ok().and_then(|at| lines(text).nth(at));
    line.map_or(Made::Empty, |line| part_in(text, line))
}
