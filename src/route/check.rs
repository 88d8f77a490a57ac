//! Judges a configuration against the tables: every name is known, every call fits, every route is
//! there. What sipshard cannot do is an error here, never a surprise at a call.
//!
//! Owns: the walk over the tree, and what is known of the whole configuration: loaded modules, routes,
//! flags, parameters.

mod arguments;
mod items;
mod lints;
mod statements;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Config, Route, RouteKind, Text, Word};
use super::diagnostic::{Diagnostic, Report};
use super::lexer::{Kind, Token, position};
use super::nearest::nearest;
use super::parser;
use super::preprocess::Preprocessor;
use super::source::{ReadFile, Sources, Span};
use super::table;

/// A configuration that was looked at.
#[derive(Debug)]
pub struct Checked {
    /// Its files.
    pub sources: Sources,
    /// Its tree, as far as it could be read.
    pub config: Config,
    /// What was said.
    pub report: Report,
    /// What its defines stand for at its end.
    pub defines: BTreeMap<String, String>,
}

/// Reads a configuration and all that it includes, and judges it. `defines` are those of the command
/// line, `NAME` or `NAME=VALUE`. The error is that of the file itself, if it cannot be read.
pub fn check(path: &str, defines: &[String], read: ReadFile<'_>) -> Result<Checked, String> {
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let (tokens, defines) = {
        let mut preprocessor = Preprocessor::new(&mut sources, &mut report, read);
        for define in defines {
            preprocessor.define_text(define);
        }
        let tokens = preprocessor.run(path)?;
        (tokens, preprocessor.definitions())
    };
    let config = parser::parse(&tokens, &sources, &mut report);
    warn_of_line_breaks(&tokens, &sources, &mut report);
    let mut checker = Checker {
        sources: &sources,
        config: &config,
        report: &mut report,
        modules: BTreeMap::new(),
        parameters: BTreeMap::new(),
        routes: BTreeMap::new(),
        flags: BTreeSet::new(),
        kind: RouteKind::Request,
    };
    checker.run(read);
    Ok(Checked {
        sources,
        report: report.finish(),
        config,
        defines,
    })
}

/// A text in quotes that goes over lines is legal, and mostly a hard line wrap.
fn warn_of_line_breaks(tokens: &[Token], sources: &Sources, report: &mut Report) {
    for token in tokens {
        let literal = sources.slice(token.span);
        if matches!(token.kind, Kind::Text(_))
            && literal.starts_with(['"', '\''])
            && literal.contains('\n')
        {
            let warning = Diagnostic::warning(token.span, "a line break inside of a text")
                .label("it becomes a part of the text")
                .help("if a hard line wrap broke the text, join the lines")
                .help("texts in a row are one: \"first \" \"second\"");
            report.push(warning);
        }
    }
}

struct Checker<'a> {
    sources: &'a Sources,
    config: &'a Config,
    report: &'a mut Report,
    /// Modules that were loaded, those too that sipshard does not have.
    modules: BTreeMap<&'a str, Span>,
    /// Module parameters that were set: the last value of a name counts.
    parameters: BTreeMap<(&'static str, &'static str), &'a super::ast::Value>,
    routes: BTreeMap<(RouteKind, &'a str), &'a Route>,
    flags: BTreeSet<&'a str>,
    /// The kind of the route that is looked at.
    kind: RouteKind,
}

