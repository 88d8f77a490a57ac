//! The command line as a whole: the options of a run, and verbs that do something else.

use std::ffi::OsString;

use anyhow::Result;
use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::find_max::FindMaxOptions;
use crate::named;
use crate::options::Options;
use crate::report::ReportOptions;
use crate::sipp;

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

impl Cli {
    /// Reads arguments, the program's name first. SIPp's long names may stand with one dash.
    ///
    /// # Errors
    /// [`clap::Error`] for wrong ones and for `--help`; another if a file or a scenario is wrong.
    pub fn read<T: Into<OsString>>(arguments: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut cli = Self::parse_translated(arguments)?;
        let options = match &mut cli.verb {
            Some(Verb::FindMax(options)) => &mut options.run,
            _ => &mut cli.options,
        };
        options.settle_rates()?;
        named::apply(options)?;
        Ok(cli)
    }

    fn parse_translated<T: Into<OsString>>(arguments: impl IntoIterator<Item = T>) -> Result<Self> {
        let takes_numbers = |arg: Arg| {
            let takes_values = arg.get_action().takes_values();
            // So that a number below zero is told its bounds, and is not taken for an option.
            arg.allow_negative_numbers(takes_values)
        };
        let mut command = Self::command()
            .mut_args(takes_numbers)
            .mut_subcommands(|verb| verb.mut_args(takes_numbers));
        let is_long = |name: &str| {
            let mut all = command
                .get_subcommands()
                .chain([&command])
                .flat_map(clap::Command::get_arguments);
            all.any(|arg| arg.get_long() == Some(name))
        };
        let arguments = arguments.into_iter().map(Into::into);
        let arguments = sipp::translate(arguments, is_long)?;
        let found = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&found).map_err(|error| error.format(&mut command).into())
    }
}
