//! Bytes traced between the real kamcmd and Kamailio 5.6.3, and properties.

use proptest::prelude::*;

use super::*;
use crate::control::value::{Fault, Name, Value};

/// Bytes from a trace: hexadecimal pairs, and text in quotes whose `\0` is a NUL.
fn bytes(trace: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, part) in trace.split('"').enumerate() {
        if index % 2 == 1 {
            out.extend(part.replace("\\0", "\0").into_bytes());
            continue;
        }
        out.extend(
            part.split_whitespace()
                .map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits")),
        );
    }
    out
}

fn only_packet(stream: &[u8]) -> Packet<'_> {
    let packet = split(stream, MAX_REQUEST_BYTES)
        .expect("a packet")
        .expect("a whole packet");
    assert_eq!(packet.bytes, stream.len());
    packet
}

#[test]
fn requests_are_the_bytes_that_kamcmd_sends() {
    let traces = [
        (
            0x5bd0_3379,
            "dispatcher.nope",
            vec![],
            r#"a1 03 12 5b d0 33 79 91 10 "dispatcher.nope\0""#,
        ),
        (
            0x3b7c_cede,
            "m",
            vec![
                Value::Int(5),
                Value::Int(-7),
                Value::Double(1.5),
                Value::text("9"),
                Value::Int(0),
                Value::Double(16.0),
                Value::Int(10),
                Value::Double(1000.0),
                Value::text("abc"),
            ],
            r#"a1 03 1f 3b 7c ce de 21 "m\0" 10 05 40 ff ff ff f9 22 05 dc 21 "9\0" 00 22 3e 80
               10 0a 32 0f 42 40 41 "abc\0""#,
        ),
    ];
    for (cookie, method, parameters, trace) in traces {
        let expected = bytes(trace);
        let mut out = Vec::new();
        encode_request(cookie, method, &parameters, &mut out);
        assert_eq!(out, expected);

        let packet = only_packet(&expected);
        assert_eq!((packet.kind, packet.cookie), (PacketKind::Request, cookie));
        let (decoded, rest) = decode_request(packet.body).expect("a method");
        assert_eq!(decoded, method);
        assert_eq!(decode_values(rest).expect("parameters"), parameters);
    }
}

#[test]
fn replies_are_the_bytes_that_kamailio_sends() {
    let traces = [
        (
            0x1234,
            vec![Value::text("kamailio 5.6.3 (x86_64/linux) ")],
            r#"a1 11 21 12 34 91 1f "kamailio 5.6.3 (x86_64/linux) \0""#,
        ),
        (
            0x1234,
            vec![Value::members([
                ("NewPingState", Value::Int(1)),
                ("OldPingState", Value::Int(5)),
            ])],
            r#"a1 11 24 12 34 03 95 0d "NewPingState\0" 10 01 95 0d "OldPingState\0" 10 05 83"#,
        ),
        (
            5,
            vec![Value::members([
                ("hashid", Value::Int(0x55f7_ab46)),
                ("slot", Value::Int(0)),
            ])],
            r#"a1 10 16 05 03 75 "hashid\0" 40 55 f7 ab 46 55 "slot\0" 00 83"#,
        ),
        (0x1234, vec![], "a1 11 00 12 34"),
        (
            1,
            vec![
                Value::Double(0.249),
                Value::Double(0.0),
                Value::Double(-1.5),
            ],
            "a1 10 0c 01 12 f9 02 82 ff ff ff ff ff ff fa 24",
        ),
    ];
    for (cookie, values, trace) in traces {
        let expected = bytes(trace);
        let mut out = Vec::new();
        encode_reply(cookie, &values, &mut out);
        assert_eq!(out, expected);
        let packet = only_packet(&expected);
        assert_eq!((packet.kind, packet.cookie), (PacketKind::Reply, cookie));
        assert_eq!(decode_values(packet.body).expect("values"), values);
    }
}

