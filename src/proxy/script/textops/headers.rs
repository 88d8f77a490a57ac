//! Header lines that are added and removed.

use std::ops::Range;

use crate::proxy::act::Act;
use crate::proxy::draft::{MAX_TEXT, Routes};
use crate::proxy::script::variables::{given_lines, same_name};
use crate::proxy::script::{Function, function, number, text};
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;
use crate::sip::{Line, Name};

pub(in crate::proxy::script) const FUNCTIONS: &[Function] = &[
    function("append_hf", |act, arguments, machine| {
        add(act, arguments, machine, true)
    }),
    function("insert_hf", |act, arguments, machine| {
        add(act, arguments, machine, false)
    }),
    function("append_urihf", append_urihf),
    function("append_to_reply", append_to_reply),
    function("remove_hf", remove_hf),
    function("remove_hf_pv", remove_hf),
    function("remove_hf_re", remove_hf_re),
    function("remove_hf_idx", remove_hf_idx),
    function("keep_hf", keep_hf),
];

/// Where a line is added: behind the last or before the first of a name, or at the end or the begin if
/// there is none.
fn place(act: &Act<'_>, near: Option<&[u8]>, at_end: bool) -> usize {
    let message = act.message;
    let near = near.and_then(|name| {
        let mut lines = same_name(message, name);
        let line = if at_end { lines.last() } else { lines.next() };
        let Range { start, end } = line?.range;
        Some(if at_end { end } else { start })
    });
    near.unwrap_or(if at_end {
        message.headers_end()
    } else {
        message.headers_start()
    })
}

fn add(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine, at_end: bool) -> Outcome {
    let Some(lines) = text(arguments, 0).filter(|_| act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    let near = text(arguments, 1).map(|name| machine.bytes(name));
    let at = place(act, near, at_end);
    insert_lines(act, at, machine.bytes(lines)).into()
}

/// Adds whole header lines; what is none is left out. False if nothing is left.
fn insert_lines(act: &mut Act<'_>, at: usize, lines: &[u8]) -> bool {
    // Bare line breaks become two bytes each.
    if !act.draft.edits.has_room_for(2 * lines.len() + 2) {
        return false;
    }
    let is_open = !act.message.bytes()[..at].ends_with(b"\n");
    let mut is_any = false;
    act.draft.edits.insert_with(at, |out| {
        let start = out.len();
        if is_open {
            out.extend_from_slice(b"\r\n");
        }
        let begin = out.len();
        write_lines(lines, out);
        is_any = out.len() > begin;
        if !is_any {
            out.truncate(start);
        } else if is_open {
            // The end of the last line comes with the end of the message.
            out.truncate(out.len() - 2);
        }
    });
    is_any
}

/// Appends the lines of a text that can stand in a header section, each with its end. A script's text
/// may hold what strangers sent: no part of it may end the section, be something else, or be a Via: by
/// these answers come back.
fn write_lines(lines: &[u8], out: &mut Vec<u8>) {
    let mut was_sound = false;
    for line in lines.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_continued = line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        was_sound = if is_continued {
            was_sound && !line.trim_ascii().is_empty()
        } else {
            is_header(line)
        };
        if was_sound && !line.contains(&b'\r') {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Whether a line begins with a name, not that of Via, and a colon.
fn is_header(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else {
        return false;
    };
    let name = line[..colon].trim_ascii_end();
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    let is_via = name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v");
    !name.is_empty() && name.iter().all(is_of_token) && !is_via
}

/// The R-URI as received, between two texts.
fn append_urihf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(before), Some(after)) = (text(arguments, 0), text(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let Some(uri) = act.message.request_uri().filter(|_| act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    let mut line = std::mem::take(&mut act.core.bench.scratch);
    line.clear();
    line.extend_from_slice(machine.bytes(before));
    line.extend_from_slice(uri);
    line.extend_from_slice(machine.bytes(after));
    let at = act.message.headers_end();
    let is_added = insert_lines(act, at, &line);
    act.core.bench.scratch = line;
    is_added.into()
}

/// Header lines for the answers that we make.
fn append_to_reply(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(lines) = text(arguments, 0).filter(|_| act.draft.has_room()) else {
        return Outcome::FALSE;
    };
    let headers = &mut act.draft.reply_headers;
    let before = headers.len();
    write_lines(machine.bytes(lines), headers);
    if headers.len() > MAX_TEXT {
        headers.truncate(before);
    }
    (headers.len() > before).into()
}

/// Takes a line away. Ours is the way that answers come back by: what says it stays.
pub(in crate::proxy::script) fn remove_line(act: &mut Act<'_>, line: Line<'_>) -> bool {
    match line.name {
        Name::Via => return false,
        Name::Route => act.draft.routes = Routes::Removed,
        _ => {}
    }
    act.draft.edits.remove(line.range);
    true
}

/// Removes all header lines of a name; false if there is none.
fn remove_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(name) = arguments.first() else {
        return Outcome::FALSE;
    };
    let mut is_found = false;
    for line in given_lines(act.message, *name, machine) {
        is_found |= remove_line(act, line);
    }
    is_found.into()
}

fn remove_hf_re(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(Argument::Regex(regex)) = arguments.first().copied() else {
        return Outcome::FALSE;
    };
    let mut is_found = false;
    for line in act.message.lines() {
        if machine.find(regex, line.name_text, 0).is_some() {
            is_found |= remove_line(act, line);
        }
    }
    is_found.into()
}

/// The n-th of a name, from behind if the index is negative. Kamailio says 2 if there is none.
fn remove_hf_idx(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let (Some(name), Some(index)) = (text(arguments, 0), number(arguments, 1)) else {
        return Outcome::FALSE;
    };
    let lines = || same_name(act.message, machine.bytes(name));
    let place = match usize::try_from(index) {
        Ok(place) => Some(place),
        Err(_) => usize::try_from(index.unsigned_abs())
            .ok()
            .and_then(|back| lines().count().checked_sub(back)),
    };
    match place.and_then(|place| lines().nth(place)) {
        Some(line) => remove_line(act, line).into(),
        None => Outcome::Code(2),
    }
}

/// Removes all lines but those that a message needs, and those whose names match.
fn keep_hf(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let kept = match arguments.first() {
        Some(Argument::Regex(regex)) => Some(*regex),
        _ => None,
    };
    for line in act.message.lines() {
        let is_needed = matches!(
            line.name,
            Name::Via
                | Name::From
                | Name::To
                | Name::CallId
                | Name::CSeq
                | Name::ContentLength
                | Name::ContentType
                | Name::MaxForwards
                | Name::Contact
                | Name::Route
                | Name::RecordRoute
        );
        let is_kept = |regex| machine.find(regex, line.name_text, 0).is_some();
        if !is_needed && !kept.is_some_and(is_kept) {
            remove_line(act, line);
        }
    }
    Outcome::TRUE
}
