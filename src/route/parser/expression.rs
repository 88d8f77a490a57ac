//! Expressions: operators by how strongly they bind (Pratt's way).

use super::item::truth;
use super::{MAX_OPERATORS, Parsed, Parser};
use crate::route::ast::{BinaryOperator, Call, Expression, ExpressionKind, UnaryOperator, Word};
use crate::route::diagnostic::Diagnostic;
use crate::route::lexer::Kind;
use crate::route::source::Span;
use crate::route::variable::Variable;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.nested(|parser| parser.binary(0))
    }

    /// An expression of operators that bind more tightly than `least`.
    fn binary(&mut self, least: u8) -> Parsed<Expression> {
        let start = self.span();
        let mut left = self.operand()?;
        for _ in 0..MAX_OPERATORS {
            let Some((operator, strength)) = self.operator() else {
                self.reject_foreign_operator()?;
                return Ok(left);
            };
            if strength <= least {
                return Ok(left);
            }
            self.advance();
            let right = self.nested(|parser| parser.binary(strength))?;
            left = Expression {
                span: self.since(start),
                kind: ExpressionKind::Binary(operator, Box::new(left), Box::new(right)),
            };
        }
        let message = format!("more than {MAX_OPERATORS} operators in a row");
        let error = Diagnostic::error(self.span(), message);
        Err(self.fail(error))
    }

    fn operator(&self) -> Option<(BinaryOperator, u8)> {
        let sign = match self.kind() {
            Kind::Word(word) => word.as_str(),
            Kind::Sign(sign) => sign,
            _ => return None,
        };
        let found = BinaryOperator::ALL.iter().find(|(text, ..)| *text == sign);
        found.map(|(_, operator, strength)| (*operator, *strength))
    }

    /// Operators of other languages, with what stands for them here.
    fn reject_foreign_operator(&mut self) -> Parsed<()> {
        let help = match self.kind() {
            Kind::Sign("!~") => "there is =~ only: !(... =~ \"...\")",
            Kind::Sign("%") => "the remainder is mod: 7 mod 3",
            Kind::Sign("=") => "= assigns, == compares",
            Kind::Sign(".") => "texts are joined by +",
            Kind::Sign("?") => "there is no ? : here; if and else are statements",
            _ => return Ok(()),
        };
        let error = Diagnostic::error(self.span(), "no operator of this language").help(help);
        Err(self.fail(error))
    }

    fn operand(&mut self) -> Parsed<Expression> {
        let start = self.span();
        let operator = match self.kind() {
            Kind::Sign("!") => Some(UnaryOperator::Not),
            Kind::Sign("-") => Some(UnaryOperator::Minus),
            Kind::Sign("~") => Some(UnaryOperator::Complement),
            Kind::Sign("(") if self.is_cast("int") => Some(UnaryOperator::ToNumber),
            Kind::Sign("(") if self.is_cast("str") => Some(UnaryOperator::ToText),
            Kind::Word(word) => match word.as_str() {
                "not" => Some(UnaryOperator::Not),
                "defined" => Some(UnaryOperator::Defined),
                "strlen" => Some(UnaryOperator::Length),
                "strempty" => Some(UnaryOperator::IsEmpty),
                _ => None,
            },
            _ => None,
        };
        let Some(operator) = operator else {
            return self.primary();
        };
        self.advance();
        if matches!(operator, UnaryOperator::ToNumber | UnaryOperator::ToText) {
            self.advance();
            self.advance();
        }
        let of = self.nested(Self::operand)?;
        Ok(Expression {
            span: self.since(start),
            kind: ExpressionKind::Unary(operator, Box::new(of)),
        })
    }

    /// `(int)` or `(str)`
    fn is_cast(&self, to: &str) -> bool {
        self.sign_ahead(2, ")") && matches!(&self.ahead(1).kind, Kind::Word(word) if word == to)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let start = self.span();
        let kind = match self.kind() {
            Kind::Number(number) => {
                self.advance();
                ExpressionKind::Number(*number)
            }
            Kind::Text(_) => ExpressionKind::Text(self.expect_text("a text")?),
            Kind::Variable(_) => ExpressionKind::Variable(self.variable()?),
            Kind::Address(_) => {
                let address = self.glued().map_or_else(String::new, |word| word.text);
                ExpressionKind::Address(address)
            }
            Kind::Sign("(") => {
                self.advance();
                let inside = self.expression()?;
                self.close(start)?;
                return Ok(inside);
            }
            Kind::Sign("@") => self.select(),
            Kind::Word(word) => self.named(word)?,
            _ => return Err(self.expected("a value expected")),
        };
        Ok(Expression {
            kind,
            span: self.since(start),
        })
    }

    fn named(&mut self, word: &str) -> Parsed<ExpressionKind> {
        let start = self.span();
        if word == "route" && self.sign_ahead(1, "(") {
            self.advance();
            self.advance();
            let name = self.route_argument()?;
            self.close(start)?;
            return Ok(ExpressionKind::Route(Box::new(name)));
        }
        if self.sign_ahead(1, "(") {
            let name = Word {
                text: word.to_owned(),
                span: self.advance().span,
            };
            let arguments = self.arguments()?;
            return Ok(ExpressionKind::Call(Call { name, arguments }));
        }
        if self.sign_ahead(1, ":") && self.ahead(1).is_glued && self.ahead(2).is_glued {
            // msg:len, uri:host, udp:127.0.0.1:5060
            let word = self.glued().map_or_else(String::new, |word| word.text);
            return Ok(ExpressionKind::Word(word));
        }
        self.advance();
        Ok(match truth(word) {
            Some(number) => ExpressionKind::Number(number),
            None => ExpressionKind::Word(word.to_owned()),
        })
    }

    /// A route's name needs no quotes.
    fn route_argument(&mut self) -> Parsed<Expression> {
        match self.kind() {
            Kind::Word(_) | Kind::Number(_) => {
                let word = self.glued();
                let span = self.last_span();
                let word = word.unwrap_or(Word {
                    text: String::new(),
                    span,
                });
                Ok(Expression {
                    kind: ExpressionKind::Word(word.text),
                    span: word.span,
                })
            }
            _ => self.expression(),
        }
    }

    fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        let open = self.expect_sign("(")?;
        let mut arguments = Vec::new();
        if self.take_sign(")") {
            return Ok(arguments);
        }
        loop {
            if self.is_sign(",") || self.is_sign(")") {
                let error = Diagnostic::error(self.span(), "an argument is missing here");
                return Err(self.fail(error.help("an empty text is \"\"")));
            }
            arguments.push(self.expression()?);
            if !self.take_sign(",") {
                self.close(open)?;
                return Ok(arguments);
            }
        }
    }

    fn close(&mut self, open: Span) -> Parsed<()> {
        if self.take_sign(")") {
            return Ok(());
        }
        let found = self.kind().text();
        let error = Diagnostic::error(self.span(), format!(") expected, found {found}"));
        Err(self.fail(error.related(open, "opened here")))
    }

    /// `@name.name[0]`
    fn select(&mut self) -> ExpressionKind {
        let mut text = self.advance().kind.text();
        if let Some(word) = self.glued() {
            text.push_str(&word.text);
        }
        ExpressionKind::Select(text)
    }

    pub(super) fn variable(&mut self) -> Parsed<Variable> {
        let token = self.advance();
        let Kind::Variable(raw) = &token.kind else {
            return Err(self.expected("a pseudo-variable expected"));
        };
        Variable::parse(raw).map_err(|(range, message)| {
            let is_as_written = self.sources.slice(token.span) == raw;
            let span = if is_as_written {
                Span {
                    start: token.span.start + range.start as u32,
                    end: token.span.start + range.end as u32,
                    ..token.span
                }
            } else {
                token.span
            };
            self.fail(Diagnostic::error(span, message))
        })
    }
}
