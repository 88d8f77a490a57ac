//! The bytes in which the kernel passes addresses and control messages, read and written by slices.
//!
//! Owns: the layouts of `sockaddr_in`, `sockaddr_in6` and `cmsghdr` (Linux, 64 bit). May touch:
//! bytes only. Everything here is safe code: [`super::sys`] hands over plain memory, this module
//! gives it a meaning, and a length that does not fit is `None`, never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "the plane speaks the interface of 64-bit Linux (recvmmsg, SO_REUSEPORT, MSG_ERRQUEUE)"
);

/// Bytes of the larger of the two socket addresses (`sockaddr_in6`).
pub(super) const ADDRESS_BYTES: usize = 28;
const V4_BYTES: usize = 16;
const V6_BYTES: usize = ADDRESS_BYTES;

/// Bytes of a `cmsghdr`: length (8), level (4), type (4).
const CONTROL_HEADER_BYTES: usize = 16;

/// A socket address as the kernel reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawAddress {
    bytes: [u8; ADDRESS_BYTES],
    len: u8,
}

impl RawAddress {
    /// The kernel's form of `address`.
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, len) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, V4_BYTES)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, V6_BYTES)
            }
        };
        bytes[0..2].copy_from_slice(&(family as u16).to_ne_bytes());
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The bytes that count for the family.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The address in the kernel's form; `None` for another family or too few bytes.
pub(super) fn decode_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(array(bytes, 0)?));
    let port = u16::from_be_bytes(array(bytes, 2)?);
    match family {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(array::<4>(bytes, 4)?);
            Some(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_ne_bytes(array(bytes, 4)?);
            let ip = Ipv6Addr::from(array::<16>(bytes, 8)?);
            let scope = u32::from_ne_bytes(array(bytes, 24)?);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

/// How many bytes the address of a family takes; `None` for families that are not IP.
pub(super) fn address_bytes(family: i32) -> Option<usize> {
    match family {
        libc::AF_INET => Some(V4_BYTES),
        libc::AF_INET6 => Some(V6_BYTES),
        _ => None,
    }
}

/// One control message of a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control<'a> {
    /// The protocol level, as in `setsockopt`.
    pub level: i32,
    /// The type within the level.
    pub kind: i32,
    /// Its content.
    pub data: &'a [u8],
}

/// The control messages that lie in `bytes` one after the other, each padded to 8 bytes.
pub(super) fn controls(mut bytes: &[u8]) -> impl Iterator<Item = Control<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u64::from_ne_bytes(array(bytes, 0)?)).ok()?;
        let level = i32::from_ne_bytes(array(bytes, 8)?);
        let kind = i32::from_ne_bytes(array(bytes, 12)?);
        let data = bytes.get(CONTROL_HEADER_BYTES..len)?;
        bytes = bytes.get(len.next_multiple_of(8)..).unwrap_or_default();
        Some(Control { level, kind, data })
    })
}

/// Nanoseconds since 1970 of a receive stamp (`SCM_TIMESTAMPNS`: a `timespec`).
pub(super) fn stamp_nanos(control: Control<'_>) -> Option<u64> {
    if (control.level, control.kind) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
        return None;
    }
    let secs = i64::from_ne_bytes(array(control.data, 0)?);
    let nanos = i64::from_ne_bytes(array(control.data, 8)?);
    u64::try_from(secs)
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(u64::try_from(nanos).ok()?)
}

/// How many datagrams the socket has lost so far for want of buffer (`SO_RXQ_OVFL`, wraps).
pub(super) fn overflow_count(control: Control<'_>) -> Option<u32> {
    if (control.level, control.kind) != (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) {
        return None;
    }
    Some(u32::from_ne_bytes(array(control.data, 0)?))
}

/// The error that an ICMP message stands for (`sock_extended_err.ee_errno`), if it is one: errors
/// that the local stack queued about itself have another origin.
pub(super) fn icmp_errno(control: Control<'_>) -> Option<i32> {
    let wanted = match (control.level, control.kind) {
        (libc::SOL_IP, libc::IP_RECVERR) => libc::SO_EE_ORIGIN_ICMP,
        (libc::SOL_IPV6, libc::IPV6_RECVERR) => libc::SO_EE_ORIGIN_ICMP6,
        _ => return None,
    };
    let errno = u32::from_ne_bytes(array(control.data, 0)?);
    let origin = *control.data.get(4)?;
    (origin == wanted).then_some(errno as i32)
}

/// Whether `ip` has a meaning only on one link, so that no Via and no list can name it.
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// How many CPUs a list of the kernel's names, as `0-3` or `0,2-7`.
pub(super) fn count_cpus(list: &str) -> Option<usize> {
    let mut count = 0_usize;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        count += last.checked_sub(first)? as usize + 1;
    }
    Some(count)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control_bytes(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(((CONTROL_HEADER_BYTES + data.len()) as u64).to_ne_bytes());
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn control_messages_are_read_one_after_the_other() {
        let mut bytes = control_bytes(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7_u32.to_ne_bytes());
        let mut stamp = 3_i64.to_ne_bytes().to_vec();
        stamp.extend(9_i64.to_ne_bytes());
        bytes.extend(control_bytes(
            libc::SOL_SOCKET,
            libc::SCM_TIMESTAMPNS,
            &stamp,
        ));
        let read: Vec<_> = controls(&bytes).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(overflow_count(read[0]), Some(7));
        assert_eq!(stamp_nanos(read[0]), None);
        assert_eq!(stamp_nanos(read[1]), Some(3_000_000_009));
    }

    #[test]
    fn a_local_error_is_not_taken_for_icmp() {
        let mut data = 111_u32.to_ne_bytes().to_vec();
        data.extend([2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let bytes = control_bytes(libc::SOL_IP, libc::IP_RECVERR, &data);
        let icmp = controls(&bytes).next().unwrap();
        assert_eq!(icmp_errno(icmp), Some(111));
        data[4] = 1;
        let bytes = control_bytes(libc::SOL_IP, libc::IP_RECVERR, &data);
        let local = controls(&bytes).next().unwrap();
        assert_eq!(icmp_errno(local), None);
    }

    #[test]
    fn lists_of_cpus_are_counted() {
        let counts = ["0\n", "0-3\n", "0,2-7,9", "0-127"].map(count_cpus);
        assert_eq!(counts, [Some(1), Some(4), Some(8), Some(128)]);
        assert_eq!(["", "3-0", "x", "0-"].map(count_cpus), [None; 4]);
    }

    proptest! {
        #[test]
        fn an_address_survives_the_kernels_form(address: SocketAddr) {
            prop_assert_eq!(decode_address(RawAddress::new(address).as_bytes()), Some(address));
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>) {
            let _ = decode_address(&bytes);
            for control in controls(&bytes).take(64) {
                let _ = (stamp_nanos(control), overflow_count(control), icmp_errno(control));
            }
        }
    }
}
