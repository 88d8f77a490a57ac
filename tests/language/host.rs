//! A host over one message that was read, for scripts that relay nothing.

use std::time::Duration;

use sipshard::route::host::{Argument, Host, Inner, Level, ListIndex, Outcome};
use sipshard::route::machine::Machine;
use sipshard::route::value::Value;
use sipshard::sip::{HeaderIndex, Message, Method, NameAddr, Uri, scan};

/// The message and what a script did with it.
pub struct MessageHost {
    message: Vec<u8>,
    flags: u32,
    /// The reason that it answered with.
    pub answer: String,
}

impl MessageHost {
    pub fn new(message: Vec<u8>) -> Self {
        Self {
            message,
            flags: 0,
            answer: "no answer".to_owned(),
        }
    }

    fn with<T>(&self, read: impl FnOnce(Message<'_>) -> T) -> T {
        let mut index = HeaderIndex::new();
        read(scan(&self.message, &mut index).expect("a good message"))
    }

    /// What a variable of the message says.
    fn text(&self, name: &str, inner: &[u8]) -> Option<Vec<u8>> {
        let address = |address: &NameAddr<'_>, part: &str| -> Option<Vec<u8>> {
            let uri = Uri::parse(address.uri).ok()?;
            Some(match part {
                "u" => address.uri.to_vec(),
                "U" => uri.user?.to_vec(),
                "d" => uri.host.to_vec(),
                _ => address.tag()?.to_vec(),
            })
        };
        self.with(|message| match name {
            "ru" => message.request_uri().map(<[u8]>::to_vec),
            "rU" | "rd" | "rp" => {
                let uri = Uri::parse(message.request_uri()?).ok()?;
                Some(match name {
                    "rU" => uri.user?.to_vec(),
                    "rd" => uri.host.to_vec(),
                    _ => uri.port_text.to_vec(),
                })
            }
            "fu" | "fU" | "fd" | "ft" => address(&message.from().ok()?, &name[1..]),
            "tu" | "tU" | "td" | "tt" => address(&message.to().ok()?, &name[1..]),
            "ci" => message.call_id().map(<[u8]>::to_vec),
            "rm" => Some(b"INVITE".to_vec()),
            "ua" => header(message, b"User-Agent"),
            "si" => Some(b"127.0.0.1".to_vec()),
            _ => header(message, inner),
        })
    }
}

fn header(message: Message<'_>, name: &[u8]) -> Option<Vec<u8>> {
    let mut lines = message.lines();
    let line = lines.find(|line| line.name_text.eq_ignore_ascii_case(name))?;
    Some(line.value.to_vec())
}

impl Host for MessageHost {
    const FUNCTIONS: &'static [&'static str] = &[
        "sl_send_reply",
        "is_method",
        "setflag",
        "resetflag",
        "isflagset",
        "is_present_hf",
        "has_totag",
    ];
    const VARIABLES: &'static [&'static str] = &[
        "ru", "rU", "rd", "rp", "fu", "fU", "fd", "ft", "tu", "tU", "td", "tt", "ci", "rm", "ua",
        "si", "hdr", "cs", "mf",
    ];

    fn method(&self) -> Option<Method> {
        Some(Method::Invite)
    }

    fn call(&mut self, function: u16, arguments: &[Argument], machine: &mut Machine) -> Outcome {
        let flag = match arguments.first() {
            Some(Argument::Flag(flag)) => 1 << flag,
            _ => 0_u32,
        };
        match (Self::FUNCTIONS[usize::from(function)], arguments) {
            ("sl_send_reply", [_, reason]) => {
                let reason = reason
                    .text()
                    .map_or(&b""[..], |reason| machine.bytes(reason));
                self.answer = String::from_utf8_lossy(reason).into_owned();
                Outcome::TRUE
            }
            ("is_method", [Argument::Methods(methods, _)]) => {
                (methods & 1 << Method::Invite as u32 != 0).into()
            }
            ("setflag", _) => {
                self.flags |= flag;
                Outcome::TRUE
            }
            ("resetflag", _) => {
                self.flags &= !flag;
                Outcome::TRUE
            }
            ("isflagset", _) => (self.flags & flag != 0).into(),
            ("is_present_hf", [name]) => {
                let name = name.text().map_or(&b""[..], |name| machine.bytes(name));
                self.with(|message| header(message, name).is_some()).into()
            }
            _ => Outcome::FALSE,
        }
    }

    fn get(&mut self, variable: u16, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
        let name = Self::VARIABLES[usize::from(variable)];
        match name {
            "mf" => return Value::Number(i64::from(self.flags)),
            "cs" => return Value::Number(314_159),
            _ => {}
        }
        let inner = match inner {
            Inner::Text { text, .. } => machine.bytes(text).to_vec(),
            _ => Vec::new(),
        };
        let text = self.text(name, &inner);
        text.map_or(Value::Null, |text| Value::Text(machine.text(&text)))
    }

    fn set(
        &mut self,
        variable: u16,
        _: Inner,
        _: ListIndex,
        value: Value,
        machine: &mut Machine,
    ) -> bool {
        let is_flags = Self::VARIABLES[usize::from(variable)] == "mf";
        if is_flags {
            self.flags = machine.to_number(value) as u32;
        }
        is_flags
    }

    fn unix_time(&mut self) -> Duration {
        Duration::ZERO
    }

    fn is_logged(&mut self, _: Level) -> bool {
        false
    }

    fn log(&mut self, _: Level, _: &[u8]) {}
}
