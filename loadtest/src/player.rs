//! Whoever makes the calls of a thread: the built-in caller, or an actor with a script.

use std::net::SocketAddr;

use sipshard::agent::{Agent, Caller, CallerCounts, Latency, Recent};
use sipshard::proxy::{Outbox, SocketId};
use sipshard::time::Timestamp;

use crate::script::actor::Actor;
use crate::script::errors::Event;
use crate::script::report::Causes;

/// One of the two.
#[derive(Debug)]
pub enum Player {
    /// The built-in caller.
    Caller(Box<Caller>),
    /// An actor; it may also wait for calls.
    Actor(Box<Actor>),
}

impl Player {
    /// Starts no further calls and ends those under way as soon as it can.
    pub fn wind_up(&mut self, now: Timestamp) {
        match self {
            Self::Caller(caller) => caller.wind_up(now),
            Self::Actor(actor) => actor.wind_up(),
        }
    }

    /// Whether all calls that it was to begin are over.
    pub fn is_finished(&self) -> bool {
        match self {
            Self::Caller(caller) => caller.is_finished(),
            Self::Actor(actor) => actor.is_finished(),
        }
    }

    /// The times since the last such call.
    pub fn take_recent(&mut self, recent: &mut Recent) {
        match self {
            Self::Caller(caller) => caller.take_recent(recent),
            Self::Actor(actor) => actor.take_recent(recent),
        }
    }

    /// The times since the last such call of a script's timers behind its first.
    pub fn take_timers(&mut self) -> Vec<Latency> {
        match self {
            Self::Caller(_) => Vec::new(),
            Self::Actor(actor) => actor.take_timers(),
        }
    }

    /// What went wrong in a script's calls since the last such call.
    pub fn take_errors(&mut self, now: Timestamp) -> Vec<Event> {
        match self {
            Self::Caller(_) => Vec::new(),
            Self::Actor(actor) => actor.take_errors(now),
        }
    }

    /// Counts, causes of failures by a script, and whether it begins calls.
    pub fn counts(&self) -> (CallerCounts, Causes, bool) {
        match self {
            Self::Caller(caller) => (caller.report().counts, Causes::default(), true),
            Self::Actor(actor) => {
                let report = actor.report();
                (report.caller.counts, report.causes, report.calls)
            }
        }
    }
}

impl Agent for Player {
    fn receive(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        match self {
            Self::Caller(caller) => caller.receive(now, socket, source, bytes, out),
            Self::Actor(actor) => actor.receive(now, socket, source, bytes, out),
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        match self {
            Self::Caller(caller) => caller.tick(now, out),
            Self::Actor(actor) => actor.tick(now, out),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Caller(caller) => caller.next_deadline(),
            Self::Actor(actor) => actor.next_deadline(),
        }
    }
}
