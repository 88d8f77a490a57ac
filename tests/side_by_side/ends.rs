//! The caller and the gateways: sockets whose datagrams are written down, in the order in which each
//! of them came.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::place::{PROXY, Place};
use crate::wire::{header, kind, reply};

/// The messages of these tests are shorter.
const MAX_DATAGRAM: usize = 8192;

/// No message is waited for longer: above the longest timer of the configurations, 2 s.
const PATIENCE: Duration = Duration::from_secs(6);

/// Longer than the first repeat of a message takes (T1): what is not absorbed shows up.
const QUIET: Duration = Duration::from_millis(700);

/// More than any scenario has; a loop of messages must not fill the memory.
const MAX_ENTRIES: usize = 5_000;

/// What one of the ends received.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its host number.
    pub host: u8,
    /// The whole message.
    pub text: String,
    /// How often the same bytes came again.
    pub repeats: u32,
}

/// All ends of one server.
pub struct Ends {
    sockets: Vec<(u8, UdpSocket)>,
    proxy: SocketAddr,
    arrivals: Receiver<(u8, String)>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Everything of the scenarios, in order of arrival.
    log: Vec<Received>,
    /// The same by place in `log`, until a scenario takes it.
    waiting: Vec<usize>,
}

impl Ends {
    /// Ends at these hosts.
    pub fn start(place: &Place, hosts: &[u8]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, arrivals) = channel();
        let mut ends = Self {
            sockets: Vec::new(),
            proxy: place.address(PROXY),
            arrivals,
            stop: Arc::clone(&stop),
            threads: Vec::new(),
            log: Vec::new(),
            waiting: Vec::new(),
        };
        for &host in hosts {
            let socket =
                UdpSocket::bind(place.address(host)).expect("an address of the test's own");
            socket
                .set_read_timeout(Some(Duration::from_millis(100)))
                .expect("above zero");
            let ours = socket.try_clone().expect("the same socket");
            ends.sockets.push((host, ours));
            let (stop, sender) = (Arc::clone(&stop), sender.clone());
            let thread = thread::spawn(move || receive(host, &socket, &stop, &sender));
            ends.threads.push(thread);
        }
        ends
    }

    /// Sends to the proxy from one of the ends.
    pub fn send(&self, host: u8, text: &str) {
        let (_, socket) = self
            .sockets
            .iter()
            .find(|(at, _)| *at == host)
            .expect("an end");
        socket.send_to(text.as_bytes(), self.proxy).expect("sent");
    }

    /// The first message of this call that is wanted and was not taken yet.
    pub fn take(&mut self, call: &str, wanted: impl Fn(&Received) -> bool) -> Option<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.waiting.iter().position(|&at| {
                let entry = &self.log[at];
                header(&entry.text, "Call-ID") == call && wanted(entry)
            });
            if let Some(found) = found {
                let at = self.waiting.remove(found);
                return Some(self.log[at].clone());
            }
            if !self.read(deadline) {
                return None;
            }
        }
    }

    /// Waits until this repeat of a message that was taken before has come.
    pub fn wait_for_repeat(&mut self, of: &Received) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let same = |entry: &&Received| entry.host == of.host && entry.text == of.text;
            if self
                .log
                .iter()
                .find(same)
                .is_some_and(|entry| entry.repeats > of.repeats)
            {
                return true;
            }
            if !self.read(deadline) {
                return false;
            }
        }
    }

    /// Waits until nothing has come for a while, and gives everything that came.
    pub fn finish(mut self) -> Vec<Received> {
        let limit = Instant::now() + PATIENCE;
        while self.read((Instant::now() + QUIET).min(limit)) {}
        std::mem::take(&mut self.log)
    }

    /// Takes in one datagram; false if none came in time.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let (host, text) = match self.arrivals.recv_timeout(left) {
            Ok(arrival) => arrival,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        };
        if !header(&text, "Call-ID").ends_with("@ends") {
            self.keepalive(host, &text);
            return true;
        }
        let same = |entry: &&mut Received| entry.host == host && entry.text == text;
        if let Some(entry) = self.log.iter_mut().find(same) {
            entry.repeats += 1;
            return true;
        }
        assert!(self.log.len() < MAX_ENTRIES, "the messages have no end");
        self.waiting.push(self.log.len());
        self.log.push(Received {
            host,
            text,
            repeats: 0,
        });
        true
    }

    /// The server's own keepalives: their content is the business of other tests.
    fn keepalive(&self, host: u8, text: &str) {
        if kind(text) == "OPTIONS" {
            self.send(host, &reply(text, "200 OK", "alive", ""));
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there has been printed.
            thread.join().ok();
        }
    }
}

fn receive(host: u8, socket: &UdpSocket, stop: &AtomicBool, sender: &Sender<(u8, String)>) {
    let mut buffer = [0; MAX_DATAGRAM];
    while !stop.load(Ordering::Relaxed) {
        let Ok(len) = socket.recv(&mut buffer) else {
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        if sender.send((host, text)).is_err() {
            return;
        }
    }
}
