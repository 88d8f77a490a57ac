//! Several listen addresses, and calls that cross from one address family to the other.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn, free_address};

const CALLS: usize = 300;
const SOON: Duration = Duration::from_secs(10);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Calls from `caller` to the listen address `called`, carried by a gateway at `gateway`.
fn calls_cross(
    stateless: bool,
    place: &Place,
    listen: [SocketAddr; 2],
    (called, caller, gateway): (SocketAddr, SocketAddr, SocketAddr),
) {
    let _turn = Turn::core();
    let gateway = Gateway::start(place, gateway, 0);
    let mut options = Options::new(listen[0], 2).stateless(stateless);
    options.listen = listen.to_vec();
    let server = Server::start(place, &options, &[gateway.line("only")]);
    let load = Load {
        calls: CALLS,
        rate: 150,
        hold: Duration::from_millis(300),
        lost_percent: 0,
        built_in: false,
    };
    let mut caller = Caller::start(place, caller, called, &load);
    let expected = Outcome {
        successful: CALLS,
        failed: 0,
    };
    assert_eq!(caller.finish(Duration::from_secs(60)), expected);
    assert_eq!(gateway.wait_for_ack_and_bye(SOON), CALLS);
    server.wait_until_idle(SOON);
}

fn both(place: &Place) -> [SocketAddr; 2] {
    [place.address(1), free_address(LOCALHOST6)]
}

#[test]
fn stateful_calls_cross_from_ipv4_to_ipv6() {
    let place = Place::new();
    let listen = both(&place);
    let way = (listen[0], place.address(2), free_address(LOCALHOST6));
    calls_cross(false, &place, listen, way);
}

#[test]
fn stateless_calls_cross_from_ipv6_to_ipv4() {
    let place = Place::new();
    let listen = both(&place);
    let way = (listen[1], free_address(LOCALHOST6), place.address(10));
    calls_cross(true, &place, listen, way);
}

#[test]
fn stateful_calls_stay_within_ipv6() {
    let place = Place::new();
    let listen = both(&place);
    let way = (
        listen[1],
        free_address(LOCALHOST6),
        free_address(LOCALHOST6),
    );
    calls_cross(false, &place, listen, way);
}

#[test]
fn stateless_calls_come_by_the_second_of_two_ipv4_addresses() {
    let place = Place::new();
    let listen = [place.address(1), place.address(3)];
    let way = (listen[1], place.address(2), place.address(10));
    calls_cross(true, &place, listen, way);
}
