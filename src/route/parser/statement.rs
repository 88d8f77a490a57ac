//! Statements.

use super::{Failed, Parsed, Parser};
use crate::route::ast::{Case, CaseLabel, Expression, ExpressionKind, Statement, StatementKind};
use crate::route::diagnostic::Diagnostic;
use crate::route::lexer::Kind;

impl Parser<'_> {
    /// `{ ... }`
    pub(super) fn block(&mut self) -> Parsed<Vec<Statement>> {
        let open = self.expect_sign("{")?;
        let statements = self.statements(false);
        if self.take_sign("}") {
            return Ok(statements);
        }
        let error = Diagnostic::error(self.span(), "} expected").related(open, "opened here");
        self.fail(error);
        // What there is of the route is worth checking.
        Ok(statements)
    }

    /// All up to a closing brace, or the next case; each fault costs its own statement only.
    fn statements(&mut self, is_in_case: bool) -> Vec<Statement> {
        let mut statements = Vec::new();
        while !self.is_end() && !self.is_sign("}") {
            if self.begins_line() && self.begins_route() {
                break;
            }
            if is_in_case && self.is_case() {
                break;
            }
            let before = self.at;
            match self.statement() {
                Ok(statement) => statements.push(statement),
                Err(Failed) => self.recover_statement(before),
            }
        }
        statements
    }

    fn is_case(&self) -> bool {
        self.is_word("case") || self.is_word("default") && self.sign_ahead(1, ":")
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.nested(Self::statement_inside)
    }

    fn statement_inside(&mut self) -> Parsed<Statement> {
        let start = self.span();
        let kind = match self.kind() {
            Kind::Sign(";") => {
                self.advance();
                StatementKind::Empty
            }
            Kind::Sign("{") => StatementKind::Block(self.block()?),
            Kind::Variable(_) => self.assignment()?,
            Kind::Word(word) => match word.as_str() {
                "if" => self.condition()?,
                "while" => {
                    self.advance();
                    let condition = self.expression()?;
                    let body = Box::new(self.statement()?);
                    StatementKind::While { condition, body }
                }
                "switch" => self.switch()?,
                "return" => StatementKind::Return(self.code()?),
                "exit" => StatementKind::Exit(self.code()?),
                "drop" => StatementKind::Drop(self.code()?),
                "break" => {
                    self.advance();
                    self.semicolon();
                    StatementKind::Break
                }
                "else" => {
                    let error = Diagnostic::error(start, "else without if")
                        .help("a ; behind a block ends the if: } else, not }; else");
                    return Err(self.fail(error));
                }
                "case" | "default" => {
                    return Err(self.expected("a statement expected; case stands in a switch"));
                }
                _ => self.call_statement()?,
            },
            _ => return Err(self.expected("a statement expected")),
        };
        Ok(Statement {
            kind,
            span: self.since(start),
        })
    }

    fn condition(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let condition = self.expression()?;
        let then = Box::new(self.statement()?);
        let otherwise = if self.take_word("else") {
            Some(Box::new(self.statement()?))
        } else {
            None
        };
        Ok(StatementKind::If {
            condition,
            then,
            otherwise,
        })
    }

    fn switch(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let subject = self.expression()?;
        self.expect_sign("{")?;
        let mut cases = Vec::new();
        while !self.is_end() && !self.is_sign("}") {
            if self.take_sign(";") {
                continue;
            }
            let before = self.at;
            match self.case() {
                Ok(case) => cases.push(case),
                Err(Failed) => self.recover_statement(before),
            }
        }
        self.expect_sign("}")?;
        Ok(StatementKind::Switch { subject, cases })
    }

    fn case(&mut self) -> Parsed<Case> {
        let start = self.span();
        let label = if self.take_word("default") {
            CaseLabel::Default
        } else if self.take_word("case") {
            if self.take_sign("/") {
                CaseLabel::Regex(self.expect_text("a regular expression")?)
            } else {
                CaseLabel::Value(self.expression()?)
            }
        } else {
            return Err(self.expected("case or default expected"));
        };
        self.expect_sign(":")?;
        let span = self.since(start);
        let body = self.statements(true);
        Ok(Case { label, span, body })
    }

    /// The code of `return`, `exit` and `drop`, which may be left out; parentheses too.
    fn code(&mut self) -> Parsed<Option<Expression>> {
        self.advance();
        let mut code = None;
        if self.is_sign("(") && self.sign_ahead(1, ")") {
            self.advance();
            self.advance();
        } else if !self.is_sign(";") && !self.is_sign("}") && !self.is_end() {
            code = Some(self.expression()?);
        }
        self.semicolon();
        Ok(code)
    }

    fn assignment(&mut self) -> Parsed<StatementKind> {
        let start = self.span();
        let target = self.variable()?;
        if self.is_sign("+=") || self.is_sign("==") {
            let name = self.sources.slice(start);
            let help = format!("= assigns: {name} = {name} + ...;");
            let error = Diagnostic::error(self.span(), "= expected").help(help);
            return Err(self.fail(error));
        }
        self.expect_sign("=")?;
        let value = self.expression()?;
        self.semicolon();
        Ok(StatementKind::Assign { target, value })
    }

    /// Only calls are statements; of other expressions nothing would come.
    fn call_statement(&mut self) -> Parsed<StatementKind> {
        let before = self.at;
        let expression = self.expression()?;
        let is_call = matches!(
            expression.kind,
            ExpressionKind::Call(_) | ExpressionKind::Route(_)
        );
        if !is_call {
            let error = Diagnostic::error(expression.span, "this does nothing");
            let error = match &expression.kind {
                ExpressionKind::Word(word) => error
                    .label("neither a statement nor a call")
                    .help(format!("a call has parentheses: {word}();")),
                _ => error.label("an expression is no statement"),
            };
            // What follows may have nothing to do with it: only its line is left out.
            self.at = before;
            return Err(self.fail(error));
        }
        self.semicolon();
        Ok(StatementKind::Call(expression))
    }

    /// A semicolon; where it is missing the parser goes on as if it was there.
    fn semicolon(&mut self) {
        if self.take_sign(";") {
            return;
        }
        let end = self.last_span().after();
        let error = Diagnostic::error(end, "; expected behind this statement");
        let error = if self.is_end() || self.begins_line() || self.is_sign("}") {
            error
        } else {
            error.related(self.span(), "before this")
        };
        self.fail(error);
        if !self.begins_line() && !self.is_sign("}") {
            self.skip_statement();
        }
    }

    /// Goes on behind a statement with a fault.
    fn recover_statement(&mut self, before: usize) {
        if self.at == before {
            self.advance();
            // Words that no statement begins with end with their line: a comment that lost its sign.
            while !self.is_end() && !self.begins_line() && !self.is_sign("}") {
                if self.take_sign(";") {
                    return;
                }
                self.advance();
            }
            return;
        }
        self.skip_statement();
    }

    /// To behind the next semicolon, or before what ends a block. Braces on the way are passed.
    fn skip_statement(&mut self) {
        let mut depth = 0_usize;
        while !self.is_end() {
            match self.kind() {
                Kind::Sign(";") if depth == 0 => {
                    self.advance();
                    return;
                }
                Kind::Sign("}") if depth == 0 => return,
                Kind::Sign("{") => depth += 1,
                Kind::Sign("}") => {
                    depth -= 1;
                    if depth == 0 {
                        self.advance();
                        // It was an if: its other side has nothing to hold on to.
                        if !self.is_word("else") {
                            return;
                        }
                    }
                }
                Kind::Word(_) if self.begins_line() && self.begins_route() => return,
                _ => {}
            }
            self.advance();
        }
    }
}
