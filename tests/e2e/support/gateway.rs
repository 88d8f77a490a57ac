//! Gateways that a test plays itself: they ring, and answer when they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::wire::{header, reply, text};

/// The messages of these tests are shorter.
const MAX_DATAGRAM: usize = 4096;

/// What one gateway has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// The last INVITE of each call that rings, by Call-ID, with its sender.
    pub ringing: BTreeMap<String, (String, SocketAddr)>,
    /// The most calls that rang at once.
    pub most_ringing: usize,
    /// Every Call-ID that it was sent an INVITE of.
    pub invited: BTreeSet<String>,
    /// Every Call-ID that it was sent a CANCEL of.
    pub cancelled: BTreeSet<String>,
}

/// Several gateways, each with a thread.
pub struct Gateways {
    each: Vec<(SocketAddr, UdpSocket, Arc<Mutex<Seen>>)>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Gateways {
    /// Gateways at these addresses.
    pub fn start(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut all = Self {
            each: Vec::new(),
            stop: Arc::clone(&stop),
            threads: Vec::new(),
        };
        for address in addresses {
            let socket = UdpSocket::bind(address).expect("an address of the test's own");
            let timeout = Some(Duration::from_millis(50));
            socket
                .set_read_timeout(timeout)
                .expect("a timeout above zero");
            let seen = Arc::new(Mutex::new(Seen::default()));
            let ours = socket.try_clone().expect("the same socket");
            all.each.push((address, ours, Arc::clone(&seen)));
            let stop = Arc::clone(&stop);
            all.threads.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    serve(&socket, &seen);
                }
            }));
        }
        all
    }

    /// Their lines in a `dispatcher.list`.
    pub fn lines(&self, attributes: &str) -> Vec<String> {
        let gateways = self.each.iter().enumerate();
        gateways
            .map(|(index, (address, ..))| format!("1 sip:{address} 0 0 duid=g{index}{attributes}"))
            .collect()
    }

    /// What each has seen.
    pub fn seen(&self) -> impl Iterator<Item = MutexGuard<'_, Seen>> {
        self.each.iter().map(|(_, _, seen)| lock(seen))
    }

    /// Answers every call that rings with 200.
    pub fn answer_all(&self) {
        for (address, socket, seen) in &self.each {
            for (invite, source) in std::mem::take(&mut lock(seen).ringing).values() {
                let ok = reply(invite, "200 OK", "gateway");
                let contact = format!("Contact: <sip:gateway@{address}>\r\nContent-Length");
                let ok = ok.replace("Content-Length", &contact);
                socket.send_to(ok.as_bytes(), source).expect("a reply");
            }
        }
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of a gateway has been printed.
            thread.join().ok();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(socket: &UdpSocket, seen: &Mutex<Seen>) {
    let mut buffer = [0; MAX_DATAGRAM];
    let Ok((len, source)) = socket.recv_from(&mut buffer) else {
        return;
    };
    let message = text(&buffer[..len]);
    let send = |text: String| socket.send_to(text.as_bytes(), source).expect("a reply");
    let call = header(&message, "Call-ID").expect("a Call-ID").to_owned();
    let mut seen = lock(seen);
    match message.split(' ').next() {
        Some("INVITE") => {
            send(reply(&message, "180 Ringing", "gateway"));
            seen.invited.insert(call.clone());
            if !seen.cancelled.contains(&call) {
                seen.ringing.insert(call, (message, source));
                seen.most_ringing = seen.most_ringing.max(seen.ringing.len());
            }
        }
        Some("CANCEL") => {
            send(reply(&message, "200 OK", "gateway"));
            if let Some((invite, _)) = seen.ringing.remove(&call) {
                send(reply(&invite, "487 Request Terminated", "gateway"));
            }
            seen.cancelled.insert(call);
        }
        Some("OPTIONS" | "BYE") => {
            send(reply(&message, "200 OK", "gateway"));
        }
        _ => {}
    }
}
