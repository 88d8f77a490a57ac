//! The host of routing configurations: what their functions and variables do with a message.
//!
//! Owns: the tables of functions and variables, one file a module of Kamailio. Each function is
//! small; what it does to calls and transactions is done by [`super::act`].

mod acc;
mod core_functions;
mod dispatcher;
mod kex;
mod maxfwd;
mod modules;
mod rr;
mod sanity;
mod siputils;
mod sl;
#[cfg(test)]
mod tests;
mod textops;
mod textopsx;
mod tm;
mod transaction_variables;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use super::act::Act;
use super::settings::{RelayMode, Settings};
use crate::route::ast::RouteKind;
use crate::route::host::{Argument, Host, Inner, Level, ListIndex, Outcome};
use crate::route::machine::Machine;
use crate::route::program::{Program, RouteId};
use crate::route::value::{TextRef, Value};
use crate::sip::Method;

pub use acc::Event;
pub use dispatcher::Figures;
pub use modules::ModuleSettings;

/// The built-in configuration.
pub const DEFAULT: &str = include_str!("../../config/default.cfg");

/// A program, and the routes of it that something happens to.
#[derive(Debug)]
pub struct Script {
    /// The program.
    pub program: Arc<Program>,
    /// For each request.
    pub request: Option<RouteId>,
    /// For each reply.
    pub reply: Option<RouteId>,
    /// For a destination that came back.
    pub up: Option<RouteId>,
    /// For a destination that is gone.
    pub down: Option<RouteId>,
}

impl Script {
    /// The routes of a program.
    pub fn new(program: Arc<Program>) -> Self {
        let route = |kind, name: &str| program.route(kind, name.as_bytes());
        Self {
            request: route(RouteKind::Request, ""),
            reply: route(RouteKind::Reply, ""),
            up: route(RouteKind::Event, "dispatcher:dst-up"),
            down: route(RouteKind::Event, "dispatcher:dst-down"),
            program,
        }
    }
}

