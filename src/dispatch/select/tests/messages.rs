//! Algorithms that hash something of the message.

use super::*;
use crate::sip::{HeaderIndex, scan};

const MESSAGE: &str = "INVITE sip:carol@chicago.com:5070 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
    From: \"A\" <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob:secret@example.com:5070;lr>\r\n\
    Call-ID: alice\r\nCSeq: 1 INVITE\r\n\
    Authorization: Digest username=\"sip:alice@example.com\", realm=\"x\"\r\n\r\n";

/// Where a message goes, of 1,000 destinations.
fn hashed(message: &str, algorithm: u32, keys: &Keys<'_>) -> Result<usize, SelectError> {
    let mut index = HeaderIndex::new();
    let message = scan(message.as_bytes(), &mut index).unwrap();
    let keys = Keys {
        message: Some(message),
        ..*keys
    };
    let sets = plain(1_000);
    let selection = select(sets.get(1).unwrap(), algorithm, &keys, NO_DEFAULT);
    selection.map(|selection| place(&selection.destination))
}

fn slot(first: &str, second: &str) -> usize {
    hash::hash(first.as_bytes(), Some(second.as_bytes())) as usize % 1_000
}

#[test]
fn each_algorithm_hashes_its_part_of_the_message() {
    for (algorithm, user, host) in [
        (0, "alice", ""),
        (1, "alice", "example.com"),
        (2, "bob", "example.com:5070"),
        (3, "carol", "chicago.com:5070"),
        (5, "alice", ""),
    ] {
        let taken = hashed(MESSAGE, algorithm, &Keys::default());
        assert_eq!(taken, Ok(slot(user, host)), "algorithm {algorithm}");
    }
}

#[test]
fn the_request_uri_is_the_one_of_now() {
    let keys = Keys {
        request_uri: Some(b"sip:dave@example.com"),
        ..Keys::default()
    };
    assert_eq!(hashed(MESSAGE, 3, &keys), Ok(slot("dave", "example.com")));
}

#[test]
fn a_variable_is_hashed_if_it_has_a_value() {
    let with = |variable| Keys {
        variable,
        ..Keys::default()
    };
    assert_eq!(
        hashed(MESSAGE, 7, &with(Some(b" x y \r\n"))),
        Ok(slot("x y", ""))
    );
    assert_eq!(
        hashed(MESSAGE, 7, &with(Some(b" "))),
        Err(SelectError::NoKey)
    );
    assert_eq!(hashed(MESSAGE, 7, &with(None)), Err(SelectError::NoKey));
    assert_eq!(hashed(MESSAGE, 107, &with(None)), Err(SelectError::NoKey));
}

#[test]
fn the_user_alone_is_hashed_if_so_wished() {
    let mut index = HeaderIndex::new();
    let keys = Keys {
        message: Some(scan(MESSAGE.as_bytes(), &mut index).unwrap()),
        ..Keys::default()
    };
    let options = SelectOptions {
        user_only: true,
        ..NO_DEFAULT
    };
    let sets = plain(1_000);
    for (algorithm, user) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        let selection = select(sets.get(1).unwrap(), algorithm, &keys, options).unwrap();
        assert_eq!(place(&selection.destination), slot(user, ""));
    }
}

#[test]
fn proxy_credentials_come_first_and_without_any_there_is_round_robin() {
    let proxy = "\r\nProxy-Authorization: Digest username=bob\r\n\r\n";
    let both = MESSAGE.replace("\r\n\r\n", proxy);
    assert_eq!(hashed(&both, 5, &Keys::default()), Ok(slot("bob", "")));
    let basic = both.replace("Digest username=bob", "Basic Ym9i");
    assert_eq!(hashed(&basic, 5, &Keys::default()), Ok(slot("alice", "")));
    let none = MESSAGE.replace("Authorization", "X-Authorization");
    let mut index = HeaderIndex::new();
    let keys = Keys {
        message: Some(scan(none.as_bytes(), &mut index).unwrap()),
        ..Keys::default()
    };
    let sets = plain(3);
    for algorithm in [5, 105] {
        let next = || select(sets.get(1).unwrap(), algorithm, &keys, NO_DEFAULT).unwrap();
        let places = [next(), next(), next()].map(|s| place(&s.destination));
        assert_eq!(places, [0, 1, 2]);
    }
}

#[test]
fn what_cannot_be_read_is_no_key() {
    let broken = MESSAGE.replace("<sip:alice@example.com>", "<mailto:alice>");
    assert_eq!(
        hashed(&broken, 1, &Keys::default()),
        Err(SelectError::NoKey)
    );
    for algorithm in [0, 1, 2, 3, 7, 100, 101, 102, 103] {
        let sets = plain(3);
        let keys = Keys::default();
        let selection = select(sets.get(1).unwrap(), algorithm, &keys, NO_DEFAULT);
        assert_eq!(selection.unwrap_err(), SelectError::NoKey);
    }
}

#[test]
fn rendezvous_takes_the_same_parts() {
    let rendezvous = |algorithm| hashed(MESSAGE, algorithm, &Keys::default()).unwrap();
    let by_user = |name: &str| {
        hashed(
            &MESSAGE.replace("sip:alice@ex", name),
            105,
            &Keys::default(),
        )
    };
    assert_eq!(by_user("bob@ex"), by_user("sip:bob@ex"));
    let moved = MESSAGE.replace("carol", "dave");
    assert_eq!(hashed(&moved, 101, &Keys::default()), Ok(rendezvous(101)));
    assert_ne!(hashed(&moved, 103, &Keys::default()), Ok(rendezvous(103)));
    assert_ne!(rendezvous(101), rendezvous(102));
}
