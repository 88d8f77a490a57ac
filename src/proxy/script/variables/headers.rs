//! Variables of header lines: `$hdr(...)`, `$ua`, `$ct`.

use super::optional;
use crate::proxy::act::Act;
use crate::proxy::script::{Variable, variable};
use crate::route::host::{Argument, Inner, ListIndex};
use crate::route::machine::Machine;
use crate::route::value::{Value, number_of};
use crate::sip::{Line, Message, Name, NameAddr};

pub(in crate::proxy::script) const VARIABLES: &[Variable] = &[
    variable("hdr", |act, inner, index, machine| {
        header(act, inner, index, machine, false)
    }),
    variable("hfl", |act, inner, index, machine| {
        header(act, inner, index, machine, true)
    }),
    variable("hdrc", |act, inner, _, machine| {
        count(act, inner, machine, false)
    }),
    variable("hflc", |act, inner, _, machine| {
        count(act, inner, machine, true)
    }),
    variable("ci", |act, _, _, machine| whole(act, Name::CallId, machine)),
    variable("csb", |act, _, _, machine| whole(act, Name::CSeq, machine)),
    variable("cs", sequence_number),
    variable("ct", |act, _, _, machine| {
        whole(act, Name::Contact, machine)
    }),
    variable("cT", |act, _, _, machine| {
        whole(act, Name::ContentType, machine)
    }),
    variable("cl", length),
    variable("ua", |act, _, _, machine| {
        whole(act, Name::UserAgent, machine)
    }),
    variable("rt", |act, _, _, machine| {
        uri(act, Name::ReferTo, ListIndex::None, machine)
    }),
    variable("di", |act, _, _, machine| {
        uri(act, Name::Diversion, ListIndex::None, machine)
    }),
    variable("dir", diversion_reason),
    variable("re", remote_party),
    variable("ai", |act, _, index, machine| {
        uri(act, Name::PAssertedIdentity, index, machine)
    }),
    variable("pu", |act, _, index, machine| {
        uri(act, Name::PPreferredIdentity, index, machine)
    }),
    variable("pU", |act, _, _, machine| {
        preferred(act, super::user, machine)
    }),
    variable("pd", |act, _, _, machine| {
        preferred(act, super::host, machine)
    }),
];

/// A name, whether known only by its text.
#[derive(Clone, Copy)]
pub(in crate::proxy::script) struct Wanted<'a> {
    name: Name,
    text: &'a [u8],
}

impl<'a> Wanted<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self {
            name: Name::parse(text),
            text,
        }
    }

    /// What a function is given.
    fn given(argument: Argument, machine: &'a Machine) -> Self {
        let text = argument.text().map_or(&b""[..], |text| machine.bytes(text));
        match argument {
            Argument::Header(name, _) => Self { name, text },
            _ => Self::of(text),
        }
    }

    fn is(self, line: &Line<'_>) -> bool {
        self.name != Name::Other || line.name_text.eq_ignore_ascii_case(self.text)
    }
}

/// The lines of a name, compact forms included.
pub(in crate::proxy::script) fn same_name<'a>(
    message: Message<'a>,
    text: &[u8],
) -> impl Iterator<Item = Line<'a>> {
    lines(message, Wanted::of(text))
}

/// The lines of the name that a function is given; none if it is given none.
pub(in crate::proxy::script) fn given_lines<'a>(
    message: Message<'a>,
    argument: Argument,
    machine: &Machine,
) -> impl Iterator<Item = Line<'a>> {
    lines(message, Wanted::given(argument, machine))
}

fn lines<'a>(message: Message<'a>, wanted: Wanted<'_>) -> impl Iterator<Item = Line<'a>> {
    message.all(wanted.name).filter(move |line| wanted.is(line))
}

/// What a constant in a variable's parentheses is known by: the name's number, from 1 on.
pub(in crate::proxy::script) fn prepare(variable: &str, inner: &[u8]) -> u32 {
    match (variable, Name::parse(inner)) {
        ("hdr" | "hdrc" | "hfl" | "hflc", name) if name != Name::Other => name as u32 + 1,
        _ => 0,
    }
}

fn wanted(inner: Inner, machine: &Machine) -> Option<Wanted<'_>> {
    let Inner::Text { text, key } = inner else {
        return None;
    };
    let text = machine.bytes(text);
    let known = key.checked_sub(1).and_then(|at| Name::ALL.get(at as usize));
    Some(match known {
        Some(name) => Wanted { name: *name, text },
        None => Wanted::of(text),
    })
}

/// The value of a line as it stands, blanks at its end included.
fn value<'a>(message: Message<'a>, line: &Line<'_>) -> &'a [u8] {
    let value = &message.bytes()[line.value_range.start.min(line.range.end)..line.range.end];
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    value.strip_suffix(b"\r").unwrap_or(value)
}

