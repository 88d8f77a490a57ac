//! sipload: an open-loop SIP load generator.
//!
//! The callers and gateways are those of [`sipshard::agent`], driven here over sockets by one event
//! loop for each thread. [`options`] says what is wanted ([`named`] for whole scenarios; `sipp` knows
//! the names of SIPp's options), [`plan`] binds sockets and shares the work out, [`worker`] does it,
//! [`run`] watches over it and brings a [`summary`], [`live`] shows it each second and [`screen`] at
//! the end, [`verdict`] judges it. [`record`] keeps what the threads tell, [`report`], [`trace`] and
//! [`error_log`] write it down; [`target`] is what was asked for. [`script`] plays SIPp's XML scenarios
//! instead of the built-in callers. [`find_max`] searches the highest rate with many short runs.
//! [`forward`] is the yardstick beside them: a forwarder that does nothing else.

pub mod cli;
mod cpu;
pub mod error_log;
pub mod find_max;
pub mod forward;
pub mod live;
pub mod named;
pub mod options;
pub mod plan;
mod player;
pub mod record;
pub mod report;
pub mod run;
pub mod screen;
pub mod script;
mod sipp;
pub mod summary;
pub mod target;
pub mod timeline;
pub mod trace;
pub mod verdict;
pub mod worker;
