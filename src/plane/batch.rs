//! Datagrams in batches: many with one system call in, many with one out, and the error queue.
//!
//! Owns: the receive buffers. May touch: the sockets it is given, through `sys`. The same
//! types serve the shards, the load generator and the demo.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use arrayvec::ArrayVec;

use super::abi::{self, ADDRESS_BYTES, RawAddress};
use super::sys::{self, CONTROL_BYTES, ControlBuffer, Filled, MOST_DATAGRAMS};
use crate::proxy::{Outbox, SocketId};

/// Most datagrams received with one call.
pub const RECEIVE_SLOTS: usize = 32;
/// Fewest datagrams asked for with one call: asking costs a little for each, received or not.
const FEWEST_SLOTS: usize = 4;
/// Distance of two receive buffers: the largest UDP datagram, and some more, so that their first
/// bytes, the ones that are used, do not all fall on the same cache sets. The pages behind a usual
/// message are never touched and take no memory.
const SLOT_BYTES: usize = 65_536 + 1_088;

/// A datagram in a [`RecvBatch`].
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// When the kernel received it, in nanoseconds since 1970, if the socket has receive stamps on;
    /// [`Clock::received`](super::Clock::received) translates it.
    pub stamp_wall_ns: Option<u64>,
    /// Its payload, whole.
    pub bytes: &'a [u8],
}

/// Receive buffers for a batch of datagrams of any size, filled by one `recvmmsg`.
#[derive(Debug)]
pub struct RecvBatch {
    payloads: Vec<u8>,
    names: Vec<[u8; ADDRESS_BYTES]>,
    controls: Vec<ControlBuffer>,
    filled: [Filled; RECEIVE_SLOTS],
    len: usize,
    asked: usize,
}

impl RecvBatch {
    /// Empty buffers; 2 MiB of address space, of which only touched pages take memory.
    pub fn new() -> Self {
        Self {
            payloads: vec![0; SLOT_BYTES * RECEIVE_SLOTS],
            names: vec![[0; ADDRESS_BYTES]; RECEIVE_SLOTS],
            controls: vec![ControlBuffer([0; CONTROL_BYTES]); RECEIVE_SLOTS],
            filled: [Filled::default(); RECEIVE_SLOTS],
            len: 0,
            asked: FEWEST_SLOTS,
        }
    }

    /// Replaces the content by what the socket holds, without waiting; returns how many datagrams
    /// came (0: none was there). How many it asks for follows the traffic.
    ///
    /// # Errors
    /// An error that the kernel keeps for the socket, usually an ICMP answer to something sent from
    /// it: read the error queue and receive again.
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        if self.len == self.asked {
            self.asked = (self.asked * 2).min(RECEIVE_SLOTS);
        } else if self.len < self.asked / 4 {
            self.asked = (self.asked / 2).max(FEWEST_SLOTS);
        }
        self.len = 0;
        let result = uninterrupted(|| {
            sys::receive_many(
                socket.as_fd(),
                &mut self.payloads,
                SLOT_BYTES,
                &mut self.names[..self.asked],
                &mut self.controls,
                &mut self.filled,
            )
        });
        self.len = match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        Ok(self.len)
    }

    /// Whether the socket may hold more than the last [`RecvBatch::receive`] has taken. If not, the
    /// next datagram makes a new readiness event.
    pub fn may_have_more(&self) -> bool {
        self.len == self.asked
    }

    /// The datagrams. One from an address that is not IP (there is none on an IP socket) is left out.
    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        (0..self.len).filter_map(|slot| {
            let payload = self.payloads.get(slot * SLOT_BYTES..)?;
            Some(Received {
                source: abi::decode_address(self.names[slot].get(..self.filled[slot].name)?)?,
                stamp_wall_ns: self.controls(slot).find_map(abi::stamp_nanos),
                bytes: payload.get(..self.filled[slot].payload)?,
            })
        })
    }

    /// The socket's own count of datagrams lost for want of buffer space, as of the newest datagram
    /// of the batch; `None` while it has lost none. It wraps.
    pub fn overflow_count(&self) -> Option<u32> {
        let newest = self.len.checked_sub(1)?;
        self.controls(newest).find_map(abi::overflow_count)
    }

    fn controls(&self, slot: usize) -> impl Iterator<Item = abi::Control<'_>> {
        abi::controls(&self.controls[slot].0[..self.filled[slot].control])
    }
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Datagrams that the kernel took.
    pub sent: usize,
    /// Datagrams dropped because the send buffer or the device's queue stayed full. They are lost as
    /// in the network: whoever needs them repeats them.
    pub congested: usize,
    /// System calls made.
    pub calls: usize,
}

/// A datagram that cannot be sent where it should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// Its index in [`Outbox::packets`].
    pub packet: usize,
    /// The operating system's error number.
    pub errno: i32,
}

/// Sends outboxes, each socket's packets with as few calls as possible.
#[derive(Debug, Default)]
pub struct SendBatch {
    /// Indexes into the packets, grouped by socket.
    order: Vec<u32>,
    failures: Vec<SendFailure>,
}

/// How often a packet is tried before its error is believed. An error that `sendmmsg` returns can
/// belong to an earlier datagram (an ICMP answer that came in meanwhile); reading it clears it.
const SEND_TRIES: usize = 3;
/// How long a full send buffer may hold up one flush, once.
const CONGESTION_WAIT_MS: i32 = 1;

