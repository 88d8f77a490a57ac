//! Addresses in From, To, Contact, Route and Record-Route (RFC 3261 20.10, 25.1).

use std::ops::Range;

use super::error::HeaderError;
use super::marks;
use super::param::Params;
use super::text;

/// A name-addr or addr-spec with the parameters of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as it stands, with its quotes; empty if there is none.
    pub display: &'a [u8],
    /// The URI, without angle brackets and white space. Without brackets it ends at the first
    /// semicolon: parameters then belong to the header (RFC 3261 20.10).
    pub uri: &'a [u8],
    /// The parameters of the header, from behind their first semicolon.
    pub params: &'a [u8],
    /// Where this value lies in the message.
    pub range: Range<usize>,
    /// Where the URI lies in the message.
    pub uri_range: Range<usize>,
}

impl<'a> NameAddr<'a> {
    /// Decodes one value, which lies at `offset` in its message.
    pub fn parse(value: &'a [u8], offset: usize) -> Result<Self, HeaderError> {
        let mut address = Self::at(value, 0..value.len())?;
        for range in [&mut address.range, &mut address.uri_range] {
            *range = offset + range.start..offset + range.end;
        }
        Ok(address)
    }

    /// Decodes the value that lies at `range` of `bytes`.
    pub(super) fn at(bytes: &'a [u8], range: Range<usize>) -> Result<Self, HeaderError> {
        let value = &bytes[..range.end];
        let start = text::skip_lws(value, range.start);
        let search = if value.get(start) == Some(&b'"') {
            text::quoted_end(value, start).ok_or(HeaderError::Quote)?
        } else {
            start
        };
        let mark = marks::find(bytes, search..range.end, |part| {
            marks::one_of(part, [b'<', b';'])
        });
        let (display, uri, rest) = match mark {
            Some(open) if value[open] == b'<' => {
                let close = marks::find(bytes, open..range.end, |part| marks::one_of(part, [b'>']));
                let close = close.ok_or(HeaderError::Angle)?;
                (start..open, open + 1..close, close + 1)
            }
            Some(semicolon) => (start..start, start..semicolon, semicolon),
            None => (start..start, start..range.end, range.end),
        };
        let params = text::trim(value, rest..range.end);
        let params = match value.get(params.start) {
            Some(b';') if !params.is_empty() => params.start + 1..params.end,
            _ if params.is_empty() => params,
            _ => return Err(HeaderError::Trailing),
        };
        let uri = text::trim(value, uri);
        if !has_scheme(&value[uri.clone()]) {
            return Err(HeaderError::NoUri);
        }
        Ok(Self {
            display: &value[text::trim(value, display)],
            uri: &value[uri.clone()],
            params: &value[params],
            range,
            uri_range: uri,
        })
    }

    /// The tag of the value that lies at `range` of `bytes`, empty if it has none, where it is written as
    /// nearly all are: the URI in brackets, no parameter but the tag. What is not so, or not right, is
    /// `None`.
    pub(super) fn usual_tag(bytes: &'a [u8], range: Range<usize>) -> Option<&'a [u8]> {
        const URI_START: &[u8] = b"<sip:";
        let mut display_end = range.start;
        if bytes.get(display_end) == Some(&b'"') {
            let close = marks::find(bytes, range.start + 1..range.end, |part| {
                marks::one_of(part, [b'"', b'\\'])
            })?;
            display_end = (bytes[close] == b'"').then_some(close + 1)?;
        }
        let open = marks::find(bytes, display_end..range.end, |part| {
            marks::one_of(part, [b'<', b';', b'"'])
        })?;
        if !bytes[open..].starts_with(URI_START) {
            return None;
        }
        let uri = open + URI_START.len();
        let close = marks::find(bytes, uri..range.end, |part| marks::one_of(part, [b'>']))?;
        let params = &bytes[close + 1..range.end];
        if params.is_empty() {
            return Some(params);
        }
        let tag = params.strip_prefix(b";tag=")?;
        let tag_range = range.end - tag.len()..range.end;
        // What is up to a quote is a blank, or at least in few tags.
        let odd = marks::find(bytes, tag_range, |part| {
            marks::up_to(part, b'"') | marks::one_of(part, [b';'])
        });
        (odd.is_none() && !tag.is_empty()).then_some(tag)
    }

    /// A parameter of the header by its name, whatever the case: `None` if there is none,
    /// `Some(None)` if it has no value.
    pub fn param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        Params::new(self.params).find(name)
    }

