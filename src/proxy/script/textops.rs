//! Module `textops`: looking into messages and changing them.
//!
//! Owns: the questions; what changes messages is in its files. All functions see the message as it was
//! received: changes are carried out when it is sent.

mod bodies;
mod headers;
mod replace;

use std::cmp::Ordering;

use super::variables::{given_lines, same_name};
use super::{Function, function, is_given, shown, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Host as _, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Line, Method, Name};

pub(super) use self::bodies::FUNCTIONS as BODIES;
pub(super) use self::headers::FUNCTIONS as HEADERS;
pub(super) use self::replace::FUNCTIONS as REPLACE;

pub(super) const FUNCTIONS: &[Function] = &[
    function("is_method", is_method),
    function("search", |act, arguments, machine| {
        search(arguments, machine, act.message.bytes())
    }),
    function("search_body", |act, arguments, machine| {
        search(arguments, machine, act.message.body())
    }),
    function("search_hf", search_hf),
    function("is_present_hf", is_present_hf),
    function("has_body", has_body),
    function("is_privacy", is_privacy),
    function("in_list", |_, arguments, machine| {
        in_list(arguments, machine, |subject, item| subject == item)
    }),
    function("in_list_prefix", |_, arguments, machine| {
        in_list(arguments, machine, <[u8]>::starts_with)
    }),
    function("cmp_str", |_, arguments, machine| {
        compare(arguments, machine, |first, second| code(first.cmp(second)))
    }),
    function("cmp_istr", |_, arguments, machine| {
        compare(arguments, machine, |first, second| {
            let lower = |text: &[u8], at: usize| text.get(at).map(u8::to_ascii_lowercase);
            let longest = first.len().max(second.len());
            let differs = (0..longest).find(|&at| lower(first, at) != lower(second, at));
            let order = differs.map(|at| lower(first, at).cmp(&lower(second, at)));
            code(order.unwrap_or(Ordering::Equal))
        })
    }),
    function("starts_with", |_, arguments, machine| {
        compare(arguments, machine, |text, begin| {
            text.get(..begin.len())
                .map_or(-1, |part| code(part.cmp(begin)))
        })
    }),
    function("ends_with", |_, arguments, machine| {
        compare(arguments, machine, |text, end| {
            let start = text.len().checked_sub(end.len());
            start.map_or(-1, |start| code(text[start..].cmp(end)))
        })
    }),
    function("str_find", |_, arguments, machine| {
        compare(arguments, machine, |text, part| {
            found(memchr::memmem::find(text, part))
        })
    }),
    function("str_ifind", |_, arguments, machine| {
        compare(arguments, machine, |text, part| {
            let mut windows = text.windows(part.len().max(1));
            found(windows.position(|window| window.eq_ignore_ascii_case(part)))
        })
    }),
];

fn is_method(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(Argument::Methods(methods, names)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    match act.method() {
        Some(Method::Other) => {
            let token = act
                .message
                .cseq()
                .map(|cseq| cseq.token)
                .unwrap_or_default();
            let mut names = machine.bytes(names).split(|&byte| byte == b'|');
            names.any(|name| name.trim_ascii() == token).into()
        }
        Some(method) => (methods & 1 << method as u32 != 0).into(),
        None => Outcome::FALSE,
    }
}

fn search(arguments: &[Argument], machine: &Machine, bytes: &[u8]) -> Outcome {
    match arguments.first() {
        Some(Argument::Regex(regex)) => machine.find(*regex, bytes, 0).is_some().into(),
        _ => Outcome::FALSE,
    }
}

/// Which lines of a name a function looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    First,
    Last,
}

impl Which {
    /// By the letter that functions are given.
    pub(super) fn of(letter: Option<&[u8]>) -> Self {
        match letter.and_then(<[u8]>::first) {
            Some(b'f' | b'F') => Self::First,
            Some(b'l' | b'L') => Self::Last,
            _ => Self::All,
        }
    }

