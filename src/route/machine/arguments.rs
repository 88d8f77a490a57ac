//! Calls of functions: what they are given.

use arrayvec::ArrayVec;

use super::Machine;
use crate::route::host::{Argument, Host, Level, Outcome};
use crate::route::own::{Line, OwnFunction, level_of};
use crate::route::program::{ArgumentSource, Call, Function};
use crate::route::value::{TextRef, Value, number_of};

/// No function of the tables takes more; a test of theirs sees to it.
pub(in crate::route) const MAX_ARGUMENTS: usize = 5;

pub(in crate::route) type Arguments = ArrayVec<Argument, MAX_ARGUMENTS>;

impl Machine {
    #[inline]
    pub(super) fn call<H: Host>(&mut self, host: &mut H, call: &Call) -> Outcome {
        let outcome = match (call.function, &call.known) {
            (Function::Host(function), Some(known)) => host.call(function, known, self),
            _ => self.call_with(host, call),
        };
        if let Outcome::Code(code) = outcome
            && call.sets_code
        {
            self.code = code;
        }
        outcome
    }

    /// A call of a function of our own, or with arguments that are known only now.
    fn call_with<H: Host>(&mut self, host: &mut H, call: &Call) -> Outcome {
        if let Function::Own(OwnFunction::Log(level, line)) = call.function {
            return self.log(host, call, level, line);
        }
        let sources = call.arguments.iter();
        let arguments: Arguments = sources.map(|one| self.argument(host, *one)).collect();
        match call.function {
            Function::Host(function) => host.call(function, &arguments, self),
            Function::Own(function) => self.own(host, function, &arguments),
        }
    }

    /// The text is the last argument; a level may stand before it. The text of a line that is not
    /// written is not made.
    fn log<H: Host>(&mut self, host: &mut H, call: &Call, level: Level, line: Line) -> Outcome {
        let mut given = call.arguments.iter().copied();
        let Some(text) = given.next_back() else {
            return Outcome::FALSE;
        };
        let mut level = level;
        if let Some(argument) = given.next_back() {
            let argument = self.argument(host, argument);
            level = level_of(self, argument).unwrap_or(level);
        }
        if !host.is_logged(level) {
            return Outcome::TRUE;
        }
        let text = self.argument(host, text);
        let prefix = match (line, self.program.log_prefix) {
            (Line::Prefixed | Line::Numbered, Some(prefix)) => self.format(host, prefix),
            _ => TextRef::EMPTY,
        };
        let number = (line == Line::Numbered).then_some(call.line);
        let text = text.text().unwrap_or_else(|| self.text(b"<null>"));
        self.log_line(host, level, number, prefix, text);
        Outcome::TRUE
    }

    fn argument<H: Host>(&mut self, host: &mut H, source: ArgumentSource) -> Argument {
        match source {
            ArgumentSource::Known(argument) => argument,
            ArgumentSource::Format(format) => Argument::Text(self.format(host, format)),
            ArgumentSource::NumberOf(variable) => match self.get(host, variable) {
                Value::Null => Argument::Null,
                Value::Number(number) => Argument::Number(number),
                Value::Text(text) => {
                    number_of(self.bytes(text)).map_or(Argument::Null, Argument::Number)
                }
            },
            ArgumentSource::NumberIn(format) => {
                let text = self.format(host, format);
                number_of(self.bytes(text)).map_or(Argument::Null, Argument::Number)
            }
            ArgumentSource::TextOf(variable) => match self.get(host, variable) {
                Value::Null => Argument::Null,
                value => Argument::Text(self.to_text(value)),
            },
            ArgumentSource::RouteNamed(kind, format) => {
                let name = self.format(host, format);
                match self.program.route(kind, self.bytes(name)) {
                    Some(route) => Argument::Route(Some(route)),
                    None => Argument::Null,
                }
            }
            ArgumentSource::LevelOf(format) => {
                let text = self.format(host, format);
                let number = number_of(self.bytes(text)).unwrap_or(-1);
                Argument::Level(Level::of_number(number))
            }
        }
    }
}
