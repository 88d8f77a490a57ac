//! A gateway dies in the middle of 500 calls/s, and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{Caller, Gateway, Load, Options, Place, Server, Turn, wait_until};

const CALLS: usize = 7_500;

/// A keepalive each second that must be answered within one; out after two failures, back after two
/// successes. So a change is seen within four seconds; the rest is for a busy machine.
const PARAMETERS: [&str; 6] = [
    "ds_ping_interval=1",
    "ds_ping_timeout_ms=1000",
    "ds_probing_mode=1",
    "ds_probing_threshold=2",
    "ds_inactive_threshold=2",
    "ds_hash_check_interval=1",
];
const SEEN_WITHIN: Duration = Duration::from_secs(8);

/// `signal` takes the gateway away: killed, the system says so for it; stopped, it is silent.
fn no_unanswered_call_fails_and_the_gateway_comes_back(signal: &str) {
    let _turn = Turn::core();
    let place = Place::new();
    let mut gateways: Vec<Gateway> = (10..14)
        .map(|host| Gateway::start(&place, place.address(host), 0))
        .collect();
    let list: Vec<String> = (0..4).map(|n| gateways[n].line(&format!("g{n}"))).collect();
    let proxy = place.address(1);
    let options = PARAMETERS
        .iter()
        .fold(Options::new(proxy, 2), |options, text| {
            options.parameter(text)
        });
    let server = Server::start(&place, &options, &list);
    let load = Load {
        calls: CALLS,
        rate: 500,
        hold: Duration::from_millis(200),
        lost_percent: 0,
        built_in: false,
    };
    let mut caller = Caller::start(&place, place.address(2), proxy, &load);
    let mut victim = gateways.remove(1);
    let uri = victim.uri();
    wait_until("the calls flow", Duration::from_secs(10), || {
        victim.log().calls("BYE").len() > 200
    });
    assert_eq!(server.kamcmd.flags(&uri), "AP");
    victim.process.signal(signal);
    wait_until("the gateway is out", SEEN_WITHIN, || {
        server.kamcmd.flags(&uri) == "IP"
    });
    // The others take over what it had not answered, before it could answer after all.
    let begun = newest_answered(&caller);
    wait_until("the others answer", SEEN_WITHIN, || {
        let log = caller.log();
        let answered = log.calls("answered").into_iter().map(number);
        answered.filter(|&number| number <= begun).count() == begun
    });
    victim.process.kill();
    let before = victim.log().calls("INVITE").len();
    let victim = Gateway::start(&place, victim.address, 0);
    wait_until("the gateway is back", SEEN_WITHIN, || {
        server.kamcmd.flags(&uri) == "AP"
    });
    let outcome = caller.finish(Duration::from_secs(120));
    let log = caller.log();
    let answered = log.calls("answered");
    assert_eq!(
        answered.len(),
        CALLS,
        "every call was answered: {outcome:?}"
    );
    let ended = log.calls("ended");
    let lost: BTreeSet<&str> = answered.difference(&ended).copied().collect();
    let lost_by_others: Vec<_> = log
        .notes("answered")
        .filter(|(call, gateway)| lost.contains(call) && !gateway.contains(&uri[4..]))
        .collect();
    assert!(lost_by_others.is_empty(), "{lost_by_others:?}");
    assert_eq!(outcome.failed, lost.len(), "{outcome:?}");
    let after = victim.log().calls("INVITE").len();
    assert!(after > 100, "it gets calls again: {after}, {before} before");
    // A BYE that nobody answers ends its call after 64 T1, which is 32 seconds.
    server.wait_until_idle(Duration::from_secs(40));
}

fn newest_answered(caller: &Caller) -> usize {
    let log = caller.log();
    let answered = log.calls("answered").into_iter().map(number);
    answered.max().expect("calls were answered")
}

/// SIPp numbers its calls from 1, and its Call-IDs begin with the number.
fn number(call: &str) -> usize {
    let digits = call.split('-').next().expect("split gives something");
    digits.parse().expect("a number")
}

#[test]
fn killed_no_unanswered_call_fails_and_it_comes_back() {
    no_unanswered_call_fails_and_the_gateway_comes_back("KILL");
}

#[test]
fn silent_no_unanswered_call_fails_and_it_comes_back() {
    no_unanswered_call_fails_and_the_gateway_comes_back("STOP");
}
