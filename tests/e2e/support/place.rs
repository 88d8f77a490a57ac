//! Loopback addresses and a directory that no other test has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

/// Where one test lives. Linux takes all of 127.0.0.0/8 as its own, so a test gets a network of 254
/// hosts there: the second and third number come from the process and the test.
pub struct Place {
    directory: tempfile::TempDir,
    network: [u8; 3],
}

impl Place {
    /// A new place.
    pub fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let process = std::process::id();
        Self {
            directory: tempfile::tempdir().expect("a directory for temporary files"),
            network: [
                127,
                (process % 250) as u8 + 1,
                NEXT.fetch_add(1, Ordering::Relaxed),
            ],
        }
    }

    /// A host of its network.
    pub fn host(&self, number: u8) -> IpAddr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, number).into()
    }

    /// The SIP port of a host of its network.
    pub fn address(&self, host: u8) -> SocketAddr {
        SocketAddr::new(self.host(host), 5060)
    }

    /// A file of its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
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
            eprintln!("--- logs are left in {}", self.directory.path().display());
        }
    }
}

/// An address of this host whose port was free a moment ago.
pub fn free_address(host: IpAddr) -> SocketAddr {
    let socket = UdpSocket::bind((host, 0)).expect("a free port");
    socket.local_addr().expect("it is bound")
}
