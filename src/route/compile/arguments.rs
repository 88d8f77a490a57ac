//! What functions are given.

use super::Compiler;
use crate::route::ast::{Call, Expression, ExpressionKind, RouteKind, Text, UnaryOperator};
use crate::route::host::Level;
use crate::route::own::own_function;
use crate::route::program::{self, ArgumentSource, Function, Stretch};
use crate::route::source::Span;
use crate::route::table::{self, ArgumentKind};
use crate::route::value::number_of;
use crate::route::variable::Variable;
use crate::sip::Method;

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
                None => ArgumentSource::Missing,
            })
            .collect();
        let arguments = Stretch {
            start: self.program.arguments.len() as u32,
            length: sources.len() as u32,
        };
        self.program.arguments.extend(sources);
        let line = self.sources.place(call.name.span).line as u32;
        self.program.calls.push(program::Call {
            function,
            arguments,
            line,
            sets_code: !form.modules.is_empty(),
        });
        Some(self.program.calls.len() as u32 - 1)
    }

    fn argument(&mut self, kind: ArgumentKind, given: &Expression) -> ArgumentSource {
        match &given.kind {
            ExpressionKind::Text(text) => self.text_argument(kind, text),
            ExpressionKind::Variable(variable) => {
                let id = self.variable(variable, given.span);
                match kind {
                    ArgumentKind::Variable | ArgumentKind::Out => ArgumentSource::Variable(id),
                    ArgumentKind::Int => ArgumentSource::NumberOf(id),
                    _ => ArgumentSource::TextOf(id),
                }
            }
            ExpressionKind::Number(number) => self.number_argument(kind, *number),
            ExpressionKind::Unary(UnaryOperator::Minus, of) => match of.kind {
                ExpressionKind::Number(number) => self.number_argument(kind, -number),
                _ => ArgumentSource::Missing,
            },
            ExpressionKind::Word(word) if kind == ArgumentKind::Flag => {
                ArgumentSource::Flag(self.flags.get(word.as_str()).copied().unwrap_or(0))
            }
            ExpressionKind::Word(word) | ExpressionKind::Address(word) => {
                ArgumentSource::Text(self.text(word.as_bytes()))
            }
            _ => ArgumentSource::Missing,
        }
    }

    fn number_argument(&mut self, kind: ArgumentKind, number: i64) -> ArgumentSource {
        match kind {
            ArgumentKind::Int => ArgumentSource::Number(number),
            ArgumentKind::Flag => ArgumentSource::Flag(number as u8),
            ArgumentKind::Level => ArgumentSource::Level(Level::of_number(number)),
            _ => ArgumentSource::Text(self.text(number.to_string().as_bytes())),
        }
    }

    fn text_argument(&mut self, kind: ArgumentKind, text: &Text) -> ArgumentSource {
        let value = text.value.as_str();
        match kind {
            ArgumentKind::Int => match number_of(value.trim().as_bytes()) {
                Some(number) => ArgumentSource::Number(number),
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
                None => ArgumentSource::Text(self.text(value.as_bytes())),
            },
            ArgumentKind::Plain | ArgumentKind::Address => {
                ArgumentSource::Text(self.text(value.as_bytes()))
            }
            ArgumentKind::Regex => ArgumentSource::Regex(self.regex(value, true, text.span)),
            ArgumentKind::Substitution => match self.substitution(value, text.span) {
                Some(substitution) => ArgumentSource::Substitution(substitution),
                None => ArgumentSource::Missing,
            },
            ArgumentKind::Methods => {
                let methods = value
                    .split('|')
                    .map(|method| Method::parse(method.trim().as_bytes()))
                    .filter(|method| *method != Method::Other)
                    .fold(0, |methods, method| methods | 1 << method as u32);
                ArgumentSource::Methods(methods, self.text(value.as_bytes()))
            }
            ArgumentKind::FailureRoute => self.armed(RouteKind::Failure, value, text.span),
            ArgumentKind::ReplyRoute => self.armed(RouteKind::Reply, value, text.span),
            ArgumentKind::BranchRoute => self.armed(RouteKind::Branch, value, text.span),
            ArgumentKind::Variable | ArgumentKind::Out => match Variable::parse(value) {
                Ok(variable) => ArgumentSource::Variable(self.variable(&variable, text.span)),
                Err(_) => ArgumentSource::Missing,
            },
            ArgumentKind::Flag => {
                let number = value.trim().parse().ok();
                let flag = number.or_else(|| self.flags.get(value).copied());
                ArgumentSource::Flag(flag.unwrap_or(0))
            }
            ArgumentKind::Level => match Level::of_name(value) {
                Some(level) => ArgumentSource::Level(level),
                None => ArgumentSource::LevelOf(self.format(value, text.span)),
            },
        }
    }

    fn armed(&mut self, kind: RouteKind, name: &str, span: Span) -> ArgumentSource {
        if name.contains('$') {
            return ArgumentSource::RouteNamed(kind, self.format(name, span));
        }
        ArgumentSource::Route(self.route(kind, name).filter(|_| name != "0"))
    }
}

/// The variable that is all of a text.
fn single(text: &str) -> Option<Variable> {
    let is_variable = text.starts_with('$') && !text.starts_with("$$");
    is_variable.then(|| Variable::parse(text).ok()).flatten()
}
