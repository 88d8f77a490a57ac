//! From the checked tree to a program: every name becomes a number, once.
//!
//! Owns: the walk over the tree. What it says of a configuration that [`super::check`] took for good is
//! only that the host cannot do something.

mod arguments;
mod expression;
mod method;
mod settings;
mod statement;
mod variable;

use std::collections::BTreeMap;

use regex::bytes::Regex;

use super::ast::{Route, RouteKind};
use super::check::Checked;
use super::diagnostic::{Diagnostic, Report};
use super::host::Host;
use super::program::{
    self, FormatId, Op, Piece, Program, RegexId, RouteId, Stretch, SubstitutionId,
};
use super::source::{Sources, Span};
use super::transform::Substitution;
use super::value::{TextRef, Value};

/// Loops end after so many rounds, unless `max_while_loops` says something else.
const MAX_WHILE_LOOPS: i64 = 100;

/// The variables that the machine has itself, without `$`; all others are a host's.
pub const OWN_VARIABLES: &[&str] = &[
    "null", "rc", "retcode", "?", "var", "vn", "vz", "shv", "avp", "xavp", "xavu", "xavi", "sf",
    "sF", "_s", "cnt", "Ts", "TS", "Tf", "TF", "TV", "time", "utime", "def", "defn", "pp",
    "version",
];

/// Makes the program of a configuration without errors. The errors are of what this host does not have.
pub fn compile<H: Host>(checked: &Checked) -> Result<Program, Report> {
    let mut report = Report::default();
    let mut compiler = Compiler {
        functions: H::FUNCTIONS,
        host_variables: H::VARIABLES,
        prepare: H::prepare,
        sources: &checked.sources,
        report: &mut report,
        program: Program {
            max_while_loops: MAX_WHILE_LOOPS,
            ..Program::default()
        },
        texts: BTreeMap::new(),
        slots: BTreeMap::new(),
        shared: BTreeMap::new(),
        flags: BTreeMap::new(),
        defines: &checked.defines,
        chosen_avps: BTreeMap::new(),
        chosen: String::new(),
        chosen_count: String::new(),
        breaks: Vec::new(),
        is_for_requests: false,
    };
    compiler.config(&checked.config);
    let program = compiler.program;
    if report.has_errors() {
        return Err(report.finish());
    }
    Ok(program)
}

struct Compiler<'a> {
    functions: &'static [&'static str],
    host_variables: &'static [&'static str],
    prepare: fn(u16, &[u8]) -> u32,
    sources: &'a Sources,
    report: &'a mut Report,
    program: Program,
    /// Constants that are there already.
    texts: BTreeMap<Vec<u8>, TextRef>,
    /// `$var`, `$vn` and `$vz`, by their class and name.
    slots: BTreeMap<(String, String), u16>,
    shared: BTreeMap<String, u16>,
    flags: BTreeMap<&'a str, u8>,
    defines: &'a BTreeMap<String, String>,
    /// AVPs that the host answers for, and which of them.
    chosen_avps: BTreeMap<String, u16>,
    /// The XAVPs that it answers for.
    chosen: String,
    chosen_count: String,
    /// Jumps out of the loops and switches around this place, to be filled in.
    breaks: Vec<Vec<usize>>,
    /// Whether the route that is being compiled is one where transactions are made.
    is_for_requests: bool,
}

impl<'a> Compiler<'a> {
    fn config(&mut self, config: &'a super::ast::Config) {
        self.collect_flags(config);
        self.settings(config);
        let mut routes: Vec<&Route> = config.routes.iter().collect();
        routes.sort_by(|one, other| key(one).cmp(&key(other)));
        self.program.routes = routes
            .iter()
            .map(|route| program::Route {
                kind: route.kind,
                name: key(route).1.as_bytes().into(),
                entry: 0,
            })
            .collect();
        for (at, route) in routes.iter().enumerate() {
            self.program.routes[at].entry = self.here();
            self.is_for_requests = route.kind == RouteKind::Request;
            self.statements(&route.body);
            self.emit(Op::End);
        }
        self.shorten_jumps();
    }

    /// What ends `a && b && c` early goes to the end of all at once, not from one `&&` to the next.
    fn shorten_jumps(&mut self) {
        let code = &mut self.program.code;
        // They go forward: from behind, the next one is short already.
        for at in (0..code.len()).rev() {
            let next = match code[at] {
                Op::And(target) | Op::Or(target) => code[target as usize],
                _ => continue,
            };
            match (code[at], next) {
                (Op::And(_), Op::And(_)) | (Op::Or(_), Op::Or(_)) => code[at] = next,
                _ => {}
            }
        }
    }

