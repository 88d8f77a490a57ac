use super::*;

/// What a transformation makes of a text; `~` stands for nothing.
fn made(text: &str, class: &str, name: &str, given: &[&str]) -> String {
    let argument = |at: usize| given.get(at).copied().unwrap_or_default();
    let arguments = Arguments {
        texts: [argument(0).as_bytes(), argument(1).as_bytes()],
        numbers: [0, 1].map(|at| number_of(argument(at).as_bytes()).unwrap_or(0)),
    };
    let bytes = text.as_bytes();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match change(class, name).expect("known") {
        Change::Part(part) => match part(bytes, &arguments) {
            Made::Null | Made::Unset => "~".to_owned(),
            Made::Empty => String::new(),
            Made::Number(number) => number.to_string(),
            Made::Part(range) => shown(&bytes[range]),
        },
        Change::Build(build) => {
            let mut out = Vec::new();
            if build(bytes, &arguments, &mut out) {
                shown(&out)
            } else {
                "~".to_owned()
            }
        }
        Change::OfNull(_) | Change::Substitute(_) => unreachable!("not of a text"),
    }
}

/// As Kamailio 5.6.3 makes it.
#[test]
fn texts_are_made_as_kamailio_makes_them() {
    let host = "example.com";
    let cases: &[(&str, &str, &[&str], &str)] = &[
        (host, "len", &[], "11"),
        (host, "substr", &["1", "1"], "x"),
        (host, "substr", &["0", "0"], "example.com"),
        (host, "substr", &["-3", "0"], "com"),
        (host, "substr", &["2", "100"], "ample.com"),
        (host, "substr", &["50", "1"], "~"),
        (host, "substr", &["-30", "2"], "~"),
        (host, "select", &["0", "."], "example"),
        (host, "select", &["1", "."], "com"),
        (host, "select", &["2", "."], ""),
        (host, "select", &["-1", "."], "com"),
        (host, "select", &["-2", "."], "example"),
        (host, "toupper", &[], "EXAMPLE.COM"),
        (host, "strip", &["3"], "mple.com"),
        (host, "strip", &["30"], ""),
        (host, "striptail", &["4"], "example"),
        (host, "striptail", &["44"], ""),
        (host, "prefixes", &["3"], "e,ex,exa"),
        (host, "replace", &["e", "XX"], "XXxamplXX.com"),
        (host, "rm", &["e"], "xampl.com"),
        (host, "corehash", &[], "3905729897"),
        (host, "corehash", &["16"], "9"),
        (" a b\t", "trim", &[], "a b"),
        (" a b\t", "ltrim", &[], "a b\t"),
        (" a b\t", "rtrim", &[], " a b"),
        (" a b\t", "rmws", &[], "ab"),
        ("a'b\"c\\d", "escape.common", &[], "a\\'b\\\"c\\\\d"),
        ("a\\'b\\\"c\\\\d", "unescape.common", &[], "a'b\"c\\d"),
        ("a b@c:d%", "escape.user", &[], "a%20b%40c%3ad%25"),
        ("a%20b%40c%3ad%25", "unescape.user", &[], "a b@c:d%"),
        ("a b@c:d%", "escape.param", &[], "a%20b%40c:d%25"),
        (
            "a b@c:d%~-_.",
            "urlencode.param",
            &[],
            "a%20b%40c%3ad%25~-_.",
        ),
        ("a b@c", "encode.hexa", &[], "6120624063"),
        ("6120624063", "decode.hexa", &[], "a b@c"),
        ("612", "decode.hexa", &[], "~"),
        ("hello wor", "encode.base64", &[], "aGVsbG8gd29y"),
        ("aGVsbG8gd29y", "decode.base64", &[], "hello wor"),
        ("hell", "encode.base64", &[], "aGVsbA=="),
        ("aGVsbA==", "decode.base64", &[], "hell"),
        ("hello wor", "after", &["l"], "lo wor"),
        ("hello wor", "before", &["l"], "he"),
        ("hello wor", "after", &["z"], ""),
        ("hello wor", "before", &["z"], "hello wor"),
        ("hello wor", "count", &["l"], "2"),
        ("\"q\"", "unquote", &[], "q"),
        ("<x>", "unbracket", &[], "x"),
        ("12ab34", "int", &[], "~"),
        ("12ab34", "numeric", &[], "1234"),
        ("-5", "int", &[], "-5"),
        (
            "86400",
            "ftime",
            &["%Y-%m-%d %H:%M:%S"],
            "1970-01-02 00:00:00",
        ),
    ];
    for (text, name, given, shown) in cases {
        assert_eq!(
            made(text, "s", name, given),
            *shown,
            "{text} {name} {given:?}"
        );
    }
}

