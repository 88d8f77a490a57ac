//! What the operator may say about routing: today the parameters, by one table.
//!
//! Owns: the names, ranges and defaults of parameters, and how they become the settings of the other
//! rooms. May touch: memory only.

pub mod nearest;
pub mod parameters;

pub use parameters::{Assignment, PARAMETERS, Parameter, ParameterError, Parameters, listing};
