//! Lists, messages and commands by chance, from a seed.

use std::fmt::Write as _;

use sipshard::rng::Rng;

use crate::scenario::{Step, load};

/// The seed of this run.
pub fn seed() -> u64 {
    let given = std::env::var("SIPSHARD_ORACLE_SEED").ok();
    given.map_or(2026, |text| {
        text.parse().expect("SIPSHARD_ORACLE_SEED is a number")
    })
}

pub struct Generator {
    rng: Rng,
    calls: Vec<String>,
    counter: u32,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            calls: Vec::new(),
            counter: 0,
        }
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.rng.next() % end
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize]
    }

    /// A list of sets 1 to `sets`.
    pub fn list(&mut self, sets: i32) -> String {
        let mut list = String::new();
        for set in 1..=sets {
            let count = self.pick(&[1, 2, 2, 3, 3, 4, 5, 6, 8, 11]);
            let mut last = String::new();
            for number in 0..count {
                if !self.one_in(7) || last.is_empty() {
                    last = self.destination(set, number);
                }
                let flags = self.pick(&[0, 0, 0, 0, 0, 0, 8, 2, 1, 9, 4, 12]);
                let priority = self.pick(&[0, 0, 0, 1, 5, 100]);
                let attributes = self.attributes(number);
                writeln!(list, "{set} {last} {flags} {priority} {attributes}").expect("in memory");
            }
        }
        list
    }

    fn destination(&mut self, set: i32, number: u64) -> String {
        let port = 10_000 + 100 * set as u64 + number;
        match self.below(8) {
            0 => format!("sip:10.0.{set}.{number}"),
            1 => format!("sip:[::1]:{port}"),
            2 => format!("sip:gw{number}@127.0.0.1:{port}"),
            3 => format!("sip:127.0.0.1:{port};transport=udp"),
            _ => format!("sip:127.0.0.1:{port}"),
        }
    }

    fn attributes(&mut self, number: u64) -> String {
        let maxload = self.pick(&[0, 0, 1, 2, 5]);
        let weight = self.pick(&[0, 10, 30, 50, 100]);
        let latency = self.pick(&[0, 1, 7, 30, 200, 3_000]);
        match self.below(4) {
            0 => format!("duid=d{number};latency={latency}"),
            1 => format!("weight={weight};duid=d{number};maxload={maxload}"),
            _ => format!("latency={latency};duid=d{number};maxload={maxload};rweight={weight};"),
        }
    }

    /// A message's way, by an algorithm.
    pub fn select(&mut self, list: &str, algorithm: u32, message: &[u8]) -> Step {
        let sets = list
            .lines()
            .last()
            .and_then(|line| line.split(' ').next()?.parse().ok());
        let sets: u64 = sets.expect("lists end with the highest set");
        Step::Select {
            // One more than there are.
            set: 1 + self.below(sets + 1) as i32,
            algorithm,
            limit: self.pick(&[0, 0, 0, 1, 2, 3]),
            message: message.to_vec(),
        }
    }

    /// A command.
    pub fn state(&mut self, list: &str) -> Step {
        let sets = load(list);
        let all: Vec<_> = sets.destinations().collect();
        let one = all[self.below(all.len() as u64) as usize];
        let is_alone = sets
            .get(one.set)
            .is_some_and(|set| set.matching(&one.uri).count() == 1);
        let target = if is_alone && !self.one_in(6) {
            one.uri.to_string()
        } else {
            "all".to_owned()
        };
        let state = self.pick(&["a", "a", "a", "ap", "i", "ip", "d", "t", "tp", "dp"]);
        Step::State {
            set: one.set,
            state: state.to_owned(),
            target,
        }
    }

    /// A call by algorithm 10 begins, or one ends.
    pub fn call(&mut self, list: &str) -> Step {
        if self.one_in(3) && !self.calls.is_empty() {
            let ended = self.below(self.calls.len() as u64) as usize;
            return Step::HangUp {
                call_id: self.calls.swap_remove(ended),
            };
        }
        self.counter += 1;
        let call_id = format!("call-{}", self.counter);
        self.calls.push(call_id.clone());
        let Step::Select { set, .. } = self.select(list, 10, b"") else {
            unreachable!("select makes selections");
        };
        Step::Call {
            set,
            call_id,
            with_failover: self.one_in(3),
        }
    }

    /// Takes back the last call that has begun.
    pub fn forget_call(&mut self) {
        self.calls.pop();
    }

    pub fn messages(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.message()).collect()
    }

    fn message(&mut self) -> Vec<u8> {
        let (request_uri, from, to) = (self.uri(), self.uri(), self.uri());
        let mut text = b"OPTIONS ".to_vec();
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| text.extend_from_slice(part));
        put(&[&request_uri, b" SIP/2.0\r\nFrom: "]);
        let display: &[u8] = self.pick(&[&b""[..], b"Bob ", b"\"a <b>, ;\" "]);
        put(&[display, b"<", &from, b">;tag=1\r\n"]);
        let name: &[u8] = self.pick(&[&b"To"[..], b"t", b"TO"]);
        put(&[name, b": <", &to, b">\r\n"]);
        let call_id = self.call_id();
        put(&[
            b"Call-ID: ",
            &call_id,
            b"\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n",
        ]);
        if let Some(line) = self.credentials() {
            put(&[line.as_bytes(), b"\r\n"]);
        }
        match self.below(5) {
            0 => {}
            1 => put(&[b"X-Var: +15550100\r\n"]),
            2 => put(&[b"X-Var: J\xc3\xbcrgen \xff x\r\n"]),
            _ => {
                let value = self.below(1 << 40).to_string();
                put(&[b"X-Var: ", value.as_bytes(), b"\r\n"]);
            }
        }
        put(&[b"Content-Length: 0\r\n\r\n"]);
        text
    }

    fn call_id(&mut self) -> Vec<u8> {
        let number = self.below(1 << 50);
        let mut id = match self.below(4) {
            0 => format!("{number:x}"),
            1 => format!("{number}@10.1.2.3"),
            2 => format!("{number}-J\u{fc}rgen@h"),
            _ => format!("{number:X}(<~!`'>)@x-y.z"),
        }
        .into_bytes();
        id.truncate(1 + self.below(30) as usize);
        while id.last().is_some_and(|byte| !byte.is_ascii_graphic()) {
            id.pop();
        }
        if self.one_in(20) {
            id.push(0xe9);
        }
        if id.is_empty() { b"x".to_vec() } else { id }
    }

    fn credentials(&mut self) -> Option<String> {
        let name = self.pick(&[
            "alice",
            "a",
            "ab",
            "sip:bob@example.com",
            "carol@h",
            "+1555",
            "J\u{fc}rg",
        ]);
        let number = self.below(1_000);
        let name = if self.one_in(2) {
            name.to_owned()
        } else {
            format!("u{number}")
        };
        let header = self.pick(&["Authorization", "Proxy-Authorization"]);
        let rest = "nonce=\"x\", uri=\"sip:h\", response=\"0123456789abcdef0123456789abcdef\"";
        match self.below(4) {
            0 => Some(format!(
                "{header}: Digest username=\"{name}\", realm=\"h\", {rest}"
            )),
            1 => Some(format!(
                "{header}: Digest realm=\"a, b\",{rest} , username=\"{name}\""
            )),
            _ => None,
        }
    }

    /// A URI, mostly an ordinary one.
    fn uri(&mut self) -> Vec<u8> {
        if self.one_in(12) {
            let number = self.below(1 << 30);
            return self
                .pick(&[
                    format!("tel:+1{number}").as_str(),
                    format!("tel:{number};phone-context=example.com").as_str(),
                    "tel:+1-201-555-0123",
                ])
                .as_bytes()
                .to_vec();
        }
        let mut uri = self
            .pick(&["sip:", "sip:", "sip:", "sips:", "SIP:"])
            .as_bytes()
            .to_vec();
        match self.below(10) {
            0 => {}
            1 => uri.extend_from_slice(b"al%69ce%40x@"),
            2 => uri.extend_from_slice(b"alice:secret@"),
            3 => uri.extend_from_slice(b"J\xc3\xbcrgen\xff@"),
            4 => uri.extend_from_slice(b"+1555;ext=7@"),
            5 => uri.extend_from_slice(b"a&b=c+d$e,f?g/h@"),
            _ => {
                let user = format!("user{}@", self.below(100_000));
                uri.extend_from_slice(user.as_bytes());
            }
        }
        let host = self.pick(&[
            "example.com",
            "Example.COM",
            "sip-1.example.org.",
            "192.0.2.7",
            "[2001:db8::1]",
            "[2001:DB8:0::A]",
            "localhost",
            "x",
        ]);
        uri.extend_from_slice(host.as_bytes());
        let port = self.pick(&[
            "", "", "", ":5060", ":5061", ":5070", ":05060", ":65535", ":1",
        ]);
        uri.extend_from_slice(port.as_bytes());
        let tail = self.pick(&[
            "",
            "",
            "",
            ";transport=udp",
            ";lr",
            ";user=phone;x=y",
            ";a?b=c",
        ]);
        uri.extend_from_slice(tail.as_bytes());
        uri
    }
}

/// A request with nothing special but its Call-ID.
pub fn plain_message(method: &str, call_id: &str) -> Vec<u8> {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\nFrom: <sip:alice@example.com>;tag=1\r\n\
         To: <sip:bob@example.com>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
