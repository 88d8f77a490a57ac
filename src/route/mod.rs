//! What the operator may say about routing: the language of configurations, and the parameters.
//!
//! A configuration goes through [`preprocess`] and [`lexer`] to tokens, through [`parser`] to the tree
//! of [`ast`], and is judged by [`check`] against the [`table`]s of all names. What is found is a
//! [`diagnostic::Report`] with places in [`source`].
//!
//! Owns: the language, its tables, the names, ranges and defaults of parameters, and how they become
//! the settings of the other rooms. May touch: memory only; files are read by who calls.

pub mod ast;
pub mod check;
pub mod compile;
mod date;
pub mod diagnostic;
pub mod explain;
pub mod host;
pub mod lexer;
pub mod machine;
pub mod nearest;
mod own;
pub mod parameters;
pub mod parser;
pub mod preprocess;
pub mod program;
pub mod settings;
mod shared;
pub mod source;
pub mod table;
mod transform;
pub mod value;
pub mod variable;

pub use check::{Checked, check};
pub use compile::{OWN_VARIABLES, compile};
pub use explain::explain;
pub use own::is_own as is_own_function;
pub use parameters::{Assignment, PARAMETERS, Parameter, ParameterError, Parameters, listing};
pub use transform::write_time;
