//! Header field names: case-insensitive, with compact forms (RFC 3261 7.3.3).

use wide::u8x16;

use super::text::is_token;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $compact:literal)? ;)*) => {
        /// The name of a header field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Name {
            $($(#[$doc])* $name,)*
            /// A name that this list does not have: see the line for its text.
            Other,
        }

        impl Name {
            /// Every name but [`Name::Other`].
            pub const ALL: &'static [Name] = &[$(Name::$name),*];

            /// The usual way to write it; empty for [`Name::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other => "",
                }
            }

            /// The names that have a compact form, with it.
            const COMPACT: &'static [(Name, &'static str)] = &[$($((Name::$name, $compact),)?)*];
        }
    };
}

names! {
    /// RFC 3261 20.42.
    Via = "Via" | "v";
    /// RFC 3261 20.20.
    From = "From" | "f";
    /// RFC 3261 20.39.
    To = "To" | "t";
    /// RFC 3261 20.8.
    CallId = "Call-ID" | "i";
    /// RFC 3261 20.16.
    CSeq = "CSeq";
    /// RFC 3261 20.22.
    MaxForwards = "Max-Forwards";
    /// RFC 3261 20.34.
    Route = "Route";
    /// RFC 3261 20.30.
    RecordRoute = "Record-Route";
    /// RFC 3261 20.10.
    Contact = "Contact" | "m";
    /// RFC 3261 20.14.
    ContentLength = "Content-Length" | "l";
    /// RFC 3261 20.15.
    ContentType = "Content-Type" | "c";
    /// RFC 3261 20.12.
    ContentEncoding = "Content-Encoding" | "e";
    /// RFC 3261 20.11.
    ContentDisposition = "Content-Disposition";
    /// RFC 3261 20.32.
    Require = "Require";
    /// RFC 3261 20.29.
    ProxyRequire = "Proxy-Require";
    /// RFC 3261 20.37.
    Supported = "Supported" | "k";
    /// RFC 3261 20.40.
    Unsupported = "Unsupported";
    /// RFC 3261 20.7.
    Authorization = "Authorization";
    /// RFC 3261 20.28.
    ProxyAuthorization = "Proxy-Authorization";
    /// RFC 3261 20.27.
    ProxyAuthenticate = "Proxy-Authenticate";
    /// RFC 3261 20.44.
    WwwAuthenticate = "WWW-Authenticate";
    /// RFC 3261 20.19.
    Expires = "Expires";
    /// RFC 3261 20.23.
    MinExpires = "Min-Expires";
    /// RFC 3261 20.33.
    RetryAfter = "Retry-After";
    /// RFC 3261 20.41.
    UserAgent = "User-Agent";
    /// RFC 3261 20.35.
    Server = "Server";
    /// RFC 3261 20.5.
    Allow = "Allow";
    /// RFC 6665 8.2.2.
    AllowEvents = "Allow-Events" | "u";
    /// RFC 3261 20.1.
    Accept = "Accept";
    /// RFC 3261 20.2.
    AcceptEncoding = "Accept-Encoding";
    /// RFC 3261 20.3.
    AcceptLanguage = "Accept-Language";
    /// RFC 3261 20.36.
    Subject = "Subject" | "s";
    /// RFC 3261 20.17.
    Date = "Date";
    /// RFC 3261 20.38.
    Timestamp = "Timestamp";
    /// RFC 3261 20.43.
    Warning = "Warning";
    /// RFC 3261 20.26.
    Priority = "Priority";
    /// RFC 3261 20.25.
    Organization = "Organization";
    /// RFC 3261 20.24.
    MimeVersion = "MIME-Version";
    /// RFC 3261 20.31.
    ReplyTo = "Reply-To";
    /// RFC 3261 20.4.
    AlertInfo = "Alert-Info";
    /// RFC 3261 20.9.
    CallInfo = "Call-Info";
    /// RFC 6665 8.2.1.
    Event = "Event" | "o";
    /// RFC 6665 8.2.3.
    SubscriptionState = "Subscription-State";
    /// RFC 3515.
    ReferTo = "Refer-To" | "r";
    /// RFC 3892.
    ReferredBy = "Referred-By" | "b";
    /// RFC 3891.
    Replaces = "Replaces";
    /// RFC 3262.
    RSeq = "RSeq";
    /// RFC 3262.
    RAck = "RAck";
    /// RFC 4028.
    SessionExpires = "Session-Expires" | "x";
    /// RFC 4028.
    MinSe = "Min-SE";
    /// RFC 3327.
    Path = "Path";
    /// RFC 3608.
    ServiceRoute = "Service-Route";
    /// RFC 3326.
    Reason = "Reason";
    /// RFC 3323.
    Privacy = "Privacy";
    /// RFC 3325.
    PAssertedIdentity = "P-Asserted-Identity";
    /// RFC 3325.
    PPreferredIdentity = "P-Preferred-Identity";
    /// RFC 5806.
    Diversion = "Diversion";
    /// RFC 7044.
    HistoryInfo = "History-Info";
    /// RFC 8224.
    Identity = "Identity" | "y";
    /// RFC 3903.
    SipIfMatch = "SIP-If-Match";
    /// RFC 3903.
    SipETag = "SIP-ETag";
}

