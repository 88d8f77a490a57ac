//! Classic BPF: its instructions, and an assembler for it.
//!
//! Owns: the encoding (`linux/filter.h`). May touch: memory only. The machine has an accumulator A,
//! an index X, sixteen words of memory M, and a packet that it loads from in network order. Jumps
//! lead forward only; the two ways of a test reach 255 instructions far, [`Assembler::go`] any
//! distance. A load beyond the packet's end ends the program with 0.

use super::assembler::{Label, Labels};

/// Most instructions of a program (`BPF_MAXINSNS`).
pub const MOST_INSTRUCTIONS: usize = 4096;

/// One instruction, as the kernel reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to skip if a test holds.
    pub yes: u8,
    /// Instructions to skip if it does not.
    pub no: u8,
    /// The constant.
    pub k: u32,
}

/// What is done to A with a constant or with X.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A + operand.
    Add = 0x00,
    /// A - operand.
    Sub = 0x10,
    /// A * operand.
    Mul = 0x20,
    /// A | operand.
    Or = 0x40,
    /// A & operand.
    And = 0x50,
    /// A << operand.
    Lsh = 0x60,
    /// A >> operand.
    Rsh = 0x70,
    /// A ^ operand.
    Xor = 0xa0,
}

/// What A is tested for against a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// A is it.
    Equal = 0x10,
    /// A is not below it.
    AtLeast = 0x30,
    /// A has a bit of it.
    AnyBit = 0x40,
}

/// What an instruction loads into A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// This number.
    Number(u32),
    /// A word of M.
    Memory(u32),
    /// The length of the packet.
    Length,
    /// Four bytes of the packet from here on.
    Word(u32),
    /// Four bytes of the packet from X + this on.
    WordAtX(u32),
    /// The byte of the packet at X + this.
    ByteAtX(u32),
}

/// A program in the making.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    labels: Labels,
    tests: Vec<(usize, Label, Label)>,
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// A label that is not placed yet.
    pub fn label(&mut self) -> Label {
        self.labels.label()
    }

    /// Says that a label stands here.
    pub fn place(&mut self, label: Label) {
        self.labels.place(label, self.code.len());
    }

    fn add(&mut self, code: u16, k: u32) {
        self.code.push(Instruction {
            code,
            yes: 0,
            no: 0,
            k,
        });
    }

    /// Loads A.
    pub fn load(&mut self, what: Load) {
        match what {
            Load::Number(k) => self.add(0x00, k),
            Load::Memory(k) => self.add(0x60, k),
            Load::Length => self.add(0x80, 0),
            Load::Word(k) => self.add(0x20, k),
            Load::WordAtX(k) => self.add(0x40, k),
            Load::ByteAtX(k) => self.add(0x50, k),
        }
    }

    /// Loads X with a number.
    pub fn load_x(&mut self, number: u32) {
        self.add(0x01, number);
    }

    /// Loads X from M.
    pub fn load_x_memory(&mut self, slot: u32) {
        self.add(0x61, slot);
    }

    /// Stores A into M.
    pub fn store(&mut self, slot: u32) {
        self.add(0x02, slot);
    }

    /// Stores X into M.
    pub fn store_x(&mut self, slot: u32) {
        self.add(0x03, slot);
    }

    /// X = A.
    pub fn a_to_x(&mut self) {
        self.add(0x07, 0);
    }

    /// A = X.
    pub fn x_to_a(&mut self) {
        self.add(0x87, 0);
    }

    /// Does `op` to A with a number.
    pub fn op(&mut self, op: Op, number: u32) {
        self.add(0x04 | op as u16, number);
    }

    /// Does `op` to A with X.
    pub fn op_x(&mut self, op: Op) {
        self.add(0x0c | op as u16, 0);
    }

    /// Tests A against a number: on to `yes`, or to `no`.
    pub fn test(&mut self, test: Test, number: u32, yes: Label, no: Label) {
        self.tests.push((self.code.len(), yes, no));
        self.add(0x05 | test as u16, number);
    }

    /// On to a label, however far ahead it is.
    pub fn go(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.add(0x05, 0);
    }

    /// Ends with a number.
    pub fn give(&mut self, number: u32) {
        self.add(0x06, number);
    }

    /// Ends with A.
    pub fn give_a(&mut self) {
        self.add(0x16, 0);
    }

    /// The finished program.
    ///
    /// # Panics
    /// If a jump leads back or too far, a label has no place, or it is too long: faults of who wrote
    /// it.
    pub fn finish(mut self) -> Vec<Instruction> {
        for &(at, yes, no) in &self.tests {
            let near = |label| {
                let distance = self.labels.distance(at, label);
                u8::try_from(distance).expect("a test leads up to 255 instructions ahead")
            };
            (self.code[at].yes, self.code[at].no) = (near(yes), near(no));
        }
        for &(at, label) in &self.jumps {
            let distance = self.labels.distance(at, label);
            self.code[at].k = u32::try_from(distance).expect("a jump leads ahead");
        }
        assert!(self.code.len() <= MOST_INSTRUCTIONS, "the program is short");
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `tcpdump -dd` and the kernel's `bpf_asm` write these.
    #[test]
    fn instructions_are_encoded_as_the_kernel_has_them() {
        let mut a = Assembler::default();
        let (yes, no) = (a.label(), a.label());
        a.load(Load::WordAtX(7));
        a.test(Test::Equal, 0x1234, yes, no);
        a.place(yes);
        a.op(Op::And, 0xff);
        a.go(no);
        a.a_to_x();
        a.place(no);
        a.give_a();
        let words: Vec<_> = a
            .finish()
            .iter()
            .map(|one| (one.code, one.yes, one.no, one.k))
            .collect();
        let expected = [
            (0x40, 0, 0, 7),
            (0x15, 0, 3, 0x1234),
            (0x54, 0, 0, 0xff),
            (0x05, 0, 0, 1),
            (0x07, 0, 0, 0),
            (0x16, 0, 0, 0),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    #[should_panic(expected = "255 instructions ahead")]
    fn a_test_that_leads_too_far_is_a_fault_of_the_program() {
        let mut a = Assembler::default();
        let (yes, no) = (a.label(), a.label());
        a.test(Test::Equal, 1, yes, no);
        a.place(yes);
        for _ in 0..256 {
            a.x_to_a();
        }
        a.place(no);
        a.give(0);
        a.finish();
    }
}
