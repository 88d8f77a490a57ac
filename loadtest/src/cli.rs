//! The command line as a whole: the options of a run, and verbs that do something else.

use std::ffi::OsString;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::find_max::FindMaxOptions;
use crate::named;
use crate::options::Options;
use crate::report::ReportOptions;

/// An open-loop SIP load generator: callers and gateways over UDP on all cores.
///
/// Calls start by schedule, whatever the system under test does; latencies count from the schedule.
/// Without TARGET the callers call the gateways of the same process.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Something else than a run.
    #[command(subcommand)]
    pub verb: Option<Verb>,

    /// What a run is told.
    #[command(flatten)]
    pub options: Options,
}

/// What sipload does besides running calls.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Make one HTML page with pictures from the interval logs of one run, or of several to compare
    Report(ReportOptions),
    /// Search the highest rate at which less than 0.1 % of the calls fail
    FindMax(Box<FindMaxOptions>),
}

/// Options that SIPp writes with one dash, though their names are long.
const SIPP_LONG: &[&str] = &[
    "-aa",
    "-ap",
    "-au",
    "-inf",
    "-key",
    "-mi",
    "-mp",
    "-sd",
    "-sf",
    "-fd",
    "-rate_increase",
    "-rate_interval",
    "-rate_max",
    "-sn",
    "-stf",
    "-trace_stat",
    "-users",
];

impl Cli {
    /// Reads arguments, the program's name first. SIPp's long names may stand with one dash.
    ///
    /// # Errors
    /// [`clap::Error`] for wrong ones and for `--help`; another if a file or a scenario is wrong.
    pub fn read<T: Into<OsString>>(arguments: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut cli = Self::parse_translated(arguments)?;
        named::apply(match &mut cli.verb {
            Some(Verb::FindMax(options)) => &mut options.run,
            _ => &mut cli.options,
        })?;
        Ok(cli)
    }

    fn parse_translated<T: Into<OsString>>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments.into_iter().map(|argument| {
            let argument = argument.into();
            match argument.to_str() {
                Some(name) if SIPP_LONG.contains(&name) => format!("-{name}").into(),
                _ => argument,
            }
        }))
    }
}
