//! Probing in virtual time: a prober, a clock, and destinations that answer as told.

mod parameters;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dispatch::{Entry, Flags, Health, Sets, Thresholds, list};
use crate::proxy::{Listener, Outbox, ProbeAnswer};
use crate::sip::{HeaderIndex, Method, scan};
use crate::time::Timestamp;
use world::*;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> ProbeSettings {
    ProbeSettings {
        interval: 10 * SECOND,
        mode: ProbingMode::All,
        ..ProbeSettings::default()
    }
}

fn entries(list: &str) -> Vec<Entry> {
    list::parse(list.as_bytes()).unwrap().into_entries()
}

#[test]
fn a_keepalive_is_a_request_to_the_destinations_uri() {
    let mut world = World::new(settings(), "1 sip:gw@10.0.0.1:5070;lr");
    let sent = world.first();
    let text = &sent.text;
    let mut index = HeaderIndex::new();
    let message = scan(text.as_bytes(), &mut index).unwrap();
    assert_eq!(message.method(), Some(Method::Options));
    assert_eq!(message.request_uri(), Some(&b"sip:gw@10.0.0.1:5070;lr"[..]));
    assert_eq!(message.top_via().unwrap().host, b"10.0.0.9");
    assert_eq!(message.content_length(), Ok(Some(0)));
    let call_id = String::from_utf8_lossy(message.call_id().unwrap());
    let tag = String::from_utf8_lossy(message.from_tag().unwrap());
    let token = sent.token();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        *text,
        format!(
            "OPTIONS sip:gw@10.0.0.1:5070;lr SIP/2.0\r\n\
             Via: SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bKp{token:016x}\r\n\
             To: <sip:gw@10.0.0.1:5070;lr>\r\n\
             From: <sip:dispatcher@localhost>;tag={tag}\r\n\
             CSeq: 10 OPTIONS\r\n\
             Call-ID: {call_id}\r\n\
             Max-Forwards: 70\r\n\
             Content-Length: 0\r\n\
             User-Agent: sipshard/{version}\r\n\r\n"
        )
    );
    assert_eq!((sent.socket, &*sent.to), (1, "10.0.0.1:5070"));
}

#[test]
fn it_leaves_by_a_socket_that_can_reach_the_destination() {
    for (list, socket) in [
        ("1 sip:127.0.0.1:5070", 0),
        ("1 sip:10.0.0.1", 1),
        ("1 sip:[2001:db8::1]", 2),
        ("1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5080", 3),
        (
            "1 sip:10.0.0.1 0 0 ping_socket=10.0.0.9:5060;socket=udp:10.0.0.9:5080",
            1,
        ),
    ] {
        assert_eq!(
            World::new(settings(), list).first().socket,
            socket,
            "{list}"
        );
    }
}

#[test]
fn what_has_no_address_or_no_socket_is_not_probed() {
    let unresolved = World::new(settings(), "1 sip:gw.example.com");
    assert_eq!(unresolved.prober.next_deadline(), None);
    let listeners = vec![listener("10.0.0.9:5060")];
    let share = Share { index: 0, count: 1 };
    let accept = Box::new(|_: &[u8]| true);
    let ipv4_only = Prober::new(Arc::new(settings()), share, listeners, 1, accept);
    let world = World::of(ipv4_only, "1 sip:[::1]");
    assert_eq!(world.prober.next_deadline(), None);
}

#[test]
fn no_interval_means_no_probing() {
    let settings = ProbeSettings::default();
    let world = World::new(settings, "1 sip:10.0.0.1 8");
    assert_eq!(world.prober.next_deadline(), None);
}

fn many(count: u32) -> String {
    let line = |n| format!("1 sip:10.0.1.{n}\n");
    (1..=count).map(line).collect()
}

#[test]
fn keepalives_are_spread_evenly_and_keep_their_rhythm() {
    let mut world = World::new(settings(), &many(100));
    let first = world.answered(10 * SECOND);
    assert_eq!(first.len(), 100, "each once in the first interval");
    let tenth = |sent: &Sent| sent.at.since(Timestamp::from_secs(100)).as_secs();
    for part in 0..10 {
        let count = first.iter().filter(|sent| tenth(sent) == part).count();
        assert!((8..=12).contains(&count), "{count} in second {part}");
    }
    let second = world.answered(10 * SECOND);
    for (before, after) in first.iter().zip(&second) {
        assert_eq!(before.to, after.to);
        assert_eq!(before.at + 10 * SECOND, after.at);
    }
}

