//! Variables of the digest credentials that a request brings: `$au`, `$ar`.

use super::optional;
use crate::proxy::act::Act;
use crate::proxy::script::{Variable, variable};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::{Message, Name, digest_param};

pub(in crate::proxy::script) const VARIABLES: &[Variable] = &[
    variable("au", |act, _, _, machine| part(act, machine, user)),
    variable("aU", |act, _, _, machine| {
        part(act, machine, |digest| named(digest, b"username"))
    }),
    variable("ar", |act, _, _, machine| {
        part(act, machine, |digest| named(digest, b"realm"))
    }),
    variable("ad", |act, _, _, machine| part(act, machine, domain)),
    variable("adu", |act, _, _, machine| {
        part(act, machine, |digest| named(digest, b"uri"))
    }),
    variable("aa", |act, _, _, machine| {
        part(act, machine, |digest| named(digest, b"algorithm"))
    }),
];

fn part(act: &Act<'_>, machine: &mut Machine, part: fn(&[u8]) -> &[u8]) -> Value {
    optional(machine, digest(act.message).map(part))
}

/// The credentials: those for a proxy, else those for the callee.
fn digest(message: Message<'_>) -> Option<&[u8]> {
    let mut values = [Name::ProxyAuthorization, Name::Authorization]
        .into_iter()
        .filter_map(|name| message.first(name))
        .map(|line| line.value);
    values.find(|value| {
        let scheme = value.get(.."Digest ".len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Digest "))
    })
}

fn named<'a>(digest: &'a [u8], name: &[u8]) -> &'a [u8] {
    digest_param(digest, name).unwrap_or_default()
}

/// The name of who calls, as his credentials have it, without a domain.
pub(in crate::proxy::script) fn username(message: Message<'_>) -> Option<&[u8]> {
    digest(message).map(user)
}

fn user(digest: &[u8]) -> &[u8] {
    let name = named(digest, b"username");
    memchr::memchr(b'@', name).map_or(name, |at| &name[..at])
}

fn domain(digest: &[u8]) -> &[u8] {
    let name = named(digest, b"username");
    memchr::memchr(b'@', name).map_or(b"", |at| &name[at + 1..])
}
