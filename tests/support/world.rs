//! One shard with callers and gateways around it, without sockets: calls go through it as fast as
//! memory allows, in a time that the test sets.
//!
//! A batch of calls moves through its stages together (all INVITEs, all answers, all ACKs, all
//! BYEs), so that what the shard does can be watched apart from what its surroundings do: the
//! surroundings allocate, format and copy as they like, only [`Watch::during`] sees the shard.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sipshard::dispatch::{Sets, list};
use sipshard::proxy::{
    CallLoadSettings, Datagram, Listener, Outbox, RelayMode, Settings, Shard, Verdict,
};
use sipshard::time::Timestamp;

/// The address of the shard.
pub const PROXY: &str = "127.0.0.1:5060";
/// The address of the caller; gateways have ports from 5080 up.
const CALLER: &str = "127.0.0.1:40000";
/// Between one batch of calls and the next.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(64);

/// Sees the shard work: counts its allocations, or its time.
pub trait Watch {
    /// Runs one stretch of the shard's own work.
    fn during(&mut self, work: impl FnOnce());
}

/// A datagram with where it comes from, or where it goes.
pub type Message = (SocketAddr, Vec<u8>);

/// A shard and its surroundings.
pub struct World<W> {
    /// Who watches.
    pub watch: W,
    /// The shard.
    pub shard: Shard,
    /// Its sets.
    pub sets: Arc<Sets>,
    now: Timestamp,
    out: Outbox,
    routed: bool,
}

impl<W: Watch> World<W> {
    /// A shard that dispatches by algorithm 10 to four gateways without a limit. With `routed` the
    /// callers follow the route set; else they send ACK and BYE to the proxy's address.
    pub fn new(watch: W, relay: RelayMode, hash_size: u32, routed: bool) -> Self {
        let lines = (0..4)
            .map(|gateway| format!("1 sip:127.0.0.1:{} 0 0 duid=g{gateway}\n", 5080 + gateway));
        let list = list::parse(lines.collect::<String>().as_bytes()).expect("the list is sound");
        let entries = list.entries.into_iter().map(|line| line.entry).collect();
        let sets = Arc::new(Sets::build(entries, None, 1));
        let settings = Settings {
            listeners: vec![Listener::from(
                PROXY.parse::<SocketAddr>().expect("an address"),
            )],
            relay,
            call_load: CallLoadSettings {
                hash_size,
                ..CallLoadSettings::default()
            },
            ..Settings::default()
        };
        let now = Timestamp::from_secs(1);
        let shard = Shard::new(0, Arc::new(settings), Arc::clone(&sets), 0x5eed, 1, now);
        Self {
            watch,
            shard,
            sets,
            now,
            out: Outbox::new(),
            routed,
        }
    }

    /// Calls counted on all gateways.
    pub fn counted(&self) -> u32 {
        let destinations = self.sets.destinations();
        destinations
            .map(|destination| destination.active_calls())
            .sum()
    }

    /// Sets up the calls of these numbers: INVITE, 180, 200, ACK.
    pub fn set_up(&mut self, calls: Range<u64>) {
        let caller = caller();
        let invites = calls.clone().map(|call| (caller, invite(call)));
        let at_gateways = self.pass(&invites.collect::<Vec<_>>());
        let invites: Vec<Message> = to_gateways(at_gateways).collect();
        assert_eq!(
            invites.len() as u64,
            calls.end - calls.start,
            "every INVITE goes to one gateway"
        );
        let answers = invites.iter().flat_map(|(gateway, invite)| {
            [(180, "Ringing"), (200, "OK")]
                .map(|(code, reason)| (*gateway, answer(*gateway, invite, code, reason)))
        });
        self.pass(&answers.collect::<Vec<_>>());
        let acks = calls.map(|call| (caller, in_dialog(call, "ACK", 1, self.routed)));
        let acks = self.pass(&acks.collect::<Vec<_>>());
        assert_eq!(acks.len(), invites.len(), "every ACK goes on");
    }

    /// Ends the calls of these numbers: BYE, 200.
    pub fn tear_down(&mut self, calls: Range<u64>) {
        let caller = caller();
        let count = calls.end - calls.start;
        let byes = calls.map(|call| (caller, in_dialog(call, "BYE", 2, self.routed)));
        let byes: Vec<Message> = to_gateways(self.pass(&byes.collect::<Vec<_>>())).collect();
        assert_eq!(byes.len() as u64, count, "every BYE goes to one gateway");
        let answers = byes
            .iter()
            .map(|(gateway, bye)| (*gateway, answer(*gateway, bye, 200, "OK")));
        let answers = self.pass(&answers.collect::<Vec<_>>());
        assert_eq!(answers.len() as u64, count, "every BYE is answered");
    }

