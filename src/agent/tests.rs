//! Callers against gateways over a network that loses, doubles and reorders, in virtual time.

mod details;
mod link;

use std::net::SocketAddr;
use std::time::Duration;

use self::link::{FAIR, Link, Weather};
use super::*;
use crate::time::Timestamp;

const STORM: Weather = Weather {
    loss: 0.2,
    duplication: 0.1,
    delay: Duration::from_millis(10),
    jitter: Duration::from_millis(30),
};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn gateway_address() -> SocketAddr {
    address("10.0.0.1:5060")
}

fn caller_addresses() -> Vec<SocketAddr> {
    vec![address("10.0.1.1:5060"), address("10.0.1.1:5061")]
}

/// `calls` calls at 50 a second, held for a second.
fn caller_config(calls: u64) -> CallerConfig {
    CallerConfig {
        profile: RateProfile::constant(50.0).with_calls(calls),
        ..CallerConfig::new(gateway_address(), caller_addresses())
    }
}

fn gateway_config() -> GatewayConfig {
    GatewayConfig {
        ring_after: Some(Delay::Fixed(Duration::from_millis(50))),
        answer_after: Delay::Fixed(Duration::from_millis(200)),
        keep_records: true,
        ..GatewayConfig::new(gateway_address(), 0)
    }
}

fn link(caller: CallerConfig, gateway: GatewayConfig, weather: Weather, seed: u64) -> Link {
    let addresses = caller.local.clone();
    Link::new(
        Caller::new(caller, seed),
        addresses,
        vec![Gateway::new(gateway, seed + 1)],
        weather,
        seed + 2,
    )
}

/// Runs to the end, and for the time after it in which both sides forget.
fn run(caller: CallerConfig, gateway: GatewayConfig, weather: Weather, seed: u64) -> Link {
    let mut link = link(caller, gateway, weather, seed);
    link.run(Timestamp::from_secs(600));
    assert!(link.caller.is_finished(), "the caller ends");
    let end = link.now + Duration::from_secs(120);
    link.run_until(end);
    assert_eq!(link.caller.next_deadline(), None, "nothing is left to do");
    assert_eq!(link.gateways[0].next_deadline(), None);
    link
}

fn counts(link: &Link) -> (CallerCounts, GatewayCounts) {
    (
        link.caller.report().counts,
        link.gateways[0].report().counts,
    )
}

#[test]
fn a_call_in_fair_weather_takes_seven_messages() {
    let link = run(caller_config(1), gateway_config(), FAIR, 1);
    let log: Vec<_> = link
        .log
        .iter()
        .map(|(at, _, what)| (at.as_millis(), what.as_str()))
        .collect();
    assert_eq!(
        log,
        [
            (0, "INVITE"),
            (55, "180 INVITE"),
            (255, "200 INVITE"),
            (260, "ACK"),
            (1260, "BYE"),
            (1265, "200 BYE"),
        ]
    );
}

#[test]
fn fair_weather_needs_nothing_twice() {
    let link = run(caller_config(500), gateway_config(), FAIR, 2);
    let (caller, gateway) = counts(&link);
    assert_eq!(
        (caller.started, caller.completed, caller.failed),
        (500, 500, 0)
    );
    assert_eq!((caller.retransmissions(), caller.acks_again), (0, 0));
    assert_eq!(
        (caller.late, caller.unexpected, caller.malformed),
        (0, 0, 0)
    );
    assert_eq!(
        (gateway.invites, gateway.acked, gateway.byes),
        (500, 500, 500)
    );
    assert_eq!(
        (gateway.answers_again, gateway.strays, gateway.live),
        (0, 0, 0)
    );
    // 50 calls a second, each 1.255 s from INVITE to BYE.
    assert_eq!(caller.max_live, 64);
    assert_eq!(gateway.max_live, 63);
    let report = link.caller.report();
    assert_eq!(report.setup.sent.value_at_quantile(0.5) / 1_000_000, 60);
    assert_eq!(report.answer.sent.value_at_quantile(0.5) / 1_000_000, 260);
    assert_eq!(report.bye.sent.value_at_quantile(0.5) / 1_000_000, 10);
    assert!(report.lateness.max() < 10_000);
}

#[test]
fn calls_use_the_local_addresses_in_turn() {
    let link = run(caller_config(10), gateway_config(), FAIR, 3);
    for own in caller_addresses() {
        let invites = link
            .log
            .iter()
            .filter(|(_, from, what)| *from == own && what == "INVITE");
        assert_eq!(invites.count(), 5);
    }
}

