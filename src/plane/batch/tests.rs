use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::plane::socket::{SocketOptions, bind, bind_group};

fn socket(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = bind(address.parse().unwrap(), SocketOptions::default()).unwrap();
    let bound = socket.local_addr().unwrap();
    (socket, bound)
}

/// Loopback delivers while the sender still sends, so nothing here has to wait for long.
fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < patience, "nothing came for ten seconds");
        std::thread::yield_now();
    }
}

fn receive_all(
    batch: &mut RecvBatch,
    socket: &UdpSocket,
    count: usize,
) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut got = Vec::new();
    until(|| {
        batch.receive(socket).unwrap();
        got.extend(batch.iter().map(|one| (one.source, one.bytes.to_vec())));
        (got.len() >= count).then_some(())
    });
    got
}

fn payload(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31) ^ seed)
        .collect()
}

#[test]
fn datagrams_of_all_sizes_arrive_whole_over_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (receiver, to) = socket(address);
        let (sender, from) = socket(address);
        let sizes = [0, 1, 700, 9_000, 60_000, 65_507];
        let mut outbox = Outbox::new();
        for (seed, size) in sizes.into_iter().enumerate() {
            outbox.send(0, to, |out| out.extend(payload(size, seed as u8)));
        }
        let report = SendBatch::new().send(&[sender], &outbox);
        assert_eq!(
            report,
            SendReport {
                sent: 6,
                congested: 0,
                calls: 1
            }
        );
        let got = receive_all(&mut RecvBatch::new(), &receiver, sizes.len());
        for (seed, size) in sizes.into_iter().enumerate() {
            assert_eq!(got[seed].0, from);
            assert!(
                got[seed].1 == payload(size, seed as u8),
                "datagram of {size} bytes"
            );
        }
    }
}

#[test]
fn more_than_one_batch_keeps_its_order_and_says_that_more_waits() {
    let (receiver, to) = socket("127.0.0.1:0");
    let (sender, _) = socket("127.0.0.1:0");
    let mut outbox = Outbox::new();
    for i in 0..150_u32 {
        outbox.send(0, to, |out| out.extend(i.to_be_bytes()));
    }
    let report = SendBatch::new().send(&[sender], &outbox);
    assert_eq!((report.sent, report.calls), (150, 3));
    let mut batch = RecvBatch::new();
    let mut got = Vec::new();
    let mut calls = 0;
    loop {
        batch.receive(&receiver).unwrap();
        calls += 1;
        got.extend(batch.iter().map(|one| one.bytes.to_vec()));
        if !batch.may_have_more() {
            break;
        }
    }
    let expected: Vec<_> = (0..150_u32).map(|i| i.to_be_bytes().to_vec()).collect();
    assert!(got == expected);
    assert!(
        calls <= 8,
        "the batches grow with the traffic: {calls} calls"
    );
}

#[test]
fn an_empty_socket_is_no_error() {
    let (receiver, _) = socket("127.0.0.1:0");
    let mut batch = RecvBatch::new();
    assert_eq!(batch.receive(&receiver).unwrap(), 0);
    assert!(!batch.may_have_more());
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn packets_leave_by_their_sockets_whatever_the_order() {
    let (receiver, to) = socket("127.0.0.1:0");
    let (first, first_address) = socket("127.0.0.1:0");
    let (second, second_address) = socket("127.0.0.1:0");
    let mut outbox = Outbox::new();
    for i in 0..10_u8 {
        outbox.send(u16::from(i % 2), to, |out| out.push(i));
    }
    let report = SendBatch::new().send(&[first, second], &outbox);
    assert_eq!((report.sent, report.calls), (10, 2));
    let got = receive_all(&mut RecvBatch::new(), &receiver, 10);
    let of = |address| {
        let bytes = got.iter().filter(|(from, _)| *from == address);
        bytes.map(|(_, bytes)| bytes[0]).collect::<Vec<_>>()
    };
    assert_eq!(of(first_address), [0, 2, 4, 6, 8]);
    assert_eq!(of(second_address), [1, 3, 5, 7, 9]);
}

#[test]
fn a_packet_that_cannot_be_sent_fails_alone() {
    let (receiver, to) = socket("127.0.0.1:0");
    let (sender, _) = socket("127.0.0.1:0");
    let mut outbox = Outbox::new();
    outbox.send(0, to, |out| out.push(1));
    // Too large for UDP.
    outbox.send(0, to, |out| out.resize(out.len() + 65_508, 0));
    // The wrong family for this socket.
    outbox.send(0, "[::1]:5060".parse().unwrap(), |out| out.push(3));
    outbox.send(0, to, |out| out.push(4));
    // A socket that does not exist.
    outbox.send(9, to, |out| out.push(5));
    let mut batch = SendBatch::new();
    let report = batch.send(&[sender], &outbox);
    assert_eq!(report.sent, 2);
    let failed: Vec<_> = batch.failures().iter().map(|one| one.packet).collect();
    assert_eq!(failed, [1, 2, 4]);
    assert_eq!(batch.failures()[0].errno, libc::EMSGSIZE);
    let got = receive_all(&mut RecvBatch::new(), &receiver, 2);
    assert_eq!((got[0].1[0], got[1].1[0]), (1, 4));
}

#[test]
fn the_kernels_stamp_lies_between_sending_and_reading() {
    let (receiver, to) = socket("127.0.0.1:0");
    let (sender, _) = socket("127.0.0.1:0");
    // The kernel starts stamping a moment after the first socket asked; until then it stamps late.
    let mut batch = RecvBatch::new();
    let wall_ns = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    };
    let before = wall_ns();
    sender.send_to(b"x", to).unwrap();
    until(|| (batch.receive(&receiver).unwrap() == 1).then_some(()));
    let after = wall_ns();
    let stamp = batch.iter().next().unwrap().stamp_wall_ns.unwrap();
    assert!(
        (before..=after).contains(&stamp),
        "{before} {stamp} {after}"
    );
}

