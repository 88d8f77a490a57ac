//! The command `sipload`. Exit status: 0, all thresholds kept; 1, one missed; 2, it could not be run.

use std::process::ExitCode;

use anyhow::Result;
use sipload::cli::{Cli, Verb};
use sipload::options::Role;
use sipload::{find_max, forward, named, report, run, screen, verdict};

fn main() -> ExitCode {
    match Cli::read(std::env::args_os()).and_then(|cli| command(&cli)) {
        Ok(missed) => {
            for threshold in &missed {
                eprintln!("sipload: {threshold}");
            }
            ExitCode::from(u8::from(!missed.is_empty()))
        }
        Err(error) => {
            // Only what is wrong with the usage, or was asked for by --help, ends in a hint at it.
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                usage.exit();
            }
            eprintln!("sipload: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Does what the command line says; returns the thresholds that were missed.
fn command(cli: &Cli) -> Result<Vec<String>> {
    let options = match &cli.verb {
        Some(Verb::Report(options)) => {
            report::command(options)?;
            println!("wrote {}", options.output.display());
            return Ok(Vec::new());
        }
        Some(Verb::FindMax(options)) => return find_max::command(options),
        None => &cli.options,
    };
    if let Some(name) = &options.scenario.sd {
        print!("{}", named::xml(name)?);
        return Ok(Vec::new());
    }
    if options.role == Role::Forward {
        forward::run(options)?;
        return Ok(Vec::new());
    }
    let summary = run::run(options)?;
    let checks = verdict::checks(options, &summary);
    print!("{}", screen::table(&summary, &checks));
    Ok(verdict::missed(&checks))
}
