//! eBPF: its instructions, and an assembler for it.
//!
//! Owns: the encoding (`linux/bpf.h`, of little-endian machines). May touch: memory only. The machine has registers 0 to 9 of 64 bits and a frame pointer, register 10. A call
//! takes its arguments from 1 to 5, spoils these, and answers in 0.

use super::assembler::{Label, Labels};

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg(pub u8);

/// The frame pointer: the stack lies below it.
pub const FRAME: Reg = Reg(10);

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u8,
    /// The register that is written.
    pub to: u8,
    /// The register that is read.
    pub from: u8,
    /// Distance of a jump, or offset in memory.
    pub offset: i16,
    /// The constant.
    pub number: i32,
}

impl Instruction {
    /// As the kernel reads it.
    pub fn encode(self) -> [u8; 8] {
        let mut bytes = [self.code, self.from << 4 | self.to, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&self.offset.to_le_bytes());
        bytes[4..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }
}

/// What is done to a register with a number or another register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sum.
    Add = 0x00,
    /// Difference.
    Sub = 0x10,
    /// Product.
    Mul = 0x20,
    /// Bits of either.
    Or = 0x40,
    /// Bits of both.
    And = 0x50,
    /// Shift to the left.
    Lsh = 0x60,
    /// Shift to the right, zeros follow.
    Rsh = 0x70,
    /// Negation; the operand does not count.
    Neg = 0x80,
    /// Bits of one of the two.
    Xor = 0xa0,
    /// The operand itself.
    Mov = 0xb0,
}

/// What a register is tested for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The same.
    Equal = 0x10,
    /// Above, unsigned.
    Above = 0x20,
    /// Not below, unsigned.
    AtLeast = 0x30,
    /// Not the same.
    Unequal = 0x50,
    /// Below, unsigned.
    Below = 0xa0,
}

/// How much is loaded or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A byte.
    U8 = 0x10,
    /// Four bytes.
    U32 = 0x00,
    /// Eight bytes.
    U64 = 0x18,
}

/// A function of the kernel, by its number in `linux/bpf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `bpf_map_lookup_elem(map, key)`: the element's address, or 0.
    MapLookup = 1,
    /// `bpf_skb_load_bytes(context, offset, to, len)`: 0, or an error.
    LoadBytes = 26,
    /// `bpf_sk_select_reuseport(context, map, key, flags)`: 0, or an error.
    SelectReuseport = 82,
}

/// A program in the making.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    labels: Labels,
    jumps: Vec<(usize, Label)>,
}

const NONE: Reg = Reg(0);

impl Assembler {
    /// A label that is not placed yet.
    pub fn label(&mut self) -> Label {
        self.labels.label()
    }

    /// Says that a label stands here.
    pub fn place(&mut self, label: Label) {
        self.labels.place(label, self.code.len());
    }

    fn add(&mut self, code: u8, to: Reg, from: Reg, offset: i16, number: i32) {
        self.code.push(Instruction {
            code,
            to: to.0,
            from: from.0,
            offset,
            number,
        });
    }

    /// Does `op` to a register with a number, in 64 bits; the number's sign is extended.
    pub fn op(&mut self, op: Op, to: Reg, number: i32) {
        self.add(0x07 | op as u8, to, NONE, 0, number);
    }

    /// Does `op` to a register with another, in 64 bits.
    pub fn op_reg(&mut self, op: Op, to: Reg, from: Reg) {
        self.add(0x0f | op as u8, to, from, 0, 0);
    }

    /// Does `op` to a register with a number, in 32 bits; the upper ones become 0.
    pub fn op32(&mut self, op: Op, to: Reg, number: u32) {
        self.add(0x04 | op as u8, to, NONE, 0, number as i32);
    }

    /// Does `op` to a register with another, in 32 bits; the upper ones become 0.
    pub fn op32_reg(&mut self, op: Op, to: Reg, from: Reg) {
        self.add(0x0c | op as u8, to, from, 0, 0);
    }

