//! Messages that are shown to both.

/// A request with these lines between its first and its last.
fn message(start: &str, lines: &str, body: &str) -> Vec<u8> {
    let method = start.split(' ').next().unwrap_or_default();
    let lines = lines.replace("{method}", method);
    format!(
        "{start} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\n{lines}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// An INVITE with most of what there is.
pub fn rich() -> Vec<u8> {
    message(
        "INVITE sip:bob:pw@Example.com:5070;transport=udp;x=1;flag;gr=abc",
        "Max-Forwards: 70\r\n\
         From: \"Al \\\"x\\\" ice\" <sip:alice@a.example:5080;p=1>;tag=ft1;z=2\r\n\
         To: Bob <sip:bob@b.example>\r\n\
         Call-ID: c1@x\r\nCSeq: 17 {method}\r\n\
         Contact: <sip:alice@127.0.0.1:9>;q=0.5\r\n\
         User-Agent: UA/1 (x, y)\r\n\
         Supported: 100rel, path\r\nk: timer\r\n\
         Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
         Privacy: id;user\r\n\
         X-A: one, two ,\"th,ree\"\r\nx-a:   four\r\n\
         X-Fold: a\r\n  b\r\n\
         Content-Type: application/sdp\r\n",
        "v=0\r\no=x\r\n",
    )
}

/// All messages.
pub fn all() -> Vec<Vec<u8>> {
    let mut all = vec![rich(), listed(), odd(), bare(), within_dialog()];
    let rich = String::from_utf8(rich()).expect("text");
    for (from, to) in [
        ("sip:bob:pw@Example.com:5070", "sips:[::1]:5071"),
        ("sip:bob:pw@Example.com:5070", "sip:example.com"),
        (
            "sip:bob:pw@Example.com:5070;transport=udp;x=1;flag;gr=abc",
            "sip:+1;p=x@h;user=phone",
        ),
        (
            "sip:bob:pw@Example.com:5070;transport=udp;x=1;flag;gr=abc",
            "sips:+1;p@h;user=phone",
        ),
        ("sip:bob:pw@Example.com:5070", "sip:+1;p@h;user=PHONE"),
        (
            "sip:alice@a.example:5080;p=1",
            "sip:+1;p@a.example;user=phone",
        ),
        ("sip:alice@a.example:5080;p=1", "tel:+1-23;x=y"),
        ("Al \\\"x\\\" ice", ""),
        ("Bob <sip:bob@b.example>", "sip:b.example;tag=x;y"),
        ("X-A: one, two", "X-A:"),
        ("UA/1 (x, y)", "\u{e9}\u{0}\u{1f600} end  "),
        ("X-Fold: a\r\n  b", "X-Fold:\r\n\tb"),
    ] {
        let changed = rich.replace(from, to);
        assert_ne!(changed, rich, "{from}");
        all.push(changed.into_bytes());
    }
    all
}

fn listed() -> Vec<u8> {
    message(
        "OPTIONS tel:+1234;phone-context=x",
        "Via: SIP/2.0/UDP third\r\nMax-Forwards: 70\r\n\
         From: sip:a.example;tag=ft1\r\nTo: <tel:+99;x=y>;tag=tt9\r\n\
         Call-ID:   c2@x  \r\nCSeq:  17   {method}  \r\n\
         m: \"A, b\" <sip:alice@127.0.0.1:9>;q=0.5\r\nContact: <sip:three@127.0.0.1>\r\n\
         Route: <sip:r1;lr>, <sip:r2;lr>\r\nRoute: <sip:r3;lr>\r\n\
         Record-Route: <sip:rr1;lr>, <sip:rr2;lr>\r\n\
         P-Asserted-Identity: \"P\" <sip:pai@p.example:1;x>, <tel:+5>\r\n\
         P-Preferred-Identity: <sip:ppi@pp.example>\r\n\
         Diversion: \"D\" <sip:div@d.example>;reason=no-answer;x\r\n\
         Refer-To: <sip:ref@r.example?Replaces=1>\r\n\
         Remote-Party-ID: \"R\" <sip:rpid@x>;party=calling\r\n\
         Authorization: Digest username=\"au user\", realm=\"re alm\", nonce=\"n\", \
         uri=\"sip:digest@uri\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n",
        "",
    )
}

fn odd() -> Vec<u8> {
    message(
        "REGISTER sips:[::1]",
        "Max-Forwards: 70\r\n\
         From: \"\" <sips:x@[::1]:99;transport=tcp?a=b>; tag = ft2\r\n\
         t: No Quotes  <sip:host>\r\n\
         i: c3@x\r\nCSeq: 0017 {method}\r\nm: *\r\nExpires: 0\r\n\
         Proxy-Authorization: Digest username=\"p@q\",realm=\"r\",nonce=\"n\",uri=\"u\",\
         response=\"0123456789abcdef0123456789abcdef\"\r\n\
         Authorization: Digest username=\"u@dom.x\",realm=\"r2\",nonce=\"n\",uri=\"sip:d\",\
         response=\"0123456789abcdef0123456789abcdef\"\r\n\
         P-Asserted-Identity: sip:pai@p.example;x\r\nc: text/plain;charset=x\r\n",
        "body",
    )
}

fn bare() -> Vec<u8> {
    message(
        "MESSAGE sip:h",
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: c4\r\nCSeq: 1 {method}\r\n\
         Authorization: Basic abc\r\n",
        "",
    )
}

fn within_dialog() -> Vec<u8> {
    message(
        "BYE sip:a@b;transport=TCP;lr=on",
        "Max-Forwards: 0\r\nFrom: <sip:a@b>;tag=1\r\nTo: \"T\"<sip:c@d;user=phone>;tag=2\r\n\
         Call-ID: c5\r\nCSeq: 4294967 {method}\r\nRoute: <sip:elsewhere;lr>\r\n\
         X-A: four,four\r\nReason: Q.850;cause=16;text=\"x\"\r\n",
        "",
    )
}
