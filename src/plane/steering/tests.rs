//! The programs against [`Ownership::owner`], in machines of our own and in the kernel.

mod classic_machine;
mod extended_machine;
mod in_kernel;

use proptest::prelude::*;

use super::*;
use crate::sip::{HeaderIndex, scan};
use extended_machine::{DESK_MAP, Machine, SOCKETS_MAP};

const MAPS: ebpf::Maps = ebpf::Maps {
    desk: DESK_MAP,
    sockets: SOCKETS_MAP,
};

fn extended(ownership: &Ownership) -> Machine {
    Machine::new(ebpf::program(ownership, MAPS), ownership.shards())
}

/// What the classic program of the best shape says; `None` for a miss.
fn classic(ownership: &Ownership, message: &[u8]) -> Option<u32> {
    let program = cbpf::program(ownership, cbpf::SHAPES[0]);
    let (answer, _) = classic_machine::run(&program, message);
    (answer != cbpf::MISS).then_some(answer)
}

/// Whose a message is by the code that decides it.
fn owner(ownership: &Ownership, message: &[u8]) -> Option<u32> {
    let mut index = HeaderIndex::new();
    let call_id = scan(message, &mut index).ok()?.call_id()?;
    Some(u32::from(ownership.owner(call_id)))
}

/// A message whose header with the Call-ID is `line`, with `before` bytes of other headers before it.
fn message(before: usize, line: &str) -> Vec<u8> {
    let mut text = "INVITE sip:bob@example.com SIP/2.0\r\n".to_owned();
    text += "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n";
    text += "From: \"caller\" <sip:call-id:i:@example.com>;tag=i:1\r\n";
    if before > 0 {
        text = text + "X-Pad: " + &"p".repeat(before) + "\r\n";
    }
    text += line;
    text += "\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    text.into_bytes()
}

fn four() -> Ownership {
    Ownership::new(0x1234_5678_9abc_def0, 16, 4)
}

/// Spellings that both programs know.
const SPELLINGS: [&str; 8] = [
    "Call-ID: ",
    "Call-ID:",
    "CALL-id:  ",
    "call-id:\t",
    "i:",
    "I: ",
    "i:\t ",
    "cAlL-Id: ",
];

#[test]
fn every_length_of_a_call_id_is_steered_to_its_owner_up_to_the_reach() {
    let ownership = Ownership::new(77, 12, 200);
    let mut machine = extended(&ownership);
    for length in 1..=200 {
        let call_id: String = ('!'..='~').cycle().take(length).collect();
        let message = message(0, &format!("Call-ID: {call_id}"));
        let expected = owner(&ownership, &message);
        assert!(expected.is_some());
        let reach = cbpf::SHAPES[0].call_id_bytes() as usize;
        let by_classic = classic(&ownership, &message);
        assert_eq!(by_classic, expected.filter(|_| length <= reach), "{length}");
        let reach = ebpf::CALL_ID_BYTES as usize;
        let by_extended = machine.run(&message);
        assert_eq!(
            by_extended,
            expected.filter(|_| length <= reach),
            "{length}"
        );
    }
    assert_eq!(machine.counts()[ebpf::Outcome::TooLong as usize], 200 - 131);
}

#[test]
fn every_place_of_the_header_is_found_up_to_the_reach() {
    let ownership = four();
    let mut machine = extended(&ownership);
    for (number, spelling) in (0..2_200).zip(SPELLINGS.iter().cycle()) {
        let message = message(number, &format!("{spelling}{number}@192.0.2.1"));
        let end = format!("\n{spelling}");
        let place = message.windows(end.len()).position(|w| w == end.as_bytes());
        let place = place.unwrap();
        let expected = owner(&ownership, &message);
        let by_classic = classic(&ownership, &message);
        if place < cbpf::SHAPES[0].scanned_bytes() as usize {
            assert_eq!(by_classic, expected, "{spelling} at {place}");
        } else {
            assert_eq!(by_classic, None, "{spelling} at {place}");
        }
        let by_extended = machine.run(&message);
        if place + 48 < ebpf::SCANNED_BYTES as usize {
            assert_eq!(by_extended, expected, "{spelling} at {place}");
        } else {
            // A value that is cut off must not be taken for a whole one.
            assert!(by_extended.is_none_or(|found| Some(found) == expected));
        }
    }
    assert!(machine.counts()[ebpf::Outcome::OutOfReach as usize] > 100);
}

#[test]
fn odd_headers_are_right_or_missed() {
    let ownership = four();
    let mut machine = extended(&ownership);
    let lines = [
        ("Call-ID : a@b", true, false),
        ("i : a@b", true, false),
        ("CALL-ID\t :  a@b", true, false),
        ("Call-Info: <sip:x>\r\nCall-ID: a@b", true, true),
        ("X-Call-ID: other\r\nCall-ID: a@b", true, true),
        (
            "Identity: x\r\nIn-Reply-To: y@z.example\r\nI: a@b",
            true,
            true,
        ),
        (
            "Subject: Call-ID:\r\n i: folded\r\nCall-ID: a@b",
            true,
            true,
        ),
        ("Call-ID: a@b  ", true, true),
        (
            "To: \"Zo\u{eb}\" <sip:z@example.com>\r\nCall-ID: a\u{eb}b",
            true,
            false,
        ),
    ];
    for (line, by_extended, by_classic) in lines {
        let message = message(3, line);
        let expected = owner(&ownership, &message);
        assert!(expected.is_some(), "{line}");
        assert_eq!(
            machine.run(&message),
            expected.filter(|_| by_extended),
            "{line}"
        );
        assert_eq!(
            classic(&ownership, &message),
            expected.filter(|_| by_classic),
            "{line}"
        );
    }
}