    /// A register = a number of 64 bits.
    pub fn wide(&mut self, to: Reg, number: u64) {
        self.add(0x18, to, NONE, 0, number as i32);
        self.add(0, NONE, NONE, 0, (number >> 32) as i32);
    }

    /// A register = the map of this file descriptor.
    pub fn map(&mut self, to: Reg, descriptor: i32) {
        self.add(0x18, to, Reg(1), 0, descriptor);
        self.add(0, NONE, NONE, 0, 0);
    }

    /// Loads from memory.
    pub fn load(&mut self, size: Size, to: Reg, from: Reg, offset: i16) {
        self.add(0x61 | size as u8, to, from, offset, 0);
    }

    /// Stores a register.
    pub fn store(&mut self, size: Size, to: Reg, offset: i16, from: Reg) {
        self.add(0x63 | size as u8, to, from, offset, 0);
    }

    /// Stores a number.
    pub fn store_number(&mut self, size: Size, to: Reg, offset: i16, number: i32) {
        self.add(0x62 | size as u8, to, NONE, offset, number);
    }

    /// On to a label, ahead or back.
    pub fn go(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.add(0x05, NONE, NONE, 0, 0);
    }

    /// On to a label if a register and a number (its sign extended) pass a test.
    pub fn test(&mut self, test: Test, reg: Reg, number: i32, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.add(0x05 | test as u8, reg, NONE, 0, number);
    }

    /// On to a label if two registers pass a test.
    pub fn test_reg(&mut self, test: Test, reg: Reg, other: Reg, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.add(0x0d | test as u8, reg, other, 0, 0);
    }

    /// Calls the kernel.
    pub fn call(&mut self, helper: Helper) {
        self.add(0x85, NONE, NONE, 0, helper as i32);
    }

    /// Ends with register 0.
    pub fn exit(&mut self) {
        self.add(0x95, NONE, NONE, 0, 0);
    }

    /// The finished program.
    ///
    /// # Panics
    /// If a label has no place or a jump leads too far: faults of who wrote it.
    pub fn finish(mut self) -> Vec<Instruction> {
        for &(at, label) in &self.jumps {
            let distance = self.labels.distance(at, label);
            self.code[at].offset = i16::try_from(distance).expect("a jump fits 16 bits");
        }
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel's disassembler reads these.
    #[test]
    fn instructions_are_encoded_as_the_kernel_has_them() {
        let mut a = Assembler::default();
        let back = a.label();
        a.place(back);
        a.op_reg(Op::Mov, Reg(6), Reg(1));
        a.wide(Reg(2), 0x1122_3344_5566_7788);
        a.load(Size::U32, Reg(8), Reg(6), 16);
        a.test_reg(Test::AtLeast, Reg(9), Reg(8), back);
        a.op32(Op::Rsh, Reg(3), 7);
        a.call(Helper::LoadBytes);
        a.exit();
        let read = |one: &Instruction| (one.code, one.to, one.from, one.offset, one.number);
        let code: Vec<_> = a.finish().iter().map(read).collect();
        let expected = [
            (0xbf, 6, 1, 0, 0),
            (0x18, 2, 0, 0, 0x5566_7788),
            (0x00, 0, 0, 0, 0x1122_3344),
            (0x61, 8, 6, 16, 0),
            (0x3d, 9, 8, -5, 0),
            (0x74, 3, 0, 0, 7),
            (0x85, 0, 0, 0, 26),
            (0x95, 0, 0, 0, 0),
        ];
        assert_eq!(code, expected);
    }

    #[test]
    fn an_instruction_takes_eight_bytes() {
        let one = Instruction {
            code: 0x61,
            to: 8,
            from: 6,
            offset: 16,
            number: -2,
        };
        assert_eq!(one.encode(), [0x61, 0x68, 16, 0, 0xfe, 0xff, 0xff, 0xff]);
    }
}
