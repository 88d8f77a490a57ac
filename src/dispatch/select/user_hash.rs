//! Algorithm 5: the hash of the user who authorizes himself is the place in the set. Round robin for
//! requests without credentials.

use super::{Algorithm, Frame, SelectError, Start, round_robin};
use crate::dispatch::hash;
use crate::sip::{Message, Name, digest_username};

pub(super) const ALGORITHM: Algorithm =
    Algorithm::new(5, "hash over the authorization user", start);

fn start(frame: &Frame<'_>) -> Result<Start, SelectError> {
    match frame.keys.message.and_then(user) {
        Some(user) => Ok(Start::Slot(hash::hash(user, None))),
        None => round_robin::start(frame),
    }
}

/// The user of the credentials: of Proxy-Authorization if that has any, else of Authorization.
pub(super) fn user(message: Message<'_>) -> Option<&[u8]> {
    let in_header = |name| {
        let line = message.first(name)?;
        digest_username(line.value)
    };
    let username = in_header(Name::ProxyAuthorization).or_else(|| in_header(Name::Authorization));
    username.map(user_part).filter(|user| !user.is_empty())
}

/// `bob` of `sip:bob@example.com`. Names of one or two bytes are taken whole, as the peers do.
fn user_part(username: &[u8]) -> &[u8] {
    let mut user = username;
    if username.len() > 2 {
        let end = memchr::memchr(b'@', username).unwrap_or(username.len());
        let start = memchr::memrchr(b':', &username[..end]).map_or(0, |colon| colon + 1);
        user = &username[start..end];
    }
    hash::trim(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_domain_are_cut_off() {
        for (username, user) in [
            ("bob", "bob"),
            ("bob@example.com", "bob"),
            ("sip:bob@example.com", "bob"),
            ("sip:bob", "bob"),
            (" bob ", "bob"),
            ("a@", "a@"),
            ("@example.com", ""),
            ("a:b:c@d:e", "c"),
        ] {
            assert_eq!(
                user_part(username.as_bytes()),
                user.as_bytes(),
                "{username}"
            );
        }
    }
}
