//! A configuration as a tree, each node with its place. Names are as written; nothing is looked up.

use super::source::Span;
use super::variable::Variable;

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What stands outside of routes, in its order.
    pub items: Vec<Item>,
    /// The routes, in their order.
    pub routes: Vec<Route>,
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A text in quotes; several in a row are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Without quotes and escapes.
    pub value: String,
    /// Where in `value` each literal begins, and where that stands.
    pub parts: Vec<(usize, Span)>,
    /// From the first quote to the last.
    pub span: Span,
}

/// What stands outside of routes.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `debug=2`
    Setting {
        /// The core parameter.
        name: Word,
        /// Its value.
        value: Value,
    },
    /// `pstn.gw_ip = "" desc "..."`
    Custom {
        /// `pstn.gw_ip`
        name: Word,
        /// Its value.
        value: Value,
    },
    /// `listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5060 name "inside"`
    Listen(Listen),
    /// `mpath="..."`
    ModulePath(Text),
    /// `loadmodule "tm.so"`
    LoadModule(Text),
    /// `modparam("tm|sl", "name", value)`
    ModParam {
        /// One module, or several with `|`.
        modules: Text,
        /// The parameter.
        name: Text,
        /// Its value.
        value: Value,
    },
    /// `flags NAME:NUMBER, ...`
    Flags(Vec<(Word, Option<i64>)>),
}

/// A socket to listen on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// `udp:127.0.0.1:5060`
    pub address: Word,
    /// What replies and Record-Routes name instead.
    pub advertise: Option<Word>,
    /// Its name for scripts.
    pub name: Option<Text>,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number, or yes and no.
    Number(i64, Span),
    /// A text.
    Text(Text),
    /// A word or an address.
    Word(Word),
}

impl Value {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(_, span) => *span,
            Self::Text(text) => text.span,
            Self::Word(word) => word.span,
        }
    }
}

/// When a route runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// `request_route`, and `route[NAME]`, which others call.
    Request,
    /// For each branch before it leaves.
    Branch,
    /// For replies.
    Reply,
    /// When all branches of a transaction failed.
    Failure,
    /// When something happens.
    Event,
    /// Before anything leaves.
    Send,
}

impl RouteKind {
    /// How such a route begins.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Request => "route",
            Self::Branch => "branch_route",
            Self::Reply => "onreply_route",
            Self::Failure => "failure_route",
            Self::Event => "event_route",
            Self::Send => "onsend_route",
        }
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// When it runs.
    pub kind: RouteKind,
    /// Its name, if it has one.
    pub name: Option<Word>,
    /// `failure_route[NAME]`
    pub span: Span,
    /// What it does.
    pub body: Vec<Statement>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
    /// Where it stands.
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// A semicolon alone.
    Empty,
    /// Several in braces.
    Block(Vec<Statement>),
    /// `if (...) ... else ...`
    If {
        /// The question.
        condition: Expression,
        /// If it is true.
        then: Box<Statement>,
        /// If not.
        otherwise: Option<Box<Statement>>,
    },
    /// `while (...) ...`
    While {
        /// The question.
        condition: Expression,
        /// What is done again and again.
        body: Box<Statement>,
    },
    /// `switch (...) { case ...: ... }`
    Switch {
        /// What is compared.
        subject: Expression,
        /// The cases; one without `break` goes on into the next.
        cases: Vec<Case>,
    },
    /// `$var(x) = ...;`
    Assign {
        /// What is set.
        target: Variable,
        /// To what.
        value: Expression,
    },
    /// A call; its result is in `$rc`.
    Call(Expression),
    /// `return`, with a code.
    Return(Option<Expression>),
    /// `exit`, with a code.
    Exit(Option<Expression>),
    /// `drop`, with a code.
    Drop(Option<Expression>),
    /// Out of a loop or a switch.
    Break,
}

/// A case of a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What leads into it.
    pub label: CaseLabel,
    /// Where the label stands.
    pub span: Span,
    /// What is done.
    pub body: Vec<Statement>,
}

/// What leads into a case.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseLabel {
    /// The same value.
    Value(Expression),
    /// `case /"expression":`
    Regex(Text),
    /// Nothing else.
    Default,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A whole number.
    Number(i64),
    /// A text, as it is: pseudo-variables in it count only where a function reads them.
    Text(Text),
    /// A pseudo-variable.
    Variable(Variable),
    /// A word: `method`, `uri`, `myself`, a flag's name; or an address of several words.
    Word(String),
    /// An IP address, perhaps with a mask.
    Address(String),
    /// `@...`, the old selects.
    Select(String),
    /// A function's call.
    Call(Call),
    /// `route(NAME)`
    Route(Box<Expression>),
    /// One operand.
    Unary(UnaryOperator, Box<Expression>),
    /// Two.
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
}

/// A function's call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub name: Word,
    /// What it is given.
    pub arguments: Vec<Expression>,
}

/// An operator in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `!`
    Not,
    /// `-`
    Minus,
    /// `~`
    Complement,
    /// `defined`
    Defined,
    /// `strlen()`
    Length,
    /// `strempty()`
    IsEmpty,
    /// `(int)`
    ToNumber,
    /// `(str)`
    ToText,
}

/// An operator between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `or`, `||`
    Or,
    /// `and`, `&&`
    And,
    /// `|`
    BitOr,
    /// `&`
    BitAnd,
    /// `^`
    BitXor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `==`
    Equal,
    /// `!=`
    Different,
    /// `=~`
    Match,
    /// `eq`, as texts
    TextEqual,
    /// `ne`, as texts
    TextDifferent,
    /// `ieq`, as numbers
    NumberEqual,
    /// `ine`, as numbers
    NumberDifferent,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    LessOrEqual,
    /// `>=`
    GreaterOrEqual,
    /// `+`, of texts too
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divide,
    /// `mod`
    Modulo,
}

impl BinaryOperator {
    /// Signs, operators, and how strongly they bind: more binds tighter. Bits bind weaker than
    /// comparisons, and each bit operator on a step of its own: this is Kamailio's order, not C's.
    pub const ALL: &'static [(&'static str, Self, u8)] = &[
        ("or", Self::Or, 1),
        ("||", Self::Or, 1),
        ("and", Self::And, 2),
        ("&&", Self::And, 2),
        ("|", Self::BitOr, 3),
        ("&", Self::BitAnd, 4),
        ("^", Self::BitXor, 5),
        ("<<", Self::ShiftLeft, 6),
        (">>", Self::ShiftRight, 7),
        ("==", Self::Equal, 8),
        ("!=", Self::Different, 8),
        ("=~", Self::Match, 8),
        ("eq", Self::TextEqual, 8),
        ("ne", Self::TextDifferent, 8),
        ("ieq", Self::NumberEqual, 8),
        ("ine", Self::NumberDifferent, 8),
        ("<", Self::Less, 9),
        (">", Self::Greater, 9),
        ("<=", Self::LessOrEqual, 9),
        (">=", Self::GreaterOrEqual, 9),
        ("+", Self::Plus, 10),
        ("-", Self::Minus, 10),
        ("*", Self::Times, 11),
        ("/", Self::Divide, 11),
        ("mod", Self::Modulo, 11),
    ];

    /// Whether its result is true or false.
    pub fn is_comparison(self) -> bool {
        Self::ALL
            .iter()
            .any(|(_, operator, strength)| *operator == self && matches!(strength, 8 | 9))
    }
}
