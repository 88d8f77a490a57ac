//! Lists that change while calls are up.

use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Outcome, Place, Server, Turn, wait_until};

const CALLS: usize = 4_000;
const SOON: Duration = Duration::from_secs(10);

/// Takes one gateway out of the list and puts it back, `reload` being how the server is told.
fn calls_go_on_and_a_removed_gateway_drains(stateless: bool, reload: fn(&Server)) {
    let _turn = Turn::core();
    let place = Place::new();
    let gateways: Vec<Gateway> = (10..14)
        .map(|host| Gateway::start(&place, place.address(host), 0))
        .collect();
    let all: Vec<String> = (0..4).map(|n| gateways[n].line(&format!("g{n}"))).collect();
    let proxy = place.address(1);
    let options = Options::new(proxy, 2).stateless(stateless);
    let server = Server::start(&place, &options, &all);
    let load = Load {
        calls: CALLS,
        rate: 400,
        hold: Duration::from_secs(2),
        lost_percent: 0,
        built_in: true,
    };
    let mut caller = Caller::start(&place, place.address(2), proxy, &load);
    let loads_up = |count: usize| {
        wait_until("every gateway carries calls", SOON, || {
            let loads = server.kamcmd.loads();
            loads.len() == count && loads.iter().all(|&load| load > 100)
        });
    };
    loads_up(4);
    let carried = |n: usize| gateways[n].log().calls("INVITE").len();

    server.write_list(&all[..3]);
    reload(&server);
    wait_until("one gateway is gone", SOON, || {
        server.kamcmd.loads().len() == 3
    });
    let loads = server.kamcmd.loads();
    assert!(
        loads.iter().all(|&load| load > 50),
        "loads are carried over: {loads:?}"
    );
    let before = carried(3);
    let others = carried(0);
    wait_until("the others carry on", SOON, || carried(0) > others + 200);
    // One call may have been under way when the list changed, on each worker.
    assert!(
        carried(3) <= before + 2,
        "no new call goes to the removed gateway"
    );
    let last = gateways[3].wait_for_ack_and_bye(SOON);

    server.write_list(&all);
    reload(&server);
    wait_until("it is back and carries calls", SOON, || {
        carried(3) > last + 20
    });

    server.write_list(&["1 sip:127.0.0.1:9".into(), "1".into()]);
    let answer = server.kamcmd.call(&["dispatcher.reload"]);
    assert!(answer.starts_with("error"), "{answer}");
    assert_eq!(server.kamcmd.loads().len(), 4, "the old sets stand");
    server.write_list(&all);

    let outcome = caller.finish(Duration::from_secs(60));
    let expected = Outcome {
        successful: CALLS,
        failed: 0,
    };
    assert_eq!(outcome, expected);
    let carried = gateways
        .iter()
        .map(|gateway| gateway.wait_for_ack_and_bye(SOON));
    assert_eq!(carried.sum::<usize>(), CALLS);
    server.wait_until_idle(SOON);
}

#[test]
fn by_kamcmd_calls_go_on_and_a_removed_gateway_drains() {
    calls_go_on_and_a_removed_gateway_drains(false, |server| {
        let answer = server.kamcmd.call(&["dispatcher.reload"]);
        assert!(!answer.starts_with("error"), "{answer}");
    });
}

#[test]
fn by_signal_calls_go_on_and_a_removed_gateway_drains() {
    calls_go_on_and_a_removed_gateway_drains(true, |server| server.process.signal("HUP"));
}