impl<'a> Checker<'a> {
    fn run(&mut self, read: ReadFile<'_>) {
        let config = self.config;
        for item in &config.items {
            self.item(item);
        }
        for route in &config.routes {
            self.collect_route(route);
        }
        if !self.routes.contains_key(&(RouteKind::Request, "")) {
            self.warn_of_no_route();
        }
        for route in &config.routes {
            self.kind = route.kind;
            self.statements(&route.body);
        }
        self.lints(read);
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::error(span, message));
    }

    fn collect_route(&mut self, route: &'a Route) {
        let name = route.name.as_ref().map_or("", |name| name.text.as_str());
        match route.kind {
            RouteKind::Event => self.event(route, name),
            RouteKind::Send => {
                let message = "onsend_route is not supported";
                let help = "branch_route runs for each branch before it leaves";
                let error = Diagnostic::error(route.span, message).help(help);
                self.report.push(error);
            }
            RouteKind::Branch | RouteKind::Failure if name.is_empty() => {
                let keyword = route.kind.keyword();
                let error = Diagnostic::error(route.span, format!("{keyword} without a name"));
                let help = format!("{keyword}[NAME] is armed by a call for a transaction");
                self.report.push(error.help(help));
            }
            _ => {}
        }
        if let Some(before) = self.routes.get(&(route.kind, name)) {
            let error = Diagnostic::error(route.span, "this route is there already");
            let error = error.related(before.span, "here");
            self.report.push(error);
            return;
        }
        self.routes.insert((route.kind, name), route);
    }

    fn event(&mut self, route: &'a Route, name: &str) {
        const EVENTS: [&str; 2] = ["dispatcher:dst-down", "dispatcher:dst-up"];
        if name.is_empty() || EVENTS.contains(&name) {
            return;
        }
        let span = route.name.as_ref().map_or(route.span, |name| name.span);
        let error = Diagnostic::error(span, format!("no such event: {name}"))
            .meant(nearest(name, EVENTS))
            .help(format!("there are {}", EVENTS.join(" and ")));
        self.report.push(error);
    }

    fn warn_of_no_route(&mut self) {
        // The main file is the first that is not of the command line.
        let Some(span) = self.config.routes.first().map(|route| route.span) else {
            return;
        };
        let warning = Diagnostic::warning(span, "there is no request_route");
        self.report.push(
            warning
                .label("nothing calls this one")
                .help("requests begin in request_route { ... }, which is route { ... } too"),
        );
    }

    /// A part of a text's value in the file.
    fn within(&self, text: &Text, range: std::ops::Range<usize>) -> Span {
        let part = text.parts.iter().rev().find(|(at, _)| *at <= range.start);
        let Some((at, span)) = part else {
            return text.span;
        };
        let literal = self.sources.slice(*span);
        if !literal.starts_with(['"', '\'']) {
            // Out of a define or a substitution: there is no such place.
            return *span;
        }
        let place = |index: usize| span.start + position(literal, index - at) as u32;
        let (start, end) = (place(range.start), place(range.end.max(range.start)));
        if end > span.end || start > end {
            return *span;
        }
        Span {
            start,
            end,
            ..*span
        }
    }

    /// The route that a constant names, or an error.
    fn route_named(&mut self, kind: RouteKind, name: &str, span: Span) {
        if let Some(message) = self.lost_route(kind, name) {
            self.no_route(Diagnostic::error(span, message), kind, name);
        }
    }

    /// The route that is armed by a constant, or a warning: Kamailio starts with it too.
    fn armed_route_named(&mut self, kind: RouteKind, name: &str, span: Span) {
        if let Some(message) = self.lost_route(kind, name) {
            let warning =
                Diagnostic::warning(span, message).label("nothing runs, here as in Kamailio");
            self.no_route(warning, kind, name);
        }
    }

    /// What there is to say if there is no such route.
    fn lost_route(&self, kind: RouteKind, name: &str) -> Option<String> {
        let is_there = self.routes.contains_key(&(kind, name));
        (!is_there).then(|| format!("there is no {}[{name}]", kind.keyword()))
    }

    fn no_route(&mut self, mut said: Diagnostic, kind: RouteKind, name: &str) {
        let of_kind = self.routes.keys().filter(|(of, _)| *of == kind);
        let meant = nearest(name, of_kind.map(|(_, name)| *name));
        let other = self.routes.iter().find(|((_, other), _)| *other == name);
        if let Some(((of, _), route)) = other {
            let label = format!("this is {}[{name}], another kind", of.keyword());
            said = said.related(route.span, label);
        }
        self.report.push(said.meant(meant));
    }

    fn is_loaded(&self, modules: &[&str]) -> bool {
        modules.is_empty() || modules.iter().any(|name| self.modules.contains_key(name))
    }

    /// Says that a function is not there, and what would help.
    fn unknown_function(&mut self, name: &Word) {
        let error = Diagnostic::error(name.span, format!("no such function: {}", name.text));
        let error = match table::module_of(&name.text) {
            Some("") => error.label("a function of Kamailio's core that sipshard does not have"),
            Some(module) if table::module(module).is_some() => error.label(format!(
                "a function of Kamailio's module {module} that sipshard does not have"
            )),
            Some(module) => error.label(format!(
                "a function of Kamailio's module {module}, which sipshard does not have"
            )),
            None => error.meant(nearest(
                &name.text,
                table::functions().map(|function| function.name),
            )),
        };
        self.report.push(error);
    }
}
