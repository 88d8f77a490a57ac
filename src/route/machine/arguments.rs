//! Calls of functions: what they are given.

use arrayvec::ArrayVec;

use super::Machine;
use crate::route::host::{Argument, Host, Level, Outcome};
use crate::route::program::{ArgumentSource, Function};
use crate::route::value::{Value, number_of};

/// No function takes more.
pub(in crate::route) const MAX_ARGUMENTS: usize = 4;

pub(in crate::route) type Arguments = ArrayVec<Argument, MAX_ARGUMENTS>;

impl Machine {
    pub(super) fn call<H: Host>(&mut self, host: &mut H, call: u32) -> Outcome {
        let call = self.program.calls[call as usize];
        let mut arguments = Arguments::new();
        for at in call.arguments.range() {
            let argument = self.program.arguments[at];
            arguments.push(self.argument(host, argument));
        }
        match call.function {
            Function::Host(function) => host.call(function, &arguments, self),
            Function::Own(function) => self.own(host, function, &arguments, call.line),
        }
    }

    fn argument<H: Host>(&mut self, host: &mut H, source: ArgumentSource) -> Argument {
        match source {
            ArgumentSource::Missing => Argument::Missing,
            ArgumentSource::Number(number) => Argument::Number(number),
            ArgumentSource::Text(text) => Argument::Text(text),
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
            ArgumentSource::Regex(regex) => Argument::Regex(regex),
            ArgumentSource::Substitution(substitution) => Argument::Substitution(substitution),
            ArgumentSource::Methods(methods, text) => Argument::Methods(methods, text),
            ArgumentSource::Route(route) => Argument::Route(route),
            ArgumentSource::RouteNamed(kind, format) => {
                let name = self.format(host, format);
                match self.program.route(kind, self.bytes(name)) {
                    Some(route) => Argument::Route(Some(route)),
                    None => Argument::Null,
                }
            }
            ArgumentSource::Flag(flag) => Argument::Flag(flag),
            ArgumentSource::Variable(variable) => Argument::Variable(variable),
            ArgumentSource::Level(level) => Argument::Level(level),
            ArgumentSource::LevelOf(format) => {
                let text = self.format(host, format);
                let number = number_of(self.bytes(text)).unwrap_or(-1);
                Argument::Level(Level::of_number(number))
            }
        }
    }
}
