//! Statements and expressions.

use super::Checker;
use crate::route::ast::{
    BinaryOperator, Call, CaseLabel, Expression, ExpressionKind, RouteKind, Statement,
    StatementKind, UnaryOperator,
};
use crate::route::diagnostic::Diagnostic;
use crate::route::nearest::nearest;
use crate::route::source::Span;
use crate::route::table::{self, Function};
use crate::route::variable::pieces;

/// Words that are values.
const OPERANDS: &[&str] = &[
    "method", "uri", "from_uri", "to_uri", "status", "src_ip", "src_port", "dst_ip", "dst_port",
    "snd_ip", "snd_port", "proto", "af", "msg:len", "max_len", "myself", "retcode",
];

/// Words that are compared with: transports, address families.
const CONSTANTS: &[&str] = &["UDP", "TCP", "TLS", "SCTP", "WS", "WSS", "INET", "INET6"];

/// Methods of SIP.
pub(super) const METHODS: &[&str] = &[
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
    "KDMQ",
];

impl Checker<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Empty | StatementKind::Break => {}
            StatementKind::Block(inside) => self.statements(inside),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => {
                self.expression(condition);
                self.statement(then);
                if let Some(otherwise) = otherwise {
                    self.statement(otherwise);
                }
            }
            StatementKind::While { condition, body } => {
                self.expression(condition);
                self.statement(body);
            }
            StatementKind::Switch { subject, cases } => {
                self.expression(subject);
                for case in cases {
                    match &case.label {
                        CaseLabel::Value(value) => self.constant(value),
                        CaseLabel::Regex(text) => self.regex(text),
                        CaseLabel::Default => {}
                    }
                    self.statements(&case.body);
                }
            }
            StatementKind::Assign { target, value } => {
                self.variable(
                    target,
                    self.target_span(statement.span, target.length),
                    true,
                );
                self.expression(value);
            }
            StatementKind::Call(call) => self.expression(call),
            StatementKind::Return(code) | StatementKind::Exit(code) | StatementKind::Drop(code) => {
                if let Some(code) = code {
                    self.expression(code);
                }
            }
        }
    }

    /// An assignment begins with its target.
    fn target_span(&self, statement: Span, length: usize) -> Span {
        let end = statement.start + length as u32;
        let target = Span { end, ..statement };
        if self.sources.slice(target).starts_with('$') {
            target
        } else {
            statement
        }
    }

    fn constant(&mut self, value: &Expression) {
        match &value.kind {
            ExpressionKind::Number(_) | ExpressionKind::Text(_) => {}
            ExpressionKind::Unary(UnaryOperator::Minus, of)
                if matches!(of.kind, ExpressionKind::Number(_)) => {}
            _ => self.error(value.span, "a case is a number or a text in quotes"),
        }
    }

    pub(super) fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Number(_) | ExpressionKind::Address(_) => {}
            ExpressionKind::Text(text) => {
                let has_variable = |piece: &crate::route::variable::Piece| {
                    matches!(piece, crate::route::variable::Piece::Variable(one)
                        if table::variable(&one.name).is_some())
                };
                if pieces(&text.value).is_ok_and(|pieces| pieces.iter().any(has_variable)) {
                    let warning =
                        Diagnostic::warning(text.span, "no variable in this text is read")
                            .label("only functions look into texts")
                            .help("join texts and variables by +: \"sip:\" + $rU, or use $_s(...)");
                    self.report.push(warning);
                }
            }
            ExpressionKind::Variable(variable) => self.variable(variable, expression.span, false),
            ExpressionKind::Word(word) => self.word(word, expression.span),
            ExpressionKind::Select(select) => {
                let message = format!("selects are not supported: {select}");
                let help = "most have a pseudo-variable: @ruri.user is $rU";
                let error = Diagnostic::error(expression.span, message).help(help);
                self.report.push(error);
            }
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Route(name) => self.route_call(name),
            ExpressionKind::Unary(_, of) => self.expression(of),
            ExpressionKind::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expression, right: &Expression) {
        self.expression(left);
        if operator == BinaryOperator::Match {
            return match &right.kind {
                ExpressionKind::Text(text) => self.regex(text),
                _ => self.expression(right),
            };
        }
        let is_method = matches!(&left.kind, ExpressionKind::Word(word) if word == "method");
        if let ExpressionKind::Word(word) = &right.kind
            && operator.is_comparison()
            && (is_method && METHODS.contains(&word.as_str()) || CONSTANTS.contains(&word.as_str()))
        {
            return;
        }
        self.expression(right);
        self.types(operator, left, right);
    }

    /// What can only be a number is joined with what can only be a text.
    fn types(&mut self, operator: BinaryOperator, left: &Expression, right: &Expression) {
        use BinaryOperator as B;
        let is_text = |one: &Expression| matches!(one.kind, ExpressionKind::Text(_));
        let wrong = match operator {
            B::Minus
            | B::Times
            | B::Divide
            | B::Modulo
            | B::BitAnd
            | B::BitOr
            | B::BitXor
            | B::ShiftLeft
            | B::ShiftRight => [left, right].into_iter().find(|one| is_text(one)),
            // The left side says what + does.
            B::Plus if matches!(left.kind, ExpressionKind::Number(_)) && is_text(right) => {
                Some(right)
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            let error = Diagnostic::error(wrong.span, "a number expected, found a text")
                .help("(int) makes a number of a text, (str) a text of a number");
            self.report.push(error);
        }
    }

    fn word(&mut self, word: &str, span: Span) {
        if OPERANDS.contains(&word) || CONSTANTS.contains(&word) {
            return;
        }
        let error = Diagnostic::error(span, format!("no such word: {word}"));
        let error = if table::function(word).next().is_some() {
            error.help(format!("a call has parentheses: {word}()"))
        } else if word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        {
            error.help(format!(
                "is a #!define {word} missing? Texts stand in quotes"
            ))
        } else {
            error.meant(nearest(word, OPERANDS.iter().copied()))
        };
        self.report.push(error);
    }

    fn route_call(&mut self, name: &Expression) {
        match &name.kind {
            ExpressionKind::Word(word) => self.route_named(RouteKind::Request, word, name.span),
            ExpressionKind::Text(text) => {
                self.route_named(RouteKind::Request, &text.value, text.span);
            }
            ExpressionKind::Number(number) => {
                self.route_named(RouteKind::Request, &number.to_string(), name.span);
            }
            _ => self.expression(name),
        }
    }

    fn call(&mut self, call: &Call) {
        let forms: Vec<&Function> = table::function(&call.name.text).collect();
        let Some(first) = forms.first() else {
            self.unknown_function(&call.name);
            // What it is given is not judged: nobody knows what it may be.
            return;
        };
        if !self.is_loaded(first.modules) {
            let module = first.modules[0];
            let message = format!("{} needs the module {module}", call.name.text);
            let error = Diagnostic::error(call.name.span, message)
                .help(format!("loadmodule \"{module}.so\""));
            self.report.push(error);
        }
        let count = call.arguments.len();
        let Some(form) = forms.iter().find(|form| form.takes(count)) else {
            let shown: Vec<_> = forms.iter().map(ToString::to_string).collect();
            let message = format!("{} does not take {count} arguments", call.name.text);
            let error = Diagnostic::error(call.name.span, message)
                .help(format!("it is called as {}", shown.join(" or ")));
            return self.report.push(error);
        };
        if !form.routes.contains(self.kind) {
            let message = format!("{} cannot be called in {}", form.name, self.kind.keyword());
            let error = Diagnostic::error(call.name.span, message);
            self.report
                .push(error.help(format!("it can in {}", form.routes)));
        }
        for (index, argument) in call.arguments.iter().enumerate() {
            if let Some(row) = form.argument(index) {
                self.argument(form, row, argument);
            }
        }
    }
}
