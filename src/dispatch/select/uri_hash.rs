//! The key of a URI, for the algorithms that hash one: its user, and its host with the port unless
//! that is the scheme's own.

use super::SelectError;
use crate::dispatch::hash;
use crate::sip::{Scheme, Uri};

/// The parts of a URI that are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UriKey<'a> {
    /// The user, without password; empty if there is none.
    pub(super) user: &'a [u8],
    /// Host and port as written; empty if only the user counts.
    pub(super) host: &'a [u8],
}

impl<'a> UriKey<'a> {
    /// The key of a URI; with `user_only` its user alone (parameter `flags`, bit 1).
    pub(super) fn of(uri: &'a [u8], user_only: bool) -> Result<Self, SelectError> {
        let uri = Uri::parse(uri).map_err(|_| SelectError::NoKey)?;
        let user = uri.name().unwrap_or_default();
        let mut own_port = match uri.scheme {
            Scheme::Sip | Scheme::Tel => 5060,
            Scheme::Sips => 5061,
            Scheme::Other => return Err(SelectError::NoKey),
        };
        if uri.is_phone() {
            // The peers cut the parameters of the number off, and think of the port of `tel:`.
            own_port = 5060;
        }
        let has_other_port = uri.port.is_some_and(|port| port != own_port);
        Ok(Self {
            user,
            host: if user_only {
                b""
            } else if has_other_port {
                host_and_port(&uri)
            } else {
                uri.host
            },
        })
    }

    /// The peers' number for it.
    pub(super) fn hash(self) -> u32 {
        hash::hash(self.user, Some(self.host))
    }
}

/// `host:port` as it stands in the URI.
fn host_and_port<'a>(uri: &Uri<'a>) -> &'a [u8] {
    let from = memchr::memchr(b'@', uri.rest).map_or(0, |at| at + 1);
    let length = uri.host.len() + 1 + uri.port_text.len();
    &uri.rest[from..from + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uri: &str) -> (&str, &str) {
        let key = UriKey::of(uri.as_bytes(), false).unwrap();
        let text = |part| std::str::from_utf8(part).unwrap();
        (text(key.user), text(key.host))
    }

    #[test]
    fn user_host_and_a_port_of_their_own_are_hashed() {
        for (uri, expected) in [
            ("sip:alice@example.com", ("alice", "example.com")),
            (
                "sip:alice:secret@Example.com;lr?a=b",
                ("alice", "Example.com"),
            ),
            ("sip:alice@example.com:5060", ("alice", "example.com")),
            (
                "sip:alice@example.com:5070;x",
                ("alice", "example.com:5070"),
            ),
            ("sips:alice@example.com:5061", ("alice", "example.com")),
            ("sips:alice@example.com:5060", ("alice", "example.com:5060")),
            ("sip:+1555;ext=7@h", ("+1555;ext=7", "h")),
            ("sip:+1555;ext=7@h;user=phone", ("+1555", "h")),
            ("sip:+1555;ext=7@h;user=PHONE", ("+1555;ext=7", "h")),
            ("sips:+1555@h:5060;x;user=phone", ("+1555", "h")),
            ("sips:+1555@h:5061;user=phone", ("+1555", "h:5061")),
            ("sip:[2001:DB8::1]:5070", ("", "[2001:DB8::1]:5070")),
            ("sip:[::1]", ("", "[::1]")),
            ("tel:+1-201-555-0123;x=y", ("+1-201-555-0123", "")),
        ] {
            assert_eq!(key(uri), expected, "{uri}");
        }
        for uri in ["", "sip:", "urn:service:sos", "alice"] {
            assert_eq!(
                UriKey::of(uri.as_bytes(), false),
                Err(SelectError::NoKey),
                "{uri}"
            );
        }
    }

    #[test]
    fn the_numbers_are_the_peers() {
        let hash = |uri: &str, user_only| UriKey::of(uri.as_bytes(), user_only).unwrap().hash();
        assert_eq!(hash("sip:alice@example.com", false), 1_442_294_598);
        assert_eq!(hash("sip:alice@example.com:5070", false), 4_164_596_482);
        assert_eq!(hash("sip:example.com", false), 3_905_729_897);
        assert_eq!(hash("sip:alice@example.com", true), 1_834_153_949);
    }
}
