//! In the steady state a datagram costs no allocation, whichever way requests are relayed.
//!
//! The allocator looks only while a shard works: the callers and gateways around it may allocate.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/world.rs"]
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use counting::{take_allocations, watch};
use sipshard::dispatch::Sets;
use sipshard::proxy::{Datagram, Listener, Outbox, RelayMode, Settings, Shard, script};
use sipshard::time::Timestamp;
use world::{BATCH_INTERVAL, Message, Watch, World, answer, caller, invite, to_gateways};

/// Watches while it is on.
struct Allocations {
    on: bool,
}

impl Watch for Allocations {
    fn during(&mut self, work: impl FnOnce()) {
        watch(self.on, work);
    }
}

fn assert_no_allocation(what: &str) {
    assert_eq!(take_allocations(), 0, "allocations {what}");
}

/// A batch of calls as they come in practice.
type Scene = fn(&mut World<Allocations>, first: u64);

/// Calls in a batch: as many datagrams as the plane reads at once.
const BATCH: u64 = 16;

/// Runs a scene until all that lingers after a call has come round twice, then as often again under
/// the eye of the allocator.
fn allocates_nothing(relay: RelayMode, routed: bool, scene: Scene) {
    let mut world = World::new(Allocations { on: false }, relay, 8, routed);
    // An ended call lingers for 32 s, which is 500 batches.
    for batch in 0..2_400 {
        world.watch.on = batch >= 1_200;
        scene(&mut world, batch * BATCH);
        world.wait(BATCH_INTERVAL);
        if batch % 400 == 0 {
            world.expire();
        }
    }
    assert_no_allocation("in the steady state");
    world.watch.on = false;
    world.wait(Duration::from_secs(200));
    assert_eq!(world.counted(), 0, "every call is over");
    assert_eq!(world.shard.snapshot().transactions, 0, "and forgotten");
}

fn answered_calls(world: &mut World<Allocations>, first: u64) {
    world.set_up(first..first + BATCH);
    world.wait(Duration::from_millis(8));
    world.tear_down(first..first + BATCH);
}

fn cancelled_calls(world: &mut World<Allocations>, first: u64) {
    let calls = first..first + BATCH;
    let invites = calls.clone().map(|call| (caller(), invite(call)));
    let invites: Vec<Message> = to_gateways(world.pass(&invites.collect::<Vec<_>>())).collect();
    let ringing = invites
        .iter()
        .map(|(gateway, invite)| (*gateway, answer(*gateway, invite, 180, "Ringing")));
    world.pass(&ringing.collect::<Vec<_>>());
    let cancels = calls
        .clone()
        .map(|call| (caller(), of_invite(call, "CANCEL", "")));
    let cancels: Vec<Message> = to_gateways(world.pass(&cancels.collect::<Vec<_>>())).collect();
    assert_eq!(cancels.len() as u64, BATCH, "every CANCEL goes on");
    let answers = cancels
        .iter()
        .zip(&invites)
        .flat_map(|((gateway, cancel), (_, invite))| {
            [
                (*gateway, answer(*gateway, cancel, 200, "OK")),
                (
                    *gateway,
                    answer(*gateway, invite, 487, "Request Terminated"),
                ),
            ]
        });
    world.pass(&answers.collect::<Vec<_>>());
    let acks = calls.map(|call| (caller(), of_invite(call, "ACK", ";tag=gateway")));
    world.pass(&acks.collect::<Vec<_>>());
}

/// The gateway that is asked first is busy; the INVITE is repeated on both legs.
fn failed_over_calls(world: &mut World<Allocations>, first: u64) {
    let calls = first..first + BATCH;
    let invites: Vec<Message> = calls.map(|call| (caller(), invite(call))).collect();
    let first_tries: Vec<Message> = to_gateways(world.pass(&invites)).collect();
    world.wait(Duration::from_millis(500));
    world.pass(&invites);
    let busy = first_tries
        .iter()
        .map(|(gateway, invite)| (*gateway, answer(*gateway, invite, 503, "Busy")));
    let sent = world.pass(&busy.collect::<Vec<_>>());
    let second_tries: Vec<Message> = to_gateways(sent)
        .filter(|(_, bytes)| bytes.starts_with(b"INVITE "))
        .collect();
    assert_eq!(second_tries.len() as u64, BATCH, "every call moves on");
    let answers = second_tries
        .iter()
        .map(|(gateway, invite)| (*gateway, answer(*gateway, invite, 200, "OK")));
    world.pass(&answers.collect::<Vec<_>>());
    world.tear_down(first..first + BATCH);
}

