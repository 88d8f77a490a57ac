//! Values and faults to packets.

use super::{LENGTH_ESCAPE, MAGIC_AND_VERSION, PacketKind, record};
use crate::control::value::{Fault, NULL_STRING, Value};

/// Appends a request.
pub fn encode_request(cookie: u32, method: &str, parameters: &[Value], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    put_text(record::TEXT, method, &mut body);
    for value in parameters {
        put(value, &mut body);
    }
    put_packet(PacketKind::Request, cookie, &body, out);
}

/// Appends a reply. Several values are sent one after another; none is a reply too.
pub fn encode_reply(cookie: u32, values: &[Value], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    for value in values {
        put(value, &mut body);
    }
    put_packet(PacketKind::Reply, cookie, &body, out);
}

/// Appends a fault.
pub fn encode_fault(cookie: u32, fault: &Fault, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    put(&Value::Int(i64::from(fault.code)), &mut body);
    put_text(record::TEXT, &fault.message, &mut body);
    put_packet(PacketKind::Fault, cookie, &body, out);
}

fn put_packet(kind: PacketKind, cookie: u32, body: &[u8], out: &mut Vec<u8>) {
    let length = (body.len() as u32).to_be_bytes();
    let length = significant(&length, 1);
    let cookie = cookie.to_be_bytes();
    let cookie = significant(&cookie, 1);
    out.push(MAGIC_AND_VERSION);
    out.push((kind as u8) << 4 | (length.len() as u8 - 1) << 2 | (cookie.len() as u8 - 1));
    out.extend_from_slice(length);
    out.extend_from_slice(cookie);
    out.extend_from_slice(body);
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => {
            let bytes = (*number as i32).to_be_bytes();
            let bytes = significant(&bytes, 0);
            out.push((bytes.len() as u8) << 4 | record::INT);
            out.extend_from_slice(bytes);
        }
        Value::Double(number) => {
            // Thousandths, truncated; a cast saturates and makes 0 of what is no number.
            let bytes = ((number * 1000.0) as i64).to_be_bytes();
            let bytes = significant(&bytes, 0);
            out.push((bytes.len() as u8) << 4 | record::DOUBLE);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => put_text(record::TEXT, text, out),
        Value::Null => put_text(record::TEXT, NULL_STRING, out),
        Value::Struct(members) => {
            out.push(record::STRUCT);
            for (name, value) in members {
                put_text(record::NAME, name, out);
                put(value, out);
            }
            out.push(record::STRUCT_END);
        }
        Value::Array(values) => {
            out.push(record::ARRAY);
            for value in values {
                put(value, out);
            }
            out.push(record::ARRAY_END);
        }
        Value::Bytes(bytes) => {
            put_head(record::BYTES, bytes.len(), out);
            out.extend_from_slice(bytes);
        }
    }
}

/// Texts are sent with a closing NUL, which counts.
fn put_text(kind: u8, text: &str, out: &mut Vec<u8>) {
    put_head(kind, text.len() + 1, out);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn put_head(kind: u8, size: usize, out: &mut Vec<u8>) {
    if size < usize::from(LENGTH_ESCAPE) {
        out.push((size as u8) << 4 | kind);
        return;
    }
    let size = (size as u32).to_be_bytes();
    let size = significant(&size, 1);
    out.push((LENGTH_ESCAPE | size.len() as u8) << 4 | kind);
    out.extend_from_slice(size);
}

/// A big-endian number without its leading zero bytes, but at least `least` bytes of it.
fn significant(bytes: &[u8], least: usize) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros.min(bytes.len() - least)..]
}
