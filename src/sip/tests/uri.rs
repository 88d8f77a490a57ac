//! URIs.

use crate::sip::{Scheme, Uri, UriError};

fn parse(text: &str) -> Result<Uri<'_>, UriError> {
    Uri::parse(text.as_bytes())
}

#[test]
fn a_uri_with_everything() {
    let uri = parse("SIPS:+1%20x;ext=1:se:cret@Example.COM:5061;transport=tls;LR?subject=x&y=z")
        .expect("a URI");
    assert_eq!(uri.scheme, Scheme::Sips);
    assert_eq!(uri.user, Some(&b"+1%20x;ext=1"[..]));
    assert_eq!(uri.password, Some(&b"se:cret"[..]));
    assert_eq!(uri.host, b"Example.COM");
    assert_eq!(uri.port, Some(5061));
    assert_eq!(uri.port_text, b"5061");
    assert_eq!(uri.params, b"transport=tls;LR");
    assert_eq!(uri.headers, b"subject=x&y=z");
    assert_eq!(uri.param(b"TRANSPORT"), Some(Some(&b"tls"[..])));
    assert_eq!(uri.param(b"maddr"), None);
    assert!(uri.is_loose());
    assert_eq!(uri.host_ip(), None);
}

#[test]
fn a_uri_with_nothing_but_a_host() {
    let uri = parse("sip:192.0.2.1").expect("a URI");
    assert_eq!(uri.scheme, Scheme::Sip);
    assert_eq!((uri.user, uri.password, uri.port), (None, None, None));
    assert_eq!(uri.host_ip(), "192.0.2.1".parse().ok());
    assert!(!uri.is_loose());
}

#[test]
fn only_a_parameter_named_lr_makes_a_loose_route() {
    for (text, loose) in [
        ("sip:h;lr", true),
        ("sip:h;lr=on", true),
        ("sip:h;x;LR;y", true),
        ("sip:h;lrx", false),
        ("sip:lr@h", false),
        ("sip:u;lr@h", false),
        ("sip:h?lr", false),
        ("sip:h;x=lr", false),
    ] {
        assert_eq!(parse(text).map(|uri| uri.is_loose()), Ok(loose), "{text}");
    }
}

#[test]
fn ipv6_references() {
    let uri = parse("sip:user@[2001:db8::10]:5070;lr").expect("a URI");
    assert_eq!(uri.host, b"[2001:db8::10]");
    assert_eq!(uri.port, Some(5070));
    assert_eq!(uri.host_ip(), "2001:db8::10".parse().ok());
    let uri = parse("sip:[::ffff:192.0.2.1]").expect("a URI");
    assert_eq!(uri.host_ip(), "::ffff:192.0.2.1".parse().ok());
    assert_eq!(
        parse("sip:[1:::2]").map(|uri| uri.host_ip()),
        Ok("1::2".parse().ok())
    );
    // It looks like an address and is none: the host stands, the address does not.
    assert_eq!(parse("sip:[1:2]").map(|uri| uri.host_ip()), Ok(None));
}

#[test]
fn users_may_hold_what_separates_elsewhere() {
    let uri = parse("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&pw@h").expect("a URI");
    assert_eq!(
        uri.user,
        Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..])
    );
    assert_eq!(uri.password, Some(&b"&pw"[..]));
    assert_eq!(uri.host, b"h");
}

#[test]
fn telephone_numbers_have_no_host() {
    let uri = parse("tel:+1-201-555-0123;phone-context=example.com").expect("a URI");
    assert_eq!(uri.scheme, Scheme::Tel);
    assert_eq!(uri.user, Some(&b"+1-201-555-0123"[..]));
    assert_eq!(uri.param(b"phone-context"), Some(Some(&b"example.com"[..])));
    assert_eq!(uri.host, b"");
}

#[test]
fn other_schemes_are_left_alone() {
    let uri = parse("urn:service:sos").expect("a URI");
    assert_eq!(uri.scheme, Scheme::Other);
    assert_eq!(uri.scheme_text, b"urn");
    assert_eq!(uri.rest, b"service:sos");
}

#[test]
fn what_is_no_uri() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("example.com", UriError::Scheme),
        (":x", UriError::Scheme),
        ("5x:y", UriError::Scheme),
        ("<sip:a@b>", UriError::Character),
        ("sip:a b@c", UriError::Character),
        ("sip:a@b;x\r\n", UriError::Character),
        ("sip:a@b\x7f", UriError::Character),
        ("sip:@b", UriError::User),
        ("sip::pw@b", UriError::User),
        ("tel:", UriError::User),
        ("tel:;x", UriError::User),
        ("sip:", UriError::Host),
        ("sip:a@", UriError::Host),
        ("sip:;lr", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:h%6Fst", UriError::Host),
        ("sip:[::1", UriError::Host),
        ("sip:[]", UriError::Host),
        ("sip:[::g]", UriError::Host),
        ("sip:[::1]x", UriError::Host),
        ("sip:h:", UriError::Port),
        ("sip:h:x", UriError::Port),
        ("sip:h:65536", UriError::Port),
        ("sip:h:50x", UriError::Port),
        ("sip:2001:db8::10", UriError::Port),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
}
