//! A machine for eBPF programs, after the kernel's description of it, with the three helpers that
//! steering calls. Memory is the desk, the stack and the context; a step beside them is a panic.

use crate::plane::steering::ebpf::{DESK_BYTES, OUTCOMES};
use crate::plane::steering::extended::Instruction;

const CONTEXT: u64 = 0x1000_0000;
const DESK: u64 = 0x2000_0000;
const STACK: u64 = 0x3000_0000;
const STACK_BYTES: usize = 512;
/// What stands for the maps in the program: `Maps { desk: 1, sockets: 2 }`.
pub const DESK_MAP: i32 = 1;
/// See [`DESK_MAP`].
pub const SOCKETS_MAP: i32 = 2;
const UDP_HEADER_BYTES: usize = 8;

/// The machine: the desk stays from one datagram to the next.
pub struct Machine {
    program: Vec<Instruction>,
    desk: Vec<u8>,
    stack: Vec<u8>,
    context: Vec<u8>,
    /// Sockets that are there.
    sockets: u32,
    selected: Option<u32>,
    /// Instructions of the last run.
    pub steps: usize,
}

impl Machine {
    pub fn new(program: Vec<Instruction>, sockets: u32) -> Self {
        Self {
            program,
            desk: vec![0; DESK_BYTES as usize],
            stack: vec![0; STACK_BYTES],
            context: vec![0; 32],
            sockets,
            selected: None,
            steps: 0,
        }
    }

    /// The counters.
    pub fn counts(&self) -> [u64; OUTCOMES] {
        std::array::from_fn(|number| {
            u64::from_le_bytes(self.desk[number * 8..][..8].try_into().unwrap())
        })
    }

    fn memory(&mut self, address: u64, count: usize) -> &mut [u8] {
        let places = [
            (CONTEXT, &mut self.context),
            (DESK, &mut self.desk),
            (STACK, &mut self.stack),
        ];
        for (base, bytes) in places {
            if (base..base + bytes.len() as u64).contains(&address) {
                let from = (address - base) as usize;
                return &mut bytes[from..from + count];
            }
        }
        panic!("nothing lies at {address:#x}");
    }

    fn read(&mut self, address: u64, count: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..count].copy_from_slice(self.memory(address, count));
        u64::from_le_bytes(bytes)
    }

    fn write(&mut self, address: u64, count: usize, value: u64) {
        self.memory(address, count)
            .copy_from_slice(&value.to_le_bytes()[..count]);
    }

    fn call(&mut self, helper: i32, [one, two, three, four]: [u64; 4], packet: &[u8]) -> u64 {
        match helper {
            1 => {
                assert_eq!((one as i32, self.read(two, 4)), (DESK_MAP, 0));
                DESK
            }
            26 => {
                assert_eq!(one, CONTEXT);
                let from = two as usize - UDP_HEADER_BYTES;
                let count = four as usize;
                let source = packet[from..from + count].to_vec();
                self.memory(three, count).copy_from_slice(&source);
                0
            }
            82 => {
                assert_eq!((one, two as i32, four), (CONTEXT, SOCKETS_MAP, 0));
                let key = self.read(three, 4) as u32;
                if key >= self.sockets {
                    return (-2_i64) as u64;
                }
                self.selected = Some(key);
                0
            }
            other => panic!("no such helper: {other}"),
        }
    }

    /// The socket that the program selects for a datagram.
    pub fn run(&mut self, packet: &[u8]) -> Option<u32> {
        self.selected = None;
        self.steps = 0;
        let length = (packet.len() + UDP_HEADER_BYTES) as u64;
        self.write(CONTEXT + 16, 4, length);
        let mut r = [0_u64; 11];
        r[1] = CONTEXT;
        r[10] = STACK + STACK_BYTES as u64;
        let mut at = 0;
        loop {
            let one = self.program[at];
            at += 1;
            self.steps += 1;
            let (to, from) = (usize::from(one.to), usize::from(one.from));
            let near = |base: u64| base.wrapping_add_signed(i64::from(one.offset));
            let count = match one.code & 0x18 {
                0x10 => 1,
                0x00 => 4,
                _ => 8,
            };
            match one.code {
                0x95 => {
                    assert_eq!(r[0], 1, "the datagram is let through");
                    return self.selected;
                }
                0x85 => {
                    r[0] = self.call(one.number, [r[1], r[2], r[3], r[4]], packet);
                    // The verifier lets nobody read these after a call.
                    r[1..6].fill(0xdead_dead_dead_dead);
                }
                0x18 => {
                    let high = self.program[at].number;
                    r[to] = u64::from(one.number as u32) | u64::from(high as u32) << 32;
                    at += 1;
                }
                0x05 => at = at.wrapping_add_signed(one.offset.into()),
                _ => match one.code & 0x07 {
                    0x01 => r[to] = self.read(near(r[from]), count),
                    0x02 => self.write(near(r[to]), count, i64::from(one.number) as u64),
                    0x03 => self.write(near(r[to]), count, r[from]),
                    class => {
                        let operand = if one.code & 0x08 == 0 {
                            i64::from(one.number) as u64
                        } else {
                            r[from]
                        };
                        match class {
                            0x04 => {
                                let (a, b) = (r[to] as u32, operand as u32);
                                r[to] = u64::from(operate(one.code, a.into(), b.into()) as u32);
                            }
                            0x07 => r[to] = operate(one.code, r[to], operand),
                            0x05 => {
                                if holds(one.code, r[to], operand) {
                                    at = at.wrapping_add_signed(one.offset.into());
                                }
                            }
                            _ => panic!("no such instruction: {:#x}", one.code),
                        }
                    }
                },
            }
        }
    }
}

fn operate(code: u8, a: u64, b: u64) -> u64 {
    match code & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << b,
        0x70 => a >> b,
        0x80 => a.wrapping_neg(),
        0xa0 => a ^ b,
        0xb0 => b,
        other => panic!("no such operation: {other:#x}"),
    }
}

fn holds(code: u8, a: u64, b: u64) -> bool {
    match code & 0xf0 {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x50 => a != b,
        0xa0 => a < b,
        other => panic!("no such test: {other:#x}"),
    }
}
