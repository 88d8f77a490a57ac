//! Digest authentication (RFC 7616, RFC 8760): what a challenge asks for, the answer to it, and whether an
//! answer is right.

use std::cell::Cell;
use std::io::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use sipshard::sip::{Message, digest_param};

/// How a response is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// By its name in a header; MD5 without one (RFC 7616 section 3.3).
    fn named(name: Option<&[u8]>) -> Option<Self> {
        match name {
            None => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case(b"MD5") => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case(b"SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The hash of parts with colons between them, as hexadecimal digits.
    fn hash(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0xf)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// Who answers, to what request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The user.
    pub username: &'a [u8],
    /// The user's password.
    pub password: &'a [u8],
    /// The request's method.
    pub method: &'a [u8],
    /// The Request-URI.
    pub uri: &'a [u8],
}

/// What both sides hash besides the request.
#[derive(Clone, Copy, Debug)]
struct Terms<'a> {
    algorithm: Algorithm,
    realm: &'a [u8],
    nonce: &'a [u8],
    /// The count of uses and the own nonce, with `qop=auth`.
    counted: Option<(&'a [u8], &'a [u8])>,
}

impl Terms<'_> {
    /// RFC 7616 section 3.4.1.
    fn response(&self, request: Request<'_>) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let secret = hash(&[request.username, self.realm, request.password]);
        let asked = hash(&[request.method, request.uri]);
        let (secret, asked) = (secret.as_bytes(), asked.as_bytes());
        match self.counted {
            Some((count, own)) => hash(&[secret, self.nonce, count, own, b"auth", asked]),
            None => hash(&[secret, self.nonce, asked]),
        }
    }
}

/// A challenge that can be answered.
#[derive(Clone, Debug)]
pub struct Challenge {
    by_proxy: bool,
    algorithm: Algorithm,
    /// Whether the challenge named it: who did not may not know it by name.
    is_algorithm_named: bool,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    has_qop: bool,
    /// How often its nonce was used: each answer counts, also while the call is only read.
    uses: Cell<u32>,
}

impl Challenge {
    /// The first challenge of a 401 or 407 that can be answered: Digest, MD5 or SHA-256, and `auth` among
    /// what it offers if it offers anything.
    pub fn of(message: Message<'_>, code: u16) -> Option<Self> {
        let by_proxy = code == 407;
        let name: &[u8] = if by_proxy {
            b"Proxy-Authenticate"
        } else {
            b"WWW-Authenticate"
        };
        message
            .lines()
            .filter(|line| line.name_text.eq_ignore_ascii_case(name))
            .find_map(|line| Self::read(line.value, by_proxy))
    }

    fn read(value: &[u8], by_proxy: bool) -> Option<Self> {
        let param = |name: &str| digest_param(value, name.as_bytes());
        let qop = param("qop");
        let offers_auth = |qop: &[u8]| {
            let mut offers = qop.split(|byte| *byte == b',');
            offers.any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"))
        };
        if qop.is_some_and(|qop| !offers_auth(qop)) {
            return None;
        }
        let algorithm = param("algorithm");
        Some(Self {
            by_proxy,
            algorithm: Algorithm::named(algorithm)?,
            is_algorithm_named: algorithm.is_some(),
            realm: param("realm")?.to_vec(),
            nonce: param("nonce")?.to_vec(),
            opaque: param("opaque").map(<[u8]>::to_vec),
            has_qop: qop.is_some(),
            uses: Cell::new(0),
        })
    }

