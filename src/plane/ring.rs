//! The hand-off between two shards: a bounded ring of datagrams, and how a sleeping owner is woken.
//!
//! Owns: the bytes on their way. May touch: memory, and the waker of a poll. One ring has one
//! producer and one consumer, so there is a ring for each ordered pair of shards.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam::utils::CachePadded;
use rtrb::chunks::ReadChunk;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::proxy::SocketId;
use crate::time::Timestamp;

/// Least capacity of a ring: a message of the largest size fits with its header.
pub(super) const LEAST_RING_BYTES: usize = 128 * 1024;
/// Largest capacity: more than a thousand usual messages, some ten milliseconds of full load.
const MOST_RING_BYTES: usize = 1024 * 1024;
/// What all rings of a process take together, as long as each has its least capacity.
const ALL_RINGS_BYTES: usize = 32 * 1024 * 1024;

/// The capacity of each ring of a plane with so many shards.
pub(super) fn ring_bytes(shards: usize) -> usize {
    let rings = (shards * shards.saturating_sub(1)).max(1);
    (ALL_RINGS_BYTES / rings).clamp(LEAST_RING_BYTES, MOST_RING_BYTES)
}

/// What a message in a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A datagram that arrived; the address is its source.
    Arrived,
    /// A datagram of ours that was not delivered; the address is where it was to go.
    Undelivered,
}

/// A message that one shard hands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handoff<'a> {
    /// What it is.
    pub kind: Kind,
    /// The listen socket that it arrived by.
    pub socket: SocketId,
    /// The other party, see [`Kind`].
    pub address: SocketAddr,
    /// When the kernel received it.
    pub received: Timestamp,
    /// When the shard that hands it over had read it.
    pub read: Timestamp,
    /// The payload.
    pub bytes: &'a [u8],
}

/// Length (4), kind (1), family (1), socket (2), stamp (8), address (16), flow (4), scope (4),
/// port (2), 2 that are not used, and when it was read (8).
const HEADER_BYTES: usize = 52;

struct Header {
    len: usize,
    kind: Kind,
    socket: SocketId,
    address: SocketAddr,
    received: Timestamp,
    read: Timestamp,
}

