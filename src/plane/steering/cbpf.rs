//! Steering without privileges: a classic BPF program that finds the Call-ID of a datagram and
//! computes its owner's number, as [`Ownership`] does.
//!
//! Owns: the program's text. May touch: memory only. Classic BPF has no loops and a program at most
//! 4,096 instructions, so everything is unrolled, and how far it sees is a matter of [`Shape`].
//!
//! **Scan.** The head of the datagram is cut into sections of 12 bytes. Each of the three words of a
//! section is searched for a line end by the usual trick of finding a zero byte: `w ^ 0a0a0a0a`,
//! less one in each byte, makes a top bit of exactly those that were LF (and of some that are not
//! ASCII, which costs a miss). At the first hit the bytes behind it are compared with `Call-ID:` and
//! `i:`, in any case. If it is another header, the search goes on with the next section: two lines
//! that begin in the same 12 bytes would have to be one of less than that, with its line end.
//!
//! **Hash.** Word by word: a word that holds a byte up to blank ends the value. The text is read in
//! network order, so each word is turned round before it is mixed in.
//!
//! What it does not find goes by the kernel's own hash of the addresses: [`MISS`] is the number of no
//! socket.

use super::assembler::Label;
use super::classic::{Assembler, Instruction, Load, Op, Test};
use crate::load::Ownership;
use crate::load::owner::first_state;

/// The answer for a datagram without a Call-ID within reach.
pub const MISS: u32 = u32::MAX;

/// Bytes of a section.
const SECTION_BYTES: u32 = 12;
/// How far beyond its beginning a section may read.
const SECTION_REACH: u32 = SECTION_BYTES + 8;
/// A section that begins beyond the datagram's end hands on to this one after it: as far as a test
/// can lead.
const SECTION_LEAP: usize = 7;
/// Blanks that may stand between colon and value.
const MOST_BLANKS: u32 = 4;

/// Words of M: the state of the hash, the word at hand, the value's place, and its length in the top
/// byte.
const V: [u32; 4] = [0, 1, 2, 3];
const WORD: u32 = 4;
const PLACE: u32 = 5;
const LENGTH: u32 = 6;
const SPARE: u32 = 7;

const LF_EVERYWHERE: u32 = 0x0a0a_0a0a;
const ONE_EVERYWHERE: u32 = 0x0101_0101;
const TOP_BITS: u32 = 0x8080_8080;
/// The least byte that is no blank.
const VISIBLE: u32 = 0x21;
const LOWER_CASE: u32 = 0x2020_2020;

/// How far a program sees. More is better and longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sections of the head of a datagram that are searched.
    pub sections: u32,
    /// Whole words of a Call-ID, at most 60: it may have three bytes more.
    pub words: u32,
}

/// The shapes that are tried, the best first. The kernel's bound is `net.core.optmem_max`: before
/// Linux 6.7 it was 20,480 bytes, which the second fits.
pub const SHAPES: [Shape; 2] = [
    Shape {
        sections: 66,
        words: 16,
    },
    Shape {
        sections: 10,
        words: 10,
    },
];

impl Shape {
    /// Bytes of the head of a datagram in which the header may begin.
    pub const fn scanned_bytes(self) -> u32 {
        self.sections * SECTION_BYTES
    }

    /// The longest Call-ID in bytes.
    pub const fn call_id_bytes(self) -> u32 {
        self.words * 4 + 3
    }
}

/// Whether the owner's number can be computed in 32 bits.
pub fn fits(ownership: &Ownership) -> bool {
    u64::from(ownership.slots()) * u64::from(ownership.shards()) <= 1 << 32
}

