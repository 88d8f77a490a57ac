//! The attributes column of a destination: `duid=gw1;maxload=30;weight=50`.
//!
//! Owns: the grammar of the column and the meaning of its names, as Kamailio reads them. Pure.
//!
//! Items are separated by `;`, one `;` at the end is cut. A value is bare (it ends at `;`, `,` or a
//! blank) or quoted with `'` or `"`. Names are case-insensitive and the first of a kind wins. A `,`
//! ends the reading. What is tolerated but hardly meant gives a [`Remark`].

use std::net::SocketAddr;

use super::target::Target;

/// The attributes of one destination, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The whole column as written, without one trailing `;`.
    pub body: Box<str>,
    /// Unique name of the destination in its set; what loads and states are carried over by.
    pub duid: Option<Box<str>>,
    /// Most calls counted at once; 0 means no limit.
    pub maxload: u32,
    /// Share of the calls in percent, 1 to 100; 0 if not given.
    pub weight: u32,
    /// Share relative to the other active destinations, 1 to 100; 0 if not given.
    pub rweight: u32,
    /// Listen socket that its requests leave by.
    pub socket: Option<Box<str>>,
    /// The address in `socket`, if it can be read.
    pub socket_address: Option<SocketAddr>,
    /// Name of the listen socket that its requests leave by.
    pub sockname: Option<Box<str>>,
    /// Listen socket that its keepalives leave by.
    pub ping_socket: Option<Box<str>>,
    /// From URI of its keepalives.
    pub ping_from: Option<Box<str>>,
    /// Next hop of its keepalives.
    pub obproxy: Option<Box<str>>,
    /// Where `obproxy` leads, once known: if its host is a name, that is found out in `source`.
    pub obproxy_address: Option<SocketAddr>,
    /// Latency to assume until it is measured, in milliseconds; 0 if not given.
    pub latency_ms: u32,
    /// Whether congestion control lowers its rweight.
    pub congestion_control: bool,
    /// Lowest overload rate that is obeyed, in percent.
    pub ocmin: u32,
    /// Highest overload rate that is obeyed, in percent.
    pub ocmax: u32,
    /// Overload rate: percent of selections that skip it.
    pub ocrate: u32,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            body: Box::default(),
            duid: None,
            maxload: 0,
            weight: 0,
            rweight: 0,
            socket: None,
            socket_address: None,
            sockname: None,
            ping_socket: None,
            ping_from: None,
            obproxy: None,
            obproxy_address: None,
            latency_ms: 0,
            congestion_control: false,
            ocmin: 0,
            ocmax: 100,
            ocrate: 0,
        }
    }
}

/// Something about a column of attributes, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Byte offset in the column.
    pub offset: usize,
    /// What it is.
    pub message: String,
}

impl Remark {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            offset,
            message: message.into(),
        }
    }
}

impl Attributes {
    /// Reads a column. The remarks are about what was tolerated; the error means that the
    /// destination cannot be used.
    pub fn parse(column: &str) -> Result<(Self, Vec<Remark>), Remark> {
        if let Some(offset) = column.find(|c: char| c.is_ascii_control() && c != '\t') {
            return Err(Remark::new(offset, "control character in the attributes"));
        }
        let body = column.strip_suffix(';').unwrap_or(column);
        let mut reader = Reader {
            body,
            at: 0,
            seen: 0,
            remarks: Vec::new(),
            attributes: Self {
                body: body.into(),
                ..Self::default()
            },
        };
        while reader.item()? {}
        Ok((reader.attributes, reader.remarks))
    }
}

/// The known names, in the order of their bits in `Reader::seen`.
const NAMES: [&str; 14] = [
    "duid",
    "maxload",
    "weight",
    "rweight",
    "socket",
    "sockname",
    "ping_socket",
    "ping_from",
    "obproxy",
    "latency",
    "cc",
    "ocmin",
    "ocmax",
    "ocrate",
];

struct Reader<'a> {
    body: &'a str,
    at: usize,
    /// Which of [`NAMES`] have been met.
    seen: u16,
    remarks: Vec<Remark>,
    attributes: Attributes,
}