/// Headers that are lists of values.
fn is_list(name: Name) -> bool {
    matches!(
        name,
        Name::Via | Name::Route | Name::RecordRoute | Name::Contact
    )
}

fn header(
    act: &mut Act<'_>,
    inner: Inner,
    index: ListIndex,
    machine: &mut Machine,
    of_lists: bool,
) -> Value {
    let message = act.message;
    let Some(wanted) = wanted(inner, machine) else {
        return Value::Null;
    };
    if of_lists && is_list(wanted.name) && index != ListIndex::All {
        let values = || message.values(wanted.name).map(|(value, _)| value);
        let found = nth(index, values);
        return optional(machine, found);
    }
    if index == ListIndex::All {
        return joined(act, inner, machine);
    }
    let lines = || {
        let lines = message.all(wanted.name).filter(|line| wanted.is(line));
        lines.map(|line| value(message, &line))
    };
    let found = nth(index, lines);
    optional(machine, found)
}

/// The n-th, from behind if the index is negative.
fn nth<'a, I: Iterator<Item = &'a [u8]>>(
    index: ListIndex,
    values: impl Fn() -> I,
) -> Option<&'a [u8]> {
    match index {
        ListIndex::At(at) if at < 0 => {
            let back = usize::try_from(at.unsigned_abs()).ok()?;
            values().nth(values().count().checked_sub(back)?)
        }
        ListIndex::At(at) => values().nth(usize::try_from(at).ok()?),
        ListIndex::None | ListIndex::All => values().next(),
    }
}

/// The values of all lines, with commas.
fn joined(act: &mut Act<'_>, inner: Inner, machine: &mut Machine) -> Value {
    let mut all = std::mem::take(&mut act.core.bench.scratch);
    all.clear();
    let mut is_found = false;
    if let Some(wanted) = wanted(inner, machine) {
        let lines = act.message.all(wanted.name);
        for line in lines.filter(|line| wanted.is(line)) {
            if is_found {
                all.push(b',');
            }
            is_found = true;
            all.extend_from_slice(value(act.message, &line));
        }
    }
    let value = optional(machine, is_found.then_some(&all));
    act.core.bench.scratch = all;
    value
}

fn count(act: &mut Act<'_>, inner: Inner, machine: &mut Machine, of_lists: bool) -> Value {
    let Some(wanted) = wanted(inner, machine) else {
        return Value::Null;
    };
    let lines = act
        .message
        .all(wanted.name)
        .filter(|line| wanted.is(line))
        .count();
    let count = if of_lists && is_list(wanted.name) {
        act.message.values(wanted.name).count()
    } else {
        lines
    };
    Value::Number(count as i64)
}

fn whole(act: &Act<'_>, name: Name, machine: &mut Machine) -> Value {
    let line = act.message.first(name);
    let value = line.map(|line| value(act.message, &line));
    optional(machine, value)
}

fn sequence_number(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let line = act.message.first(Name::CSeq);
    let digits = line.map(|line| {
        let end = line.value.iter().position(|byte| !byte.is_ascii_digit());
        &line.value[..end.unwrap_or(line.value.len())]
    });
    optional(machine, digits)
}

fn length(act: &mut Act<'_>, _: Inner, _: ListIndex, _: &mut Machine) -> Value {
    let line = act.message.first(Name::ContentLength);
    let number = line.and_then(|line| number_of(line.value));
    number.map_or(Value::Null, Value::Number)
}

fn address(message: Message<'_>, name: Name, index: ListIndex) -> Option<NameAddr<'_>> {
    let at = match index {
        ListIndex::At(at) => usize::try_from(at).ok()?,
        ListIndex::None | ListIndex::All => 0,
    };
    message.addresses(name).nth(at)?.ok()
}

fn uri(act: &Act<'_>, name: Name, index: ListIndex, machine: &mut Machine) -> Value {
    let address = address(act.message, name, index);
    optional(machine, address.map(|address| address.uri))
}

fn preferred(act: &Act<'_>, part: super::UriPart, machine: &mut Machine) -> Value {
    let address = address(act.message, Name::PPreferredIdentity, ListIndex::None);
    optional(machine, address.and_then(|address| part(address.uri)))
}

fn diversion_reason(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let address = address(act.message, Name::Diversion, ListIndex::None);
    let reason = address.and_then(|address| address.param(b"reason"));
    optional(machine, reason.flatten())
}

fn remote_party(act: &mut Act<'_>, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
    let line = same_name(act.message, b"Remote-Party-ID").next();
    let address = line.and_then(|line| NameAddr::parse(line.value, 0).ok());
    optional(machine, address.map(|address| address.uri))
}
