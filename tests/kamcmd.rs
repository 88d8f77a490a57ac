//! The control plane from outside: a running sipshard, the real kamcmd, and `sipshard rpc`.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

const SIPSHARD: &str = env!("CARGO_BIN_EXE_sipshard");

/// Long enough for the slowest machine; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

const LIST: &str = "\
# gateways
1 sip:127.0.0.1:7001 0 0 duid=a;maxload=10;weight=50
1 sip:127.0.0.1:7002 8 5
5 sip:bob@127.0.0.1:7005 0 0 foo=bar
";

/// A sipshard of the test's own, ended with it.
struct Running {
    process: Child,
    log: Receiver<String>,
    directory: TempDir,
    /// What it said when it was ready.
    ready: String,
}

impl Running {
    fn start(list: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("dispatcher.list"), list).expect("written");
        Self::run(&mut run_command(directory.path()), directory)
    }

    fn run(command: &mut Command, directory: TempDir) -> Self {
        let mut process = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("sipshard starts");
        let (to, log) = channel();
        let stderr = process.stderr.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = to.send(line);
            }
        });
        let mut running = Self {
            process,
            log,
            directory,
            ready: String::new(),
        };
        running.ready = running.wait_for_log("ready: udp:127.0.0.1:");
        running
    }

    /// Where it listens.
    fn address(&self) -> &str {
        let (_, from) = self.ready.split_once("udp:").expect("an address");
        let end = from.find([';', ' ']).unwrap_or(from.len());
        &from[..end]
    }

    fn list_file(&self) -> PathBuf {
        self.directory.path().join("dispatcher.list")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ctl")
    }

    fn wait_for_log(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.log.recv_timeout(PATIENCE) else {
                panic!(
                    "\"{part}\" was never logged, but this:\n{}",
                    seen.join("\n")
                );
            };
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// What `sipshard rpc` prints, errors too, and whether it says success.
    fn rpc(&self, line: &str) -> (String, bool) {
        let output = Command::new(SIPSHARD)
            .args(["rpc", "--ctl"])
            .arg(self.socket())
            .args(line.split_whitespace())
            .output()
            .expect("sipshard rpc runs");
        (printed(&output), output.status.success())
    }

    /// What kamcmd prints.
    fn kamcmd(&self, line: &str) -> String {
        let output = Command::new("kamcmd")
            .arg("-s")
            .arg(format!("unixs:{}", self.socket().display()))
            .args(line.split_whitespace())
            .output()
            .expect("kamcmd runs");
        printed(&output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run_command(directory: &Path) -> Command {
    let mut command = Command::new(SIPSHARD);
    command
        .args(["run", "--listen", "udp:127.0.0.1:0", "--workers", "2"])
        // Nobody answers at the destinations: without keepalives their states stay as they are.
        .args(["-P", "ds_ping_interval=0", "--list"])
        .arg(directory.join("dispatcher.list"))
        .arg("--ctl")
        .arg(directory.join("ctl"))
        .env("RUST_LOG", "info");
    command
}

fn printed(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).expect("text")
}

/// Debian has kamcmd in its package kamailio.
fn has_kamcmd() -> bool {
    let found = Command::new("kamcmd").arg("-V").output().is_ok();
    if !found {
        eprintln!("SKIPPED: kamcmd is not installed (Debian: apt-get install kamailio)");
    }
    found
}

#[test]
fn kamcmd_lists_the_sets() {
    if !has_kamcmd() {
        return;
    }
    let running = Running::start(LIST);
    let expected = "\
{
	NRSETS: 2
	RECORDS: {
		SET: {
			ID: 1
			TARGETS: {
				DEST: {
					URI: sip:127.0.0.1:7002
					FLAGS: AP
					PRIORITY: 5
					RUNTIME: {
						DLGLOAD: 0
					}
				}
				DEST: {
					URI: sip:127.0.0.1:7001
					FLAGS: AX
					PRIORITY: 0
					ATTRS: {
						BODY: duid=a;maxload=10;weight=50
						DUID: a
						MAXLOAD: 10
						WEIGHT: 50
						RWEIGHT: 0
						SOCKET: <null string>
						SOCKNAME: <null string>
						OBPROXY: <null string>
					}
					RUNTIME: {
						DLGLOAD: 0
					}
				}
			}
		}
		SET: {
			ID: 5
			TARGETS: {
				DEST: {
					URI: sip:bob@127.0.0.1:7005
					FLAGS: AX
					PRIORITY: 0
					ATTRS: {
						BODY: foo=bar
						DUID: <null string>
						MAXLOAD: 0
						WEIGHT: 0
						RWEIGHT: 0
						SOCKET: <null string>
						SOCKNAME: <null string>
						OBPROXY: <null string>
					}
					RUNTIME: {
						DLGLOAD: 0
					}
				}
			}
		}
	}
}
";
    assert_eq!(running.kamcmd("dispatcher.list"), expected);
    assert!(!running.kamcmd("dispatcher.list short").contains("ATTRS"));
    let full = running.kamcmd("dispatcher.list full");
    let whereabouts =
        "\t\t\t\t\tHOST: 127.0.0.1\n\t\t\t\t\tIPADDR: 127.0.0.1\n\t\t\t\t\tPORT: 7002\n";
    assert!(full.contains(whereabouts), "{full}");
}

#[test]
fn kamcmd_sets_states() {
    if !has_kamcmd() {
        return;
    }
    let running = Running::start(LIST);
    let set = |arguments: &str| running.kamcmd(&format!("dispatcher.set_state {arguments}"));
    assert_eq!(
        set("ip 1 sip:127.0.0.1:7001"),
        "Ok. Dispatcher state updated.\n"
    );
    assert!(running.kamcmd("dispatcher.list").contains("FLAGS: IP"));
    assert_eq!(set("2 5 all"), "Ok. Dispatcher state updated.\n");
    assert!(running.kamcmd("dispatcher.list").contains("FLAGS: DX"));
    assert_eq!(set(""), "error: 500 - Invalid Parameters\n");
    assert_eq!(set("x 1 all"), "error: 500 - Unknown State Value\n");
    assert_eq!(
        set("a 1 sip:127.0.0.1:9"),
        "error: 500 - State Update Failed\n"
    );
}

#[test]
fn kamcmd_reloads_and_a_failed_reload_leaves_the_old_sets() {
    if !has_kamcmd() {
        return;
    }
    let running = Running::start(LIST);
    running.kamcmd("dispatcher.set_state dx 1 sip:127.0.0.1:7001");
    std::fs::write(running.list_file(), "1 sip:127.0.0.1:7001 0 0 duid=a\n").expect("written");
    assert_eq!(
        running.kamcmd("dispatcher.reload"),
        "Ok. Dispatcher successfully reloaded.\n"
    );
    let reloaded = running.kamcmd("dispatcher.list");
    assert!(reloaded.contains("NRSETS: 1\n"), "{reloaded}");
    assert!(
        reloaded.contains("FLAGS: DX\n"),
        "states are carried over: {reloaded}"
    );

    std::fs::write(running.list_file(), "1 sip:127.0.0.1:7009\n  2 # none\n").expect("written");
    let place = format!(
        "{}:2:5: set id without a URI",
        running.list_file().display()
    );
    assert_eq!(
        running.kamcmd("dispatcher.reload"),
        format!("error: 500 - Reload Failed: {place}\n")
    );
    running.wait_for_log(&place);
    assert_eq!(running.kamcmd("dispatcher.list"), reloaded);
}

#[test]
fn kamcmd_switches_keepalives_and_asks_about_the_server() {
    if !has_kamcmd() {
        return;
    }
    let running = Running::start(LIST);
    assert_eq!(
        running.kamcmd("dispatcher.ping_active 0"),
        "{\n\tNewPingState: 0\n\tOldPingState: 1\n}\n"
    );
    assert_eq!(
        running.kamcmd("dispatcher.ping_active"),
        "{\n\tOldPingState: 0\n}\n"
    );
    assert!(running.kamcmd("core.version").starts_with("sipshard 0."));
    assert!(running.kamcmd("core.uptime").contains("\tup_since: "));
    let methods = running.kamcmd("system.listMethods");
    assert!(methods.contains("dispatcher.list\n"), "{methods}");
    assert_eq!(
        running.kamcmd("dispatcher.nope"),
        "error: 500 - command dispatcher.nope not found\n"
    );
}

#[test]
fn rpc_prints_what_kamcmd_prints() {
    let running = Running::start(LIST);
    if has_kamcmd() {
        for line in [
            "dispatcher.list",
            "dispatcher.list full",
            "dispatcher.ping_active",
            "core.version",
            "system.listMethods",
            "system.methodHelp dispatcher.list",
            "sipshard.counters",
        ] {
            assert_eq!(running.rpc(line), (running.kamcmd(line), true), "{line}");
        }
    }
    assert!(
        running
            .rpc("dispatcher.list")
            .0
            .contains("URI: sip:127.0.0.1:7001\n")
    );
    let fault = "error: 500 - Unknown State Value\n".to_owned();
    assert_eq!(running.rpc("dispatcher.set_state x 1 all"), (fault, false));
}

/// A request that is answered at once, and waits for the answer.
fn ask_for_options(address: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let own = socket.local_addr().expect("bound");
    let request = format!(
        "OPTIONS sip:nobody@{address} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bKlatency;rport\r\nMax-Forwards: 0\r\n\
         From: <sip:a@{own}>;tag=a\r\nTo: <sip:nobody@{address}>\r\n\
         Call-ID: latency@test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.send_to(request.as_bytes(), address).expect("sent");
    let mut answer = [0; 2_048];
    let len = socket.recv(&mut answer).expect("an answer");
    assert!(answer[..len].starts_with(b"SIP/2.0 "));
}

#[test]
fn kamcmd_shows_how_long_messages_took() {
    if !has_kamcmd() {
        return;
    }
    let running = Running::start(LIST);
    ask_for_options(running.address());
    let shown = running.kamcmd("sipshard.latency");
    for stage in ["queue", "work", "send"] {
        let rows = format!("\t{stage}: {{\n\t\tOPTIONS: {{\n\t\t\tCOUNT: 1\n\t\t\tP50: ");
        assert!(shown.contains(&rows), "{stage} in {shown}");
    }
    assert_eq!(running.rpc("sipshard.latency"), (shown.clone(), true));
    assert_eq!(running.kamcmd("sipshard.latency reset"), shown);
    assert!(!running.kamcmd("sipshard.latency").contains("OPTIONS"));
}

#[test]
fn stopped_scripts_are_counted() {
    if !has_kamcmd() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    write("dispatcher.list", LIST);
    let script = "loadmodule \"pv.so\"\nrequest_route { route(A); }\n\
        route[A] { $var(i) = 0; while ($var(i) < 99) { route(B); $var(i) = $var(i) + 1; } }\n\
        route[B] { $var(j) = 0; while ($var(j) < 99) { route(C); $var(j) = $var(j) + 1; } }\n\
        route[C] { $var(k) = 0; while ($var(k) < 99) { $var(k) = $var(k) + 1; } }\n";
    let script = write("loop.cfg", script);
    let mut command = run_command(directory.path());
    let running = Running::run(command.arg("-f").arg(script), directory);
    let counters = running.kamcmd("sipshard.counters");
    assert!(counters.contains("\tstopped_scripts: 0\n"), "{counters}");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let own = socket.local_addr().expect("bound");
    let message = format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=a\r\n\
         To: <sip:a@b>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    socket
        .send_to(message.as_bytes(), running.address())
        .expect("sent");
    running.wait_for_log("1 script took too many steps");
    let counters = running.kamcmd("sipshard.counters");
    assert!(counters.contains("\trequests: 1\n"), "{counters}");
    assert!(counters.contains("\tstopped_scripts: 1\n"), "{counters}");
}

#[test]
fn signals_reload_and_stop() {
    let mut running = Running::start(LIST);
    std::fs::write(running.list_file(), "7 sip:127.0.0.1:7007\n").expect("written");
    running.signal("HUP");
    running.wait_for_log("reloaded: 1 set with 1 destination");
    assert!(running.rpc("dispatcher.list").0.contains("ID: 7\n"));
    running.signal("TERM");
    running.wait_for_log("stopped");
    let status = running.process.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert!(!running.socket().exists(), "the socket file is removed");
}

#[test]
fn a_second_sipshard_does_not_take_the_control_socket_of_the_first() {
    let running = Running::start(LIST);
    let second = run_command(running.directory.path())
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let text = printed(&second);
    assert!(
        text.contains("ctl: another process answers on this control socket"),
        "{text}"
    );
    assert!(running.rpc("core.version").1);
}

#[test]
fn a_spoilt_list_stops_the_start_and_says_where() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("dispatcher.list"), "1\n").expect("written");
    let output = run_command(directory.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    assert!(
        text.contains("dispatcher.list:1:2: set id without a URI"),
        "{text}"
    );
}

#[test]
fn rpc_says_where_nobody_answers() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("ctl");
    let output = Command::new(SIPSHARD)
        .args(["rpc", "--ctl"])
        .arg(&socket)
        .arg("core.version")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    assert!(
        text.starts_with(&format!(
            "error: no sipshard answers on {}",
            socket.display()
        )),
        "{text}"
    );
}
