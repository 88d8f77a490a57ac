//! What functions are given.

use super::Compiler;
use crate::route::ast::{Call, Expression, ExpressionKind, RouteKind, Text, UnaryOperator};
use crate::route::host::{Argument, Level};
use crate::route::own::own_function;
use crate::route::program::ArgumentSource::{self, Known};
use crate::route::program::{self, Function};
use crate::route::source::Span;
use crate::route::table::{self, ArgumentKind};
use crate::route::value::number_of;
use crate::route::variable::Variable;
use crate::sip::Name;

impl Compiler<'_> {
    /// The number of a call; none if there is no such function.
    pub(super) fn call(&mut self, call: &Call) -> Option<u32> {
        let name = call.name.text.as_str();
        let function = own_function(name)
            .map(Function::Own)
            .or_else(|| self.host_function(name).map(Function::Host));
        let Some(function) = function else {
            self.missing_function(name, call.name.span);
            return None;
        };
        let form = table::function(name).find(|form| form.takes(call.arguments.len()))?;
        let rows = form.required.iter().chain(form.optional).enumerate();
        let sources: Vec<ArgumentSource> = rows
            .map(|(at, row)| match call.arguments.get(at) {
                Some(given) => self.argument(row.kind, given),
                None => Known(Argument::Missing),
            })
            .collect();
        let line = self.sources.place(call.name.span).line as u32;
        let sets_code = !form.modules.is_empty();
        self.program.has_transactions |= self.is_for_requests && form.modules.contains(&"tm");
        let call = program::Call::new(function, sources, line, sets_code);
        self.program.calls.push(call);
        Some(self.program.calls.len() as u32 - 1)
    }

    fn argument(&mut self, kind: ArgumentKind, given: &Expression) -> ArgumentSource {
        match &given.kind {
            ExpressionKind::Text(text) => self.text_argument(kind, text),
            ExpressionKind::Variable(variable) => {
                let id = self.variable(variable, given.span);
                match kind {
                    ArgumentKind::Variable | ArgumentKind::Out => Known(Argument::Variable(id)),
                    ArgumentKind::Int => ArgumentSource::NumberOf(id),
                    _ => ArgumentSource::TextOf(id),
                }
            }
            ExpressionKind::Number(number) => Known(self.number_argument(kind, *number)),
            ExpressionKind::Unary(UnaryOperator::Minus, of) => match of.kind {
                ExpressionKind::Number(number) => Known(self.number_argument(kind, -number)),
                _ => Known(Argument::Missing),
            },
            ExpressionKind::Word(word) if kind == ArgumentKind::Flag => Known(Argument::Flag(
                self.flags.get(word.as_str()).copied().unwrap_or(0),
            )),
            ExpressionKind::Word(word) | ExpressionKind::Address(word) => {
                Known(Argument::Text(self.text(word.as_bytes())))
            }
            _ => Known(Argument::Missing),
        }
    }

    fn number_argument(&mut self, kind: ArgumentKind, number: i64) -> Argument {
        match kind {
            ArgumentKind::Int => Argument::Number(number),
            ArgumentKind::Flag => Argument::Flag(number as u8),
            ArgumentKind::Level => Argument::Level(Level::of_number(number)),
            _ => Argument::Text(self.text(number.to_string().as_bytes())),
        }
    }

    fn text_argument(&mut self, kind: ArgumentKind, text: &Text) -> ArgumentSource {
        let value = text.value.as_str();
        match kind {
            ArgumentKind::Int => match number_of(value.trim().as_bytes()) {
                Some(number) => Known(Argument::Number(number)),
                None => match single(value) {
                    Some(variable) => ArgumentSource::NumberOf(self.variable(&variable, text.span)),
                    None => ArgumentSource::NumberIn(self.format(value, text.span)),
                },
            },
            ArgumentKind::Text => match single(value) {
                Some(variable) => ArgumentSource::TextOf(self.variable(&variable, text.span)),
                None if value.contains('$') => {
                    ArgumentSource::Format(self.format(value, text.span))
                }
                None => Known(Argument::Text(self.text(value.as_bytes()))),
            },
            ArgumentKind::Plain | ArgumentKind::Address => {
                Known(Argument::Text(self.text(value.as_bytes())))
            }
            ArgumentKind::Header => {
                let name = Name::parse(value.as_bytes());
                Known(Argument::Header(name, self.text(value.as_bytes())))
            }
            ArgumentKind::Regex => Known(Argument::Regex(self.line_regex(value, text.span))),
            ArgumentKind::Substitution => match self.substitution(value, text.span) {
                Some(substitution) => Known(Argument::Substitution(substitution)),
                None => Known(Argument::Missing),
            },
            ArgumentKind::Methods => {
                let methods = super::method::bits(value);
                Known(Argument::Methods(methods, self.text(value.as_bytes())))
            }
            ArgumentKind::FailureRoute => self.armed(RouteKind::Failure, value, text.span),
            ArgumentKind::ReplyRoute => self.armed(RouteKind::Reply, value, text.span),
            ArgumentKind::BranchRoute => self.armed(RouteKind::Branch, value, text.span),
            ArgumentKind::Variable | ArgumentKind::Out => match Variable::parse(value) {
                Ok(variable) => Known(Argument::Variable(self.variable(&variable, text.span))),
                Err(_) => Known(Argument::Missing),
            },
            ArgumentKind::Flag => {
                let number = value.trim().parse().ok();
                let flag = number.or_else(|| self.flags.get(value).copied());
                Known(Argument::Flag(flag.unwrap_or(0)))
            }
            ArgumentKind::Level => match Level::of_name(value) {
                Some(level) => Known(Argument::Level(level)),
                None => ArgumentSource::LevelOf(self.format(value, text.span)),
            },
        }
    }

    fn armed(&mut self, kind: RouteKind, name: &str, span: Span) -> ArgumentSource {
        if name.contains('$') {
            return ArgumentSource::RouteNamed(kind, self.format(name, span));
        }
        Known(Argument::Route(
            self.route(kind, name).filter(|_| name != "0"),
        ))
    }
}

/// The variable that is all of a text.
fn single(text: &str) -> Option<Variable> {
    let is_variable = text.starts_with('$') && !text.starts_with("$$");
    is_variable.then(|| Variable::parse(text).ok()).flatten()
}
