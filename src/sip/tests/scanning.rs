//! The scanner: what it finds, what it tolerates, where it gives up.

use super::{INVITE, with};
use crate::sip::{
    HeaderError, HeaderIndex, MAX_HEADERS, MAX_MESSAGE_BYTES, Method, Name, ScanError, StartLine,
    is_keepalive, scan,
};

fn error(bytes: &[u8]) -> Option<ScanError> {
    scan(bytes, &mut HeaderIndex::new()).err()
}

#[test]
fn a_request_is_found_with_all_its_parts() {
    with(INVITE, |message| {
        let start = StartLine::Request {
            method: Method::Invite,
            token: b"INVITE",
            uri: b"sip:bob@example.com;transport=udp",
        };
        assert_eq!(message.start(), start);
        assert_eq!(message.uri_range(), 7..40);
        assert_eq!(message.headers_start(), 50);
        assert_eq!(message.lines().count(), 11);
        assert_eq!(message.call_id(), Some(&b"a84b4c76e66710"[..]));
        assert_eq!(message.from_tag(), Some(&b"1928"[..]));
        assert_eq!(message.to_tag(), None);
        assert_eq!(message.cseq().map(|cseq| cseq.number), Ok(314_159));
        assert_eq!(message.max_forwards(), Ok(Some(70)));
        assert_eq!(message.content_length(), Ok(Some(5)));
        assert_eq!(message.body(), b"v=0\r\n");
        assert_eq!(message.vias().count(), 3);
        assert_eq!(message.routes().count(), 2);
        assert_eq!(message.record_routes().count(), 0);
    });
}

#[test]
fn a_reply_is_found_with_its_code_and_reason() {
    for (line, code, reason) in [
        ("SIP/2.0 200 OK\r\n\r\n", 200, "OK"),
        ("SIP/2.0 486 Busy Here\r\n\r\n", 486, "Busy Here"),
        ("SIP/2.0 100 \r\n\r\n", 100, ""),
        ("SIP/2.0 100\r\n\r\n", 100, ""),
        ("sip/2.0 999 \u{442}\n\n", 999, "\u{442}"),
        ("SIP/2.0 4294967301 no\r\n\r\n", u16::MAX, "no"),
    ] {
        with(line, |message| {
            let reason = reason.as_bytes();
            assert_eq!(message.start(), StartLine::Reply { code, reason });
            assert_eq!(message.reply_code(), Some(code));
            assert_eq!(message.method(), None);
            assert_eq!(message.request_uri(), None);
        });
    }
}

#[test]
fn lines_cover_the_header_section_without_gaps() {
    with(INVITE, |message| {
        let mut at = message.headers_start();
        for line in message.lines() {
            assert_eq!(line.range.start, at);
            assert_eq!(&message.bytes()[line.value_range.clone()], line.value);
            assert!(line.range.end > line.value_range.end);
            at = line.range.end;
        }
        assert_eq!(&message.bytes()[at..at + 2], b"\r\n");
        assert_eq!(&message.bytes()[at + 2..], message.body());
    });
}

#[test]
fn names_are_found_however_they_are_written() {
    let text = "BYE sip:a@b SIP/2.0\r\n\
        cAlL-iD: one\r\n\
        i: two\r\n\
        I \t : three\r\n\
        Call-ID  :four\r\n\
        X-Call-ID: other\r\n\
        p-asserted-identity: <sip:x@y>\r\n\
        f:sip:a@b;tag=1\r\n\
        \r\n";
    with(text, |message| {
        let values: Vec<_> = message.all(Name::CallId).map(|line| line.value).collect();
        assert_eq!(values, [&b"one"[..], b"two", b"three", b"four"]);
        let names: Vec<_> = message
            .all(Name::CallId)
            .map(|line| line.name_text)
            .collect();
        assert_eq!(names, [&b"cAlL-iD"[..], b"i", b"I", b"Call-ID"]);
        assert_eq!(
            message.first(Name::CallId).map(|line| line.value),
            Some(&b"one"[..])
        );
        assert!(message.has(Name::PAssertedIdentity));
        assert!(!message.has(Name::To));
        assert_eq!(message.from_tag(), Some(&b"1"[..]));
        assert!(!message.malformed());
    });
}

#[test]
fn folded_values_are_one_line() {
    let text = "BYE sip:a@b SIP/2.0\r\n\
        Subject: one\r\n\
        \x20two\r\n\
        \tthree\r\n\
        CSeq:\r\n\
        \x20 5\r\n\
        \x20 BYE  \r\n\
        Call-ID: x\r\n\
        \r\n\
        \x20body";
    with(text, |message| {
        assert_eq!(message.lines().count(), 3);
        let subject = message.first(Name::Subject).expect("a Subject");
        assert_eq!(subject.value, b"one\r\n two\r\n\tthree");
        let cseq = message.cseq().expect("a CSeq");
        assert_eq!((cseq.number, cseq.method), (5, Method::Bye));
        assert_eq!(message.call_id(), Some(&b"x"[..]));
        assert_eq!(message.body(), b" body");
    });
}

