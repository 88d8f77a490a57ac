//! SIPp's calls over four gateways.

use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn};

const CALLS: usize = 10_000;
const HOLD: Duration = Duration::from_secs(4);

/// The most that the loads of two gateways differ while calls only come. (Once they go, no choice can
/// keep two gateways together: calls may end on one for a while.)
const MOST_APART: u32 = 2;

fn every_call_is_carried_counted_and_spread(stateless: bool, built_in: bool) {
    let _turn = Turn::core();
    let place = Place::new();
    let gateways: Vec<Gateway> = (10..14)
        .map(|host| Gateway::start(&place, place.address(host), 0))
        .collect();
    let list: Vec<String> = (0..4).map(|n| gateways[n].line(&format!("g{n}"))).collect();
    let proxy = place.address(1);
    let options = Options::new(proxy, 2).stateless(stateless);
    let server = Server::start(&place, &options, &list);
    let load = Load {
        calls: CALLS,
        rate: 500,
        hold: HOLD,
        lost_percent: 0,
        built_in,
    };
    let mut caller = Caller::start(&place, place.address(2), proxy, &load);
    let spread = watch_the_loads(&server, &mut caller);
    let expected = Outcome {
        successful: CALLS,
        failed: 0,
    };
    assert_eq!(caller.finish(Duration::from_secs(60)), expected);
    // The caller's count proves little: it takes a repeated 200 to its INVITE for that to its BYE.
    let limit = Duration::from_secs(5);
    let carried: Vec<usize> = gateways
        .iter()
        .map(|gateway| gateway.wait_for_ack_and_bye(limit))
        .collect();
    assert_eq!(
        carried.iter().sum::<usize>(),
        CALLS,
        "each call at one gateway: {carried:?}"
    );
    server.wait_until_idle(limit);
    let (least, most) = extremes(&carried);
    println!("calls carried: {carried:?}; {spread:?}");
    assert!(spread.filling.loaded > 400, "{spread:?}");
    assert!(spread.filling.apart <= MOST_APART, "{spread:?}");
    assert!(most - least <= CALLS / 200, "calls carried: {carried:?}");
}

/// How far apart the loads of the gateways were.
#[derive(Debug, Default)]
struct Spread {
    /// Before the first call ended.
    filling: Loads,
    /// Afterwards, as calls come and go.
    turning: Loads,
}

#[derive(Debug, Default)]
struct Loads {
    /// Times that the loads were looked at.
    samples: u32,
    /// The most that two differed.
    apart: u32,
    /// The most on one gateway.
    loaded: u32,
}

impl Loads {
    fn see(&mut self, loads: &[u32]) {
        let (least, most) = extremes(loads);
        self.samples += 1;
        self.apart = self.apart.max(most - least);
        self.loaded = self.loaded.max(most);
    }
}

/// Looks at the loads until the caller ends.
fn watch_the_loads(server: &Server, caller: &mut Caller) -> Spread {
    let mut spread = Spread::default();
    while caller.process.is_running() {
        let loads = server.kamcmd.loads();
        // The first call began after the caller's process and is held for HOLD.
        if caller.started.elapsed() < HOLD {
            spread.filling.see(&loads);
        } else {
            spread.turning.see(&loads);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    spread
}

fn extremes<T: Copy + Ord>(values: &[T]) -> (T, T) {
    let least = values.iter().min().expect("there are gateways");
    let most = values.iter().max().expect("there are gateways");
    (*least, *most)
}

#[test]
fn stateful_sipps_own_caller_without_routes() {
    every_call_is_carried_counted_and_spread(false, true);
}

#[test]
fn stateful_a_caller_that_follows_the_route_set() {
    every_call_is_carried_counted_and_spread(false, false);
}

#[test]
fn stateless_sipps_own_caller_without_routes() {
    every_call_is_carried_counted_and_spread(true, true);
}

#[test]
fn stateless_a_caller_that_follows_the_route_set() {
    every_call_is_carried_counted_and_spread(true, false);
}
