//! What goes wrong and when, and the list of destinations as the operator edits it.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;

use super::agenda::{Agenda, Event};
use super::config::SimConfig;
use crate::agent::AnswerMix;
use crate::dispatch::attributes::Attributes;
use crate::dispatch::{Entry, Flags, SetId};
use crate::proxy::ShardId;
use crate::rng::Rng;
use crate::time::Timestamp;

/// The set that calls are dispatched to.
pub(super) const SET: SetId = 1;

/// How a gateway is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Nothing comes back.
    Silent,
    /// Its host says that nobody listens there.
    Refusing,
}

/// Something that goes wrong, or right again.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A gateway dies.
    Dies(usize, Death),
    /// A gateway comes back; true: without its memory.
    Returns(usize, bool),
    /// A gateway treats calls otherwise from now on.
    Mood(usize, AnswerMix),
    /// A shard stands still for so long.
    Pause(ShardId, Duration),
    /// The list is edited and loaded.
    Reload,
    /// The operator sets the state of a destination.
    SetState(usize, Flags),
}

/// Puts the faults of a world on its agenda.
pub(super) fn plan(config: &SimConfig, agenda: &mut Agenda, rng: &mut Rng) {
    let end_ms = config.duration.as_millis() as u64;
    let faults = &config.faults;
    let at = |ms: u64| Timestamp::ZERO + Duration::from_millis(ms);
    let gateways = usize::from(config.gateways);
    if faults.deaths {
        for _ in 0..rng.random_range(1..=6) {
            let gateway = rng.random_range(0..gateways);
            let dies = rng.random_range(0..end_ms);
            let returns = dies + rng.random_range(200..20_000);
            let death = if rng.random_ratio(1, 2) {
                Death::Silent
            } else {
                Death::Refusing
            };
            agenda.add(at(dies), Event::Fault(Fault::Dies(gateway, death)));
            let forgetful = rng.random_ratio(1, 3);
            agenda.add(
                at(returns.min(end_ms)),
                Event::Fault(Fault::Returns(gateway, forgetful)),
            );
        }
    }
    if faults.pauses {
        for _ in 0..rng.random_range(1..=8) {
            let shard = rng.random_range(0..config.shards);
            let pause = Duration::from_millis(rng.random_range(5..=1_200));
            let begins = at(rng.random_range(0..end_ms));
            agenda.add(begins, Event::Fault(Fault::Pause(shard, pause)));
        }
    }
    if faults.reloads {
        for _ in 0..rng.random_range(1..=6) {
            agenda.add(at(rng.random_range(0..end_ms)), Event::Fault(Fault::Reload));
        }
    }
    if faults.operator {
        for _ in 0..rng.random_range(1..=4) {
            // The first destination is never touched, so that there always is one.
            let gateway = rng.random_range(1..gateways);
            let off = rng.random_range(0..end_ms);
            let on = off + rng.random_range(100..15_000);
            let disabled = Flags(Flags::DISABLED);
            agenda.add(at(off), Event::Fault(Fault::SetState(gateway, disabled)));
            agenda.add(
                at(on.min(end_ms)),
                Event::Fault(Fault::SetState(gateway, Flags(0))),
            );
        }
    }
    if faults.moody_gateways {
        for _ in 0..rng.random_range(1..=6) {
            let gateway = rng.random_range(0..gateways);
            let mood = Fault::Mood(gateway, draw_mood(rng));
            agenda.add(at(rng.random_range(0..end_ms)), Event::Fault(mood));
        }
    }
}

/// How a gateway may treat calls.
pub(super) fn draw_mood(rng: &mut Rng) -> AnswerMix {
    let codes = [302, 404, 480, 486, 500, 503, 603];
    let code = codes[rng.random_range(0..codes.len())];
    let part = |rng: &mut Rng| f64::from(rng.random_range(0..4_u8)) / 10.0;
    AnswerMix {
        reject: vec![(code, part(rng)), (503, part(rng))],
        ring_only: part(rng) / 2.0,
        ignore: part(rng) / 2.0,
    }
}

/// One line of the list.
#[derive(Clone, Debug)]
struct Line {
    address: SocketAddr,
    maxload: u32,
    priority: i32,
    present: bool,
}

/// The list of destinations.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    lines: Vec<Line>,
    original: Vec<Line>,
    pub version: u64,
}

impl Roster {
    pub fn new(addresses: &[SocketAddr], maxload: u32, rng: &mut Rng) -> Self {
        let lines: Vec<Line> = addresses
            .iter()
            .map(|&address| Line {
                address,
                maxload,
                priority: rng.random_range(0..=2),
                present: true,
            })
            .collect();
        Self {
            original: lines.clone(),
            lines,
            version: 1,
        }
    }

    /// Changes something; returns what. The first destination always stays.
    pub fn edit(&mut self, rng: &mut Rng) -> String {
        self.version += 1;
        let number = rng.random_range(1..self.lines.len());
        let line = &mut self.lines[number];
        match rng.random_range(0..5_u32) {
            0 | 1 => {
                line.present = !line.present;
                let what = if line.present { "adds" } else { "removes" };
                format!("reload {what} gateway {number}")
            }
            2 => {
                line.priority = rng.random_range(0..=5);
                format!(
                    "reload moves gateway {number} to priority {}",
                    line.priority
                )
            }
            3 if line.maxload > 0 => {
                line.maxload = rng.random_range(1..=12);
                format!(
                    "reload sets maxload of gateway {number} to {}",
                    line.maxload
                )
            }
            _ => "reload changes nothing".to_owned(),
        }
    }

    /// As it was at the beginning.
    pub fn restore(&mut self) {
        self.version += 1;
        self.lines.clone_from(&self.original);
    }

    /// The lines as a loader reads them.
    pub fn entries(&self) -> Vec<Entry> {
        let present = self
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.present);
        present
            .map(|(number, line)| Entry {
                set: SET,
                uri: format!("sip:{}", line.address).into(),
                flags: Flags(0),
                priority: line.priority,
                attributes: Attributes {
                    duid: Some(format!("gw{number}").into()),
                    maxload: line.maxload,
                    ..Attributes::default()
                },
                address: Some(line.address),
            })
            .collect()
    }

    /// The URI of a gateway.
    pub fn uri(&self, gateway: usize) -> String {
        format!("sip:{}", self.lines[gateway].address)
    }
}