    /// Writes the header line that answers it, without the line end. `chance` makes the own nonce.
    ///
    /// # Errors
    /// As the writer has them.
    pub fn answer(
        &self,
        request: Request<'_>,
        chance: u64,
        out: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        self.uses.set(self.uses.get().wrapping_add(1));
        let (count, own) = (format!("{:08x}", self.uses.get()), format!("{chance:016x}"));
        let terms = Terms {
            algorithm: self.algorithm,
            realm: &self.realm,
            nonce: &self.nonce,
            counted: self.has_qop.then_some((count.as_bytes(), own.as_bytes())),
        };
        let response = terms.response(request);
        out.write_all(if self.by_proxy {
            b"Proxy-Authorization: "
        } else {
            b"Authorization: "
        })?;
        out.write_all(b"Digest username=\"")?;
        for byte in request.username {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        // These stand in the challenge as they have to stand here.
        for (name, value) in [
            ("realm", self.realm.as_slice()),
            ("nonce", &self.nonce),
            ("uri", request.uri),
            ("response", response.as_bytes()),
        ] {
            write!(out, "\", {name}=\"")?;
            out.write_all(value)?;
        }
        out.push(b'"');
        if self.is_algorithm_named {
            write!(out, ", algorithm={}", self.algorithm.name())?;
        }
        if self.has_qop {
            write!(out, ", qop=auth, nc={count}, cnonce=\"{own}\"")?;
        }
        if let Some(opaque) = &self.opaque {
            out.write_all(b", opaque=\"")?;
            out.write_all(opaque)?;
            out.push(b'"');
        }
        Ok(())
    }
}

/// Whether the value of Authorization or Proxy-Authorization proves that this user with this password sent
/// a request. Its own word is taken for realm, nonce and URI, as by SIPp.
pub fn is_right(credentials: &[u8], username: &[u8], password: &[u8], method: &[u8]) -> bool {
    let param = |name: &str| digest_param(credentials, name.as_bytes());
    let counted = match param("qop") {
        None => None,
        Some(qop) if qop.eq_ignore_ascii_case(b"auth") => param("nc").zip(param("cnonce")),
        Some(_) => return false,
    };
    if counted.is_none() && param("qop").is_some() {
        return false;
    }
    let (Some(algorithm), Some(realm), Some(nonce), Some(uri), Some(response)) = (
        Algorithm::named(param("algorithm")),
        param("realm"),
        param("nonce"),
        param("uri"),
        param("response"),
    ) else {
        return false;
    };
    let terms = Terms {
        algorithm,
        realm,
        nonce,
        counted,
    };
    let right = terms.response(Request {
        username,
        password,
        method,
        uri,
    });
    param("username") == Some(username) && response.eq_ignore_ascii_case(right.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616 section 3.9.1.
    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const OWN: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn example(algorithm: &str, response: &str) -> String {
        format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"{NONCE}\", nc=00000001, cnonce=\"{OWN}\", qop=auth, \
             response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    }

    const MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
    const SHA256: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

    #[test]
    fn the_examples_of_the_standard_are_right() {
        for (algorithm, response) in [("MD5", MD5), ("SHA-256", SHA256)] {
            let credentials = example(algorithm, response);
            let right = |user: &str, password: &str, method: &str| {
                let credentials = credentials.as_bytes();
                is_right(
                    credentials,
                    user.as_bytes(),
                    password.as_bytes(),
                    method.as_bytes(),
                )
            };
            assert!(right("Mufasa", "Circle of Life", "GET"), "{algorithm}");
            assert!(!right("Mufasa", "Circle of life", "GET"));
            assert!(!right("mufasa", "Circle of Life", "GET"));
            assert!(!right("Mufasa", "Circle of Life", "PUT"));
        }
        assert!(!is_right(
            example("SHA-256", MD5).as_bytes(),
            b"Mufasa",
            b"Circle of Life",
            b"GET"
        ));
    }

    #[test]
    fn what_lacks_a_part_is_wrong() {
        let whole = example("MD5", MD5);
        for part in ["realm", "nonce", "uri", "response", "nc", "cnonce"] {
            let broken = whole.replace(&format!("{part}="), "x=");
            assert_ne!(broken, whole);
            let right = is_right(broken.as_bytes(), b"Mufasa", b"Circle of Life", b"GET");
            assert!(!right, "{part}");
        }
        assert!(!is_right(b"Basic x", b"a", b"b", b"GET"));
    }

    fn answer(challenge: &Challenge) -> String {
        let mut out = Vec::new();
        let request = Request {
            username: b"an\"n",
            password: b"secret",
            method: b"INVITE",
            uri: b"sip:bob@192.0.2.1",
        };
        challenge.answer(request, 0xabc, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_challenge_is_answered_in_its_own_terms() {
        let all = b"Digest realm=\"a, b\", nonce=\"n1\", qop=\"auth-int,auth\", algorithm=sha-256, opaque=\"o\"";
        let challenge = Challenge::read(all, true).unwrap();
        let first = answer(&challenge);
        assert!(
            first.starts_with("Proxy-Authorization: Digest username=\"an\\\"n\", realm=\"a, b\",")
        );
        assert!(first.contains(", nonce=\"n1\", uri=\"sip:bob@192.0.2.1\", response=\""));
        let end =
            ", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"0000000000000abc\", opaque=\"o\"";
        assert!(first.ends_with(end), "{first}");
        assert!(answer(&challenge).contains(", nc=00000002, "));

        let least = Challenge::read(b"Digest realm=x,nonce=y", false).unwrap();
        let text = answer(&least);
        assert!(text.starts_with("Authorization: Digest "), "{text}");
        assert!(!text.contains("qop") && !text.contains("algorithm") && !text.contains("opaque"));
        let value = text.strip_prefix("Authorization: ").unwrap();
        let value = value.replace("an\\\"n", "ann");
        // The user's name is part of what is hashed.
        assert!(!is_right(value.as_bytes(), b"ann", b"secret", b"INVITE"));
    }

    #[test]
    fn challenges_that_cannot_be_answered_are_passed_over() {
        for text in [
            "Basic realm=\"x\"",
            "Digest nonce=\"y\"",
            "Digest realm=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=MD5-sess",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
        ] {
            assert!(Challenge::read(text.as_bytes(), false).is_none(), "{text}");
        }
    }
}
