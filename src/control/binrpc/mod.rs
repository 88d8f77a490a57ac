//! BINRPC, the peers' binary RPC protocol, that kamcmd speaks.
//!
//! Owns: the bytes of packets and records. May touch: memory only; sockets are in
//! [`server`](super::server) and [`client`](super::client).
//!
//! A packet is a header and a body. The header: byte 0 is 0xA1 (magic 0xA, version 1); byte 1 is
//! `type << 4 | (LL - 1) << 2 | (CL - 1)`; then LL bytes of body length and CL bytes of cookie, big
//! endian. The body is a row of records, each with a head byte `size << 4 | type`. A size of 0 to 7
//! is the number of value bytes; if its high bit is set, its low three bits say how many bytes of
//! length follow. Fractions have no such escape: their size is 0 to 8.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{
    FrameError, Packet, RecordError, decode_fault, decode_request, decode_values, split,
};
pub use encode::{encode_fault, encode_reply, encode_request};

/// The largest body that a server takes.
pub const MAX_REQUEST_BYTES: usize = 65_535;

/// The largest body that our own client takes: a full list of 100,000 destinations.
pub const MAX_REPLY_BYTES: usize = 64 << 20;

/// Structures deeper than this are refused.
pub const MAX_DEPTH: usize = 32;

const MAGIC_AND_VERSION: u8 = 0xa1;
const LENGTH_ESCAPE: u8 = 0x8;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Method and parameters.
    Request = 0,
    /// The values that the method gave.
    Reply = 1,
    /// Code and text.
    Fault = 3,
}

/// The record types (the low nibble of a record's first byte).
mod record {
    pub const INT: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const DOUBLE: u8 = 2;
    pub const STRUCT: u8 = 3;
    pub const ARRAY: u8 = 4;
    pub const NAME: u8 = 5;
    pub const BYTES: u8 = 6;
    /// The head bytes that close what [`STRUCT`] and [`ARRAY`] opened.
    pub const STRUCT_END: u8 = 0x83;
    pub const ARRAY_END: u8 = 0x84;
}
