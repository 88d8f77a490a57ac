//! What a shard wants sent: datagrams in one arena that is reused batch after batch.

use std::net::SocketAddr;
use std::sync::Arc;

use super::settings::SocketId;
use crate::dispatch::Destination;
use crate::route::host::Level;

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

/// A destination went up or down by the word of a script.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// Which.
    pub destination: Arc<Destination>,
    /// Whether it can be selected again.
    pub is_up: bool,
    /// The SIP code that decided it, or Kamailio's number for what did.
    pub code: u16,
    /// Whether that was an answer.
    pub is_answer: bool,
}

/// A line of the log; its bytes lie in the outbox.
#[derive(Clone, Copy, Debug)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    start: u32,
    end: u32,
}

/// Most bytes of log lines that are kept until they are written; more are counted only.
const MAX_LOG: usize = 64 * 1024;

/// The output of a batch. Cleared, never freed, so that a steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Outbox {
    arena: Vec<u8>,
    packets: Vec<Packet>,
    probe_answers: Vec<ProbeAnswer>,
    undelivered_probes: Vec<u64>,
    log: Vec<u8>,
    log_lines: Vec<LogLine>,
    lost_lines: u64,
    changes: Vec<StateChange>,
    wants_reload: bool,
}

impl Outbox {
    /// An empty outbox with room for a usual batch.
    pub fn new() -> Self {
        Self {
            arena: Vec::with_capacity(256 * 1024),
            packets: Vec::with_capacity(256),
            probe_answers: Vec::with_capacity(64),
            undelivered_probes: Vec::with_capacity(64),
            ..Self::default()
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

    /// Adds a line of the log.
    pub fn log(&mut self, level: Level, line: &[u8]) {
        if self.log.len() + line.len() > MAX_LOG {
            self.lost_lines += 1;
            return;
        }
        let start = self.log.len() as u32;
        self.log.extend_from_slice(line);
        self.log_lines.push(LogLine {
            level,
            start,
            end: self.log.len() as u32,
        });
    }

    /// Lines of the log, and what each says.
    pub fn log_lines(&self) -> impl Iterator<Item = (Level, &[u8])> {
        let bytes = |line: &LogLine| &self.log[line.start as usize..line.end as usize];
        self.log_lines
            .iter()
            .map(move |line| (line.level, bytes(line)))
    }

    /// Lines that were too many for one batch.
    pub fn lost_lines(&self) -> u64 {
        self.lost_lines
    }

    /// Adds a change of state that a script made, for event routes.
    pub fn note_change(&mut self, change: StateChange) {
        self.changes.push(change);
    }

    /// Changes of states that scripts made.
    pub fn changes(&self) -> &[StateChange] {
        &self.changes
    }

    /// A script wants the destinations read again.
    pub fn ask_for_reload(&mut self) {
        self.wants_reload = true;
    }

    /// Whether a script wants the destinations read again.
    pub fn wants_reload(&self) -> bool {
        self.wants_reload
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
            && self.probe_answers.is_empty()
            && self.undelivered_probes.is_empty()
            && self.log_lines.is_empty()
            && self.changes.is_empty()
            && !self.wants_reload
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.packets.clear();
        self.probe_answers.clear();
        self.undelivered_probes.clear();
        self.log.clear();
        self.log_lines.clear();
        self.lost_lines = 0;
        self.changes.clear();
        self.wants_reload = false;
    }
}