#[test]
fn every_call_completes_in_a_storm() {
    for seed in 0..8 {
        let link = run(caller_config(300), gateway_config(), STORM, 100 + seed);
        let (caller, gateway) = counts(&link);
        assert_eq!(
            (caller.started, caller.completed),
            (300, 300),
            "seed {seed}"
        );
        assert_eq!((caller.failed, caller.live), (0, 0));
        assert_eq!((gateway.invites, gateway.answered), (300, 300));
        assert_eq!((gateway.live, gateway.hung_up), (0, 0));
        assert_eq!(gateway.byes, 300);
        let records = link.gateways[0].records();
        assert!(
            records
                .iter()
                .all(|record| record.ended && record.code == 200)
        );
        assert!(caller.retransmissions() > 100 && gateway.answers_again > 50);
        assert_eq!((caller.unexpected, caller.malformed), (0, 0));
    }
}

#[test]
fn a_lost_ack_is_sent_again_for_each_repeated_200() {
    let link = run(caller_config(300), gateway_config(), STORM, 7);
    let (caller, gateway) = counts(&link);
    assert!(caller.acks_again > 0);
    // The hold time of a second leaves a lost ACK one or two more chances before the BYE.
    assert!(gateway.acked > 280, "{}", gateway.acked);
    assert_eq!(gateway.unacked, 0);
}

#[test]
fn the_gateway_hangs_up() {
    let caller = CallerConfig {
        hang_up: HangUp::Gateway,
        ..caller_config(200)
    };
    let gateway = GatewayConfig {
        hang_up_after: Some(Delay::Exponential(Duration::from_millis(700))),
        ..gateway_config()
    };
    for (weather, seed) in [(FAIR, 20), (STORM, 21), (STORM, 22)] {
        let link = run(caller.clone(), gateway.clone(), weather, seed);
        let (caller, gateway) = counts(&link);
        assert_eq!((caller.completed, caller.failed), (200, 0));
        assert_eq!(caller.byes_received, 200);
        assert_eq!((gateway.hung_up, gateway.live), (200, 0));
        assert_eq!(gateway.bye_timeouts, 0);
    }
}

#[test]
fn a_gateway_that_does_not_hang_up_fails_the_call() {
    let caller = CallerConfig {
        hang_up: HangUp::Gateway,
        ..caller_config(3)
    };
    let link = run(caller, gateway_config(), FAIR, 23);
    let (caller, gateway) = counts(&link);
    assert_eq!(
        (caller.completed, caller.failed, caller.bye_missing),
        (0, 3, 3)
    );
    assert_eq!(gateway.byes, 3);
}

#[test]
fn chosen_calls_are_cancelled() {
    let caller = CallerConfig {
        cancel: Some(CancelRule {
            fraction: 0.5,
            after: Duration::from_millis(100),
        }),
        ..caller_config(400)
    };
    let link = run(caller.clone(), gateway_config(), FAIR, 30);
    let (seen, gateway) = counts(&link);
    assert_eq!(seen.cancelled + seen.completed, 400);
    assert!((150..250).contains(&seen.cancelled), "{}", seen.cancelled);
    assert_eq!(gateway.cancelled, seen.cancelled);
    assert_eq!(link.sent("CANCEL") as u64, seen.cancelled);
    assert_eq!(link.gateways[0].report().answers[&487], seen.cancelled);

    let link = run(caller, gateway_config(), STORM, 31);
    let (caller, gateway) = counts(&link);
    // In a storm some calls are answered before the CANCEL arrives; they end by BYE.
    assert_eq!(caller.cancelled + caller.completed, 400);
    assert_eq!(caller.cancelled, gateway.cancelled);
    assert!(caller.cancelled > 100);
    assert_eq!((gateway.live, caller.failed), (0, 0));
}

#[test]
fn a_cancel_waits_for_the_first_provisional_answer() {
    let caller = CallerConfig {
        cancel: Some(CancelRule {
            fraction: 1.0,
            after: Duration::ZERO,
        }),
        ..caller_config(1)
    };
    let link = run(caller, gateway_config(), FAIR, 32);
    let at = |what: &str| link.log.iter().find(|(_, _, sent)| sent == what).unwrap().0;
    assert_eq!(at("180 INVITE").as_millis(), 55);
    assert_eq!(at("CANCEL").as_millis(), 60);
    assert_eq!(counts(&link).0.cancelled, 1);
}

