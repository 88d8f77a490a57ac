//! From files to one row of tokens: includes, defines, conditions and substitutions.
//!
//! Owns: the names defined so far and the stack of open files. A token out of a define keeps the place
//! where its name was used, so messages point to what the operator wrote.

mod directive;
mod substitute;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Report};
use super::lexer::{Kind, Lexed, Lexer, Token};
use super::nearest::nearest;
use super::source::{FileId, ReadFile, Sources, Span};
use substitute::Substitution;

/// How deep files may include files, as in Kamailio.
const MAX_DEPTH: usize = 10;

/// How deep defines may use defines.
const MAX_EXPANSION: usize = 16;

/// More tokens than this are an error: defines of defines can grow without end.
const MAX_TOKENS: usize = 1_000_000;

/// A name with the tokens that it stands for.
#[derive(Debug, Clone)]
struct Define {
    value: Vec<Token>,
    /// Where it was defined.
    span: Span,
}

/// Reads files into tokens.
pub struct Preprocessor<'a> {
    sources: &'a mut Sources,
    report: &'a mut Report,
    read: ReadFile<'a>,
    defines: BTreeMap<String, Define>,
    substitutions: Vec<Substitution>,
    out: Vec<Token>,
    /// The files that are open, outermost first.
    open: Vec<FileId>,
}

/// One `#!ifdef` that waits for its `#!endif`.
struct Condition {
    span: Span,
    has_else: bool,
}

impl<'a> Preprocessor<'a> {
    /// Nothing read yet. `SIPSHARD` is defined, so a configuration can tell where it runs.
    pub fn new(sources: &'a mut Sources, report: &'a mut Report, read: ReadFile<'a>) -> Self {
        let mut new = Self {
            sources,
            report,
            read,
            defines: BTreeMap::new(),
            substitutions: Vec::new(),
            out: Vec::new(),
            open: Vec::new(),
        };
        new.define_text("SIPSHARD");
        new
    }

    /// Defines what the command line says: `NAME` or `NAME=VALUE`.
    pub fn define_text(&mut self, definition: &str) {
        let (name, value) = definition.split_once('=').unwrap_or((definition, ""));
        let shown = format!("-A {definition}");
        let Some(file) = self.sources.add(&shown, definition.as_bytes()) else {
            return;
        };
        let base = definition.len() - value.len();
        let value = self.lex(value, file, base);
        let span = Span {
            file,
            start: 0,
            end: name.len() as u32,
        };
        let define = Define { value, span };
        self.defines.insert(name.trim().to_owned(), define);
    }

    /// All tokens of a file and what it includes; [`Kind::End`] is the last.
    pub fn run(&mut self, path: &str) -> Result<Vec<Token>, String> {
        let bytes = (self.read)(path)?;
        let file = self.sources.add(path, &bytes);
        let file = file.ok_or_else(|| format!("{path} is too big"))?;
        self.file(file);
        if let Some(last) = self.out.get(MAX_TOKENS - 1) {
            let error = Diagnostic::error(last.span, "the configuration is too long");
            self.report.push(error);
        }
        let end = self.sources.get(file).text.len() as u32;
        let span = Span {
            file,
            start: end,
            end,
        };
        self.out.push(Token {
            kind: Kind::End,
            span,
            is_glued: false,
        });
        Ok(std::mem::take(&mut self.out))
    }

    /// What the names stand for, as it is written: `$def(...)` reads it.
    pub fn definitions(&self) -> BTreeMap<String, String> {
        let text = |define: &Define| match define.value.as_slice() {
            [first, .., last] => self.sources.slice(first.span.to(last.span)).to_owned(),
            [only] => self.sources.slice(only.span).to_owned(),
            [] => String::new(),
        };
        let all = self.defines.iter();
        all.map(|(name, define)| (name.clone(), text(define)))
            .collect()
    }

    fn file(&mut self, file: FileId) {
        let text = self.sources.get(file).text.clone();
        let mut lexer = Lexer::new(&text, file);
        let mut conditions = Vec::new();
        self.open.push(file);
        while self.out.len() < MAX_TOKENS {
            match lexer.next() {
                Lexed::Token(token) if token.kind == Kind::End => break,
                Lexed::Token(token) => self.token(token, &mut lexer),
                Lexed::Directive(span) => self.directive(span, &mut lexer, &mut conditions),
                Lexed::Wrong(span, message) => self.report.push(Diagnostic::error(span, message)),
                Lexed::UnknownDirective(span) => self.unknown_directive(span),
            }
        }
        for condition in conditions {
            let error = Diagnostic::error(condition.span, "this condition has no end");
            self.report.push(error.label("#!endif is missing"));
        }
        self.open.pop();
    }

