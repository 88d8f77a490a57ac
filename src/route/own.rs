//! Functions that need no message: variables, fields, flags of the script, and lines of the log.
//!
//! Owns: what they do. The table says how they are called.

use super::host::{Argument, Host, Level, ListIndex, Outcome};
use super::machine::{Machine, Place};
use super::program::{Class, VariableId};
use super::value::{TextRef, Value, number_of, write_number};

/// A function of the machine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnFunction {
    /// A line of the log, at a level if none is given.
    Log(Level, Line),
    IsSet,
    Unset,
    IsNumber,
    TypeOf,
    NotEmpty,
    Print,
    SetFlag,
    ResetFlag,
    IsFlagSet,
    CopyFields,
    Explode,
    Implode,
    RemoveFields,
    SetChild,
    RemoveChild,
    ShowFields,
}

/// What a line of the log begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing but its text.
    Plain,
    /// The prefix.
    Prefixed,
    /// The prefix, and the line of the script.
    Numbered,
}

/// Functions that the machine has itself; all others are a host's.
pub fn is_own(name: &str) -> bool {
    own_function(name).is_some()
}

/// The machine's function of a name.
pub(super) fn own_function(name: &str) -> Option<OwnFunction> {
    use Line::{Numbered, Plain, Prefixed};
    use OwnFunction::Log;
    Some(match name {
        "xlog" | "xlogm" | "xerr" => Log(Level::Error, Prefixed),
        "xlogl" => Log(Level::Error, Numbered),
        "xdbg" => Log(Level::Debug, Prefixed),
        "xdbgl" => Log(Level::Debug, Numbered),
        "xinfo" => Log(Level::Info, Prefixed),
        "xnotice" => Log(Level::Notice, Prefixed),
        "xwarn" => Log(Level::Warning, Prefixed),
        "xcrit" => Log(Level::Critical, Prefixed),
        "xalert" => Log(Level::Alert, Prefixed),
        "xbug" => Log(Level::Bug, Prefixed),
        "log" => Log(Level::Error, Plain),
        "pv_isset" => OwnFunction::IsSet,
        "pv_unset" => OwnFunction::Unset,
        "is_int" => OwnFunction::IsNumber,
        "typeof" => OwnFunction::TypeOf,
        "not_empty" => OwnFunction::NotEmpty,
        "pv_printf" => OwnFunction::Print,
        "setsflag" => OwnFunction::SetFlag,
        "resetsflag" => OwnFunction::ResetFlag,
        "issflagset" => OwnFunction::IsFlagSet,
        "xavp_copy" => OwnFunction::CopyFields,
        "xavp_params_explode" => OwnFunction::Explode,
        "xavp_params_implode" => OwnFunction::Implode,
        "xavp_rm" => OwnFunction::RemoveFields,
        "xavp_child_seti" | "xavp_child_sets" => OwnFunction::SetChild,
        "xavp_child_rm" => OwnFunction::RemoveChild,
        "pv_xavp_print" => OwnFunction::ShowFields,
        _ => return None,
    })
}

impl Machine {
    pub(super) fn own<H: Host>(
        &mut self,
        host: &mut H,
        function: OwnFunction,
        arguments: &[Argument],
    ) -> Outcome {
        match (function, arguments) {
            (OwnFunction::SetFlag, [Argument::Flag(flag), ..]) => {
                self.set_script_flag(*flag, true);
                Outcome::TRUE
            }
            (OwnFunction::ResetFlag, [Argument::Flag(flag), ..]) => {
                self.set_script_flag(*flag, false);
                Outcome::TRUE
            }
            (OwnFunction::IsFlagSet, [Argument::Flag(flag), ..]) => {
                self.has_script_flag(*flag).into()
            }
            (OwnFunction::ShowFields, _) => {
                self.show_fields(host);
                Outcome::TRUE
            }
            (_, [Argument::Variable(variable), rest @ ..]) => {
                self.on_variable(host, function, *variable, rest)
            }
            _ => self.on_fields(host, function, arguments),
        }
    }

    fn on_variable<H: Host>(
        &mut self,
        host: &mut H,
        function: OwnFunction,
        variable: VariableId,
        rest: &[Argument],
    ) -> Outcome {
        match function {
            OwnFunction::Unset => return self.set(host, variable, Value::Null).into(),
            OwnFunction::Print => {
                let text = rest.first().and_then(|text| text.text());
                let value = text.map_or(Value::Null, Value::Text);
                return self.set(host, variable, value).into();
            }
            _ => {}
        }
        let value = self.get(host, variable);
        match function {
            OwnFunction::IsSet => !value.is_null(),
            OwnFunction::IsNumber => matches!(value, Value::Number(_)),
            OwnFunction::NotEmpty => matches!(value, Value::Text(text) if !text.is_empty()),
            OwnFunction::TypeOf => {
                let kind = rest.first().and_then(|kind| kind.text());
                let kind = kind.map_or(&b""[..], |kind| self.bytes(kind));
                match value {
                    Value::Null => kind == b"null",
                    Value::Number(_) => kind == b"int",
                    Value::Text(_) => kind == b"str",
                }
            }
            _ => false,
        }
        .into()
    }

