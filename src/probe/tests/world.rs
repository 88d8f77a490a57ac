//! A prober, a clock, and destinations that answer as told.

use super::*;

/// One prober and a clock. Destinations answer if told to.
pub struct World {
    pub prober: Prober,
    pub sets: Sets,
    pub now: Timestamp,
}

pub fn listener(address: &str) -> Listener {
    Listener::from(address.parse::<SocketAddr>().unwrap())
}

/// A keepalive that was sent.
pub struct Sent {
    pub at: Timestamp,
    pub socket: u16,
    pub to: String,
    pub text: String,
}

impl Sent {
    pub fn token(&self) -> u64 {
        let (_, rest) = self.text.split_once("branch=z9hG4bKp").unwrap();
        u64::from_str_radix(&rest[..16], 16).unwrap()
    }
}

impl World {
    pub fn new(settings: ProbeSettings, list: &str) -> Self {
        Self::with_seed(settings, list, 1)
    }

    pub fn with_seed(settings: ProbeSettings, list: &str, seed: u64) -> Self {
        let mut listeners: Vec<_> = [
            "127.0.0.1:5060",
            "10.0.0.9:5060",
            "[::1]:5060",
            "10.0.0.9:5080",
            "10.0.0.9:5090",
        ]
        .into_iter()
        .map(listener)
        .collect();
        listeners[4].name = Some("far".into());
        let share = Share { index: 0, count: 1 };
        let accept = Box::new(|_: &[u8]| true);
        let prober = Prober::new(Arc::new(settings), share, listeners, seed, accept);
        Self::of(prober, list)
    }

    pub fn of(prober: Prober, list: &str) -> Self {
        let mut world = Self {
            prober,
            sets: Sets::build(entries(list), None, 1),
            now: Timestamp::from_secs(100),
        };
        world.prober.publish(&world.sets, world.now);
        world
    }

    pub fn reload(&mut self, list: &str) {
        let version = self.sets.version() + 1;
        self.sets = Sets::build(entries(list), Some(&self.sets), version);
        self.prober.publish(&self.sets, self.now);
    }

    /// Lets time pass and answers each keepalive at once with what `code` says.
    pub fn run(&mut self, time: Duration, code: impl Fn(&Sent) -> Option<u16>) -> Vec<Sent> {
        let end = self.now + time;
        let mut sent = Vec::new();
        let mut out = Outbox::new();
        while let Some(at) = self.prober.next_deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "time runs forward");
            self.now = at;
            self.prober.tick(at, &mut out);
            for packet in out.packets() {
                let keepalive = Sent {
                    at,
                    socket: packet.socket,
                    to: packet.to.to_string(),
                    text: String::from_utf8(out.bytes(packet).to_vec()).unwrap(),
                };
                if let Some(code) = code(&keepalive) {
                    let token = keepalive.token();
                    self.prober.answer(at, ProbeAnswer { token, code });
                }
                sent.push(keepalive);
            }
            out.clear();
        }
        self.now = end;
        sent
    }

    pub fn silent(&mut self, time: Duration) -> Vec<Sent> {
        self.run(time, |_| None)
    }

    pub fn answered(&mut self, time: Duration) -> Vec<Sent> {
        self.run(time, |_| Some(200))
    }

    /// Runs until the first keepalive.
    pub fn first(&mut self) -> Sent {
        let at = self.prober.next_deadline().unwrap();
        self.silent(at.since(self.now)).remove(0)
    }

    pub fn answer(&mut self, token: u64, code: u16) {
        self.prober.answer(self.now, ProbeAnswer { token, code });
    }

    pub fn letters(&self) -> &'static str {
        self.health().flags.letters()
    }

    pub fn health(&self) -> Health {
        self.sets.destinations().next().unwrap().health()
    }

    pub fn set(&self, state: &str) {
        let state = Flags::parse_rpc(state).unwrap();
        assert!(!self.sets.set_state(1, "all", state).is_empty());
    }

    pub fn events(&mut self) -> Vec<(Change, u16)> {
        let events = self.prober.drain_events();
        events.map(|event| (event.change, event.code)).collect()
    }
}
