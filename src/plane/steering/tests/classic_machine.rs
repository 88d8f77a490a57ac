//! A machine for classic BPF programs, after the kernel's description of it.

use crate::plane::steering::classic::{Instruction, MOST_INSTRUCTIONS};

fn operate(code: u16, a: u32, operand: u32) -> u32 {
    match code & 0xf0 {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a << operand,
        0x70 => a >> operand,
        0xa0 => a ^ operand,
        other => panic!("no such operation: {other:#x}"),
    }
}

/// What the program answers for a packet, and how many instructions that took.
pub fn run(program: &[Instruction], packet: &[u8]) -> (u32, usize) {
    assert!(program.len() <= MOST_INSTRUCTIONS);
    let (mut a, mut x) = (0_u32, 0_u32);
    // The kernel refuses programs that read what they have not written.
    let mut memory = [None; 16];
    let (mut at, mut steps) = (0, 0);
    loop {
        let Instruction { code, yes, no, k } = program[at];
        at += 1;
        steps += 1;
        let bytes = |from: u32, count: usize| {
            let from = from as usize;
            packet.get(from..from + count)
        };
        let word = |from| bytes(from, 4).map(|b| u32::from_be_bytes(b.try_into().unwrap()));
        match code {
            0x00 => a = k,
            0x01 => x = k,
            0x60 => a = memory[k as usize].unwrap(),
            0x61 => x = memory[k as usize].unwrap(),
            0x02 => memory[k as usize] = Some(a),
            0x03 => memory[k as usize] = Some(x),
            0x80 => a = packet.len() as u32,
            0x20 | 0x40 => match word(if code == 0x20 { k } else { x + k }) {
                Some(value) => a = value,
                None => return (0, steps),
            },
            0x50 => match bytes(x + k, 1) {
                Some(byte) => a = u32::from(byte[0]),
                None => return (0, steps),
            },
            0x07 => x = a,
            0x87 => a = x,
            0x05 => at += k as usize,
            0x15 | 0x35 | 0x45 => {
                let holds = match code {
                    0x15 => a == k,
                    0x35 => a >= k,
                    _ => a & k != 0,
                };
                at += usize::from(if holds { yes } else { no });
            }
            0x06 => return (k, steps),
            0x16 => return (a, steps),
            _ if code & 0x0f == 0x04 => a = operate(code, a, k),
            _ if code & 0x0f == 0x0c => a = operate(code, a, x),
            other => panic!("no such instruction: {other:#x}"),
        }
    }
}