    fn on_fields<H: Host>(
        &mut self,
        host: &mut H,
        function: OwnFunction,
        arguments: &[Argument],
    ) -> Outcome {
        let text = |at: usize| arguments.get(at).and_then(|one| one.text());
        let Some(first) = text(0) else {
            return Outcome::FALSE;
        };
        match (function, text(1), arguments.get(2)) {
            (OwnFunction::RemoveFields, ..) => {
                let place = self.place_of(first, None, ListIndex::None);
                self.set_place(place, Value::Null);
                Outcome::TRUE
            }
            (OwnFunction::RemoveChild, Some(field), _) => {
                let place = self.place_of(first, Some(field), ListIndex::At(0));
                self.set_place(place, Value::Null);
                Outcome::TRUE
            }
            (OwnFunction::SetChild, Some(field), Some(value)) => {
                let value = match value {
                    Argument::Number(number) => Value::Number(*number),
                    Argument::Text(text) => Value::Text(*text),
                    _ => return Outcome::FALSE,
                };
                self.set_child(first, field, value).into()
            }
            (OwnFunction::Explode, Some(name), _) => self.explode(first, name).into(),
            (OwnFunction::Implode, ..) => match arguments.get(1) {
                Some(Argument::Variable(out)) => match self.implode(first) {
                    Some(text) => self.set(host, *out, Value::Text(text)).into(),
                    None => Outcome::FALSE,
                },
                _ => Outcome::FALSE,
            },
            (OwnFunction::CopyFields, ..) => {
                let index = arguments.get(1).and_then(|index| index.number());
                match arguments.get(2).and_then(|to| to.text()) {
                    Some(to) => self.copy_fields(first, index.unwrap_or(0), to).into(),
                    None => Outcome::FALSE,
                }
            }
            _ => Outcome::FALSE,
        }
    }

    fn place_of(&mut self, name: TextRef, field: Option<TextRef>, index: ListIndex) -> Place {
        Place {
            class: Class::Xavp,
            name: self.number_of_name(name),
            index,
            field: field.map(|field| self.number_of_name(field)),
            field_index: ListIndex::None,
        }
    }

    /// Sets a field in the first of a name, which is made if there is none.
    fn set_child(&mut self, name: TextRef, field: TextRef, value: Value) -> bool {
        let replaced = Place {
            field_index: ListIndex::At(0),
            ..self.place_of(name, Some(field), ListIndex::At(0))
        };
        let added = Place {
            field_index: ListIndex::None,
            ..replaced
        };
        let made = Place {
            index: ListIndex::None,
            ..added
        };
        self.set_place(replaced, value)
            || self.set_place(added, value)
            || self.set_place(made, value)
    }

    /// `a=1;b=2` as the fields of a new XAVP.
    fn explode(&mut self, parameters: TextRef, name: TextRef) -> bool {
        let mut place = self.place_of(name, None, ListIndex::None);
        let mut at = 0;
        let mut is_found = false;
        while at < parameters.len() {
            let rest = parameters.part(at, parameters.len());
            let bytes = self.bytes(rest);
            let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
            let equals = memchr::memchr(b'=', &bytes[..end]).unwrap_or(end);
            at += end + 1;
            let field = self.trimmed(rest.part(0, equals));
            let value = self.trimmed(rest.part(equals + 1, end.saturating_sub(equals + 1)));
            if field.is_empty() {
                continue;
            }
            place.field = Some(self.number_of_name(field));
            self.set_place(place, Value::Text(value));
            // The first made the XAVP, the others go into it.
            place.index = ListIndex::At(0);
            is_found = true;
        }
        is_found
    }

    fn trimmed(&self, text: TextRef) -> TextRef {
        let bytes = self.bytes(text);
        let start = bytes.len() - bytes.trim_ascii_start().len();
        text.part(start, bytes.trim_ascii().len())
    }

    /// The line of a log's call, if its level is written.
    pub(super) fn log_line<H: Host>(
        &mut self,
        host: &mut H,
        level: Level,
        line: Option<u32>,
        prefix: TextRef,
        text: TextRef,
    ) {
        let mut out = self.take_scratch();
        out.extend_from_slice(self.bytes(prefix));
        if let Some(line) = line {
            write_number(&mut out, i64::from(line));
            out.push(b':');
        }
        out.extend_from_slice(self.bytes(text));
        host.log(level, &out);
        self.give_scratch(out);
    }
}

/// A level that an argument gives.
pub(super) fn level_of(machine: &Machine, argument: Argument) -> Option<Level> {
    match argument {
        Argument::Level(level) => Some(level),
        Argument::Number(number) => Some(Level::of_number(number)),
        Argument::Text(text) => number_of(machine.bytes(text)).map(Level::of_number),
        _ => None,
    }
}
