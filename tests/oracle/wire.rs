//! As much of SIP as gateways need that answer what they are told to.

use std::net::{SocketAddr, UdpSocket};

/// A request that a gateway has heard.
pub struct Request {
    bytes: Vec<u8>,
    /// Who sent it.
    pub from: SocketAddr,
}

impl Request {
    /// The next one that has come, if any. The socket does not block.
    pub fn receive(socket: &UdpSocket) -> Option<Self> {
        let mut buffer = [0; 4096];
        let (length, from) = socket.recv_from(&mut buffer).ok()?;
        let bytes = buffer[..length].to_vec();
        Some(Self { bytes, from })
    }

    /// Whether it has this method.
    pub fn is(&self, method: &str) -> bool {
        self.bytes.starts_with(method.as_bytes())
    }

    /// Answers it: what identifies it goes back byte by byte.
    pub fn answer(&self, socket: &UdpSocket, code: u16) {
        let mut reply = format!("SIP/2.0 {code} X\r\n").into_bytes();
        let lines = self.bytes.split(|byte| *byte == b'\n').skip(1);
        for line in lines.take_while(|line| !line.trim_ascii().is_empty()) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let is = |names: &[&str]| {
                names
                    .iter()
                    .any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
            };
            if is(&[
                "Via",
                "v",
                "From",
                "f",
                "Call-ID",
                "i",
                "CSeq",
                "Record-Route",
            ]) {
                reply.extend_from_slice(line.trim_ascii_end());
            } else if is(&["To", "t"]) {
                let line = line.trim_ascii_end();
                reply.extend_from_slice(line);
                if !line.windows(5).any(|part| part == b";tag=") {
                    reply.extend_from_slice(b";tag=gw");
                }
            } else {
                continue;
            }
            reply.extend_from_slice(b"\r\n");
        }
        reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        socket.send_to(&reply, self.from).expect("sent");
    }
}

/// A message with lines put behind its first.
pub fn insert_after_first_line(message: &[u8], lines: &str) -> Vec<u8> {
    let end = message.windows(2).position(|pair| pair == b"\r\n");
    let end = end.expect("a line") + 2;
    [&message[..end], lines.as_bytes(), &message[end..]].concat()
}

/// The code, if it is a final answer to the request of this branch.
pub fn final_answer(message: &[u8], branch: &str) -> Option<u16> {
    let via = crate::scenario::header(message, "Via")?;
    let is_branch = via.split(';').any(|one| one == format!("branch={branch}"));
    let text = String::from_utf8_lossy(message);
    let code = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (is_branch && code >= 200).then_some(code)
}
