//! Module `sanity`: checks of messages.
//!
//! Owns: the checks that are left. A message without the headers that it needs, with a wrong version,
//! CSeq or Content-Length, or with a Request-URI or Via that cannot be read comes to no script: so the
//! bits 1, 2, 4, 8, 16, 32, 64, 128 and 16384, and 1 of the URIs, find nothing more.

use super::{Function, function, number};
use crate::proxy::act::Act;
use crate::proxy::request::Refusal;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{HeaderError, Line, Message, Name, NameAddr, Params, Uri, digest_param};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sanity_check", sanity_check),
    function("sanity_reply", sanity_reply),
];

const EXPIRES: i64 = 256;
const PROXY_REQUIRE: i64 = 512;
const URIS: i64 = 1024;
const DIGEST: i64 = 2048;
const TAGS: i64 = 4096;
const AUTHORIZATION: i64 = 8192;

const FROM_URI: i64 = 2;
const TO_URI: i64 = 4;
const CONTACT_URI: i64 = 8;

/// Checks as the bits say. What is bad is answered; then the script ends, or the check is false, as the
/// module's parameters have it.
fn sanity_check(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let modules = &act.core.modules;
    let checks = number(arguments, 0).unwrap_or(modules.sanity_checks);
    let uris = number(arguments, 1).unwrap_or(modules.sanity_uris);
    let (replies, drops) = (!modules.sanity_is_silent, modules.sanity_drops);
    let Some(fault) = fault(act, checks, uris) else {
        return Outcome::TRUE;
    };
    act.draft.error = Some(fault);
    if replies {
        sanity_reply(act, &[], machine);
    }
    if drops { Outcome::Exit } else { Outcome::FALSE }
}

/// Answers with what was found.
fn sanity_reply(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let Some(fault) = act.draft.error else {
        return Outcome::FALSE;
    };
    if fault.code == 420 {
        let unknown = act.core.modules.unknown_option(act.message);
        let headers = &mut act.draft.reply_headers;
        headers.extend_from_slice(b"Unsupported: ");
        headers.extend_from_slice(unknown.unwrap_or_default());
        headers.extend_from_slice(b"\r\n");
    }
    act.reply(fault.code, fault.reason.as_bytes()).into()
}

fn fault(act: &Act<'_>, checks: i64, uris: i64) -> Option<Refusal> {
    let message = act.message;
    let bad = |is_bad: bool, reason| is_bad.then_some(Refusal::new(400, reason));
    let asked = |bit: i64| checks & bit != 0;
    let mut found = None;
    if asked(EXPIRES) {
        found = bad(has_bad_expires(message), "Expires value is illegal");
    }
    if asked(PROXY_REQUIRE) && act.core.modules.unknown_option(message).is_some() {
        found = found.or(Some(Refusal::new(420, "Bad Proxy Require Extension")));
    }
    if asked(URIS) {
        found = found.or_else(|| bad_uri(message, uris));
    }
    if asked(DIGEST) {
        let names = [Name::Authorization, Name::ProxyAuthorization];
        let mut lines = names.into_iter().flat_map(|name| message.all(name));
        let is_bad = lines.any(|line| !is_digest(&line) || lacks_credentials(&line));
        found = found.or(bad(is_bad, "Bad Auth Credentials"));
    }
    if asked(TAGS) {
        let many = |address: Result<NameAddr<'_>, HeaderError>| {
            address.is_ok_and(|address| {
                let tags = Params::new(address.params)
                    .filter(|param| param.name.eq_ignore_ascii_case(b"tag"));
                tags.count() > 1
            })
        };
        found = found
            .or(bad(many(message.from()), "Many From Tag Params"))
            .or(bad(many(message.to()), "Many To Tag Params"));
    }
    if asked(AUTHORIZATION) {
        let mut lines = message.all(Name::Authorization);
        let is_bad = lines.any(|line| is_digest(&line) && lacks_credentials(&line));
        found = found.or(bad(is_bad, "Bad Authorization Header"));
    }
    found
}

/// Whether Expires is no number of 32 bits.
fn has_bad_expires(message: Message<'_>) -> bool {
    message.first(Name::Expires).is_some_and(|line| {
        let number = std::str::from_utf8(line.value).ok();
        let is_digits = line.value.iter().all(u8::is_ascii_digit);
        !is_digits || number.is_none_or(|number| number.parse::<u32>().is_err())
    })
}

fn bad_uri(message: Message<'_>, uris: i64) -> Option<Refusal> {
    let is_bad = |address: Result<NameAddr<'_>, HeaderError>| {
        !address.is_ok_and(|address| Uri::is_known(address.uri))
    };
    if uris & FROM_URI != 0 && is_bad(message.from()) {
        return Some(Refusal::new(400, "Invalid From Header"));
    }
    if uris & TO_URI != 0 && is_bad(message.to()) {
        return Some(Refusal::new(400, "Invalid To Header"));
    }
    if uris & CONTACT_URI != 0 {
        let mut contacts = message.values(Name::Contact);
        let is_bad = contacts
            .any(|(value, range)| value != b"*" && is_bad(NameAddr::parse(value, range.start)));
        return is_bad.then_some(Refusal::new(400, "Bad Contact URI"));
    }
    None
}

fn is_digest(line: &Line<'_>) -> bool {
    let scheme = line.value.get(.."Digest".len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Digest"))
}

fn lacks_credentials(line: &Line<'_>) -> bool {
    [&b"username"[..], b"realm", b"nonce", b"uri", b"response"]
        .into_iter()
        .any(|name| digest_param(line.value, name).is_none_or(<[u8]>::is_empty))
}