#[test]
fn a_list_is_the_bytes_that_kamailio_sends() {
    let plain = Value::members([
        ("URI", Value::text("sip:127.0.0.1:7002")),
        ("FLAGS", Value::text("AP")),
        ("PRIORITY", Value::Int(5)),
        ("RUNTIME", Value::members([("DLGLOAD", Value::Int(0))])),
    ]);
    let attributes = Value::members([
        ("BODY", Value::text("duid=a;maxload=10")),
        ("DUID", Value::text("a")),
        ("MAXLOAD", Value::Int(10)),
        ("WEIGHT", Value::Int(0)),
        ("RWEIGHT", Value::Int(0)),
        ("SOCKET", Value::Null),
        ("SOCKNAME", Value::Null),
        ("OBPROXY", Value::Null),
    ]);
    let described = Value::members([
        ("URI", Value::text("sip:127.0.0.1:7001")),
        ("FLAGS", Value::text("AX")),
        ("PRIORITY", Value::Int(0)),
        ("ATTRS", attributes),
        ("RUNTIME", Value::members([("DLGLOAD", Value::Int(0))])),
    ]);
    let set = Value::members([
        ("ID", Value::Int(1)),
        (
            "TARGETS",
            Value::members([("DEST", plain), ("DEST", described)]),
        ),
    ]);
    let list = Value::members([
        ("NRSETS", Value::Int(1)),
        ("RECORDS", Value::members([("SET", set)])),
    ]);
    let mut out = Vec::new();
    encode_reply(0x1234, std::slice::from_ref(&list), &mut out);
    let expected = bytes(
        r#"a1 15 01 6b 12 34 03 75 "NRSETS\0" 10 01 95 08 "RECORDS\0" 03 45 "SET\0" 03 35 "ID\0" 10 01
           95 08 "TARGETS\0" 03
           55 "DEST\0" 03 45 "URI\0" 91 13 "sip:127.0.0.1:7002\0" 65 "FLAGS\0" 31 "AP\0"
           95 09 "PRIORITY\0" 10 05 95 08 "RUNTIME\0" 03 95 08 "DLGLOAD\0" 00 83 83
           55 "DEST\0" 03 45 "URI\0" 91 13 "sip:127.0.0.1:7001\0" 65 "FLAGS\0" 31 "AX\0"
           95 09 "PRIORITY\0" 00
           65 "ATTRS\0" 03 55 "BODY\0" 91 12 "duid=a;maxload=10\0" 55 "DUID\0" 21 "a\0"
           95 08 "MAXLOAD\0" 10 0a 75 "WEIGHT\0" 00 95 08 "RWEIGHT\0" 00
           75 "SOCKET\0" 91 0e "<null string>\0" 95 09 "SOCKNAME\0" 91 0e "<null string>\0"
           95 08 "OBPROXY\0" 91 0e "<null string>\0" 83
           95 08 "RUNTIME\0" 03 95 08 "DLGLOAD\0" 00 83 83 83 83 83 83"#,
    );
    assert_eq!(out, expected);
    let decoded = decode_values(only_packet(&expected).body).expect("a list");
    assert_eq!(decoded[0].to_string(), list.to_string());
}

#[test]
fn a_long_body_has_a_length_of_two_bytes() {
    let mut out = Vec::new();
    encode_reply(0, &[Value::text("x".repeat(300))], &mut out);
    assert_eq!(out[..8], bytes("a1 14 01 30 00 a1 01 2d"));
}

