//! `sipshard rpc`: one method of a running sipshard.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sipshard::control::client::{CallError, Client, argument};
use sipshard::control::value::Value;

const EXAMPLES: &str = "\
Arguments that look like numbers are sent as numbers; s: before one makes it text.

Examples:
      sipshard rpc dispatcher.list full
      sipshard rpc dispatcher.set_state ip 1 sip:192.0.2.21:5060
      sipshard rpc dispatcher.reload
      sipshard rpc system.listMethods
      sipshard rpc system.methodHelp dispatcher.ping_active

The exit status is 1 if the method fails or nobody answers.";

/// Call a method of a running sipshard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Rpc {
    /// Control socket [default: the one that `run` makes]
    ///
    /// The first that answers of /run/sipshard/sipshard_ctl, $XDG_RUNTIME_DIR/sipshard/sipshard_ctl and
    /// /tmp/sipshard-UID/sipshard_ctl.
    #[arg(long, value_name = "PATH")]
    ctl: Option<PathBuf>,

    /// Method, such as dispatcher.list
    method: String,

    /// Its arguments
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<String>,
}

impl Rpc {
    /// Calls the method and prints its answer as kamcmd would.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut client = match &self.ctl {
            Some(path) => Client::connect(path)?,
            None => Client::connect_to_default()?,
        };
        let arguments: Vec<Value> = self.arguments.iter().map(|word| argument(word)).collect();
        match client.call(&self.method, &arguments) {
            Ok(values) => {
                let mut out = io::stdout().lock();
                for value in values {
                    // Who reads may have read enough.
                    if writeln!(out, "{value}").is_err() {
                        break;
                    }
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(CallError::Fault(fault)) => {
                eprintln!("error: {fault}");
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(error.into()),
        }
    }
}
