//! Questions on texts.

use crate::proxy::script::{Function, function, shown};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::Name;

pub(in crate::proxy::script) const FUNCTIONS: &[Function] = &[
    function("is_numeric", |_, arguments, machine| {
        of(arguments, machine, u8::is_ascii_digit, -2)
    }),
    function("is_alphanum", |_, arguments, machine| {
        of(arguments, machine, u8::is_ascii_alphanumeric, -3)
    }),
    function("is_alphanumex", |_, arguments, machine| {
        let further = shown(arguments, 1, machine).unwrap_or_default();
        let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || further.contains(byte);
        of(arguments, machine, is_one, -3)
    }),
    function("is_tel_number", is_tel_number),
    function("cmp_hdr_name", |_, arguments, machine| {
        match (shown(arguments, 0, machine), shown(arguments, 1, machine)) {
            (Some(one), Some(other)) => same_header(one, other).into(),
            _ => Outcome::FALSE,
        }
    }),
];

/// Whether all bytes of a text are of a kind, and there are some: Kamailio's codes.
fn of(
    arguments: &[Argument],
    machine: &Machine,
    is_one: impl Fn(&u8) -> bool,
    otherwise: i64,
) -> Outcome {
    let Some(text) = shown(arguments, 0, machine) else {
        return Outcome::FALSE;
    };
    if text.is_empty() {
        return Outcome::Code(-2);
    }
    Outcome::Code(if text.iter().all(is_one) {
        1
    } else {
        otherwise
    })
}

/// Digits, with or without a plus before them.
fn is_tel_number(
    _: &mut crate::proxy::act::Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
) -> Outcome {
    let Some(text) = shown(arguments, 0, machine) else {
        return Outcome::FALSE;
    };
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    Outcome::Code(if is_number { 1 } else { -2 })
}

fn same_header(one: &[u8], other: &[u8]) -> bool {
    match (Name::parse(one), Name::parse(other)) {
        (Name::Other, Name::Other) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}

/// The seconds since 1970 of `Sat, 13 Nov 2010 23:29:00 GMT` (RFC 3261 section 20.17).
pub(super) fn seconds_of_date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split_once(',')?.1.split_ascii_whitespace();
    let day: i64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))? as i64
        + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let is_sound = parts.next() == Some("GMT")
        && (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !is_sound {
        return None;
    }
    // Days since 1970, of years that begin with March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::seconds_of_date;

    #[test]
    fn dates_are_seconds() {
        for (text, seconds) in [
            ("Sat, 13 Nov 2010 23:29:00 GMT", Some(1_289_690_940)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 12:00:01 GMT", Some(1_709_208_001)),
            ("Sat, 13 Foo 2010 23:29:00 GMT", None),
            ("Sat, 99 Nov 2010 23:29:00 GMT", None),
            ("13 Nov 2010", None),
            ("", None),
        ] {
            assert_eq!(seconds_of_date(text.as_bytes()), seconds, "{text}");
        }
    }
}