#[test]
fn the_seed_decides_everything() {
    let run = |seed| -> Vec<_> {
        let mut world = World::with_seed(settings(), &many(5), seed);
        let sent = world.answered(20 * SECOND);
        sent.into_iter().map(|sent| (sent.at, sent.text)).collect()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn after_a_standstill_each_destination_is_probed_once() {
    let mut world = World::new(settings(), &many(20));
    world.answered(10 * SECOND);
    let mut out = Outbox::new();
    let late = world.now + 1_000 * SECOND;
    world.prober.tick(late, &mut out);
    assert_eq!(out.packets().len(), 20);
    assert!(world.prober.next_deadline().unwrap() > late);
}

#[test]
fn a_keepalive_is_sent_again_by_timer_e_until_its_timeout() {
    let mut settings = settings();
    settings.interval = 60 * SECOND;
    settings.timeout = 13 * SECOND;
    let mut world = World::new(settings, "1 sip:10.0.0.1");
    let sent = world.silent(59 * SECOND);
    let start = sent[0].at;
    let times: Vec<_> = sent.iter().map(|s| s.at.since(start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500]);
    assert!(sent.iter().all(|again| again.text == sent[0].text));
    let stats = world.sets.destinations().next().unwrap().probe_stats();
    assert_eq!((stats.sent, stats.answered, stats.failed), (1, 0, 1));
}

#[test]
fn one_keepalive_is_in_flight_at_a_time() {
    let mut settings = settings();
    settings.interval = SECOND;
    settings.timeout = Duration::from_millis(3_500);
    let mut world = World::new(settings, "1 sip:10.0.0.1");
    let mut firsts = world.silent(8 * SECOND);
    firsts.dedup_by_key(|sent| sent.token());
    let start = firsts[0].at;
    let times: Vec<_> = firsts
        .iter()
        .map(|s| s.at.since(start).as_millis())
        .collect();
    assert_eq!(times, [0, 4_000], "the next turn after the timeout");
}

#[test]
fn silence_takes_a_destination_out_and_answers_bring_it_back() {
    let mut settings = settings();
    settings.thresholds = Thresholds { down: 2, up: 3 };
    let mut world = World::new(settings, "1 sip:10.0.0.1");
    world.answered(10 * SECOND);
    assert_eq!(world.letters(), "AP");
    world.silent(10 * SECOND);
    assert_eq!((world.letters(), world.events()), ("TP", vec![]));
    world.silent(10 * SECOND);
    assert_eq!(world.letters(), "IP");
    assert_eq!(world.events(), [(Change::Down, 408)]);
    world.answered(20 * SECOND);
    assert_eq!((world.letters(), world.events()), ("IP", vec![]));
    world.answered(10 * SECOND);
    assert_eq!(world.letters(), "AP");
    assert_eq!(world.events(), [(Change::Up, 200)]);
}

#[test]
fn the_timeout_is_the_keepalives_own() {
    let mut settings = settings();
    settings.timeout = Duration::from_millis(300);
    let mut world = World::new(settings, "1 sip:10.0.0.1");
    world.first();
    world.silent(Duration::from_millis(299));
    assert_eq!(world.letters(), "AX");
    assert_eq!(world.silent(Duration::from_millis(1)).len(), 0);
    assert_eq!(world.letters(), "IP");
}

#[test]
fn what_cannot_be_delivered_fails_at_once() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1");
    let token = world.first().token();
    world.prober.undeliverable(world.now, token);
    assert_eq!(world.letters(), "IP");
    assert_eq!(world.events(), [(Change::Down, 500)]);
    world.prober.undeliverable(world.now, token);
    assert_eq!(world.events(), []);
}

#[test]
fn only_the_first_final_answer_to_a_keepalive_in_flight_counts() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1");
    let token = world.first().token();
    world.answer(token ^ 1, 503);
    world.answer(token, 100);
    assert_eq!(world.letters(), "AX");
    world.now += Duration::from_millis(20);
    world.answer(token, 200);
    world.answer(token, 503);
    assert_eq!(world.letters(), "AP");
    let stats = world.sets.destinations().next().unwrap().probe_stats();
    assert_eq!(stats.last_rtt, Some(Duration::from_millis(20)));
    assert_eq!((stats.sent, stats.answered, stats.failed), (1, 1, 0));

    let late = world.silent(10 * SECOND)[0].token();
    world.silent(SECOND);
    assert_eq!(world.letters(), "IP");
    world.answer(late, 200);
    assert_eq!(world.letters(), "IP");
}

#[test]
fn tokens_repeat_neither_each_other_nor_the_seeds_stream() {
    let mut world = World::new(settings(), &many(50));
    let sent = world.answered(20 * SECOND);
    let mut tokens: Vec<_> = sent.iter().map(Sent::token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 100);
    let mut rng = crate::rng::Rng::from_seed(1);
    let stream: Vec<_> = (0..100).map(|_| rng.next()).collect();
    assert!(tokens.iter().all(|token| !stream.contains(token)));
}

