//! Listen addresses as the command line has them: `udp:IP:PORT`, with a name `udp:IP:PORT/NAME`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use anyhow::Context as _;
use sipshard::proxy::Listener;
use sipshard::route::settings::{ListenLine, ScriptSettings};

/// The port of SIP.
const SIP_PORT: u16 = 5060;

/// An address to listen on, by UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub Listener);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, SIP_PORT)
    }
}

impl ListenAddress {
    /// `udp:` may be left out, and so may the port and the name. IPv6 stands in brackets.
    fn parse(text: &str, port: u16) -> Result<Self, String> {
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
                ..SocketAddr::new(ip, port).into()
            })),
            (_, Ok(address)) => Ok(Self(Listener {
                name,
                ..address.into()
            })),
            _ => Err("udp:IP:PORT expected, such as udp:192.0.2.1:5060 or udp:[::1]:5060".into()),
        }
    }
}

/// The listen addresses of a configuration. Without any, it listens on all addresses, as Kamailio.
pub fn of_config(script: &ScriptSettings) -> anyhow::Result<Vec<Listener>> {
    let port = match script.core_number("port") {
        Some(port) => u16::try_from(port).with_context(|| format!("port={port}"))?,
        None => SIP_PORT,
    };
    let advertised = script.core_text("advertised_address").map(|address| {
        let port = script.core_number("advertised_port");
        port.map_or_else(|| address.clone(), |port| format!("{address}:{port}"))
    });
    let of_line = |line: &ListenLine| {
        let ListenAddress(mut listener) = ListenAddress::parse(&line.address, port)
            .map_err(|error| anyhow::anyhow!("listen={}: {error}", line.address))?;
        listener.advertise = line.advertise.clone().or_else(|| advertised.clone());
        listener.name = line.name.as_deref().map(Into::into);
        Ok(listener)
    };
    if script.listen.is_empty() {
        return Ok(vec![Listener {
            advertise: advertised,
            ..SocketAddr::from(([0, 0, 0, 0], port)).into()
        }]);
    }
    script.listen.iter().map(of_line).collect()
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
    fn a_configuration_says_where_and_by_which_port() {
        let listens = |text: &str| {
            let read = |_: &str| Ok(format!("{text}\nrequest_route {{ exit; }}\n").into_bytes());
            let program = sipshard::proxy::script::compile("a.cfg", &[], &read).expect(text);
            let listeners = of_config(program.settings()).expect(text);
            let text = |one: &Listener| format!("{} as {}", one.address, one.sent_by());
            listeners.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(listens(""), ["0.0.0.0:5060 as 0.0.0.0:5060"]);
        assert_eq!(listens("port=5070"), ["0.0.0.0:5070 as 0.0.0.0:5070"]);
        let two = "port=5070\nlisten=udp:192.0.2.1\nlisten=udp:192.0.2.1:5080\n";
        assert_eq!(
            listens(two),
            [
                "192.0.2.1:5070 as 192.0.2.1:5070",
                "192.0.2.1:5080 as 192.0.2.1:5080"
            ]
        );
        let advertised = "advertised_address=\"198.51.100.1\"\nadvertised_port=5090\n\
                          listen=udp:192.0.2.1:5060\nlisten=udp:192.0.2.2:5060 advertise 203.0.113.1:5060\n";
        assert_eq!(
            listens(advertised),
            [
                "192.0.2.1:5060 as 198.51.100.1:5090",
                "192.0.2.2:5060 as 203.0.113.1:5060"
            ]
        );
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
