//! Why a message had to be handed over although there is steering: found out in user space, for the
//! messages that are handed over.
//!
//! Owns: the reasons. May touch: memory only. Classic BPF cannot count; and eBPF counts what it sees,
//! not whether the shards agree.

use super::Reach;

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The header begins too far from the head of the datagram.
    OutOfReach,
    /// The Call-ID is too long.
    TooLong,
    /// Neither: a spelling that the program does not know, a short line before it, or a train of
    /// datagrams that the kernel took for one.
    Other,
}

/// The reason for a message that a program with this reach has not brought to its owner.
pub fn reason(reach: Reach, message: &[u8]) -> Reason {
    let Some((line, call_id)) = find(message) else {
        return Reason::Other;
    };
    if call_id.len() > reach.call_id_bytes as usize {
        Reason::TooLong
    } else if line + call_id.len() > reach.scanned_bytes as usize {
        Reason::OutOfReach
    } else {
        Reason::Other
    }
}

/// Where the line of the Call-ID begins, and its value up to the first blank.
fn find(message: &[u8]) -> Option<(usize, &[u8])> {
    memchr::memchr_iter(b'\n', message).find_map(|end| {
        let line = &message[end + 1..];
        let colon = memchr::memchr2(b':', b'\n', line)?;
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"Call-ID") && !name.eq_ignore_ascii_case(b"i") {
            return None;
        }
        let value = value.get(1..)?.trim_ascii_start();
        let length = value.iter().position(u8::is_ascii_whitespace);
        Some((end, &value[..length.unwrap_or(value.len())]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REACH: Reach = Reach {
        scanned_bytes: 60,
        call_id_bytes: 20,
    };

    #[test]
    fn the_reason_is_found() {
        let cases = [
            ("Call-ID: a@b", Reason::Other),
            ("i : a@b", Reason::Other),
            ("X: y", Reason::Other),
            ("I: 0123456789-0123456789", Reason::TooLong),
            (
                "From: <sip:someone@somewhere.example.com>\r\ncall-id:a@b",
                Reason::OutOfReach,
            ),
        ];
        for (line, expected) in cases {
            let message = format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\n\r\nbody");
            assert_eq!(reason(REACH, message.as_bytes()), expected, "{line}");
        }
        for message in ["", "\n", "\ni:", "i: a\r\n"] {
            assert_eq!(reason(REACH, message.as_bytes()), Reason::Other);
        }
    }
}
