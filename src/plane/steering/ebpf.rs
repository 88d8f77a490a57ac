//! Steering by eBPF: a program that finds the Call-ID of a datagram, computes its owner's number as
//! [`Ownership`] does, and takes the socket of this number from a map.
//!
//! Owns: the program's text, the layout of its desk. May touch: memory only.
//!
//! The datagram's head is copied to the **desk**, an element of a per-CPU array that also has the
//! counters. It is searched for line ends eight bytes at a time; what begins behind each is compared
//! with `Call-ID` and `i` in any case, and a colon, with blanks before it or without. The value ends
//! at the first byte up to blank; a value that is folded or has blanks inside is steered by its first
//! word, which is nothing that a Call-ID may be (RFC 3261 25.1).
//!
//! The verifier follows every way through a loop until it meets a state that it has seen. So that it
//! meets one, offsets are made unknown to it at the head of a loop by adding a zero that lies in the
//! map, and then bounded anew.

use super::assembler::Label;
use super::extended::{Assembler, FRAME, Helper, Instruction, Op, Reg, Size, Test};
use crate::load::Ownership;
use crate::load::owner::first_state;

/// Why a datagram went by the kernel's own hash, or that it did not: places of counters on the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went to the owner.
    Steered = 0,
    /// It is too short for a message: a keepalive, as a rule.
    Short = 1,
    /// It has no Call-ID.
    NoCallId = 2,
    /// It has none in its first [`SCANNED_BYTES`].
    OutOfReach = 3,
    /// The Call-ID is longer than [`CALL_ID_BYTES`].
    TooLong = 4,
    /// The owner has no socket.
    NoSocket = 5,
    /// The kernel did not give its bytes.
    Unread = 6,
}

/// Number of outcomes.
pub const OUTCOMES: usize = 7;

/// Their names, for people.
pub const OUTCOME_NAMES: [&str; OUTCOMES] = [
    "STEERED",
    "SHORT",
    "NO_CALL_ID",
    "OUT_OF_REACH",
    "TOO_LONG",
    "NO_SOCKET",
    "UNREAD",
];

/// How much of a datagram is searched.
pub const SCANNED_BYTES: i32 = 2048;
/// The longest Call-ID.
pub const CALL_ID_BYTES: i32 = 131;
/// Steps of the search: eight bytes each, and one more for each line.
const MOST_STEPS: i32 = SCANNED_BYTES / 8 + 128;
/// Blanks before the colon, and behind it.
const MOST_BLANKS: i32 = 8;
/// Less can be no message with a Call-ID: this is the bare header in the shortest request.
const LEAST_BYTES: i32 = 20;
const UDP_HEADER_BYTES: i32 = 8;
/// Offset of `len` in `struct sk_reuseport_md`.
const CONTEXT_LEN: i16 = 16;
/// What the program returns: the kernel goes on with the socket that was selected, or its own.
const PASS: i32 = 1;

/// On the desk: the counters, a zero, the text with what may be read behind its end.
const ZERO: i16 = 64;
const TEXT: i16 = 72;
/// Bytes of the desk.
pub const DESK_BYTES: u32 = (TEXT as i32 + SCANNED_BYTES + 256) as u32;

/// On the stack.
const KEY: i16 = -4;
const PLACE: i16 = -16;
const LEN: i16 = -24;

const R0: Reg = Reg(0);
const R1: Reg = Reg(1);
const R2: Reg = Reg(2);
const R3: Reg = Reg(3);
const R4: Reg = Reg(4);
const R5: Reg = Reg(5);
const CONTEXT: Reg = Reg(6);
const DESK: Reg = Reg(7);
/// While searching: the text's length. While hashing: the value's.
const R8: Reg = Reg(8);
/// While searching: where. While hashing: the address of the next word.
const R9: Reg = Reg(9);

/// The state of the hash, and the word at hand.
const V: [Reg; 4] = [R1, R2, R3, R4];
const WORD: Reg = R5;

