//! Module `siputils`: questions on messages and URIs, and the answer to an OPTIONS.

mod texts;
mod uris;

use super::variables::username;
use super::{Function, function, number, text};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Host as _, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Method, Name, Uri};

pub(super) use self::texts::FUNCTIONS as TEXTS;
pub(super) use self::uris::FUNCTIONS as URIS;

pub(super) const FUNCTIONS: &[Function] = &[
    function("has_totag", has_totag),
    function("is_request", |act, _, _| act.request.is_some().into()),
    function("is_reply", |act, _, _| act.request.is_none().into()),
    function("is_first_hop", is_first_hop),
    function("is_supported", is_supported),
    function("is_user", is_user),
    function("hdr_date_check", hdr_date_check),
    function("options_reply", options_reply),
];

fn has_totag(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    // Of a request it has been read already.
    let has_tag = match act.request {
        Some(request) => request.is_in_dialog(),
        None => act.message.to_tag().is_some(),
    };
    has_tag.into()
}

/// A request with one Via; a reply whose top Record-Route is ours, and (mode 0) that does not come from
/// ourselves.
fn is_first_hop(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    if act.request.is_some() {
        return (act.message.vias().count() == 1).into();
    }
    let top = act.message.record_routes().next().and_then(Result::ok);
    let Some(uri) = top.and_then(|top| Uri::parse(top.uri).ok()) else {
        return Outcome::FALSE;
    };
    let is_own = act.core.locals.is_our_uri(&uri);
    let is_local = act
        .source()
        .is_some_and(|source| Some(source.ip()) == uri.host_ip());
    (is_own && (number(arguments, 0) == Some(1) || !is_local)).into()
}

fn is_supported(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(option) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let option = machine.bytes(option);
    let mut values = act.message.values(Name::Supported);
    values
        .any(|(value, _)| value.eq_ignore_ascii_case(option))
        .into()
}

fn is_user(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let wanted = text(arguments, 0).map(|wanted| machine.bytes(wanted));
    let user = username(act.message).filter(|user| !user.is_empty());
    (user.is_some() && user == wanted).into()
}

/// Whether the Date is not older than so many seconds. Kamailio's codes: -1 none, -2 no date, -4 older.
fn hdr_date_check(act: &mut Act<'_>, arguments: &[Argument], _: &mut Machine) -> Outcome {
    let Some(line) = act.message.first(Name::Date) else {
        return Outcome::FALSE;
    };
    let Some(seconds) = texts::seconds_of_date(line.value) else {
        return Outcome::Code(-2);
    };
    let oldest = number(arguments, 0).unwrap_or(0);
    let now = act.unix_time().as_secs() as i64;
    if now > seconds.saturating_add(oldest) {
        return Outcome::Code(-4);
    }
    Outcome::TRUE
}

/// 200 with what we can, to an OPTIONS that is for us; false for anything else.
fn options_reply(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let is_options = act
        .request
        .is_some_and(|request| request.method == Method::Options);
    let has_user = Uri::parse(act.request_uri()).is_ok_and(|uri| uri.user.is_some());
    if !is_options || has_user {
        return Outcome::FALSE;
    }
    let modules = &act.core.modules;
    for (name, value) in [
        ("Accept", &modules.options_accept),
        ("Accept-Encoding", &modules.options_accept_encoding),
        ("Accept-Language", &modules.options_accept_language),
        ("Supported", &modules.options_support),
    ] {
        let headers = &mut act.draft.reply_headers;
        headers.extend_from_slice(name.as_bytes());
        headers.extend_from_slice(b": ");
        headers.extend_from_slice(value.as_bytes());
        headers.extend_from_slice(b"\r\n");
    }
    act.reply(200, b"OK").into()
}
