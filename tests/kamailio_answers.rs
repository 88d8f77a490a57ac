//! The control plane against Kamailio's own: the same list, the same commands, the same answers, byte
//! for byte as the real kamcmd prints them.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// One set: Kamailio gives several in the order of a tree, which means nothing.
const LIST: &str = "\
1 sip:127.0.0.1:7001 0 0 duid=a;maxload=10;weight=50
1 sip:127.0.0.1:7002 8 5
1 sip:bob@127.0.0.1 1 0 foo=bar;rweight=7;
1 sip:127.0.0.1:7003;transport=udp 2 5 obproxy=sip:127.0.0.9
1 sip:127.0.0.1:7004;lr 12 0 duid=\"b\";maxload=x
1 127.0.0.1:7005 4 #;duid=c
";

/// Commands that change nothing, or the same in both.
const COMMANDS: &[&str] = &[
    "dispatcher.list",
    "dispatcher.list short",
    "dispatcher.list full",
    "dispatcher.list other",
    "dispatcher.set_state",
    "dispatcher.set_state i",
    "dispatcher.set_state i 1",
    "dispatcher.set_state a 1 5",
    "dispatcher.set_state a b c",
    "dispatcher.set_state s: 1 all",
    "dispatcher.set_state x 1 sip:127.0.0.1:7001",
    "dispatcher.set_state i 1 sip:127.0.0.1:7999",
    "dispatcher.set_state i 9 sip:127.0.0.1:7001",
    "dispatcher.set_state ip 1 SIP:127.0.0.1:7001",
    "dispatcher.set_state dp 1 sip:127.0.0.1:7002",
    "dispatcher.set_state 3 1 sip:bob@127.0.0.1 more",
    "dispatcher.list",
    "dispatcher.set_state tp 1 all",
    "dispatcher.list short",
    "dispatcher.set_state 1 1 all",
    "dispatcher.list short",
    "dispatcher.ping_active",
    "dispatcher.ping_active 0",
    "dispatcher.ping_active",
    "dispatcher.ping_active 1",
    "dispatcher.reload",
    "dispatcher.nope",
    "system.methodHelp",
    "system.methodHelp no.such",
    "system.methodHelp core.version",
    "system.methodHelp dispatcher.reload",
];

/// A server of either kind, ended with the test.
struct Server {
    process: Child,
    socket: PathBuf,
}

impl Server {
    /// Starts it, and waits until a line of what it says has `ready` in it.
    fn start(command: &mut Command, socket: PathBuf, ready: &str) -> Self {
        let mut process = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let server = Self { process, socket };
        let is_ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains(ready));
        assert!(is_ready, "it ended before it was ready");
        // It must never wait for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        server
    }

    fn kamcmd(&self, line: &str) -> String {
        let output = Command::new("kamcmd")
            .arg("-s")
            .arg(format!("unixs:{}", self.socket.display()))
            .args(line.split_whitespace())
            .output()
            .expect("kamcmd runs");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGTERM: Kamailio's main process then ends its children.
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
    }
}

fn sipshard(directory: &Path) -> Server {
    let socket = directory.join("sipshard_ctl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sipshard"));
    command
        .args([
            "run",
            "--listen",
            "udp:127.0.0.1:0",
            "-P",
            "ds_ping_interval=0",
        ])
        .arg("--list")
        .arg(directory.join("dispatcher.list"))
        .arg("--ctl")
        .arg(&socket)
        .env("RUST_LOG", "info");
    Server::start(&mut command, socket, "ready: ")
}

fn kamailio(directory: &Path) -> Server {
    let socket = directory.join("kamailio_ctl");
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let configuration = format!(
        r#"#!KAMAILIO
debug=2
children=1
disable_tcp=yes
listen=udp:{}
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "ctl.so"
loadmodule "dispatcher.so"
modparam("ctl", "binrpc", "unixs:{}")
modparam("dispatcher", "list_file", "{}")
modparam("dispatcher", "ds_hash_size", 8)
request_route {{ exit; }}
"#,
        port.expect("a free port"),
        socket.display(),
        directory.join("dispatcher.list").display(),
    );
    let file = directory.join("kamailio.cfg");
    std::fs::write(&file, configuration).expect("written");
    let mut command = Command::new("kamailio");
    command
        .args(["-DD", "-E", "-f"])
        .arg(file)
        .arg("-Y")
        .arg(directory);
    // What its control process says when it serves.
    Server::start(&mut command, socket, "io_listen_loop")
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok()
}

#[test]
fn every_answer_is_kamailios() {
    if !is_installed("kamailio") || !is_installed("kamcmd") {
        eprintln!("SKIPPED: kamailio is not installed (Debian: apt-get install kamailio)");
        return;
    }
    let directory: TempDir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("dispatcher.list"), LIST).expect("written");
    let (ours, theirs) = (sipshard(directory.path()), kamailio(directory.path()));
    for command in COMMANDS {
        assert_eq!(ours.kamcmd(command), theirs.kamcmd(command), "{command}");
    }
}