const fn everywhere(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The file descriptors of a program's maps.
#[derive(Clone, Copy, Debug)]
pub struct Maps {
    /// A per-CPU array of one element of [`DESK_BYTES`].
    pub desk: i32,
    /// The sockets, in the order of the shards.
    pub sockets: i32,
}

/// Where a program goes when it cannot steer.
struct Exits {
    outcomes: [Label; OUTCOMES],
    pass: Label,
}

impl Exits {
    fn to(&self, outcome: Outcome) -> Label {
        self.outcomes[outcome as usize]
    }
}

/// The program.
pub fn program(ownership: &Ownership, maps: Maps) -> Vec<Instruction> {
    let mut a = Assembler::default();
    let exits = Exits {
        outcomes: std::array::from_fn(|_| a.label()),
        pass: a.label(),
    };
    fetch(&mut a, maps, &exits);
    search(&mut a, &exits);
    hash(&mut a, ownership, &exits);
    select(&mut a, ownership, maps, &exits);
    for (number, label) in exits.outcomes.into_iter().enumerate() {
        a.place(label);
        a.load(Size::U64, R1, DESK, number as i16 * 8);
        a.op(Op::Add, R1, 1);
        a.store(Size::U64, DESK, number as i16 * 8, R1);
        a.go(exits.pass);
    }
    a.place(exits.pass);
    a.op(Op::Mov, R0, PASS);
    a.exit();
    a.finish()
}

/// Brings the head of the datagram onto the desk, with zeros behind it; its length into `R8`.
fn fetch(a: &mut Assembler, maps: Maps, exits: &Exits) {
    a.op_reg(Op::Mov, CONTEXT, R1);
    a.store_number(Size::U32, FRAME, KEY, 0);
    a.map(R1, maps.desk);
    a.op_reg(Op::Mov, R2, FRAME);
    a.op(Op::Add, R2, i32::from(KEY));
    a.call(Helper::MapLookup);
    a.test(Test::Equal, R0, 0, exits.pass);
    a.op_reg(Op::Mov, DESK, R0);

    let fits = a.label();
    a.load(Size::U32, R8, CONTEXT, CONTEXT_LEN);
    let least = UDP_HEADER_BYTES + LEAST_BYTES;
    a.test(Test::Below, R8, least, exits.to(Outcome::Short));
    a.op(Op::Sub, R8, UDP_HEADER_BYTES);
    a.test(Test::Below, R8, SCANNED_BYTES + 1, fits);
    a.op(Op::Mov, R8, SCANNED_BYTES);
    a.place(fits);
    a.op_reg(Op::Mov, R1, CONTEXT);
    a.op(Op::Mov, R2, UDP_HEADER_BYTES);
    a.op_reg(Op::Mov, R3, DESK);
    a.op(Op::Add, R3, i32::from(TEXT));
    a.op_reg(Op::Mov, R4, R8);
    a.call(Helper::LoadBytes);
    a.test(Test::Unequal, R0, 0, exits.to(Outcome::Unread));

    // What lies there of the datagram before must not be read as part of this one.
    a.op_reg(Op::Mov, R1, DESK);
    a.op_reg(Op::Add, R1, R8);
    a.store_number(Size::U64, R1, TEXT, 0);
    a.store_number(Size::U64, R1, TEXT + 8, 0);
}

/// Searches the lines; falls out of its end with the value's place in `R9`.
fn search(a: &mut Assembler, exits: &Exits) {
    let (step, line, value, missing) = (a.label(), a.label(), a.label(), a.label());
    let counter = R5;
    a.op(Op::Mov, counter, 0);
    a.op(Op::Mov, R9, 0);

    a.place(step);
    a.test(
        Test::AtLeast,
        counter,
        MOST_STEPS,
        exits.to(Outcome::OutOfReach),
    );
    a.op(Op::Add, counter, 1);
    forget(a, R9);
    a.test_reg(Test::AtLeast, R9, R8, missing);
    a.op_reg(Op::Mov, R1, DESK);
    a.op_reg(Op::Add, R1, R9);
    a.load(Size::U64, R0, R1, TEXT);
    a.wide(R2, everywhere(b'\n'));
    a.op_reg(Op::Xor, R0, R2);
    a.op_reg(Op::Mov, R3, R0);
    a.wide(R2, everywhere(1));
    a.op_reg(Op::Sub, R3, R2);
    a.op(Op::Xor, R0, -1);
    a.op_reg(Op::And, R3, R0);
    a.wide(R2, everywhere(0x80));
    a.op_reg(Op::And, R3, R2);
    a.test(Test::Unequal, R3, 0, line);
    a.op(Op::Add, R9, 8);
    a.go(step);

    a.place(line);
    // The lowest mark: the first line end. Alone it is 1 << (8 * number).
    a.op_reg(Op::Mov, R0, R3);
    a.op(Op::Neg, R0, 0);
    a.op_reg(Op::And, R0, R3);
    a.op(Op::Rsh, R0, 7);
    a.wide(R2, 0x0001_0203_0405_0607);
    a.op_reg(Op::Mul, R0, R2);
    a.op(Op::Rsh, R0, 56);
    a.op(Op::And, R0, 7);
    a.op_reg(Op::Add, R1, R0);
    a.op_reg(Op::Add, R9, R0);
    a.op(Op::Add, R9, 1);
    compare(a, step, value);

    a.place(missing);
    a.load(Size::U32, R1, CONTEXT, CONTEXT_LEN);
    a.op(Op::Sub, R1, UDP_HEADER_BYTES);
    a.test_reg(Test::Above, R1, R8, exits.to(Outcome::OutOfReach));
    a.go(exits.to(Outcome::NoCallId));

    a.place(value);
    forget(a, R9);
    a.test_reg(Test::AtLeast, R9, R8, exits.to(Outcome::NoCallId));
    skip_blanks(a);
}

/// Is the line that begins behind `R1` (at `R9`) the one? On to `value` with the place behind the
/// colon, or back to `step`.
fn compare(a: &mut Assembler, step: Label, value: Label) {
    let (long, short, name) = (a.label(), a.label(), a.label());
    a.load(Size::U64, R3, R1, TEXT + 1);
    a.wide(R2, everywhere(0x20));
    a.op_reg(Op::Or, R3, R2);
    a.wide(R2, u64::from_le_bytes(*b"call-id:"));
    a.test_reg(Test::Equal, R3, R2, long);
    a.op_reg(Op::Mov, R0, R3);
    a.op(Op::And, R0, 0xffff);
    let colon = i32::from(u16::from_le_bytes(*b"i:"));
    a.test(Test::Equal, R0, colon, short);

    // Is it only the colon that does not follow at once?
    let long_name = a.label();
    a.op(Op::Lsh, R3, 8);
    a.op(Op::Lsh, R2, 8);
    a.test_reg(Test::Equal, R3, R2, long_name);
    a.op(Op::And, R0, 0xff);
    a.test(Test::Unequal, R0, i32::from(b'i'), step);
    a.op(Op::Add, R9, "i".len() as i32);
    a.go(name);
    a.place(long_name);
    a.op(Op::Add, R9, "Call-ID".len() as i32);
    a.place(name);
    forget(a, R9);
    a.test_reg(Test::AtLeast, R9, R8, step);
    skip_blanks(a);
    a.test(Test::Unequal, R0, i32::from(b':'), step);
    a.op(Op::Add, R9, 1);
    a.go(value);

    a.place(long);
    a.op(Op::Add, R9, "Call-ID:".len() as i32);
    a.go(value);
    a.place(short);
    a.op(Op::Add, R9, "i:".len() as i32);
    a.go(value);
}

/// Moves `R9` on to the next byte that is neither blank nor tab, and loads it into `R0`. Of too many
/// blanks it is the last.
fn skip_blanks(a: &mut Assembler) {
    let done = a.label();
    a.op_reg(Op::Mov, R1, DESK);
    a.op_reg(Op::Add, R1, R9);
    for _ in 0..MOST_BLANKS {
        let blank = a.label();
        a.load(Size::U8, R0, R1, TEXT);
        a.test(Test::Equal, R0, i32::from(b' '), blank);
        a.test(Test::Unequal, R0, i32::from(b'\t'), done);
        a.place(blank);
        a.op(Op::Add, R9, 1);
        a.op(Op::Add, R1, 1);
    }
    a.place(done);
}

/// Makes an offset unknown to the verifier, without changing it: whatever was known of it, it now is
/// anything from 0 to 4095.
fn forget(a: &mut Assembler, offset: Reg) {
    a.load(Size::U32, R2, DESK, ZERO);
    a.op_reg(Op::Add, offset, R2);
    a.op(Op::And, offset, 4095);
}

/// The hash of the value at `R9`, into `R0`.
fn hash(a: &mut Assembler, ownership: &Ownership, exits: &Exits) {
    let (next, whole, end) = (a.label(), a.label(), a.label());
    forget(a, R9);
    a.test_reg(Test::AtLeast, R9, R8, exits.to(Outcome::NoCallId));
    a.store(Size::U64, FRAME, PLACE, R9);
    a.store(Size::U64, FRAME, LEN, R8);
    a.op_reg(Op::Add, R9, DESK);
    a.op(Op::Mov, R8, 0);
    for (reg, word) in V.into_iter().zip(first_state(ownership.seed())) {
        a.op32(Op::Mov, reg, word);
    }

    a.place(next);
    a.test(
        Test::Above,
        R8,
        CALL_ID_BYTES & !3,
        exits.to(Outcome::TooLong),
    );
    a.load(Size::U32, WORD, R9, TEXT);
    a.op32_reg(Op::Mov, R0, WORD);
    a.op32(Op::Sub, R0, 0x2121_2121);
    a.op32(Op::And, R0, 0x8080_8080);
    a.test(Test::Equal, R0, 0, whole);
    // Bytes up to blank, or such beyond ASCII; the latter are none.
    a.op32(Op::Xor, WORD, u32::MAX);
    a.op32_reg(Op::And, R0, WORD);
    a.op32(Op::Xor, WORD, u32::MAX);
    a.test(Test::Unequal, R0, 0, end);
    a.place(whole);
    absorb(a);
    a.op(Op::Add, R9, 4);
    a.op(Op::Add, R8, 4);
    a.go(next);

    a.place(end);
    last_word(a, exits);
    a.op32(Op::Xor, V[2], 0xff);
    for _ in 0..3 {
        round(a);
    }
    a.op32_reg(Op::Mov, R0, V[1]);
    a.op32_reg(Op::Xor, R0, V[3]);
}

/// Cuts the word at the first mark in `R0`, and mixes in what is left, with the length.
fn last_word(a: &mut Assembler, exits: &Exits) {
    let complete = a.label();
    // The lowest mark alone is 1 << (8 * number) then; less one, it masks what is before it.
    a.op32_reg(Op::Mov, R9, R0);
    a.op32(Op::Neg, R9, 0);
    a.op32_reg(Op::And, R0, R9);
    a.op32(Op::Rsh, R0, 7);
    a.op32_reg(Op::Mov, R9, R0);
    a.op32(Op::Sub, R9, 1);
    a.op32_reg(Op::And, WORD, R9);
    a.op32(Op::Mul, R0, 0x0001_0203);
    a.op32(Op::Rsh, R0, 24);
    a.op32_reg(Op::Add, R8, R0);

    // A value that ends where our copy does may go on in the datagram.
    a.load(Size::U64, R9, FRAME, PLACE);
    a.op_reg(Op::Add, R9, R8);
    a.load(Size::U64, R0, FRAME, LEN);
    a.test_reg(Test::Below, R9, R0, complete);
    a.load(Size::U32, R9, CONTEXT, CONTEXT_LEN);
    a.op(Op::Sub, R9, UDP_HEADER_BYTES);
    a.test_reg(Test::Above, R9, R0, exits.to(Outcome::OutOfReach));
    a.place(complete);
    a.op32(Op::Lsh, R8, 24);
    a.op32_reg(Op::Or, WORD, R8);
    absorb(a);
}

/// Mixes the word at hand into the state.
fn absorb(a: &mut Assembler) {
    a.op32_reg(Op::Xor, V[3], WORD);
    round(a);
    a.op32_reg(Op::Xor, V[0], WORD);
}

/// One round over the state.
fn round(a: &mut Assembler) {
    let [v0, v1, v2, v3] = V;
    a.op32_reg(Op::Add, v0, v1);
    rotate(a, v1, 5);
    a.op32_reg(Op::Xor, v1, v0);
    rotate(a, v0, 16);
    a.op32_reg(Op::Add, v2, v3);
    rotate(a, v3, 8);
    a.op32_reg(Op::Xor, v3, v2);
    a.op32_reg(Op::Add, v0, v3);
    rotate(a, v3, 7);
    a.op32_reg(Op::Xor, v3, v0);
    a.op32_reg(Op::Add, v2, v1);
    rotate(a, v1, 13);
    a.op32_reg(Op::Xor, v1, v2);
    rotate(a, v2, 16);
}

fn rotate(a: &mut Assembler, reg: Reg, bits: u32) {
    a.op32_reg(Op::Mov, R0, reg);
    a.op32(Op::Lsh, R0, bits);
    a.op32(Op::Rsh, reg, 32 - bits);
    a.op32_reg(Op::Or, reg, R0);
}

/// From the hash in `R0` to the owner's socket.
fn select(a: &mut Assembler, ownership: &Ownership, maps: Maps, exits: &Exits) {
    a.op32(Op::And, R0, ownership.slots() - 1);
    a.op(Op::Mul, R0, ownership.shards() as i32);
    a.op(Op::Rsh, R0, ownership.hash_size() as i32);
    a.store(Size::U32, FRAME, KEY, R0);
    a.op_reg(Op::Mov, R1, CONTEXT);
    a.map(R2, maps.sockets);
    a.op_reg(Op::Mov, R3, FRAME);
    a.op(Op::Add, R3, i32::from(KEY));
    a.op(Op::Mov, R4, 0);
    a.call(Helper::SelectReuseport);
    a.test(Test::Unequal, R0, 0, exits.to(Outcome::NoSocket));
    a.go(exits.to(Outcome::Steered));
}