/// The program.
///
/// # Panics
/// If the shape is too large for a program, or the slots do not [fit](fits).
pub fn program(ownership: &Ownership, shape: Shape) -> Vec<Instruction> {
    assert!(fits(ownership), "checked before");
    let mut a = Assembler::default();
    let (long, short, value) = (a.label(), a.label(), a.label());
    scan(&mut a, shape.sections, long, short);
    for (label, name_bytes) in [(long, "\nCall-ID:".len()), (short, "\ni:".len())] {
        a.place(label);
        a.x_to_a();
        a.op(Op::Add, name_bytes as u32);
        a.go(value);
    }
    a.place(value);
    skip_blanks(&mut a);
    for (slot, word) in V.into_iter().zip(first_state(ownership.seed())) {
        a.load(Load::Number(word));
        a.store(slot);
    }
    // For the kernel's check alone: it takes the way past a miss for one to the end of the value.
    a.store(LENGTH);
    let end = a.label();
    whole_words(&mut a, shape.words, end);
    a.give(MISS);
    a.place(end);
    last_word(&mut a);
    a.load(Load::Memory(V[2]));
    a.op(Op::Xor, 0xff);
    a.store(V[2]);
    for _ in 0..3 {
        round(&mut a);
    }
    a.load(Load::Memory(V[1]));
    a.load_x_memory(V[3]);
    a.op_x(Op::Xor);
    a.op(Op::And, ownership.slots() - 1);
    a.op(Op::Mul, ownership.shards());
    a.op(Op::Rsh, ownership.hash_size());
    a.give_a();
    a.finish()
}

/// Searches the sections; on to `long` or `short` with X at the LF before the header. Falls out of
/// its end never.
fn scan(a: &mut Assembler, sections: u32, long: Label, short: Label) {
    let miss = a.label();
    // One for each section: where the length in A is compared with what it reads.
    let checks: Vec<Label> = (0..sections).map(|_| a.label()).collect();
    for number in 0..sections {
        let here = number as usize;
        // What is too short for this section is too short for those that follow.
        let beyond = checks.get(here + SECTION_LEAP).copied().unwrap_or(miss);
        let (within, candidate, next) = (a.label(), a.label(), a.label());
        let from = number * SECTION_BYTES;
        a.load(Load::Length);
        a.place(checks[here]);
        a.test(Test::AtLeast, from + SECTION_REACH, within, beyond);
        a.place(within);
        for word in 0..3 {
            let other = if word == 2 { next } else { a.label() };
            a.load_x(from + word * 4);
            a.load(Load::Word(from + word * 4));
            a.op(Op::Xor, LF_EVERYWHERE);
            a.op(Op::Sub, ONE_EVERYWHERE);
            a.test(Test::AnyBit, TOP_BITS, candidate, other);
            if word != 2 {
                a.place(other);
            }
        }
        a.place(candidate);
        compare(a, long, short, next);
        a.place(next);
    }
    a.place(miss);
    a.give(MISS);
}

/// What begins behind the LF that A marks in the word at X?
fn compare(a: &mut Assembler, long: Label, short: Label, next: Label) {
    let (is_call, may_be_short, is_long, is_short) = (a.label(), a.label(), a.label(), a.label());
    // One bit is set, at the top of byte 0, 1, 2 or 3. The product has this number in its two
    // highest bits.
    a.op(Op::And, TOP_BITS);
    a.op(Op::Mul, 1 << 7 | 1 << 16 | 1 << 23 | 1 << 24);
    a.op(Op::Rsh, 30);
    a.op_x(Op::Add);
    a.a_to_x();
    a.load(Load::WordAtX(1));
    a.op(Op::Or, LOWER_CASE);
    a.test(
        Test::Equal,
        u32::from_be_bytes(*b"call"),
        is_call,
        may_be_short,
    );
    a.place(is_call);
    a.load(Load::WordAtX(5));
    a.op(Op::Or, LOWER_CASE);
    a.test(Test::Equal, u32::from_be_bytes(*b"-id:"), is_long, next);
    a.place(may_be_short);
    a.op(Op::And, 0xffff_0000);
    a.test(Test::Equal, u32::from_be_bytes(*b"i:\0\0"), is_short, next);
    a.place(is_long);
    a.go(long);
    a.place(is_short);
    a.go(short);
}

/// Puts the value's place into M; A has that of what follows the colon.
fn skip_blanks(a: &mut Assembler) {
    let done = a.label();
    a.a_to_x();
    for _ in 0..MOST_BLANKS {
        let (no_space, blank) = (a.label(), a.label());
        a.load(Load::ByteAtX(0));
        a.test(Test::Equal, u32::from(b' '), blank, no_space);
        a.place(no_space);
        a.test(Test::Equal, u32::from(b'\t'), blank, done);
        a.place(blank);
        a.x_to_a();
        a.op(Op::Add, 1);
        a.a_to_x();
    }
    a.place(done);
    a.store_x(PLACE);
}