#[test]
fn calls_that_ring_too_long_are_cancelled_and_failed() {
    let caller = CallerConfig {
        ring_timeout: Duration::from_secs(3),
        ..caller_config(50)
    };
    let gateway = GatewayConfig {
        mix: AnswerMix {
            ring_only: 1.0,
            ..AnswerMix::default()
        },
        ..gateway_config()
    };
    for (weather, seed) in [(FAIR, 40), (STORM, 41)] {
        let link = run(caller.clone(), gateway.clone(), weather, seed);
        let (caller, gateway) = counts(&link);
        assert_eq!((caller.failed, caller.ring_timeouts), (50, 50));
        assert_eq!(link.caller.report().refused[&487], 50);
        assert_eq!((gateway.cancelled, gateway.live), (50, 0));
    }
}

#[test]
fn refusals_are_counted_by_code_and_acknowledged() {
    let gateway = GatewayConfig {
        mix: AnswerMix {
            reject: vec![(486, 0.3), (503, 0.3)],
            ..AnswerMix::default()
        },
        ..gateway_config()
    };
    for (weather, seed) in [(FAIR, 50), (STORM, 51)] {
        let link = run(caller_config(300), gateway.clone(), weather, seed);
        let report = link.caller.report();
        let answers = &link.gateways[0].report().answers;
        for code in [486, 503] {
            assert_eq!(report.refused[&code], answers[&code]);
            assert!((50..140).contains(&answers[&code]));
        }
        assert_eq!(report.counts.completed, answers[&200]);
        assert_eq!(report.counts.failed, answers[&486] + answers[&503]);
        assert_eq!(report.counts.unexpected, 0);
    }
}

#[test]
fn a_dead_gateway_fails_calls_after_64_t1_and_seven_invites() {
    let mut link = link(caller_config(2), gateway_config(), FAIR, 60);
    link.gateways[0].set_alive(false);
    link.run(Timestamp::from_secs(600));
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.failed, caller.invite_timeouts), (2, 2));
    assert_eq!(link.sent("INVITE"), 14);
    assert_eq!(gateway.dropped, 14);
    assert_eq!(link.now.as_millis(), 32_020);
}

#[test]
fn a_gateway_that_comes_back_ends_what_it_began() {
    let mut link = link(caller_config(100), gateway_config(), FAIR, 61);
    link.run_until(Timestamp::from_secs(1));
    link.gateways[0].set_alive(false);
    link.run_until(Timestamp::from_secs(9));
    link.gateways[0].set_alive(true);
    link.run(Timestamp::from_secs(600));
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.completed, caller.failed), (100, 0));
    assert_eq!((gateway.live, gateway.byes), (0, 100));
}

#[test]
fn a_gateway_that_crashed_knows_no_call() {
    let mut link = link(caller_config(20), gateway_config(), FAIR, 62);
    link.run_until(Timestamp::from_secs(1));
    let now = link.now;
    link.gateways[0].restart(now);
    link.run(Timestamp::from_secs(600));
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.byes_refused, caller.failed), (20, 20));
    assert_eq!(gateway.live, 0);
}

#[test]
fn a_call_goes_on_after_a_reinvite() {
    let caller = CallerConfig {
        reinvite_after: Some(Duration::from_millis(400)),
        ..caller_config(200)
    };
    for (weather, seed) in [(FAIR, 70), (STORM, 71)] {
        let link = run(caller.clone(), gateway_config(), weather, seed);
        let (caller, gateway) = counts(&link);
        assert_eq!((caller.completed, caller.failed), (200, 0));
        assert_eq!(caller.reinvites + caller.reinvites_failed, 200);
        assert_eq!((gateway.byes, gateway.invites), (200, 200));
    }
}

#[test]
fn the_schedule_never_waits() {
    let mut config = caller_config(400);
    config.max_live = 100;
    let mut link = link(config, gateway_config(), FAIR, 80);
    link.gateways[0].set_alive(false);
    link.run(Timestamp::from_secs(600));
    let (caller, _) = counts(&link);
    assert_eq!(
        (caller.started, caller.skipped, caller.max_live),
        (100, 300, 100)
    );
    let first_second = link
        .log
        .iter()
        .take_while(|(at, ..)| at.as_millis() < 500)
        .filter(|(.., what)| what == "INVITE");
    assert_eq!(first_second.count(), 25);
}

#[test]
fn shared_schedules_interleave() {
    let mut starts = Vec::new();
    for index in 0..3 {
        let config = CallerConfig {
            share: Share { index, of: 3 },
            ..caller_config(30)
        };
        let link = run(config, gateway_config(), FAIR, 90 + index);
        let invites = link.log.iter().filter(|(.., what)| what == "INVITE");
        starts.extend(invites.map(|(at, ..)| at.as_millis()));
    }
    starts.sort_unstable();
    let even: Vec<u64> = (0..30).map(|k| k * 20).collect();
    assert_eq!(starts, even);
}