#[test]
fn a_full_receive_buffer_is_counted_by_the_kernel() {
    let options = SocketOptions {
        receive_buffer_bytes: 1,
        ..SocketOptions::default()
    };
    let receiver = bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
    let to = receiver.local_addr().unwrap();
    let (sender, _) = socket("127.0.0.1:0");
    for _ in 0..100 {
        sender.send_to(&[0; 1_000], to).unwrap();
    }
    let mut batch = RecvBatch::new();
    while batch.receive(&receiver).unwrap() > 0 {}
    sender.send_to(&[0; 10], to).unwrap();
    until(|| (batch.receive(&receiver).unwrap() == 1).then_some(()));
    assert!(batch.overflow_count().unwrap() > 50);
}

#[test]
fn a_closed_port_comes_back_with_the_datagram_that_went_there() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (sender, _) = socket(address);
        let (closed, to) = socket(address);
        drop(closed);
        let sent = payload(1_500, 7);
        let mut outbox = Outbox::new();
        outbox.send(0, to, |out| out.extend(&sent));
        SendBatch::new().send(&[&sender], &outbox);
        let mut reader = ErrorReader::new();
        until(|| {
            let error = reader.read(&sender)?;
            assert_eq!((error.to, error.errno), (to, libc::ECONNREFUSED));
            assert!(error.sent.len() > 400, "enough to find the branch in");
            assert!(sent.starts_with(error.sent));
            Some(())
        });
        assert!(reader.read(&sender).is_none());
    }
}

#[test]
fn an_earlier_refusal_is_not_blamed_on_the_next_packet() {
    let (sender, _) = socket("127.0.0.1:0");
    let (receiver, alive) = socket("127.0.0.1:0");
    let (closed, dead) = socket("127.0.0.1:0");
    drop(closed);
    let mut batch = SendBatch::new();
    let mut outbox = Outbox::new();
    for i in 0..20_u8 {
        let to = if i % 2 == 0 { dead } else { alive };
        outbox.send(0, to, |out| out.push(i));
    }
    let report = batch.send(&[&sender], &outbox);
    assert_eq!((report.sent, batch.failures()), (20, [].as_slice()));
    assert!(
        report.calls > 1,
        "the kernel did report refusals in between"
    );
    let got = receive_all(&mut RecvBatch::new(), &receiver, 10);
    let expected: Vec<_> = (0..20).filter(|i| i % 2 == 1).map(|i| vec![i]).collect();
    assert_eq!(
        got.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn the_kernel_spreads_senders_over_a_group() {
    let options = SocketOptions::default();
    let group = bind_group("127.0.0.1:0".parse().unwrap(), 2, options).unwrap();
    let to = group[0].local_addr().unwrap();
    for _ in 0..64 {
        let (sender, _) = socket("127.0.0.1:0");
        sender.send_to(b"x", to).unwrap();
    }
    let mut batch = RecvBatch::new();
    let mut counts = [0, 0];
    until(|| {
        for (socket, count) in group.iter().zip(&mut counts) {
            *count += batch.receive(socket).unwrap();
        }
        (counts.iter().sum::<usize>() == 64).then_some(())
    });
    assert!(counts.iter().all(|&count| count >= 8), "{counts:?}");
}
