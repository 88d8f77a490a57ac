//! Words, numbers, texts and signs of the language, from one file's characters.
//!
//! Owns: what a token is, comments, escapes in texts, and how far a pseudo-variable reaches. Lines
//! for the preprocessor are handed out as they are; [`super::preprocess`] obeys them.

mod text;

use super::source::{FileId, Span};
pub(super) use text::position;

/// A token and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; a token out of a `#!define` stands where its name was used.
    pub span: Span,
    /// Whether nothing, not even a blank, is between it and the token before.
    pub is_glued: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name or keyword.
    Word(String),
    /// A whole number, without sign.
    Number(i64),
    /// A text in quotes, with its escapes undone.
    Text(String),
    /// A pseudo-variable as written, with its `$`.
    Variable(String),
    /// An IP address; IPv6 with its brackets.
    Address(String),
    /// Any other sign.
    Sign(&'static str),
    /// Nothing more.
    End,
}

impl Kind {
    /// The token as it may be written, for messages and for addresses of several tokens.
    pub fn text(&self) -> String {
        match self {
            Self::Word(text) | Self::Variable(text) | Self::Address(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Sign(sign) => (*sign).to_owned(),
            Self::End => "end of file".to_owned(),
        }
    }
}

/// What comes next in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexed {
    /// A token.
    Token(Token),
    /// A line for the preprocessor: from its name, without `#!`, to its end.
    Directive(Span),
    /// Characters that are no token.
    Wrong(Span, &'static str),
    /// A name after `#!` or `!!` that is no directive; the rest of the line is a comment.
    UnknownDirective(Span),
}

/// Longer signs stand before those that they begin with.
const SIGNS: &[&str] = &[
    "||", "&&", "==", "!=", "=~", "!~", "<<", ">>", "<=", ">=", "+=", "=>", "=", "<", ">", "!",
    "~", "|", "&", "^", "+", "-", "*", "/", "%", "(", ")", "{", "}", "[", "]", ",", ";", ":", ".",
    "@", "?",
];

/// Parentheses in a pseudo-variable nest no deeper: who reads it calls itself.
const MAX_NESTED_VARIABLES: usize = 16;

/// What may stand after `#!`, besides KAMAILIO and its like on the first line.
pub(super) const DIRECTIVES: &[&str] = &[
    "define",
    "def",
    "trydefine",
    "trydef",
    "redefine",
    "redef",
    "ifdef",
    "ifndef",
    "ifexp",
    "else",
    "endif",
    "subst",
    "substdef",
    "substdefs",
    "defenv",
    "defenvs",
    "trydefenv",
    "trydefenvs",
    "defexp",
    "defexps",
    "include_file",
    "import_file",
    "KAMAILIO",
    "OPENSER",
    "SER",
    "MAXCOMPAT",
    "ALL",
];

/// Reads one file.
#[derive(Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    file: FileId,
    at: usize,
    /// Where the text begins in its file.
    base: usize,
}

impl<'a> Lexer<'a> {
    /// From the beginning of a file.
    pub fn new(text: &'a str, file: FileId) -> Self {
        Self::within(text, file, 0)
    }

    /// A part of a file that begins at `base`.
    pub fn within(text: &'a str, file: FileId, base: usize) -> Self {
        Self {
            text,
            file,
            at: 0,
            base,
        }
    }

