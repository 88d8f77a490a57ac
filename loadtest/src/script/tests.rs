use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sipshard::agent::{Agent, Delay, RateProfile, Share};
use sipshard::proxy::Outbox;
use sipshard::time::Timestamp;

use super::actor::{Actor, ActorConfig};
use super::call::Fixed;
use super::call_id::CallIdForm;
use super::compile::{Surroundings, compile};
use super::inject::Injection;
use super::program::{Act, Program};
use super::source::Source;

const CALLER: &str = include_str!("../../../tests/scenarios/caller.xml");
const GATEWAY: &str = include_str!("../../../tests/scenarios/gateway.xml");
const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.2:5060";

fn source(text: &str) -> Source {
    Source {
        file: "x.xml".to_owned(),
        text: text.to_owned(),
    }
}

fn program(text: &str) -> Arc<Program> {
    Arc::new(compile(&source(text), Surroundings::default()).unwrap())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn config(local: &str, target: Option<&str>, calls: u64) -> ActorConfig {
    ActorConfig {
        fixed: Fixed {
            service: "service".to_owned(),
            pid: 77,
            local: vec![address(local)],
            first_socket: 0,
            media_ip: None,
            media_port: 6_000,
            users: 0,
            injections: Vec::new(),
        },
        target: target.map(address),
        profile: RateProfile::constant(100.0).with_calls(calls),
        users: None,
        share: Share { index: 0, of: 1 },
        begin: Timestamp::ZERO,
        max_live: 1_000,
        hold: Delay::Fixed(Duration::from_millis(30)),
        call_id: None,
        base_cseq: 1,
        retransmits: true,
        traces_errors: false,
        auto_answer: false,
    }
}

/// Two actors and a network between them that loses every `loses`-th datagram.
struct World {
    caller: Actor,
    gateway: Actor,
    now: Timestamp,
    carried: u64,
    loses: Option<u64>,
    /// Everything that was sent.
    wire: Vec<Vec<u8>>,
}

impl World {
    fn new(caller: &str, gateway: &str, calls: u64) -> Self {
        // There is no proxy here that would record its route.
        let caller = caller.replace(
            r#"header="Record-Route:" check_it="true""#,
            r#"header="Record-Route:""#,
        );
        let caller = Actor::new(config(HERE, Some(THERE), calls), program(&caller), 1);
        Self {
            caller,
            gateway: Actor::new(config(THERE, None, 0), program(gateway), 2),
            now: Timestamp::ZERO,
            carried: 0,
            loses: None,
            wire: Vec::new(),
        }
    }

    /// Runs until all calls are over, or for two minutes.
    fn run(&mut self) {
        let mut out = Outbox::new();
        while self.now < Timestamp::from_secs(120) && !self.caller.is_finished() {
            let deadlines = [self.caller.next_deadline(), self.gateway.next_deadline()];
            let next = deadlines.into_iter().flatten().min();
            self.now = next.map_or(Timestamp::from_secs(120), |at| at.max(self.now));
            self.caller.tick(self.now, &mut out);
            self.carry(&mut out, HERE);
            self.gateway.tick(self.now, &mut out);
            self.carry(&mut out, THERE);
        }
    }

    /// Hands over what was sent from `from`, and what that brings about.
    fn carry(&mut self, out: &mut Outbox, from: &str) {
        let mut from = from;
        while !out.is_empty() {
            let sent: Vec<Vec<u8>> = out
                .packets()
                .iter()
                .map(|one| out.bytes(one).to_vec())
                .collect();
            out.clear();
            let (to, source) = if from == HERE {
                (&mut self.gateway, address(HERE))
            } else {
                (&mut self.caller, address(THERE))
            };
            for bytes in sent {
                self.carried += 1;
                self.wire.push(bytes.clone());
                if self
                    .loses
                    .is_none_or(|each| !self.carried.is_multiple_of(each))
                {
                    to.receive(self.now, 0, source, &bytes, out);
                }
            }
            from = if from == HERE { THERE } else { HERE };
        }
    }
}

#[test]
fn two_scenarios_play_their_calls() {
    let mut world = World::new(CALLER, GATEWAY, 20);
    world.run();
    let caller = &world.caller.report().caller.counts;
    assert_eq!(
        (caller.completed, caller.failed, caller.unexpected),
        (20, 0, 0)
    );
    let gateway = world.gateway.report();
    assert_eq!((gateway.caller.counts.started, gateway.strays), (20, 0));
    // INVITE, 180, 200, ACK, BYE, 200.
    assert_eq!(world.wire.len(), 20 * 6);
    let invite = String::from_utf8(world.wire[0].clone()).unwrap();
    assert!(invite.starts_with("INVITE sip:service@192.0.2.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-77-1-0\r\n"), "{invite}");
    let (_, body) = invite.split_once("\r\n\r\n").unwrap();
    assert!(invite.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert!(body.ends_with("RTP/AVP 0\r\n"), "{body:?}");
}

#[test]
fn what_the_network_loses_is_sent_again() {
    let mut world = World::new(CALLER, GATEWAY, 30);
    world.loses = Some(7);
    world.run();
    let caller = &world.caller.report().caller.counts;
    assert_eq!((caller.completed, caller.failed), (30, 0), "{caller:?}");
    assert!(caller.other_retransmissions > 0);
}

#[test]
fn silence_ends_a_call_after_64_intervals() {
    let mut world = World::new(CALLER, GATEWAY, 3);
    world.loses = Some(1);
    world.run();
    let report = world.caller.report();
    assert_eq!((report.caller.counts.failed, report.causes[0]), (3, 3));
    // At 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s.
    assert_eq!(world.wire.len(), 3 * 7);
}

#[test]
fn a_receive_waits_as_long_as_all_do_unless_it_says_so() {
    let surroundings = Surroundings {
        receive_timeout: Some(Duration::from_millis(700)),
        ..Surroundings::default()
    };
    let text = "<scenario><recv request='A'/><recv request='B' timeout='20'/></scenario>";
    let program = compile(&source(text), surroundings).unwrap();
    let waits = program.steps.iter().map(|step| match &step.act {
        Act::Receive(receive) => receive.timeout.map(|(time, _)| time.as_millis()),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [Some(700), Some(20)]);
}

fn message(first: &str, more: &str) -> String {
    format!(
        "<![CDATA[\n {first} SIP/2.0\n Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n \
         From: <sip:a@b>;tag=[call_number]\n To: <sip:c@d>[peer_tag_param]\n Call-ID: [call_id]\n CSeq: [cseq] {}\n {more}\n \
         Content-Length: [len]\n]]>",
        first.split(' ').next().unwrap()
    )
}

/// A scenario that answers OPTIONS with 200 and some more header lines.
fn options_gateway(more: &str) -> String {
    format!(
        "<scenario name='g'><recv request='OPTIONS'/><send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n\
         [last_To:];tag=t\n[last_Call-ID:]\n[last_CSeq:]\n{more}\nContent-Length: 0\n]]></send></scenario>"
    )
}

#[test]
fn variables_tests_and_jumps_decide_the_way() {
    let request = message(
        "OPTIONS sip:x@y",
        "X-Count: [$count]\n [last_Nothing:]\n [routes]",
    );
    let caller = format!(
        "<scenario name='c'><label id='again'/><send retrans='500'>{request}</send>\
         <recv response='200'><action>\
         <ereg regexp='id=([[:digit:]]+)(x?)' search_in='hdr' header='X-Id:' check_it='true' assign_to='all,id'/>\
         <add assign_to='count' value='1'/>\
         <test assign_to='more' variable='count' compare='less_than' value='3'/>\
         </action></recv><nop next='again' test='more'/>\
         <nop><action><strcmp assign_to='same' variable='id' value='42'/>\
         <test assign_to='ok' variable='same' compare='equal' value='0' check_it='true'/></action></nop></scenario>"
    );
    let mut world = World::new(&caller, &options_gateway("x-ID: id=42"), 1);
    // Each round is a call of its own to this gateway, so it must not remember the first one.
    world.run();
    let report = world.caller.report();
    assert_eq!(
        (report.caller.counts.completed, report.caller.counts.failed),
        (1, 0),
        "{report:?}"
    );
    // Also what has no message.
    let done = report.steps.iter().map(|step| step.done);
    assert_eq!(done.collect::<Vec<_>>(), [3, 3, 3, 1]);
    let counts: Vec<String> = world
        .wire
        .iter()
        .filter(|bytes| bytes.starts_with(b"OPTIONS"))
        .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
        .collect();
    assert_eq!(counts.len(), 3);
    assert!(
        counts[0].contains("X-Count: \r\nContent-Length: 0\r\n\r\n"),
        "{}",
        counts[0]
    );
    assert!(counts[2].contains("X-Count: 2\r\n") && counts[2].contains("CSeq: 3 OPTIONS"));
    let branch = |text: &str| {
        text.split("branch=")
            .nth(1)
            .unwrap()
            .split('\r')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_ne!(branch(&counts[0]), branch(&counts[1]));
}

#[test]
fn a_failed_check_fails_the_call_with_its_cause() {
    let caller = format!(
        "<scenario name='c'><send>{}</send><recv response='200'><action>\
         <ereg regexp='never' search_in='msg' check_it='true' assign_to='a'/></action></recv></scenario>",
        message("OPTIONS sip:x@y", "X: y")
    );
    let mut world = World::new(&caller, &options_gateway("X: z"), 2);
    world.run();
    let report = world.caller.report();
    assert_eq!(report.caller.counts.failed, 2);
    let (name, number) = super::report::CAUSES
        .iter()
        .zip(report.causes)
        .find(|(_, number)| *number > 0)
        .map(|((_, name), number)| (*name, number))
        .unwrap();
    assert_eq!((name, number), ("expression did not match", 2));
}

#[test]
fn fields_come_from_their_file() {
    let injection = Injection::parse(b"SEQUENTIAL\nann;1\n# no line\nbob;2\r\n").unwrap();
    assert_eq!(injection.fields(), 2);
    let row = injection.row(3, 0);
    assert_eq!(
        (injection.field(row, 0), injection.field(row, 1)),
        (&b"bob"[..], &b"2"[..])
    );
    assert!(Injection::parse(b"ann;1\n").is_err());
    assert!(Injection::parse(b"RANDOM\n").is_err());
    let files = [("users.csv".to_owned(), 2)];
    let surroundings = Surroundings {
        files: &files,
        keys: &[("domain".to_owned(), "example.org".to_owned())],
        ..Surroundings::default()
    };
    let text = format!(
        "<scenario><send>{}</send><recv response='200'/></scenario>",
        message(
            "OPTIONS sip:[field0]@[domain]",
            "X: [field1 file=\"users.csv\"]"
        )
    );
    let program = compile(&source(&text), surroundings).unwrap();
    let mut config = config(HERE, Some(THERE), 2);
    config.fixed.injections = vec![Arc::new(injection)];
    let mut actor = Actor::new(config, Arc::new(program), 3);
    let mut out = Outbox::new();
    actor.tick(Timestamp::from_secs(1), &mut out);
    let sent: Vec<String> = out
        .packets()
        .iter()
        .map(|one| String::from_utf8(out.bytes(one).to_vec()).unwrap())
        .collect();
    assert!(sent[0].starts_with("OPTIONS sip:ann@example.org ") && sent[0].contains("X: 1\r\n"));
    assert!(sent[1].starts_with("OPTIONS sip:bob@example.org ") && sent[1].contains("X: 2\r\n"));
}

/// The scenario is refused, with this place and this reason.
fn refused(inside: &str, expected: &str) {
    let text = format!("<scenario>{inside}</scenario>");
    let fault = compile(&source(&text), Surroundings::default()).unwrap_err();
    let fault = fault.to_string();
    assert!(!fault.contains('\n'), "{fault}");
    assert!(!fault.contains(" at "), "the place stands twice: {fault}");
    assert!(
        fault.starts_with(&format!("x.xml:{expected}")),
        "{inside}: {fault}"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (inside, expected) in [
        (
            "\n  <send>",
            "2:9: not well-formed XML: expected 'send' tag, not 'scenario'",
        ),
        ("\n  <hello/>", "2:3: <hello> is not known"),
        ("\n  <recv response='20'/>", "2:9: a code from 100"),
        ("\n  <recv/>", "2:3: <recv> needs either"),
        (
            "<recv request='INVITE' auth='true'/>",
            "1:34: only the answers 401 and 407 are challenges",
        ),
        (
            "<recv request='INVITE' colour='red'/>",
            "1:34: <recv> has no attribute colour",
        ),
        (
            "<recv request='INVITE' next='9'/>",
            "1:34: there is no label 9",
        ),
        (
            "<label id='1'/>\n<label id='1'/>",
            "2:8: label 1 stands twice",
        ),
        (
            "<send><![CDATA[\n  OPTIONS x SIP/2.0\n  X: [nonsense]\n]]></send>",
            "3:6: [nonsense]: no such keyword",
        ),
        (
            "<send><![CDATA[\n OPTIONS [field0] x\n]]></send>",
            "2:10: [field0]: needs -inf FILE",
        ),
        (
            "<send><![CDATA[\n OPTIONS [field0 file=\"b.csv\"] x\n]]></send>",
            "2:10: [field0 file=\"b.csv\"]: needs -inf b.csv",
        ),
        (
            "<send><![CDATA[\n OPTIONS x\n X: [field0 x\n]]></send>",
            "3:5: [field0: the bracket is not closed",
        ),
        (
            "<nop><action><exec play_pcap_audio='a.pcap'/></action></nop>",
            "1:30: play_pcap_audio: media is not supported",
        ),
        (
            "<nop><action><exec command='ls'/></action></nop>",
            "1:30: commands of the system",
        ),
        ("<send>  </send>", "1:11: <send> has no message"),
        (
            "<recv request='A'><action><play_dtmf/></action></recv>",
            "1:37: the action <play_dtmf>",
        ),
        (
            "<recv request='A'><action><ereg regexp='(' assign_to='1'/></action></recv>",
            "1:43: the expression (: unclosed group",
        ),
        ("<pause distribution='weibull'/>", "1:18: weibull"),
        ("<nop/>", "1:1: a scenario needs a <send> or a <recv>"),
        (
            "<Global variables='x'/>",
            "1:11: variables that calls share",
        ),
    ] {
        refused(inside, expected);
    }
}

#[test]
fn credentials_where_they_cannot_be_are_refused() {
    for (inside, expected) in [
        (
            "<send><![CDATA[\nACK x SIP/2.0\n[authentication]\n]]></send>",
            "1:11: [authentication]: no <recv> takes a challenge",
        ),
        (
            "<recv response='401' auth='true'/><send><![CDATA[\nSIP/2.0 200\n[authentication]\n]]></send>",
            "1:45: [authentication]: only requests have credentials",
        ),
        (
            "<send><![CDATA[\nACK x SIP/2.0\n[authentication user=x]\n]]></send>",
            "3:1: [authentication user=x]: `user`: only username and password",
        ),
        (
            "<recv request='A'><action><log message='[authentication]'/></action></recv>",
            "1:51: [authentication: only a message can answer",
        ),
    ] {
        refused(inside, expected);
    }
}

/// The cells of the row of the README's table of what is refused.
fn refused_by_the_readme(row: &str) -> Vec<&'static str> {
    let (_, table) = include_str!("../../README.md")
        .split_once("\nRefused, ")
        .unwrap();
    let start = format!("| {row} | ");
    let line = table.lines().find(|line| line.starts_with(&start)).unwrap();
    line[start.len()..].split('`').skip(1).step_by(2).collect()
}

#[test]
fn what_the_readme_says_is_refused() {
    let is_refused = |inside: &str| {
        let text = format!("<scenario><recv request='A'/>{inside}</scenario>");
        compile(&source(&text), Surroundings::default()).is_err()
    };
    let check = |inside: &str| assert!(is_refused(inside), "{inside}");
    // What stands around them is not what is refused.
    for inside in [
        "<recv request='B' rrs='true'/><pause distribution='fixed' value='1'/>",
        "<nop><action><exec int_cmd='stop_now'/></action></nop><send>A x SIP/2.0\n\n[len]</send>",
    ] {
        assert!(!is_refused(inside), "{inside}");
    }
    for name in refused_by_the_readme("elements") {
        check(&format!("{}/>", name.trim_end_matches('>')));
    }
    for name in refused_by_the_readme("attributes") {
        check(&format!(
            "<recv request='B' {}='true'/>",
            name.trim_matches(['<', '>'])
        ));
    }
    for name in refused_by_the_readme("`<pause distribution>`") {
        check(&format!("<pause distribution='{name}' value='1'/>"));
    }
    for name in refused_by_the_readme("actions") {
        check(&format!("<nop><action><{name}/></action></nop>"));
        check(&format!("<nop><action><exec {name}='x'/></action></nop>"));
    }
    for name in refused_by_the_readme("keywords") {
        check(&format!("<send>A x SIP/2.0\n\n[{name}]</send>"));
    }
}

/// An answer to a request, with what it needs.
fn answer(request: &[u8]) -> Vec<u8> {
    let request = String::from_utf8(request.to_vec()).unwrap();
    let (_, headers) = request.split_once("\r\n").unwrap();
    format!("SIP/2.0 200 OK\r\n{headers}").into_bytes()
}

#[test]
fn of_calls_with_one_call_id_the_youngest_hears() {
    let text = format!(
        "<scenario><send>{}</send><recv response='200' timeout='50'/></scenario>",
        message("OPTIONS sip:x@y", "X: y")
    );
    let mut config = config(HERE, Some(THERE), 2);
    config.call_id = Some(CallIdForm::parse("same").unwrap());
    let mut actor = Actor::new(config, program(&text), 1);
    let mut out = Outbox::new();
    // Calls begin at 0 and 10 ms; the first has given up when the answer comes.
    for millis in [0, 10, 52] {
        actor.tick(Timestamp::from_nanos(millis * 1_000_000), &mut out);
    }
    let request = out.bytes(&out.packets()[1]).to_vec();
    let now = Timestamp::from_nanos(53_000_000);
    actor.receive(now, 0, address(THERE), &answer(&request), &mut out);
    let counts = &actor.report().caller.counts;
    assert_eq!((counts.completed, counts.failed), (1, 1), "{counts:?}");
}

#[test]
fn without_retransmissions_nothing_is_sent_or_known_again() {
    let gateway = options_gateway("X: y").replace(
        "</scenario>",
        "<recv request='BYE' timeout='100000'/></scenario>",
    );
    let gateway = gateway.replace("<send>", "<send retrans='100'>");
    let request = b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: i\r\nCSeq: 1 OPTIONS\r\n\r\n";
    for (retransmits, answers, failed) in [(true, 3, 0), (false, 1, 1)] {
        let mut config = config(THERE, None, 0);
        config.retransmits = retransmits;
        let mut actor = Actor::new(config, program(&gateway), 1);
        let mut out = Outbox::new();
        actor.receive(Timestamp::ZERO, 0, address(HERE), request, &mut out);
        // Time to send the answer again.
        let later = Timestamp::from_nanos(150_000_000);
        actor.tick(later, &mut out);
        actor.receive(later, 0, address(HERE), request, &mut out);
        let packets = out.packets().iter();
        let ok = packets.filter(|one| out.bytes(one).starts_with(b"SIP/2.0 200"));
        assert_eq!(ok.count(), answers, "{retransmits}");
        assert_eq!(actor.report().caller.counts.failed, failed, "{retransmits}");
    }
}
