use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn handoff(bytes: &[u8]) -> Handoff<'_> {
    Handoff {
        kind: Kind::Arrived,
        socket: 1,
        address: "192.0.2.7:5060".parse().unwrap(),
        received: Timestamp::from_secs(5),
        read: Timestamp::from_nanos(1 << 40),
        bytes,
    }
}

#[test]
fn a_message_of_the_largest_size_fits_the_smallest_ring() {
    let (mut sender, mut receiver) = ring(ring_bytes(64));
    let bytes = vec![7; 65_535];
    for _ in 0..5 {
        assert!(sender.push(&handoff(&bytes)));
        assert_eq!(receiver.pop(|got| got == handoff(&bytes)), Some(true));
    }
}

#[test]
fn a_full_ring_takes_nothing_and_loses_nothing() {
    let (mut sender, mut receiver) = ring(HEADER_BYTES * 2 + 10);
    assert!(sender.push(&handoff(b"12345")));
    assert!(!sender.push(&handoff(b"123456")));
    assert!(sender.push(&handoff(b"54321")));
    assert!(!sender.push(&handoff(b"")));
    assert_eq!(
        receiver.pop(|got| got.bytes.to_vec()),
        Some(b"12345".to_vec())
    );
    assert_eq!(
        receiver.pop(|got| got.bytes.to_vec()),
        Some(b"54321".to_vec())
    );
    assert_eq!(receiver.pop(|got| got.bytes.to_vec()), None);
    assert!(receiver.is_empty());
}

#[test]
fn a_message_that_makes_the_reader_panic_is_met_once() {
    let (mut sender, mut receiver) = ring(1_000);
    sender.push(&handoff(b"bad"));
    sender.push(&handoff(b"good"));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        receiver.pop(|_| panic!("by this test"))
    }));
    assert!(caught.is_err());
    assert_eq!(
        receiver.pop(|got| got.bytes.to_vec()),
        Some(b"good".to_vec())
    );
}

#[test]
fn rings_stay_within_their_common_bound() {
    assert_eq!(ring_bytes(1), MOST_RING_BYTES);
    assert_eq!(ring_bytes(2), MOST_RING_BYTES);
    assert!(ring_bytes(12) * 12 * 11 <= ALL_RINGS_BYTES);
    assert_eq!(ring_bytes(1_000), LEAST_RING_BYTES);
}

type Message = (bool, SocketId, SocketAddr, u64, Vec<u8>);

fn view((undelivered, socket, address, received, bytes): &Message) -> Handoff<'_> {
    Handoff {
        kind: if *undelivered {
            Kind::Undelivered
        } else {
            Kind::Arrived
        },
        socket: *socket,
        address: *address,
        received: Timestamp::from_nanos(*received),
        read: Timestamp::from_nanos(received.rotate_left(32)),
        bytes,
    }
}

proptest! {
    /// Whatever the order of pushes and pops, and wherever messages wrap, the ring is a queue.
    #[test]
    fn the_ring_is_a_queue(steps: Vec<Option<Message>>) {
        let (mut sender, mut receiver) = ring(300);
        let size = |message: &&Message| HEADER_BYTES + message.4.len();
        let mut model = VecDeque::new();
        for step in &steps {
            if let Some(message) = step {
                let taken: usize = model.iter().map(size).sum();
                let fits = size(&message) <= 300 - taken;
                prop_assert_eq!(sender.push(&view(message)), fits);
                if fits {
                    model.push_back(message);
                }
            } else {
                let expected = model.pop_front();
                let same = receiver.pop(|got| expected.map(|one| view(one) == got));
                prop_assert_eq!(same, expected.map(|_| Some(true)));
            }
        }
    }
}

#[test]
fn only_an_owner_that_sleeps_is_woken_and_only_once() {
    let poll = mio::Poll::new().unwrap();
    let sleeper = Sleeper::new(&poll, mio::Token(0)).unwrap();
    assert!(!sleeper.notify());
    sleeper.lie_down();
    assert!(sleeper.notify());
    assert!(!sleeper.notify());
    sleeper.lie_down();
    sleeper.get_up();
    assert!(!sleeper.notify());
}

/// The owner goes to sleep without a time limit (but for the test's patience) as soon as it finds
/// nothing. The producer gives it one message at a time and waits for its answer, so that no later
/// message can make up for a lost wake. Both take their time in changing measure, so that the message
/// meets the owner at every point of its way to sleep.
#[test]
fn no_wake_is_lost() {
    const MESSAGES: u32 = 150_000;
    let (mut sender, mut receiver) = ring(4_096);
    let mut poll = mio::Poll::new().unwrap();
    let sleeper = Arc::new(Sleeper::new(&poll, mio::Token(0)).unwrap());
    let answered = Arc::new(AtomicU32::new(0));
    let producer = std::thread::spawn({
        let (sleeper, answered) = (Arc::clone(&sleeper), Arc::clone(&answered));
        move || {
            let mut wakes = 0_u32;
            for i in 0..MESSAGES {
                assert!(sender.push(&handoff(&i.to_ne_bytes())));
                wakes += u32::from(sleeper.notify());
                let give_up = Instant::now() + Duration::from_secs(60);
                for spins in 1_u32.. {
                    if answered.load(Ordering::Acquire) > i {
                        break;
                    }
                    // Where the two share a core the owner needs it.
                    if spins.is_multiple_of(4_096) {
                        assert!(Instant::now() < give_up, "no answer to message {i}");
                        std::thread::yield_now();
                    }
                }
                dawdle(i % 61);
            }
            wakes
        }
    });
    let mut events = mio::Events::with_capacity(4);
    let mut expected = 0;
    while expected < MESSAGES {
        while let Some(got) = receiver.pop(|got| got.bytes.to_vec()) {
            assert_eq!(got, expected.to_ne_bytes());
            expected += 1;
            answered.store(expected, Ordering::Release);
        }
        dawdle(expected % 67);
        sleeper.lie_down();
        if expected < MESSAGES && receiver.is_empty() {
            let patience = Duration::from_secs(20);
            poll.poll(&mut events, Some(patience)).unwrap();
            assert!(!events.is_empty(), "slept through message {expected}");
        }
        sleeper.get_up();
    }
    let wakes = producer.join().unwrap();
    assert!(wakes > 0, "the owner never slept: nothing was tested");
}

fn dawdle(turns: u32) {
    for _ in 0..turns {
        std::hint::black_box(turns);
    }
}
