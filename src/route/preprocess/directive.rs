//! What the lines that begin with `#!` do.

use super::{Condition, Define, Preprocessor};
use crate::route::diagnostic::Diagnostic;
use crate::route::lexer::{Kind, Lexed, Lexer, is_word};
use crate::route::preprocess::substitute::Substitution;
use crate::route::source::Span;

impl Preprocessor<'_> {
    pub(super) fn directive(
        &mut self,
        span: Span,
        lexer: &mut Lexer<'_>,
        conditions: &mut Vec<Condition>,
    ) {
        let line = self.sources.slice(span).to_owned();
        let (name, name_span) = head(&line, span);
        let rest = &line[name.len()..];
        let rest_span = Span {
            start: name_span.end,
            ..span
        };
        match name {
            "define" | "def" => self.define(rest, rest_span, Existing::IsWrong),
            "trydefine" | "trydef" => self.define(rest, rest_span, Existing::Stays),
            "redefine" | "redef" => self.define(rest, rest_span, Existing::Goes),
            "ifdef" | "ifndef" => {
                conditions.push(Condition {
                    span: name_span,
                    has_else: false,
                });
                let is_defined = self.is_defined(rest, rest_span);
                if is_defined != (name == "ifdef") {
                    self.skip(lexer, conditions);
                }
            }
            // The part before was taken, so this one is not.
            "else" => {
                self.set_else(name_span, conditions);
                self.skip(lexer, conditions);
            }
            "endif" => self.endif(name_span, conditions),
            "subst" => self.substitute(rest, rest_span, Substituted::Texts),
            "substdef" => self.substitute(rest, rest_span, Substituted::WordToo),
            "substdefs" => self.substitute(rest, rest_span, Substituted::WordAsText),
            "include_file" | "import_file" => self.include_directive(name, rest, rest_span),
            "ifexp" | "defexp" | "defexps" | "defenv" | "defenvs" | "trydefenv" | "trydefenvs" => {
                let message = format!("#!{name} is not supported");
                let error = Diagnostic::error(name_span, message);
                self.report
                    .push(error.help("a value can come from the command line: -A NAME=VALUE"));
                if name == "ifexp" {
                    conditions.push(Condition {
                        span: name_span,
                        has_else: false,
                    });
                }
            }
            // The language's name on the first line.
            _ => {}
        }
    }

    /// Goes over what a condition leaves out, to its `#!else` or `#!endif`.
    fn skip(&mut self, lexer: &mut Lexer<'_>, conditions: &mut Vec<Condition>) {
        let mut depth = 0_usize;
        while let Some(span) = lexer.next_directive() {
            let line = self.sources.slice(span).to_owned();
            match head(&line, span) {
                ("ifdef" | "ifndef" | "ifexp", _) => depth += 1,
                ("endif", name) if depth == 0 => return self.endif(name, conditions),
                ("endif", _) => depth -= 1,
                ("else", name) if depth == 0 => {
                    let is_first = conditions.last().is_some_and(|one| !one.has_else);
                    self.set_else(name, conditions);
                    if is_first {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn set_else(&mut self, span: Span, conditions: &mut [Condition]) {
        match conditions.last_mut() {
            Some(condition) if !condition.has_else => condition.has_else = true,
            Some(condition) => self.report.push(
                Diagnostic::error(span, "this condition has an #!else already")
                    .related(condition.span, "it begins here"),
            ),
            None => self
                .report
                .push(Diagnostic::error(span, "#!else without #!ifdef")),
        }
    }

    fn endif(&mut self, span: Span, conditions: &mut Vec<Condition>) {
        if conditions.pop().is_none() {
            let error = Diagnostic::error(span, "#!endif without #!ifdef");
            self.report.push(error);
        }
    }

    fn is_defined(&mut self, rest: &str, span: Span) -> bool {
        let name = rest.trim();
        let name = &name[..name.find(|c| !is_word(c)).unwrap_or(name.len())];
        if name.is_empty() {
            self.report.push(Diagnostic::error(span, "a name expected"));
        }
        self.defines.contains_key(name)
    }

    fn define(&mut self, rest: &str, span: Span, existing: Existing) {
        let blanks = rest.len() - rest.trim_start().len();
        let after = &rest[blanks..];
        let length = after.find(|c| !is_word(c)).unwrap_or(after.len());
        let name = &after[..length];
        let name_span = Span {
            start: span.start + blanks as u32,
            end: span.start + (blanks + length) as u32,
            ..span
        };
        if name.is_empty() {
            return self.report.push(Diagnostic::error(span, "a name expected"));
        }
        match (self.defines.get(name), existing) {
            (Some(before), Existing::IsWrong) => {
                let error = Diagnostic::error(name_span, format!("{name} is defined already"));
                let error = error.related(before.span, "here");
                return self
                    .report
                    .push(error.help("#!trydef keeps the first value, #!redef takes the new one"));
            }
            (Some(_), Existing::Stays) => return,
            _ => {}
        }
        // Of the same length, so that places stay true.
        let value = after[length..]
            .replace("\\\r\n", "   ")
            .replace("\\\n", "  ");
        let base = name_span.end as usize;
        let value = self.without_comment(&value, name_span);
        let value = self.lex(value, span.file, base);
        let span = name_span;
        self.defines.insert(name.to_owned(), Define { value, span });
    }

    /// Kamailio takes a comment for a part of the value; it then hides the rest of each line that uses
    /// the name.
    fn without_comment<'v>(&mut self, value: &'v str, name: Span) -> &'v str {
        let mut quote = None;
        let mut before = ' ';
        for (at, c) in value.char_indices() {
            let rest = &value[at..];
            match quote {
                None if c == '"' || c == '\'' => quote = Some(c),
                None if before.is_whitespace() && (c == '#' || rest.starts_with("//")) => {
                    let start = name.end + at as u32;
                    let end = name.end + value.trim_end().len() as u32;
                    let span = Span { start, end, ..name };
                    self.report.push(
                        Diagnostic::warning(span, "a comment behind a #!define")
                            .label("left out here; for Kamailio it is a part of the value")
                            .help("let it stand on a line of its own"),
                    );
                    return &value[..at];
                }
                Some(open) if open == c && before != '\\' => quote = None,
                _ => {}
            }
            before = c;
        }
        value
    }

    fn substitute(&mut self, rest: &str, span: Span, what: Substituted) {
        let parsed = match self.lex(rest, span.file, span.start as usize).first() {
            Some(token) => match &token.kind {
                Kind::Text(text) => Substitution::parse(text).map_err(|error| (token.span, error)),
                _ => Err((token.span, "the substitution stands in quotes".to_owned())),
            },
            None => Err((
                span,
                "\"/EXPRESSION/REPLACEMENT/FLAGS\" expected".to_owned(),
            )),
        };
        match parsed {
            Ok(substitution) => {
                if what != Substituted::Texts {
                    self.define_by_substitution(&substitution, span, what);
                }
                self.substitutions.push(substitution);
            }
            Err((span, message)) => self.report.push(Diagnostic::error(span, message)),
        }
    }

    fn define_by_substitution(&mut self, from: &Substitution, span: Span, what: Substituted) {
        let replacement = from.replacement.clone();
        let value = if what == Substituted::WordAsText {
            format!("\"{}\"", replacement.replace('"', "\\\""))
        } else {
            replacement
        };
        let mut value = self.lex(&value, span.file, 0);
        // Its tokens stand nowhere but in this line.
        for token in &mut value {
            token.span = span;
        }
        let define = Define { value, span };
        self.defines.insert(from.expression.clone(), define);
    }

    fn include_directive(&mut self, name: &str, rest: &str, span: Span) {
        let mut lexer = Lexer::within(rest, span.file, span.start as usize);
        match lexer.next() {
            Lexed::Token(token) => match token.kind {
                Kind::Text(path) => self.include(&path, token.span, name == "include_file"),
                _ => self.no_path(span),
            },
            _ => self.no_path(span),
        }
    }

    fn no_path(&mut self, span: Span) {
        let error = Diagnostic::error(span, "the path of a file, in quotes, expected");
        self.report.push(error);
    }
}

/// What becomes of a name that is defined already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    IsWrong,
    Stays,
    Goes,
}

/// Where a substitution works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Substituted {
    Texts,
    WordToo,
    WordAsText,
}

fn head(line: &str, span: Span) -> (&str, Span) {
    let length = line.find(|c| !is_word(c)).unwrap_or(line.len());
    let end = span.start + length as u32;
    (&line[..length], Span { end, ..span })
}
