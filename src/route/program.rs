//! A compiled configuration: flat tables that refer to each other by numbers. Nothing in it changes
//! while it runs, so all shards share one; only `$shv` variables are written, without locks.
//!
//! Owns: the form of programs. They are made by [`super::compile`] and run by [`super::machine`].

use regex::bytes::Regex;

use super::ast::{BinaryOperator, RouteKind, UnaryOperator};
use super::host::Argument;
use super::settings::ScriptSettings;
use super::shared::SharedVariables;
use super::transform::{Step, Substitution};
use super::value::{TextRef, Value};

/// A route of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteId(pub(super) u16);

/// A variable as it stands somewhere in a script, with its index and its transformations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableId(pub(super) u32);

/// A regular expression of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegexId(pub(super) u16);

/// A substitution of a program: `/expression/text/flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubstitutionId(pub(super) u16);

/// A text with variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatId(pub(super) u32);

/// A compiled configuration.
#[derive(Debug, Default)]
pub struct Program {
    pub(super) code: Vec<Op>,
    /// Every constant text. A machine's own text begins with a copy, so that values refer to both
    /// alike.
    pub(super) texts: Vec<u8>,
    pub(super) constants: Vec<Value>,
    pub(super) variables: Vec<Variable>,
    pub(super) steps: Vec<Step>,
    pub(super) formats: Vec<Stretch>,
    pub(super) pieces: Vec<Piece>,
    pub(super) calls: Vec<Call>,
    pub(super) switches: Vec<Switch>,
    pub(super) cases: Vec<Case>,
    pub(super) regexes: Vec<Regex>,
    pub(super) substitutions: Vec<Substitution>,
    pub(super) networks: Vec<Network>,
    pub(super) fields: Vec<Field>,
    /// Sorted by kind and name.
    pub(super) routes: Vec<Route>,
    /// Names of AVPs and XAVPs by the number that the code knows them by, and sorted.
    pub(super) names: Names,
    pub(super) shared: SharedVariables,
    /// `$var`, `$vn` and `$vz`: what they are at first.
    pub(super) slots: Vec<Slot>,
    pub(super) max_while_loops: i64,
    pub(super) log_prefix: Option<FormatId>,
    pub(super) settings: ScriptSettings,
    pub(super) hash_pvar: Option<FormatId>,
    pub(super) set_out: Option<VariableId>,
    pub(super) attributes_out: Option<VariableId>,
    pub(super) log_extra: Vec<(String, VariableId)>,
    pub(super) has_transactions: bool,
}

impl Program {
    /// The route of a kind and a name; the name is empty for `request_route` and `reply_route`.
    pub fn route(&self, kind: RouteKind, name: &[u8]) -> Option<RouteId> {
        let found = self
            .routes
            .binary_search_by(|route| (route.kind, &*route.name).cmp(&(kind, name)));
        found.ok().map(|at| RouteId(at as u16))
    }

    /// The name of a route.
    pub fn route_name(&self, route: RouteId) -> &[u8] {
        &self.routes[usize::from(route.0)].name
    }

    /// What the configuration says outside of its routes.
    pub fn settings(&self) -> &ScriptSettings {
        &self.settings
    }

    /// What algorithm 7 hashes (`hash_pvar`): see [`super::machine::Machine::format`].
    pub fn hash_pvar(&self) -> Option<FormatId> {
        self.hash_pvar
    }

    /// The variable that `ds_is_from_list()` sets to the set (`setid_pvname`).
    pub fn set_out(&self) -> Option<VariableId> {
        self.set_out
    }

    /// The variable that `ds_is_from_list()` sets to the attributes (`attrs_pvname`).
    pub fn attributes_out(&self) -> Option<VariableId> {
        self.attributes_out
    }

    /// Further fields of accounting lines, by their names (`log_extra`).
    pub fn log_extra(&self) -> &[(String, VariableId)] {
        &self.log_extra
    }

    /// Whether it may relay in transactions: a request can come upon a function of Kamailio's module `tm`.
    pub fn has_transactions(&self) -> bool {
        self.has_transactions
    }

    /// A constant text of the program. Others are in the machine's text.
    pub fn constant(&self, text: TextRef) -> &[u8] {
        self.texts.get(text.range()).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct Route {
    pub kind: RouteKind,
    pub name: Box<[u8]>,
    /// Where its code begins.
    pub entry: u32,
}

/// A stretch of another table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub start: u32,
    pub length: u32,
}

impl Stretch {
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// One instruction. They work on a stack of values; a number in one is a place in a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    /// Push a constant.
    Constant(u32),
    /// Push a variable.
    Read(VariableId),
    /// Push a `$var` without transformations.
    ReadSlot(u16),
    /// Whether a variable has a value.
    Defined(VariableId),
    /// Whether the method is one of these, as bits `1 << Method as u32`.
    HasMethod {
        methods: u32,
        /// As a call it sets `$rc`.
        sets_code: bool,
    },
    Unary(UnaryOperator),
    Binary(BinaryOperator),
    Match(RegexId),
    /// Match with a text that is known only now.
    MatchText,
    InNetwork(u16),
    /// If the top is 0 the rest is passed; else it is popped.
    And(u32),
    /// If the top is not 0 it becomes 1 and the rest is passed; else it is popped.
    Or(u32),
    /// The top becomes 1, or stays 0.
    Truth,
    Jump(u32),
    /// For `if`: unless what is popped is above 0.
    JumpUnless(u32),
    /// For `if (!...)`: if what is popped is not 0.
    JumpIf(u32),
    /// For `while`: if what is popped is 0.
    JumpIfZero(u32),
    /// Pop into a variable.
    Set(VariableId),
    SetSlot(u16),
    /// Pop what a transformation made into a variable; nothing is a failure.
    SetMade(VariableId),
    Call(Use, u32),
    Route(Use, RouteId),
    /// The route whose name is popped.
    RouteNamed(Use),
    LoopBegin,
    /// The top counts a loop's rounds; after too many go there.
    LoopCheck(u32),
    LoopEnd,
    Switch(u32),
    /// What the last statement made.
    Last(i32),
    /// With a popped code.
    Return,
    Exit,
    Drop,
    /// A route's end.
    End,
}

/// What becomes of a call's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is in `$rc`, and that is all.
    Statement,
    /// 1 or 0 is pushed.
    Truth,
    /// It is pushed as it is.
    Code,
}

