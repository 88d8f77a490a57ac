//! The command line as a whole: the options of a run, and verbs that do something else.

use std::ffi::OsString;

use clap::Parser;

use crate::options::Options;

/// An open-loop SIP load generator: callers and gateways over UDP on all cores.
///
/// Calls start by schedule, whatever the system under test does; latencies count from the schedule.
/// Without TARGET the callers call the gateways of the same process.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What a run is told.
    #[command(flatten)]
    pub options: Options,
}

impl Cli {
    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// What clap says to wrong ones, and to `--help`.
    pub fn read<T: Into<OsString>>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments.into_iter().map(Into::into))
    }
}
