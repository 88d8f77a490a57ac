//! A network that loses one datagram in twenty.

use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn};

const CALLS: usize = 1_000;

/// The caller and the gateways lose what they send and what they receive, so both legs suffer both
/// ways.
fn all_calls_complete_and_all_counts_return_to_zero(stateless: bool) {
    let _turn = Turn::core();
    let place = Place::new();
    let gateways: Vec<Gateway> = (10..14)
        .map(|host| Gateway::start(&place, place.address(host), 5))
        .collect();
    let list: Vec<String> = (0..4).map(|n| gateways[n].line(&format!("g{n}"))).collect();
    let proxy = place.address(1);
    let options = Options::new(proxy, 2).stateless(stateless);
    let server = Server::start(&place, &options, &list);
    let load = Load {
        calls: CALLS,
        rate: 200,
        hold: Duration::from_millis(500),
        lost_percent: 5,
        built_in: false,
    };
    let mut caller = Caller::start(&place, place.address(2), proxy, &load);
    let expected = Outcome {
        successful: CALLS,
        failed: 0,
    };
    assert_eq!(caller.finish(Duration::from_secs(180)), expected);
    server.wait_until_idle(Duration::from_secs(5));
    let carried: usize = gateways
        .iter()
        .map(|gateway| gateway.log().calls("BYE").len())
        .sum();
    assert_eq!(carried, CALLS, "each call ended at one gateway");
}

#[test]
fn stateful_all_calls_complete_and_all_counts_return_to_zero() {
    all_calls_complete_and_all_counts_return_to_zero(false);
}

#[test]
fn stateless_all_calls_complete_and_all_counts_return_to_zero() {
    all_calls_complete_and_all_counts_return_to_zero(true);
}
