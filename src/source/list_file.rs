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
use crate::dispatch::target::Target;
use crate::dispatch::{Attributes, Entry, Flags};
use crate::proxy::Listener;

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

/// What parameters and listen addresses say about reading a list.
#[derive(Clone, Debug, Default)]
pub struct ListRules {
    /// The listen addresses: a destination whose `socket` or `sockname` is none of them is left out, as
    /// in the peers. If there are none, any will do.
    pub listeners: Vec<Listener>,
    /// Whether one destination that cannot be used spoils the whole list (`ds_load_mode`).
    pub is_strict: bool,
    /// Whether a destination without attributes gets `none=yes` (`ds_attrs_none`).
    pub has_attrs_none: bool,
}

/// A list file and how to read it.
#[derive(Clone, Debug)]
pub struct ListFile {
    path: PathBuf,
    families: Families,
    rules: ListRules,
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
    /// A destination cannot be used, and none may be left out (`ds_load_mode`).
    #[error("{0}")]
    LeftOut(String),
}

impl ListFile {
    /// The list file at `path`, for a proxy that sends by `families`.
    pub fn new(path: impl Into<PathBuf>, families: Families) -> Self {
        Self {
            path: path.into(),
            families,
            rules: ListRules::default(),
        }
    }

    /// The same with rules.
    #[must_use]
    pub fn with_rules(self, rules: ListRules) -> Self {
        Self { rules, ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it and resolves names, one after another: this may take seconds if a name server is
    /// silent.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        self.load_with(resolve)
    }

    /// The address that a URI leads to.
    pub fn resolve(&self, uri: &str) -> Result<SocketAddr, String> {
        let target = Target::parse(uri).map_err(|error| error.to_string())?;
        let mut names = Names::new(self.families, resolve);
        match target.address {
            Some(address) => Ok(address),
            None => names.address(&target.host, target.port),
        }
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
        if let Some(first) = list.left_out.first().filter(|_| self.rules.is_strict) {
            return Err(LoadError::LeftOut(format!("{path}:{first}")));
        }
        let mut loading = Loading {
            rules: &self.rules,
            names: Names::new(self.families, resolve),
            left_out: None,
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
        match loading.left_out.filter(|_| self.rules.is_strict) {
            Some(first) => Err(LoadError::LeftOut(first)),
            None => Ok(loading.loaded),
        }
    }
}

fn resolve(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

/// The names that were resolved: each is asked for once a load.
struct Names<R> {
    families: Families,
    by_host: BTreeMap<Box<str>, Result<SocketAddr, String>>,
    resolve: R,
}

struct Loading<'a, R> {
    path: &'a str,
    rules: &'a ListRules,
    names: Names<R>,
    /// The first destination that was left out, and why.
    left_out: Option<String>,
    loaded: Loaded,
}

impl<R: Fn(&str) -> io::Result<Vec<SocketAddr>>> Loading<'_, R> {
    fn take(&mut self, found: &ListEntry) {
        let mut entry = found.entry.clone();
        if let Err(cause) = self.check_sockets(&entry.attributes) {
            return self.leave_out(found, cause);
        }
        match entry.address {
            Some(address) if self.names.families.has(address) => {}
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
            None => match self.names.address(&found.host, found.port) {
                Ok(address) => entry.address = Some(address),
                Err(cause) => return self.leave_out(found, cause),
            },
        }
        if let Some(cause) = self.find_proxy(&mut entry.attributes) {
            let message = format!("{} gets no keepalives: {cause}", entry.uri);
            self.warn(found, message);
        }
        if self.rules.has_attrs_none && entry.attributes.body.is_empty() {
            entry.attributes.body = "none=yes".into();
        }
        self.loaded.entries.push(entry);
    }

    /// Whether the sockets that a destination names are ours.
    fn check_sockets(&self, attributes: &Attributes) -> Result<(), String> {
        let listeners = &self.rules.listeners;
        if listeners.is_empty() {
            return Ok(());
        }
        if let Some(name) = attributes.sockname.as_deref()
            && !listeners.iter().any(|one| one.is_named(name))
        {
            return Err(format!("no listen address has the name {name}"));
        }
        for socket in [&attributes.socket, &attributes.ping_socket] {
            let Some(socket) = socket.as_deref() else {
                continue;
            };
            let address = Listener::parse_address(socket)
                .ok_or_else(|| format!("the socket {socket} is not udp:IP:PORT"))?;
            if !listeners.iter().any(|one| one.may_become(address)) {
                return Err(format!("{socket} is not a listen address"));
            }
        }
        Ok(())
    }

    /// Resolves the name of an `obproxy`; returns why there is no address.
    fn find_proxy(&mut self, attributes: &mut Attributes) -> Option<String> {
        let uri = attributes.obproxy.as_deref()?;
        // What is no URI has been told when it was read.
        let target = Target::parse(uri).ok()?;
        if attributes.obproxy_address.is_some() {
            return None;
        }
        match self.names.address(&target.host, target.port) {
            Ok(address) => attributes.obproxy_address = Some(address),
            Err(cause) => return Some(format!("obproxy: {cause}")),
        }
        None
    }

    fn leave_out(&mut self, found: &ListEntry, cause: impl fmt::Display) {
        let message = format!("{} left out: {cause}", found.entry.uri);
        self.warn(found, message);
        if self.left_out.is_none() {
            self.left_out = self.loaded.warnings.last().cloned();
        }
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

impl<R: Fn(&str) -> io::Result<Vec<SocketAddr>>> Names<R> {
    fn new(families: Families, resolve: R) -> Self {
        Self {
            families,
            by_host: BTreeMap::new(),
            resolve,
        }
    }

    /// The first address of `host` that can be sent to, with this port.
    fn address(&mut self, host: &str, port: u16) -> Result<SocketAddr, String> {
        let with_port = |mut address: SocketAddr| {
            address.set_port(port);
            address
        };
        if let Some(known) = self.by_host.get(host) {
            return known.clone().map(with_port);
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
        self.by_host.insert(host.into(), found.clone());
        found.map(with_port)
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
        load_by(text, families, ListRules::default())
    }

    fn load_by(text: &str, families: Families, rules: ListRules) -> Result<Loaded, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        let path = file.path().display().to_string();
        ListFile::new(file.path(), families)
            .with_rules(rules)
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
    fn names_of_proxies_are_resolved_like_destinations() {
        let text = "1 sip:192.0.2.9 0 0 obproxy=sip:both.test:5070\n\
                    1 sip:192.0.2.9 0 0 obproxy=sip:gone.test\n";
        let loaded = load(text, V4).expect("good");
        let proxies: Vec<_> = loaded
            .entries
            .iter()
            .map(|entry| entry.attributes.obproxy_address)
            .collect();
        assert_eq!(proxies, ["192.0.2.1:5070".parse().ok(), None]);
        assert_eq!(
            loaded.warnings,
            ["dispatcher.list:2:3: sip:192.0.2.9 gets no keepalives: \
                 obproxy: cannot resolve gone.test: no such name"]
        );
        let source = ListFile::new("/nonexistent", V4);
        let address = source.resolve("sip:localhost:5070");
        assert_eq!(address, Ok("127.0.0.1:5070".parse().expect("an address")));
    }

    #[test]
    fn a_socket_that_is_not_ours_leaves_its_destination_out() {
        let listener = |text: &str| Listener::from(text.parse::<SocketAddr>().expect(text));
        let named = Listener {
            name: Some("inner".into()),
            ..listener("10.0.0.1:5060")
        };
        let rules = ListRules {
            listeners: vec![named, listener("10.0.0.2:0"), listener("[::]:5060")],
            ..ListRules::default()
        };
        let loads = |attributes: &str| {
            let text = format!("1 sip:192.0.2.1 0 0 {attributes}");
            let loaded = load_by(&text, V4, rules.clone()).expect("a list");
            assert_eq!(loaded.entries.is_empty(), !loaded.warnings.is_empty());
            !loaded.entries.is_empty()
        };
        for good in [
            "sockname=inner",
            "socket=udp:10.0.0.1:5060",
            "socket=udp:10.0.0.2:7777",
            "ping_socket=udp:[::1]:5060",
        ] {
            assert!(loads(good), "{good}");
        }
        for bad in [
            "sockname=outer",
            "socket=udp:10.0.0.1:5070",
            "socket=udp:10.0.0.3:5060",
            "ping_socket=udp:[::1]:5070",
            "socket=inner",
        ] {
            assert!(!loads(bad), "{bad}");
        }
    }

    #[test]
    fn load_mode_1_takes_all_or_nothing() {
        let strict = || ListRules {
            is_strict: true,
            ..ListRules::default()
        };
        for (text, error) in [
            (
                "1 sip:192.0.2.1\n1 sip:gone.test\n",
                "dispatcher.list:2:3: sip:gone.test left out: cannot resolve gone.test: no such name",
            ),
            (
                "1 sip:192.0.2.1\n1 sips:192.0.2.2\n",
                "dispatcher.list:2:3: sips:192.0.2.2 left out: sips: (TLS) is not supported yet, \
                 only UDP is",
            ),
        ] {
            assert_eq!(load_by(text, V4, strict()).expect_err(text), error);
            assert_eq!(load(text, V4).expect(text).entries.len(), 1);
        }
        let odd = "1 sip:192.0.2.1 0 0 weight=101\n";
        let loaded = load_by(odd, V4, strict()).expect("only odd");
        assert_eq!((loaded.entries.len(), loaded.warnings.len()), (1, 1));
    }

    #[test]
    fn attrs_none_marks_destinations_without_attributes() {
        let text = "1 sip:192.0.2.1\n1 sip:192.0.2.1 0 0 duid=a\n";
        let rules = ListRules {
            has_attrs_none: true,
            ..ListRules::default()
        };
        let bodies = |loaded: Loaded| -> Vec<String> {
            let entries = loaded.entries.iter();
            entries
                .map(|entry| entry.attributes.body.to_string())
                .collect()
        };
        assert_eq!(bodies(load(text, V4).expect("good")), ["", "duid=a"]);
        let marked = load_by(text, V4, rules).expect("good");
        assert_eq!(bodies(marked), ["none=yes", "duid=a"]);
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
