//! What single messages look like, and what happens when they come at an odd time.

use super::link::header;
use super::*;

/// A call that is answered and under way, and the time at which it is.
fn established(caller: CallerConfig, gateway: GatewayConfig) -> Link {
    let mut link = link(caller, gateway, FAIR, 200);
    link.run_until(Timestamp::ZERO + Duration::from_millis(300));
    assert_eq!(counts(&link).0.answered, 1);
    link
}

#[test]
fn the_ack_to_a_refusal_belongs_to_its_invite_and_that_to_a_200_does_not() {
    let refusing = GatewayConfig {
        mix: AnswerMix::reject_all(486),
        ..gateway_config()
    };
    for (gateway, same) in [(refusing, true), (gateway_config(), false)] {
        let link = run(caller_config(1), gateway, FAIR, 201);
        let (_, invite) = link.first("INVITE");
        let (_, ack) = link.first("ACK");
        assert_eq!(header(&invite, "Via") == header(&ack, "Via"), same);
        assert!(header(&ack, "To").contains(";tag="));
        assert_eq!(header(&ack, "CSeq"), "1 ACK");
        assert_eq!(header(&invite, "Call-ID"), header(&ack, "Call-ID"));
    }
}

/// Answers the call of a caller with a 200 that has come by a proxy, and returns what it sends then.
fn answered_by_proxy(follow_route_set: bool) -> Link {
    let caller = CallerConfig {
        follow_route_set,
        ..caller_config(1)
    };
    let gateway = GatewayConfig {
        mix: AnswerMix {
            ring_only: 1.0,
            ..AnswerMix::default()
        },
        ..gateway_config()
    };
    let mut link = link(caller, gateway, FAIR, 202);
    link.run_until(Timestamp::ZERO + Duration::from_millis(100));
    let (_, ringing) = link.first("180 INVITE");
    let answer = ringing
        .replace("180 Ringing", "200 OK")
        .replace("gateway@10.0.0.1:5060", "gateway@10.0.0.9:5070")
        .replace(
            "Contact:",
            "Record-Route: <sip:10.0.0.5:5065;lr>\r\nContact:",
        );
    let to = caller_addresses()[0];
    link.inject(gateway_address(), to, answer.into_bytes());
    link.run_until(Timestamp::from_secs(2));
    link
}

#[test]
fn the_route_set_is_followed() {
    let link = answered_by_proxy(true);
    for what in ["ACK", "BYE"] {
        let (to, text) = link.first(what);
        assert_eq!(to, address("10.0.0.5:5065"));
        assert!(text.starts_with(&format!("{what} sip:gateway@10.0.0.9:5070 SIP/2.0\r\n")));
        assert_eq!(header(&text, "Route"), "<sip:10.0.0.5:5065;lr>");
    }
}

#[test]
fn the_route_set_is_ignored_if_wanted() {
    let link = answered_by_proxy(false);
    for what in ["ACK", "BYE"] {
        let (to, text) = link.first(what);
        assert_eq!(to, gateway_address());
        assert!(text.starts_with(&format!("{what} sip:service@10.0.0.1:5060 SIP/2.0\r\n")));
        assert!(!text.contains("Route:"));
    }
}

