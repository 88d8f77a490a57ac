//! Variables of From and To, which can be set too: `$fu`, `$tU`.
//!
//! Owns: the changes of these two header lines. What is read is what was received, whatever was set.

use std::ops::Range;

use super::{host, optional, user};
use crate::proxy::act::Act;
use crate::proxy::script::{Variable, variable, writable};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::{Message, Name, NameAddr, Scheme, Uri};

pub(in crate::proxy::script) const VARIABLES: &[Variable] = &[
    writable(
        "fu",
        |act, _, _, machine| part(act, Name::From, Part::Uri, machine),
        |act, _, _, value, machine| set(act, Name::From, Part::Uri, value, machine),
    ),
    writable(
        "fU",
        |act, _, _, machine| part(act, Name::From, Part::User, machine),
        |act, _, _, value, machine| set(act, Name::From, Part::User, value, machine),
    ),
    writable(
        "fd",
        |act, _, _, machine| part(act, Name::From, Part::Host, machine),
        |act, _, _, value, machine| set(act, Name::From, Part::Host, value, machine),
    ),
    writable(
        "fn",
        |act, _, _, machine| part(act, Name::From, Part::Display, machine),
        |act, _, _, value, machine| set(act, Name::From, Part::Display, value, machine),
    ),
    variable("ft", |act, _, _, machine| {
        part(act, Name::From, Part::Tag, machine)
    }),
    variable("fti", |act, _, _, machine| {
        part(act, Name::From, Part::Tag, machine)
    }),
    writable(
        "tu",
        |act, _, _, machine| part(act, Name::To, Part::Uri, machine),
        |act, _, _, value, machine| set(act, Name::To, Part::Uri, value, machine),
    ),
    writable(
        "tU",
        |act, _, _, machine| part(act, Name::To, Part::User, machine),
        |act, _, _, value, machine| set(act, Name::To, Part::User, value, machine),
    ),
    writable(
        "td",
        |act, _, _, machine| part(act, Name::To, Part::Host, machine),
        |act, _, _, value, machine| set(act, Name::To, Part::Host, value, machine),
    ),
    writable(
        "tn",
        |act, _, _, machine| part(act, Name::To, Part::Display, machine),
        |act, _, _, value, machine| set(act, Name::To, Part::Display, value, machine),
    ),
    variable("tt", |act, _, _, machine| {
        part(act, Name::To, Part::Tag, machine)
    }),
    variable("tti", |act, _, _, machine| {
        part(act, Name::To, Part::Tag, machine)
    }),
];

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Uri,
    User,
    Host,
    Display,
    Tag,
}

fn address(message: Message<'_>, name: Name) -> Option<NameAddr<'_>> {
    match name {
        Name::From => message.from().ok(),
        _ => message.to().ok(),
    }
}

fn part(act: &Act<'_>, name: Name, part: Part, machine: &mut Machine) -> Value {
    let address = address(act.message, name);
    let found = address.and_then(|address| match part {
        Part::Uri => Some(address.uri),
        Part::User => user(address.uri),
        Part::Host => host(address.uri),
        Part::Display => Some(address.display).filter(|display| !display.is_empty()),
        Part::Tag => address.tag(),
    });
    optional(machine, found)
}

/// Changes a part; `$null` takes a user or a display name away.
fn set(act: &mut Act<'_>, name: Name, part: Part, value: Value, machine: &mut Machine) -> bool {
    let text = machine.to_text(value);
    let text = machine.bytes(text);
    let Some(address) = address(act.message, name) else {
        return false;
    };
    match (part, value.is_null()) {
        (Part::Display, _) => set_display(act, &address, text, value.is_null()),
        (_, true) if part != Part::User => false,
        _ if !is_sound(text) => false,
        (Part::Uri, _) => {
            act.draft.edits.set(address.uri_range, text);
            true
        }
        (Part::User, true) => {
            let place = user_place(act.message, &address);
            // The number of a `tel` URI is all that it has.
            let place = place.filter(|(place, rest)| !place.is_empty() && !rest.is_empty());
            if let Some((place, _)) = place {
                act.draft.edits.set(place, b"");
            }
            true
        }
        (Part::User, false) => match user_place(act.message, &address) {
            Some((place, rest)) => set_user(act, place, text, rest),
            None => false,
        },
        _ => match host_place(act.message, &address) {
            Some(place) => {
                act.draft.edits.set(place, text);
                true
            }
            None => false,
        },
    }
}

/// Whether bytes may stand in a URI between angle brackets.
fn is_sound(bytes: &[u8]) -> bool {
    let is_sound = |byte: &u8| *byte > b' ' && !matches!(byte, b'<' | b'>' | b'"' | 127);
    bytes.iter().all(is_sound)
}

fn sip_uri<'a>(address: &NameAddr<'a>) -> Option<Uri<'a>> {
    let uri = Uri::parse(address.uri).ok()?;
    matches!(uri.scheme, Scheme::Sip | Scheme::Sips).then_some(uri)
}

