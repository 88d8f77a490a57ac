//! The verbs of the command line. To add one: a module with its options and its `execute`, and a line
//! in [`Verb`] and in [`main`].

mod check;
mod demo;
mod listen;
mod rpc;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  Balance calls over the destinations of set 1, least loaded first, on all cores:
      sipshard run --listen udp:192.0.2.10:5060 --list /etc/sipshard/dispatcher.list
  See them, their states and their calls (Kamailio's kamcmd works as well):
      sipshard rpc dispatcher.list
  Take one out, and later back in:
      sipshard rpc dispatcher.set_state dx 1 sip:192.0.2.21:5060
      sipshard rpc dispatcher.set_state ap 1 sip:192.0.2.21:5060";

/// A SIP load balancer that counts every call.
///
/// It does the work of Kamailio's dispatcher module, with the same list file and the same tools,
/// spread over all cores.
#[derive(Debug, Parser)]
#[command(name = "sipshard", version, after_help = EXAMPLES)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Check(check::Check),
    Demo(demo::Demo),
    Rpc(rpc::Rpc),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let done = match Command::parse().verb {
        Verb::Run(run) => run.execute(),
        Verb::Check(check) => check.execute(),
        Verb::Demo(demo) => demo.execute(),
        Verb::Rpc(rpc) => rpc.execute(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The cores that this process may use.
fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u16)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Command::command().debug_assert();
    }
}
