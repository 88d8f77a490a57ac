//! Questions on URIs, and changes of their parameters.

use crate::proxy::act::Act;
use crate::proxy::script::core_functions::{Part, set_part};
use crate::proxy::script::{Function, function, is_given, shown, text};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::route::value::Value;
use crate::sip::{Param, Params, Scheme, Uri};

pub(in crate::proxy::script) const FUNCTIONS: &[Function] = &[
    function("is_uri", is_uri),
    function("is_gruu", is_gruu),
    function("uri_param", uri_param),
    function("uri_param_any", uri_param_any),
    function("get_uri_param", get_uri_param),
    function("add_uri_param", add_uri_param),
    function("uri_param_rm", uri_param_rm),
    function("set_uri_user", |act, arguments, machine| {
        rewrite(act, arguments, machine, true)
    }),
    function("set_uri_host", |act, arguments, machine| {
        rewrite(act, arguments, machine, false)
    }),
    function("cmp_uri", |_, arguments, machine| {
        compare(arguments, machine, same_uri)
    }),
    function("cmp_aor", |_, arguments, machine| {
        compare(arguments, machine, same_address_of_record)
    }),
];

fn known(text: &[u8]) -> Option<Uri<'_>> {
    Uri::parse(text).ok().filter(Uri::has_known_scheme)
}

fn is_uri(_: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let uri = text(arguments, 0).map(|uri| machine.bytes(uri));
    uri.is_some_and(|uri| known(uri).is_some()).into()
}

/// 1 if its `gr` has a value, 2 if it has none (RFC 5627: a temporary one).
fn is_gruu(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let uri = match text(arguments, 0) {
        Some(uri) => machine.bytes(uri),
        None if is_given(arguments, 0) => return Outcome::FALSE,
        None => act.request_uri(),
    };
    let gr = Uri::parse(uri).ok().and_then(|uri| uri.param(b"gr"));
    match gr {
        Some(Some(value)) if !value.is_empty() => Outcome::Code(1),
        Some(_) => Outcome::Code(2),
        None => Outcome::FALSE,
    }
}

/// A parameter of the R-URI, by its name in this case.
fn param<'a>(act: &'a Act<'_>, name: &[u8]) -> Option<Param<'a>> {
    let uri = Uri::parse(act.request_uri()).ok()?;
    let mut params = Params::new(uri.params);
    Iterator::find(&mut params, |param| param.name == name)
}

/// Without a second argument: whether the parameter is there and has no value.
fn uri_param(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(name) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let found = param(act, machine.bytes(name));
    let wanted = text(arguments, 1).map(|value| machine.bytes(value));
    found.is_some_and(|param| param.value == wanted).into()
}

fn uri_param_any(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let name = text(arguments, 0).map(|name| machine.bytes(name));
    name.is_some_and(|name| param(act, name).is_some()).into()
}

fn get_uri_param(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(name), Some(Argument::Variable(variable))) =
        (text(arguments, 0), arguments.get(1).copied())
    else {
        return Outcome::FALSE;
    };
    let Some(found) = param(act, machine.bytes(name)) else {
        return Outcome::FALSE;
    };
    let value = machine.text(found.value.unwrap_or_default());
    machine.set(act, variable, Value::Text(value)).into()
}

fn add_uri_param(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(added) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let added = machine.bytes(added);
    if added.is_empty() {
        return Outcome::TRUE;
    }
    let mut made = std::mem::take(&mut act.core.bench.scratch);
    made.clear();
    let uri = act.request_uri();
    let headers = memchr::memchr(b'?', uri).filter(|_| has_headers(uri));
    let (before, headers) = uri.split_at(headers.unwrap_or(uri.len()));
    made.extend_from_slice(before);
    made.push(b';');
    made.extend_from_slice(added);
    made.extend_from_slice(headers);
    finish(act, made)
}

fn has_headers(uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|uri| !uri.headers.is_empty())
}

/// Sets the R-URI to what was made in the shard's buffer, and gives that back.
fn finish(act: &mut Act<'_>, made: Vec<u8>) -> Outcome {
    let is_set = act.request.is_some() && set_part(act, Part::Whole, &made);
    act.core.bench.scratch = made;
    is_set.into()
}