#[test]
fn reply_codes_say_which_answers_mean_alive() {
    for (codes, code, letters) in [
        ("", 200, "AP"),
        ("", 202, "AP"),
        ("", 404, "IP"),
        ("code=404", 404, "AP"),
        ("code=404", 403, "IP"),
        ("class=4;code=501", 486, "AP"),
        ("class=4;code=501", 501, "AP"),
        ("class=4;code=501", 503, "IP"),
    ] {
        let mut settings = settings();
        settings.reply_codes = ReplyCodes::parse(codes).unwrap();
        let mut world = World::new(settings, "1 sip:10.0.0.1");
        world.run(10 * SECOND, |_| Some(code));
        assert_eq!(world.letters(), letters, "{codes} {code}");
    }
}

#[test]
fn silence_is_failure_whatever_the_reply_codes() {
    let mut settings = settings();
    settings.reply_codes = ReplyCodes::parse("class=4;class=5;code=408").unwrap();
    let mut world = World::new(settings, "1 sip:10.0.0.1");
    world.silent(11 * SECOND);
    assert_eq!(world.letters(), "IP");
}

#[test]
fn bad_reply_codes_are_told_with_their_place() {
    for (text, message) in [
        ("class=7", "0: class 7 is not 1 to 6"),
        ("class=2; code=99", "9: code 99 is not 100 to 699"),
        ("class=2;code=x", "8: code x is not 100 to 699"),
        ("200", "0: class=N or code=NNN expected, found \"200\""),
        ("kind=2", "0: class or code expected, found \"kind\""),
    ] {
        assert_eq!(ReplyCodes::parse(text).unwrap_err().to_string(), message);
    }
    let odd = ReplyCodes::parse(" Class = 3 ;; code=486;").unwrap();
    assert!(odd.contains(302) && odd.contains(486) && !odd.contains(487));
}

#[test]
fn the_mode_says_who_is_probed() {
    for (mode, probed) in [
        (0, ["AP", "IP", "TP"].as_slice()),
        (1, &["AX", "AP", "IX", "IP", "TX", "TP"]),
        (2, &["IP"]),
        (3, &["AP", "IP", "TP"]),
    ] {
        let mode = ProbingMode::try_from(mode).unwrap();
        let all = (0..64).map(Flags).filter(|flags| mode.is_probed(*flags));
        let mut letters: Vec<_> = all.map(Flags::letters).collect();
        letters.sort_unstable();
        letters.dedup();
        let mut expected = probed.to_vec();
        expected.sort_unstable();
        assert_eq!(letters, expected, "{mode:?}");
    }
    assert_eq!(ProbingMode::try_from(4), Err(4));
}

/// The states after each interval, for the given mode and start.
fn history(mode: ProbingMode, flags: u32, alive: &[bool]) -> Vec<&'static str> {
    let mut settings = settings();
    settings.mode = mode;
    settings.thresholds = Thresholds { down: 2, up: 2 };
    let mut world = World::new(settings, &format!("1 sip:10.0.0.1 {flags}"));
    let step = |alive: &bool| {
        world.run(10 * SECOND, |_| Some(if *alive { 200 } else { 503 }));
        world.letters()
    };
    alive.iter().map(step).collect()
}

#[test]
fn mode_0_probes_until_a_destination_is_back_and_then_no_more() {
    let mode = ProbingMode::UntilAlive;
    assert_eq!(
        history(mode, 8, &[false, false, false, true, true, false, false]),
        ["TP", "IP", "IP", "IP", "AX", "AX", "AX"]
    );
    assert_eq!(history(mode, 8, &[true, false]), ["AX", "AX"]);
    assert_eq!(history(mode, 8, &[false, true]), ["TP", "AX"]);
    assert_eq!(history(mode, 1, &[true, true]), ["IX", "IX"]);
}

#[test]
fn mode_1_probes_all() {
    assert_eq!(
        history(ProbingMode::All, 0, &[true, false, false, true, true]),
        ["AP", "TP", "IP", "IP", "AP"]
    );
    assert_eq!(history(ProbingMode::All, 1, &[true, true]), ["IP", "AP"]);
}

#[test]
fn mode_2_probes_inactive_ones_until_they_are_back() {
    let mode = ProbingMode::Inactive;
    assert_eq!(history(mode, 8, &[false, false]), ["AP", "AP"]);
    assert_eq!(
        history(mode, 9, &[false, true, true, false]),
        ["IP", "IP", "AX", "AX"]
    );
}

