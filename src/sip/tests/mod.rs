//! Tests of the room as a whole, by behaviour.

mod build;
mod edit;
mod fault;
mod oracle;
mod property;
mod scanning;
mod uri;
mod usual;
mod via;

use super::{HeaderIndex, Message, scan};

/// A usual INVITE.
const INVITE: &str = "INVITE sip:bob@example.com;transport=udp SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc;rport\r\n\
Via: SIP/2.0/TCP client.example.com;branch=z9hG4bKdef, SIP/2.0/UDP [2001:db8::1]\r\n\
Max-Forwards: 70\r\n\
Route: <sip:203.0.113.1;lr>, <sip:203.0.113.2;lr>\r\n\
From: \"Alice, A.\" <sip:alice@example.com>;tag=1928\r\n\
To: <sip:bob@example.com>\r\n\
Call-ID: a84b4c76e66710\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:alice@192.0.2.1>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 5\r\n\
\r\n\
v=0\r\n";

/// Scans text that can be scanned and hands the message over.
fn with<T>(text: impl AsRef<[u8]>, look: impl FnOnce(Message<'_>) -> T) -> T {
    let mut index = HeaderIndex::new();
    look(scan(text.as_ref(), &mut index).expect("a message"))
}
