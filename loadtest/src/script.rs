//! SIPp's XML scenarios: read and checked once, compiled to a list of steps, and played for many calls.
//!
//! [`source`] reads the file, [`compile`] turns it into a [`program::Program`] or says where and why not,
//! [`text`] makes the messages, [`actor`] plays. All but the reading of files is pure: time and datagrams are
//! handed in, as to any other agent.

mod action;
pub mod actor;
pub mod call;
pub mod call_id;
pub mod compile;
pub mod credentials;
pub mod digest;
pub mod errors;
pub mod inject;
pub mod program;
mod receive;
pub mod report;
mod send;
pub mod source;
pub mod text;

#[cfg(test)]
mod tests;