#[test]
fn bare_line_feeds_end_lines() {
    let text = INVITE.replace("\r\n", "\n");
    with(&text, |message| {
        assert_eq!(message.lines().count(), 11);
        assert_eq!(message.vias().count(), 3);
        assert_eq!(message.fault(), Some(crate::sip::Fault::BodyTruncated));
        assert_eq!(message.body(), b"v=0\n");
        assert!(!message.malformed());
    });
}

#[test]
fn line_ends_before_the_message_are_no_part_of_it() {
    let text = format!("\r\n\n\r\n{INVITE}");
    with(&text, |message| {
        assert_eq!(message.bytes(), INVITE.as_bytes());
        assert_eq!(message.uri_range(), 7..40);
    });
}

#[test]
fn bytes_beyond_content_length_are_no_part_of_it() {
    let text = format!("{INVITE}INVITE sip:next@example.com SIP/2.0\r\n\r\n");
    with(&text, |message| {
        assert_eq!(message.bytes(), INVITE.as_bytes());
        assert_eq!(message.body(), b"v=0\r\n");
        assert!(!message.body_is_truncated());
    });
}

#[test]
fn without_content_length_all_the_rest_is_body() {
    let text = INVITE.replace("Content-Length: 5\r\n", "") + "more";
    with(&text, |message| {
        assert_eq!(message.body(), b"v=0\r\nmore");
        assert_eq!(message.content_length(), Ok(None));
    });
}

#[test]
fn a_body_shorter_than_announced_is_noticed() {
    for length in ["6", "9999", "4294967296", "99999999999999999999999"] {
        let text = INVITE.replace("Content-Length: 5", &format!("l: {length}"));
        with(&text, |message| {
            assert!(message.body_is_truncated(), "{length}");
            assert_eq!(message.body(), b"v=0\r\n");
        });
    }
}

#[test]
fn the_end_of_the_datagram_ends_the_headers() {
    for (text, added) in [
        ("BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n", ""),
        ("BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\n", "\r\n"),
        ("BYE sip:a@b SIP/2.0\r\nCall-ID: x", "\r\n\r\n"),
        ("BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\n ", "\r\n\r\n"),
        ("BYE sip:a@b SIP/2.0\r\n", "\r\n"),
        ("BYE sip:a@b SIP/2.0", "\r\n\r\n"),
    ] {
        with(text, |message| {
            if text.contains("Call-ID") {
                assert_eq!(message.call_id(), Some(&b"x"[..]), "{text:?}");
            }
            assert_eq!(message.body(), b"");
            let mut edits = crate::sip::Edits::new();
            message.complete(&mut edits);
            let mut out = Vec::new();
            edits.write(message.bytes(), &mut out);
            assert_eq!(out, format!("{text}{added}").as_bytes());
        });
    }
}

#[test]
fn odd_header_lines_do_not_hide_the_others() {
    for odd in [
        "no colon at all",
        ": no name",
        "two words: value",
        "b\u{e4}d: name",
        "Subject: bare \r in it",
        "Call\rID: no hyphen",
        "To\r: <sip:bob@example.com>",
    ] {
        let text = INVITE.replace("Max-Forwards", &format!("{odd}\r\nMax-Forwards"));
        with(&text, |message| {
            assert!(message.malformed(), "{odd}");
            assert_eq!(message.lines().count(), 12, "{odd}");
            assert!(message.top_via().is_ok());
            assert_eq!(message.max_forwards(), Ok(Some(70)));
        });
    }
}

#[test]
fn what_has_no_usable_start_line_is_refused() {
    for text in [
        "hello",
        "INVITE",
        "INVITE \r\n\r\n",
        "INVITE sip:a@b\r\n\r\n",
        "INVITE SIP/2.0\r\n\r\n",
        "INVITE  SIP/2.0\r\n\r\n",
        "INVITE sip:a@b HTTP/1.1\r\n\r\n",
        "IN<VITE sip:a@b SIP/2.0\r\n\r\n",
        " INVITE sip:a@b SIP/2.0\r\n\r\n",
        "SIP/2.0\r\n\r\n",
        "SIP/2.0 \r\n\r\n",
        "SIP/2.0 2xx OK\r\n\r\n",
        "SIP/ 200 OK\r\n\r\n",
        "\x00\x01\x00\x00\x21\x12\x24\x42",
    ] {
        assert_eq!(
            error(text.as_bytes()),
            Some(ScanError::StartLine),
            "{text:?}"
        );
    }
}