#[test]
fn what_has_no_call_id_goes_by_the_kernels_hash_and_is_counted() {
    let ownership = four();
    let mut machine = extended(&ownership);
    let without = message(0, "X: y");
    let long = message(3_000, "X: y");
    // The header of another datagram must not be found behind the end of this one.
    assert!(machine.run(&message(0, "Call-ID: a@b")).is_some());
    for packet in [
        &b"\r\n\r\n"[..],
        b"",
        b"\0",
        &without,
        &long,
        &[0xff; 400],
        &[b'\n'; 900],
    ] {
        assert_eq!(machine.run(packet), None);
        assert_eq!(classic(&ownership, packet), None);
    }
    let counts = machine.counts();
    let count = |outcome: ebpf::Outcome| counts[outcome as usize];
    assert_eq!(count(ebpf::Outcome::Steered), 1);
    assert_eq!(count(ebpf::Outcome::Short), 3);
    assert_eq!(count(ebpf::Outcome::OutOfReach), 2);
    assert_eq!(count(ebpf::Outcome::NoCallId), 2);
    let mut fewer = Machine::new(ebpf::program(&ownership, MAPS), 0);
    assert_eq!(fewer.run(&message(0, "Call-ID: a@b")), None);
    assert_eq!(fewer.counts()[ebpf::Outcome::NoSocket as usize], 1);
}

#[test]
fn a_call_id_that_ends_with_the_datagram_is_whole_for_ebpf() {
    let ownership = four();
    let message = b"OPTIONS sip:a@b SIP/2.0\r\ni: 0123456789@192.0.2.1";
    let expected = owner(&ownership, message);
    assert!(expected.is_some());
    assert_eq!(extended(&ownership).run(message), expected);
}

#[test]
fn an_invite_costs_some_hundred_nanoseconds_worth_of_instructions() {
    let ownership = four();
    let message = message(150, "Call-ID: 0123456789abcdef0123456789abcdef@192.0.2.1");
    let mut machine = extended(&ownership);
    machine.run(&message).unwrap();
    let program = cbpf::program(&ownership, cbpf::SHAPES[0]);
    let (_, steps) = classic_machine::run(&program, &message);
    assert!(machine.steps < 2_000, "eBPF: {}", machine.steps);
    assert!(steps < 2_000, "classic: {steps}");
}

prop_compose! {
    fn a_call_id()(text in "[!-9;-~]{1,40}(@[a-z0-9.-]{1,20})?") -> String { text }
}

prop_compose! {
    /// Headers as they come, of which none is a Call-ID. None is so short that classic BPF may pass
    /// over the line that follows.
    fn other_headers()(lines in prop::collection::vec("[A-HJ-Z][A-Za-z-]{2,12}: [ -~]{6,60}", 0..8))
        -> String
    {
        lines.iter().fold(String::new(), |text, line| text + line + "\r\n")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_programs_agree_with_the_shards(
        seed: u64,
        (hash_size, shards) in (1..=20_u32, 2..300_u16),
        call_id in a_call_id(),
        spelling in prop::sample::select(&SPELLINGS[..]),
        before in other_headers(),
        after in other_headers(),
    ) {
        let ownership = Ownership::new(seed, hash_size, shards);
        let message = format!(
            "SIP/2.0 200 OK\r\n{before}{spelling}{call_id}\r\n{after}Content-Length: 0\r\n\r\n"
        );
        let message = message.as_bytes();
        let expected = owner(&ownership, message);
        prop_assert_eq!(extended(&ownership).run(message), expected);
        prop_assert_eq!(classic(&ownership, message), expected);
    }

    /// No bytes stop a machine, lead it astray in memory, or make it name a shard that is not there.
    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let ownership = four();
        let mut machine = extended(&ownership);
        for lines in [false, true] {
            let mut bytes = bytes.clone();
            if lines {
                for byte in bytes.iter_mut().filter(|byte| **byte % 5 == 0) {
                    *byte = b"\nCi:all-ID \r"[usize::from(*byte) / 5 % 12];
                }
            }
            prop_assert!(machine.run(&bytes).is_none_or(|shard| shard < 4));
            prop_assert!(classic(&ownership, &bytes).is_none_or(|shard| shard < 4));
        }
    }
}

#[test]
fn choices_are_read_as_they_are_written() {
    for text in ["auto", "ebpf", "cbpf", "off"] {
        assert_eq!(text.parse::<SteeringChoice>().unwrap().to_string(), text);
    }
    assert!("on".parse::<SteeringChoice>().is_err());
}
