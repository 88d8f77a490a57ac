//! What comes in: datagrams, and replies as they are read from them.

use std::net::SocketAddr;

use super::settings::SocketId;
use crate::sip::{Basics, Message};
use crate::time::Timestamp;

/// A datagram as received.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The listen socket it came in by.
    pub socket: SocketId,
    /// Who sent it.
    pub source: SocketAddr,
    /// When the kernel received it.
    pub received: Timestamp,
    /// Its payload.
    pub bytes: &'a [u8],
}

/// A reply as it came.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The message.
    pub message: Message<'a>,
    /// What every message has, read once.
    pub basics: &'a Basics<'a>,
    /// Who sent it.
    pub source: SocketAddr,
    /// The socket that it came in by.
    pub socket: SocketId,
}
