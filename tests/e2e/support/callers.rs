//! Callers that a test plays itself: one INVITE from each, sent as fast as sockets take them,
//! repeated as RFC 3261 says, and cancelled when told to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::wire::{header, text};

/// Nothing arrives for this long before anything is sent again: T1.
const REPEAT_AFTER: Duration = Duration::from_millis(500);

/// The messages of these tests are shorter.
const MAX_DATAGRAM: usize = 4096;

/// How far one call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No answer above 100.
    Calling,
    /// 180.
    Ringing,
    /// 2xx.
    Answered,
    /// 503 with Retry-After.
    Busy,
    /// 487.
    Cancelled,
    /// Another final answer, or a 503 without Retry-After.
    Failed(u16),
}

struct Call {
    line: usize,
    invite: String,
    progress: Progress,
    /// Whether the proxy has shown that it has the INVITE: with a 100, then it is not repeated.
    is_heard: bool,
}

/// The calls of one round.
pub struct Callers {
    proxy: SocketAddr,
    lines: Vec<UdpSocket>,
    calls: BTreeMap<String, Call>,
}

impl Callers {
    /// `calls` INVITEs for `proxy` over `lines` ports, from one host. `name` goes into the Call-IDs.
    pub fn new(host: IpAddr, lines: usize, proxy: SocketAddr, calls: usize, name: &str) -> Self {
        let lines: Vec<UdpSocket> = (0..lines)
            .map(|_| {
                let socket = UdpSocket::bind((host, 0)).expect("a free port");
                socket.set_nonblocking(true).expect("an option of sockets");
                socket
            })
            .collect();
        let calls = (0..calls)
            .map(|number| {
                let line = number % lines.len();
                let us = lines[line].local_addr().expect("it is bound");
                let id = format!("{name}-{number}@{host}");
                let call = Call {
                    line,
                    invite: invite(us, proxy, &id),
                    progress: Progress::Calling,
                    is_heard: false,
                };
                (id, call)
            })
            .collect();
        Self {
            proxy,
            lines,
            calls,
        }
    }

    /// Calls of this progress.
    pub fn count(&self, progress: Progress) -> usize {
        let calls = self.calls.values();
        calls.filter(|call| call.progress == progress).count()
    }

    /// How every call stands, for messages.
    pub fn summary(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls.values() {
            *counts.entry(format!("{:?}", call.progress)).or_insert(0) += 1;
        }
        counts
    }

    /// Sends the INVITEs, and waits until no call is calling any more.
    pub fn call_all(&mut self, limit: Duration) {
        self.exchange(limit, |call| {
            let due = call.progress == Progress::Calling;
            (due, (due && !call.is_heard).then(|| call.invite.clone()))
        });
    }

    /// Cancels what rings, and waits until nothing rings any more.
    pub fn cancel_all(&mut self, limit: Duration) {
        self.exchange(limit, |call| {
            let due = call.progress == Progress::Ringing;
            (due, due.then(|| alike(&call.invite, "CANCEL", None)))
        });
    }

    /// Waits until nothing rings any more.
    pub fn wait_for_answers(&mut self, limit: Duration) {
        self.exchange(limit, |call| (call.progress == Progress::Ringing, None));
    }

    /// Sends what `due` says, again each T1, and reads answers, until nothing is due.
    fn exchange(&mut self, limit: Duration, due: impl Fn(&Call) -> (bool, Option<String>)) {
        let deadline = Instant::now() + limit;
        let mut repeat_at = Instant::now();
        loop {
            if Instant::now() >= repeat_at {
                for call in self.calls.values() {
                    if let (_, Some(message)) = due(call) {
                        self.send(call.line, &message);
                    }
                }
                repeat_at = Instant::now() + REPEAT_AFTER;
            }
            let is_quiet = !self.read_all();
            if !self.calls.values().any(|call| due(call).0) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {:?}",
                self.summary()
            );
            if is_quiet {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Reads what has arrived; false if nothing had.
    fn read_all(&mut self) -> bool {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut any = false;
        for line in 0..self.lines.len() {
            while let Ok(len) = self.lines[line].recv(&mut buffer) {
                any = true;
                self.on_reply(&text(&buffer[..len]));
            }
        }
        any
    }

    fn on_reply(&mut self, reply: &str) {
        let id = header(reply, "Call-ID").expect("a reply has a Call-ID");
        let is_to_invite = header(reply, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        let code: u16 = reply[8..11].parse().expect("a reply has a code");
        let call = self.calls.get_mut(id).expect("a call of ours");
        if !is_to_invite {
            return;
        }
        call.is_heard = true;
        let is_new = matches!(call.progress, Progress::Calling | Progress::Ringing);
        let line = call.line;
        let ack = (code >= 300).then(|| alike(&call.invite, "ACK", header(reply, "To")));
        match code {
            180 if call.progress == Progress::Calling => call.progress = Progress::Ringing,
            ..=199 => {}
            200..=299 if is_new => call.progress = Progress::Answered,
            487 if is_new => call.progress = Progress::Cancelled,
            503 if is_new && header(reply, "Retry-After").is_some() => {
                call.progress = Progress::Busy;
            }
            _ if is_new => call.progress = Progress::Failed(code),
            _ => {}
        }
        if let Some(ack) = ack {
            self.send(line, &ack);
        }
    }

    fn send(&self, line: usize, message: &str) {
        // A full send buffer is a lost datagram: it is sent again.
        self.lines[line]
            .send_to(message.as_bytes(), self.proxy)
            .ok();
    }
}

fn invite(us: SocketAddr, proxy: SocketAddr, id: &str) -> String {
    format!(
        "INVITE sip:service@{proxy} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {us};branch=z9hG4bK-{id}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:caller@{us}>;tag=caller\r\n\
         To: <sip:service@{proxy}>\r\n\
         Call-ID: {id}\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:caller@{us}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The CANCEL of an INVITE, or the ACK to its negative answer.
fn alike(invite: &str, method: &str, to: Option<&str>) -> String {
    let mut text = invite
        .replacen("INVITE sip:", &format!("{method} sip:"), 1)
        .replacen("1 INVITE", &format!("1 {method}"), 1);
    if let (Some(to), Some(old)) = (to, header(invite, "To")) {
        text = text.replacen(&format!("To: {old}"), &format!("To: {to}"), 1);
    }
    text
}
