//! Listen addresses as the command line has them: `udp:IP:PORT`, with a name `udp:IP:PORT/NAME`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use sipshard::proxy::Listener;

/// The port of SIP.
const SIP_PORT: u16 = 5060;

/// An address to listen on, by UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub Listener);

impl FromStr for ListenAddress {
    type Err = String;

    /// `udp:` may be left out, and so may the port and the name. IPv6 stands in brackets.
    fn from_str(text: &str) -> Result<Self, String> {
        let (text, name) = match text.split_once('/') {
            Some((_, "")) => return Err("the name after / is missing".to_owned()),
            Some((address, name)) => (address, Some(name.into())),
            None => (text, None),
        };
        let address = match text.split_once(':') {
            Some((transport, rest)) if transport.eq_ignore_ascii_case("udp") => rest,
            Some(("tcp" | "tls" | "sctp" | "ws" | "wss", _)) => {
                return Err("only udp is supported yet".to_owned());
            }
            _ => text,
        };
        let ip = address
            .strip_prefix('[')
            .and_then(|v6| v6.strip_suffix(']'));
        let ip = ip.unwrap_or(address).parse::<IpAddr>();
        match (ip, address.parse::<SocketAddr>()) {
            (Ok(ip), _) => Ok(Self(Listener {
                name,
                ..SocketAddr::new(ip, SIP_PORT).into()
            })),
            (_, Ok(address)) => Ok(Self(Listener {
                name,
                ..address.into()
            })),
            _ => Err("udp:IP:PORT expected, such as udp:192.0.2.1:5060 or udp:[::1]:5060".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_and_port_may_be_left_out() {
        let cases = [
            ("udp:127.0.0.1:5070", "127.0.0.1:5070"),
            ("UDP:127.0.0.1", "127.0.0.1:5060"),
            ("127.0.0.1:5070", "127.0.0.1:5070"),
            ("0.0.0.0", "0.0.0.0:5060"),
            ("udp:[::1]:5070", "[::1]:5070"),
            ("[::1]:5070", "[::1]:5070"),
            ("udp:[::1]", "[::1]:5060"),
            ("::1", "[::1]:5060"),
        ];
        for (text, address) in cases {
            let parsed = text.parse::<ListenAddress>().expect(text);
            assert_eq!(parsed.0.address.to_string(), address, "{text}");
            assert_eq!(parsed.0.name, None, "{text}");
        }
    }

    #[test]
    fn a_name_follows_after_a_slash() {
        for text in ["udp:127.0.0.1:5060/inner", "127.0.0.1/inner"] {
            let parsed = text.parse::<ListenAddress>().expect(text);
            assert_eq!(parsed.0.address.to_string(), "127.0.0.1:5060");
            assert!(parsed.0.is_named("inner"), "{text}");
        }
        let error = "127.0.0.1/".parse::<ListenAddress>();
        assert_eq!(error, Err("the name after / is missing".to_owned()));
    }

    #[test]
    fn anything_else_says_what_is_expected() {
        for text in [
            "",
            "udp:",
            "localhost:5060",
            "udp:127.0.0.1:70000",
            "eth0",
            "udp:1.2.3.4:",
        ] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert!(error.starts_with("udp:IP:PORT expected"), "{text}: {error}");
        }
        let error = "tcp:127.0.0.1:5060".parse::<ListenAddress>();
        assert_eq!(error, Err("only udp is supported yet".to_owned()));
    }
}
