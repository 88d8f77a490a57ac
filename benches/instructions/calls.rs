//! A shard with a caller and gateways around it, warm, and the messages of its next call.

use std::hint::black_box;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sipshard::proxy::{Datagram, Listener, Outbox, RelayMode, Settings, Shard, script};
use sipshard::time::Timestamp;

use crate::pieces::{START, sets};
use crate::texts::{CALLER, PROXY, address, reply, request};

/// Calls that a shard has carried before it is measured. One begins every [`INTERVAL`], and what is
/// left of a call lingers for 32 s: so many let all memory come round twice.
const WARM_CALLS: u64 = 700;
const INTERVAL: Duration = Duration::from_millis(100);

/// The routing configuration of the benchmarks that run one.
const SAMPLE: &str = include_str!("../support/sample.cfg");

/// What routes the calls.
#[derive(Clone, Copy)]
pub enum Route {
    /// The built-in configuration; the caller sends all to the proxy's own address.
    BuiltIn,
    /// The sample, compiled; the caller follows the route set.
    Sample,
}

/// Of the messages of a call, in the order in which the shard gets them, the first.
pub const INVITE: Range<usize> = 0..1;
/// The 180 to it.
pub const RINGING: Range<usize> = 1..2;
/// All of them: INVITE, 180, 200, ACK, BYE, 200.
pub const CALL: Range<usize> = 0..6;

/// A shard between a caller and its gateways.
struct Scene {
    shard: Shard,
    out: Outbox,
    now: Timestamp,
    route: Route,
}

/// A datagram, and where it comes from.
type Message = (SocketAddr, Vec<u8>);

fn settings(route: Route, relay: RelayMode) -> Settings {
    let mut defines = vec!["ALGORITHM=\"10\"".to_owned()];
    if relay == RelayMode::Stateless {
        defines.push("STATELESS".to_owned());
    }
    let program = match route {
        Route::BuiltIn => None,
        Route::Sample => {
            let read = |_: &str| Ok(SAMPLE.as_bytes().to_vec());
            let program = script::compile("sample.cfg", &defines, &read);
            Some(Arc::new(program.unwrap_or_else(|error| panic!("{error}"))))
        }
    };
    Settings {
        relay,
        program,
        listeners: vec![Listener::from(address(PROXY))],
        ..Settings::default()
    }
}

impl Scene {
    /// A shard that has carried so many calls.
    fn new(route: Route, relay: RelayMode, calls: u64) -> Self {
        let settings = Arc::new(settings(route, relay));
        let shard = Shard::new(0, settings, Arc::new(sets(10)), 1, 2, START);
        let mut scene = Self {
            shard,
            out: Outbox::new(),
            now: START,
            route,
        };
        for id in 0..calls {
            scene.call(id);
        }
        scene
    }

    /// The shard gets a datagram.
    fn receive(&mut self, (source, bytes): &Message) {
        self.out.clear();
        let datagram = Datagram {
            socket: 0,
            source: *source,
            received: self.now,
            bytes,
        };
        black_box(self.shard.receive(self.now, datagram, &mut self.out));
    }

    /// What the shard sent last, which must begin like this.
    fn last(&self, begin: &str) -> Message {
        let packet = self.out.packets().last().expect("something was sent");
        let bytes = self.out.bytes(packet);
        assert!(
            bytes.starts_with(begin.as_bytes()),
            "{begin} is relayed, not {}",
            String::from_utf8_lossy(bytes)
        );
        (packet.to, bytes.to_vec())
    }

    /// Time passes until the next call.
    fn rest(&mut self) {
        self.now += INTERVAL;
        while self.shard.next_deadline().is_some_and(|at| at <= self.now) {
            self.out.clear();
            self.shard.tick(self.now, &mut self.out);
        }
    }

    /// A call from INVITE to the answer to its BYE, and all messages that the shard got.
    fn call(&mut self, id: u64) -> Vec<Message> {
        self.rest();
        let caller = address(CALLER);
        let mut got: Vec<Message> = Vec::new();
        let mut step = |scene: &mut Self, source, bytes, sent: &str| {
            got.push((source, bytes));
            scene.receive(got.last().expect("it was just put there"));
            scene.last(sent)
        };
        let new_call = ("sip:service@10.0.0.1:5060", "");
        let bytes = request("INVITE", id, "", 1, new_call);
        let (gateway, invite) = step(self, caller, bytes, "INVITE ");
        let ringing = reply(&invite, "180 Ringing");
        step(self, gateway, ringing, "SIP/2.0 180 ");
        let (_, answer) = step(self, gateway, reply(&invite, "200 OK"), "SIP/2.0 200 ");
        let routes = route_set(&String::from_utf8_lossy(&answer));
        let in_call = match self.route {
            Route::BuiltIn => new_call,
            Route::Sample => ("sip:10.0.1.1:5060", routes.as_str()),
        };
        let ack = request("ACK", id, ";tag=b", 1, in_call);
        step(self, caller, ack, "ACK ");
        let bye = request("BYE", id, ";tag=b", 2, in_call);
        let (gateway, bye) = step(self, caller, bye, "BYE ");
        step(self, gateway, reply(&bye, "200 OK"), "SIP/2.0 200 ");
        got
    }
}

/// The route set that an answer gives the caller: there is one proxy.
fn route_set(answer: &str) -> String {
    let routes = answer.lines().filter_map(|line| {
        let value = line.strip_prefix("Record-Route: ")?;
        Some(format!("Route: {value}\r\n"))
    });
    routes.collect()
}

/// A warm shard, and messages that it gets next.
pub struct Next {
    scene: Scene,
    messages: Vec<Message>,
}

impl Next {
    /// These messages of its next call, those before them already dealt with. A shard does the same for
    /// the same input, so a twin tells what the gateway is going to answer.
    pub fn new(route: Route, relay: RelayMode, which: Range<usize>) -> Box<Self> {
        let mut messages = Scene::new(route, relay, WARM_CALLS).call(WARM_CALLS);
        assert_eq!(messages.len(), CALL.len(), "a whole call");
        let mut scene = Scene::new(route, relay, WARM_CALLS);
        scene.rest();
        for message in &messages[..which.start] {
            scene.receive(message);
        }
        messages.truncate(which.end);
        messages.drain(..which.start);
        Box::new(Self { scene, messages })
    }

    /// The shard gets them.
    pub fn receive(&mut self) {
        for message in &self.messages {
            self.scene.receive(message);
        }
    }
}
