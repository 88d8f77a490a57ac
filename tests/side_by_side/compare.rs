//! Plays the same scenarios against both servers at the same time, and compares what the ends got.

use std::panic::resume_unwind;
use std::thread;

use crate::known::Known;
use crate::place::{CALLER, Place};
use crate::server::{Kind, Server};
use crate::stage::{Scenario, play};
use crate::transcript::{Difference, Transcript, differences};

/// The hosts of the gateways.
pub const GATEWAYS: [u8; 3] = [11, 12, 13];

/// No more differences are shown: one often leads to the next.
const SHOWN: usize = 6;

/// A server and what it is given.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Which server.
    pub kind: Kind,
    /// Its configuration.
    pub configuration: &'a str,
}

/// What a list of destinations says after each URI, by the number of the gateway.
pub type Attributes = fn(usize) -> &'static str;

/// The list of a place.
pub fn list(place: &Place, set: u32, attributes: Attributes) -> String {
    let gateways = GATEWAYS.iter().enumerate();
    let lines = gateways.map(|(number, &host)| {
        format!("{set} sip:{} {}\n", place.address(host), attributes(number))
    });
    lines.collect()
}

/// What one server did. `set` is the set of its gateways.
pub fn transcripts(
    side: Side<'_>,
    set: u32,
    attributes: Attributes,
    scenarios: &[Scenario],
) -> Vec<Transcript> {
    let place = Place::new();
    let list = list(&place, set, attributes);
    let mut hosts = vec![CALLER];
    hosts.extend(GATEWAYS);
    let server = Server::start(side.kind, &place, side.configuration, &list);
    let played = play(&place, &hosts, scenarios);
    if played.iter().any(Transcript::is_cut_short) {
        eprintln!("--- {:?} said last:\n{}", side.kind, server.tail());
    }
    played
}

/// What both sides did, at the same time.
pub fn both(
    sides: [Side<'_>; 2],
    run: impl Fn(Side<'_>) -> Vec<Transcript> + Sync,
) -> [Vec<Transcript>; 2] {
    let run = &run;
    thread::scope(|scope| {
        let running = sides.map(|side| scope.spawn(move || run(side)));
        running.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Fails with what is different, and with what is the same but is said to differ.
pub fn assert_same(
    sides: [Side<'_>; 2],
    known: Known,
    run: impl Fn(Side<'_>) -> Vec<Transcript> + Sync,
) {
    let [left, right] = both(sides, run);
    if let Some(one) = left.iter().find(|one| one.is_cut_short()) {
        let flow = one.flow().join("\n");
        panic!(
            "{:?} does not play `{}`:\n{flow}",
            sides[0].kind, one.scenario
        );
    }
    let is_known = |one: &Difference| known.iter().any(|(name, _)| *name == one.scenario);
    let (expected, found): (Vec<_>, Vec<_>) =
        differences(&left, &right).into_iter().partition(is_known);
    let shown: Vec<String> = found.iter().take(SHOWN).map(ToString::to_string).collect();
    assert!(
        found.is_empty(),
        "{} of {} scenarios differ (- {:?}, + {:?}):\n{}",
        found.len(),
        left.len(),
        sides[0].kind,
        sides[1].kind,
        shown.join("\n")
    );
    for (name, reason) in known {
        let differs = expected.iter().any(|one| one.scenario == *name);
        assert!(differs, "`{name}` is the same now; known.rs says: {reason}");
    }
}
