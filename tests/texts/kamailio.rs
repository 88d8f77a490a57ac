//! A Kamailio of the test's own, that is shown messages and says what its script made of them.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";

/// What a configuration says when it has seen everything that was sent before.
pub const SENTINEL: &str = "SEEN|";

/// Whether there is a Kamailio; says aloud if not.
pub fn is_installed() -> bool {
    let is_there = Command::new("kamailio").arg("-V").output().is_ok();
    if !is_there {
        eprintln!("SKIPPED: kamailio is not installed (Debian: apt-get install kamailio)");
    }
    is_there
}

pub struct Kamailio {
    process: Child,
    lines: Receiver<String>,
    socket: UdpSocket,
    pub address: SocketAddr,
    _directory: TempDir,
}

/// A loopback socket whose port nobody has.
pub fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("above zero");
    socket
}

impl Kamailio {
    /// Runs a configuration, which `write` makes of the address to listen at.
    pub fn start(socket: UdpSocket, configuration: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let free = self::socket();
        let address = free.local_addr().expect("bound");
        drop(free);
        let path = directory.path().join("kamailio.cfg");
        let head = format!(
            "#!KAMAILIO\ndebug=1\nchildren=1\ndisable_tcp=yes\nlisten=udp:{address}\n\
             mpath=\"{MODULES}\"\n"
        );
        std::fs::write(&path, head + configuration).expect("written");
        let mut process = Command::new("kamailio")
            .args(["-DD", "-E", "-f"])
            .arg(&path)
            .arg("-Y")
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kamailio starts");
        let stderr = BufReader::new(process.stderr.take().expect("piped"));
        let (say, lines) = channel();
        std::thread::spawn(move || {
            let lines = stderr.split(b'\n').map_while(Result::ok);
            for line in lines {
                // It must never wait for somebody to read what it says.
                say.send(String::from_utf8_lossy(&line).into_owned()).ok();
            }
        });
        let kamailio = Self {
            process,
            lines,
            socket,
            address,
            _directory: directory,
        };
        kamailio.wait_until_ready();
        kamailio
    }

    /// It is ready when it answers to the sentinel.
    fn wait_until_ready(&self) {
        let mut said = Vec::new();
        for _ in 0..100 {
            self.send_sentinel();
            while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
                if line.contains(SENTINEL) {
                    return;
                }
                said.push(line);
            }
        }
        panic!("kamailio is not ready:\n{}", said.join("\n"));
    }

    fn send_sentinel(&self) {
        let own = self.socket.local_addr().expect("bound");
        let sentinel = format!(
            "OPTIONS sip:sentinel@{own} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKs\r\n\
             From: <sip:s@s>;tag=s\r\nTo: <sip:s@s>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        self.socket
            .send_to(sentinel.as_bytes(), self.address)
            .expect("sent");
    }

    /// Shows it a message; the lines of its script.
    pub fn show(&self, message: &[u8]) -> Vec<String> {
        // Of sentinels that were sent before it was ready.
        while self.lines.try_recv().is_ok() {}
        self.socket.send_to(message, self.address).expect("sent");
        self.send_sentinel();
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(5));
            let line = line.expect("it answers to a sentinel");
            if line.contains(SENTINEL) {
                return said;
            }
            if let Some((_, line)) = line.split_once("<script>: ") {
                said.push(line.to_owned());
            }
        }
    }

    /// Where its messages come from.
    pub fn source(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// What it sent to the test's socket.
    pub fn received(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        let length = self.socket.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // By SIGTERM: its main process then ends its children.
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
    }
}
