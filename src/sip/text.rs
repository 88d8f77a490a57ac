//! Small helpers over bytes: white space, tokens, numbers, quoted strings, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Linear white space inside a header value. Folds are left in the message, so line ends count.
pub(super) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Characters of a token (RFC 3261 25.1).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric()
            || matches!(
                character,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            );
        byte += 1;
    }
    table
};

/// Characters of a host name. The underscore is none by the book, but names in use have it.
const HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'.' | b'-' | b'_');
        byte += 1;
    }
    table
};

/// Whether `byte` may stand in a token.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether `byte` may stand in the name of a host.
pub(super) const fn is_host_byte(byte: u8) -> bool {
    HOST[byte as usize]
}

/// Whether `text` is a token: not empty, and nothing but token characters.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// The first position at or after `at` that holds no white space.
pub(super) fn skip_lws(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| is_lws(byte)) {
        at += 1;
    }
    at
}

/// The first position at or after `at` that holds no token character.
pub(super) fn skip_token(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| is_token_byte(byte)) {
        at += 1;
    }
    at
}

/// `range` of `bytes` without white space at either end. An all-white range becomes empty.
#[inline]
pub(super) fn trim(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    match &bytes[range.clone()] {
        // Mostly there is none: above the blank nothing is white.
        [first, .., last] if *first > b' ' && *last > b' ' => range,
        _ => trim_white(bytes, range),
    }
}

#[cold]
#[inline(never)]
fn trim_white(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = range;
    while start < end && is_lws(bytes[start]) {
        start += 1;
    }
    while start < end && is_lws(bytes[end - 1]) {
        end -= 1;
    }
    start..end
}

/// The value of a decimal digit.
#[inline]
fn digit(byte: u8) -> Option<u8> {
    let value = byte.wrapping_sub(b'0');
    (value <= 9).then_some(value)
}

/// So many decimal digits always fit 32 bits.
const ALWAYS_FIT: usize = u32::MAX.ilog10() as usize;

/// The number that at most nine digits at the head of `text` write, and how many they are.
#[inline]
pub(super) fn head_number(text: &[u8]) -> (u32, usize) {
    let (mut value, mut length) = (0, 0);
    while length < ALWAYS_FIT
        && let Some(digit) = text.get(length).copied().and_then(digit)
    {
        value = value * 10 + u32::from(digit);
        length += 1;
    }
    (value, length)
}

/// The port at the head of `text`, up to the first byte that is no digit, and how many bytes it has.
#[inline]
pub(super) fn head_port(text: &[u8]) -> Option<(u16, usize)> {
    let (mut value, mut length) = (0, 0);
    while let Some(digit) = text.get(length).copied().and_then(digit) {
        // What is no port any more stays none, however long it is.
        value = (value * 10 + u32::from(digit)).min(u32::from(u16::MAX) + 1);
        length += 1;
    }
    let port = u16::try_from(value).ok().filter(|_| length > 0)?;
    Some((port, length))
}

/// A decimal number that fits 32 bits; leading zeros are allowed. `None` for anything else.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let (head, tail) = text.split_at(text.len().min(ALWAYS_FIT));
    let mut value = 0_u32;
    for &byte in head {
        value = value * 10 + u32::from(digit(byte)?);
    }
    for &byte in tail {
        let digit = u32::from(digit(byte)?);
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Appends a number in decimal.
pub(crate) fn write_number(number: u32, out: &mut Vec<u8>) {
    const MOST_DIGITS: usize = u32::MAX.ilog10() as usize + 1;
    let mut digits = [0; MOST_DIGITS];
    let (mut left, mut start) = (number, MOST_DIGITS);
    loop {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends an address as it stands in a Via: IPv6 without brackets.
pub(super) fn write_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                write_number(u32::from(octet), out);
            }
        }
        IpAddr::V6(ip) => {
            use std::io::Write as _;
            // Writing to a vector cannot fail.
            let _ = write!(out, "{ip}");
        }
    }
}

