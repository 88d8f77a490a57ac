//! What stands outside of routes, and the heads of routes.

use super::{Failed, Parsed, Parser};
use crate::route::ast::{Config, Item, Listen, Route, RouteKind, Value, Word};
use crate::route::diagnostic::Diagnostic;
use crate::route::lexer::Kind;
use crate::route::nearest::nearest;
use crate::route::source::Span;

/// How routes begin.
const ROUTES: &[(&str, RouteKind)] = &[
    ("route", RouteKind::Request),
    ("request_route", RouteKind::Request),
    ("branch_route", RouteKind::Branch),
    ("onreply_route", RouteKind::Reply),
    ("reply_route", RouteKind::Reply),
    ("failure_route", RouteKind::Failure),
    ("event_route", RouteKind::Event),
    ("onsend_route", RouteKind::Send),
];

/// Other words that begin an item.
const ITEMS: &[&str] = &[
    "loadmodule",
    "modparam",
    "flags",
    "include_file",
    "import_file",
];

/// Words that are numbers.
pub(super) fn truth(word: &str) -> Option<i64> {
    match word {
        "yes" | "on" | "true" | "enable" => Some(1),
        "no" | "off" | "false" | "disable" => Some(0),
        _ => None,
    }
}

impl Parser<'_> {
    pub(super) fn config(&mut self) -> Config {
        let mut config = Config::default();
        while !self.is_end() {
            let before = self.at;
            if self.take_sign(";") {
                continue;
            }
            let done = match self.route_kind() {
                Some(kind) => self.route(kind).map(|route| config.routes.push(route)),
                None => self.item().map(|item| config.items.push(item)),
            };
            if done.is_err() {
                self.recover(before);
            }
        }
        config
    }

    fn route_kind(&self) -> Option<RouteKind> {
        let word = self.word()?;
        let found = ROUTES.iter().find(|(keyword, _)| *keyword == word);
        found.map(|(_, kind)| *kind)
    }

    fn route(&mut self, kind: RouteKind) -> Parsed<Route> {
        let start = self.advance().span;
        let name = if self.is_sign("[") {
            Some(self.route_name()?)
        } else {
            None
        };
        let span = start.to(self.last_span());
        if kind == RouteKind::Event && name.is_none() {
            let error = Diagnostic::error(span, "an event route names its event")
                .help("event_route[dispatcher:dst-down] { ... }");
            self.fail(error);
        }
        let body = self.block()?;
        Ok(Route {
            kind,
            name,
            span,
            body,
        })
    }

    /// `[NAME]`, `["NAME"]`, `[module:event]`
    fn route_name(&mut self) -> Parsed<Word> {
        self.expect_sign("[")?;
        let name = match self.text() {
            Some(text) => Word {
                text: text.value,
                span: text.span,
            },
            None => self.plain_route_name()?,
        };
        self.expect_sign("]")?;
        Ok(name)
    }

    fn plain_route_name(&mut self) -> Parsed<Word> {
        let (mut text, mut span) = (String::new(), self.span());
        loop {
            match self.kind() {
                Kind::Word(_) | Kind::Number(_) | Kind::Sign(":" | "-" | "." | "/" | "=>") => {
                    let token = self.advance();
                    text.push_str(&token.kind.text());
                    span = span.to(token.span);
                }
                _ if text.is_empty() => return Err(self.expected("the name of a route expected")),
                _ => return Ok(Word { text, span }),
            }
        }
    }

    fn item(&mut self) -> Parsed<Item> {
        let Some(word) = self.word() else {
            return Err(self.expected("a parameter, a module or a route expected"));
        };
        match word {
            "loadmodule" => {
                self.advance();
                let is_in_parentheses = self.take_sign("(");
                let path = self.expect_text("the name of a module")?;
                if is_in_parentheses {
                    self.expect_sign(")")?;
                }
                Ok(Item::LoadModule(path))
            }
            "modparam" => self.modparam(),
            "flags" if !self.sign_ahead(1, "=") => self.flags(),
            "mpath" | "loadpath" => {
                self.advance();
                self.take_sign("=");
                self.expect_text("a path").map(Item::ModulePath)
            }
            "listen" if self.sign_ahead(1, "=") => self.listen().map(Item::Listen),
            _ => self.setting(),
        }
    }

    fn modparam(&mut self) -> Parsed<Item> {
        self.advance();
        self.expect_sign("(")?;
        let modules = self.expect_text("the name of a module")?;
        self.expect_sign(",")?;
        let name = self.expect_text("the name of a parameter")?;
        self.expect_sign(",")?;
        let value = self.value()?;
        self.expect_sign(")")?;
        Ok(Item::ModParam {
            modules,
            name,
            value,
        })
    }

    fn flags(&mut self) -> Parsed<Item> {
        self.advance();
        let mut flags = Vec::new();
        loop {
            let name = match self.kind() {
                Kind::Word(text) | Kind::Text(text) => Word {
                    text: text.clone(),
                    span: self.advance().span,
                },
                _ => return Err(self.expected("the name of a flag expected")),
            };
            let mut number = None;
            if self.take_sign(":") {
                number = self.number();
                if number.is_none() {
                    return Err(self.expected("the number of a flag expected"));
                }
            }
            flags.push((name, number));
            if !self.take_sign(",") {
                return Ok(Item::Flags(flags));
            }
        }
    }

    fn listen(&mut self) -> Parsed<Listen> {
        self.advance();
        self.advance();
        let address = self.address()?;
        let advertise = if self.take_word("advertise") {
            Some(self.address()?)
        } else {
            None
        };
        let name = if self.is_word("name") && !self.sign_ahead(1, "=") {
            self.advance();
            Some(self.expect_text("the name of a socket")?)
        } else {
            None
        };
        self.take_word("virtual");
        Ok(Listen {
            address,
            advertise,
            name,
        })
    }

    /// `udp:127.0.0.1:5060`, in quotes or not.
    fn address(&mut self) -> Parsed<Word> {
        let Some(text) = self.text() else {
            return match self.glued() {
                Some(address) => Ok(address),
                None => Err(self.expected("an address expected, such as udp:192.0.2.1:5060")),
            };
        };
        let mut address = Word {
            text: text.value,
            span: text.span,
        };
        // A port may stand behind the quotes.
        if self.is_sign(":")
            && self.token().is_glued
            && let Some(port) = self.glued()
        {
            address.text.push_str(&port.text);
            address.span = address.span.to(port.span);
        }
        Ok(address)
    }

    /// `name = value` and `group.name = value desc "..."`.
    fn setting(&mut self) -> Parsed<Item> {
        let first = self.advance();
        let mut name = Word {
            text: first.kind.text(),
            span: first.span,
        };
        let is_custom = self.is_sign(".");
        if self.take_sign(".") {
            let Some(second) = self.word() else {
                return Err(self.expected("the name of a parameter expected"));
            };
            name.text = format!("{}.{second}", name.text);
            name.span = name.span.to(self.advance().span);
        }
        if !self.is_sign("=") {
            return Err(self.no_item(&name));
        }
        self.advance();
        let value = self.value()?;
        if is_custom {
            if self.take_word("desc") || self.take_word("description") {
                self.expect_text("a description")?;
            }
            return Ok(Item::Custom { name, value });
        }
        Ok(Item::Setting { name, value })
    }

    /// A word at the outermost level that begins nothing.
    fn no_item(&mut self, name: &Word) -> Failed {
        let known = ROUTES.iter().map(|(keyword, _)| *keyword);
        let meant = nearest(&name.text, known.chain(ITEMS.iter().copied()));
        let message = format!(
            "a parameter, a module or a route expected, found {}",
            name.text
        );
        let error = Diagnostic::error(name.span, message).meant(meant);
        let error = if meant.is_none() && self.is_sign("(") {
            error.help("statements stand in a route: request_route { ... }")
        } else {
            error
        };
        self.fail(error)
    }

    fn value(&mut self) -> Parsed<Value> {
        let start = self.span();
        if self.take_sign("-") {
            return match self.number() {
                Some(number) => Ok(Value::Number(-number, start.to(self.last_span()))),
                None => Err(self.expected("a number expected")),
            };
        }
        if let Some(text) = self.text() {
            return Ok(Value::Text(text));
        }
        let is_alone = |parser: &Self| !parser.ahead(1).is_glued || !parser.sign_ahead(1, ":");
        if let Kind::Number(number) = self.kind()
            && is_alone(self)
        {
            self.advance();
            return Ok(Value::Number(*number, start));
        }
        match self.glued() {
            Some(word) => Ok(match truth(&word.text) {
                Some(number) => Value::Number(number, word.span),
                None => Value::Word(word),
            }),
            None => Err(self.expected("a value expected")),
        }
    }

    /// Goes on behind a fault: at the next line that begins an item, outside of braces.
    fn recover(&mut self, before: usize) {
        if self.at == before {
            self.advance();
        }
        let mut depth = 0_usize;
        while !self.is_end() {
            match self.kind() {
                Kind::Sign("{") => depth += 1,
                Kind::Sign("}") => depth = depth.saturating_sub(1),
                Kind::Word(_) if depth == 0 && self.begins_line() && self.begins_item() => return,
                // A route at the begin of a line is one, whatever braces are missing before it.
                Kind::Word(_) if self.begins_line() && self.begins_route() => return,
                _ => {}
            }
            self.advance();
        }
    }

    fn begins_item(&self) -> bool {
        let Some(word) = self.word() else {
            return false;
        };
        ITEMS.contains(&word)
            || self.begins_route()
            || self.sign_ahead(1, "=") && !self.sign_ahead(2, "=")
            || word == "mpath"
    }

    /// `route[NAME] {` or `request_route {`: not a call of a route.
    pub(super) fn begins_route(&self) -> bool {
        self.route_kind().is_some() && (self.sign_ahead(1, "[") || self.sign_ahead(1, "{"))
    }

    /// From `start` to the token before.
    pub(super) fn since(&self, start: Span) -> Span {
        start.to(self.last_span())
    }
}
