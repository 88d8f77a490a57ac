//! The short ways for what nearly all messages look like: they read what the long ways read.

use proptest::prelude::*;

use crate::sip::{CSeq, HeaderIndex, NameAddr, StartLine, Uri, Via, scan};

/// Values of Via that are usual or nearly so.
fn via() -> impl Strategy<Value = String> {
    let head = prop_oneof![8 => "SIP/2.0/UDP ", 1 => "SIP/2.0/TCP |SIP/2.0/UDP  |sip/2.0/udp "];
    let host = prop_oneof![4 => "10\\.0\\.0\\.1|[a-z.-]{1,60}", 1 => "\\[::1\\]|::1|"];
    let port = prop_oneof![4 => "(:[0-9]{1,4})?", 1 => ":[0-9]{5,6}|:| : 5060|:x"];
    let usual = "branch=z9hG4bK[a-z0-9.]{0,50}|rport(=[0-9]{1,6})?|received=[0-9.]{0,9}|ttl=16";
    let odd = "(x|branch)=\"a;b\"|Branch=[a-z]?|x|=x||x=y,|received|rport = 7| ";
    let param = prop_oneof![2 => usual, 1 => odd].prop_map(|param| format!(";{param}"));
    let params = prop::collection::vec(param, 0..4).prop_map(|params| params.concat());
    (head, host, port, params)
        .prop_map(|(head, host, port, params)| format!("{head}{host}{port}{params}"))
}

/// Values of From that are usual or nearly so.
fn address() -> impl Strategy<Value = String> {
    let display = prop_oneof![
        1 => "|bob |\"b <sip:x> b\" ",
        1 => "\"b\\\\\" <sip:x>;\" |\"\\\\|\"b |b;b |b> |b\"b ",
    ];
    let uri = prop_oneof![
        2 => "<sip:[a-z@:]{0,60}>",
        1 => "<sips:a@b>|<a>|sip:a;tag=7|< sip:a>|<sip:a>>|<sip:a",
    ];
    let tag = prop_oneof![
        1 => "|;tag=[a-z0-9]{1,60}|;tag=[a=(<>@,]{1,4}",
        1 => ";tag=|;TAG=x|;tag=a b|;tag=a;b=c|;b=c;tag=a|;|tag=a| ;tag=a|;tag=\"a\"",
    ];
    (display, uri, tag).prop_map(|(display, uri, tag)| format!("{display}{uri}{tag}"))
}

