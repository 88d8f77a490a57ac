//! Several listen addresses, and calls that cross from one address family to the other.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn, free_address};

const CALLS: usize = 300;
const SOON: Duration = Duration::from_secs(10);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Calls from `caller` to the listen address `called`, carried by a gateway at `gateway`. Both see
/// the address that they can reach: `route`, as the caller sees it.
fn calls_cross(
    stateless: bool,
    place: &Place,
    listen: [SocketAddr; 2],
    (called, caller, gateway): (SocketAddr, SocketAddr, SocketAddr),
    route: &str,
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
    let log = caller.log();
    let as_expected = log.notes("routed").filter(|(_, found)| *found == route);
    assert_eq!(
        as_expected.count(),
        CALLS,
        "{:?}",
        log.notes("routed").next()
    );
    assert_eq!(gateway.wait_for_ack_and_bye(SOON), CALLS);
    server.wait_until_idle(SOON);
}

/// The Record-Route of a call that leaves by another socket than it came by.
fn double(leaves_by: SocketAddr, came_by: SocketAddr) -> String {
    format!("<sip:{leaves_by};r2=on;lr>, <sip:{came_by};r2=on;lr>")
}

fn single(address: SocketAddr) -> String {
    format!("<sip:{address};lr>")
}

fn both(place: &Place) -> [SocketAddr; 2] {
    [place.address(1), free_address(LOCALHOST6)]
}

#[test]
fn stateful_calls_cross_from_ipv4_to_ipv6() {
    let place = Place::new();
    let listen = both(&place);
    let way = (listen[0], place.address(2), free_address(LOCALHOST6));
    let route = double(listen[1], listen[0]);
    calls_cross(false, &place, listen, way, &route);
}

#[test]
fn stateless_calls_cross_from_ipv6_to_ipv4() {
    let place = Place::new();
    let listen = both(&place);
    let way = (listen[1], free_address(LOCALHOST6), place.address(10));
    let route = double(listen[0], listen[1]);
    calls_cross(true, &place, listen, way, &route);
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
    calls_cross(false, &place, listen, way, &single(listen[1]));
}

#[test]
fn stateless_calls_come_by_the_second_of_two_ipv4_addresses() {
    let place = Place::new();
    let listen = [place.address(1), place.address(3)];
    let way = (listen[1], place.address(2), place.address(10));
    calls_cross(true, &place, listen, way, &single(listen[1]));
}