impl Header {
    fn encode(handoff: &Handoff<'_>) -> [u8; HEADER_BYTES] {
        let (family, ip, flow, scope) = match handoff.address {
            SocketAddr::V4(v4) => (4, v4.ip().to_ipv6_mapped(), 0, 0),
            SocketAddr::V6(v6) => (6, *v6.ip(), v6.flowinfo(), v6.scope_id()),
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&(handoff.bytes.len() as u32).to_ne_bytes());
        bytes[4] = u8::from(handoff.kind == Kind::Undelivered);
        bytes[5] = family;
        bytes[6..8].copy_from_slice(&handoff.socket.to_ne_bytes());
        bytes[8..16].copy_from_slice(&handoff.received.as_nanos().to_ne_bytes());
        bytes[16..32].copy_from_slice(&ip.octets());
        bytes[32..36].copy_from_slice(&u32::to_ne_bytes(flow));
        bytes[36..40].copy_from_slice(&u32::to_ne_bytes(scope));
        bytes[40..42].copy_from_slice(&handoff.address.port().to_ne_bytes());
        bytes[44..52].copy_from_slice(&handoff.read.as_nanos().to_ne_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Self {
        let u16_at = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let mut ip = [0; 16];
        ip.copy_from_slice(&bytes[16..32]);
        let ip = Ipv6Addr::from(ip);
        let port = u16_at(40);
        let address = match (bytes[5], ip.to_ipv4_mapped()) {
            (4, Some(v4)) => SocketAddr::new(IpAddr::V4(v4), port),
            _ => std::net::SocketAddrV6::new(ip, port, u32_at(32), u32_at(36)).into(),
        };
        Self {
            len: u32_at(0) as usize,
            kind: if bytes[4] == 0 {
                Kind::Arrived
            } else {
                Kind::Undelivered
            },
            socket: u16_at(6),
            address,
            received: Timestamp::from_nanos(u64_at(8)),
            read: Timestamp::from_nanos(u64_at(44)),
        }
    }
}

/// A ring of `capacity` bytes.
pub(super) fn ring(capacity: usize) -> (HandoffSender, HandoffReceiver) {
    let (producer, consumer) = RingBuffer::new(capacity);
    let receiver = HandoffReceiver {
        consumer,
        joined: Vec::new(),
    };
    (HandoffSender(producer), receiver)
}

/// The end that the receiving shard fills.
#[derive(Debug)]
pub(super) struct HandoffSender(Producer<u8>);

impl HandoffSender {
    /// Puts a message in, whole or not at all; `false` when there is no room. Never waits.
    pub(super) fn push(&mut self, handoff: &Handoff<'_>) -> bool {
        let needed = HEADER_BYTES + handoff.bytes.len();
        // `cached_slots` may be out of date, but only to the low side.
        if self.0.cached_slots() < needed && self.0.slots() < needed {
            return false;
        }
        // The room is there and only we take of it, so neither can fail. The consumer may see the
        // header before the payload; it waits for both.
        self.0.push_entire_slice(&Header::encode(handoff)).is_ok()
            && self.0.push_entire_slice(handoff.bytes).is_ok()
    }
}

/// The end that the owner empties.
#[derive(Debug)]
pub(super) struct HandoffReceiver {
    consumer: Consumer<u8>,
    /// Where a message is put together that lies across the ring's end.
    joined: Vec<u8>,
}

impl HandoffReceiver {
    /// Takes the next message and shows it to `work`; `None` when there is none. The message is gone
    /// afterwards even if `work` panics, so one that makes it panic is met only once.
    pub(super) fn pop<R>(&mut self, work: impl FnOnce(Handoff<'_>) -> R) -> Option<R> {
        let mut header = [0; HEADER_BYTES];
        let chunk = self.consumer.read_chunk(HEADER_BYTES).ok()?;
        copy_out(&chunk, &mut header);
        let header = Header::decode(&header);
        let chunk = self.consumer.read_chunk(HEADER_BYTES + header.len).ok()?;
        let taken = Taken(Some(chunk));
        let (first, second) = taken.0.as_ref()?.as_slices();
        let bytes = if let Some(bytes) = first.get(HEADER_BYTES..).filter(|_| second.is_empty()) {
            bytes
        } else {
            self.joined.clear();
            self.joined.extend_from_slice(first);
            self.joined.extend_from_slice(second);
            &self.joined[HEADER_BYTES..]
        };
        Some(work(Handoff {
            kind: header.kind,
            socket: header.socket,
            address: header.address,
            received: header.received,
            read: header.read,
            bytes,
        }))
    }

    /// Whether nothing is in the ring or on its way into it.
    pub(super) fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }
}

/// A message that leaves the ring when this goes out of scope.
struct Taken<'a>(Option<ReadChunk<'a, u8>>);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(chunk) = self.0.take() {
            chunk.commit_all();
        }
    }
}

fn copy_out(chunk: &ReadChunk<'_, u8>, to: &mut [u8]) {
    let (first, second) = chunk.as_slices();
    to[..first.len()].copy_from_slice(first);
    to[first.len()..].copy_from_slice(second);
}

/// How others get a shard out of its sleep, at the price of a system call only if it does sleep.
///
/// No wake is lost. The owner writes `sleeping`, then reads the rings; a producer writes its ring,
/// then reads `sleeping`; between write and read each has a sequentially consistent fence. Of the two
/// fences one is first in their single total order. If it is the owner's, the producer reads
/// `sleeping` as set and wakes. If it is the producer's, the owner sees the message and does not
/// sleep. A wake that comes when the owner no longer sleeps makes its next sleep short, no more.
#[derive(Debug)]
pub(super) struct Sleeper {
    sleeping: CachePadded<AtomicBool>,
    waker: mio::Waker,
}

impl Sleeper {
    /// A sleeper whose poll is told of a wake by `token`.
    pub(super) fn new(poll: &mio::Poll, token: mio::Token) -> io::Result<Self> {
        Ok(Self {
            sleeping: CachePadded::new(AtomicBool::new(false)),
            waker: mio::Waker::new(poll.registry(), token)?,
        })
    }

    /// The owner is about to sleep. It must now look once more whether there is something to do.
    pub(super) fn lie_down(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The owner is awake.
    pub(super) fn get_up(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Something was put where the owner looks before it sleeps. Whether it had to be woken.
    pub(super) fn notify(&self) -> bool {
        fence(Ordering::SeqCst);
        // Read first: the line is shared as long as the owner is awake. Of several producers one
        // wakes.
        if !self.sleeping.load(Ordering::Relaxed) || !self.sleeping.swap(false, Ordering::Relaxed) {
            return false;
        }
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a shard");
        }
        true
    }
}

#[cfg(test)]
mod tests;
