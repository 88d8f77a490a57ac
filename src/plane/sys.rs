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
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{fs, ptr};

use arrayvec::ArrayVec;

use super::abi::{self, ADDRESS_BYTES, RawAddress, address_bytes, decode_address};

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

/// Lets a classic BPF program choose the socket of the `SO_REUSEPORT` group that `socket` is in, by
/// its number in the group. The instructions are code, jump if true, jump if false, constant.
pub(super) fn attach_classic(
    socket: BorrowedFd<'_>,
    program: &[(u16, u8, u8, u32)],
) -> io::Result<()> {
    let filter = |&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k };
    let mut filters: Vec<libc::sock_filter> = program.iter().map(filter).collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filters.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filters.as_mut_ptr(),
    };
    // SAFETY: the pointer is to a `sock_fprog` on the stack, whose size is what the length says; it
    // points at `len` initialised instructions that outlive the call. The kernel copies them, checks
    // them, and writes nothing. The descriptor is borrowed, so it is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast::<c_void>(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Calls bpf(2). `attributes` is the part of `union bpf_attr` that the command reads.
///
/// # Safety
/// `T` is a `repr(C)` structure without padding, laid out as the command wants it, and every address
/// in it is that of memory which the kernel may read, or write, as the command does, during the call.
// SAFETY: as said above; each caller says why it holds.
unsafe fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the pointer is to a `T`, whose size is what the length says, exclusively ours during
    // the call; what it points at is good by the caller's word.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(io::Error::last_os_error)
}

/// What a BPF map is made of; its keys are numbers of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapKind {
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`: each element once for each CPU.
    PerCpuArray,
    /// `BPF_MAP_TYPE_REUSEPORT_SOCKARRAY`: sockets; user space gives them by their descriptors.
    Sockets,
}

/// A BPF map.
#[derive(Debug)]
pub(super) struct BpfMap {
    descriptor: OwnedFd,
    kind: MapKind,
    /// Bytes of an element as user space reads it: for per-CPU arrays those of all CPUs.
    element_bytes: usize,
}

impl BpfMap {
    /// A map of `count` elements, each of `value_bytes` (of all CPUs; for sockets 8).
    pub(super) fn new(kind: MapKind, value_bytes: u32, count: u32) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            map_type: u32,
            key_size: u32,
            value_size: u32,
            max_entries: u32,
        }
        let cpus = match kind {
            MapKind::PerCpuArray => {
                let list = fs::read_to_string("/sys/devices/system/cpu/possible")?;
                abi::count_cpus(&list).ok_or(io::ErrorKind::InvalidData)?
            }
            MapKind::Sockets => 1,
        };
        let mut attributes = Attributes {
            map_type: match kind {
                MapKind::PerCpuArray => 6,
                MapKind::Sockets => 20,
            },
            key_size: size_of::<u32>() as u32,
            value_size: value_bytes,
            max_entries: count,
        };
        // SAFETY: BPF_MAP_CREATE (0) reads these four words, and takes those that are not given for
        // zero. No address is among them.
        let descriptor = unsafe { bpf(0, &mut attributes) }?;
        Ok(Self {
            // SAFETY: the kernel has just made this descriptor for us; nobody else has it.
            descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) },
            kind,
            element_bytes: value_bytes.next_multiple_of(8) as usize * cpus,
        })
    }

    /// Its descriptor, for programs.
    pub(super) fn number(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    /// Puts a socket into a map of sockets; it takes the place of the one that was there.
    pub(super) fn set_socket(&self, index: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        if self.kind != MapKind::Sockets {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let value = socket.as_raw_fd() as u64;
        let mut attributes = self.element(&index, (&raw const value) as u64);
        // SAFETY: BPF_MAP_UPDATE_ELEM (2) reads a key of 4 bytes, as all our maps have them, and a
        // value of 8 bytes, as maps of sockets have them; both are on the stack.
        unsafe { bpf(2, &mut attributes) }.map(drop)
    }

    /// An element of a per-CPU array: that of each CPU, one after the other, each padded to 8 bytes.
    pub(super) fn read(&self, index: u32) -> io::Result<Vec<u8>> {
        let mut value = vec![0_u8; self.element_bytes];
        let mut attributes = self.element(&index, value.as_mut_ptr() as u64);
        // SAFETY: BPF_MAP_LOOKUP_ELEM (1) reads a key of 4 bytes, as all our maps have them, and
        // writes one element. For a per-CPU array that is the value's size, rounded up to 8, for each
        // CPU that the kernel counts as possible, which it tells in the file that `new` has read and
        // never changes while it runs; for sockets it is 8 bytes. `element_bytes` is this.
        unsafe { bpf(1, &mut attributes) }?;
        Ok(value)
    }

    fn element(&self, index: &u32, value: u64) -> ElementAttributes {
        ElementAttributes {
            map: self.number() as u32,
            padding: 0,
            key: ptr::from_ref(index) as u64,
            value,
            flags: 0,
        }
    }
}

#[repr(C)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Loads an eBPF program of type `SK_REUSEPORT`. The verifier's words go into `log` if there is one
/// (which costs time); it then ends with a zero.
pub(super) fn load_program(code: &[[u8; 8]], log: &mut [u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        program_type: u32,
        instruction_count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_bytes: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        interface: u32,
        attach_type: u32,
    }
    const SK_REUSEPORT: u32 = 21;
    let is_logged = !log.is_empty();
    let mut attributes = Attributes {
        program_type: SK_REUSEPORT,
        instruction_count: code.len() as u32,
        instructions: code.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: u32::from(is_logged),
        log_bytes: log.len() as u32,
        log: if is_logged {
            log.as_mut_ptr() as u64
        } else {
            0
        },
        kernel_version: 0,
        flags: 0,
        name: *b"sipshard\0\0\0\0\0\0\0\0",
        interface: 0,
        attach_type: 0,
    };
    // SAFETY: BPF_PROG_LOAD (5) reads the instructions, as many as there are, and a text that ends
    // with a zero; it writes at most `log_bytes` to the log. All three outlive the call, the log is
    // exclusively borrowed. Without a log its size, level and address are zero.
    let descriptor = unsafe { bpf(5, &mut attributes) }?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
