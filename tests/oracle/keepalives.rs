//! Histories of keepalives: in each probing mode both hear the same answers, and must hold the same
//! states after each round. Where Kamailio's rule is a fault, it is `ds_compat` that is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use sipshard::dispatch::Thresholds;
use sipshard::probe::ProbingMode;

use crate::generate::{Generator, seed};
use crate::kamailio::{self, Kamailio};
use crate::scenario::{Options, load, states};
use crate::wire::Request;

const GATEWAYS: usize = 10;
const ROUNDS: usize = 7;

/// A gateway that answers as it is told.
fn gateways() -> Vec<UdpSocket> {
    let bind = |_| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("possible");
        socket
    };
    (0..GATEWAYS).map(bind).collect()
}

/// Serves one round of keepalives: from its first message until all is quiet.
fn round(sockets: &[UdpSocket], codes: &[u16]) -> BTreeMap<usize, u16> {
    let mut answered = BTreeMap::new();
    let begun = Instant::now();
    let mut last = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_900) {
        for (place, socket) in sockets.iter().enumerate() {
            if let Some(request) = Request::receive(socket) {
                request.answer(socket, codes[place]);
                answered.insert(place, codes[place]);
                last = Instant::now();
            }
        }
        if !answered.is_empty() && last.elapsed() > Duration::from_millis(250) {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    answered
}

fn history(mode: u32, thresholds: Thresholds) {
    let mut generator = Generator::new(seed() ^ 0x77 ^ u64::from(mode));
    let sockets = gateways();
    let mut list = String::new();
    for socket in &sockets {
        let address = socket.local_addr().expect("bound");
        let flags = generator.pick(&[0, 8, 8, 9, 9, 1, 4, 2, 10]);
        writeln!(list, "1 sip:{address} {flags}").expect("in memory");
    }
    let parameters = format!(
        "modparam(\"dispatcher\", \"ds_ping_interval\", 1)\n\
         modparam(\"dispatcher\", \"ds_probing_mode\", {mode})\n\
         modparam(\"dispatcher\", \"ds_probing_threshold\", {})\n\
         modparam(\"dispatcher\", \"ds_inactive_threshold\", {})\n\
         modparam(\"dispatcher\", \"ds_ping_reply_codes\", \"class=4;code=503\")\n",
        thresholds.down, thresholds.up
    );
    let options = Options {
        use_default: false,
        user_only: false,
    };
    let theirs = Kamailio::start_with(options, &list, &parameters);
    let sets = load(&list);
    let set = sets.get(1).expect("loaded");
    let mode_of = ProbingMode::try_from(mode).expect("0 to 3");
    for number in 0..ROUNDS {
        let code = |_| generator.pick(&[200, 200, 500, 500, 486, 503, 603]);
        let codes: Vec<u16> = (0..GATEWAYS).map(code).collect();
        for (place, code) in round(&sockets, &codes) {
            // The last line is the set's first.
            let destination = &set.destinations[GATEWAYS - 1 - place];
            let alive = code / 100 == 2 || code / 100 == 4 || code == 503;
            destination
                .update_health(|health| mode_of.outcome_as_kamailio(health, alive, thresholds));
        }
        let probed_now: Vec<bool> = set
            .destinations
            .iter()
            .map(|one| mode_of.is_probed(one.health().flags))
            .collect();
        assert_eq!(
            states(set),
            theirs.states(1),
            "seed {}, mode {mode}, round {number}, answers {codes:?}, probed next {probed_now:?}",
            seed()
        );
        if number == ROUNDS / 2 {
            let (state, place) = (
                generator.pick(&["ap", "ip", "tp"]),
                generator.below(10) as usize,
            );
            let uri = set.destinations[place].uri.clone();
            theirs.kamcmd(&["dispatcher.set_state", state, "1", &uri]);
            let flags = sipshard::dispatch::Flags::parse_rpc(state).expect("a state");
            sets.set_state(1, &uri, flags);
        }
    }
}

#[test]
fn keepalives_change_states_as_in_kamailio() {
    if !kamailio::is_installed() {
        return;
    }
    let thresholds = [(1, 1), (3, 2), (2, 1), (2, 3)];
    std::thread::scope(|scope| {
        for (mode, (down, up)) in thresholds.into_iter().enumerate() {
            scope.spawn(move || history(mode as u32, Thresholds { down, up }));
        }
    });
}
