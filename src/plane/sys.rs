//! The system calls that no library wraps the way the plane needs them. The only `unsafe` of the
//! project lies in this file.
//!
//! Owns: nothing; each function borrows plain memory for the time of one call. May touch: the
//! operating system. Outside it is safe for any arguments: lengths come from slices, sockets are
//! borrowed and therefore open, and what the kernel writes is handed on as plain bytes, which
//! [`super::abi`] reads with safe code.

use std::ffi::c_void;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use arrayvec::ArrayVec;

use super::abi::{ADDRESS_BYTES, RawAddress, address_bytes, decode_address};

/// Most datagrams in one `recvmmsg` or `sendmmsg`.
pub(super) const MOST_DATAGRAMS: usize = 64;
/// Room for the control messages of one datagram: a stamp (32 bytes), the overflow counter (24), and
/// on the error queue the error with the address of who reported it (64).
pub(super) const CONTROL_BYTES: usize = 128;

/// Memory for the control messages of one datagram, aligned as the kernel lays them out.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub(super) struct ControlBuffer(pub [u8; CONTROL_BYTES]);

/// How much of the memory of one datagram the kernel has filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// Bytes of the payload.
    pub payload: usize,
    /// Bytes of the address.
    pub name: usize,
    /// Bytes of the control messages.
    pub control: usize,
}

/// Receives up to as many datagrams as there are `names`, without waiting: datagram `i` goes into the
/// `i`-th `stride` bytes (not 0) of `payloads`, `names[i]`, `controls[i]` and `filled[i]`. The error is
/// `WouldBlock` when there is none.
pub(super) fn receive_many(
    socket: BorrowedFd<'_>,
    payloads: &mut [u8],
    stride: usize,
    names: &mut [[u8; ADDRESS_BYTES]],
    controls: &mut [ControlBuffer],
    filled: &mut [Filled],
) -> io::Result<usize> {
    let mut iovecs: ArrayVec<libc::iovec, MOST_DATAGRAMS> = payloads
        .chunks_exact_mut(stride)
        .map(|chunk| libc::iovec {
            iov_len: chunk.len(),
            iov_base: chunk.as_mut_ptr().cast(),
        })
        .take(names.len().min(MOST_DATAGRAMS))
        .collect();
    let mut headers: ArrayVec<libc::mmsghdr, MOST_DATAGRAMS> = iovecs
        .iter_mut()
        .zip(names.iter_mut().zip(controls.iter_mut()))
        .map(|(iovec, (name, control))| libc::mmsghdr {
            msg_hdr: header(iovec, (name.as_mut_ptr(), name.len()), &mut control.0),
            msg_len: 0,
        })
        .take(filled.len())
        .collect();
    // SAFETY: `headers` holds `headers.len()` initialised elements and is exclusively ours. Each
    // points at an iovec in `iovecs`, at a chunk of `payloads`, at an element of `names` and at one
    // of `controls`, with lengths not above theirs; all five are distinct, exclusively borrowed and
    // outlive the call, after which the kernel keeps no pointer. The timeout may be null. The
    // descriptor is borrowed, so it is open.
    let got = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            headers.len() as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            ptr::null_mut(),
        )
    };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    for (header, filled) in headers.iter().zip(filled.iter_mut()).take(got) {
        *filled = Filled {
            payload: (header.msg_len as usize).min(stride),
            name: (header.msg_hdr.msg_namelen as usize).min(ADDRESS_BYTES),
            control: control_len(&header.msg_hdr).min(CONTROL_BYTES),
        };
    }
    Ok(got)
}