    /// Hands the shard datagrams, and returns what it sends on: all but its own 100s.
    pub fn pass(&mut self, datagrams: &[Message]) -> Vec<Message> {
        let (shard, out, now) = (&mut self.shard, &mut self.out, self.now);
        self.watch.during(|| {
            for (source, bytes) in datagrams {
                let datagram = Datagram {
                    socket: 0,
                    source: *source,
                    received: now,
                    bytes,
                };
                let verdict = shard.receive(now, datagram, out);
                assert_eq!(verdict, Verdict::Done, "one shard owns every call");
            }
        });
        self.take_sent()
    }

    /// Lets time pass, with all that falls due in it. Returns what the shard sends of itself.
    pub fn wait(&mut self, time: Duration) -> Vec<Message> {
        self.now += time;
        let (shard, out, now) = (&mut self.shard, &mut self.out, self.now);
        self.watch.during(|| {
            while shard
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                shard.tick(now, out);
            }
        });
        self.take_sent()
    }

    /// Has the shard look for calls whose time is over, in all slots.
    pub fn expire(&mut self) {
        self.shard.expire_calls(self.shard.slots());
    }

    fn take_sent(&mut self) -> Vec<Message> {
        let packets = self.out.packets().iter();
        let sent = packets
            .map(|packet| (packet.to, self.out.bytes(packet).to_vec()))
            .filter(|(_, bytes)| !bytes.starts_with(b"SIP/2.0 100 "))
            .collect();
        let out = &mut self.out;
        self.watch.during(|| out.clear());
        sent
    }
}

/// The address that the calls come from.
pub fn caller() -> SocketAddr {
    CALLER.parse().expect("an address")
}

/// Those of the messages that go to gateways.
pub fn to_gateways(messages: Vec<Message>) -> impl Iterator<Item = Message> {
    messages.into_iter().filter(|(to, _)| *to != caller())
}

/// The INVITE of a call, of the size and shape of SIPp's.
pub fn invite(call: u64) -> Vec<u8> {
    const SDP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\n\
        c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    format!(
        "INVITE sip:service@{PROXY} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{call}-1-0\r\n\
         From: sipp <sip:sipp@{CALLER}>;tag=caller{call}\r\n\
         To: service <sip:service@{PROXY}>\r\n\
         Call-ID: {call}-4711@127.0.0.1\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: sip:sipp@{CALLER}\r\n\
         Max-Forwards: 70\r\n\
         Subject: Performance Test\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
    .into_bytes()
}

/// A request of the caller inside its call.
fn in_dialog(call: u64, method: &str, cseq: u32, routed: bool) -> Vec<u8> {
    let (target, route) = if routed {
        (
            "sip:gateway@127.0.0.1:5080",
            "Route: <sip:127.0.0.1:5060;lr>\r\n",
        )
    } else {
        ("sip:service@127.0.0.1:5060", "")
    };
    format!(
        "{method} {target} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{call}-{cseq}-{method}\r\n\
         {route}\
         From: sipp <sip:sipp@{CALLER}>;tag=caller{call}\r\n\
         To: service <sip:service@{PROXY}>;tag=gateway\r\n\
         Call-ID: {call}-4711@127.0.0.1\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: sip:sipp@{CALLER}\r\n\
         Max-Forwards: 70\r\n\
         Subject: Performance Test\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// What a gateway answers to a request.
pub fn answer(gateway: SocketAddr, request: &[u8], code: u16, reason: &str) -> Vec<u8> {
    let request = std::str::from_utf8(request).expect("the requests of these tests are text");
    let mut reply = format!("SIP/2.0 {code} {reason}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if !["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            continue;
        }
        reply.push_str(line);
        if name == "To" && !line.contains(";tag=") {
            reply.push_str(";tag=gateway");
        }
        reply.push_str("\r\n");
    }
    let contact = format!("Contact: <sip:gateway@{gateway}>\r\nContent-Length: 0\r\n\r\n");
    (reply + &contact).into_bytes()
}
