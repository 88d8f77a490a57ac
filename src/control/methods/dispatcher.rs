//! `dispatcher.*`: sets and the states of destinations.
//!
//! The shape of the list is that of Kamailio 5.6.

use super::{Answer, Arguments};
use crate::control::director::{Director, ReloadError};
use crate::control::value::{Fault, Name, Value};
use crate::dispatch::{Destination, Flags, Latency, Set};
use crate::sip::Uri;

/// How much a list tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// No attributes.
    Short,
    Normal,
    /// Where the URI leads, too.
    Full,
}

/// Any other word than `short` and `full` gives the usual list, as in the peers.
pub(super) fn list(director: &Director, arguments: Arguments<'_>) -> Answer {
    let detail = match arguments.text(0) {
        Some("short") => Detail::Short,
        Some("full") => Detail::Full,
        _ => Detail::Normal,
    };
    let sets = director.sets();
    if sets.is_empty() {
        return Err(Fault::failed("No Destination Sets"));
    }
    let records = sets
        .iter()
        .map(|set| named("SET", describe_set(set, detail, director.shows_latency())));
    Ok(vec![Value::members([
        ("NRSETS", Value::Int(sets.len() as i64)),
        ("RECORDS", Value::Struct(records.collect())),
    ])])
}

fn describe_set(set: &Set, detail: Detail, shows_latency: bool) -> Value {
    let destinations = set.destinations.iter();
    let targets = destinations.map(|one| named("DEST", describe(one, detail, shows_latency)));
    Value::members([
        ("ID", Value::Int(i64::from(set.id))),
        ("TARGETS", Value::Struct(targets.collect())),
    ])
}

fn describe(destination: &Destination, detail: Detail, shows_latency: bool) -> Value {
    let mut members = vec![
        named("URI", Value::text(&*destination.uri)),
        named("FLAGS", Value::text(destination.health().flags.letters())),
        named("PRIORITY", Value::Int(i64::from(destination.priority))),
    ];
    if detail == Detail::Full {
        members.extend(whereabouts(destination));
    }
    if detail != Detail::Short && !destination.attributes.body.is_empty() {
        members.push(named("ATTRS", describe_attributes(destination)));
    }
    if shows_latency {
        members.push(named("LATENCY", describe_latency(&destination.latency())));
    }
    let load = Value::Int(i64::from(destination.active_calls()));
    members.push(named("RUNTIME", Value::members([("DLGLOAD", load)])));
    Value::Struct(members)
}

/// What the URI says and where it leads. The times of name resolution are always 0, as in Kamailio
/// when names are resolved at load only.
fn whereabouts(destination: &Destination) -> [(Name, Value); 6] {
    let uri = Uri::parse(destination.uri.as_bytes()).ok();
    let host = uri.map_or(&b""[..], |uri| uri.host);
    let port = uri.and_then(|uri| uri.port).unwrap_or(0);
    let transport = uri.and_then(|uri| uri.param(b"transport"));
    let address = destination.address.map(|address| address.ip().to_string());
    [
        named("HOST", Value::text(String::from_utf8_lossy(host))),
        named("IPADDR", Value::text(address.unwrap_or_default())),
        named("PORT", Value::Int(i64::from(port))),
        // The peers' number of UDP is 1; 0 is a URI that does not say.
        named("PROTOID", Value::Int(i64::from(transport.is_some()))),
        named("DNSTIME_SEC", Value::Int(0)),
        named("DNSTIME_USEC", Value::Int(0)),
    ]
}

/// Milliseconds.
fn describe_latency(latency: &Latency) -> Value {
    let milliseconds = |number: f32| Value::Double(f64::from(number));
    Value::members([
        ("AVG", milliseconds(latency.average_ms)),
        ("STD", milliseconds(latency.deviation_ms)),
        ("EST", milliseconds(latency.estimate_ms)),
        ("MAX", Value::Int(i64::from(latency.max_ms))),
        ("TIMEOUT", Value::Int(i64::from(latency.timeouts))),
    ])
}

fn describe_attributes(destination: &Destination) -> Value {
    let attributes = &destination.attributes;
    let number = |number: u32| Value::Int(i64::from(number));
    Value::members([
        ("BODY", Value::text(&*attributes.body)),
        ("DUID", Value::text_or_null(attributes.duid.as_deref())),
        ("MAXLOAD", number(attributes.maxload)),
        ("WEIGHT", number(attributes.weight)),
        ("RWEIGHT", number(destination.relative_weight())),
        ("SOCKET", Value::text_or_null(attributes.socket.as_deref())),
        (
            "SOCKNAME",
            Value::text_or_null(attributes.sockname.as_deref()),
        ),
        (
            "OBPROXY",
            Value::text_or_null(attributes.obproxy.as_deref()),
        ),
    ])
}

/// The state may be a number (0 to 3). Unlike in the peers, `all` of a set that does not exist is a
/// failure.
pub(super) fn set_state(director: &Director, arguments: Arguments<'_>) -> Answer {
    let invalid = || Fault::failed("Invalid Parameters");
    let state = match arguments.get(0) {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        _ => return Err(invalid()),
    };
    let group = arguments.number(1).ok_or_else(invalid)?;
    let target = arguments.text(2).ok_or_else(invalid)?;
    if state.is_empty() {
        return Err(Fault::failed("Invalid State Parameter"));
    }
    let flags = Flags::parse_rpc(&state).ok_or_else(|| Fault::failed("Unknown State Value"))?;
    let failed = || Fault::failed("State Update Failed");
    let group = group.try_into().map_err(|_| failed())?;
    if director.set_state(group, target, flags) == 0 {
        return Err(failed());
    }
    Ok(vec![Value::text("Ok. Dispatcher state updated.")])
}

pub(super) fn reload(director: &Director, _: Arguments<'_>) -> Answer {
    match director.reload() {
        Ok(_) => Ok(vec![Value::text("Ok. Dispatcher successfully reloaded.")]),
        Err(ReloadError::TooSoon(_)) => Err(Fault::failed("Ongoing reload")),
        Err(ReloadError::Load(error)) => Err(Fault::failed(format!("Reload Failed: {error}"))),
    }
}

/// Anything but 0 and 1 is refused; the peers take any number from 0 and ignore all else.
pub(super) fn ping_active(director: &Director, arguments: Arguments<'_>) -> Answer {
    let number = |active: bool| Value::Int(i64::from(active));
    if arguments.get(0).is_none() {
        let old = number(director.is_probing());
        return Ok(vec![Value::members([("OldPingState", old)])]);
    }
    let new = match arguments.number(0) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Fault::failed("Ping State Update Failed")),
    };
    let old = director.set_probing(new);
    Ok(vec![Value::members([
        ("NewPingState", number(new)),
        ("OldPingState", number(old)),
    ])])
}

fn named(name: &'static str, value: Value) -> (Name, Value) {
    (Name::Borrowed(name), value)
}
