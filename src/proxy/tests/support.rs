//! A shard with gateways and a caller that speak in plain text.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::{Attributes, Destination, Entry, Flags, Sets};
use crate::proxy::{Datagram, Listener, Outbox, RelayMode, Settings, Shard, Verdict, script};
use crate::time::Timestamp;

pub const PROXY: &str = "10.0.0.1:5060";
pub const CALLER: &str = "10.0.0.9:5062";

/// A shard under test; time moves only by [`Bench::wait`].
pub struct Bench {
    pub shard: Shard,
    pub now: Timestamp,
    pub sets: Arc<Sets>,
    /// What scripts wrote into the log.
    pub log: Vec<String>,
}

/// A datagram that the shard sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: SocketAddr,
    pub text: String,
}

impl Sent {
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The values of all lines of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub fn value(&self, name: &str) -> &str {
        self.values(name).first().copied().unwrap_or_default()
    }

    /// The branch of its top Via.
    pub fn branch(&self) -> &str {
        let via = self.value("Via");
        let start = via.find("branch=").expect("our Via has a branch") + 7;
        via[start..].split([';', ',']).next().unwrap_or_default()
    }
}

pub fn gateway(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, number as u8], 5060))
}

/// The line of a gateway, with a duid and this maxload.
pub fn entry(number: usize, maxload: u32) -> Entry {
    Entry {
        set: 1,
        uri: format!("sip:{}", gateway(number)).into(),
        flags: Flags::default(),
        priority: 0,
        attributes: Attributes {
            duid: Some(format!("gw{number}").into()),
            maxload,
            ..Attributes::default()
        },
        address: Some(gateway(number)),
    }
}

/// Gateways 1.. in the order in which algorithms see them, each with a duid and this maxload.
pub fn sets(gateways: usize, maxload: u32) -> Arc<Sets> {
    let entries = (1..=gateways).rev().map(|number| entry(number, maxload));
    Arc::new(Sets::build(entries.collect(), None, 1))
}

impl Bench {
    pub fn new(relay: RelayMode, gateways: usize, maxload: u32) -> Self {
        Self::with(
            Settings {
                relay,
                ..Settings::default()
            },
            sets(gateways, maxload),
        )
    }

    /// A shard with a configuration of the test's own: modules are loaded, and `routes` are its
    /// routes.
    pub fn script(routes: &str, gateways: usize) -> Self {
        Self::script_over(routes, sets(gateways, 0))
    }

    /// The same over other sets.
    pub fn script_over(routes: &str, sets: Arc<Sets>) -> Self {
        let modules = [
            "tm",
            "tmx",
            "sl",
            "rr",
            "pv",
            "maxfwd",
            "textops",
            "textopsx",
            "siputils",
            "sanity",
            "acc",
            "xlog",
            "kex",
            "corex",
            "dispatcher",
        ];
        let mut text = String::new();
        for module in modules {
            writeln!(text, "loadmodule \"{module}.so\"").expect("a string takes all");
        }
        text.push_str("modparam(\"dispatcher\", \"flags\", 2)\n");
        text.push_str(routes);
        let program = script::compile("test.cfg", &[], &|_| Ok(text.clone().into_bytes()));
        let program = program.unwrap_or_else(|error| panic!("{error}"));
        let settings = Settings {
            program: Some(Arc::new(program)),
            ..Settings::default()
        };
        Self::with(settings, sets)
    }

    pub fn with(mut settings: Settings, sets: Arc<Sets>) -> Self {
        settings.listeners = vec![Listener::from(
            PROXY.parse::<SocketAddr>().expect("an address"),
        )];
        let now = Timestamp::from_secs(1000);
        let shard = Shard::new(0, Arc::new(settings), Arc::clone(&sets), 7, 8, now);
        Self {
            shard,
            now,
            sets,
            log: Vec::new(),
        }
    }

    /// The shard receives a text from an address; what it sends in turn.
    pub fn receive(&mut self, source: SocketAddr, text: &str) -> Vec<Sent> {
        let mut out = Outbox::new();
        let datagram = Datagram {
            socket: 0,
            source,
            received: self.now,
            bytes: text.as_bytes(),
        };
        let verdict = self.shard.receive(self.now, datagram, &mut out);
        assert_eq!(verdict, Verdict::Done);
        self.collect(&out)
    }

    /// The same from the caller.
    pub fn call(&mut self, text: &str) -> Vec<Sent> {
        self.receive(CALLER.parse().expect("an address"), text)
    }

    /// A gateway answers a request that it was sent.
    pub fn answer(&mut self, request: &Sent, code: u16, extra: &str) -> Vec<Sent> {
        self.receive(request.to, &reply(request, code, extra))
    }

