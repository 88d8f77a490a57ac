//! The real kamcmd, and what it shows of the destinations.

use std::path::{Path, PathBuf};
use std::process::Command;

/// kamcmd on a control socket.
#[derive(Clone)]
pub struct Kamcmd {
    socket: PathBuf,
}

/// A destination as `dispatcher.list` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Its set.
    pub set: i32,
    /// Its URI.
    pub uri: String,
    /// `AP`, `IP` and so on.
    pub flags: String,
    /// Calls counted on it.
    pub load: u32,
}

impl Kamcmd {
    /// On this socket.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Runs a command and returns what it prints. kamcmd prints faults like answers.
    pub fn call(&self, command: &[&str]) -> String {
        let output = Command::new("kamcmd")
            .arg("-s")
            .arg(format!("unix:{}", self.socket.display()))
            .args(command)
            .output()
            .expect("kamcmd of Debian's package kamailio; tests/run installs it");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// All destinations of all sets.
    pub fn destinations(&self) -> Vec<Destination> {
        let text = self.call(&["dispatcher.list"]);
        let destinations = read(&text);
        assert!(!text.starts_with("error"), "dispatcher.list: {text}");
        destinations
    }

    /// Calls counted on each destination, in the order of the list.
    pub fn loads(&self) -> Vec<u32> {
        let destinations = self.destinations();
        destinations
            .iter()
            .map(|destination| destination.load)
            .collect()
    }

    /// The flags of a destination.
    pub fn flags(&self, uri: &str) -> String {
        let destinations = self.destinations();
        let found = destinations
            .into_iter()
            .find(|destination| destination.uri == uri);
        found.unwrap_or_else(|| panic!("{uri} is in no set")).flags
    }
}

fn read(text: &str) -> Vec<Destination> {
    let mut set = 0;
    let mut found: Vec<Destination> = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else {
            continue;
        };
        let last = found.last_mut();
        match (name, last) {
            ("ID", _) => set = value.parse().expect("a set has a number"),
            ("URI", _) => found.push(Destination {
                set,
                uri: value.to_owned(),
                ..Destination::default()
            }),
            ("FLAGS", Some(last)) => value.clone_into(&mut last.flags),
            ("DLGLOAD", Some(last)) => last.load = value.parse().expect("a load is a number"),
            _ => {}
        }
    }
    found
}

#[test]
fn a_list_is_read_as_kamcmd_prints_it() {
    let text = "{\n\tNRSETS: 1\n\tRECORDS: {\n\t\tSET: {\n\t\t\tID: 3\n\t\t\tTARGETS: {\n\
        \t\t\t\tDEST: {\n\t\t\t\t\tURI: sip:127.0.0.1:5080\n\t\t\t\t\tFLAGS: AP\n\
        \t\t\t\t\tPRIORITY: 0\n\t\t\t\t\tRUNTIME: {\n\t\t\t\t\t\tDLGLOAD: 7\n";
    let expected = Destination {
        set: 3,
        uri: "sip:127.0.0.1:5080".into(),
        flags: "AP".into(),
        load: 7,
    };
    assert_eq!(read(text), [expected]);
}
