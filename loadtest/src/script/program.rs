//! A compiled scenario: steps, with every name resolved to a number.

use std::time::Duration;

use regex::bytes::Regex;
use sipshard::agent::{Delay, Latency};

use super::text::Text;

/// A scenario.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Whether it begins calls: its first message is sent, not received.
    pub calls: bool,
    /// Names of variables.
    pub variables: Vec<String>,
    /// Names of response timers.
    pub timers: Vec<String>,
    /// Bounds of the parts in which statistics count times.
    pub repartition: Repartition,
    /// How many transactions have names.
    pub transactions: usize,
}

impl Program {
    /// Room for the times of all timers but the first.
    pub(super) fn other_times(&self) -> Vec<Latency> {
        let others = self.timers.iter().skip(1);
        others.map(|_| Latency::default()).collect()
    }

    /// Whether a timer counts from the begin of a call that was due by the schedule, not from a step.
    pub fn is_scheduled(&self, timer: usize) -> bool {
        let begins =
            |step: &Step| step.starts.contains(&timer) || step.stops.contains(&(timer, true));
        self.calls && !self.steps.iter().any(begins)
    }
}

/// Upper bounds in milliseconds, in order; none: such times are not counted in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repartition {
    /// Of the response timers.
    pub response: Vec<u64>,
    /// Of the lengths of calls.
    pub length: Vec<u64>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the table at the end calls it.
    pub label: String,
    /// What it does.
    pub act: Act,
    /// Where it goes on, if not with the following step.
    pub next: Option<Next>,
    /// It is only done if this variable is set, or, inverse, not set.
    pub only_if: Option<(usize, bool)>,
    /// Timers that begin here.
    pub starts: Vec<usize>,
    /// Timers that end here, and whether they begin again at once.
    pub stops: Vec<(usize, bool)>,
    /// What is done with the message, or by itself.
    pub actions: Vec<Action>,
}

/// A jump.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// The step to go on with.
    pub to: usize,
    /// Only if this variable is set.
    pub test: Option<usize>,
    /// Only in this part of the cases, 0.0 to 1.0.
    pub chance: f64,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends a message.
    Send(Box<Send>),
    /// Waits for a message.
    Receive(Box<Receive>),
    /// Waits.
    Pause(Wait),
    /// Nothing but its actions.
    Nothing,
    /// The call is over but still knows what is sent again.
    TimeWait(Duration),
}

/// How long a pause is.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// What `-d` says.
    Hold,
    /// So long.
    For(Delay),
    /// Evenly between two times.
    Between(Duration, Duration),
    /// As many milliseconds as a variable says.
    Variable(usize),
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Send {
    /// Its text.
    pub text: Text,
    /// Its method; `None` for an answer.
    pub method: Option<Vec<u8>>,
    /// The first interval of retransmissions.
    pub retry: Option<Duration>,
    /// The part that is not sent, as if the network had lost it.
    pub lost: f64,
    /// The transaction that it begins.
    pub starts: Option<usize>,
    /// The transaction whose branch it has.
    pub acknowledges: Option<usize>,
}

/// Which message is waited for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// An answer with this code, to a request with one of these methods.
    Answer(u16, Vec<Vec<u8>>),
    /// A request with this method.
    Request(Vec<u8>),
    /// A request whose method matches.
    Requests(Regex),
}

/// Whether a message has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optional {
    /// It has.
    No,
    /// It may come here.
    Here,
    /// It may come at any later time.
    Always,
}

/// A message to wait for.
#[derive(Clone, Debug)]
pub struct Receive {
    /// Which.
    pub wanted: Wanted,
    /// The transaction that it must answer.
    pub answers: Option<usize>,
    /// Whether it has to come.
    pub optional: Optional,
    /// Whether it is a challenge that later messages answer.
    pub is_challenge: bool,
    /// Whether it gives the route set and the remote target.
    pub learns_routes: bool,
    /// How long it is waited for, and where it goes on then.
    pub timeout: Option<(Duration, Option<usize>)>,
    /// The part that is taken for lost.
    pub lost: f64,
}

/// What an expression is searched in.
#[derive(Clone, Debug)]
pub enum SearchIn {
    /// The whole message.
    Message,
    /// The body.
    Body,
    /// The n-th header of this name, from 1.
    Header(Vec<u8>, usize),
    /// A variable.
    Variable(usize),
}

/// A number that is given or in a variable.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// Given.
    Number(f64),
    /// In a variable.
    Variable(usize),
}

/// A calculation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// The operand itself.
    Set,
    /// Plus.
    Add,
    /// Minus.
    Subtract,
    /// Times.
    Multiply,
    /// Through; through zero is an error of the call.
    Divide,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Greater.
    Greater,
    /// Less.
    Less,
    /// Greater or equal.
    GreaterEqual,
    /// Less or equal.
    LessEqual,
}

/// Something done with a message or with variables.
#[derive(Clone, Debug)]
pub enum Action {
    /// Searches; the whole match and its groups go to variables.
    Search {
        /// The expression.
        regex: Regex,
        /// Where.
        within: SearchIn,
        /// `Some(true)`: the call fails without a match. `Some(false)`: with one.
        check: Option<bool>,
        /// Where the match and its groups go.
        assign: Vec<usize>,
    },
    /// Writes a line to the standard error output; a warning goes to the log of `-trace_err` too.
    Log {
        /// The line.
        text: Text,
        /// Whether it is a warning.
        warns: bool,
    },
    /// Sets a variable to text.
    Assign(usize, Text),
    /// Calculates.
    Calculate(usize, Sum, Operand),
    /// Makes a number of a text.
    ToNumber(usize, usize),
    /// Compares numbers; `true` goes to the variable. The last: the call fails if it is not so.
    Test(usize, Operand, Comparison, Operand, Option<bool>),
    /// Compares texts: -1, 0 or 1 goes to the variable.
    CompareText(usize, usize, Text),
    /// Takes white space off both ends.
    Trim(usize),
    /// Seconds and microseconds since the start of sipload: its clock is that of the schedule.
    Time(usize, usize),
    /// Whether the message was sent by this user with this password goes to the variable.
    Verify(usize, Text, Text),
    /// The call is over, and has failed.
    StopCall,
    /// No further calls begin.
    StopAll,
}