#[test]
fn a_gateways_bye_follows_the_route_set_in_order() {
    let gateway = GatewayConfig {
        hang_up_after: Some(Delay::Fixed(Duration::from_millis(500))),
        ..gateway_config()
    };
    let mut config = caller_config(1);
    config.hang_up = HangUp::Gateway;
    let mut link = link(config, gateway, FAIR, 203);
    link.run_until(Timestamp::ZERO);
    let (_, invite) = link.first("INVITE");
    // The same INVITE as if by two proxies; the gateway answers this one, too.
    let relayed = invite.replace("-1i", "-9i").replace(
        "Contact:",
        "Record-Route: <sip:10.0.0.6;lr>\r\nRecord-Route: <sip:10.0.0.5:5065;lr>\r\nContact:",
    );
    let proxy = address("10.0.0.6:5060");
    link.inject(proxy, gateway_address(), relayed.into_bytes());
    link.run_until(Timestamp::ZERO + Duration::from_millis(260));
    let answers = |link: &Link| -> Vec<String> {
        let texts = link.wire.iter().map(|(_, bytes)| bytes);
        texts
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            .filter(|text| text.starts_with("SIP/2.0 200 ") && text.contains("-9i"))
            .collect()
    };
    let answer = answers(&link).remove(0);
    assert!(answer.contains("Record-Route: <sip:10.0.0.6;lr>\r\nRecord-Route: <sip:10.0.0.5"));
    // Nobody acknowledges it, so the gateway hangs up after 64 * T1.
    link.run_until(Timestamp::from_secs(40));
    let byes: Vec<_> = link
        .wire
        .iter()
        .filter(|(to, bytes)| *to == proxy && bytes.starts_with(b"BYE "))
        .collect();
    let text = String::from_utf8(byes[0].1.clone()).unwrap();
    assert!(text.starts_with("BYE sip:sipload@10.0.1.1:5060 SIP/2.0\r\n"));
    assert!(text.contains("Route: <sip:10.0.0.6;lr>\r\nRoute: <sip:10.0.0.5:5065;lr>\r\n"));
    assert_eq!(header(&text, "From"), header(&answer, "To"));
    assert_eq!(header(&text, "To"), header(&answer, "From"));
    assert_eq!(counts(&link).1.unacked, 1);
}

#[test]
fn answers_go_where_the_top_via_says() {
    for (via, source, target) in [
        ("10.0.1.1:5060", "10.0.1.1:4444", "10.0.1.1:5060"),
        ("10.0.1.1", "10.0.1.1:4444", "10.0.1.1:5060"),
        ("pc.example:5062", "10.0.1.7:4444", "10.0.1.7:5062"),
        ("10.0.1.1:5060;rport", "10.0.1.7:4444", "10.0.1.7:4444"),
    ] {
        let options = format!(
            "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKa\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let mut gateway = Gateway::new(gateway_config(), 1);
        let mut out = crate::proxy::Outbox::new();
        let source = address(source);
        gateway.receive(Timestamp::ZERO, 0, source, options.as_bytes(), &mut out);
        assert_eq!(out.packets()[0].to, address(target), "{via}");
        assert_eq!(gateway.report().counts.options, 1);
    }
}

#[test]
fn requests_with_the_right_tag_but_another_call_id_are_strays() {
    let mut link = established(caller_config(1), gateway_config());
    let (_, ack) = link.first("ACK");
    let bye = ack.replace("ACK", "BYE").replace("CSeq: 1", "CSeq: 2");
    let foreign = bye.replace(header(&ack, "Call-ID"), "another");
    let from = caller_addresses()[0];
    link.inject(from, gateway_address(), foreign.into_bytes());
    link.run_until(Timestamp::ZERO + Duration::from_millis(400));
    assert_eq!((counts(&link).1.strays, counts(&link).1.live), (1, 1));
    link.inject(from, gateway_address(), bye.into_bytes());
    link.run_until(Timestamp::ZERO + Duration::from_millis(500));
    assert_eq!((counts(&link).1.byes, counts(&link).1.live), (1, 0));
}

#[test]
fn an_invite_sent_again_after_the_200_is_absorbed() {
    let mut link = link(caller_config(1), gateway_config(), FAIR, 204);
    link.run_until(Timestamp::ZERO + Duration::from_millis(256));
    let (_, invite) = link.first("INVITE");
    for _ in 0..3 {
        let from = caller_addresses()[0];
        link.inject(from, gateway_address(), invite.clone().into_bytes());
    }
    link.run(Timestamp::from_secs(60));
    assert_eq!(link.sent("200 INVITE"), 1);
    let gateway = counts(&link).1;
    assert_eq!((gateway.invites, gateway.invites_again), (1, 3));
}

#[test]
fn both_may_hang_up_at_once() {
    // The gateway's ACK comes 5 ms after the caller's 200: both BYEs are under way together.
    let gateway = GatewayConfig {
        hang_up_after: Some(Delay::Fixed(Duration::from_millis(998))),
        ..gateway_config()
    };
    let link = run(caller_config(1), gateway, FAIR, 205);
    let (caller, gateway) = counts(&link);
    assert_eq!(link.sent("BYE"), 2);
    assert_eq!((caller.completed, caller.failed), (1, 0));
    assert_eq!(caller.byes_received, 1);
    assert_eq!((gateway.hung_up, gateway.live), (1, 0));
}

#[test]
fn a_second_gateways_bye_does_not_end_the_call() {
    let mut link = established(caller_config(1), gateway_config());
    let (_, ack) = link.first("ACK");
    let (to, from) = (header(&ack, "To"), header(&ack, "From"));
    let bye = |to: &str| {
        format!(
            "BYE sip:sipload@10.0.1.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKz\r\n\
             Max-Forwards: 70\r\nFrom: {to}\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: 7 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            header(&ack, "Call-ID")
        )
    };
    let other = to.replace(";tag=", ";tag=f");
    let (stranger, own) = (address("10.0.0.2:5060"), caller_addresses()[0]);
    link.inject(stranger, own, bye(&other).into_bytes());
    link.run_until(Timestamp::ZERO + Duration::from_millis(350));
    assert_eq!(link.sent("200 BYE"), 1);
    assert_eq!(
        (counts(&link).0.live, counts(&link).0.byes_received),
        (1, 0)
    );
    link.inject(stranger, own, bye(to).into_bytes());
    link.run_until(Timestamp::ZERO + Duration::from_millis(400));
    assert_eq!(
        (counts(&link).0.live, counts(&link).0.byes_received),
        (0, 1)
    );
}

#[test]
fn memory_follows_what_lives_and_not_what_has_lived() {
    let gateway = GatewayConfig {
        // 50 calls a second are remembered for 1.25 s and then for 4 s: never more than 270.
        linger: Duration::from_secs(4),
        max_calls: 270,
        ..gateway_config()
    };
    let link = run(caller_config(2_000), gateway, FAIR, 206);
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.completed, gateway.full), (2_000, 0));
    assert!(link.caller.memory_calls() <= 64);
}

