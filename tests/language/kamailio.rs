//! A Kamailio with a configuration of the test's own.

use std::io::Write as _;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for its first answer: it starts many processes, perhaps on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Longest wait for any other.
const ANSWER: Duration = Duration::from_secs(5);

/// A Kamailio that runs, ended with the test.
pub struct Kamailio {
    process: Child,
    socket: UdpSocket,
    directory: TempDir,
}

/// Whether there is one.
pub fn is_installed() -> bool {
    Command::new("kamailio").arg("-V").output().is_ok()
}

impl Kamailio {
    /// Starts it with routes; the rest of the configuration is made here.
    pub fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let head = format!(
            "debug=-2\nlog_stderror=yes\nchildren=1\ndisable_tcp=yes\nlisten=udp:127.0.0.1:{port}\n"
        );
        let path = directory.path().join("kamailio.cfg");
        let mut file = std::fs::File::create(&path).expect("a new file");
        file.write_all(format!("#!KAMAILIO\n{head}{config}").as_bytes())
            .expect("written");
        let log = std::fs::File::create(directory.path().join("log")).expect("a new file");
        let process = Command::new("kamailio")
            .args(["-DD", "-E", "-M", "512", "-f"])
            .arg(&path)
            .arg("-Y")
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket
            .connect(("127.0.0.1", port))
            .expect("a local address");
        Self {
            process,
            socket,
            directory,
        }
    }

    /// The reason of its answer. The first message is sent again until it serves.
    pub fn answer(&self, number: usize, message: impl Fn(u16) -> Vec<u8>) -> String {
        let port = self.socket.local_addr().expect("bound").port();
        let message = message(port);
        let is_first = number == 0;
        let patience = if is_first { START } else { ANSWER };
        let step = Duration::from_millis(if is_first { 100 } else { 5000 });
        let start = Instant::now();
        let mark = format!("branch=z9hG4bKscript{number}\r\n");
        self.socket.set_read_timeout(Some(step)).expect("a time");
        while start.elapsed() < patience {
            // Refused until it listens.
            let _ = self.socket.send(&message);
            let mut buffer = vec![0; 65_535];
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let answer = String::from_utf8_lossy(&buffer[..length]);
                if answer.contains(&mark) {
                    let line = answer.lines().next().unwrap_or_default();
                    return line.trim_start_matches("SIP/2.0 200 ").to_owned();
                }
            }
            if is_first && self.has_ended() {
                break;
            }
        }
        assert!(
            !is_first,
            "it does not serve: {}",
            log_of(self.directory.path())
        );
        "no answer".to_owned()
    }

    fn has_ended(&self) -> bool {
        let process = format!("/proc/{}/stat", self.process.id());
        std::fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z "))
    }
}

/// The end of what it said.
fn log_of(directory: &Path) -> String {
    let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    let first = lines.len().saturating_sub(20);
    let config = std::fs::read_to_string(directory.join("kamailio.cfg")).unwrap_or_default();
    let mut shown = lines[first..].join("\n");
    // The lines that it complains of.
    for line in &lines[first..] {
        let number = line
            .split("line ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let text = number.and_then(|number| config.lines().nth(number.parse::<usize>().ok()? - 1));
        shown.extend(text.map(|text| format!("\n    {}", text.trim())));
    }
    shown
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
