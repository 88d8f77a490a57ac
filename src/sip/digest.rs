//! Digest credentials (RFC 7616 section 3.4): who says that he is calling.

use super::text;

/// The value of `username` in the value of an Authorization or Proxy-Authorization header, without
/// quotes and otherwise as it stands; `None` if the scheme is not Digest or there is none.
pub fn digest_username(credentials: &[u8]) -> Option<&[u8]> {
    digest_param(credentials, b"username")
}

/// The value of a parameter of such a header, without quotes and otherwise as it stands.
pub fn digest_param<'a>(credentials: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let start = text::skip_lws(credentials, 0);
    let (scheme, mut rest) = credentials[start..].split_at_checked("Digest".len())?;
    if !scheme.eq_ignore_ascii_case(b"Digest") || !rest.first().is_some_and(|&b| text::is_lws(b)) {
        return None;
    }
    loop {
        rest = &rest[text::skip_lws(rest, 0)..];
        let name_end = rest.iter().position(|&b| matches!(b, b'=' | b','))?;
        if rest[name_end] == b',' {
            rest = &rest[name_end + 1..];
            continue;
        }
        let name = &rest[text::trim(rest, 0..name_end)];
        let from = text::skip_lws(rest, name_end + 1);
        let (value, end) = if rest.get(from) == Some(&b'"') {
            let end = text::quoted_end(rest, from)?;
            (from + 1..end - 1, end)
        } else {
            let length = rest[from..].iter().position(|&b| b == b',');
            let end = length.map_or(rest.len(), |length| from + length);
            (text::trim(rest, from..end), end)
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(&rest[value]);
        }
        let comma = rest[end..].iter().position(|&b| b == b',')?;
        rest = &rest[end + comma + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn username(credentials: &str) -> Option<&str> {
        digest_username(credentials.as_bytes()).map(|name| std::str::from_utf8(name).unwrap())
    }

    #[test]
    fn the_username_is_found_among_the_parameters() {
        assert_eq!(
            username("Digest username=\"bob\", realm=\"x\""),
            Some("bob")
        );
        assert_eq!(
            username("digest realm=\"a, username=\\\"no\\\"\",\r\n Username = \"a\\\"b@c\" "),
            Some("a\\\"b@c")
        );
        assert_eq!(
            username("Digest realm=x , username=bob ,nonce=1"),
            Some("bob")
        );
        assert_eq!(username("Digest ,,username=\"\""), Some(""));
    }

    #[test]
    fn what_is_no_digest_has_no_username() {
        for text in [
            "",
            "Digest",
            "Digest realm=\"x\"",
            "Basic username=\"bob\"",
            "Digestusername=\"bob\"",
            "Digest username",
            "Digest username=\"bob",
            "Digest realm=\"x, username=\"bob",
        ] {
            assert_eq!(username(text), None, "{text}");
        }
    }
}
