//! SIGTERM.

use std::time::Duration;

use crate::support::{Callers, Gateways, Options, Place, Progress, Server, Turn, wait_until};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn what_is_in_flight_is_finished_and_nothing_new_is_admitted() {
    let _turn = Turn::core();
    let place = Place::new();
    let gateways = Gateways::start([place.address(10)]);
    let proxy = place.address(1);
    let mut server = Server::start(&place, &Options::new(proxy, 2), &gateways.lines(""));
    let mut ringing = Callers::new(place.host(2), 4, proxy, 20, "before");
    ringing.call_all(SOON);
    assert_eq!(ringing.count(Progress::Ringing), 20);

    server.process.signal("TERM");
    let mut tries = 0;
    wait_until("new calls are refused", Duration::from_secs(3), || {
        tries += 1;
        let mut late = Callers::new(place.host(2), 1, proxy, 1, &format!("late{tries}"));
        late.call_all(SOON);
        late.cancel_all(SOON);
        late.count(Progress::Busy) == 1
    });
    assert!(server.process.is_running(), "calls are in flight");
    gateways.answer_all();
    ringing.wait_for_answers(SOON);
    assert_eq!(ringing.count(Progress::Answered), 20);
    let status = server.process.wait(SOON);
    assert!(status.success(), "{status}: {}", server.process.output());
}

#[test]
fn a_call_that_nobody_answers_does_not_hold_it_up() {
    let _turn = Turn::core();
    let place = Place::new();
    let gateways = Gateways::start([place.address(10)]);
    let proxy = place.address(1);
    let mut server = Server::start(&place, &Options::new(proxy, 2), &gateways.lines(""));
    let mut ringing = Callers::new(place.host(2), 1, proxy, 1, "forever");
    ringing.call_all(SOON);
    server.process.signal("TERM");
    let status = server.process.wait(SOON);
    assert!(status.success(), "{status}: {}", server.process.output());
}