    /// What comes next; at the end, [`Kind::End`] for ever.
    pub fn next(&mut self) -> Lexed {
        let before = self.at;
        loop {
            self.skip_blanks();
            let rest = self.rest();
            if rest.starts_with("#!") || rest.starts_with("!!") {
                if let Some(found) = self.directive() {
                    return found;
                }
            } else if rest.starts_with('#') || rest.starts_with("//") {
                self.at += line_length(rest);
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return self.rest_is_wrong(2, "this comment has no end: */ is missing"),
                }
            } else {
                break;
            }
        }
        let is_glued = before == self.at && before > 0;
        self.token(is_glued)
    }

    /// Goes to the next line that begins with a directive, over whatever is there.
    pub fn next_directive(&mut self) -> Option<Span> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
            let line = &rest[blanks..];
            if line.starts_with("#!") || line.starts_with("!!") {
                self.at += blanks;
                if let Some(Lexed::Directive(span)) = self.directive() {
                    return Some(span);
                }
            }
            let rest = self.rest();
            let Some(end) = rest.find('\n') else {
                self.at = self.text.len();
                return None;
            };
            self.at += end + 1;
        }
    }

    /// A directive at this place. `None` after `!!` with no directive: two signs.
    fn directive(&mut self) -> Option<Lexed> {
        let start = self.at + 2;
        let name: &str = {
            let rest = &self.text[start..];
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            &rest[..end]
        };
        let is_known = DIRECTIVES.contains(&name);
        if !is_known && self.rest().starts_with("!!") {
            return Some(self.first_sign());
        }
        let end = start + directive_length(&self.text[start..]);
        self.at = end;
        if is_known {
            return Some(Lexed::Directive(self.span(start, end)));
        }
        if name.is_empty() {
            return None;
        }
        let name = self.span(start, start + name.len());
        Some(Lexed::UnknownDirective(name))
    }

    /// The first of two signs.
    fn first_sign(&mut self) -> Lexed {
        let start = self.at;
        self.at += 1;
        Lexed::Token(Token {
            kind: Kind::Sign("!"),
            span: self.span(start, self.at),
            is_glued: false,
        })
    }

    fn token(&mut self, is_glued: bool) -> Lexed {
        let start = self.at;
        let rest = self.rest();
        let kind = match rest.chars().next() {
            None => Kind::End,
            Some('"') => match text::quoted(rest) {
                Ok((value, length)) => {
                    self.at += length;
                    Kind::Text(value)
                }
                Err((length, message)) => return self.rest_is_wrong(length, message),
            },
            Some('\'') => match rest[1..].find('\'') {
                Some(end) => {
                    self.at += end + 2;
                    Kind::Text(rest[1..=end].to_owned())
                }
                None => return self.rest_is_wrong(1, "this text has no end: ' is missing"),
            },
            Some('$') => match variable_length(rest) {
                Ok(length) => {
                    self.at += length;
                    Kind::Variable(rest[..length].to_owned())
                }
                Err((length, message)) => return self.wrong(length, message),
            },
            Some('[') if bracketed_address(rest).is_some() => {
                self.take(bracketed_address(rest).unwrap_or(1), Kind::Address)
            }
            Some(digit) if digit.is_ascii_digit() => match number(rest) {
                Ok((kind, length)) => {
                    self.at += length;
                    kind
                }
                Err((length, message)) => return self.wrong(length, message),
            },
            Some(letter) if is_word(letter) => {
                let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                self.take(length, Kind::Word)
            }
            Some(other) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Kind::Sign(sign)
                }
                None => return self.wrong(other.len_utf8(), "no part of the language"),
            },
        };
        let span = self.span(start, self.at);
        Lexed::Token(Token {
            kind,
            span,
            is_glued,
        })
    }

    fn take(&mut self, length: usize, kind: fn(String) -> Kind) -> Kind {
        let taken = kind(self.rest()[..length].to_owned());
        self.at += length;
        taken
    }

    fn wrong(&mut self, length: usize, message: &'static str) -> Lexed {
        let start = self.at;
        self.at += length;
        Lexed::Wrong(self.span(start, self.at), message)
    }

    /// What begins here has no end; the file is used up.
    fn rest_is_wrong(&mut self, length: usize, message: &'static str) -> Lexed {
        let span = self.span(self.at, self.at + length);
        self.at = self.text.len();
        Lexed::Wrong(span, message)
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        let blanks = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{feff}');
        self.at += rest.len() - blanks.len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: (self.base + start) as u32,
            end: (self.base + end) as u32,
        }
    }
}

/// Whether a name may have it.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// To the end of the line; a backslash at the end goes on with the next line.
fn directive_length(rest: &str) -> usize {
    let mut at = 0;
    loop {
        let line = line_length(&rest[at..]);
        let goes_on = rest[at..at + line].trim_end_matches('\r').ends_with('\\');
        at += line;
        if !goes_on || at >= rest.len() {
            return at;
        }
        at += 1;
    }
}

/// The length of a pseudo-variable, which begins with `$`: `$ru`, `$hdr(x)`, `$(ru{s.len})`.
pub(super) fn variable_length(text: &str) -> Result<usize, (usize, &'static str)> {
    let after = &text[1..];
    if after.starts_with('?') {
        return Ok(2);
    }
    let name = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
    let rest = &after[name..];
    if rest.starts_with('(') {
        return match closing(rest) {
            Ok(length) => Ok(1 + name + length),
            Err(message) => Err((1 + name + 1, message)),
        };
    }
    if name == 0 {
        return Err((
            1,
            "a pseudo-variable has a name: $ru, $hdr(Call-ID), $(ru{s.len})",
        ));
    }
    Ok(1 + name)
}

/// The length of what stands between balanced parentheses, with them; it does not leave its line.
fn closing(rest: &str) -> Result<usize, &'static str> {
    let mut depth = 0_usize;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' if depth == MAX_NESTED_VARIABLES => return Err("nested too deep"),
            b'(' => depth += 1,
            b')' if depth == 1 => return Ok(at + 1),
            b')' => depth -= 1,
            b'\n' => break,
            _ => {}
        }
    }
    Err("this parenthesis is not closed")
}

/// The length of an IPv6 address with its brackets.
fn bracketed_address(rest: &str) -> Option<usize> {
    let end = rest.find(']')?;
    let inner = rest.get(1..end)?;
    inner.parse::<std::net::Ipv6Addr>().ok()?;
    Some(end + 1)
}

/// A number, an IPv4 address, or what is neither.
fn number(rest: &str) -> Result<(Kind, usize), (usize, &'static str)> {
    let dotted = |c: char| c.is_ascii_digit() || c == '.';
    let length = rest.find(|c| !dotted(c)).unwrap_or(rest.len());
    if rest[..length].parse::<std::net::Ipv4Addr>().is_ok() {
        return Ok((Kind::Address(rest[..length].to_owned()), length));
    }
    let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    let word = &rest[..length];
    let parsed = if let Some(hex) = word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16)
    } else if word.len() > 1 && word.starts_with('0') {
        i64::from_str_radix(word, 8)
    } else {
        word.parse()
    };
    match parsed {
        Ok(number) => Ok((Kind::Number(number), length)),
        // Names of routes and hosts may begin with a digit.
        Err(_) if word.bytes().any(|byte| byte.is_ascii_alphabetic()) => {
            Ok((Kind::Word(word.to_owned()), length))
        }
        Err(_) => Err((length, "not a number: too big, or 8 or 9 in an octal one")),
    }
}
