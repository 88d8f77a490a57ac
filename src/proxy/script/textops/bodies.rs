//! Bodies that are set and removed.

use crate::proxy::act::Act;
use crate::proxy::draft::MAX_TEXT;
use crate::proxy::script::{Function, function, text};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::Name;

pub(in crate::proxy::script) const FUNCTIONS: &[Function] = &[
    function("set_body", set_body),
    function("remove_body", remove_body),
    function("set_reply_body", set_reply_body),
];

/// Whether a text can be the value of a Content-Type.
fn is_type(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte >= b' ' && byte != 127)
}

fn set_body(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(body), Some(kind)) = (text(arguments, 0), text(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let (body, kind) = (machine.bytes(body), machine.bytes(kind));
    let length = body.len() + kind.len() + "Content-Type: \r\n".len();
    if body.is_empty() || !is_type(kind) || !act.draft.edits.has_room_for(length) {
        return Outcome::FALSE;
    }
    let message = act.message;
    let head = &message.bytes()[..message.body_start()];
    if !head.ends_with(b"\n\r\n") && !head.ends_with(b"\n\n") {
        // Its header section does not end.
        return Outcome::FALSE;
    }
    let edits = &mut act.draft.edits;
    edits.set(message.body_start()..message.bytes().len(), body);
    for line in message.all(Name::ContentType) {
        edits.remove(line.range);
    }
    let end = message.headers_end();
    edits.insert_with(end, |out| {
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(kind);
        out.extend_from_slice(b"\r\n");
    });
    Outcome::TRUE
}

fn remove_body(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    let message = act.message;
    if !message.body().is_empty() {
        let whole = message.body_start()..message.bytes().len();
        act.draft.edits.set(whole, b"");
    }
    Outcome::TRUE
}

/// The body of the answers that we make.
fn set_reply_body(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(body), Some(kind)) = (text(arguments, 0), text(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let (body, kind) = (machine.bytes(body), machine.bytes(kind));
    let is_short = body.len() <= MAX_TEXT && act.draft.reply_headers.len() + kind.len() < MAX_TEXT;
    if body.is_empty() || !is_type(kind) || !act.draft.has_room() || !is_short {
        return Outcome::FALSE;
    }
    let headers = &mut act.draft.reply_headers;
    headers.extend_from_slice(b"Content-Type: ");
    headers.extend_from_slice(kind);
    headers.extend_from_slice(b"\r\n");
    act.draft.reply_body = Some(act.draft.keep(body));
    Outcome::TRUE
}