/// How many names there are, [`Name::Other`] among them.
pub(super) const NAMES: usize = Name::Other as usize + 1;

// A set of names is one 64-bit word.
const _: () = assert!(NAMES <= 64);

/// One way to write a name.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Form {
    /// Its text in lower case and a colon, filled up with zeros.
    text: [u8; MOST],
    name: Name,
}

impl Form {
    const fn new(name: Name, text: &str) -> Self {
        let text = text.as_bytes();
        let mut lower = [0; MOST];
        let mut at = 0;
        while at < text.len() {
            lower[at] = text[at].to_ascii_lowercase();
            at += 1;
        }
        lower[at] = b':';
        Self { text: lower, name }
    }

    /// What no name is.
    const UNUSED: Self = Self {
        text: [0; MOST],
        name: Name::Other,
    };

    /// Of all forms the only one that can have these letters, in lower case, and this length.
    #[inline]
    fn by_shape(first: u8, middle: u8, length: usize) -> &'static Self {
        &FORMS[slot(first, middle, length)]
    }
}

/// The text of a form is shorter, so that a colon behind it is within reach.
const MOST: usize = 16;

const SLOTS: usize = 256;

/// With this factor no two forms share a slot; the compiler would say so.
const FACTOR: u32 = 0x79a5_1699;

/// The slot of a form, by its first letter, the one in its middle and its length.
const fn slot(first: u8, middle: u8, length: usize) -> usize {
    let shape = u32::from_le_bytes([first, middle, length as u8, 0]);
    (shape.wrapping_mul(FACTOR) >> 24) as usize
}

/// A hash table of all forms, built by the compiler.
static FORMS: [Form; SLOTS] = {
    let mut forms = [Form::UNUSED; SLOTS];
    let mut place = 0;
    while place < Name::ALL.len() + Name::COMPACT.len() {
        let (name, text) = if place < Name::ALL.len() {
            (Name::ALL[place], Name::ALL[place].as_str())
        } else {
            Name::COMPACT[place - Name::ALL.len()]
        };
        if text.len() < MOST {
            let form = Form::new(name, text);
            let slot = slot(form.text[0], form.text[text.len() / 2], text.len());
            assert!(forms[slot].text[0] == 0, "take another factor");
            forms[slot] = form;
        }
        place += 1;
    }
    forms
};

/// Names too long for a form.
const LONG_NAMES: [Name; 8] = [
    Name::ContentEncoding,
    Name::WwwAuthenticate,
    Name::PAssertedIdentity,
    Name::ProxyAuthorization,
    Name::ProxyAuthenticate,
    Name::ContentDisposition,
    Name::SubscriptionState,
    Name::PPreferredIdentity,
];

impl Name {
    /// The name with this text, whatever its case, long or compact.
    pub fn parse(text: &[u8]) -> Self {
        if let Some(&middle) = text.get(text.len() / 2)
            && text.len() < MOST
        {
            let lower = |letter: u8| letter.to_ascii_lowercase();
            let form = Form::by_shape(lower(text[0]), lower(middle), text.len());
            let (same, rest) = form.text.split_at(text.len());
            return if text.eq_ignore_ascii_case(same) && rest[0] == b':' {
                form.name
            } else {
                Self::Other
            };
        }
        LONG_NAMES
            .into_iter()
            .find(|name| text.eq_ignore_ascii_case(name.as_str().as_bytes()))
            .unwrap_or(Self::Other)
    }

