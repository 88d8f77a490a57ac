//! The part of a dialog that later requests need: remote target, route set, the peer's name
//! (RFC 3261 section 12).

use std::net::SocketAddr;

use arrayvec::ArrayVec;

use crate::sip::{Message, Name, NameAddr, Uri};

/// Most hops of a route set; further ones are ignored, and the call then fails visibly.
const MAX_HOPS: usize = 16;
const DEFAULT_PORT: u16 = 5060;

/// What is written into each request within a dialog. The memory is used again by the next call.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    /// Request-URI, then Route lines, then the value of To.
    bytes: Vec<u8>,
    uri_end: u32,
    routes_end: u32,
    next_hop: SocketAddr,
}

impl Dialog {
    /// None yet; requests would go to `next_hop`.
    pub fn new(next_hop: SocketAddr) -> Self {
        Self {
            bytes: Vec::new(),
            uri_end: 0,
            routes_end: 0,
            next_hop,
        }
    }

    /// As the caller of SIPp does it: everything to the same URI and address, whatever the answer says.
    pub fn ignore_route_set(&mut self, uri: &[u8], address: SocketAddr, peer: &[u8]) {
        self.set(uri, &[], peer, address);
    }

    /// From a 2xx that answers our INVITE: its Contact, its Record-Route in reverse order (12.1.2), its To.
    /// Without a Contact the request goes to `uri`; what names no numeric address, to `address`.
    pub fn learn_from_answer(&mut self, answer: Message<'_>, uri: &[u8], address: SocketAddr) {
        let mut hops = hops(answer);
        hops.reverse();
        let peer = answer.first(Name::To).map_or(&b""[..], |line| line.value);
        self.set(contact(answer).unwrap_or(uri), &hops, peer, address);
    }

    /// From an INVITE that came from `source` and that we answer: its Contact, its Record-Route in order
    /// (12.1.1). The peer's name is left empty.
    pub fn learn_from_invite(&mut self, invite: Message<'_>, source: SocketAddr) {
        match contact(invite) {
            Some(contact) => self.set(contact, &hops(invite), &[], source),
            None => self.set(
                format!("sip:{source}").as_bytes(),
                &hops(invite),
                &[],
                source,
            ),
        }
    }

    fn set(&mut self, target: &[u8], hops: &[NameAddr<'_>], peer: &[u8], fallback: SocketAddr) {
        self.bytes.clear();
        // A first hop without `lr` is a strict router: it takes the Request-URI's place, and the
        // remote target goes to the end of the list (12.2.1.1).
        let strict = hops.first().is_some_and(|hop| !is_loose(hop.uri));
        let (uri, rest) = match hops.split_first() {
            Some((first, rest)) if strict => (first.uri, rest),
            _ => (target, hops),
        };
        self.bytes.extend_from_slice(uri);
        self.uri_end = self.bytes.len() as u32;
        for hop in rest {
            self.push_route(hop.uri);
        }
        if strict {
            self.push_route(target);
        }
        self.routes_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(peer);
        let next = hops.first().map_or(target, |hop| hop.uri);
        self.next_hop = address_of(next).unwrap_or(fallback);
    }

    fn push_route(&mut self, uri: &[u8]) {
        self.bytes.extend_from_slice(b"Route: <");
        self.bytes.extend_from_slice(uri);
        self.bytes.extend_from_slice(b">\r\n");
    }

    /// The Request-URI.
    pub fn uri(&self) -> &[u8] {
        &self.bytes[..self.uri_end as usize]
    }

    /// Whole Route lines, or nothing.
    pub fn routes(&self) -> &[u8] {
        &self.bytes[self.uri_end as usize..self.routes_end as usize]
    }

    /// The value of To, with the peer's tag.
    pub fn peer(&self) -> &[u8] {
        &self.bytes[self.routes_end as usize..]
    }

    /// Where requests go.
    pub fn next_hop(&self) -> SocketAddr {
        self.next_hop
    }
}

fn hops(message: Message<'_>) -> ArrayVec<NameAddr<'_>, MAX_HOPS> {
    message
        .record_routes()
        .filter_map(Result::ok)
        .take(MAX_HOPS)
        .collect()
}

/// The URI of the first Contact.
fn contact(message: Message<'_>) -> Option<&[u8]> {
    let contact = message.addresses(Name::Contact).next()?.ok()?;
    Some(contact.uri)
}

fn is_loose(uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.is_loose())
}

/// The numeric address that a URI names; agents do not resolve names.
fn address_of(uri: &[u8]) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let port = uri.port.unwrap_or(DEFAULT_PORT);
    Some(SocketAddr::new(uri.host_ip()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{HeaderIndex, scan};

    fn learn(headers: &str) -> (String, String, String, SocketAddr) {
        let text = format!("SIP/2.0 200 OK\r\nTo: <sip:x@y>;tag=7\r\n{headers}\r\n");
        let mut index = HeaderIndex::new();
        let answer = scan(text.as_bytes(), &mut index).unwrap();
        let fallback = "9.9.9.9:9".parse().unwrap();
        let mut dialog = Dialog::new(fallback);
        dialog.learn_from_answer(answer, b"sip:old@target", fallback);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            text(dialog.uri()),
            text(dialog.routes()),
            text(dialog.peer()),
            dialog.next_hop(),
        )
    }

    #[test]
    fn without_routes_requests_go_to_the_contact() {
        let (uri, routes, peer, next) = learn("Contact: <sip:gw@10.0.0.1:5070>\r\n");
        assert_eq!(uri, "sip:gw@10.0.0.1:5070");
        assert_eq!(routes, "");
        assert_eq!(peer, "<sip:x@y>;tag=7");
        assert_eq!(next, "10.0.0.1:5070".parse().unwrap());
    }

    #[test]
    fn record_routes_are_reversed_and_the_nearest_is_next() {
        let (uri, routes, _, next) = learn(
            "Record-Route: <sip:10.0.0.3;lr>, <sip:10.0.0.2:5062;lr>\r\n\
             Record-Route: <sip:[2001:db8::1]:5061;lr>\r\nContact: <sip:gw@10.0.0.9>\r\n",
        );
        assert_eq!(uri, "sip:gw@10.0.0.9");
        assert_eq!(
            routes,
            "Route: <sip:[2001:db8::1]:5061;lr>\r\nRoute: <sip:10.0.0.2:5062;lr>\r\nRoute: <sip:10.0.0.3;lr>\r\n"
        );
        assert_eq!(next, "[2001:db8::1]:5061".parse().unwrap());
    }

    #[test]
    fn a_strict_router_takes_the_place_of_the_target() {
        let (uri, routes, _, next) = learn(
            "Record-Route: <sip:10.0.0.2;lr>, <sip:10.0.0.1>\r\nContact: <sip:gw@10.0.0.9>\r\n",
        );
        assert_eq!(uri, "sip:10.0.0.1");
        assert_eq!(
            routes,
            "Route: <sip:10.0.0.2;lr>\r\nRoute: <sip:gw@10.0.0.9>\r\n"
        );
        assert_eq!(next, "10.0.0.1:5060".parse().unwrap());
    }

    #[test]
    fn names_and_missing_contacts_fall_back() {
        let (uri, _, _, next) = learn("Contact: <sip:gw@gateway.example>\r\n");
        assert_eq!(uri, "sip:gw@gateway.example");
        assert_eq!(next, "9.9.9.9:9".parse().unwrap());
        let (uri, _, _, _) = learn("");
        assert_eq!(uri, "sip:old@target");
    }
}