/// A port: a decimal number up to 65535.
pub(super) fn port(text: &[u8]) -> Option<u16> {
    number(text).and_then(|value| u16::try_from(value).ok())
}

/// The position after the quoted string that begins at `open`, or `None` if it does not end.
pub(super) fn quoted_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The address that `text` writes: IPv4, or IPv6 with or without brackets.
///
/// `:::` is read as `::`, as RFC 5118 4.9 asks, because the grammar of RFC 3261 once made it so.
pub(super) fn ip(text: &[u8]) -> Option<IpAddr> {
    let inner = match text {
        [b'[', inner @ .., b']'] => inner,
        _ => text,
    };
    if let Some(address) = ipv4(inner) {
        return Some(IpAddr::V4(address));
    }
    // The longest text of an IPv6 address has 45 characters.
    if inner.len() > 46 {
        return None;
    }
    let inner = std::str::from_utf8(inner).ok()?;
    if let Ok(address) = inner.parse() {
        return Some(address);
    }
    let (before, after) = inner.split_once(":::")?;
    let mut buffer = [0_u8; 46];
    let length = inner.len() - 1;
    buffer[..before.len()].copy_from_slice(before.as_bytes());
    buffer[before.len()..before.len() + 2].copy_from_slice(b"::");
    buffer[before.len() + 2..length].copy_from_slice(after.as_bytes());
    let repaired = std::str::from_utf8(&buffer[..length]).ok()?;
    repaired.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// The address that four numbers with dots between them write: no zeros before them, nothing around.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut rest) = (0, text);
    for place in 0..4 {
        if place > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (octet, behind) = take_octet(rest)?;
        address = address << 8 | octet;
        rest = behind;
    }
    rest.is_empty().then(|| Ipv4Addr::from_bits(address))
}

/// The number up to 255 at the head of `text`, and what is behind it. A zero stands alone.
#[inline]
fn take_octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, mut rest) = text.split_first()?;
    let mut number = u32::from(digit(first)?);
    while let Some((&byte, behind)) = rest.split_first()
        && let Some(digit) = digit(byte)
    {
        let longer = number * 10 + u32::from(digit);
        if number == 0 || longer > 255 {
            return None;
        }
        (number, rest) = (longer, behind);
    }
    Some((number, rest))
}

/// The first position at or after `at` that holds no character of a host name or IPv4 address.
pub(super) fn skip_host_name(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| is_host_byte(byte)) {
        at += 1;
    }
    at
}

/// Whether `text` is an IPv6 reference by its looks: brackets around what such an address is made of.
pub(super) fn is_ipv6_reference(text: &[u8]) -> bool {
    match text {
        [b'[', inner @ .., b']'] => {
            !inner.is_empty()
                && inner
                    .iter()
                    .all(|&byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_ipv4_address_is_what_the_standard_library_takes_for_one(
            text in "[0-9]{1,4}(\\.[0-9]{0,3}){2,4}|[0-9]{1,2}(\\.(0|[1-9][0-9]?|[12][0-9]{2})){3}|.{0,8}",
        ) {
            prop_assert_eq!(ipv4(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn the_port_at_the_head_is_that_of_the_digits_alone(
            digits in "0{0,12}[0-9]{0,6}", rest in "|[;:a].{0,4}",
        ) {
            let expected = port(digits.as_bytes()).map(|port| (port, digits.len()));
            prop_assert_eq!(head_port(format!("{digits}{rest}").as_bytes()), expected);
        }

        #[test]
        fn numbers_and_addresses_are_written_as_the_standard_library_writes_them(
            number in any::<u32>(), shift in 0..32_u32, ip in any::<IpAddr>(),
        ) {
            let mut out = Vec::new();
            write_number(number >> shift, &mut out);
            out.push(b' ');
            write_ip(ip, &mut out);
            prop_assert_eq!(out, format!("{} {ip}", number >> shift).into_bytes());
        }
    }
}
