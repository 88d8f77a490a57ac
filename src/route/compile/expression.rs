//! Expressions, and calls in them.

use std::net::IpAddr;

use super::Compiler;
use crate::route::ast::{
    BinaryOperator, Expression, ExpressionKind, RouteKind, Text, UnaryOperator,
};
use crate::route::diagnostic::Diagnostic;
use crate::route::program::{ArgumentSource, Call, Function, Network, Op, Source, Use};
use crate::route::source::Span;
use crate::route::table;
use crate::route::value::Value;
use crate::route::variable::Variable;

/// Words that are variables.
const OPERANDS: &[(&str, &str)] = &[
    ("method", "$rm"),
    ("uri", "$ru"),
    ("from_uri", "$fu"),
    ("to_uri", "$tu"),
    ("status", "$rs"),
    ("src_ip", "$si"),
    ("src_port", "$sp"),
    ("dst_ip", "$Ri"),
    ("dst_port", "$Rp"),
    ("snd_ip", "$Ri"),
    ("snd_port", "$Rp"),
    ("proto", "$pr"),
    ("af", "$af(name)"),
    ("msg:len", "$ml"),
    ("retcode", "$rc"),
];

/// The longest message: `max_len`.
const MAX_MESSAGE_BYTES: i64 = 65_535;

impl Compiler<'_> {
    /// What is assigned: the code of a call is taken as it is, everywhere else it is 1 or 0.
    pub(super) fn value(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Call(_) | ExpressionKind::Route(_) => {
                self.call_as(expression, Use::Code);
            }
            _ => self.expression(expression),
        }
    }

    pub(super) fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Number(number) => self.push_constant(Value::Number(*number)),
            ExpressionKind::Text(text) => self.push_text(&text.value),
            ExpressionKind::Address(address) | ExpressionKind::Select(address) => {
                self.push_text(address);
            }
            ExpressionKind::Word(word) => self.word(word, expression.span),
            ExpressionKind::Variable(variable) => self.read(variable, expression.span),
            ExpressionKind::Call(_) | ExpressionKind::Route(_) => {
                self.call_as(expression, Use::Truth);
            }
            ExpressionKind::Unary(operator, of) => self.unary(*operator, of),
            ExpressionKind::Binary(operator, left, right) => {
                self.binary(*operator, left, right);
            }
        }
    }

    fn push_constant(&mut self, value: Value) {
        let op = self.constant(value);
        self.emit(op);
    }

    fn push_text(&mut self, text: &str) {
        let text = self.text(text.as_bytes());
        self.push_constant(Value::Text(text));
    }

    fn read(&mut self, variable: &Variable, span: Span) {
        let id = self.variable(variable, span);
        let compiled = self.program.variables[id.0 as usize];
        match compiled.source {
            Source::Slot(slot) if compiled.steps.length == 0 => self.emit(Op::ReadSlot(slot)),
            _ => self.emit(Op::Read(id)),
        };
    }

    fn word(&mut self, word: &str, span: Span) {
        if word == "max_len" {
            return self.push_constant(Value::Number(MAX_MESSAGE_BYTES));
        }
        if let Some((_, name)) = OPERANDS.iter().find(|(operand, _)| *operand == word) {
            if let Ok(variable) = Variable::parse(name) {
                self.read(&variable, span);
            }
            return;
        }
        match word {
            "INET" => self.push_text("IPv4"),
            "INET6" => self.push_text("IPv6"),
            "UDP" | "TCP" | "TLS" | "SCTP" | "WS" | "WSS" => {
                self.push_text(&word.to_ascii_lowercase());
            }
            // Methods, and whatever else is a text without quotes.
            _ => self.push_text(word),
        }
    }

    fn unary(&mut self, operator: UnaryOperator, of: &Expression) {
        if operator == UnaryOperator::Defined
            && let ExpressionKind::Variable(variable) = &of.kind
        {
            let id = self.variable(variable, of.span);
            self.emit(Op::Defined(id));
            return;
        }
        self.expression(of);
        self.emit(Op::Unary(operator));
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expression, right: &Expression) {
        use BinaryOperator as B;
        match operator {
            B::And | B::Or if is_neutral(operator, right) => {
                self.unary(UnaryOperator::ToNumber, left);
            }
            B::And | B::Or if is_neutral(operator, left) => {
                self.unary(UnaryOperator::ToNumber, right);
            }
            B::And | B::Or => {
                self.expression(left);
                let jump = self.emit(match operator {
                    B::And => Op::And(0),
                    _ => Op::Or(0),
                });
                self.expression(right);
                self.emit(Op::Truth);
                self.land(jump);
            }
            B::Match => {
                self.expression(left);
                if let ExpressionKind::Text(Text { value, span, .. }) = &right.kind {
                    let regex = self.regex(value, true, *span);
                    self.emit(Op::Match(regex));
                } else {
                    self.expression(right);
                    self.emit(Op::MatchText);
                }
            }
            B::Equal | B::Different if is_null(left) || is_null(right) => {
                self.null(operator, if is_null(right) { left } else { right });
            }
            B::Equal if is_empty_text(left) || is_empty_text(right) => {
                let of = if is_empty_text(right) { left } else { right };
                self.unary(UnaryOperator::IsEmpty, of);
            }
            B::Equal | B::Different if is_word(right, "myself") || is_word(left, "myself") => {
                let other = if is_word(right, "myself") {
                    left
                } else {
                    right
                };
                self.myself(operator, other);
            }
            B::Equal | B::Different if self.network(left, right) || self.method(left, right) => {
                if operator == B::Different {
                    self.emit(Op::Unary(UnaryOperator::Not));
                }
            }
            _ => {
                self.expression(left);
                self.expression(right);
                self.emit(Op::Binary(operator));
            }
        }
    }

    /// `== $null` asks whether there is a value at all.
    fn null(&mut self, operator: BinaryOperator, of: &Expression) {
        self.unary(UnaryOperator::Defined, of);
        if operator == BinaryOperator::Equal {
            self.emit(Op::Unary(UnaryOperator::Not));
        }
    }

    /// `uri==myself` is a question to the host: `is_myself(uri)`. The R-URI is not handed to it: the host
    /// has it, and need not read it again.
    fn myself(&mut self, operator: BinaryOperator, of: &Expression) {
        let Some(function) = self.host_function("is_myself") else {
            return self.error(of.span, "myself is not known here");
        };
        let variable = match &of.kind {
            ExpressionKind::Word(word) => {
                let name = OPERANDS
                    .iter()
                    .find(|(operand, _)| *operand == word.as_str());
                name.and_then(|(_, name)| Variable::parse(name).ok())
            }
            ExpressionKind::Variable(variable) => Some(variable.clone()),
            _ => None,
        };
        let Some(variable) = variable else {
            return self.error(of.span, "what is compared with myself is a variable");
        };
        let arguments = if variable.is_plain("ru") {
            Vec::new()
        } else {
            vec![ArgumentSource::TextOf(self.variable(&variable, of.span))]
        };
        let call = Call::new(Function::Host(function), arguments, 0, false);
        self.program.calls.push(call);
        let number = self.program.calls.len() as u32 - 1;
        self.emit(Op::Call(Use::Truth, number));
        if operator == BinaryOperator::Different {
            self.emit(Op::Unary(UnaryOperator::Not));
        }
    }

    /// `src_ip == 10.0.0.0/8`: addresses are compared as such. False if it is not of this form.
    fn network(&mut self, left: &Expression, right: &Expression) -> bool {
        let ExpressionKind::Address(text) = &right.kind else {
            return false;
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.as_str(), None),
        };
        let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() else {
            return false;
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits.map(|bits| mask_bits(bits, width)) {
            None => width,
            Some(Some(bits)) => bits,
            Some(None) => {
                self.error(right.span, "not a mask");
                return true;
            }
        };
        self.expression(left);
        self.program.networks.push(Network { address, bits });
        let number = self.program.networks.len() as u16 - 1;
        self.emit(Op::InNetwork(number));
        true
    }

    pub(super) fn call_as(&mut self, expression: &Expression, use_of_code: Use) {
        match &expression.kind {
            ExpressionKind::Route(name) => self.route_call(name, use_of_code),
            ExpressionKind::Call(call) => {
                if use_of_code == Use::Truth
                    && let Some(question) = self.is_method(call)
                {
                    self.emit(question);
                } else if let Some(number) = self.call(call) {
                    self.emit(Op::Call(use_of_code, number));
                }
            }
            _ => {}
        }
    }

    fn route_call(&mut self, name: &Expression, use_of_code: Use) {
        let constant = match &name.kind {
            ExpressionKind::Word(word) => word.clone(),
            ExpressionKind::Text(text) => text.value.clone(),
            ExpressionKind::Number(number) => number.to_string(),
            _ => {
                self.expression(name);
                self.emit(Op::RouteNamed(use_of_code));
                return;
            }
        };
        match self.route(RouteKind::Request, &constant) {
            Some(route) => {
                self.emit(Op::Route(use_of_code, route));
            }
            None => self.error(name.span, format!("there is no route[{constant}]")),
        }
    }

    pub(super) fn host_function(&self, name: &str) -> Option<u16> {
        let found = self.functions.iter().position(|one| *one == name);
        found.map(|at| at as u16)
    }

    /// Says that the host has no such function.
    pub(super) fn missing_function(&mut self, name: &str, span: Span) {
        let message = format!("{name} cannot be called yet");
        let help = table::function(name).next().map_or("", |row| row.help);
        self.report
            .push(Diagnostic::error(span, message).help(help));
    }
}