/// What is no call, and what is not even SIP.
fn stray_datagrams(world: &mut World<Allocations>, first: u64) {
    let from = |bytes: &[u8]| (caller(), bytes.to_vec());
    let options = |call: u64, target: &str| {
        let text = String::from_utf8(of_invite(call, "OPTIONS", "")).expect("it is text");
        (
            caller(),
            text.replacen("service@127.0.0.1:5060", target, 1)
                .into_bytes(),
        )
    };
    let sent = world.pass(&[
        from(b"\r\n\r\n"),
        from(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        from(b"INVITE sip:a@b SIP/2.0\r\nVia: nonsense\r\nCall-ID: x\r\n\r\n"),
        from(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\nCall-ID: x\r\n\r\n"),
        from(&of_invite(first, "BYE", ";tag=nobody")),
        options(first + 1, "127.0.0.1:5060"),
        options(first + 2, "service@127.0.0.1:5060"),
    ]);
    let relayed: Vec<Message> = to_gateways(sent).collect();
    assert_eq!(relayed.len(), 1, "the last OPTIONS is dispatched");
    let answers = relayed
        .iter()
        .map(|(gateway, options)| (*gateway, answer(*gateway, options, 200, "OK")));
    world.pass(&answers.collect::<Vec<_>>());
}

/// A request that goes with the INVITE of a call: same branch, same target.
fn of_invite(call: u64, method: &str, to_tag: &str) -> Vec<u8> {
    let text = String::from_utf8(invite(call)).expect("it is text");
    let (head, _) = text
        .split_once("Subject")
        .expect("SIPp's INVITE has a subject");
    let head = head
        .replacen("INVITE ", &format!("{method} "), 1)
        .replacen("1 INVITE", &format!("1 {method}"), 1)
        .replacen("5060>\r\n", &format!("5060>{to_tag}\r\n"), 1);
    format!("{head}Content-Length: 0\r\n\r\n").into_bytes()
}

#[test]
fn answered_calls_allocate_nothing_stateless() {
    allocates_nothing(RelayMode::Stateless, false, answered_calls);
}

#[test]
fn answered_calls_that_follow_the_route_set_allocate_nothing_stateless() {
    allocates_nothing(RelayMode::Stateless, true, answered_calls);
}

#[test]
fn answered_calls_allocate_nothing_stateful() {
    allocates_nothing(RelayMode::Stateful, false, answered_calls);
}

#[test]
fn answered_calls_that_follow_the_route_set_allocate_nothing_stateful() {
    allocates_nothing(RelayMode::Stateful, true, answered_calls);
}

#[test]
fn cancelled_calls_allocate_nothing_stateless() {
    allocates_nothing(RelayMode::Stateless, false, cancelled_calls);
}

#[test]
fn cancelled_calls_allocate_nothing_stateful() {
    allocates_nothing(RelayMode::Stateful, false, cancelled_calls);
}

#[test]
fn calls_that_fail_over_allocate_nothing() {
    allocates_nothing(RelayMode::Stateful, false, failed_over_calls);
}

#[test]
fn what_is_no_call_allocates_nothing() {
    allocates_nothing(RelayMode::Stateless, false, stray_datagrams);
    allocates_nothing(RelayMode::Stateful, false, stray_datagrams);
}

/// What scripts read and change.
const SCRIPT: &str = r#"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "acc.so"
modparam("acc", "log_flag", 1)
modparam("acc", "failed_transaction_flag", 1)
modparam("acc", "log_extra", "ua=$hdr(Subject);ct=$ct;x=$(hdr(Via)[*])")
request_route {
    sanity_check("17895", "15");
    if (is_method("REGISTER") || search("nothere") || search_hf("To", "nothere", "a")) { exit; }
    xlog("L_INFO", "$ru $fu $tu $ci $si $(hdr(Contact)[0]) $hdr(Subject) $(hdr(To)[*]) $au $sas $mb\n");
    append_hf("X-A: $fU $rm\r\n");
    insert_hf("X-B: $tU\r\n", "To");
    remove_hf("Subject");
    subst("/^Contact:(.*)$/Contact:\1;x=$rU/");
    subst_hf("From", "/sip:/sip:x/", "a");
    replace_body("v=", "V=");
    subst_uri("/service/other/");
    $tn = "Name";
    $fU = "user";
    add_uri_param("a=b");
    uri_param_rm("a");
    append_to_reply("X-C: d\r\n");
    set_reply_body("$ru", "text/plain");
    setflag(1);
    t_newtran();
    t_reply("404", "Not Found");
    acc_log_request("done");
    $du = "sip:127.0.0.1:7001";
    forward();
}
"#;

#[test]
fn what_scripts_read_and_change_allocates_nothing() {
    let read = |_: &str| Ok(SCRIPT.as_bytes().to_vec());
    let program = script::compile("test.cfg", &[], &read).expect("it compiles");
    let own: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
    let settings = Settings {
        listeners: vec![Listener::from(own)],
        program: Some(Arc::new(program)),
        ..Settings::default()
    };
    let mut now = Timestamp::from_secs(1000);
    let sets = Arc::new(Sets::default());
    let mut shard = Shard::new(0, Arc::new(settings), sets, 7, 8, now);
    let mut out = Outbox::new();
    for call in 0..4_000 {
        let bytes = invite(call);
        let datagram = Datagram {
            socket: 0,
            source: caller(),
            received: now,
            bytes: &bytes,
        };
        watch(call >= 2_000, || {
            shard.receive(now, datagram, &mut out);
            shard.tick(now, &mut out);
        });
        assert!(out.packets().len() >= 2, "answered and sent on");
        assert_eq!(out.log_lines().count(), 3);
        out.clear();
        now += Duration::from_millis(100);
    }
    assert_no_allocation("of a script");
}

#[test]
#[should_panic(expected = "allocations in this test")]
fn the_allocator_sees_an_allocation() {
    let mut watch = Allocations { on: true };
    watch.during(|| drop(std::hint::black_box(Box::new(1))));
    assert_no_allocation("in this test");
}