/// Where a variable's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Null,
    /// `$rc`
    Code,
    Slot(u16),
    Shared(u16),
    Avp(Name),
    Field(u32),
    ScriptFlags {
        is_hex: bool,
    },
    Format(FormatId),
    Constant(Value),
    Count(VariableId),
    Time(Time),
    Host {
        variable: u16,
        inner: InnerSource,
    },
}

/// The time in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Seconds,
    Text,
    Microseconds,
    /// Seconds and microseconds: `1700000000.000001`
    Both,
    /// A part of the date: the n-th of the table's.
    Part {
        is_utc: bool,
        part: u8,
    },
}

/// What stands in the parentheses of a host's variable.
#[derive(Clone, Copy, Debug)]
pub(super) enum InnerSource {
    None,
    Word(u16),
    Text {
        text: TextRef,
        key: u32,
    },
    Format(FormatId),
    /// A word of the list that is known only now.
    WordOf(FormatId, &'static [&'static str]),
    Variable(VariableId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Variable {
    pub source: Source,
    pub index: Index,
    /// Its transformations.
    pub steps: Stretch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    None,
    At(i64),
    All,
    Of(VariableId),
}

/// The name of an AVP or XAVP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Known(u32),
    /// It is known only now.
    Of {
        format: FormatId,
        ignores_case: bool,
    },
}

/// `$xavp(name[index]=>member[index])`
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub class: Class,
    pub name: Name,
    pub index: Index,
    pub member: Option<Name>,
    pub member_index: Index,
}

/// Which of the three trees of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Xavp,
    /// One of a name.
    Xavu,
    /// Case is ignored.
    Xavi,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Piece {
    Text(TextRef),
    Variable(VariableId),
}

/// A call as it stands in the script.
#[derive(Debug)]
pub(super) struct Call {
    pub function: Function,
    pub arguments: Box<[ArgumentSource]>,
    /// The arguments, if they are the same each time. Most are, and are not copied for each call then.
    pub known: Option<Box<[Argument]>>,
    /// For lines of the log.
    pub line: u32,
    /// Functions of Kamailio's core leave `$rc` as it is.
    pub sets_code: bool,
}

impl Call {
    pub fn new(
        function: Function,
        arguments: Vec<ArgumentSource>,
        line: u32,
        sets_code: bool,
    ) -> Self {
        let known = arguments.iter().map(|source| match source {
            ArgumentSource::Known(argument) => Some(*argument),
            _ => None,
        });
        Self {
            function,
            known: known.collect(),
            arguments: arguments.into(),
            line,
            sets_code,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Host(u16),
    Own(super::own::OwnFunction),
}

/// What a call is given, before it is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) enum ArgumentSource {
    /// It is the same each time.
    Known(Argument),
    Format(FormatId),
    /// A variable's value as a number.
    NumberOf(VariableId),
    /// A text as a number.
    NumberIn(FormatId),
    /// A variable's value as a text.
    TextOf(VariableId),
    RouteNamed(RouteKind, FormatId),
    LevelOf(FormatId),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Switch {
    pub cases: Stretch,
    /// Where it goes if no case fits.
    pub otherwise: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub label: Label,
    pub target: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    Number(i64),
    Text(TextRef),
    Regex(RegexId),
}

/// Addresses with a mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub address: std::net::IpAddr,
    pub bits: u8,
}

/// A `$var`, `$vn` or `$vz`.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// `$vn`: it can be `$null`, the others are 0 then.
    pub can_be_null: bool,
    /// What it is at first.
    pub first: Value,
}

/// Names and their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub by_number: Vec<Box<[u8]>>,
    /// Numbers in the order of the names.
    pub sorted: Vec<u32>,
}

impl Names {
    pub fn number(&self, name: &[u8]) -> Option<u32> {
        let found = self
            .sorted
            .binary_search_by(|number| (*self.by_number[*number as usize]).cmp(name));
        found.ok().map(|at| self.sorted[at])
    }

    /// The number of a name, which is made if there is none.
    pub fn add(&mut self, name: &[u8]) -> u32 {
        let found = self
            .sorted
            .binary_search_by(|number| (*self.by_number[*number as usize]).cmp(name));
        match found {
            Ok(at) => self.sorted[at],
            Err(at) => {
                let number = self.by_number.len() as u32;
                self.by_number.push(name.into());
                self.sorted.insert(at, number);
                number
            }
        }
    }
}