impl SendBatch {
    /// A sender that has sent nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends every packet by its socket, an index into `sockets`; destinations are mixed freely in a
    /// call. The order for one socket is kept. A full send buffer is waited for once, a millisecond
    /// at most; what does not fit then is dropped and counted.
    pub fn send<S: AsFd>(&mut self, sockets: &[S], outbox: &Outbox) -> SendReport {
        self.failures.clear();
        let packets = outbox.packets();
        self.order.clear();
        self.order.extend(0..packets.len() as u32);
        let socket_of = |index: u32| packets[index as usize].socket;
        // Nearly always sorted already: then this is one comparison a packet.
        self.order
            .sort_unstable_by_key(|&index| (socket_of(index), index));

        let mut report = SendReport::default();
        let mut rest = self.order.as_slice();
        while let Some(&first) = rest.first() {
            let id = socket_of(first);
            let len = rest.partition_point(|&index| socket_of(index) <= id);
            let (group, others) = rest.split_at(len);
            rest = others;
            send_group(sockets, id, group, outbox, &mut self.failures, &mut report);
        }
        report
    }

    /// The packets of the last [`SendBatch::send`] that have an error of their own.
    pub fn failures(&self) -> &[SendFailure] {
        &self.failures
    }
}

fn send_group<S: AsFd>(
    sockets: &[S],
    id: SocketId,
    group: &[u32],
    outbox: &Outbox,
    failures: &mut Vec<SendFailure>,
    report: &mut SendReport,
) {
    let Some(socket) = sockets.get(usize::from(id)) else {
        failures.extend(group.iter().map(|&index| SendFailure {
            packet: index as usize,
            errno: libc::EBADF,
        }));
        return;
    };
    let mut may_wait = true;
    for chunk in group.chunks(MOST_DATAGRAMS) {
        send_chunk(
            socket.as_fd(),
            chunk,
            outbox,
            &mut may_wait,
            failures,
            report,
        );
    }
}

fn send_chunk(
    socket: BorrowedFd<'_>,
    chunk: &[u32],
    outbox: &Outbox,
    may_wait: &mut bool,
    failures: &mut Vec<SendFailure>,
    report: &mut SendReport,
) {
    let mut addresses = ArrayVec::<RawAddress, MOST_DATAGRAMS>::new();
    let mut payloads = ArrayVec::<&[u8], MOST_DATAGRAMS>::new();
    for &index in chunk {
        let packet = &outbox.packets()[index as usize];
        addresses.push(RawAddress::new(packet.to));
        payloads.push(outbox.bytes(packet));
    }
    let mut done = 0;
    let mut tries = 0;
    while done < chunk.len() {
        report.calls += 1;
        let error = match sys::send_many(socket, &addresses[done..], &payloads[done..]) {
            Ok(sent) => {
                report.sent += sent;
                done += sent;
                tries = 0;
                continue;
            }
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        tries += 1;
        match error {
            libc::EINTR => tries = 0,
            libc::EAGAIN if *may_wait => {
                *may_wait = false;
                sys::wait_writable(socket, CONGESTION_WAIT_MS);
            }
            libc::EAGAIN => {
                report.congested += chunk.len() - done;
                return;
            }
            // The device's queue had no room for this one; there may be some for the next.
            libc::ENOBUFS => {
                report.congested += 1;
                done += 1;
                tries = 0;
            }
            errno if tries >= SEND_TRIES => {
                failures.push(SendFailure {
                    packet: chunk[done] as usize,
                    errno,
                });
                done += 1;
                tries = 0;
            }
            _ => {}
        }
    }
}

/// A datagram of ours that the network could not deliver, as an ICMP message told.
#[derive(Clone, Copy, Debug)]
pub struct Undelivered<'a> {
    /// Where it was to go.
    pub to: SocketAddr,
    /// The error number that the ICMP message stands for (`ECONNREFUSED`, `EHOSTUNREACH` …).
    pub errno: i32,
    /// What we sent, as far as the ICMP message quotes it: often some hundred bytes.
    pub sent: &'a [u8],
}

/// Reads the error queues of sockets that are bound with [`bind`](super::socket::bind).
#[derive(Debug)]
pub struct ErrorReader {
    payload: Box<[u8]>,
    name: [u8; ADDRESS_BYTES],
    control: ControlBuffer,
}

/// Longer than any ICMP message quotes: 576 bytes in all over IPv4, 1,280 over IPv6 (RFC 1812
/// section 4.3.2.3, RFC 4443 section 2.4).
const QUOTED_BYTES: usize = 2_048;
/// Entries of no interest that one read passes over.
const MOST_SKIPPED: usize = 64;

impl ErrorReader {
    /// A reader with its buffer.
    pub fn new() -> Self {
        Self {
            payload: vec![0; QUOTED_BYTES].into_boxed_slice(),
            name: [0; ADDRESS_BYTES],
            control: ControlBuffer([0; CONTROL_BYTES]),
        }
    }

    /// The next entry of the queue; `None` when there is no more. "Packet too big" is passed over:
    /// it says nothing about the destination, and the kernel has learned the path's size from it.
    pub fn read(&mut self, socket: impl AsFd) -> Option<Undelivered<'_>> {
        for _ in 0..MOST_SKIPPED {
            let filled = uninterrupted(|| {
                sys::receive_error(
                    socket.as_fd(),
                    &mut self.payload,
                    &mut self.name,
                    &mut self.control,
                )
            })
            .ok()?;
            let errno = abi::controls(&self.control.0[..filled.control]).find_map(abi::icmp_errno);
            let to = abi::decode_address(&self.name[..filled.name]);
            if let (Some(errno), Some(to)) = (errno, to)
                && errno != libc::EMSGSIZE
            {
                let sent = &self.payload[..filled.payload];
                return Some(Undelivered { to, errno, sent });
            }
        }
        None
    }
}

impl Default for ErrorReader {
    fn default() -> Self {
        Self::new()
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;
