//! Module `textops`: looking into messages and changing them.

use super::{Function, function, text};
use crate::proxy::act::Act;
use crate::proxy::draft::Routes;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Method, Name};

pub(super) const FUNCTIONS: &[Function] = &[
    function("is_method", is_method),
    function("remove_hf", remove_hf),
    function("append_to_reply", append_to_reply),
];

fn is_method(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(Argument::Methods(methods, names)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let method = match act.request {
        Some(request) => Some(request.method),
        None => act.message.cseq().ok().map(|cseq| cseq.method),
    };
    match method {
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

/// Removes all header lines of a name; false if there is none.
fn remove_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(wanted) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let wanted = machine.bytes(wanted);
    let name = Name::parse(wanted);
    if name == Name::Route {
        act.draft.routes = Routes::Removed;
        return act.message.has(Name::Route).into();
    }
    let mut was_there = false;
    for line in act.message.all(name) {
        if name != Name::Other || line.name_text.eq_ignore_ascii_case(wanted) {
            act.draft.edits.remove(line.range);
            was_there = true;
        }
    }
    was_there.into()
}

/// A header line, with its line end, for the answers that we make.
fn append_to_reply(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let line = text(arguments, 0).map(|line| machine.bytes(line).trim_ascii());
    let Some(line) = line.filter(|line| !line.is_empty() && act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    act.draft.reply_headers.extend_from_slice(line);
    act.draft.reply_headers.extend_from_slice(b"\r\n");
    Outcome::TRUE
}
