//! What can be wrong, by how much of the message can still be used.

use thiserror::Error;

/// Why a datagram is no SIP message at all. There is nobody to answer: count it and drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScanError {
    /// Nothing but line ends. See [`super::is_keepalive`].
    #[error("empty datagram")]
    Empty,
    /// Longer than [`super::MAX_MESSAGE_BYTES`].
    #[error("message longer than 65535 bytes")]
    TooLong,
    /// The first line is neither a request line nor a status line (RFC 3261 7.1, 7.2).
    #[error("first line is neither a request line nor a status line")]
    StartLine,
    /// More header lines than [`super::MAX_HEADERS`].
    #[error("more than 256 header lines")]
    TooManyHeaders,
}

/// Why the value of a header field cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The message has no such header line, or only an empty one.
    #[error("header missing")]
    Missing,
    /// A number has other characters than digits, no digits, or is beyond what RFC 3261 allows.
    #[error("bad number")]
    Number,
    /// A quoted string does not end.
    #[error("quoted string does not end")]
    Quote,
    /// A `<` without `>`.
    #[error("`<` without `>`")]
    Angle,
    /// Text where only parameters may stand.
    #[error("text where only parameters may stand")]
    Trailing,
    /// No URI, or one without scheme.
    #[error("no URI")]
    NoUri,
    /// CSeq without a method.
    #[error("no method")]
    NoMethod,
    /// A Via value does not begin with `SIP/version/transport` (RFC 3261 20.42).
    #[error("bad sent-protocol in Via")]
    SentProtocol,
    /// A Via value has no usable host.
    #[error("bad host in Via")]
    SentBy,
    /// A port is no number up to 65535.
    #[error("bad port")]
    Port,
}

/// Why a URI cannot be used (RFC 3261 19.1.1, RFC 3966).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UriError {
    /// No scheme, or one with characters that no scheme has.
    #[error("no URI scheme")]
    Scheme,
    /// White space, a control character, or one of `<`, `>`, `"`.
    #[error("character that no URI may have")]
    Character,
    /// An `@` with nothing before it, or `tel:` without a number.
    #[error("empty user part")]
    User,
    /// No host, or one with characters that no host has, or an IPv6 address without brackets.
    #[error("bad host in URI")]
    Host,
    /// The port is no number up to 65535.
    #[error("bad port in URI")]
    Port,
}