#[test]
fn a_full_gateway_refuses() {
    let gateway = GatewayConfig {
        max_calls: 40,
        ..gateway_config()
    };
    let link = run(caller_config(100), gateway, FAIR, 207);
    let (caller, gateway) = counts(&link);
    assert_eq!((caller.completed, caller.failed), (40, 60));
    assert_eq!((gateway.full, gateway.max_live), (60, 40));
    assert_eq!(link.caller.report().refused[&503], 60);
}

#[test]
fn a_bye_refused_because_the_other_side_was_quicker_ends_the_call_well() {
    let mut link = established(caller_config(1), gateway_config());
    link.gateways[0].set_alive(false);
    link.run_until(Timestamp::ZERO + Duration::from_millis(1_300));
    let (_, bye) = link.first("BYE");
    let value = |name| header(&bye, name);
    let theirs = format!(
        "BYE sip:sipload@10.0.1.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKz\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\
         Content-Length: 0\r\n\r\n",
        value("To"),
        value("From"),
        value("Call-ID")
    );
    let refusal = format!(
        "SIP/2.0 481 Call/Transaction Does Not Exist\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n",
        value("Via"),
        value("From"),
        value("To"),
        value("Call-ID")
    );
    for text in [theirs, refusal] {
        let own = caller_addresses()[0];
        link.inject(gateway_address(), own, text.into_bytes());
    }
    link.run(Timestamp::from_secs(60));
    let caller = counts(&link).0;
    assert_eq!((caller.completed, caller.failed), (1, 0));
    assert_eq!(caller.byes_received, 1);
}
