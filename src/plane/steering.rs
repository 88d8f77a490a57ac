//! Steering: the kernel puts a call's datagrams into the socket of the shard that owns the call, so
//! that they need not be handed over.
//!
//! Owns: which rung of the ladder is used, the programs' maps. May touch: sockets and the kernel,
//! through [`super::sys`]. The programs themselves ([`cbpf`], [`ebpf`]) and their assemblers are pure.
//!
//! The ladder has three rungs. **eBPF** sees most and counts; it needs `CAP_BPF` and `CAP_PERFMON`.
//! **Classic BPF** needs no capability, sees less far and cannot count. **Off**: the kernel spreads
//! senders by their addresses. All of them compute what [`Ownership`] computes, and every shard checks
//! whose a message is in any case: what is steered wrong or not at all is handed over in user space.

mod assembler;
pub mod cbpf;
pub mod classic;
pub mod ebpf;
pub mod extended;
pub(super) mod missed;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::str::FromStr;
use std::{fs, io};

use super::sys::{self, BpfMap, MapKind};
use crate::load::Ownership;

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rung {
    /// By an eBPF program.
    Ebpf,
    /// By a classic BPF program.
    Cbpf,
    /// The kernel's own hash of the addresses.
    #[default]
    Off,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ebpf => "ebpf",
            Self::Cbpf => "cbpf",
            Self::Off => "off",
        })
    }
}

/// What is asked for (`--steering`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SteeringChoice {
    /// The best rung that can be had.
    #[default]
    Auto,
    /// This one and no other.
    Only(Rung),
}

impl fmt::Display for SteeringChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Only(rung) => rung.fmt(f),
        }
    }
}

impl FromStr for SteeringChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "ebpf" => Ok(Self::Only(Rung::Ebpf)),
            "cbpf" => Ok(Self::Only(Rung::Cbpf)),
            "off" => Ok(Self::Only(Rung::Off)),
            _ => Err("none of auto, ebpf, cbpf, off"),
        }
    }
}

/// Why a rung cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no steering by {rung}: {cause}")]
pub struct SteeringError {
    /// The rung.
    pub rung: Rung,
    /// The cause.
    pub cause: String,
}

/// How far a program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Bytes of the head of a datagram in which the header must begin.
    pub scanned_bytes: u32,
    /// The longest Call-ID in bytes.
    pub call_id_bytes: u32,
}

/// How steering stands, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SteeringReport {
    /// What was asked for.
    pub asked: SteeringChoice,
    /// What is used.
    pub rung: Rung,
    /// Why better rungs are not used.
    pub passed_over: Vec<String>,
    /// How far the program sees, if there is one.
    pub reach: Option<Reach>,
    /// What the program counted, by [`ebpf::Outcome`]; only eBPF counts.
    pub outcomes: Option<[u64; ebpf::OUTCOMES]>,
}

impl fmt::Display for SteeringReport {
    /// In one line: the rung, how far it sees, and why better ones are not used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steering {}", self.rung)?;
        if let Some(reach) = self.reach {
            let (scanned, longest) = (reach.scanned_bytes, reach.call_id_bytes);
            write!(
                f,
                ": Call-IDs of up to {longest} bytes in the first {scanned}"
            )?;
        }
        self.passed_over
            .iter()
            .try_for_each(|cause| write!(f, "; {cause}"))
    }
}

/// The steering of a running plane.
#[derive(Debug)]
pub(super) struct Steering {
    asked: SteeringChoice,
    rung: Rung,
    passed_over: Vec<String>,
    reach: Option<Reach>,
    /// Where the eBPF programs count.
    desk: Option<BpfMap>,
}

impl Steering {
    /// Attaches programs to the groups of sockets, one group for each listen address, their sockets in
    /// the order of the shards. A rung that was asked for and cannot be had is an error.
    pub(super) fn attach(
        asked: SteeringChoice,
        ownership: &Ownership,
        groups: &[Vec<UdpSocket>],
    ) -> Result<Self, SteeringError> {
        let mut steering = Self {
            asked,
            rung: Rung::Off,
            passed_over: Vec::new(),
            reach: None,
            desk: None,
        };
        if ownership.shards() == 1 {
            let note = "one worker owns all calls: there is nothing to steer";
            steering.passed_over.push(note.to_owned());
            return Ok(steering);
        }
        let rungs: &[Rung] = match asked {
            SteeringChoice::Auto => &[Rung::Ebpf, Rung::Cbpf],
            SteeringChoice::Only(Rung::Ebpf) => &[Rung::Ebpf],
            SteeringChoice::Only(Rung::Cbpf) => &[Rung::Cbpf],
            SteeringChoice::Only(Rung::Off) => &[],
        };
        for &rung in rungs {
            match steering.climb(rung, ownership, groups) {
                Ok(()) => return Ok(steering),
                Err(cause) => {
                    let error = SteeringError { rung, cause };
                    if asked != SteeringChoice::Auto {
                        return Err(error);
                    }
                    steering.passed_over.push(error.to_string());
                }
            }
        }
        Ok(steering)
    }

    fn climb(
        &mut self,
        rung: Rung,
        ownership: &Ownership,
        groups: &[Vec<UdpSocket>],
    ) -> Result<(), String> {
        match rung {
            Rung::Ebpf => {
                self.desk = Some(attach_ebpf(ownership, groups)?);
                self.reach = Some(Reach {
                    scanned_bytes: ebpf::SCANNED_BYTES as u32,
                    call_id_bytes: ebpf::CALL_ID_BYTES as u32,
                });
            }
            Rung::Cbpf => self.reach = Some(attach_cbpf(ownership, groups)?),
            Rung::Off => {}
        }
        self.rung = rung;
        Ok(())
    }

