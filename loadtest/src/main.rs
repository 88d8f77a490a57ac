//! The command `sipload`. Exit status: 0, all thresholds kept; 1, one missed; 2, it could not be run.

use std::process::ExitCode;

use clap::Parser as _;
use sipload::options::Options;
use sipload::{run, screen, verdict};

fn main() -> ExitCode {
    let options = Options::parse();
    match run::run(&options) {
        Ok(summary) => {
            print!("{}", screen::table(&summary));
            let missed = verdict::missed(&options, &summary);
            for threshold in &missed {
                eprintln!("sipload: {threshold}");
            }
            ExitCode::from(u8::from(!missed.is_empty()))
        }
        Err(error) => {
            eprintln!("sipload: {error:#}");
            ExitCode::from(2)
        }
    }
}
