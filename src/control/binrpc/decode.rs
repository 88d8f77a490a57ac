//! Bytes to packets and values. Any bytes may come: every error is told, none panics.

use std::borrow::Cow;

use super::{LENGTH_ESCAPE, MAGIC_AND_VERSION, MAX_DEPTH, PacketKind, record};
use crate::control::value::{Fault, Value};

/// One packet of a stream; the body is not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: PacketKind,
    /// The client's mark, to be sent back.
    pub cookie: u32,
    /// Its records.
    pub body: &'a [u8],
    /// How many bytes of the stream it took, header included.
    pub bytes: usize,
}

/// The stream is not BINRPC: what follows cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Wrong magic, version or type.
    #[error("corrupted packet")]
    Corrupted,
    /// The body is longer than allowed.
    #[error("packet too long: {bytes} bytes, at most {limit} are taken")]
    TooLong {
        /// The cookie of the packet, for the answer.
        cookie: u32,
        /// What the header says.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
}

/// A record of a body is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There is no record where one must be.
    #[error("end of packet encountered")]
    End,
    /// The body ends inside a record.
    #[error("more data needed")]
    Short,
    /// Another type of record is expected here.
    #[error("record doesn't match type")]
    Type,
    /// No record begins so.
    #[error("bad record")]
    Bad,
    /// Structures in structures beyond [`MAX_DEPTH`].
    #[error("structures nested too deep")]
    Deep,
}

/// The first packet of `stream`; `None` when more bytes are needed. `limit` bounds the body.
pub fn split(stream: &[u8], limit: usize) -> Result<Option<Packet<'_>>, FrameError> {
    let Some(&first) = stream.first() else {
        return Ok(None);
    };
    if first != MAGIC_AND_VERSION {
        return Err(FrameError::Corrupted);
    }
    let Some(&second) = stream.get(1) else {
        return Ok(None);
    };
    let kind = match second >> 4 {
        0 => PacketKind::Request,
        1 => PacketKind::Reply,
        3 => PacketKind::Fault,
        _ => return Err(FrameError::Corrupted),
    };
    let cookie_at = 2 + usize::from(second >> 2 & 3) + 1;
    let body_at = cookie_at + usize::from(second & 3) + 1;
    let Some(header) = stream.get(..body_at) else {
        return Ok(None);
    };
    let length = big_endian(&header[2..cookie_at]) as usize;
    let cookie = big_endian(&header[cookie_at..]) as u32;
    if length > limit {
        return Err(FrameError::TooLong {
            cookie,
            bytes: length,
            limit,
        });
    }
    Ok(stream.get(body_at..body_at + length).map(|body| Packet {
        kind,
        cookie,
        body,
        bytes: body_at + length,
    }))
}

/// The method and the rest of the body, which holds the parameters.
pub fn decode_request(body: &[u8]) -> Result<(Cow<'_, str>, &[u8]), RecordError> {
    let mut reader = Reader { rest: body };
    let head = reader.head()?;
    let method = reader.text(head, record::TEXT)?;
    Ok((method, reader.rest))
}

/// All values of a body.
pub fn decode_values(body: &[u8]) -> Result<Vec<Value>, RecordError> {
    let mut reader = Reader { rest: body };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        let head = reader.head()?;
        values.push(reader.value(head, 0)?);
    }
    Ok(values)
}

/// Code and text of a fault's body.
pub fn decode_fault(body: &[u8]) -> Result<Fault, RecordError> {
    let mut reader = Reader { rest: body };
    let head = reader.head()?;
    let Value::Int(code) = reader.value(head, 0)? else {
        return Err(RecordError::Type);
    };
    let head = reader.head()?;
    let message = reader.text(head, record::TEXT)?.into_owned();
    Ok(Fault {
        code: code as i32,
        message,
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn head(&mut self) -> Result<u8, RecordError> {
        let (&head, rest) = self.rest.split_first().ok_or(RecordError::End)?;
        self.rest = rest;
        Ok(head)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(RecordError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The value bytes of a record whose size may be escaped.
    fn sized(&mut self, head: u8) -> Result<&'a [u8], RecordError> {
        let size = head >> 4;
        if size < LENGTH_ESCAPE {
            return self.take(usize::from(size));
        }
        let length = self.take(usize::from(size & !LENGTH_ESCAPE))?;
        // Eight length bytes cannot be: at most seven fit the head, so this never overflows.
        self.take(usize::try_from(big_endian(length)).map_err(|_| RecordError::Short)?)
    }

    fn value(&mut self, head: u8, depth: usize) -> Result<Value, RecordError> {
        if depth > MAX_DEPTH {
            return Err(RecordError::Deep);
        }
        match head & 0xf {
            record::INT => {
                let bytes = self.sized(head)?;
                if bytes.len() > 4 {
                    return Err(RecordError::Bad);
                }
                Ok(Value::Int(i64::from(big_endian(bytes) as u32 as i32)))
            }
            record::TEXT => Ok(Value::Text(self.text(head, record::TEXT)?.into_owned())),
            record::DOUBLE => {
                let size = usize::from(head >> 4);
                if size > 8 {
                    return Err(RecordError::Bad);
                }
                let thousandths = big_endian(self.take(size)?) as i64;
                Ok(Value::Double(thousandths as f64 / 1000.0))
            }
            record::STRUCT if head == record::STRUCT => self.members(depth),
            record::ARRAY if head == record::ARRAY => self.elements(depth),
            record::BYTES => Ok(Value::Bytes(self.sized(head)?.to_vec())),
            _ => Err(RecordError::Bad),
        }
    }

    fn members(&mut self, depth: usize) -> Result<Value, RecordError> {
        let mut members = Vec::new();
        loop {
            let head = self.head()?;
            if head == record::STRUCT_END {
                return Ok(Value::Struct(members));
            }
            let name = self.text(head, record::NAME)?.into_owned();
            let head = self.head()?;
            members.push((Cow::Owned(name), self.value(head, depth + 1)?));
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Value, RecordError> {
        let mut values = Vec::new();
        loop {
            let head = self.head()?;
            if head == record::ARRAY_END {
                return Ok(Value::Array(values));
            }
            values.push(self.value(head, depth + 1)?);
        }
    }

    /// A text without its closing NUL, which some clients forget. What is no UTF-8 is replaced.
    fn text(&mut self, head: u8, kind: u8) -> Result<Cow<'a, str>, RecordError> {
        // The size is read first: a record that is cut short is that, whatever its type.
        let bytes = self.sized(head)?;
        if head & 0xf != kind {
            return Err(RecordError::Type);
        }
        Ok(String::from_utf8_lossy(
            bytes.strip_suffix(&[0]).unwrap_or(bytes),
        ))
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