#[test]
fn winding_up_ends_every_call_soon() {
    let caller = CallerConfig {
        hold: Delay::Fixed(Duration::from_secs(3_600)),
        ..caller_config(1_000)
    };
    let gateway = GatewayConfig {
        answer_after: Delay::Fixed(Duration::from_secs(2)),
        ..gateway_config()
    };
    let mut link = link(caller, gateway, FAIR, 85);
    link.run_until(Timestamp::from_secs(4));
    let now = link.now;
    link.caller.wind_up(now);
    link.run(Timestamp::from_secs(600));
    let (caller, gateway) = counts(&link);
    assert!(
        link.now.since(now) < Duration::from_secs(1),
        "{:?}",
        link.now
    );
    assert_eq!(caller.started, 201);
    assert_eq!((caller.failed, caller.live, gateway.live), (0, 0, 0));
    assert!(caller.completed > 80 && caller.cancelled > 80);
    assert_eq!(caller.completed + caller.cancelled, 201);
}

#[test]
fn a_stalled_caller_shows_the_wait_that_its_calls_would_have_felt() {
    let config = caller_config(10);
    let mut caller = Caller::new(config, 5);
    let mut out = crate::proxy::Outbox::new();
    caller.tick(Timestamp::from_secs(1), &mut out);
    assert_eq!(out.packets().len(), 10);
    let report = caller.report();
    assert!(report.lateness.max() > 990_000_000);
    assert!(report.lateness.min() > 810_000_000);
}

#[test]
fn a_second_gateways_answer_is_acknowledged_and_ended() {
    let mut link = link(caller_config(1), gateway_config(), FAIR, 110);
    link.run_until(Timestamp::ZERO + Duration::from_millis(256));
    let (_, to, answer) = link
        .flying()
        .find(|(_, _, bytes)| bytes.starts_with(b"SIP/2.0 200"))
        .expect("the 200 is on its way");
    let forged = String::from_utf8(answer.to_vec())
        .unwrap()
        .replace("gateway@10.0.0.1:5060", "gateway@10.0.0.2:5060")
        .replace(
            "<sip:service@10.0.0.1:5060>;tag=",
            "<sip:service@10.0.0.1:5060>;tag=f",
        );
    link.run_until(Timestamp::ZERO + Duration::from_millis(300));
    for _ in 0..2 {
        let other = address("10.0.0.2:5060");
        link.inject(other, to, forged.clone().into_bytes());
    }
    link.run(Timestamp::from_secs(60));
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.forked, caller.completed, caller.failed), (1, 1, 0));
    // One ACK for the call, two for the other's two answers; the other's BYE is never answered here.
    assert_eq!(link.sent("ACK"), 3);
    assert_eq!(link.sent("BYE"), 12);
    assert_eq!((gateway.acked, gateway.byes, gateway.live), (1, 1, 0));
}

#[test]
fn nonsense_is_counted_and_changes_nothing() {
    let mut link = link(caller_config(1), gateway_config(), FAIR, 120);
    link.run_until(Timestamp::ZERO + Duration::from_millis(100));
    let stranger = address("10.9.9.9:9");
    let own = caller_addresses()[0];
    let reply = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bK-00000000-0123456789abcdef-1i\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 00000000-0123456789abcdef@10.0.1.1\r\n\
                 CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    let bye = "BYE sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:9;branch=z9hG4bKx\r\n\
               From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=0123456789abcdef\r\nCall-ID: no\r\n\
               CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n";
    for text in [
        reply,
        bye,
        "\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\n\r\n",
    ] {
        for to in [own, gateway_address()] {
            link.inject(stranger, to, text.as_bytes().to_vec());
        }
    }
    link.run(Timestamp::from_secs(60));
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.completed, caller.failed), (1, 0));
    assert_eq!((caller.unexpected, caller.malformed), (2, 2));
    assert_eq!((gateway.invites, gateway.strays), (1, 2));
    assert_eq!(gateway.malformed, 2);
}

#[test]
fn a_seed_reproduces_a_run() {
    let config = || CallerConfig {
        hold: Delay::Exponential(Duration::from_secs(1)),
        ..caller_config(100)
    };
    let one = run(config(), gateway_config(), STORM, 130);
    let two = run(config(), gateway_config(), STORM, 130);
    let other = run(config(), gateway_config(), STORM, 131);
    assert_eq!(one.log, two.log);
    assert_ne!(one.log, other.log);
}
