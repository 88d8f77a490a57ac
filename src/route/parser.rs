//! From tokens to the tree. Every fault of a configuration is found in one run: after one, the parser
//! goes on behind the statement or item that has it.
//!
//! Owns: the grammar.

mod expression;
mod item;
mod statement;
#[cfg(test)]
mod tests;

use super::ast::{Config, Text, Word};
use super::diagnostic::{Diagnostic, Report};
use super::lexer::{Kind, Token, is_word};
use super::source::{Sources, Span};

/// Statements and expressions nest no deeper: the parser calls itself.
const MAX_DEPTH: usize = 200;

/// An expression has no more operators in a row: each makes its tree deeper.
const MAX_OPERATORS: usize = 1000;

/// A fault that is reported already.
#[derive(Debug)]
struct Failed;

type Parsed<T> = Result<T, Failed>;

/// Reads the tree out of all tokens.
pub fn parse(tokens: &[Token], sources: &Sources, report: &mut Report) -> Config {
    let mut parser = Parser {
        tokens,
        sources,
        report,
        at: 0,
        depth: 0,
    };
    parser.config()
}

struct Parser<'a> {
    /// The last is [`Kind::End`].
    tokens: &'a [Token],
    sources: &'a Sources,
    report: &'a mut Report,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn token(&self) -> &'a Token {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> &'a Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + count).min(last)]
    }

    fn kind(&self) -> &'a Kind {
        &self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// The place of the token before.
    fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn advance(&mut self) -> &'a Token {
        let token = self.token();
        if self.at < self.tokens.len() - 1 {
            self.at += 1;
        }
        token
    }

    fn is_end(&self) -> bool {
        *self.kind() == Kind::End
    }

    fn is_sign(&self, sign: &str) -> bool {
        self.sign_ahead(0, sign)
    }

    fn sign_ahead(&self, count: usize, sign: &str) -> bool {
        matches!(self.ahead(count).kind, Kind::Sign(found) if found == sign)
    }

    fn word(&self) -> Option<&'a str> {
        match self.kind() {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_there = self.is_sign(sign);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<Span> {
        if self.is_sign(sign) {
            return Ok(self.advance().span);
        }
        Err(self.expected(&format!("{sign} expected")))
    }

    fn number(&mut self) -> Option<i64> {
        match self.kind() {
            Kind::Number(number) => {
                self.advance();
                Some(*number)
            }
            _ => None,
        }
    }

    /// A text; several in a row are one.
    fn text(&mut self) -> Option<Text> {
        let mut text: Option<Text> = None;
        while let Kind::Text(part) = self.kind() {
            let span = self.advance().span;
            match &mut text {
                None => {
                    text = Some(Text {
                        value: part.clone(),
                        parts: vec![(0, span)],
                        span,
                    });
                }
                Some(text) => {
                    text.parts.push((text.value.len(), span));
                    text.value.push_str(part);
                    text.span = text.span.to(span);
                }
            }
        }
        text
    }

    fn expect_text(&mut self, what: &str) -> Parsed<Text> {
        match self.text() {
            Some(text) => Ok(text),
            None => Err(self.expected(&format!("{what} expected, in quotes"))),
        }
    }

    /// Tokens without blanks between them, as one word: `udp:127.0.0.1:5060`, `my-host.example.com`.
    fn glued(&mut self) -> Option<Word> {
        let is_part = |kind: &Kind| match kind {
            Kind::Word(_) | Kind::Number(_) | Kind::Address(_) => true,
            Kind::Sign(sign) => matches!(*sign, ":" | "." | "-" | "*" | "/" | "[" | "]"),
            Kind::Text(_) | Kind::Variable(_) | Kind::End => false,
        };
        if !is_part(self.kind()) {
            return None;
        }
        let first = self.advance();
        let (mut text, mut span) = (first.kind.text(), first.span);
        while self.token().is_glued {
            match self.kind() {
                kind if is_part(kind) => text.push_str(&kind.text()),
                // A define may have put it there: udp:MY_ADDRESS:5060.
                Kind::Text(part) => text.push_str(part),
                _ => break,
            }
            let token = self.advance();
            span = span.to(token.span);
        }
        Some(Word { text, span })
    }

    /// Whether the token begins a line of its file.
    fn begins_line(&self) -> bool {
        let span = self.span();
        let text = &self.sources.get(span.file).text;
        let before = text.get(..span.start as usize).unwrap_or_default();
        before.trim_end_matches([' ', '\t']).ends_with('\n') || before.trim().is_empty()
    }

    /// Reports that something else should stand here.
    fn expected(&mut self, message: &str) -> Failed {
        let found = match self.kind() {
            Kind::End => "the file ends here".to_owned(),
            other => format!("found {}", other.text()),
        };
        let error = Diagnostic::error(self.span(), message).label(found);
        self.fail(error)
    }

    /// Reports a fault, with what may have caused it.
    fn fail(&mut self, error: Diagnostic) -> Failed {
        let error = self.blame_broken_comment(error);
        self.report.push(error);
        Failed
    }

    /// If the line before is a comment and this one begins like prose, a hard line wrap may have broken
    /// the comment: so they come out of mails and manuals.
    fn blame_broken_comment(&self, mut error: Diagnostic) -> Diagnostic {
        let text = &self.sources.get(error.span.file).text;
        let start = error.span.start as usize;
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let Some(last) = before[..line_start].lines().next_back() else {
            return error;
        };
        let last = last.trim_start();
        let is_comment = last.starts_with("//") || last.starts_with('#') && !last.starts_with("#!");
        if !is_comment || last.len() < BROKEN_LINE || !is_prose(&text[line_start..]) {
            return error;
        }
        let end = (line_start - 1) as u32;
        let comment = Span {
            start: end - last.len() as u32,
            end,
            ..error.span
        };
        error.related.push((
            comment,
            "does this comment go on in the next line?".to_owned(),
        ));
        error.help.clear();
        error.help("a hard line wrap seems to have broken a comment: join the two lines")
    }

    /// Runs `inside` unless it is nested too deep.
    fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            let error = Diagnostic::error(self.span(), "nested too deep");
            return Err(self.fail(error));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }
}

/// A comment must be this long for a wrap to be suspected; indented lines are cut, so it is not much.
const BROKEN_LINE: usize = 30;

/// Whether a line begins with a word that no line of the language begins with.
fn is_prose(line: &str) -> bool {
    let line = line.lines().next().unwrap_or_default().trim_start();
    let length = line.find(|c| !is_word(c)).unwrap_or(line.len());
    let (word, rest) = line.split_at(length);
    let is_of_language = matches!(
        word,
        "if" | "else"
            | "while"
            | "switch"
            | "case"
            | "default"
            | "return"
            | "exit"
            | "drop"
            | "break"
            | "route"
            | "modparam"
            | "loadmodule"
    );
    let next = rest.trim_start().chars().next();
    let is_used = next.is_some_and(|c| "(=;{[:)".contains(c));
    !word.is_empty() && !is_of_language && !is_used
}
