//! The tables of the language: every function, pseudo-variable, core parameter, module and module
//! parameter. The checker, `--explain` and the tests read them; there is no other place for a name.

mod core_functions;
mod core_parameters;
mod dispatcher;
mod elsewhere;
mod functions;
mod modules;
#[cfg(test)]
mod tests;
mod texts;
mod variables;

use std::fmt;

use super::ast::RouteKind;
pub use core_parameters::{CORE_PARAMETERS, CoreParameter, Effect, ValueKind};
pub use dispatcher::DISPATCHER;
pub use elsewhere::{is_elsewhere, module_of};
pub use modules::{MODULES, Module, ModuleParameter, Support, module, module_name};
pub use variables::{
    InnerKind, TRANSFORMATIONS, Transformer, VARIABLES, VariableRow, transformer, variable,
};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The modules that provide it, the usual one first; none: it is always there.
    pub modules: &'static [&'static str],
    /// What it must be given.
    pub required: &'static [Argument],
    /// What it may be given too.
    pub optional: &'static [Argument],
    /// Where it may be called.
    pub routes: Routes,
    /// What it does, in one line.
    pub help: &'static str,
}

/// What a function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name, for messages.
    pub name: &'static str,
    /// What it may be.
    pub kind: ArgumentKind,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A whole number, also in quotes, or a variable that holds one.
    Int,
    /// A text; pseudo-variables in it are replaced.
    Text,
    /// A text as it is.
    Plain,
    /// The name of a header, as it is.
    Header,
    /// A regular expression.
    Regex,
    /// `/expression/text/flags`
    Substitution,
    /// Methods with `|` between them.
    Methods,
    /// The name of a `failure_route`.
    FailureRoute,
    /// The name of an `onreply_route`.
    ReplyRoute,
    /// The name of a `branch_route`.
    BranchRoute,
    /// A pseudo-variable that is read.
    Variable,
    /// A pseudo-variable that is set.
    Out,
    /// A flag: its number, or its name of a `flags` line.
    Flag,
    /// A host, an address or a socket.
    Address,
    /// A level of the log.
    Level,
}

impl ArgumentKind {
    /// What is expected, for messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Int => "a number or a pseudo-variable",
            Self::Text => "a text or a pseudo-variable",
            Self::Plain | Self::Header => "a text",
            Self::Regex => "a regular expression in quotes",
            Self::Substitution => "a substitution in quotes: \"/expression/text/flags\"",
            Self::Methods => "methods in quotes, such as \"INVITE|BYE\"",
            Self::FailureRoute => "the name of a failure_route, in quotes",
            Self::ReplyRoute => "the name of an onreply_route, in quotes",
            Self::BranchRoute => "the name of a branch_route, in quotes",
            Self::Variable => "a pseudo-variable",
            Self::Out => "a pseudo-variable that can be set",
            Self::Flag => "the number or the name of a flag",
            Self::Address => "an address",
            Self::Level => "a level of the log, such as \"L_INFO\"",
        }
    }
}

/// A set of kinds of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes(u8);

impl Routes {
    const REQUEST: Self = Self::of(RouteKind::Request);
    const BRANCH: Self = Self::of(RouteKind::Branch);
    const REPLY: Self = Self::of(RouteKind::Reply);
    const FAILURE: Self = Self::of(RouteKind::Failure);
    const ANY: Self = Self(u8::MAX);

    const fn of(kind: RouteKind) -> Self {
        Self(1 << kind as u8)
    }

    /// Whether a kind is one of them. What happens comes as a request, made up if there is none: event
    /// routes may what request routes may.
    pub fn contains(self, kind: RouteKind) -> bool {
        let kind = match kind {
            RouteKind::Event => RouteKind::Request,
            other => other,
        };
        self.0 & Self::of(kind).0 != 0
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KINDS: [RouteKind; 6] = [
            RouteKind::Request,
            RouteKind::Branch,
            RouteKind::Reply,
            RouteKind::Failure,
            RouteKind::Event,
            RouteKind::Send,
        ];
        if *self == Self::ANY {
            return out.write_str("any route");
        }
        let names: Vec<_> = KINDS
            .iter()
            .filter(|kind| self.contains(**kind))
            .map(|kind| kind.keyword())
            .collect();
        out.write_str(&names.join(", "))
    }
}

/// All functions; one with several forms is there several times.
pub fn functions() -> impl Iterator<Item = &'static Function> + Clone {
    [
        core_functions::ROWS,
        functions::ROWS,
        texts::ROWS,
        dispatcher::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The forms of a function.
pub fn function(name: &str) -> impl Iterator<Item = &'static Function> {
    functions().filter(move |row| row.name == name)
}

impl Function {
    /// Whether it may be called with so many arguments.
    pub fn takes(&self, count: usize) -> bool {
        (self.required.len()..=self.required.len() + self.optional.len()).contains(&count)
    }

    /// What the n-th argument is.
    pub fn argument(&self, index: usize) -> Option<&'static Argument> {
        self.required.iter().chain(self.optional).nth(index)
    }
}

impl fmt::Display for Function {
    /// `ds_select_dst(set, alg[, limit])`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}(", self.name)?;
        let mut separator = "";
        for argument in self.required {
            write!(out, "{separator}{}", argument.name)?;
            separator = ", ";
        }
        for argument in self.optional {
            write!(out, "[{separator}{}", argument.name)?;
            separator = ", ";
        }
        write!(out, "{})", "]".repeat(self.optional.len()))
    }
}

/// Rows of functions: `name(argument: Kind, ...; optional: Kind, ...) [WHERE ...] "help";` below the
/// modules that provide them.
macro_rules! function_rows {
    ($( $modules:tt { $(
        $name:ident ( $($argument:ident : $kind:ident),* $(; $($option:ident : $of:ident),+)? )
        [$($route:ident)+] $help:literal;
    )+ } )+) => {
        &[$($(
            $crate::route::table::Function {
                name: stringify!($name),
                modules: &$modules,
                required: &[$(
                    $crate::route::table::Argument {
                        name: stringify!($argument),
                        kind: $crate::route::table::ArgumentKind::$kind,
                    }
                ),*],
                optional: &[$($(
                    $crate::route::table::Argument {
                        name: stringify!($option),
                        kind: $crate::route::table::ArgumentKind::$of,
                    }
                ),+)?],
                routes: $crate::route::table::Routes(
                    0 $(| $crate::route::table::Routes::$route.0)+
                ),
                help: $help,
            }
        ),+),+]
    };
}
use function_rows;
