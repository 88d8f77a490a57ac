//! sipshard itself as a process.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Kamcmd, Place, Process, wait_until};

/// How it is started.
#[derive(Clone)]
pub struct Options {
    /// Threads of the data plane.
    pub workers: u16,
    /// Whether it relays without transactions.
    pub stateless: bool,
    /// Listen addresses.
    pub listen: Vec<SocketAddr>,
    /// `--steering`.
    pub steering: &'static str,
    /// Dispatcher parameters, `NAME=VALUE`.
    pub parameters: Vec<String>,
}

impl Options {
    /// One listen address, stateful.
    pub fn new(listen: SocketAddr, workers: u16) -> Self {
        Self {
            workers,
            stateless: false,
            listen: vec![listen],
            steering: "auto",
            parameters: Vec::new(),
        }
    }

    /// With a way of relaying.
    pub fn stateless(self, stateless: bool) -> Self {
        Self { stateless, ..self }
    }

    /// With a dispatcher parameter.
    pub fn parameter(mut self, text: &str) -> Self {
        self.parameters.push(text.to_owned());
        self
    }
}

/// A running sipshard, balancing by algorithm 10.
pub struct Server {
    /// The process.
    pub process: Process,
    /// kamcmd on its control socket.
    pub kamcmd: Kamcmd,
    list: PathBuf,
}

impl Server {
    /// Starts it with these lines as its `dispatcher.list`, and waits until it is ready.
    pub fn start(place: &Place, options: &Options, list: &[String]) -> Self {
        let socket = place.file("ctl");
        let list_file = place.file("dispatcher.list");
        write_list(&list_file, list);
        let mut arguments: Vec<String> = ["run", "--alg", "10", "--list", "dispatcher.list"]
            .map(str::to_owned)
            .to_vec();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--workers", options.workers.to_string());
        option("--steering", options.steering.to_owned());
        option("--ctl", socket.display().to_string());
        for address in &options.listen {
            option("--listen", format!("udp:{address}"));
        }
        for parameter in &options.parameters {
            option("-P", parameter.clone());
        }
        if options.stateless {
            arguments.push("--stateless".to_owned());
        }
        let mut process = Process::start(
            OsStr::new(env!("CARGO_BIN_EXE_sipshard")),
            &arguments,
            place.directory(),
            "sipshard.log",
        );
        let kamcmd = Kamcmd::new(&socket);
        wait_until("sipshard is ready", Duration::from_secs(20), || {
            assert!(process.is_running(), "sipshard ended: {}", process.output());
            socket.exists() && kamcmd.call(&["core.version"]).contains("sipshard")
        });
        Self {
            process,
            kamcmd,
            list: list_file,
        }
    }

    /// Replaces its list file; it does not know yet.
    pub fn write_list(&self, list: &[String]) {
        write_list(&self.list, list);
    }

    /// Waits until no call is counted any more.
    pub fn wait_until_idle(&self, limit: Duration) {
        wait_until("no call is counted", limit, || {
            self.kamcmd.loads().iter().all(|&load| load == 0)
        });
    }
}

fn write_list(path: &PathBuf, lines: &[String]) {
    let text = lines.iter().fold(String::new(), |mut text, line| {
        // Writing to a string cannot fail.
        writeln!(text, "{line}").ok();
        text
    });
    fs::write(path, text).expect("the test's own directory");
}
