//! A Kamailio of the test's own: started on loopback, asked by SIP and by kamcmd, ended with the test.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::scenario::{NONE, Options, Step, header, unreadable};
use crate::wire::insert_after_first_line;

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";

pub struct Kamailio {
    process: Child,
    directory: TempDir,
    socket: UdpSocket,
    port: u16,
    branch: u64,
}

/// Whether there is a Kamailio; says aloud if not.
pub fn is_installed() -> bool {
    let is_there = |program: &str| Command::new(program).arg("-V").output().is_ok();
    let both = is_there("kamailio") && is_there("kamcmd");
    if !both {
        eprintln!("SKIPPED: kamailio is not installed (Debian: apt-get install kamailio)");
    }
    both
}

/// What the routing does: select, and answer with the destination and those of failover.
const ROUTE: &str = r#"
request_route {
  $var(set) = $(hdr(X-Set){s.int});
  $var(alg) = $(hdr(X-Alg){s.int});
  $var(limit) = $(hdr(X-Limit){s.int});
  if ($var(alg) == 1000) {
    ds_load_update();
    sl_send_reply("200", "OK");
    exit;
  }
  if (!ds_select_dst("$var(set)", "$var(alg)", "$var(limit)")) {
    sl_send_reply("404", "None");
    exit;
  }
  $var(list) = $du;
  while ($hdr(X-Next) == "1" && ds_next_dst()) {
    $var(list) = $var(list) + "," + $du;
  }
  append_to_reply("X-List: $var(list)\r\n");
  sl_send_reply("200", "OK");
  exit;
}
"#;

impl Kamailio {
    pub fn start(options: Options, list: &str) -> Self {
        Self::start_with(options, list, "")
    }

    /// With more parameters.
    pub fn start_with(options: Options, list: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("dispatcher.list"), list).expect("written");
        let free = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let modules = ["tm", "sl", "pv", "textops", "ctl", "dispatcher"];
        let modules = modules.map(|name| format!("loadmodule \"{name}.so\"\n"));
        let configuration = format!(
            "#!KAMAILIO\ndebug=2\nchildren=1\ndisable_tcp=yes\ndns_try_ipv6=yes\n\
             listen=udp:127.0.0.1:{port}\nlisten=udp:[::1]:{port}\nmpath=\"{MODULES}\"\n{}\
             modparam(\"ctl\", \"binrpc\", \"unixs:{}\")\n\
             modparam(\"dispatcher\", \"list_file\", \"{}\")\n\
             modparam(\"dispatcher\", \"ds_hash_size\", 8)\n\
             modparam(\"dispatcher\", \"hash_pvar\", \"$hdr(X-Var)\")\n\
             modparam(\"dispatcher\", \"flags\", {})\n\
             modparam(\"dispatcher\", \"use_default\", {})\n{more}{ROUTE}",
            modules.concat(),
            path("ctl"),
            path("dispatcher.list"),
            2 + u32::from(options.user_only),
            u32::from(options.use_default),
        );
        std::fs::write(path("kamailio.cfg"), configuration).expect("written");
        let mut process = Command::new("kamailio")
            .args(["-DD", "-E", "-f", &path("kamailio.cfg"), "-Y"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kamailio starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        let is_ready = lines.by_ref().map_while(Result::ok).any(|line| {
            let is_ready = line.contains("io_listen_loop");
            said.push(line);
            is_ready
        });
        assert!(
            is_ready,
            "kamailio ended before it was ready:\n{}",
            said.join("\n")
        );
        // It must never wait for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("above zero");
        Self {
            process,
            directory,
            socket,
            port,
            branch: 0,
        }
    }

    /// The outcome of each step.
    pub fn run(&mut self, steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Select {
                set,
                algorithm,
                limit,
                message,
            } => {
                if unreadable(message) {
                    return NONE.to_owned();
                }
                self.ask(message, *set, *algorithm, *limit, true)
            }
            Step::Call {
                set,
                call_id,
                with_failover,
            } => {
                let invite = crate::generate::plain_message("INVITE", call_id);
                self.ask(&invite, *set, 10, 0, *with_failover)
            }
            Step::HangUp { call_id } => {
                let bye = crate::generate::plain_message("BYE", call_id);
                self.ask(&bye, 0, 1000, 0, false)
            }
            Step::State { set, state, target } => {
                self.kamcmd(&["dispatcher.set_state", state, &set.to_string(), target]);
                self.states(*set)
            }
        }
    }

    /// The destinations that a message goes to.
    fn ask(&mut self, message: &[u8], set: i32, algorithm: u32, limit: u32, next: bool) -> String {
        self.branch += 1;
        let via = format!(
            "Via: SIP/2.0/UDP {};branch=z9hG4bK{}\r\nX-Set: {set}\r\nX-Alg: {algorithm}\r\n\
             X-Limit: {limit}\r\nX-Next: {}\r\n",
            self.socket.local_addr().expect("bound"),
            self.branch,
            u32::from(next),
        );
        let whole = insert_after_first_line(message, &via);
        self.socket
            .send_to(&whole, ("127.0.0.1", self.port))
            .expect("sent");
        let mut buffer = [0; 4096];
        loop {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                return "no answer".to_owned();
            };
            let reply = &buffer[..length];
            let via = header(reply, "Via").unwrap_or_default();
            if !via.ends_with(&format!("branch=z9hG4bK{}", self.branch)) {
                continue;
            }
            return match &reply[8..11] {
                b"200" => header(reply, "X-List").unwrap_or_default(),
                b"404" => NONE.to_owned(),
                code => format!("answer {}", code.escape_ascii()),
            };
        }
    }

    pub fn kamcmd(&self, arguments: &[&str]) -> String {
        kamcmd(&self.directory.path().join("ctl"), arguments)
    }

    /// The letters of each destination of a set, and its calls.
    pub fn states(&self, set: i32) -> String {
        states(&self.kamcmd(&["dispatcher.list"]), set)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// What kamcmd says, on this control socket.
pub fn kamcmd(socket: &Path, arguments: &[&str]) -> String {
    let output = Command::new("kamcmd")
        .arg("-s")
        .arg(format!("unixs:{}", socket.display()))
        .args(arguments)
        .output()
        .expect("kamcmd runs");
    String::from_utf8(output.stdout).expect("text")
}

/// The letters of each destination of a set in a `dispatcher.list`, and its calls.
pub fn states(list: &str, set: i32) -> String {
    let mut current = None;
    let mut states = Vec::new();
    for line in list.lines() {
        match line.trim().split_once(": ") {
            Some(("ID", id)) => current = id.parse().ok(),
            Some(("FLAGS", letters)) if current == Some(set) => states.push(letters.to_owned()),
            Some(("DLGLOAD", load)) if current == Some(set) => {
                let last = states.last_mut().expect("flags come first");
                *last = format!("{last}{load}");
            }
            _ => {}
        }
    }
    states.join(" ")
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
