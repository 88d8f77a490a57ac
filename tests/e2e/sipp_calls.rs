//! SIPp's calls over four gateways.

use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn};

const CALLS: usize = 10_000;

/// The most that the loads of two gateways differ while none is full.
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
        hold: Duration::from_secs(1),
        lost_percent: 0,
        built_in,
    };
    let mut caller = Caller::start(&place, place.address(2), proxy, &load);
    let mut most_apart = 0;
    let mut most_loaded = 0;
    while caller.process.is_running() {
        let loads = server.kamcmd.loads();
        let most = loads.iter().max().copied().unwrap_or(0);
        let least = loads.iter().min().copied().unwrap_or(0);
        most_apart = most_apart.max(most - least);
        most_loaded = most_loaded.max(most);
        std::thread::sleep(Duration::from_millis(50));
    }
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
    assert!(
        most_loaded > 50,
        "the loads were seen under way: {most_loaded}"
    );
    assert!(most_apart <= MOST_APART, "loads were {most_apart} apart");
    println!("loads at most {most_apart} apart, {most_loaded} on one; calls carried: {carried:?}");
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
