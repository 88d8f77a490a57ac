//! What a shard wants sent: datagrams in one arena that is reused batch after batch.

use std::net::SocketAddr;

use super::settings::SocketId;

/// One datagram to send; its bytes lie in the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// The listen socket that it leaves by.
    pub socket: SocketId,
    /// Where it goes.
    pub to: SocketAddr,
    start: u32,
    end: u32,
}

/// The answer to a keepalive, recognised by the branch of its Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The token that the keepalive carried in its branch.
    pub token: u64,
    /// The SIP status code.
    pub code: u16,
}

/// The output of a batch. Cleared, never freed, so that a steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Outbox {
    arena: Vec<u8>,
    packets: Vec<Packet>,
    probe_answers: Vec<ProbeAnswer>,
    undelivered_probes: Vec<u64>,
}

impl Outbox {
    /// An empty outbox with room for a usual batch.
    pub fn new() -> Self {
        Self {
            arena: Vec::with_capacity(256 * 1024),
            packets: Vec::with_capacity(256),
            probe_answers: Vec::with_capacity(64),
            undelivered_probes: Vec::with_capacity(64),
        }
    }

    /// Adds a datagram whose bytes `write` appends to the buffer it is given.
    pub fn send(&mut self, socket: SocketId, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len() as u32;
        write(&mut self.arena);
        let end = self.arena.len() as u32;
        self.packets.push(Packet {
            socket,
            to,
            start,
            end,
        });
    }

    /// Adds the answer to a keepalive, for whoever probes.
    pub fn answer_probe(&mut self, answer: ProbeAnswer) {
        self.probe_answers.push(answer);
    }

    /// Adds the token of a keepalive that could not be delivered.
    pub fn undelivered_probe(&mut self, token: u64) {
        self.undelivered_probes.push(token);
    }

    /// The datagrams, in the order in which they are to be sent.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The bytes of one of [`Outbox::packets`].
    pub fn bytes(&self, packet: &Packet) -> &[u8] {
        &self.arena[packet.start as usize..packet.end as usize]
    }

    /// Answers to keepalives.
    pub fn probe_answers(&self) -> &[ProbeAnswer] {
        &self.probe_answers
    }

    /// Tokens of keepalives that could not be delivered.
    pub fn undelivered_probes(&self) -> &[u64] {
        &self.undelivered_probes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
            && self.probe_answers.is_empty()
            && self.undelivered_probes.is_empty()
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.packets.clear();
        self.probe_answers.clear();
        self.undelivered_probes.clear();
    }
}