fn host_place(message: Message<'_>, address: &NameAddr<'_>) -> Option<Range<usize>> {
    Some(place_of(message, sip_uri(address)?.host))
}

/// The user up to the host, and what of that stays with another user: the parameters of a telephone
/// number, the password and the `@`. Empty, before the host, if there is none.
fn user_place<'a>(
    message: Message<'a>,
    address: &NameAddr<'a>,
) -> Option<(Range<usize>, &'a [u8])> {
    let uri = Uri::parse(address.uri).ok()?;
    let user = uri.user.map(|user| place_of(message, user));
    let host = match uri.scheme {
        Scheme::Tel => return Some((user?, b"")),
        Scheme::Sip | Scheme::Sips => place_of(message, uri.host),
        Scheme::Other => return None,
    };
    let Some(Range { start, .. }) = user else {
        return Some((host.start..host.start, b"@"));
    };
    let number = uri.name().map_or(0, <[u8]>::len);
    let rest = message.bytes().get(start + number..host.start)?;
    Some((start..host.start, rest))
}

fn set_user(act: &mut Act<'_>, place: Range<usize>, user: &[u8], rest: &[u8]) -> bool {
    act.draft.edits.set_with(place, |out| {
        out.extend_from_slice(user);
        out.extend_from_slice(rest);
    });
    true
}

fn set_display(act: &mut Act<'_>, address: &NameAddr<'_>, text: &[u8], is_gone: bool) -> bool {
    if text.iter().any(|&byte| byte < b' ' || byte == 127) {
        return false;
    }
    let message = act.message;
    let before_uri = &message.bytes()[address.range.start..address.uri_range.start];
    let bracket = memchr::memrchr(b'<', before_uri);
    let edits = &mut act.draft.edits;
    match (bracket, address.display.is_empty()) {
        (Some(_), true) | (None, _) if is_gone => {}
        (Some(bracket), false) if is_gone => {
            let start = place_of(message, address.display).start;
            edits.set(start..address.range.start + bracket, b"");
        }
        (Some(_), false) => edits.set(place_of(message, address.display), text),
        (Some(bracket), true) => {
            let at = address.range.start + bracket;
            edits.set_with(at..at, |out| {
                out.extend_from_slice(text);
                out.push(b' ');
            });
        }
        // A name needs the brackets.
        (None, _) => {
            let uri = address.uri_range.clone();
            edits.set_with(uri.start..uri.start, |out| {
                out.extend_from_slice(text);
                out.extend_from_slice(b" <");
            });
            edits.set(uri.end..uri.end, b">");
        }
    }
    true
}

/// Where a part of a message lies in it.
fn place_of(message: Message<'_>, part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(message.bytes().as_ptr() as usize);
    let start = start.min(message.bytes().len());
    start..(start + part.len()).min(message.bytes().len())
}