#[test]
fn empty_datagrams_are_keepalives() {
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\n"] {
        assert!(is_keepalive(bytes), "{bytes:?}");
    }
    assert!(!is_keepalive(b"\r\n\r\nX"));
    assert!(!is_keepalive(INVITE.as_bytes()));
    assert_eq!(error(b""), Some(ScanError::Empty));
    assert_eq!(error(b"\r\n\r\n"), Some(ScanError::Empty));
}

#[test]
fn size_and_number_of_lines_are_bounded() {
    let start = "BYE sip:a@b SIP/2.0\r\n";
    let full = format!("{start}{}\r\n", "Subject: x\r\n".repeat(MAX_HEADERS));
    with(&full, |message| {
        assert_eq!(message.all(Name::Subject).count(), MAX_HEADERS);
    });
    let over = format!("{start}{}\r\n", "s:\r\n".repeat(MAX_HEADERS + 1));
    assert_eq!(error(over.as_bytes()), Some(ScanError::TooManyHeaders));

    let mut largest = format!("{start}Subject: ").into_bytes();
    largest.resize(MAX_MESSAGE_BYTES - 2, b'x');
    largest.extend_from_slice(b"\r\n");
    with(&largest, |message| {
        assert_eq!(message.bytes().len(), MAX_MESSAGE_BYTES);
        let subject = message.first(Name::Subject).expect("a Subject");
        assert_eq!(subject.range, start.len()..MAX_MESSAGE_BYTES);
    });
    largest.push(b'x');
    assert_eq!(error(&largest), Some(ScanError::TooLong));
}

#[test]
fn an_index_keeps_nothing_of_the_message_before() {
    let mut index = HeaderIndex::new();
    let odd = "BYE sip:a@b SIP/1.0\r\nodd\r\nContact: x\r\nl: 1\r\nl: 2";
    scan(odd.as_bytes(), &mut index).expect("a message");
    let good = scan(INVITE.as_bytes(), &mut index).expect("a message");
    assert_eq!(good.fault(), None);
    assert_eq!(good.all(Name::Contact).count(), 1);
    assert_eq!(good.all(Name::ContentLength).count(), 1);
    let plain = scan(b"BYE sip:a@b SIP/2.0\r\n\r\n", &mut index).expect("a message");
    assert_eq!(plain.lines().count(), 0);
    assert_eq!(plain.first(Name::Via), None);
    assert_eq!(plain.call_id(), None);
    assert_eq!(plain.top_via(), Err(HeaderError::Missing));
}

#[test]
fn commas_in_quotes_and_brackets_separate_nothing() {
    let text = "INVITE sip:a@b SIP/2.0\r\n\
        Contact: \"a, \\\"b\" <sip:x,y@z>;q=1 , <sip:c@d>,,sip:e@f\r\n\
        m: <sip:g@h;x=\",\">;p=\",\"\r\n\
        Contact:\r\n\
        Contact: , <sip:i@j> ,\r\n\
        \r\n";
    with(text, |message| {
        let values = message.values(Name::Contact);
        let values: Vec<_> = values
            .map(|(value, range)| {
                assert_eq!(&message.bytes()[range], value);
                String::from_utf8_lossy(value).into_owned()
            })
            .collect();
        let expected = [
            "\"a, \\\"b\" <sip:x,y@z>;q=1",
            "<sip:c@d>",
            "sip:e@f",
            "<sip:g@h;x=\",\">;p=\",\"",
            "<sip:i@j>",
        ];
        assert_eq!(values, expected);
    });
}

#[test]
fn cseq_in_all_its_forms() {
    let cseq = |value: &str| {
        with(
            format!("BYE sip:a@b SIP/2.0\r\nCSeq: {value}\r\n\r\n"),
            |message| {
                message
                    .cseq()
                    .map(|cseq| (cseq.number, cseq.token.to_vec()))
            },
        )
    };
    assert_eq!(cseq("0 BYE"), Ok((0, b"BYE".to_vec())));
    assert_eq!(cseq("0009\t NEW%40"), Ok((9, b"NEW%40".to_vec())));
    assert_eq!(cseq("2147483647 BYE"), Ok((2_147_483_647, b"BYE".to_vec())));
    assert_eq!(cseq("2147483648 BYE"), Err(HeaderError::Number));
    assert_eq!(cseq("99999999999 BYE"), Err(HeaderError::Number));
    assert_eq!(cseq("-1 BYE"), Err(HeaderError::Number));
    assert_eq!(cseq("5BYE"), Err(HeaderError::Number));
    assert_eq!(cseq("5"), Err(HeaderError::NoMethod));
    assert_eq!(cseq("BYE"), Err(HeaderError::Number));
    assert_eq!(cseq("5 BYE BYE"), Err(HeaderError::Trailing));
    assert_eq!(cseq("5 B<YE"), Err(HeaderError::Trailing));
    assert_eq!(cseq(""), Err(HeaderError::Missing));
}
