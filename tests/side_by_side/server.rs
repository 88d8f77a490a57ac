//! The two servers that are compared: Debian's Kamailio and sipshard, with the same file.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::place::{PROXY, Place};
use crate::process::{Process, wait_for};

/// Where Debian puts Kamailio's modules.
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules";

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's Kamailio.
    Kamailio,
    /// The program of this project.
    Sipshard,
}

/// Whether the peers are installed; says aloud if not.
pub fn peers_are_installed() -> bool {
    let is_there = |program: &str| Command::new(program).arg("-v").output().is_ok();
    let all = is_there("kamailio") && is_there("sipp") && Path::new(MODULES).is_dir();
    if !all {
        eprintln!("SKIPPED: kamailio or sipp is not installed; tests/run installs them");
    }
    all
}

/// A running server.
pub struct Server {
    process: Process,
    kind: Kind,
}

impl Server {
    /// Starts it with this configuration and this list, and waits until it takes datagrams.
    pub fn start(kind: Kind, place: &Place, configuration: &str, list: &str) -> Self {
        let list_file = place.file("etc/dispatcher.list");
        std::fs::write(&list_file, list).expect("the test's own directory");
        let file = place.file("server.cfg").display().to_string();
        std::fs::write(&file, configuration).expect("the test's own directory");
        let listen = format!("udp:{}", place.address(PROXY));
        let process = match kind {
            Kind::Kamailio => kamailio(place, &file, &listen),
            Kind::Sipshard => sipshard(place, &file, &listen),
        };
        let mut server = Self { process, kind };
        server.wait_until_ready(place.address(PROXY));
        server
    }

    /// Datagrams that come before its threads run wait in the socket: bound is ready, for Kamailio.
    fn wait_until_ready(&mut self, address: SocketAddr) {
        let ready = wait_for(START, || {
            if let Some(status) = self.process.status() {
                panic!(
                    "{:?} ended with {status}:\n{}",
                    self.kind,
                    self.process.tail()
                );
            }
            let is_ready = match self.kind {
                Kind::Kamailio => is_bound(address),
                Kind::Sipshard => self.process.output().contains("ready: "),
            };
            is_ready.then_some(())
        });
        assert!(
            ready.is_some(),
            "{:?} is not ready:\n{}",
            self.kind,
            self.process.tail()
        );
    }

    /// The last lines that it printed.
    pub fn tail(&self) -> String {
        self.process.tail()
    }
}

fn kamailio(place: &Place, file: &str, listen: &str) -> Process {
    // OpenSER's example loads `modules/NAME/NAME.so`: its source tree, made of links.
    for name in ["maxfwd", "sl", "dispatcher"] {
        let folder = place.file("modules").join(name);
        std::fs::create_dir(&folder).expect("a new directory");
        let module = format!("{name}.so");
        symlink(Path::new(MODULES).join(&module), folder.join(&module)).expect("a new link");
    }
    let directory = place.directory().display().to_string();
    // The command line's path, address and log win over those of the file.
    let modules = format!("{directory}/:{MODULES}/");
    let run = place.run().display().to_string();
    let arguments = [
        "-f", file, "-l", listen, "-L", &modules, "-Y", &directory, "-w", &run, "-DD", "-E", "-m",
        "32",
    ];
    Process::start(place, "kamailio", "kamailio", &arguments.map(str::to_owned))
}

fn sipshard(place: &Place, file: &str, listen: &str) -> Process {
    let control = place.file("ctl").display().to_string();
    let arguments = [
        "run",
        "-f",
        file,
        "--listen",
        listen,
        "--ctl",
        &control,
        "--workers",
        "1",
    ];
    let program = env!("CARGO_BIN_EXE_sipshard");
    Process::start(place, "sipshard", program, &arguments.map(str::to_owned))
}

/// Whether somebody has bound a UDP socket to this address, by the kernel's table.
pub fn is_bound(address: SocketAddr) -> bool {
    let SocketAddr::V4(address) = address else {
        return false;
    };
    let bytes = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!(" {bytes:08X}:{:04X} ", address.port());
    std::fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&wanted))
}
