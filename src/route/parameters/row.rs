//! A row of the table of parameters, and how a value gets through it.

use std::fmt::Write as _;
use std::str::FromStr;

use super::{PARAMETERS, Parameters, Values};
use crate::route::nearest::nearest;

/// One row of the table.
#[derive(Debug)]
pub struct Parameter {
    /// Its name, the peers' if they have it.
    pub name: &'static str,
    /// Other names by which it is known.
    pub aliases: &'static [&'static str],
    /// Whether it is sipshard's own: no peer has it.
    pub is_own: bool,
    /// What it does, in one line.
    pub help: &'static str,
    field: Field,
}

/// Where a value goes, and which values are good.
#[derive(Debug)]
enum Field {
    Number {
        least: i64,
        most: i64,
        default: i64,
        at: fn(&mut Values) -> &mut i64,
    },
    Text {
        /// What the value looks like, for the listing.
        form: &'static str,
        default: &'static str,
        check: fn(&str) -> Result<(), String>,
        at: fn(&mut Values) -> &mut String,
    },
}

/// Why a parameter cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// No row has this name.
    #[error("no such parameter: {name}{}", hint(*.nearest))]
    Unknown {
        /// As given.
        name: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The value is not good.
    #[error("{name}: {cause}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What is wrong, and what would be right.
        cause: String,
    },
    /// It is not `NAME=VALUE`.
    #[error("NAME=VALUE expected, found \"{0}\"")]
    Form(String),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

pub(super) const fn number(
    name: &'static str,
    help: &'static str,
    (least, most): (i64, i64),
    default: i64,
    at: fn(&mut Values) -> &mut i64,
) -> Parameter {
    let field = Field::Number {
        least,
        most,
        default,
        at,
    };
    row(name, help, field)
}

pub(super) const fn text(
    name: &'static str,
    help: &'static str,
    form: &'static str,
    default: &'static str,
    check: fn(&str) -> Result<(), String>,
    at: fn(&mut Values) -> &mut String,
) -> Parameter {
    let field = Field::Text {
        form,
        default,
        check,
        at,
    };
    row(name, help, field)
}

const fn row(name: &'static str, help: &'static str, field: Field) -> Parameter {
    Parameter {
        name,
        aliases: &[],
        is_own: false,
        help,
        field,
    }
}

pub(super) const fn own(parameter: Parameter) -> Parameter {
    Parameter {
        is_own: true,
        ..parameter
    }
}

pub(super) const fn also(aliases: &'static [&'static str], parameter: Parameter) -> Parameter {
    Parameter {
        aliases,
        ..parameter
    }
}

impl Parameter {
    /// The row of this name or alias.
    pub fn find(name: &str) -> Result<&'static Self, ParameterError> {
        let names = |row: &Self| row.name == name || row.aliases.contains(&name);
        PARAMETERS.iter().find(|row| names(row)).ok_or_else(|| {
            let known = PARAMETERS.iter().map(|row| row.name);
            ParameterError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, known),
            }
        })
    }

    /// What a value looks like: `1..24`, `URI`.
    pub fn form(&self) -> String {
        match self.field {
            Field::Number { least, most, .. } => format!("{least}..{most}"),
            Field::Text { form, .. } => form.to_owned(),
        }
    }

    /// The value that it has if nobody says anything.
    pub fn default_value(&self) -> String {
        match self.field {
            Field::Number { default, .. } => default.to_string(),
            Field::Text { default, .. } => default.to_owned(),
        }
    }

    /// Gives it its default.
    pub(super) fn reset(&self, parameters: &mut Parameters) {
        match self.field {
            Field::Number { default, at, .. } => *at(&mut parameters.0) = default,
            Field::Text { default, at, .. } => default.clone_into(at(&mut parameters.0)),
        }
    }

    /// Gives it a value.
    pub fn set(&self, value: &str, parameters: &mut Parameters) -> Result<(), ParameterError> {
        let wrong = |cause: String| ParameterError::Value {
            name: self.name,
            cause,
        };
        match self.field {
            Field::Number {
                least, most, at, ..
            } => {
                let number: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| wrong(format!("\"{value}\" is not a whole number")))?;
                if !(least..=most).contains(&number) {
                    return Err(wrong(format!("{number} is not in {least}..{most}")));
                }
                *at(&mut parameters.0) = number;
            }
            Field::Text { check, at, .. } => {
                check(value).map_err(wrong)?;
                value.clone_into(at(&mut parameters.0));
            }
        }
        Ok(())
    }
}

/// `NAME=VALUE`, checked: the name is known and the value is good.
#[derive(Clone, Debug)]
pub struct Assignment {
    parameter: &'static Parameter,
    value: String,
}

impl Assignment {
    /// Carries it out.
    pub fn apply(&self, parameters: &mut Parameters) -> Result<(), ParameterError> {
        self.parameter.set(&self.value, parameters)
    }
}

impl FromStr for Assignment {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| ParameterError::Form(text.to_owned()))?;
        let parameter = Parameter::find(name.trim())?;
        parameter.set(value, &mut Parameters::default())?;
        Ok(Self {
            parameter,
            value: value.to_owned(),
        })
    }
}

/// All parameters for reading: name, values, default, and what it does.
pub fn listing() -> String {
    let mut out = String::new();
    for row in PARAMETERS {
        let head = format!("{}={}", row.name, row.form());
        let default = match row.default_value() {
            empty if empty.is_empty() => "none".to_owned(),
            value => value,
        };
        let own = if row.is_own { "; sipshard's own" } else { "" };
        let mut also = String::new();
        for alias in row.aliases {
            let _ = write!(also, "; also {alias}");
        }
        let _ = writeln!(out, "  {head}\n      {} [{default}{also}{own}]", row.help);
    }
    out
}