#[test]
fn mode_3_probes_marked_ones_for_ever() {
    let mode = ProbingMode::Marked;
    assert_eq!(history(mode, 0, &[false, false]), ["AX", "AX"]);
    assert_eq!(
        history(mode, 8, &[false, false, true, true, false]),
        ["TP", "IP", "IP", "AP", "TP"]
    );
}

#[test]
fn disabled_and_no_ping_destinations_are_left_in_peace() {
    for flags in [4, 32] {
        let mut world = World::new(settings(), &format!("1 sip:10.0.0.1 {flags}"));
        assert_eq!(world.silent(30 * SECOND).len(), 0);
        assert_eq!(world.health(), Health::new(Flags(flags)));
    }
}

#[test]
fn a_result_that_comes_after_the_operators_word_changes_nothing() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1 8");
    let token = world.first().token();
    world.set("d");
    world.answer(token, 503);
    assert_eq!((world.letters(), world.events()), ("DX", vec![]));

    let mut marked = settings();
    marked.mode = ProbingMode::Marked;
    let mut world = World::new(marked, "1 sip:10.0.0.1 9");
    let token = world.first().token();
    world.set("i");
    world.answer(token, 200);
    assert_eq!((world.letters(), world.events()), ("IX", vec![]));
}

#[test]
fn probing_can_be_stopped_and_started() {
    let mut world = World::new(settings(), &many(5));
    world.prober.set_active(false);
    assert!(!world.prober.is_active());
    assert_eq!(world.silent(30 * SECOND).len(), 0);
    world.prober.set_active(true);
    assert_eq!(world.answered(10 * SECOND).len(), 5);
}

#[test]
fn a_reload_disturbs_neither_rhythm_nor_keepalives_in_flight() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1 0 0 duid=a\n");
    let sent = world.first();
    world.reload("1 sip:10.0.0.2\n1 sip:10.0.0.1 0 0 duid=a;weight=5\n");
    world.answer(sent.token(), 200);
    let probed = world.sets.get(1).unwrap().by_duid("a").unwrap();
    assert_eq!(probed.health().flags.letters(), "AP");
    let later = world.answered(10 * SECOND);
    assert_eq!(later.len(), 2);
    let again = later.iter().find(|again| again.to == sent.to).unwrap();
    assert_eq!(again.at, sent.at + 10 * SECOND);
}

#[test]
fn an_answer_from_before_a_move_counts_for_nothing() {
    let mut world = World::new(settings(), "1 sip:10.0.0.1 0 0 duid=a\n");
    let sent = world.first();
    world.reload("1 sip:10.0.0.7 0 0 duid=a\n");
    world.answer(sent.token(), 200);
    assert_eq!(world.letters(), "AX");
    world.reload("1 sip:10.0.0.8\n");
    assert_eq!(world.answered(10 * SECOND)[0].to, "10.0.0.8:5060");
}

#[test]
fn probers_share_the_destinations_without_overlap() {
    let mut probed = Vec::new();
    for index in 0..3 {
        let share = Share { index, count: 3 };
        let listeners = vec![listener("10.0.0.9:5060")];
        let accept = Box::new(|_: &[u8]| true);
        let prober = Prober::new(Arc::new(settings()), share, listeners, 1, accept);
        let mut world = World::of(prober, &many(20));
        let sent = world.answered(10 * SECOND);
        assert!((6..=7).contains(&sent.len()));
        probed.extend(sent.into_iter().map(|sent| sent.to));
    }
    probed.sort_unstable();
    probed.dedup();
    assert_eq!(probed.len(), 20);
}

#[test]
fn call_ids_are_those_that_are_accepted() {
    let accept = |call_id: &[u8]| call_id.ends_with(b"7");
    let listeners = vec![listener("10.0.0.9:5060")];
    let share = Share { index: 0, count: 1 };
    let prober = Prober::new(Arc::new(settings()), share, listeners, 1, Box::new(accept));
    let mut world = World::of(prober, &many(20));
    for sent in world.answered(10 * SECOND) {
        let mut index = HeaderIndex::new();
        let message = scan(sent.text.as_bytes(), &mut index).unwrap();
        assert!(accept(message.call_id().unwrap()));
    }
}

#[test]
fn keepalives_name_us_unless_they_are_told_not_to() {
    for (agent, line) in [
        ("Acme/2", "\r\nUser-Agent: Acme/2\r\n\r\n"),
        ("", "Length: 0\r\n\r\n"),
    ] {
        let settings = ProbeSettings {
            user_agent: agent.to_owned(),
            ..settings()
        };
        let sent = World::new(settings, "1 sip:10.0.0.1").first();
        assert!(sent.text.ends_with(line), "{}", sent.text);
    }
}