/// Sends the first of `payloads` (as many as one call takes, and as the kernel accepts) to the
/// addresses beside them, without waiting. The error is about the very first one.
pub(super) fn send_many(
    socket: BorrowedFd<'_>,
    addresses: &[RawAddress],
    payloads: &[&[u8]],
) -> io::Result<usize> {
    let mut iovecs: ArrayVec<libc::iovec, MOST_DATAGRAMS> = payloads
        .iter()
        .map(|payload| libc::iovec {
            iov_base: payload.as_ptr().cast_mut().cast(),
            iov_len: payload.len(),
        })
        .take(MOST_DATAGRAMS)
        .collect();
    let mut headers: ArrayVec<libc::mmsghdr, MOST_DATAGRAMS> = iovecs
        .iter_mut()
        .zip(addresses)
        .map(|(iovec, address)| {
            let name = address.as_bytes();
            libc::mmsghdr {
                msg_hdr: header(iovec, (name.as_ptr().cast_mut(), name.len()), &mut []),
                msg_len: 0,
            }
        })
        .collect();
    // SAFETY: `headers` holds `headers.len()` initialised elements and is exclusively ours. Each
    // points at an iovec in `iovecs` and at the bytes of an address and of a payload that are
    // borrowed for longer than the call; sendmmsg reads these and writes only `msg_len` of the
    // headers, so that the pointers made mutable for the C signature are never written through.
    // The descriptor is borrowed, so it is open.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            headers.len() as libc::c_uint,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Takes one entry from the socket's error queue, without waiting: the head of the datagram that was
/// not delivered, where it was going, and the control messages that say why.
pub(super) fn receive_error(
    socket: BorrowedFd<'_>,
    payload: &mut [u8],
    name: &mut [u8; ADDRESS_BYTES],
    control: &mut ControlBuffer,
) -> io::Result<Filled> {
    let mut iovec = libc::iovec {
        iov_len: payload.len(),
        iov_base: payload.as_mut_ptr().cast(),
    };
    let mut header = header(&mut iovec, (name.as_mut_ptr(), name.len()), &mut control.0);
    // SAFETY: `header` points at `iovec`, `payload`, `name` and `control` with exactly their lengths;
    // all are exclusively borrowed and outlive the call, after which the kernel keeps no pointer.
    // The descriptor is borrowed, so it is open.
    let got = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut header,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    Ok(Filled {
        payload: got.min(payload.len()),
        name: (header.msg_namelen as usize).min(ADDRESS_BYTES),
        control: control_len(&header).min(CONTROL_BYTES),
    })
}

/// Waits until the socket takes another datagram, at most `milliseconds`; whether it does.
pub(super) fn wait_writable(socket: BorrowedFd<'_>, milliseconds: i32) -> bool {
    let mut wanted = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: the pointer is to one `pollfd`, as the count says, exclusively ours during the call.
    let ready = unsafe { libc::poll(&raw mut wanted, 1, milliseconds) };
    ready == 1 && wanted.revents & libc::POLLOUT != 0
}

/// Sets a socket option whose value is an `int`.
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: i32,
) -> io::Result<()> {
    // SAFETY: the pointer is to an `i32` on the stack, whose size is what the length says; the
    // kernel reads it during the call only. The descriptor is borrowed, so it is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<c_void>(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The IP addresses of all interfaces that are up, with port 0, in the system's order.
pub(super) fn interface_addresses() -> io::Result<Vec<SocketAddr>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: getifaddrs writes one pointer through a pointer to one on our stack.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null or an element of the list that getifaddrs made, which is not freed
    // before the loop is over; nobody else has it, so nobody writes it.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        if entry.ifa_addr.is_null() || entry.ifa_flags & libc::IFF_UP as libc::c_uint == 0 {
            continue;
        }
        // SAFETY: `ifa_addr` is not null, so it points at a socket address of this list, and every
        // socket address begins with its family.
        let family = i32::from(unsafe { (*entry.ifa_addr).sa_family });
        let Some(len) = address_bytes(family) else {
            continue;
        };
        // SAFETY: an address of family AF_INET is a whole `sockaddr_in` (16 bytes), one of family
        // AF_INET6 a whole `sockaddr_in6` (28 bytes), and `len` is that size. The bytes are
        // initialised (the system wrote them) and live until the list is freed below.
        let bytes = unsafe { std::slice::from_raw_parts(entry.ifa_addr.cast::<u8>(), len) };
        addresses.extend(decode_address(bytes));
    }
    // SAFETY: `list` came from getifaddrs, is freed once, and no reference into it is left.
    unsafe { libc::freeifaddrs(list) };
    Ok(addresses)
}

/// A message header over one buffer. Only points; whoever passes it to the kernel proves that the
/// pointers are good for as long.
fn header(
    iovec: &mut libc::iovec,
    (name, name_bytes): (*mut u8, usize),
    control: &mut [u8],
) -> libc::msghdr {
    // SAFETY: `msghdr` is a C structure of integers and raw pointers: all zero is a valid value.
    // (It is not written as a literal because some C libraries pad it with private fields.)
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = name.cast();
    header.msg_namelen = name_bytes as libc::socklen_t;
    header.msg_iov = iovec;
    header.msg_iovlen = 1;
    header.msg_control = if control.is_empty() {
        ptr::null_mut()
    } else {
        control.as_mut_ptr().cast()
    };
    header.msg_controllen = control.len() as _;
    header
}

/// How many bytes of control messages the kernel wrote. C libraries differ in the field's type.
fn control_len(header: &libc::msghdr) -> usize {
    header.msg_controllen as _
}
