//! What a script acts on: the one wall between the machine and the rest of sipshard.
//!
//! Owns: the trait. The machine runs statements, and owns what needs no message (`$var`, AVPs, flags of
//! the script, transformations); all that is said about a message, and everything that is done with
//! one, is asked of a [`Host`].

use std::time::Duration;

use super::machine::Machine;
use super::program::{RegexId, RouteId, SubstitutionId, VariableId};
use super::value::{TextRef, Value};
use crate::sip::{Method, Name};

/// Who answers to a script.
pub trait Host: Sized {
    /// The functions that it has, by their names in [`super::table`]. A script calls them by their
    /// place in this list.
    const FUNCTIONS: &'static [&'static str];

    /// The pseudo-variables that it has, without `$`. Beside names of the table there are
    /// [`CHOSEN`], [`CHOSEN_COUNT`] and [`CHOSEN_AVP`].
    const VARIABLES: &'static [&'static str];

    /// A number that it makes of a constant in a variable's parentheses, once at load: of `$hdr(Via)`
    /// what the host knows headers by. It comes back in [`Inner::Text`].
    fn prepare(variable: u16, inner: &[u8]) -> u32 {
        let _ = (variable, inner);
        0
    }

    /// The method of the message; of a reply that in its CSeq.
    fn method(&self) -> Option<Method>;

    /// Calls the n-th function.
    fn call(&mut self, function: u16, arguments: &[Argument], machine: &mut Machine) -> Outcome;

    /// Reads the n-th variable.
    fn get(
        &mut self,
        variable: u16,
        inner: Inner,
        index: ListIndex,
        machine: &mut Machine,
    ) -> Value;

    /// Sets the n-th variable; [`Value::Null`] takes its value away. False if that cannot be.
    fn set(
        &mut self,
        variable: u16,
        inner: Inner,
        index: ListIndex,
        value: Value,
        machine: &mut Machine,
    ) -> bool;

    /// How many values the n-th variable has: `$cnt(...)`.
    fn count(&mut self, variable: u16, inner: Inner, machine: &mut Machine) -> i64 {
        i64::from(
            !self
                .get(variable, inner, ListIndex::None, machine)
                .is_null(),
        )
    }

    /// The time since 1970. It is only asked for where a script reads the time.
    fn unix_time(&mut self) -> Duration;

    /// How far local time is before UTC, in seconds.
    fn utc_offset_seconds(&mut self) -> i64 {
        0
    }

    /// Whether lines of a level are written; the texts of others are not made.
    fn is_logged(&mut self, level: Level) -> bool;

    /// Writes a line of the log, which may end with a line break.
    fn log(&mut self, level: Level, line: &[u8]);
}

/// The destinations that were chosen, as `$xavp(_dsdst_[n]=>field)` reads them (whatever `xavp_dst`
/// calls it). Its inner is [`Inner::Word`] of [`CHOSEN_FIELDS`], the index is that of the destination;
/// without field it is read to see whether there is one, and set to null to go on to the next.
pub const CHOSEN: &str = "_chosen";

/// The fields of [`CHOSEN`].
pub const CHOSEN_FIELDS: &[&str] = &[
    "uri", "grp", "dstid", "attrs", "sock", "sockname", "rweight", "latency",
];

/// How many were chosen: `$xavp(_dsctx_=>cnt)` (whatever `xavp_ctx` calls it).
pub const CHOSEN_COUNT: &str = "_chosen_count";

/// The AVPs that old generations had for [`CHOSEN`], each only if its parameter names it. Its inner is
/// [`Inner::Word`] of [`CHOSEN_AVPS`].
pub const CHOSEN_AVP: &str = "_chosen_avp";

/// The parameters that name the AVPs of [`CHOSEN_AVP`].
pub const CHOSEN_AVPS: &[&str] = &[
    "dst_avp",
    "grp_avp",
    "cnt_avp",
    "dstid_avp",
    "attrs_avp",
    "sock_avp",
];

/// What stands in a variable's parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// Nothing, or none of the words that the variable knows.
    None,
    /// The n-th word of those that the table lists for the variable.
    Word(u16),
    /// A text.
    Text {
        /// The text.
        text: TextRef,
        /// What [`Host::prepare`] made of it; 0 if the text is known only now.
        key: u32,
    },
    /// Another variable, to be read of another message: `$T_req($ru)`.
    Variable(VariableId),
}

/// Which of several values: `$(hdr(Via)[1])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListIndex {
    /// It is not said: the first.
    None,
    /// From the first, or with a minus from the last.
    At(i64),
    /// All: `[*]`.
    All,
}

/// What a function is given, evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// It was not given.
    Missing,
    /// A variable was given that has no value, or not one of the kind.
    Null,
    /// A number.
    Number(i64),
    /// A text.
    Text(TextRef),
    /// A regular expression: see [`Machine::is_match`].
    Regex(RegexId),
    /// A substitution: see [`Machine::substitute`].
    Substitution(SubstitutionId),
    /// Methods, as bits `1 << Method as u32`. Names that are no methods of ours are in the text only.
    Methods(u32, TextRef),
    /// A header's name; one that we do not know is in the text only.
    Header(Name, TextRef),
    /// A route; `None` disarms.
    Route(Option<RouteId>),
    /// A flag from 0 to 31.
    Flag(u8),
    /// A variable to read (by [`Machine::get`]), or to set (by [`Machine::set`]).
    Variable(VariableId),
    /// A level of the log.
    Level(Level),
}

impl Argument {
    /// Whether it was not given.
    pub fn is_missing(self) -> bool {
        self == Self::Missing
    }

    /// The number that it is.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The text that it is.
    pub fn text(self) -> Option<TextRef> {
        match self {
            Self::Text(text) | Self::Methods(_, text) | Self::Header(_, text) => Some(text),
            _ => None,
        }
    }
}

/// What a function says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its code: above 0 is true. It is in `$rc` then.
    Code(i64),
    /// The script ends, as after a code of 0 in Kamailio.
    Exit,
}

impl Outcome {
    /// 1.
    pub const TRUE: Self = Self::Code(1);
    /// -1.
    pub const FALSE: Self = Self::Code(-1);
}

impl From<bool> for Outcome {
    fn from(is_true: bool) -> Self {
        if is_true { Self::TRUE } else { Self::FALSE }
    }
}

/// How grave a line of the log is; Kamailio's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// -5
    Alert,
    /// -4
    Bug,
    /// -3
    Critical,
    /// -1
    Error,
    /// 0
    Warning,
    /// 1
    Notice,
    /// 2
    Info,
    /// 3
    Debug,
}

impl Level {
    /// By Kamailio's number.
    pub fn of_number(number: i64) -> Self {
        match number {
            ..=-5 => Self::Alert,
            -4 => Self::Bug,
            -3 | -2 => Self::Critical,
            -1 => Self::Error,
            0 => Self::Warning,
            1 => Self::Notice,
            2 => Self::Info,
            3.. => Self::Debug,
        }
    }

    /// By Kamailio's name, or a number.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "L_ALERT" => Self::Alert,
            "L_BUG" => Self::Bug,
            "L_CRIT" | "L_CRIT2" => Self::Critical,
            "L_ERR" => Self::Error,
            "L_WARN" => Self::Warning,
            "L_NOTICE" => Self::Notice,
            "L_INFO" => Self::Info,
            "L_DBG" | "L_DBG1" | "L_DBG2" | "L_DBG3" => Self::Debug,
            number => Self::of_number(number.parse().ok()?),
        })
    }
}