    /// How far the program sees, if there is one.
    pub(super) fn reach(&self) -> Option<Reach> {
        self.reach
    }

    /// How it stands.
    pub(super) fn report(&self) -> SteeringReport {
        SteeringReport {
            asked: self.asked,
            rung: self.rung,
            passed_over: self.passed_over.clone(),
            reach: self.reach,
            outcomes: self.desk.as_ref().and_then(count),
        }
    }
}

/// The counters of a desk, of all CPUs together.
fn count(desk: &BpfMap) -> Option<[u64; ebpf::OUTCOMES]> {
    let bytes = desk.read(0).ok()?;
    let mut totals = [0; ebpf::OUTCOMES];
    for of_cpu in bytes.chunks(ebpf::DESK_BYTES as usize) {
        for (total, counter) in totals.iter_mut().zip(of_cpu.as_chunks::<8>().0) {
            *total += u64::from_ne_bytes(*counter);
        }
    }
    Some(totals)
}

/// One program and one map of sockets for each group (a socket of another group would be passed over
/// by the kernel); they share the desk.
fn attach_ebpf(ownership: &Ownership, groups: &[Vec<UdpSocket>]) -> Result<BpfMap, String> {
    if cfg!(target_endian = "big") {
        return Err("its program is for little-endian machines".to_owned());
    }
    let desk = BpfMap::new(MapKind::PerCpuArray, ebpf::DESK_BYTES, 1);
    let desk = desk.map_err(|error| refused("cannot make a map", &error))?;
    for group in groups {
        direct(ownership, &desk, group)?;
    }
    Ok(desk)
}

/// Lets a group be steered by a program of its own; returns the map of its sockets, by their shards.
fn direct(ownership: &Ownership, desk: &BpfMap, group: &[UdpSocket]) -> Result<BpfMap, String> {
    let sockets = BpfMap::new(MapKind::Sockets, 8, ownership.shards());
    let sockets = sockets.map_err(|error| refused("cannot make a map of sockets", &error))?;
    for (shard, socket) in (0..).zip(group) {
        let put = sockets.set_socket(shard, socket.as_fd());
        put.map_err(|error| format!("cannot put a socket into the map: {error}"))?;
    }
    let maps = ebpf::Maps {
        desk: desk.number(),
        sockets: sockets.number(),
    };
    let code: Vec<_> = ebpf::program(ownership, maps)
        .into_iter()
        .map(extended::Instruction::encode)
        .collect();
    let program = sys::load_program(&code, &mut []).map_err(|error| {
        let verdict = verdict(&code, &error);
        refused(&format!("cannot load the program{verdict}"), &error)
    })?;
    let (name, value) = (libc::SO_ATTACH_REUSEPORT_EBPF, program.as_raw_fd());
    sys::set_option(group[0].as_fd(), libc::SOL_SOCKET, name, value)
        .map_err(|error| format!("cannot attach the program: {error}"))?;
    Ok(sockets)
}

/// What the verifier has against a program that it refused.
fn verdict(code: &[[u8; 8]], error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error() == Some(libc::EPERM)
    {
        return String::new();
    }
    let mut log = vec![0; 1 << 20];
    // A log that is too short is an error too; its end is cut off then.
    sys::load_program(code, &mut log).map(drop).ok();
    let text: Vec<u8> = log.into_iter().take_while(|&byte| byte != 0).collect();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().rev().filter(|line| !line.is_empty());
    // The very last line says how much was looked at.
    let words = lines.find(|line| !line.starts_with("processed "));
    words.map_or(String::new(), |words| format!(" (verifier: {words})"))
}

/// An error of bpf(2), with the capabilities that would have helped.
fn refused(what: &str, error: &io::Error) -> String {
    let missing = missing_capabilities();
    if error.raw_os_error() != Some(libc::EPERM) || missing.is_empty() {
        return format!("{what}: {error}");
    }
    format!(
        "{what}: {error}; the process has no {}",
        missing.join(" and no ")
    )
}

/// Those of the capabilities that eBPF wants which this process has not.
fn missing_capabilities() -> Vec<&'static str> {
    const SYS_ADMIN: u32 = 21;
    const WANTED: [(u32, &str); 2] = [(39, "CAP_BPF"), (38, "CAP_PERFMON")];
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(u64::MAX);
    let has = |bit: u32| effective & (1 << bit | 1 << SYS_ADMIN) != 0;
    let missing = WANTED.into_iter().filter(|&(bit, _)| !has(bit));
    missing.map(|(_, name)| name).collect()
}

/// The best shape that the kernel takes, for all groups.
fn attach_cbpf(ownership: &Ownership, groups: &[Vec<UdpSocket>]) -> Result<Reach, String> {
    if !cbpf::fits(ownership) {
        let (shards, size) = (ownership.shards(), ownership.hash_size());
        return Err(format!(
            "{shards} workers times 2^{size} slots are more than 2^32"
        ));
    }
    let mut last = String::new();
    for shape in cbpf::SHAPES {
        let program = cbpf::program(ownership, shape);
        let attached = groups.iter().try_for_each(|group| {
            let instructions: Vec<_> = program
                .iter()
                .map(|one| (one.code, one.yes, one.no, one.k))
                .collect();
            sys::attach_classic(group[0].as_fd(), &instructions)
        });
        match attached {
            Ok(()) => {
                return Ok(Reach {
                    scanned_bytes: shape.scanned_bytes(),
                    call_id_bytes: shape.call_id_bytes(),
                });
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                last = format!("cannot attach the program: {error}; raise net.core.optmem_max");
            }
            Err(error) => return Err(format!("cannot attach the program: {error}")),
        }
    }
    Err(last)
}
