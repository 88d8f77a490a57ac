//! `maxload` under a storm of INVITEs.

use std::time::Duration;

use crate::support::{Callers, Gateways, Options, Place, Progress, Seen, Server, Turn};

const DESTINATIONS: u8 = 8;
const MAXLOAD: usize = 10;
const ROOM: usize = DESTINATIONS as usize * MAXLOAD;
const CALLS: usize = 2_000;
const PORTS: usize = 64;
const LIMIT: Duration = Duration::from_secs(20);

/// One process, several rounds; each process has hash keys of its own.
fn exactly_as_many_are_admitted_as_there_is_room_for(stateless: bool, rounds: u32) {
    let _turn = Turn::alone();
    let place = Place::new();
    let addresses = (10..10 + DESTINATIONS).map(|host| place.address(host));
    let gateways = Gateways::start(addresses);
    let proxy = place.address(1);
    let options = Options::new(proxy, 4).stateless(stateless);
    let list = gateways.lines(&format!(";maxload={MAXLOAD}"));
    let server = Server::start(&place, &options, &list);
    for round in 1..=rounds {
        let mut callers = Callers::new(place.host(2), PORTS, proxy, CALLS, &format!("r{round}"));
        callers.call_all(LIMIT);
        let summary = callers.summary();
        assert_eq!(
            callers.count(Progress::Ringing),
            ROOM,
            "round {round}: {summary:?}"
        );
        assert_eq!(
            callers.count(Progress::Busy),
            CALLS - ROOM,
            "round {round}: {summary:?}"
        );
        assert_eq!(
            server.kamcmd.loads(),
            [MAXLOAD as u32; DESTINATIONS as usize]
        );
        callers.cancel_all(LIMIT);
        assert_eq!(callers.count(Progress::Cancelled), ROOM, "round {round}");
        server.wait_until_idle(LIMIT);
        for mut seen in gateways.seen() {
            assert_eq!(
                seen.invited.len(),
                MAXLOAD,
                "round {round}: calls at one gateway"
            );
            assert_eq!(seen.most_ringing, MAXLOAD, "round {round}: at one instant");
            *seen = Seen::default();
        }
    }
}

#[test]
fn stateful_exactly_as_many_are_admitted_as_there_is_room_for() {
    for _ in 0..5 {
        exactly_as_many_are_admitted_as_there_is_room_for(false, 10);
    }
}

#[test]
fn stateless_exactly_as_many_are_admitted_as_there_is_room_for() {
    for _ in 0..5 {
        exactly_as_many_are_admitted_as_there_is_room_for(true, 10);
    }
}
