//! What functions are given.

use super::Checker;
use super::statements::METHODS;
use crate::route::ast::{Expression, ExpressionKind, RouteKind, Text, UnaryOperator};
use crate::route::diagnostic::Diagnostic;
use crate::route::nearest::nearest;
use crate::route::program::VariableId;
use crate::route::table::{Argument, ArgumentKind, Function};
use crate::route::transform::Substitution;

const LEVELS: &[&str] = &[
    "L_ALERT", "L_BUG", "L_CRIT2", "L_CRIT", "L_ERR", "L_WARN", "L_NOTICE", "L_INFO", "L_DBG",
    "L_DBG1", "L_DBG2", "L_DBG3",
];

impl Checker<'_> {
    pub(super) fn argument(&mut self, function: &Function, row: &Argument, given: &Expression) {
        let whole = |text: &Text| 0..text.value.len();
        match (&given.kind, row.kind) {
            (ExpressionKind::Text(text), ArgumentKind::Int) => {
                if text.value.trim().parse::<i64>().is_err() {
                    if text.value.contains('$') {
                        self.format(text, whole(text));
                    } else {
                        self.wrong_kind(function, row, given);
                    }
                }
            }
            (ExpressionKind::Text(text), ArgumentKind::Text) => self.format(text, whole(text)),
            (ExpressionKind::Text(text), ArgumentKind::Regex) => self.regex(text),
            (ExpressionKind::Text(text), ArgumentKind::Substitution) => self.substitution(text),
            (ExpressionKind::Text(text), ArgumentKind::Methods) => self.methods(text),
            (ExpressionKind::Text(text), ArgumentKind::Level) => self.level(text),
            (ExpressionKind::Text(text), ArgumentKind::Variable) => self.variable_text(text, false),
            (ExpressionKind::Text(text), ArgumentKind::Out) => self.variable_text(text, true),
            (ExpressionKind::Text(text), ArgumentKind::Flag) => {
                let is_number = text.value.trim().parse::<u8>().is_ok_and(|flag| flag <= 31);
                if !is_number && !self.flags.contains(text.value.as_str()) {
                    self.wrong_kind(function, row, given);
                }
            }
            (
                ExpressionKind::Text(text),
                kind @ (ArgumentKind::FailureRoute
                | ArgumentKind::ReplyRoute
                | ArgumentKind::BranchRoute),
            ) => self.armed_route(kind, text),
            (ExpressionKind::Variable(variable), ArgumentKind::Out) => {
                self.variable(variable, given.span, true);
            }
            (
                ExpressionKind::Variable(_),
                ArgumentKind::Plain
                | ArgumentKind::Header
                | ArgumentKind::Regex
                | ArgumentKind::Substitution
                | ArgumentKind::Methods,
            ) => self.wrong_kind(function, row, given),
            (ExpressionKind::Variable(variable), _) => self.variable(variable, given.span, false),
            (ExpressionKind::Number(number), ArgumentKind::Flag) => {
                if !(0..=31).contains(number) {
                    self.error(given.span, "flags have numbers from 0 to 31");
                }
            }
            (ExpressionKind::Word(word), ArgumentKind::Flag) => {
                if !self.flags.contains(word.as_str()) {
                    let error = Diagnostic::error(given.span, format!("no such flag: {word}"))
                        .meant(nearest(word, self.flags.iter().copied()))
                        .help(format!(
                            "flags get names by: flags {word}:1; or by #!define"
                        ));
                    self.report.push(error);
                }
            }
            (
                ExpressionKind::Text(_),
                ArgumentKind::Plain | ArgumentKind::Header | ArgumentKind::Address,
            )
            | (ExpressionKind::Address(_) | ExpressionKind::Word(_), ArgumentKind::Address)
            | (
                ExpressionKind::Number(_),
                ArgumentKind::Int
                | ArgumentKind::Text
                | ArgumentKind::Plain
                | ArgumentKind::Header
                | ArgumentKind::Level
                | ArgumentKind::Address,
            ) => {}
            (ExpressionKind::Unary(UnaryOperator::Minus, of), ArgumentKind::Int)
                if matches!(of.kind, ExpressionKind::Number(_)) => {}
            _ => self.wrong_kind(function, row, given),
        }
    }

    fn wrong_kind(&mut self, function: &Function, row: &Argument, given: &Expression) {
        let message = format!(
            "the argument {} of {} is {}",
            row.name,
            function.name,
            row.kind.expected()
        );
        let error = Diagnostic::error(given.span, message);
        let error = match &given.kind {
            ExpressionKind::Word(word) => error.help(format!("in quotes: \"{word}\"")),
            ExpressionKind::Binary(..) | ExpressionKind::Unary(..) | ExpressionKind::Call(_) => {
                error.help("put it into a variable first: $var(x) = ...;")
            }
            _ => error.help(format!("it is called as {function}")),
        };
        self.report.push(error);
    }

    fn substitution(&mut self, text: &Text) {
        let mut variables = Vec::new();
        let parsed = Substitution::parse(&text.value, &mut |variable| {
            variables.push(variable.clone());
            VariableId(0)
        });
        if let Err(message) = parsed {
            self.error(text.span, message);
        }
        for variable in variables {
            self.variable(&variable, text.span, false);
        }
    }

    fn methods(&mut self, text: &Text) {
        let mut at = 0;
        for method in text.value.split('|') {
            let range = at..at + method.len();
            at = range.end + 1;
            if !METHODS.contains(&method.trim()) {
                let span = self.within(text, range);
                let warning = Diagnostic::warning(span, format!("no known method: {method}"));
                let warning = warning.meant(nearest(method, METHODS.iter().copied()));
                self.report.push(warning);
            }
        }
    }

    fn level(&mut self, text: &Text) {
        let level = text.value.trim();
        if LEVELS.contains(&level) || level.parse::<i64>().is_ok() || level.starts_with('$') {
            return;
        }
        let error = Diagnostic::error(text.span, format!("no such level of the log: {level}"))
            .meant(nearest(level, LEVELS.iter().copied()))
            .help("there are L_ALERT, L_CRIT, L_ERR, L_WARN, L_NOTICE, L_INFO and L_DBG");
        self.report.push(error);
    }

    fn armed_route(&mut self, kind: ArgumentKind, text: &Text) {
        let kind = match kind {
            ArgumentKind::FailureRoute => RouteKind::Failure,
            ArgumentKind::ReplyRoute => RouteKind::Reply,
            _ => RouteKind::Branch,
        };
        // "0" disarms; a name with variables is known only when it runs.
        if text.value == "0" {
            return;
        }
        if text.value.contains('$') {
            return self.format(text, 0..text.value.len());
        }
        self.armed_route_named(kind, &text.value, text.span);
    }
}