    fn collect_flags(&mut self, config: &'a super::ast::Config) {
        for item in &config.items {
            let super::ast::Item::Flags(flags) = item else {
                continue;
            };
            for (name, number) in flags {
                let used: Vec<u8> = self.flags.values().copied().collect();
                let free = (0..=31).find(|flag| !used.contains(flag)).unwrap_or(31);
                let number = number.map_or(free, |number| number as u8);
                self.flags.insert(&name.text, number);
            }
        }
    }

    fn here(&self) -> u32 {
        self.program.code.len() as u32
    }

    fn emit(&mut self, op: Op) -> usize {
        self.program.code.push(op);
        self.program.code.len() - 1
    }

    /// Makes a jump go to the place where the code stands now.
    fn land(&mut self, jump: usize) {
        let here = self.here();
        match &mut self.program.code[jump] {
            Op::Jump(target)
            | Op::JumpUnless(target)
            | Op::JumpIf(target)
            | Op::JumpIfZero(target)
            | Op::And(target)
            | Op::Or(target)
            | Op::LoopCheck(target) => *target = here,
            _ => {}
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::error(span, message));
    }

    /// A constant text.
    fn text(&mut self, bytes: &[u8]) -> TextRef {
        if let Some(text) = self.texts.get(bytes) {
            return *text;
        }
        let text = TextRef {
            start: self.program.texts.len() as u32,
            length: bytes.len() as u32,
        };
        self.program.texts.extend_from_slice(bytes);
        self.texts.insert(bytes.to_vec(), text);
        text
    }

    fn constant(&mut self, value: Value) -> Op {
        let found = self.program.constants.iter().position(|one| *one == value);
        let at = found.unwrap_or_else(|| {
            self.program.constants.push(value);
            self.program.constants.len() - 1
        });
        Op::Constant(at as u32)
    }

    fn route(&self, kind: RouteKind, name: &str) -> Option<RouteId> {
        self.program.route(kind, name.as_bytes())
    }

    fn regex(&mut self, pattern: &str, ignores_case: bool, span: Span) -> RegexId {
        self.push_regex(super::machine::regex(pattern, ignores_case), span)
    }

    /// An expression that functions look for in messages, line by line.
    fn line_regex(&mut self, pattern: &str, span: Span) -> RegexId {
        self.push_regex(super::machine::line_regex(pattern, true), span)
    }

    fn push_regex(&mut self, regex: Result<Regex, regex::Error>, span: Span) -> RegexId {
        match regex {
            Ok(regex) => self.program.regexes.push(regex),
            Err(_) => self.error(span, "not a regular expression over bytes"),
        }
        RegexId(self.program.regexes.len().saturating_sub(1) as u16)
    }

    fn substitution(&mut self, text: &str, span: Span) -> Option<SubstitutionId> {
        let parsed = Substitution::parse(text, &mut |variable| self.variable(variable, span));
        match parsed {
            Ok(substitution) => {
                self.program.substitutions.push(substitution);
                Some(SubstitutionId(self.program.substitutions.len() as u16 - 1))
            }
            Err(message) => {
                self.error(span, message);
                None
            }
        }
    }

    /// A text with variables.
    fn format(&mut self, text: &str, span: Span) -> FormatId {
        let pieces = super::variable::pieces(text).unwrap_or_default();
        let pieces: Vec<Piece> = pieces
            .into_iter()
            .map(|piece| match piece {
                super::variable::Piece::Literal(literal) => {
                    Piece::Text(self.text(literal.as_bytes()))
                }
                super::variable::Piece::Variable(variable) => {
                    Piece::Variable(self.variable(&variable, span))
                }
            })
            .collect();
        let stretch = Stretch {
            start: self.program.pieces.len() as u32,
            length: pieces.len() as u32,
        };
        self.program.pieces.extend(pieces);
        self.program.formats.push(stretch);
        FormatId(self.program.formats.len() as u32 - 1)
    }
}

/// By which a route is found. The main route has no name; `route[0]` is it too.
fn key(route: &Route) -> (RouteKind, &str) {
    let name = route.name.as_ref().map_or("", |name| name.text.as_str());
    (route.kind, name)
}