    /// The tag; `None` if there is none or an empty one.
    pub fn tag(&self) -> Option<&'a [u8]> {
        // Mostly it is the only parameter, and written so.
        let usual = self.params.strip_prefix(b"tag=");
        match usual.filter(|&tag| text::is_token(tag)) {
            Some(tag) => Some(tag),
            None => self.param(b"tag").flatten().filter(|tag| !tag.is_empty()),
        }
    }
}

/// Whether the text begins like a URI: letters and what else a scheme may have, then a colon.
fn has_scheme(uri: &[u8]) -> bool {
    if uri.starts_with(b"sip:") {
        return true;
    }
    let end = uri
        .iter()
        .position(|&byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.'))
        .unwrap_or(uri.len());
    end > 0 && uri.get(end) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<NameAddr<'_>, HeaderError> {
        NameAddr::parse(value.as_bytes(), 100)
    }

    #[test]
    fn parameters_belong_to_the_header_without_brackets() {
        let address = parse("sip:bob@example.com;tag=1;x").unwrap();
        assert_eq!(address.uri, b"sip:bob@example.com");
        assert_eq!(address.params, b"tag=1;x");
        assert_eq!(address.tag(), Some(&b"1"[..]));
        assert_eq!(address.param(b"X"), Some(None));
        assert_eq!(address.param(b"y"), None);
    }

    #[test]
    fn parameters_inside_brackets_belong_to_the_uri() {
        let address = parse("Bob <sip:bob@example.com;tag=uri> ; Tag = \"a;b\" ;z").unwrap();
        assert_eq!(address.display, b"Bob");
        assert_eq!(address.uri, b"sip:bob@example.com;tag=uri");
        assert_eq!(address.tag(), Some(&b"\"a;b\""[..]));
        assert_eq!(address.param(b"z"), Some(None));
        assert_eq!(address.uri_range, 105..132);
    }

    #[test]
    fn a_quoted_name_hides_everything_in_it() {
        let address = parse(r#""a \" <sip:no@where>;tag=no" < sip:b@c >;tag=yes"#).unwrap();
        assert_eq!(address.display, br#""a \" <sip:no@where>;tag=no""#);
        assert_eq!(address.uri, b"sip:b@c");
        assert_eq!(address.tag(), Some(&b"yes"[..]));
    }

    #[test]
    fn folds_are_white_space() {
        let address = parse("<sip:a@b>\r\n ;\r\n tag\r\n = 98asjd8").unwrap();
        assert_eq!(address.tag(), Some(&b"98asjd8"[..]));
    }

    #[test]
    fn an_empty_tag_is_no_tag() {
        assert_eq!(parse("<sip:a@b>;tag=").unwrap().tag(), None);
        assert_eq!(parse("<sip:a@b>;tag").unwrap().tag(), None);
        assert_eq!(parse("<sip:a@b>;").unwrap().tag(), None);
    }

    #[test]
    fn what_is_no_address() {
        for (value, error) in [
            ("", HeaderError::NoUri),
            ("<>", HeaderError::NoUri),
            ("alice@example.com", HeaderError::NoUri),
            ("\"alice\"", HeaderError::NoUri),
            ("\"alice\" ;tag=1", HeaderError::NoUri),
            ("\"alice <sip:a@b>", HeaderError::Quote),
            ("\"alice\\", HeaderError::Quote),
            ("<sip:a@b;tag=1", HeaderError::Angle),
            ("<sip:a@b> tag=1", HeaderError::Trailing),
            ("*", HeaderError::NoUri),
        ] {
            assert_eq!(parse(value), Err(error), "{value}");
        }
    }
}
