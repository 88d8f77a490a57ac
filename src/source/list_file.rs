//! `dispatcher.list`: read, parsed by [`list::parse`], host names resolved.
//!
//! Names go through the system's resolver, so `/etc/hosts` counts (Kamailio's own resolver ignores
//! it). They are resolved at load only: a destination keeps its address until the next reload.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use crate::dispatch::list::{self, Diagnostic, ListEntry};
use crate::dispatch::{Entry, Flags};

/// The address families that the proxy listens on: it can send to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// There is an IPv4 listen address.
    pub v4: bool,
    /// There is an IPv6 listen address.
    pub v6: bool,
}

impl Families {
    /// Those of some listen addresses.
    pub fn of<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) -> Self {
        let none = Self {
            v4: false,
            v6: false,
        };
        addresses.into_iter().fold(none, |families, address| Self {
            v4: families.v4 || address.is_ipv4(),
            v6: families.v6 || address.is_ipv6(),
        })
    }

    fn has(self, address: SocketAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// A list file and how to read it.
#[derive(Clone, Debug)]
pub struct ListFile {
    path: PathBuf,
    families: Families,
}

/// What a list file gave.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The destinations, in the order of the file.
    pub entries: Vec<Entry>,
    /// What is odd or was left out: `FILE:LINE:COLUMN: message`.
    pub warnings: Vec<String>,
}

/// Why a list file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{path}: {cause}")]
    Read {
        /// The file, as named by the operator.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// It is spoilt. Prints as `FILE:LINE:COLUMN: message`.
    #[error("{path}:{place}")]
    Grammar {
        /// The file, as named by the operator.
        path: String,
        /// Line, column and message.
        place: Diagnostic,
    },
}

impl ListFile {
    /// The list file at `path`, for a proxy that sends by `families`.
    pub fn new(path: impl Into<PathBuf>, families: Families) -> Self {
        Self {
            path: path.into(),
            families,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it and resolves names, one after another: this may take seconds if a name server is
    /// silent.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        self.load_with(|host| Ok((host, 0).to_socket_addrs()?.collect()))
    }

    fn load_with(
        &self,
        resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>>,
    ) -> Result<Loaded, LoadError> {
        let path = self.path.display().to_string();
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(cause) => return Err(LoadError::Read { path, cause }),
        };
        let list = match list::parse(&text) {
            Ok(list) => list,
            Err(place) => return Err(LoadError::Grammar { path, place }),
        };
        let warnings = list.warnings.iter();
        let mut loading = Loading {
            families: self.families,
            known: BTreeMap::new(),
            resolve,
            loaded: Loaded {
                entries: Vec::with_capacity(list.entries.len()),
                warnings: warnings
                    .map(|warning| format!("{path}:{warning}"))
                    .collect(),
            },
            path: &path,
        };
        for entry in &list.entries {
            loading.take(entry);
        }
        Ok(loading.loaded)
    }
}

struct Loading<'a, R> {
    path: &'a str,
    families: Families,
    /// Each name is asked for once a load.
    known: BTreeMap<Box<str>, Result<SocketAddr, String>>,
    resolve: R,
    loaded: Loaded,
}

impl<R: Fn(&str) -> io::Result<Vec<SocketAddr>>> Loading<'_, R> {
    fn take(&mut self, found: &ListEntry) {
        let mut entry = found.entry.clone();
        match entry.address {
            Some(address) if self.families.has(address) => {}
            Some(address) => {
                let cause = format!("there is no {} listen address", family(address));
                return self.leave_out(found, cause);
            }
            None if entry.flags.has(Flags::NO_DNS) => {
                let message = format!(
                    "{} is not resolved (flag 16), and gets no calls: names are resolved only here",
                    entry.uri
                );
                self.warn(found, message);
            }
            None => match self.address(&found.host) {
                Ok(mut address) => {
                    address.set_port(found.port);
                    entry.address = Some(address);
                }
                Err(cause) => return self.leave_out(found, cause),
            },
        }
        self.loaded.entries.push(entry);
    }

    /// The first address of `host` that can be sent to.
    fn address(&mut self, host: &str) -> Result<SocketAddr, String> {
        if let Some(known) = self.known.get(host) {
            return known.clone();
        }
        let found = match (self.resolve)(host) {
            Ok(addresses) => {
                let mut usable = addresses
                    .iter()
                    .filter(|address| self.families.has(**address));
                usable
                    .next()
                    .copied()
                    .ok_or_else(|| match addresses.first() {
                        Some(address) => format!(
                            "{host} has only {} addresses, and there is no such listen address",
                            family(*address)
                        ),
                        None => format!("{host} has no address"),
                    })
            }
            Err(cause) => Err(format!("cannot resolve {host}: {cause}")),
        };
        self.known.insert(host.into(), found.clone());
        found
    }

    fn leave_out(&mut self, found: &ListEntry, cause: impl fmt::Display) {
        let message = format!("{} left out: {cause}", found.entry.uri);
        self.warn(found, message);
    }

    fn warn(&mut self, found: &ListEntry, message: String) {
        let place = Diagnostic {
            line: found.line,
            column: found.column,
            message,
        };
        self.loaded.warnings.push(format!("{}:{place}", self.path));
    }
}

fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;

    use super::*;

    const V4: Families = Families {
        v4: true,
        v6: false,
    };

    fn load(text: &str, families: Families) -> Result<Loaded, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        let path = file.path().display().to_string();
        ListFile::new(file.path(), families)
            .load_with(|host| match host {
                "both.test" => Ok(vec![
                    "[2001:db8::1]:0".parse().expect("an address"),
                    "192.0.2.1:0".parse().expect("an address"),
                ]),
                "six.test" => Ok(vec!["[2001:db8::6]:0".parse().expect("an address")]),
                _ => Err(io::Error::other("no such name")),
            })
            .map(|mut loaded| {
                for warning in &mut loaded.warnings {
                    *warning = warning.replace(&path, "dispatcher.list");
                }
                loaded
            })
            .map_err(|error| error.to_string().replace(&path, "dispatcher.list"))
    }

    fn addresses(loaded: &Loaded) -> Vec<Option<String>> {
        let entries = loaded.entries.iter();
        entries
            .map(|entry| entry.address.map(|address| address.to_string()))
            .collect()
    }

    #[test]
    fn names_get_an_address_of_a_family_that_is_listened_on() {
        let text = "1 sip:both.test:5070\n1 sip:both.test\n1 sip:192.0.2.9";
        let loaded = load(text, V4).expect("good");
        let expected = ["192.0.2.1:5070", "192.0.2.1:5060", "192.0.2.9:5060"];
        assert_eq!(
            addresses(&loaded),
            expected.map(|address| Some(address.to_owned()))
        );
        assert_eq!(loaded.warnings, [""; 0]);

        let six = Families {
            v4: false,
            v6: true,
        };
        let loaded = load("1 sip:both.test", six).expect("good");
        assert_eq!(addresses(&loaded), [Some("[2001:db8::1]:5060".to_owned())]);
    }

    #[test]
    fn what_cannot_be_reached_is_left_out_with_its_place() {
        let text = "# gateways\n1 sip:gone.test\n1 sip:192.0.2.1\n  2 sip:six.test\n2 sip:[::1]";
        let loaded = load(text, V4).expect("good");
        assert_eq!(addresses(&loaded), [Some("192.0.2.1:5060".to_owned())]);
        assert_eq!(
            loaded.warnings,
            [
                "dispatcher.list:2:3: sip:gone.test left out: cannot resolve gone.test: no such name",
                "dispatcher.list:4:5: sip:six.test left out: six.test has only IPv6 addresses, \
                 and there is no such listen address",
                "dispatcher.list:5:3: sip:[::1] left out: there is no IPv6 listen address",
            ]
        );
    }

    #[test]
    fn flag_16_keeps_a_name_unresolved() {
        let loaded = load("1 sip:gone.test 16", V4).expect("good");
        assert_eq!(addresses(&loaded), [None]);
        assert_eq!(loaded.warnings.len(), 1);
    }

    #[test]
    fn a_name_is_asked_for_once() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(b"1 sip:a.test:1\n1 sip:a.test:2\n2 sip:b.test\n")
            .expect("written");
        let asked = Cell::new(0);
        let loaded = ListFile::new(file.path(), V4).load_with(|_| {
            asked.set(asked.get() + 1);
            Ok(vec!["192.0.2.1:0".parse().expect("an address")])
        });
        assert_eq!(loaded.expect("good").entries.len(), 3);
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_spoilt_list_says_where() {
        assert_eq!(
            load("1 sip:192.0.2.1\n 7 # nothing\n", V4).expect_err("spoilt"),
            "dispatcher.list:2:4: set id without a URI"
        );
    }

    #[test]
    fn a_missing_file_says_which() {
        let error = ListFile::new("/nonexistent/dispatcher.list", V4)
            .load()
            .expect_err("no such file");
        let text = error.to_string();
        assert!(
            text.starts_with("/nonexistent/dispatcher.list: No such file"),
            "{text}"
        );
    }

    #[test]
    fn the_system_resolver_reads_etc_hosts() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(b"1 sip:localhost:5080").expect("written");
        let loaded = ListFile::new(file.path(), V4).load().expect("good");
        assert_eq!(addresses(&loaded), [Some("127.0.0.1:5080".to_owned())]);
    }
}