impl<'a> Reader<'a> {
    /// Reads one `name=value` with the separators before it; false at the end of the column.
    fn item(&mut self) -> Result<bool, Remark> {
        let before = self.at;
        self.skip(|c| is_blank(c) || c == ';');
        let name_at = self.at;
        if name_at == self.body.len() {
            return if self.body[before..].contains(';') {
                Err(Remark::new(before, "name missing after ';'"))
            } else {
                Ok(false)
            };
        }
        let name = self.skip(|c| !is_blank(c) && !matches!(c, ';' | ',' | '='));
        self.skip(is_blank);
        let value_at = self.at + 1;
        let value = if self.peek() == Some('=') {
            self.at += 1;
            self.skip(is_blank);
            self.value()?
        } else {
            ""
        };
        self.keep(name_at, name, value_at, value);

        self.skip(is_blank);
        match self.peek() {
            None => Ok(false),
            Some(';') => Ok(true),
            Some(',') => {
                let rest = "',' ends the attributes; what follows is not read (use ';')";
                self.remarks.push(Remark::new(self.at, rest));
                Ok(false)
            }
            Some(other) => Err(Remark::new(
                self.at,
                format!("';' expected, found '{other}'"),
            )),
        }
    }

    fn value(&mut self) -> Result<&'a str, Remark> {
        match self.peek() {
            None => Ok(""),
            Some(quote @ ('"' | '\'')) => {
                let open = self.at;
                self.at += 1;
                let value = self.skip(|c| c != quote);
                if self.peek().is_none() {
                    return Err(Remark::new(open, format!("no closing {quote}")));
                }
                self.at += 1;
                Ok(value)
            }
            Some(_) => {
                let value = self.skip(|c| !is_blank(c) && !matches!(c, ';' | ','));
                if value.is_empty() {
                    return Err(Remark::new(self.at, "value missing after '='"));
                }
                Ok(value)
            }
        }
    }

    fn keep(&mut self, name_at: usize, name: &str, value_at: usize, value: &str) {
        let Some(index) = NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
        else {
            return;
        };
        let known = NAMES[index];
        if self.seen & 1 << index != 0 {
            let message = format!("{known} given twice; the first counts");
            self.remarks.push(Remark::new(name_at, message));
            return;
        }
        self.seen |= 1 << index;
        let text = || (!value.is_empty()).then(|| value.into());
        let mut number = |highest| self.number(known, value_at, value, highest);
        match known {
            "maxload" => self.attributes.maxload = number(i32::MAX as u32),
            "weight" => self.attributes.weight = number(100),
            "rweight" => self.attributes.rweight = number(100),
            "latency" => self.attributes.latency_ms = number(i32::MAX as u32),
            "cc" => self.attributes.congestion_control = number(i32::MAX as u32) != 0,
            "ocmin" => self.attributes.ocmin = number(100),
            "ocmax" => self.attributes.ocmax = number(100),
            "ocrate" => self.attributes.ocrate = number(100),
            "duid" => self.attributes.duid = text(),
            "socket" => {
                self.attributes.socket = text();
                let address = value.strip_prefix("udp:").unwrap_or(value);
                self.attributes.socket_address = address.parse().ok();
            }
            "sockname" => self.attributes.sockname = text(),
            "ping_socket" => self.attributes.ping_socket = text(),
            "ping_from" => self.attributes.ping_from = text(),
            _ => {
                self.attributes.obproxy = text();
                match Target::parse(value) {
                    Ok(target) => self.attributes.obproxy_address = target.address,
                    Err(error) => {
                        let message = format!("{known}, so there are no keepalives: {error}");
                        self.remarks.push(Remark::new(value_at, message));
                    }
                }
            }
        }
    }

    /// The peers read a number as far as it goes (`30x` is 30), take 0 for what is none and for a
    /// percentage above 100, and the highest number for what is higher.
    fn number(&mut self, name: &str, at: usize, value: &str, highest: u32) -> u32 {
        let digits = value.strip_prefix('+').unwrap_or(value);
        let exact = digits.parse().ok().filter(|number| *number <= highest);
        if let Some(number) = exact {
            return number;
        }
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let taken = match digits[..end].parse::<u32>() {
            Ok(number) if number <= highest => number,
            _ if end == 0 || highest == 100 => 0,
            _ => highest,
        };
        self.remarks.push(Remark::new(
            at,
            format!("{name}: \"{value}\" is not a number of 0 to {highest}; {taken} is taken"),
        ));
        taken
    }

    fn peek(&self) -> Option<char> {
        self.body[self.at..].chars().next()
    }

    /// Passes over the characters that `take` accepts and returns them.
    fn skip(&mut self, take: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.body[self.at..];
        let end = rest.find(|c| !take(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(column: &str) -> Attributes {
        let (attributes, remarks) = Attributes::parse(column).unwrap();
        assert_eq!(remarks, [], "{column}");
        attributes
    }

    fn tolerated(column: &str) -> (Attributes, usize) {
        let (attributes, remarks) = Attributes::parse(column).unwrap();
        let [remark] = &remarks[..] else {
            panic!("{column}: {remarks:?}")
        };
        (attributes, remark.offset)
    }

    #[test]
    fn every_name_has_its_field() {
        let attributes = clean(
            "duid=d;maxload=1;weight=2;rweight=3;socket=udp:10.0.0.1:5060;sockname=s;\
             ping_socket=udp:10.0.0.2:5060;ping_from=sip:p@h;obproxy=sip:10.0.0.3;latency=4;cc=1;\
             ocmin=5;ocmax=6;ocrate=7",
        );
        let text = |text: &str| Some(text.into());
        let expected = Attributes {
            body: attributes.body.clone(),
            duid: text("d"),
            maxload: 1,
            weight: 2,
            rweight: 3,
            socket: text("udp:10.0.0.1:5060"),
            socket_address: "10.0.0.1:5060".parse().ok(),
            sockname: text("s"),
            ping_socket: text("udp:10.0.0.2:5060"),
            ping_from: text("sip:p@h"),
            obproxy: text("sip:10.0.0.3"),
            obproxy_address: "10.0.0.3:5060".parse().ok(),
            latency_ms: 4,
            congestion_control: true,
            ocmin: 5,
            ocmax: 6,
            ocrate: 7,
        };
        assert_eq!(attributes, expected);
    }

    #[test]
    fn odd_columns_are_read_as_the_peers_read_them() {
        let both = |column: &str| {
            let attributes = clean(column);
            (attributes.duid.map(String::from), attributes.weight)
        };
        let duid = |duid: &str| Some(duid.to_owned());
        assert_eq!(both(""), (None, 0));
        assert_eq!(both(";"), (None, 0));
        assert_eq!(both("=x;duid=c"), (duid("c"), 0));
        assert_eq!(both("a==b;duid=d"), (duid("d"), 0));
        assert_eq!(both("duid=\"a;b\";weight=5"), (duid("a;b"), 5));
        assert_eq!(both("duid=a\"b;weight=5"), (duid("a\"b"), 5));
        assert_eq!(both("duid='a\"b';weight=5"), (duid("a\"b"), 5));
        assert_eq!(both(";;duid=a;;weight=5;"), (duid("a"), 5));
        assert_eq!(both("duid=\"\";weight=\"20\""), (None, 20));
        assert_eq!(both("DUID=a;Weight=+5"), (duid("a"), 5));
        assert_eq!(both("a;b;c"), (None, 0));
        assert_eq!(both("duid = a ; weight = 5"), (duid("a"), 5));
        assert_eq!(&*clean("duid=a;").body, "duid=a");
        assert_eq!(&*clean("sip_profile=1").body, "sip_profile=1");
    }

    #[test]
    fn bad_numbers_are_told_and_read_as_far_as_they_go() {
        for (column, maxload) in [
            ("maxload=5x", 5),
            ("maxload=1.5", 1),
            ("maxload=0x10", 0),
            ("maxload=-3", 0),
            ("maxload=x", 0),
            ("maxload", 0),
            ("maxload=", 0),
            ("maxload=2147483648", 2_147_483_647),
            ("maxload=99999999999", 2_147_483_647),
        ] {
            let (attributes, offset) = tolerated(column);
            assert_eq!(attributes.maxload, maxload, "{column}");
            assert_eq!(offset, 8, "{column}");
        }
        for column in ["weight=101", "weight=-5", "weight=4294967297"] {
            assert_eq!(tolerated(column).0.weight, 0, "{column}");
        }
    }

    #[test]
    fn the_first_of_a_name_counts() {
        assert_eq!(tolerated("weight=10;weight=20"), {
            let body = "weight=10;weight=20".into();
            let weight = 10;
            let first = Attributes {
                body,
                weight,
                ..Attributes::default()
            };
            (first, 10)
        });
    }

    #[test]
    fn a_comma_ends_the_reading() {
        let (attributes, offset) = tolerated("rweight=5,maxload=3");
        assert_eq!((attributes.rweight, attributes.maxload), (5, 0));
        assert_eq!(offset, 9);
        assert_eq!(tolerated(",duid=a").0.duid, None);
        assert_eq!(tolerated("duid=\"a\",weight=5").0.weight, 0);
    }

    #[test]
    fn garbage_is_an_error_with_its_place() {
        for (column, offset, message) in [
            ("duid=;weight=5", 5, "value missing after '='"),
            ("duid=\"a;b\"x;weight=5", 10, "';' expected, found 'x'"),
            ("duid='ab;weight=5", 5, "no closing '"),
            ("duid=a;;", 6, "name missing after ';'"),
            ("a b=c", 2, "';' expected, found 'b'"),
            ("duid=a\r\nX: y", 6, "control character in the attributes"),
        ] {
            let error = Attributes::parse(column).unwrap_err();
            assert_eq!(
                (error.offset, &*error.message),
                (offset, message),
                "{column}"
            );
        }
    }
}