#[test]
fn a_fault_is_the_code_and_the_text() {
    let fault = Fault::failed("command dispatcher.nope not found");
    let expected =
        bytes(r#"a1 33 27 5b d0 33 79 20 01 f4 91 22 "command dispatcher.nope not found\0""#);
    let mut out = Vec::new();
    encode_fault(0x5bd0_3379, &fault, &mut out);
    assert_eq!(out, expected);
    let packet = only_packet(&expected);
    assert_eq!(packet.kind, PacketKind::Fault);
    assert_eq!(decode_fault(packet.body).expect("a fault"), fault);
}

#[test]
fn a_stream_is_cut_at_packet_ends_and_waits_for_the_rest() {
    let one = bytes(r#"a1 01 0f 12 34 91 0d "core.version\0""#);
    let two = [one.clone(), one.clone()].concat();
    for end in 0..one.len() {
        assert_eq!(split(&two[..end], 100), Ok(None), "{end} bytes");
    }
    let first = split(&two, 100).expect("BINRPC").expect("whole");
    assert_eq!(first.bytes, one.len());
    assert_eq!(only_packet(&two[first.bytes..]).body, first.body);
}

#[test]
fn a_length_may_be_written_with_leading_zeros() {
    let stream = bytes(r#"a1 0d 00 00 00 0f 12 34 91 0d "core.version\0""#);
    assert_eq!(only_packet(&stream).cookie, 0x1234);
}

#[test]
fn what_is_not_binrpc_is_refused_at_its_first_byte() {
    for stream in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\xb1",
        b"\xa2\x01",
        b"\xa1\x21",
        b"\xa1\xf0",
    ] {
        assert_eq!(split(stream, 100), Err(FrameError::Corrupted));
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let header = bytes("a1 09 01 00 00 12 34");
    assert_eq!(
        split(&header, MAX_REQUEST_BYTES),
        Err(FrameError::TooLong {
            cookie: 0x1234,
            bytes: 65_536,
            limit: 65_535
        })
    );
}

#[test]
fn a_request_without_a_method_says_what_kamailio_says() {
    let cases = [
        ("", "end of packet encountered"),
        ("10 05", "record doesn't match type"),
        ("f1", "more data needed"),
    ];
    for (body, message) in cases {
        let error = decode_request(&bytes(body)).expect_err(body);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_method_without_its_nul_is_understood() {
    let body = bytes(r#"31 "abc""#);
    assert_eq!(decode_request(&body).expect("a method").0, "abc");
}

#[test]
fn broken_records_are_told_apart() {
    let cases = [
        ("31 61", RecordError::Short),
        ("50 01 02 03 04 05", RecordError::Bad),
        ("92 00", RecordError::Bad),
        ("f1 ff ff ff ff ff ff ff", RecordError::Short),
        ("03", RecordError::End),
        ("03 25 61 00", RecordError::End),
        ("03 25 61 00 83", RecordError::Bad),
        ("03 10 05 83", RecordError::Type),
        ("83", RecordError::Bad),
        ("0f", RecordError::Bad),
        ("04 10", RecordError::Short),
    ];
    for (body, error) in cases {
        assert_eq!(decode_values(&bytes(body)), Err(error), "{body}");
    }
    assert_eq!(
        decode_values(&vec![record::ARRAY; 60_000]),
        Err(RecordError::Deep)
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| Value::Int(i64::from(number))),
        (-1_000_000_i64..1_000_000).prop_map(|n| Value::Double(n as f64 / 8.0)),
        ".{0,20}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec(("[A-Z]{0,12}", inner), 0..6).prop_map(|members| {
                Value::Struct(
                    members
                        .into_iter()
                        .map(|(name, value)| (Name::Owned(name), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_encoded_is_decoded_again(
        cookie: u32,
        values in proptest::collection::vec(value(), 0..5),
    ) {
        let mut out = Vec::new();
        encode_reply(cookie, &values, &mut out);
        let packet = split(&out, MAX_REPLY_BYTES).expect("BINRPC").expect("whole");
        prop_assert_eq!(packet.cookie, cookie);
        prop_assert_eq!(packet.bytes, out.len());
        prop_assert_eq!(decode_values(packet.body).expect("values"), values);
    }

    #[test]
    fn no_bytes_make_it_panic(stream in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = split(&stream, MAX_REQUEST_BYTES);
        let _ = decode_values(&stream);
        let _ = decode_request(&stream);
        let _ = decode_fault(&stream);
    }

    #[test]
    fn a_changed_byte_never_makes_it_panic(
        values in proptest::collection::vec(value(), 1..4),
        at in any::<proptest::sample::Index>(),
        byte: u8,
    ) {
        let mut out = Vec::new();
        encode_reply(7, &values, &mut out);
        let at = at.index(out.len());
        out[at] = byte;
        if let Ok(Some(packet)) = split(&out, MAX_REPLY_BYTES) {
            let _ = decode_values(packet.body);
        }
    }
}
