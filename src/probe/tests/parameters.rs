//! Parameters and attributes of keepalives: what they say, by which way they go, what is measured.

use super::*;
use crate::dispatch::Latency;

#[test]
fn method_and_from_are_parameters_and_from_an_attribute() {
    let mut settings = settings();
    settings.method = "INFO".to_owned();
    settings.from = "sip:all@h".to_owned();
    let own = "1 sip:10.0.0.1 0 0 ping_from=\"<sip:own@h>\"";
    for (list, from) in [
        ("1 sip:10.0.0.1", "\r\nFrom: <sip:all@h>;tag="),
        (
            "1 sip:10.0.0.1 0 0 ping_from=sip:own@h",
            "\r\nFrom: <sip:own@h>;tag=",
        ),
        (own, "\r\nFrom: <sip:own@h>;tag="),
    ] {
        let text = World::new(settings.clone(), list).first().text;
        assert!(text.starts_with("INFO sip:10.0.0.1 SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nCSeq: 10 INFO\r\n"), "{text}");
        assert!(text.contains(from), "{text}");
    }
}

#[test]
fn a_proxy_takes_keepalives_instead_of_the_destination() {
    let mut settings = settings();
    settings.outbound_proxy = "10.0.0.7:5062".parse().ok();
    for (list, to) in [
        ("1 sip:10.0.0.1", "10.0.0.7:5062"),
        ("1 sip:gw.example.com", "10.0.0.7:5062"),
        ("1 sip:10.0.0.1 0 0 obproxy=sip:10.0.0.8", "10.0.0.8:5060"),
    ] {
        let sent = World::new(settings.clone(), list).first();
        assert_eq!(sent.to, to);
        assert!(sent.text.starts_with("OPTIONS sip:"));
        assert!(!sent.text.contains("10.0.0.7") && !sent.text.contains("10.0.0.8"));
    }
}

#[test]
fn keepalives_leave_by_the_socket_that_is_named() {
    let mut settings = settings();
    settings.socket = "10.0.0.9:5080".parse().ok();
    for (list, socket) in [
        ("1 sip:10.0.0.1", 3),
        ("1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060", 1),
        (
            "1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060;ping_socket=udp:10.0.0.9:5080",
            3,
        ),
        (
            "1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060;sockname=far",
            4,
        ),
        // Of the other family, or none of ours: as if nothing were said.
        ("1 sip:10.0.0.1 0 0 ping_socket=udp:[::1]:5060", 1),
        ("1 sip:10.0.0.1 0 0 sockname=near", 3),
    ] {
        assert_eq!(
            World::new(settings.clone(), list).first().socket,
            socket,
            "{list}"
        );
    }
}

#[test]
fn without_a_socket_of_their_own_keepalives_leave_by_the_default_one() {
    let mut settings = settings();
    settings.default_socket = "10.0.0.9:5080".parse().ok();
    let socket = |settings: &ProbeSettings| {
        let mut world = World::new(settings.clone(), "1 sip:10.0.0.1");
        world.first().socket
    };
    assert_eq!(socket(&settings), 3);
    settings.default_sockname = Some("far".into());
    assert_eq!(socket(&settings), 4);
    settings.socket = "10.0.0.9:5060".parse().ok();
    assert_eq!(socket(&settings), 1);
}

#[test]
fn a_proxy_whose_name_is_not_known_gets_no_keepalives_and_nor_does_the_destination() {
    let list = "1 sip:10.0.0.1 0 0 obproxy=sip:proxy.test";
    let mut world = World::new(settings(), list);
    assert!(world.silent(30 * SECOND).is_empty());
    let mut entries = entries(list);
    entries[0].attributes.obproxy_address = "10.0.0.8:5070".parse().ok();
    world.sets = Sets::build(entries, None, 2);
    world.prober.publish(&world.sets, world.now);
    assert_eq!(world.first().to, "10.0.0.8:5070");
}

fn measuring() -> ProbeSettings {
    ProbeSettings {
        latency_alpha: Some(0.5),
        ..settings()
    }
}

/// Sends one keepalive and answers it after so many milliseconds.
fn measure(world: &mut World, latency_ms: u64) {
    let sent = world.first();
    world.now = sent.at + Duration::from_millis(latency_ms);
    world.answer(sent.token(), 200);
    world.silent(9 * SECOND);
}

fn latency(world: &World) -> Latency {
    world.sets.destinations().next().unwrap().latency()
}

#[test]
fn round_trips_are_measured_if_wished() {
    let mut world = World::new(measuring(), "1 sip:10.0.0.1");
    for round_trip in [20, 40, 30] {
        measure(&mut world, round_trip);
    }
    let measured = latency(&world);
    assert_eq!(
        (measured.count, measured.min_ms, measured.max_ms),
        (3, 20, 40)
    );
    assert!((measured.average_ms - 30.0).abs() < 1e-3, "{measured:?}");
    let mut world = World::new(settings(), "1 sip:10.0.0.1 0 0 latency=7");
    measure(&mut world, 20);
    assert_eq!(latency(&world), Latency::assumed(7));
}