/// Whether a constant side leaves only the other: Kamailio does not make 1 of that then.
fn is_neutral(operator: BinaryOperator, side: &Expression) -> bool {
    match side.kind {
        ExpressionKind::Number(0) => operator == BinaryOperator::Or,
        ExpressionKind::Number(_) => operator == BinaryOperator::And,
        _ => false,
    }
}

fn is_word(expression: &Expression, word: &str) -> bool {
    matches!(&expression.kind, ExpressionKind::Word(found) if found == word)
}

/// For `==` Kamailio asks whether the text is empty then, whatever the other side is: 0 is not. (It does
/// not for `!=`.)
fn is_empty_text(expression: &Expression) -> bool {
    matches!(&expression.kind, ExpressionKind::Text(text) if text.value.is_empty())
}

fn is_null(expression: &Expression) -> bool {
    matches!(&expression.kind, ExpressionKind::Variable(variable) if variable.is_plain("null"))
}

/// The bits of `24` or `255.255.255.0`.
fn mask_bits(mask: &str, width: u8) -> Option<u8> {
    if let Ok(bits) = mask.parse::<u8>() {
        return (bits <= width).then_some(bits);
    }
    let mask: std::net::Ipv4Addr = mask.parse().ok()?;
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (bits.checked_shl(ones).unwrap_or(0) == 0).then_some(ones as u8)
}