/// Where lines of `bytes` end, and whether there is a CR without LF, up to and with the first empty one.
/// All but the first go on where the next begins with a blank.
fn lines(bytes: &[u8]) -> (Vec<usize>, bool) {
    let (mut ends, mut start, mut bare_cr) = (Vec::new(), 0, false);
    for (at, &byte) in bytes.iter().enumerate() {
        bare_cr |= byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
        if byte == b'\n' {
            let is_empty = matches!(&bytes[start..at], b"" | b"\r");
            let goes_on = matches!(bytes.get(at + 1), Some(b' ' | b'\t'));
            if start > 0 && goes_on && !is_empty {
                continue;
            }
            ends.push(at + 1);
            if is_empty {
                break;
            }
            start = at + 1;
        }
    }
    (ends, bare_cr)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_usual_via_is_read_as_any(value in via(), before in "x{0,70}", after in "[;,a-z\r\n]{0,70}") {
        let text = format!("{before}{value}{after}");
        let range = before.len()..before.len() + value.len();
        if let Some(via) = Via::usual(text.as_bytes(), range.clone()) {
            prop_assert_eq!(Ok(via), Via::parse(value.as_bytes(), range.start));
        }
    }

    #[test]
    fn the_via_below_is_the_second(
        lines in prop::collection::vec("(Via|X): (SIP/2\\.0/UDP [ab](;x|,SIP/2\\.0/UDP c|,,|, )?|,|,a|)", 0..5),
    ) {
        let text = format!("BYE sip:a SIP/2.0\r\n{}\r\n", lines.join("\r\n"));
        let mut index = HeaderIndex::new();
        let message = scan(text.as_bytes(), &mut index).expect("a message");
        let all: Vec<_> = message.vias().collect();
        if let Some(Ok(top)) = all.first() {
            prop_assert_eq!(message.via_below(top), all.get(1).cloned());
            prop_assert_eq!(message.has_via_below(top), all.len() > 1);
        }
        if let Some(Ok(second)) = all.get(1) {
            prop_assert_eq!(message.via_below(second), all.get(2).cloned());
            prop_assert_eq!(message.has_via_below(second), all.len() > 2);
        }
    }

    #[test]
    fn a_usual_tag_is_read_as_any(value in address(), before in "x{0,70}", after in "[;>a-z\r\n]{0,70}") {
        let text = format!("{before}{value}{after}");
        let range = before.len()..before.len() + value.len();
        if let Some(tag) = NameAddr::usual_tag(text.as_bytes(), range.clone()) {
            let address = NameAddr::parse(value.as_bytes(), range.start);
            prop_assert_eq!(address.map(|address| address.tag().unwrap_or_default()), Ok(tag));
        }
    }

    #[test]
    fn an_address_is_the_same_wherever_it_lies(
        value in address(), before in "x{0,70}", after in "[;<>a-z\r\n\"]{0,70}",
    ) {
        let text = format!("{before}{value}{after}");
        let range = before.len()..before.len() + value.len();
        let address = NameAddr::at(text.as_bytes(), range.clone());
        prop_assert_eq!(address, NameAddr::parse(value.as_bytes(), range.start));
    }

    #[test]
    fn a_usual_uri_is_known_as_any(
        text in "(sip:|SIP:|sips:|tel:|x:)([a-z.@:;]{0,3}@)?[a-z.@-]{0,20}(:[0-9]{0,6}|:x)?(;lr| )?",
    ) {
        let is_known = Uri::parse(text.as_bytes()).is_ok_and(|uri| uri.has_known_scheme());
        prop_assert_eq!(Uri::is_known(text.as_bytes()), is_known);
    }

    /// A blank before it makes a value unusual and changes nothing.
    #[test]
    fn a_usual_cseq_is_read_as_any(value in "[0-9]{0,12} ?(INVITE|BYE|bye|X)?( x)?") {
        let unusual = format!(" {value}");
        prop_assert_eq!(CSeq::parse(value.as_bytes()), CSeq::parse(unusual.as_bytes()));
    }

    /// The version in lower case makes a start line unusual and changes nothing.
    #[test]
    fn a_usual_start_line_is_read_as_any(
        line in "(INVITE|BYE|X|A B)[ \t]{0,2}(sip:a@b|a|sip:a b)?[ \t]{0,2}SIP/2\\.0 ?|\
            SIP/2\\.0[ \t]{0,2}[0-9]{2,4}( OK| Not Found|  | |X|\tOK)?",
    ) {
        let unusual = line.replace("SIP", "sip");
        let (mut one, mut other) = (HeaderIndex::new(), HeaderIndex::new());
        let read = |result: Result<crate::sip::Message<'_>, _>| {
            result.map(|message| {
                let uri = message.request_uri().map(<[u8]>::to_vec);
                let token = match message.start() {
                    StartLine::Request { token, .. } => token.to_vec(),
                    StartLine::Reply { .. } => Vec::new(),
                };
                let what = (message.method(), token, uri);
                let reply = (message.reply_code(), message.reason().to_vec());
                (what, reply, message.headers_start(), message.fault())
            })
        };
        let usual = read(scan(line.as_bytes(), &mut one));
        prop_assert_eq!(usual, read(scan(unusual.as_bytes(), &mut other)));
    }

    #[test]
    fn lines_end_where_they_end_byte_by_byte(
        parts in prop::collection::vec("a{0,70}|Via: a{0,70}|\r|\n|\r\n|\r\n|\r\n\r\n|\r\n[ \t]", 0..30),
    ) {
        let text = format!("BYE sip:a SIP/2.0{}", parts.concat());
        let mut index = HeaderIndex::new();
        if let Ok(message) = scan(text.as_bytes(), &mut index) {
            let (mut ends, bare_cr) = lines(text.as_bytes());
            if message.headers_end() < message.body_start() {
                // The empty line is no line.
                prop_assert_eq!(ends.pop(), Some(message.body_start()));
            } else if ends.last() != Some(&text.len()) {
                ends.push(text.len());
            }
            let found = std::iter::once(message.headers_start()).chain(message.lines().map(|line| line.range.end));
            prop_assert_eq!(found.collect::<Vec<_>>(), ends);
            prop_assert!(!bare_cr || message.malformed());
        }
    }
}