#[test]
fn silence_is_counted_and_not_measured() {
    let mut world = World::new(measuring(), "1 sip:10.0.0.1");
    measure(&mut world, 20);
    world.silent(10 * SECOND);
    let sent = world.first();
    world.answer(sent.token(), 408);
    let measured = latency(&world);
    assert_eq!((measured.count, measured.timeouts), (1, 1));
}

#[test]
fn a_reload_keeps_measurements_if_wished() {
    for retain_latency in [true, false] {
        let mut world = World::new(measuring(), "1 sip:10.0.0.1");
        measure(&mut world, 20);
        let options = crate::dispatch::BuildOptions {
            version: 2,
            retain_latency,
            ..Default::default()
        };
        let list = entries("1 sip:10.0.0.1 0 0 latency=7");
        world.sets = Sets::build_with(list, Some(&world.sets), &options);
        assert_eq!(latency(&world).max_ms, if retain_latency { 20 } else { 7 });
    }
}

#[test]
fn congestion_lowers_the_relative_weight() {
    let list = "1 sip:10.0.0.1 0 0 cc=1;weight=50;rweight=50\n1 sip:10.0.0.2 0 0 rweight=50";
    let sets = Sets::build(entries(list), None, 1);
    let set = sets.get(1).unwrap();
    let destination = &set.destinations[1];
    assert_eq!(destination.relative_weight(), 50);
    let calm = std::iter::repeat_n([20, 22], 20).flatten();
    let rising = calm.chain([60; 2]);
    let measured = rising.fold(Latency::default(), |latency, x| latency.sample(x, 0.5));
    let congestion = measured.congestion_ms();
    assert!((10..50).contains(&congestion), "{measured:?}");
    destination.set_latency(measured);
    assert_eq!(destination.relative_weight(), 50 - congestion);
    assert_eq!(set.destinations[0].relative_weight(), 50);
}

#[test]
fn when_all_are_congested_they_share_by_how_little() {
    let list = "1 sip:10.0.0.1 0 0 cc=1;weight=1\n1 sip:10.0.0.2 0 0 cc=1;weight=1";
    let sets = Sets::build(entries(list), None, 1);
    let set = sets.get(1).unwrap();
    let mut expected = Vec::new();
    for (place, peak) in [(0, 100), (1, 400)] {
        let samples = [20, 22].into_iter().cycle().take(20).chain([peak; 3]);
        let measured = samples.fold(Latency::default(), |latency, x| latency.sample(x, 0.5));
        set.destinations[place].set_latency(measured);
        expected.push(measured.congestion_ms());
    }
    let sum: u32 = expected.iter().sum();
    for (place, congestion) in expected.iter().enumerate() {
        let rweight = set.destinations[place].relative_weight();
        assert_eq!(rweight, sum * 16 / congestion);
    }
}

#[test]
fn one_that_is_congested_alone_has_nobody_to_share_with() {
    let sets = Sets::build(entries("1 sip:10.0.0.1 0 0 cc=1;weight=1"), None, 1);
    let destination = &sets.get(1).unwrap().destinations[0];
    let samples = [20, 22].into_iter().cycle().take(20).chain([100; 3]);
    let measured = samples.fold(Latency::default(), |latency, x| latency.sample(x, 0.5));
    assert!(measured.congestion_ms() > 1);
    destination.set_latency(measured);
    assert_eq!(destination.relative_weight(), 0);
}

#[test]
fn with_compat_mode_0_asks_a_failing_destination_no_more() {
    for (compat, letters) in [(true, "TX"), (false, "TP")] {
        let settings = ProbeSettings {
            mode: ProbingMode::UntilAlive,
            thresholds: Thresholds { down: 3, up: 1 },
            compat,
            ..settings()
        };
        let mut world = World::new(settings, "1 sip:10.0.0.1 8");
        world.silent(12 * SECOND);
        assert_eq!(world.letters(), letters);
        let asked_again = !world.silent(30 * SECOND).is_empty();
        assert_eq!(asked_again, !compat);
    }
}

#[test]
fn with_compat_silence_is_a_408() {
    for (compat, letters) in [(true, "AP"), (false, "IP")] {
        let settings = ProbeSettings {
            reply_codes: ReplyCodes::parse("code=408").unwrap(),
            compat,
            ..settings()
        };
        let mut world = World::new(settings, "1 sip:10.0.0.1");
        world.silent(12 * SECOND);
        assert_eq!(world.letters(), letters);
    }
}

#[test]
fn with_compat_late_results_count_in_mode_2() {
    for (compat, letters) in [(true, "AX"), (false, "IX")] {
        let settings = ProbeSettings {
            mode: ProbingMode::Inactive,
            compat,
            ..settings()
        };
        let mut world = World::new(settings, "1 sip:10.0.0.1 9");
        let sent = world.first();
        world.set("i");
        world.answer(sent.token(), 200);
        assert_eq!(world.letters(), letters);
    }
}

#[test]
fn each_of_several_equal_lines_has_a_state_of_its_own() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1\n1 sip:10.0.0.1");
    let first = world.first();
    world.answer(first.token(), 500);
    world.answered(9 * SECOND);
    let flags = world
        .sets
        .destinations()
        .map(|one| one.health().flags.letters());
    let mut letters: Vec<_> = flags.collect();
    letters.sort_unstable();
    assert_eq!(letters, ["AP", "IP"]);
}