/// Compiles a configuration for this host. The error says what is wrong, with places.
pub fn compile(
    path: &str,
    defines: &[String],
    read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Program, String> {
    let checked = crate::route::check(path, defines, read)?;
    if checked.report.has_errors() {
        return Err(checked.report.render(&checked.sources, false));
    }
    crate::route::compile::<Act<'static>>(&checked)
        .map_err(|report| report.render(&checked.sources, false))
}

/// The built-in configuration, filled in with what the settings say.
pub fn built_in(settings: &Settings) -> Result<Program, String> {
    let failover = &settings.failover;
    let codes: Vec<String> = failover.codes.iter().map(u16::to_string).collect();
    let mut defines = vec![
        format!("DISPATCH_SET={}", settings.set),
        format!("DISPATCH_ALGORITHM={}", settings.algorithm),
        format!("MAX_BRANCHES={}", failover.max_branches),
        format!("NEXT_AFTER_MS={}", failover.no_answer.as_millis()),
        format!("FAILOVER_CODES=\"^({})$\"", codes.join("|")),
    ];
    if settings.relay == RelayMode::Stateless {
        defines.push("STATELESS".to_owned());
    }
    compile("default.cfg", &defines, &|path| match path {
        "default.cfg" => Ok(DEFAULT.as_bytes().to_vec()),
        other => Err(format!("{other}: the built-in configuration is one file")),
    })
}

/// What a function does.
type Call = fn(&mut Act<'_>, &[Argument], &mut Machine) -> Outcome;
/// How a variable is read.
type Get = fn(&mut Act<'_>, Inner, ListIndex, &mut Machine) -> Value;
/// How a variable is set; false if it cannot be.
type Set = fn(&mut Act<'_>, Inner, ListIndex, Value, &mut Machine) -> bool;

/// A function.
#[derive(Clone, Copy)]
struct Function {
    name: &'static str,
    call: Call,
}

/// A variable.
#[derive(Clone, Copy)]
struct Variable {
    name: &'static str,
    get: Get,
    set: Option<Set>,
}

const fn function(name: &'static str, call: Call) -> Function {
    Function { name, call }
}

const fn variable(name: &'static str, get: Get) -> Variable {
    Variable {
        name,
        get,
        set: None,
    }
}

const fn writable(name: &'static str, get: Get, set: Set) -> Variable {
    Variable {
        name,
        get,
        set: Some(set),
    }
}

const FUNCTION_GROUPS: &[&[Function]] = &[
    acc::FUNCTIONS,
    core_functions::FUNCTIONS,
    dispatcher::FUNCTIONS,
    kex::FUNCTIONS,
    maxfwd::FUNCTIONS,
    rr::FUNCTIONS,
    sanity::FUNCTIONS,
    siputils::FUNCTIONS,
    siputils::TEXTS,
    siputils::URIS,
    sl::FUNCTIONS,
    textops::FUNCTIONS,
    textops::BODIES,
    textops::HEADERS,
    textops::REPLACE,
    textopsx::FUNCTIONS,
    tm::FUNCTIONS,
];

const VARIABLE_GROUPS: &[&[Variable]] = &[
    dispatcher::VARIABLES,
    transaction_variables::VARIABLES,
    variables::VARIABLES,
    variables::ADDRESSES,
    variables::BRANCHES,
    variables::CREDENTIALS,
    variables::HEADERS,
    variables::PARTIES,
];

/// Joins groups of rows to one table, and takes their names.
macro_rules! joined {
    ($groups:ident, $rows:ident, $names:ident, $row:ty) => {
        const $rows: [$row; {
            let mut count = 0;
            let mut group = 0;
            while group < $groups.len() {
                count += $groups[group].len();
                group += 1;
            }
            count
        }] = {
            let mut rows = [$groups[0][0]; _];
            let (mut at, mut group) = (0, 0);
            while group < $groups.len() {
                let mut row = 0;
                while row < $groups[group].len() {
                    rows[at] = $groups[group][row];
                    at += 1;
                    row += 1;
                }
                group += 1;
            }
            rows
        };
        const $names: [&str; $rows.len()] = {
            let mut names = [""; $rows.len()];
            let mut at = 0;
            while at < names.len() {
                names[at] = $rows[at].name;
                at += 1;
            }
            names
        };
    };
}

joined!(FUNCTION_GROUPS, FUNCTION_ROWS, FUNCTION_NAMES, Function);
joined!(VARIABLE_GROUPS, VARIABLE_ROWS, VARIABLE_NAMES, Variable);

static FUNCTIONS: &[Function] = &FUNCTION_ROWS;
static VARIABLES: &[Variable] = &VARIABLE_ROWS;

impl Host for Act<'_> {
    const FUNCTIONS: &'static [&'static str] = &FUNCTION_NAMES;
    const VARIABLES: &'static [&'static str] = &VARIABLE_NAMES;

    fn prepare(variable: u16, inner: &[u8]) -> u32 {
        variables::prepare(VARIABLE_NAMES[usize::from(variable)], inner)
    }

    fn method(&self) -> Option<Method> {
        match self.request {
            Some(request) => Some(request.method),
            None => self.message.cseq().ok().map(|cseq| cseq.method),
        }
    }

    fn call(&mut self, function: u16, arguments: &[Argument], machine: &mut Machine) -> Outcome {
        (FUNCTIONS[usize::from(function)].call)(self, arguments, machine)
    }

    fn get(
        &mut self,
        variable: u16,
        inner: Inner,
        index: ListIndex,
        machine: &mut Machine,
    ) -> Value {
        (VARIABLES[usize::from(variable)].get)(self, inner, index, machine)
    }

    fn set(
        &mut self,
        variable: u16,
        inner: Inner,
        index: ListIndex,
        value: Value,
        machine: &mut Machine,
    ) -> bool {
        match VARIABLES[usize::from(variable)].set {
            Some(set) => self.draft.has_room() && set(self, inner, index, value, machine),
            None => false,
        }
    }

    fn unix_time(&mut self) -> Duration {
        self.core.unix_time(self.now)
    }

    fn is_logged(&mut self, level: Level) -> bool {
        level <= self.core.settings.log_level
    }

    fn log(&mut self, level: Level, line: &[u8]) {
        self.out.log(level, line);
    }
}

/// The n-th argument as a number.
fn number(arguments: &[Argument], at: usize) -> Option<i64> {
    arguments.get(at).and_then(|argument| argument.number())
}

/// The n-th argument as a text.
fn text(arguments: &[Argument], at: usize) -> Option<TextRef> {
    arguments.get(at).and_then(|argument| argument.text())
}

/// The bytes of the n-th argument; those of a variable without value are what Kamailio has for it.
fn shown<'a>(arguments: &[Argument], at: usize, machine: &'a Machine) -> Option<&'a [u8]> {
    match arguments.get(at)? {
        Argument::Null => Some(b"<null>"),
        argument => Some(machine.bytes(argument.text()?)),
    }
}

/// Whether the n-th argument was given.
fn is_given(arguments: &[Argument], at: usize) -> bool {
    arguments
        .get(at)
        .is_some_and(|argument| !argument.is_missing())
}

/// Bytes as a value.
fn text_value(machine: &mut Machine, bytes: &[u8]) -> Value {
    Value::Text(machine.text(bytes))
}
