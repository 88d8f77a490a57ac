//! What RPC methods take and give, whatever the transport: values and faults.
//!
//! Owns: [`Value`] and [`Fault`]. May touch: memory only.

use std::borrow::Cow;
use std::fmt;

/// How a string that is not there is shown to clients that know no null.
pub const NULL_STRING: &str = "<null string>";

/// The name of a structure's member.
pub type Name = Cow<'static, str>;

/// One value of a request or a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number. BINRPC carries its low 32 bits.
    Int(i64),
    /// A fraction. BINRPC carries it with three decimals.
    Double(f64),
    /// Text.
    Text(String),
    /// A text that is not there: [`NULL_STRING`] to clients that know no null.
    Null,
    /// Members in their order. A name may come several times (`SET`, `DEST`): that is how the peers
    /// write lists.
    Struct(Vec<(Name, Value)>),
    /// Values without names.
    Array(Vec<Value>),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A text, or [`Value::Null`].
    pub fn text_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// A structure of members with fixed names.
    pub fn members<const N: usize>(members: [(&'static str, Self); N]) -> Self {
        Self::Struct(
            members
                .into_iter()
                .map(|(name, value)| (Cow::Borrowed(name), value))
                .collect(),
        )
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

/// A counter.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(number as i64)
    }
}

/// Why a method did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} - {message}")]
pub struct Fault {
    /// The peers' code: 400 for a request that makes no sense, 500 for all else.
    pub code: i32,
    /// What went wrong.
    pub message: String,
}

impl Fault {
    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            message: message.into(),
        }
    }

    /// The method failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: 500,
            message: message.into(),
        }
    }
}

/// As kamcmd prints it: members indented by tabs, whole fractions as whole numbers. Every line but
/// the first begins at the left margin plus its depth; there is no newline at the end.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl Value {
    fn print(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) if number.fract() == 0.0 => write!(f, "{number:.0}"),
            Self::Double(number) => write!(f, "{number:.6}"),
            Self::Text(text) => f.write_str(text),
            Self::Null => f.write_str(NULL_STRING),
            Self::Struct(members) => {
                f.write_str("{\n")?;
                for (name, value) in members {
                    indent(f, depth + 1)?;
                    write!(f, "{name}: ")?;
                    value.print(f, depth + 1)?;
                    f.write_str("\n")?;
                }
                indent(f, depth)?;
                f.write_str("}")
            }
            Self::Array(values) => {
                f.write_str("[\n")?;
                for value in values {
                    indent(f, depth + 1)?;
                    value.print(f, depth + 1)?;
                    f.write_str("\n")?;
                }
                indent(f, depth)?;
                f.write_str("]")
            }
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

fn indent(f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    (0..depth).try_for_each(|_| f.write_str("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_printed_with_tabs_as_kamcmd_prints_them() {
        let destination = Value::members([
            ("URI", Value::text("sip:127.0.0.1:7001")),
            ("DUID", Value::Null),
            ("RUNTIME", Value::members([("DLGLOAD", Value::Int(3))])),
        ]);
        let reply = Value::members([("NRSETS", Value::Int(1)), ("DEST", destination)]);
        assert_eq!(
            reply.to_string(),
            "{\n\tNRSETS: 1\n\tDEST: {\n\t\tURI: sip:127.0.0.1:7001\n\t\tDUID: <null string>\n\
             \t\tRUNTIME: {\n\t\t\tDLGLOAD: 3\n\t\t}\n\t}\n}"
        );
        assert_eq!(Value::Struct(Vec::new()).to_string(), "{\n}");
    }

    #[test]
    fn fractions_have_six_decimals_and_whole_ones_none() {
        assert_eq!(Value::Double(0.249).to_string(), "0.249000");
        assert_eq!(Value::Double(-1.5).to_string(), "-1.500000");
        assert_eq!(Value::Double(16.0).to_string(), "16");
    }
}
