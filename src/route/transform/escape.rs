//! `{s.escape...}`, `{s.encode...}` and their inverses.

use super::Change;

/// The transformation of a name.
pub(super) fn change(name: &str) -> Option<Change> {
    Some(Change::Build(match name {
        "escape.common" => |text, _, out| {
            for &byte in text {
                if matches!(byte, b'\'' | b'"' | b'\\' | 0) {
                    out.push(b'\\');
                }
                out.push(if byte == 0 { b'0' } else { byte });
            }
            true
        },
        "unescape.common" => |text, _, out| {
            let mut bytes = text.iter();
            while let Some(&byte) = bytes.next() {
                match (byte, byte == b'\\', bytes.as_slice().first()) {
                    (_, true, Some(next @ (b'\'' | b'"' | b'\\'))) => {
                        out.push(*next);
                        bytes.next();
                    }
                    (_, true, Some(b'0')) => {
                        out.push(0);
                        bytes.next();
                    }
                    (byte, ..) => out.push(byte),
                }
            }
            true
        },
        "escape.user" => |text, _, out| escape(text, b"-_.!~*'()&=+$,;?", out),
        "escape.param" => |text, _, out| escape(text, b"-_.!~*'()[]/:&+$", out),
        "urlencode.param" => |text, _, out| escape(text, b"-_.~", out),
        "unescape.user" | "unescape.param" => |text, _, out| unescape(text, false, out),
        "urldecode.param" => |text, _, out| unescape(text, true, out),
        "encode.hexa" => |text, _, out| {
            out.extend(
                text.iter()
                    .flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]),
            );
            true
        },
        "decode.hexa" => |text, _, out| {
            let (pairs, rest) = text.as_chunks::<2>();
            for pair in pairs {
                let Some(byte) = of_hex(*pair) else {
                    return false;
                };
                out.push(byte);
            }
            rest.is_empty()
        },
        "encode.base64" => |text, _, out| {
            encode_base64(text, out);
            true
        },
        "decode.base64" => |text, _, out| decode_base64(text, out),
        _ => return None,
    }))
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit & 15)]
}

fn of_hex([high, low]: [u8; 2]) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    Some((high * 16 + low) as u8)
}

/// All but letters, digits and `kept` as `%xx`.
fn escape(text: &[u8], kept: &[u8], out: &mut Vec<u8>) -> bool {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte)]);
        }
    }
    true
}

fn unescape(text: &[u8], plus_is_blank: bool, out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let Some((&pair, after)) = after.split_first_chunk() else {
                    return false;
                };
                let Some(byte) = of_hex(pair) else {
                    return false;
                };
                out.push(byte);
                rest = after;
            }
            b'+' if plus_is_blank => out.push(b' '),
            other => out.push(other),
        }
    }
    true
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { digit } else { b'=' });
        }
    }
}

fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.iter().filter(|byte| **byte != b'=') {
        let Some(digit) = BASE64.iter().position(|one| one == byte) else {
            return false;
        };
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    true
}
