//! Once as many calls live as ever will, a message costs neither end an allocation.

#[path = "support/counting.rs"]
mod counting;

use std::net::SocketAddr;
use std::time::Duration;

use counting::{take_allocations, watch};
use sipshard::agent::{Caller, CallerConfig, Delay, Gateway, GatewayConfig, RateProfile};
use sipshard::proxy::{Outbox, Timers};
use sipshard::time::Timestamp;

struct Ends {
    caller: Caller,
    gateway: Gateway,
    sources: Vec<SocketAddr>,
    address: SocketAddr,
    from_caller: Outbox,
    from_gateway: Outbox,
    now: Timestamp,
}

impl Ends {
    fn new() -> Self {
        let address: SocketAddr = "127.0.0.1:5060".parse().unwrap();
        let sources: Vec<SocketAddr> = vec!["127.0.0.1:6000".parse().unwrap()];
        // Both ends forget a call after 3.2 s.
        let timers = Timers {
            t1: Duration::from_millis(50),
            ..Timers::default()
        };
        let caller = CallerConfig {
            profile: RateProfile::constant(1_000.0),
            hold: Delay::Exponential(Duration::from_millis(200)),
            timers,
            ..CallerConfig::new(address, sources.clone())
        };
        let gateway = GatewayConfig {
            answer_after: Delay::Fixed(Duration::from_millis(20)),
            timers,
            linger: timers.t1 * 64,
            ..GatewayConfig::new(address, 0)
        };
        Self {
            caller: Caller::new(caller, 1),
            gateway: Gateway::new(gateway, 2),
            sources,
            address,
            from_caller: Outbox::new(),
            from_gateway: Outbox::new(),
            now: Timestamp::ZERO,
        }
    }

    /// Goes on until `end`; returns how many datagrams there were.
    fn run(&mut self, end: Timestamp) -> u64 {
        let mut datagrams = 0;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.caller.tick(self.now, &mut self.from_caller);
            self.gateway.tick(self.now, &mut self.from_gateway);
            while !self.from_caller.is_empty() || !self.from_gateway.is_empty() {
                datagrams += self.exchange();
            }
        }
        datagrams
    }

    fn exchange(&mut self) -> u64 {
        let Self {
            from_caller,
            from_gateway,
            ..
        } = self;
        let to_gateway = from_caller.packets().len();
        for packet in from_caller.packets() {
            let source = self.sources[usize::from(packet.socket)];
            let bytes = from_caller.bytes(packet);
            self.gateway
                .receive(self.now, 0, source, bytes, from_gateway);
        }
        from_caller.clear();
        let to_caller = from_gateway.packets().len();
        for packet in from_gateway.packets() {
            let bytes = from_gateway.bytes(packet);
            self.caller
                .receive(self.now, 0, self.address, bytes, from_caller);
        }
        from_gateway.clear();
        (to_gateway + to_caller) as u64
    }
}

#[test]
fn a_message_allocates_nothing_at_either_end() {
    let mut ends = Ends::new();
    ends.run(Timestamp::from_secs(20));
    let mut datagrams = 0;
    watch(true, || datagrams = ends.run(Timestamp::from_secs(30)));
    let allocations = take_allocations();
    assert!(datagrams > 59_000, "{datagrams}");
    assert_eq!(ends.caller.report().counts.failed, 0);
    // More calls than ever before may live at some time even now: then a table grows.
    assert!(
        allocations <= 8,
        "{allocations} allocations for {datagrams} datagrams"
    );
}
