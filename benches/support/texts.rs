//! What the two ends of a call say: texts of the size and shape of SIPp's.

use std::net::SocketAddr;

/// Where the proxy listens.
pub const PROXY: &str = "10.0.0.1:5060";
/// Where calls come from.
pub const CALLER: &str = "10.0.0.9:5060";

/// An address that is known to be one.
pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A request of the caller. `to_tag` is a whole parameter, `routes` are whole header lines.
pub fn request(
    method: &str,
    id: u64,
    to_tag: &str,
    cseq: u32,
    (uri, routes): (&str, &str),
) -> Vec<u8> {
    let body = "v=0\r\no=user1 53655765 2353687637 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\n\
        t=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{id}-{method}\r\n\
         {routes}\
         From: sipp <sip:sipp@{CALLER}>;tag={id}SIPpTag001\r\n\
         To: service <sip:service@{PROXY}>{to_tag}\r\n\
         Call-ID: {id}-4711@10.0.0.9\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: sip:sipp@{CALLER}\r\n\
         Max-Forwards: 70\r\n\
         Subject: Performance Test\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What a gateway answers to a request that it got.
pub fn reply(request: &[u8], status: &str) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {status}\r\n").into_bytes();
    let request = String::from_utf8_lossy(request);
    for line in request.lines() {
        let name = line.split(':').next().unwrap_or_default();
        let tag = match name {
            "To" if !line.contains(";tag=") => ";tag=b",
            "Via" | "From" | "Call-ID" | "CSeq" | "Record-Route" | "To" => "",
            _ => continue,
        };
        text.extend_from_slice(format!("{line}{tag}\r\n").as_bytes());
    }
    text.extend_from_slice(b"Contact: <sip:10.0.1.1:5060>\r\nContent-Length: 0\r\n\r\n");
    text
}