/// Mixes in whole words; on to `end` with the length so far when the next is none.
fn whole_words(a: &mut Assembler, words: u32, end: Label) {
    for number in 0..=words {
        let (ends, whole) = (a.label(), a.label());
        a.load_x_memory(PLACE);
        a.load(Load::WordAtX(number * 4));
        a.store(WORD);
        a.op(Op::Sub, VISIBLE * ONE_EVERYWHERE);
        a.test(Test::AnyBit, TOP_BITS, ends, whole);
        a.place(ends);
        a.load(Load::Number((number * 4) << 24));
        a.store(LENGTH);
        a.go(end);
        a.place(whole);
        if number < words {
            a.load(Load::Memory(WORD));
            turn_round(a);
            absorb(a);
        }
    }
}

/// Cuts the word at hand where the value ends, and mixes in what is left, with the length.
fn last_word(a: &mut Assembler) {
    let (join, miss) = (a.label(), a.label());
    let mask = |byte: u32| u32::MAX >> (8 * byte);
    a.load(Load::Memory(WORD));
    for byte in 0..4 {
        let (visible, cut) = (a.label(), a.label());
        if byte > 0 {
            a.op(Op::And, mask(byte));
        }
        a.test(Test::AtLeast, VISIBLE << (24 - 8 * byte), visible, cut);
        a.place(cut);
        a.load(Load::Memory(LENGTH));
        a.op(Op::Add, byte << 24);
        a.store(LENGTH);
        a.load(Load::Memory(WORD));
        a.op(Op::And, !mask(byte));
        a.go(join);
        a.place(visible);
    }
    a.place(miss);
    // Only bytes beyond ASCII looked like an end.
    a.give(MISS);
    a.place(join);
    turn_round(a);
    a.load_x_memory(LENGTH);
    a.op_x(Op::Or);
    absorb(a);
}

/// A with its bytes in the other order.
fn turn_round(a: &mut Assembler) {
    const EVEN: u32 = 0x00ff_00ff;
    a.store(SPARE);
    a.op(Op::Lsh, 8);
    a.op(Op::And, !EVEN);
    a.a_to_x();
    a.load(Load::Memory(SPARE));
    a.op(Op::Rsh, 8);
    a.op(Op::And, EVEN);
    a.op_x(Op::Or);
    a.store(SPARE);
    rotate(a, SPARE, 16);
}

/// Mixes A into the state.
fn absorb(a: &mut Assembler) {
    a.store(WORD);
    a.load_x_memory(V[3]);
    a.op_x(Op::Xor);
    a.store(V[3]);
    round(a);
    a.load(Load::Memory(V[0]));
    a.load_x_memory(WORD);
    a.op_x(Op::Xor);
    a.store(V[0]);
}

/// One round over the state.
fn round(a: &mut Assembler) {
    let [v0, v1, v2, v3] = V;
    add(a, v0, v1);
    rotate_and_xor(a, v1, 5, v0);
    a.load(Load::Memory(v0));
    rotate(a, v0, 16);
    a.store(v0);
    add(a, v2, v3);
    rotate_and_xor(a, v3, 8, v2);
    add(a, v0, v3);
    rotate_and_xor(a, v3, 7, v0);
    add(a, v2, v1);
    rotate_and_xor(a, v1, 13, v2);
    a.load(Load::Memory(v2));
    rotate(a, v2, 16);
    a.store(v2);
}

/// `to` += `from`; X has `from` afterwards.
fn add(a: &mut Assembler, to: u32, from: u32) {
    a.load(Load::Memory(to));
    a.load_x_memory(from);
    a.op_x(Op::Add);
    a.store(to);
}

/// `slot`, which X has, is turned to the left by `bits`; then `other` is mixed in.
fn rotate_and_xor(a: &mut Assembler, slot: u32, bits: u32, other: u32) {
    a.x_to_a();
    rotate(a, slot, bits);
    a.load_x_memory(other);
    a.op_x(Op::Xor);
    a.store(slot);
}

/// Turns A, which `slot` has too, to the left; in A only.
fn rotate(a: &mut Assembler, slot: u32, bits: u32) {
    a.op(Op::Lsh, bits);
    a.a_to_x();
    a.load(Load::Memory(slot));
    a.op(Op::Rsh, 32 - bits);
    a.op_x(Op::Or);
}