/// True also if there is no such parameter, as in Kamailio.
fn uri_param_rm(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(name) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let name = machine.bytes(name);
    let mut made = std::mem::take(&mut act.core.bench.scratch);
    made.clear();
    let uri = act.request_uri();
    let Ok(parsed) = Uri::parse(uri) else {
        act.core.bench.scratch = made;
        return Outcome::FALSE;
    };
    let is_it = |param: &Param<'_>| param.name.eq_ignore_ascii_case(name);
    if !Params::new(parsed.params).any(|param| is_it(&param)) {
        act.core.bench.scratch = made;
        return Outcome::TRUE;
    }
    let start = (parsed.params.as_ptr() as usize).wrapping_sub(uri.as_ptr() as usize);
    // Without the semicolon before the parameters.
    made.extend_from_slice(uri.get(..start.saturating_sub(1)).unwrap_or_default());
    for param in Params::new(parsed.params).filter(|param| !is_it(param)) {
        made.push(b';');
        made.extend_from_slice(&parsed.params[param.name_range.start..param.end]);
    }
    if !parsed.headers.is_empty() {
        made.push(b'?');
        made.extend_from_slice(parsed.headers);
    }
    finish(act, made)
}

/// Another user or host of a URI in a variable.
fn rewrite(
    act: &mut Act<'_>,
    arguments: &[Argument],
    machine: &mut Machine,
    is_user: bool,
) -> Outcome {
    let (Some(Argument::Variable(variable)), Some(part)) =
        (arguments.first().copied(), text(arguments, 1))
    else {
        return Outcome::FALSE;
    };
    let value = machine.get(act, variable);
    let uri = machine.to_text(value);
    let mut made = std::mem::take(&mut act.core.bench.scratch);
    made.clear();
    let is_made = write_with(machine.bytes(uri), machine.bytes(part), is_user, &mut made);
    let value = machine.text(&made);
    act.core.bench.scratch = made;
    (is_made && machine.set(act, variable, Value::Text(value))).into()
}

fn write_with(uri: &[u8], part: &[u8], is_user: bool, out: &mut Vec<u8>) -> bool {
    let Ok(parsed) = Uri::parse(uri) else {
        return false;
    };
    if !matches!(parsed.scheme, Scheme::Sip | Scheme::Sips) || (!is_user && part.is_empty()) {
        return false;
    }
    let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(uri.as_ptr() as usize);
    let (rest, host) = (place(parsed.rest), place(parsed.host));
    let (Some(before), Some(after)) = (uri.get(..host), uri.get(host..)) else {
        return false;
    };
    if is_user {
        out.extend_from_slice(uri.get(..rest).unwrap_or_default());
        out.extend_from_slice(part);
        out.extend_from_slice(if part.is_empty() { b"" } else { b"@" });
        out.extend_from_slice(after);
    } else {
        out.extend_from_slice(before);
        out.extend_from_slice(part);
        out.extend_from_slice(after.get(parsed.host.len()..).unwrap_or_default());
    }
    true
}

/// Kamailio's codes: -2 if one is no URI.
fn compare(
    arguments: &[Argument],
    machine: &Machine,
    same: fn(&Uri<'_>, &Uri<'_>) -> bool,
) -> Outcome {
    let (Some(one), Some(other)) = (shown(arguments, 0, machine), shown(arguments, 1, machine))
    else {
        return Outcome::FALSE;
    };
    match (known(one), known(other)) {
        (Some(one), Some(other)) => same(&one, &other).into(),
        _ => Outcome::Code(-2),
    }
}

/// RFC 3261 section 19.1.4, as far as Kamailio follows it: a `transport`, `user`, `method`, `ttl` or
/// `maddr` that both have must be the same, and so must all other parameters that both have.
fn same_uri(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    if one.scheme != other.scheme
        || one.user != other.user
        || one.password != other.password
        || one.port != other.port
        || !one.host.eq_ignore_ascii_case(other.host)
    {
        return false;
    }
    if !matches!(one.scheme, Scheme::Sip | Scheme::Sips) {
        return one.rest.eq_ignore_ascii_case(other.rest);
    }
    Params::new(one.params).all(|param| match (param.value, other.param(param.name)) {
        (_, None) | (None, Some(None)) => true,
        (Some(one), Some(Some(other))) => one.eq_ignore_ascii_case(other),
        _ => false,
    })
}

fn same_address_of_record(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    let is_sip = |uri: &Uri<'_>| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
    let is_same_kind = one.scheme == other.scheme || (is_sip(one) && is_sip(other));
    is_same_kind && one.user == other.user && one.host.eq_ignore_ascii_case(other.host)
}
