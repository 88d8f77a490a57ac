//! What the receiver of a request writes into its topmost Via (RFC 3261 18.2.1, RFC 3581 4).

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::edit::Edits;
use super::message::Message;
use super::text;
use super::via::{Place, Via};

/// The parameters `received` and `rport` that a Via value is to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amend {
    /// The address that the request came from.
    pub received: Option<IpAddr>,
    /// The port that the request came from.
    pub rport: Option<u16>,
}

impl Amend {
    /// What a request from `source` with this topmost Via needs: `received` if sent-by is not the
    /// source's address or `rport` is asked for; `rport` if it is asked for. A `received` or
    /// `rport` that the sender filled in itself is overwritten: replies go where the request came
    /// from.
    pub fn for_source(via: &Via<'_>, source: SocketAddr) -> Self {
        let ip = source.ip().to_canonical();
        let asked = via.rport.is_some();
        let same = || via.sent_by_ip().map(|sent_by| sent_by.to_canonical()) == Some(ip);
        let needs_received = asked || via.received_tail.is_some() || !same();
        Self {
            received: needs_received.then_some(ip),
            rport: asked.then_some(source.port()),
        }
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.received.is_none() && self.rport.is_none()
    }

    /// Adds the changes to `edits`. `via` must be a value of `message`.
    pub fn apply(&self, via: &Via<'_>, message: Message<'_>, edits: &mut Edits) {
        debug_assert!(
            via.range.end <= message.bytes().len(),
            "the Via belongs to another message"
        );
        for change in self.changes(via).into_iter().flatten() {
            edits.replace_with(change.range.clone(), |out| change.write(out));
        }
    }

    /// Appends the text of `via`, which lies in `bytes`, with the changes.
    pub(super) fn write(&self, via: &Via<'_>, bytes: &[u8], out: &mut Vec<u8>) {
        let mut copied = via.range.start;
        for change in self.changes(via).into_iter().flatten() {
            out.extend_from_slice(&bytes[copied..change.range.start]);
            change.write(out);
            copied = change.range.end;
        }
        out.extend_from_slice(&bytes[copied..via.range.end]);
    }

    /// The changes, in the order of their places.
    fn changes(&self, via: &Via<'_>) -> [Option<Change>; 2] {
        let end = via.range.end..via.range.end;
        let rport = self.rport.map(|port| Change {
            range: via.rport_tail.map_or(end.clone(), Place::range),
            name: if via.rport_tail.is_some() {
                ""
            } else {
                ";rport"
            },
            value: Value::Port(port),
        });
        let received = self.received.map(|ip| Change {
            range: via.received_tail.map_or(end, Place::range),
            name: if via.received_tail.is_some() {
                ""
            } else {
                ";received"
            },
            value: Value::Ip(ip),
        });
        match (&rport, &received) {
            (Some(one), Some(other)) if other.range.start < one.range.start => [received, rport],
            _ => [rport, received],
        }
    }
}

enum Value {
    Ip(IpAddr),
    Port(u16),
}

/// One parameter to be written in the place of `range`.
struct Change {
    range: Range<usize>,
    name: &'static str,
    value: Value,
}

impl Change {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        out.push(b'=');
        match self.value {
            Value::Ip(ip) => text::write_ip(ip, out),
            Value::Port(port) => text::write_number(u32::from(port), out),
        }
    }
}
