//! Where one server and its ends live: loopback addresses and a directory that nobody else has.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

/// The host of the proxy in its network.
pub const PROXY: u8 = 1;
/// The host of the caller.
pub const CALLER: u8 = 2;

/// A network of 254 hosts in 127.0.0.0/8, all of which Linux takes as its own, and a directory.
pub struct Place {
    directory: TempDir,
    network: [u8; 3],
}

impl Place {
    /// A new place. The second number of its network comes from the process, the third from a count; both
    /// have three digits, so that messages are equally long everywhere.
    pub fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(100);
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        // The configurations name `../etc/dispatcher.list`, so a server runs in `run`.
        for name in ["run", "etc", "modules"] {
            std::fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        let process = (std::process::id() % 150) as u8 + 100;
        Self {
            directory,
            network: [127, process, NEXT.fetch_add(1, Ordering::Relaxed)],
        }
    }

    /// The SIP port of a host.
    pub fn address(&self, host: u8) -> SocketAddr {
        let [a, b, c] = self.network;
        SocketAddr::new(Ipv4Addr::new(a, b, c, host).into(), 5060)
    }

    /// What all its addresses begin with, with the last dot.
    pub fn prefix(&self) -> String {
        let [a, b, c] = self.network;
        format!("{a}.{b}.{c}.")
    }

    /// A file or directory in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The working directory of its programs.
    pub fn run(&self) -> PathBuf {
        self.file("run")
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!("--- logs are left in {}", self.directory().display());
        }
    }
}
