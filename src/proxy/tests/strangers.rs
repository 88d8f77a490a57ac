//! Whatever a stranger sends: no panic, nothing left behind.

use proptest::prelude::*;

use super::support::*;
use crate::dispatch::Sets;
use crate::proxy::RelayMode::{Stateful, Stateless};
use crate::proxy::{Datagram, Outbox, RelayMode};

const METHODS: [&str; 9] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "UPDATE", "PRACK", "FOO",
];

/// Header lines that make a proxy think.
const LINES: [&str; 14] = [
    "Route: <sip:10.0.0.1:5060;lr>",
    "Route: <sip:10.0.0.1>, <sip:10.9.9.9;lr>",
    "Route: <sip:x",
    "Route: ,,,",
    "Max-Forwards: 0",
    "Max-Forwards: 4294967296",
    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKt0000000000000000000000000000.00000000.0",
    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKs00000000000000000000.00000000.0",
    "Via: SIP/2.0/UDP ;branch=",
    "v: SIP/2.0/UDP [::1]:5060;rport;branch=z9hG4bKx, SIP/2.0/UDP 1.2.3.4",
    "Content-Length: 99999",
    "l: -1",
    "t: <sip:a@b>;tag=x",
    "CSeq: 4294967295 INVITE",
];

fn relay() -> impl Strategy<Value = RelayMode> {
    prop_oneof![Just(Stateful), Just(Stateless)]
}

/// A sound message with a few lines added, taken away or spoilt.
fn odd_message() -> impl Strategy<Value = Vec<u8>> {
    let added = prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..4);
    let spoilt = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (
        prop::sample::select(METHODS.to_vec()),
        0..4_u8,
        prop::bool::ANY,
        added,
        any::<prop::sample::Index>(),
        prop::bool::ANY,
        spoilt,
    )
        .prop_map(|(method, call, in_dialog, added, gone, take, spoilt)| {
            let tag = if in_dialog {
                gateway_tag(1)
            } else {
                String::new()
            };
            let extra = added
                .iter()
                .fold(String::new(), |all, line| all + line + "\r\n");
            let text = request(method, &format!("c{call}"), &tag, &extra);
            let mut lines: Vec<&str> = text.split_inclusive("\r\n").collect();
            if take {
                lines.remove(gone.index(lines.len()));
            }
            let mut bytes = lines.concat().into_bytes();
            for (at, byte) in spoilt {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes
        })
}

fn feed(bench: &mut Bench, source: std::net::SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Outbox::new();
    let datagram = Datagram {
        socket: 0,
        source,
        received: bench.now,
        bytes,
    };
    bench.shard.receive(bench.now, datagram, &mut out);
    let packets = out.packets().iter();
    packets.map(|packet| out.bytes(packet).to_vec()).collect()
}

fn counted(bench: &Bench) -> u32 {
    let sets: &Sets = &bench.sets;
    sets.destinations().map(|one| one.active_calls()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_do_no_harm(relay in relay(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut bench = Bench::new(relay, 1, 0);
        feed(&mut bench, gateway(1), &bytes);
    }

    #[test]
    fn any_conversation_is_counted_right_and_ends(
        relay in relay(),
        messages in prop::collection::vec((odd_message(), prop::bool::ANY, 100..700_u16), 1..24),
    ) {
        let mut bench = Bench::new(relay, 2, 3);
        let caller = CALLER.parse().expect("an address");
        for (bytes, answer, code) in &messages {
            for sent in feed(&mut bench, caller, bytes) {
                // Gateways answer whatever reaches them, right or not.
                if *answer && let Ok(text) = String::from_utf8(sent) {
                    let sent = Sent { to: gateway(1), text };
                    feed(&mut bench, gateway(1), reply(&sent, *code, "").as_bytes());
                }
            }
            let table = bench.shard.calls().cells().filter(|call| call.counted).count();
            prop_assert_eq!(table as u32, counted(&bench));
            prop_assert!(bench.loads().iter().all(|&load| load <= 3));
            bench.wait(std::time::Duration::from_millis(300));
        }
        bench.wait(std::time::Duration::from_secs(7_300));
        let slots = bench.shard.slots();
        bench.shard.expire_calls(slots);
        bench.wait(std::time::Duration::from_secs(40));
        let snapshot = bench.shard.snapshot();
        prop_assert_eq!(counted(&bench), 0);
        prop_assert_eq!((snapshot.cells, snapshot.transactions), (0, 0));
    }
}