#[test]
fn uris_are_taken_apart() {
    let uri =
        "sip:al%20:pw@h.ex.com:5080;transport=tcp;lr;user=phone;maddr=1.2.3.4;ttl=3;x=y?a=b&c=d";
    let cases: &[(&str, &str)] = &[
        ("user", "al%20"),
        ("host", "h.ex.com"),
        ("port", "5080"),
        ("passwd", "pw"),
        (
            "params",
            "transport=tcp;lr;user=phone;maddr=1.2.3.4;ttl=3;x=y",
        ),
        ("headers", "a=b&c=d"),
        ("transport", "tcp"),
        ("ttl", "3"),
        ("uparam", "phone"),
        ("maddr", "1.2.3.4"),
        ("lr", ""),
        ("scheme", "sip"),
        ("tosocket", "tcp:h.ex.com:5080"),
        ("duri", "sip:h.ex.com:5080;transport=tcp"),
        ("saor", "sip:al%20@h.ex.com"),
    ];
    for (name, shown) in cases {
        assert_eq!(made(uri, "uri", name, &[]), *shown, "{name}");
    }
    assert_eq!(made(uri, "uri", "param", &["x"]), "y");
    assert_eq!(made("sip:h.ex.com", "uri", "user", &[]), "");
    assert_eq!(made("tel:+123;x=1", "uri", "user", &[]), "+123");
    assert_eq!(made("notauri", "uri", "user", &[]), "~");
}

#[test]
fn lists_are_taken_apart() {
    let list = "a=1;b=2;c=\"x y\";d";
    let cases: &[(&str, &str, &str, &[&str], &str)] = &[
        (list, "param", "value", &["b"], "2"),
        (list, "param", "value", &["c"], "x y"),
        (list, "param", "value", &["d"], ""),
        (list, "param", "value", &["z"], ""),
        (list, "param", "in", &["a"], "1"),
        (list, "param", "in", &["z"], "0"),
        (list, "param", "valueat", &["0"], "1"),
        (list, "param", "valueat", &["9"], ""),
        (list, "param", "name", &["1"], "b"),
        (list, "param", "name", &["-1"], "d"),
        (list, "param", "count", &[], "4"),
        ("a=1&b=2", "param", "value", &["b", "&"], "2"),
        ("a=1&b=2", "param", "count", &["&"], "2"),
        (
            "\"Bob\" <sip:bob@x.y>;tag=12",
            "nameaddr",
            "uri",
            &[],
            "sip:bob@x.y",
        ),
        (
            "\"Bob B\" <sip:bob@x.y>;tag=12",
            "nameaddr",
            "len",
            &[],
            "21",
        ),
        ("\"Bob\" <sip:bob@x.y>;tag=12", "tobody", "tag", &[], "12"),
        (
            "\"Bob\" <sip:bob@x.y>;tag=12",
            "tobody",
            "display",
            &[],
            "\"Bob\"",
        ),
        ("\"Bob\" <sip:bob@x.y>;tag=12", "tobody", "user", &[], "bob"),
        ("sip:bob@x.y", "nameaddr", "len", &[], "11"),
        ("one\ntwo\nthree", "line", "count", &[], "3"),
        ("one\ntwo\nthree", "line", "at", &["1"], "two"),
        ("one\ntwo\nthree", "line", "at", &["-1"], "three"),
        ("one\ntwo\nthree", "line", "at", &["7"], ""),
        ("one\ntwo\nthree", "line", "sw", &["tw"], "two"),
        ("a\"\n\u{1}", "val", "json", &[], "a\\\"\\n\\u0001"),
    ];
    for (text, class, name, given, shown) in cases {
        assert_eq!(
            made(text, class, name, given),
            *shown,
            "{text} {name} {given:?}"
        );
    }
}

#[test]
fn matches_are_replaced() {
    let cases = [
        ("/b/X/", Some("aXc123abc")),
        ("/b/X/g", Some("aXc123aXc")),
        (r"/([0-9]+)/<\1>/", Some("abc<123>abc")),
        ("/B/X/i", Some("aXc123abc")),
        ("/zz/X/", None),
        (r"#3a#/\0/#", Some("abc12/3a/bc")),
        ("/b/<$ru>/", Some("a<v>c123abc")),
        ("/[a-z]*/x/g", Some("x1x2x3x")),
        ("/$/!/g", Some("abc123abc!")),
    ];
    for (form, shown) in cases {
        let substitution = Substitution::parse(form, &mut |_| VariableId(0)).expect(form);
        let text = b"abc123abc";
        let (mut out, mut at) = (Vec::new(), 0);
        let mut places = substitution.places();
        let mut write = |range: std::ops::Range<usize>, made: &[u8]| {
            out.extend_from_slice(&text[at..range.start]);
            out.extend_from_slice(made);
            at = range.end;
        };
        let mut scratch = Vec::new();
        let is_found = substitution.each(text, &|_| b"v", &mut places, &mut scratch, &mut write);
        out.extend_from_slice(&text[at..]);
        assert_eq!(
            is_found.then_some(String::from_utf8_lossy(&out).as_ref()),
            shown,
            "{form}"
        );
    }
    for wrong in ["", "/a", "/a/b/x", "/(/x/", "aXbX"] {
        assert!(
            Substitution::parse(wrong, &mut |_| VariableId(0)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn every_transformation_of_the_table_is_here() {
    for row in crate::route::table::TRANSFORMATIONS {
        let is_here = change(row.class, row.name).is_some() || row.class == "re";
        assert!(is_here, "{{{}.{}}}", row.class, row.name);
    }
}