    /// The caller hangs up on a call at a gateway, which answers.
    pub fn hang_up(&mut self, call: &str, number: usize) {
        let bye = self.call(&request("BYE", call, &gateway_tag(number), ""));
        self.answer(&only_to_gateways(&bye), 200, "");
    }

    /// A request that was sent could not be delivered.
    pub fn bounce(&mut self, request: &Sent) -> Vec<Sent> {
        let mut out = Outbox::new();
        let cut = &request.text.as_bytes()[..request.text.len().min(200)];
        self.shard
            .undeliverable(self.now, request.to, cut, &mut out);
        self.collect(&out)
    }

    /// Lets time pass, deadline by deadline.
    pub fn wait(&mut self, span: Duration) -> Vec<Sent> {
        let end = self.now + span;
        let mut sent = Vec::new();
        while let Some(deadline) = self.shard.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(deadline);
            let mut out = Outbox::new();
            self.shard.tick(self.now, &mut out);
            sent.extend(self.collect(&out));
        }
        self.now = end;
        let mut out = Outbox::new();
        self.shard.tick(self.now, &mut out);
        sent.extend(self.collect(&out));
        sent
    }

    fn collect(&mut self, out: &Outbox) -> Vec<Sent> {
        let lines = out
            .log_lines()
            .map(|(_, line)| String::from_utf8_lossy(line));
        self.log.extend(lines.map(std::borrow::Cow::into_owned));
        out.packets()
            .iter()
            .map(|packet| Sent {
                to: packet.to,
                text: String::from_utf8_lossy(out.bytes(packet)).into_owned(),
            })
            .collect()
    }

    /// Active calls of the gateways in order.
    pub fn loads(&self) -> Vec<u32> {
        let set = self.sets.get(1).expect("the set");
        set.destinations
            .iter()
            .map(|destination: &Arc<Destination>| destination.active_calls())
            .collect()
    }

    /// Sends an INVITE and gives what went to the gateway.
    pub fn invite(&mut self, call: &str) -> Sent {
        let sent = self.call(&request("INVITE", call, "", ""));
        only_to_gateways(&sent)
    }
}

pub fn only_to_gateways(sent: &[Sent]) -> Sent {
    let caller: SocketAddr = CALLER.parse().expect("an address");
    let mut requests = sent.iter().filter(|sent| sent.to != caller);
    let request = requests.next().expect("a request to a gateway").clone();
    assert!(requests.next().is_none(), "one request only");
    request
}

/// A request of the caller. INVITE, ACK to a negative answer and CANCEL of a call share a branch.
pub fn request(method: &str, call: &str, to_tag: &str, extra: &str) -> String {
    let (branch, cseq) = match method {
        "INVITE" | "CANCEL" => (format!("z9hG4bK-{call}"), 1),
        "ACK" if to_tag.is_empty() => (format!("z9hG4bK-{call}"), 1),
        "ACK" => (format!("z9hG4bK-{call}-ack"), 1),
        _ => (format!("z9hG4bK-{call}-{method}"), 2),
    };
    let tag = if to_tag.is_empty() {
        String::new()
    } else {
        format!(";tag={to_tag}")
    };
    format!(
        "{method} sip:service@{PROXY} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch={branch}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@10.0.0.9>;tag=a{call}\r\n\
         To: <sip:service@{PROXY}>{tag}\r\n\
         Call-ID: {call}@test\r\n\
         CSeq: {cseq} {method}\r\n\
         {extra}Content-Length: 0\r\n\r\n"
    )
}

/// The ACK to a negative answer: same branch as the INVITE, To tag of the answer.
pub fn ack_negative(call: &str, to_tag: &str) -> String {
    request("ACK", call, to_tag, "").replace("-ack\r\n", "\r\n")
}

/// A gateway's reply to a request as it got it.
pub fn reply(request: &Sent, code: u16, extra: &str) -> String {
    let mut text = format!("SIP/2.0 {code} Reason\r\n");
    for line in request.text.lines() {
        let name = line.split(':').next().unwrap_or_default();
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" | "Record-Route" => {
                write!(text, "{line}\r\n").expect("a string takes all");
            }
            "To" if code > 100 && !line.contains("tag=") => {
                write!(text, "{line};tag=gw{}\r\n", request.to.ip()).expect("a string takes all");
            }
            "To" => write!(text, "{line}\r\n").expect("a string takes all"),
            _ => {}
        }
    }
    text.push_str(extra);
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

/// The To tag that [`reply`] of a gateway bears.
pub fn gateway_tag(number: usize) -> String {
    format!("gw{}", gateway(number).ip())
}