    /// Calls `visit` for these lines, until it wants no more.
    pub(super) fn each<'a>(
        self,
        lines: impl Iterator<Item = Line<'a>>,
        mut visit: impl FnMut(Line<'a>) -> bool,
    ) {
        let mut lines = lines;
        match self {
            Self::All => {
                lines.all(visit);
            }
            Self::First => {
                lines.next().map(visit);
            }
            Self::Last => {
                lines.last().map(&mut visit);
            }
        }
    }
}

fn search_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(name), Some(Argument::Regex(regex))) = (text(arguments, 0), arguments.get(1)) else {
        return Outcome::FALSE;
    };
    let which = Which::of(text(arguments, 2).map(|letter| machine.bytes(letter)));
    let mut is_found = false;
    which.each(same_name(act.message, machine.bytes(name)), |line| {
        is_found = machine.find(*regex, line.value, 0).is_some();
        !is_found
    });
    is_found.into()
}

fn is_present_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(name) = arguments.first() else {
        return Outcome::FALSE;
    };
    let mut lines = given_lines(act.message, *name, machine);
    lines.next().is_some().into()
}

/// Whether there is a body, and a Content-Length that says so; with an argument, also whether it is of
/// that type.
fn has_body(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    if act.message.body().is_empty() || !act.message.has(Name::ContentLength) {
        return Outcome::FALSE;
    }
    if !is_given(arguments, 0) {
        return Outcome::TRUE;
    }
    let wanted = text(arguments, 0).map(|wanted| machine.bytes(wanted));
    let line = act.message.first(Name::ContentType);
    let is_of_type = match (wanted, &line) {
        (Some(wanted), Some(line)) => same_type(line.value, wanted),
        _ => false,
    };
    is_of_type.into()
}

/// Whether a Content-Type is `type/subtype`; a star is any.
fn same_type(value: &[u8], wanted: &[u8]) -> bool {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let mut halves = value[..end].splitn(2, |&byte| byte == b'/');
    let mut wanted = wanted.splitn(2, |&byte| byte == b'/');
    (0..2).all(|_| {
        let half = halves.next().unwrap_or_default().trim_ascii();
        let wanted = wanted.next().unwrap_or_default().trim_ascii();
        wanted == b"*" || half.eq_ignore_ascii_case(wanted)
    })
}

fn is_privacy(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(wanted) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let wanted = machine.bytes(wanted).trim_ascii();
    let asks = |line: Line<'_>| {
        let mut kinds = line.value.split(|byte| matches!(byte, b';' | b','));
        kinds.any(|kind| kind.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    act.message.all(Name::Privacy).any(asks).into()
}

fn in_list(arguments: &[Argument], machine: &Machine, fits: fn(&[u8], &[u8]) -> bool) -> Outcome {
    let given = |at| shown(arguments, at, machine);
    let (Some(subject), Some(list), Some([separator, ..])) = (given(0), given(1), given(2)) else {
        return Outcome::FALSE;
    };
    if subject.is_empty() || list.is_empty() {
        return Outcome::FALSE;
    }
    let mut items = list.split(|byte| byte == separator);
    items.any(|item| fits(subject, item)).into()
}

/// What a function says of two texts: Kamailio's codes.
fn compare(
    arguments: &[Argument],
    machine: &Machine,
    code: impl Fn(&[u8], &[u8]) -> i64,
) -> Outcome {
    match (shown(arguments, 0, machine), shown(arguments, 1, machine)) {
        (Some(first), Some(second)) => Outcome::Code(code(first, second)),
        _ => Outcome::FALSE,
    }
}

fn code(order: Ordering) -> i64 {
    match order {
        Ordering::Equal => 1,
        Ordering::Less => -2,
        Ordering::Greater => -1,
    }
}

/// Places are counted from 1.
fn found(place: Option<usize>) -> i64 {
    place.map_or(-1, |place| place as i64 + 1)
}