    fn unknown_directive(&mut self, span: Span) {
        let name = self.sources.slice(span).to_owned();
        let meant = nearest(&name, super::lexer::DIRECTIVES.iter().copied());
        // Far from any, it is a comment that begins with an exclamation mark.
        if meant.is_some() {
            let message = format!("no such directive: {name}; the line is a comment");
            let warning = Diagnostic::warning(span, message).meant(meant);
            self.report.push(warning);
        }
    }

    fn token(&mut self, token: Token, lexer: &mut Lexer<'_>) {
        if let Kind::Word(word) = &token.kind
            && matches!(word.as_str(), "include_file" | "import_file")
        {
            let must_exist = word == "include_file";
            return match lexer.next() {
                Lexed::Token(Token {
                    kind: Kind::Text(path),
                    span,
                    ..
                }) => self.include(&path, span, must_exist),
                _ => self.report.push(
                    Diagnostic::error(token.span.after(), "the path of a file expected")
                        .help("the path stands in quotes: include_file \"local.cfg\""),
                ),
            };
        }
        self.expand(token, &mut Vec::new());
    }

    fn expand(&mut self, mut token: Token, using: &mut Vec<String>) {
        match &mut token.kind {
            Kind::Word(word) => {
                if let Some(define) = self.defines.get(word.as_str())
                    && !define.value.is_empty()
                {
                    let word = word.clone();
                    return self.expand_define(&word, &token, using);
                }
            }
            Kind::Text(text) => substitute::apply(&self.substitutions, text),
            _ => {}
        }
        if self.out.len() < MAX_TOKENS {
            self.emit(token);
        }
    }

    fn expand_define(&mut self, word: &str, at: &Token, using: &mut Vec<String>) {
        if using.len() >= MAX_EXPANSION || using.iter().any(|one| one == word) {
            let message = format!("the define {word} uses itself");
            self.report.push(Diagnostic::error(at.span, message));
            return;
        }
        let define = self.defines[word].clone();
        using.push(word.to_owned());
        for (index, token) in define.value.into_iter().enumerate() {
            if self.out.len() >= MAX_TOKENS {
                break;
            }
            let is_glued = if index == 0 {
                at.is_glued
            } else {
                token.is_glued
            };
            let token = Token {
                span: at.span,
                is_glued,
                ..token
            };
            self.expand(token, using);
        }
        using.pop();
    }

    /// Takes a token; a module that is loaded defines `MOD_` and its name.
    fn emit(&mut self, token: Token) {
        if let Kind::Text(path) = &token.kind
            && let Some(before) = self.out.last()
            && before.kind == Kind::Word("loadmodule".to_owned())
        {
            let name = format!("MOD_{}", super::table::module_name(path));
            let span = token.span;
            let value = Vec::new();
            self.defines.insert(name, Define { value, span });
        }
        self.out.push(token);
    }

    fn include(&mut self, path: &str, span: Span, must_exist: bool) {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("files include files more than {MAX_DEPTH} deep");
            self.report.push(Diagnostic::error(span, message));
            return;
        }
        let includer = self.sources.get(span.file).name.clone();
        let beside = match includer.rsplit_once('/') {
            Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
            _ => path.to_owned(),
        };
        // As Kamailio: from where it was started, else beside the file that includes.
        let found = (self.read)(path)
            .map(|bytes| (path.to_owned(), bytes))
            .or_else(|error| match (self.read)(&beside) {
                Ok(bytes) => Ok((beside, bytes)),
                Err(_) => Err(error),
            });
        match found {
            Ok((name, bytes)) => match self.sources.add(&name, &bytes) {
                Some(file) => self.file(file),
                None => self
                    .report
                    .push(Diagnostic::error(span, "too many files, or one is too big")),
            },
            Err(error) if must_exist => {
                let message = format!("cannot read {path}: {error}");
                let hint = "import_file goes on if the file is not there";
                self.report
                    .push(Diagnostic::error(span, message).help(hint));
            }
            Err(_) => {}
        }
    }

    /// The tokens of a define's value.
    fn lex(&mut self, value: &str, file: FileId, base: usize) -> Vec<Token> {
        let mut lexer = Lexer::within(value, file, base);
        let mut tokens = Vec::new();
        loop {
            match lexer.next() {
                Lexed::Token(token) if token.kind == Kind::End => return tokens,
                Lexed::Token(token) => tokens.push(token),
                Lexed::Wrong(span, message) => self.report.push(Diagnostic::error(span, message)),
                Lexed::Directive(_) | Lexed::UnknownDirective(_) => {}
            }
        }
    }
}