    /// This name's place in a set of names.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The name at the head of `bytes`, if it is known, at most fifteen bytes long and directly
    /// followed by a colon; with its length. Everything else is for the slow way.
    ///
    /// A CR in the place of a hyphen is not noticed, so the caller has to look for CRs in the name.
    #[inline]
    pub(super) fn at_head(bytes: &[u8]) -> Option<(Self, usize)> {
        // Setting one bit lower-cases letters and changes no hyphen. Whatever else it changes is no
        // part of a name that is in the table, but for the CR.
        const LOWER: u8 = 0x20;
        let head = bytes.first_chunk::<MOST>()?;
        let lanes = u8x16::new(*head);
        let lower = lanes | u8x16::splat(LOWER);
        let letters = lower.to_array();
        let colons = lanes.simd_eq(u8x16::splat(b':')).to_bitmask();
        // The bit behind the last byte: without a colon it is the first.
        let length = (colons | 1 << MOST).trailing_zeros() as usize;
        let form = Form::by_shape(letters[0], letters[length / 2], length);
        let same = lower.simd_eq(u8x16::new(form.text));
        // Up to and with the colon.
        let is_it = same.to_bitmask().trailing_ones() as usize > length;
        is_it.then_some((form.name, length))
    }

    /// Whether `text` may be the name of a header field at all.
    pub(super) fn is_valid(text: &[u8]) -> bool {
        is_token(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for &name in Name::ALL {
            let text = name.as_str();
            assert_eq!(Name::parse(text.as_bytes()), name);
            assert_eq!(Name::parse(text.to_uppercase().as_bytes()), name);
            assert_eq!(Name::parse(text.to_lowercase().as_bytes()), name);
            assert_eq!(Name::parse(format!("{text}x").as_bytes()), Name::Other);
            assert_eq!(Name::parse(format!("{text}\0").as_bytes()), Name::Other);
        }
    }

    #[test]
    fn the_head_of_a_line_gives_the_same_name() {
        for &name in Name::ALL {
            for text in [name.as_str().to_owned(), name.as_str().to_uppercase()] {
                let line = format!("{text}: some value that is long enough");
                let expected = (text.len() < 16).then_some((name, text.len()));
                assert_eq!(Name::at_head(line.as_bytes()), expected, "{line}");
            }
        }
        assert_eq!(Name::at_head(b"Via : SIP/2.0/UDP host"), None);
        assert_eq!(Name::at_head(b"Via\0: SIP/2.0/UDP host"), None);
        assert_eq!(Name::at_head(b"Via: short"), None);
        assert_eq!(Name::at_head(b": no name at all here"), None);
        assert_eq!(Name::at_head(b"Call ID: not a known name"), None);
        assert_eq!(Name::at_head(b"V\x09a: not a known name"), None);
    }

    #[test]
    fn compact_forms() {
        let forms: [(&[u8], Name); 17] = [
            (b"v", Name::Via),
            (b"f", Name::From),
            (b"t", Name::To),
            (b"i", Name::CallId),
            (b"m", Name::Contact),
            (b"l", Name::ContentLength),
            (b"c", Name::ContentType),
            (b"e", Name::ContentEncoding),
            (b"k", Name::Supported),
            (b"u", Name::AllowEvents),
            (b"s", Name::Subject),
            (b"o", Name::Event),
            (b"r", Name::ReferTo),
            (b"b", Name::ReferredBy),
            (b"x", Name::SessionExpires),
            (b"y", Name::Identity),
            (b"z", Name::Other),
        ];
        for (text, name) in forms {
            assert_eq!(Name::parse(text), name);
            assert_eq!(Name::parse(&text.to_ascii_uppercase()), name);
        }
    }

    #[test]
    fn names_too_long_for_a_form_are_all_listed() {
        let mut long: Vec<_> = Name::ALL
            .iter()
            .filter(|n| n.as_str().len() >= MOST)
            .collect();
        let mut listed: Vec<_> = LONG_NAMES.iter().collect();
        long.sort();
        listed.sort();
        assert_eq!(long, listed);
    }
}
