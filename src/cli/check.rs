//! `sipshard check`: what is wrong with a routing configuration.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sipshard::route::diagnostic::Severity;
use sipshard::route::{Checked, check, explain};

const EXAMPLES: &str = "\
It reads the file and all that it includes as Kamailio does, and judges every name against sipshard's
tables: functions and their arguments, pseudo-variables, parameters, modules, routes. It does not run
anything; `sipshard run -f FILE` does.

Errors are what cannot run here. Warnings are what runs, and hardly as it was meant. Notes are what
is accepted and means nothing here.

Examples:
      sipshard check -f /etc/kamailio/kamailio.cfg
      sipshard check -f kamailio.cfg -A WITH_DEBUG -A 'DBURL=\"text://\"'
      sipshard check --explain ds_select_dst
      sipshard check --explain '$du'

The exit status is 1 if there is an error.";

/// Check a routing configuration, in Kamailio's language
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The configuration
    #[arg(short = 'f', value_name = "FILE", required_unless_present = "explain")]
    file: Option<PathBuf>,

    /// Define a name as #!define does; may be given several times
    #[arg(short = 'A', value_name = "NAME[=VALUE]")]
    defines: Vec<String>,

    /// Leave out the notes
    #[arg(short, long)]
    quiet: bool,

    /// Say what is known of a function, parameter, pseudo-variable, transformation or module
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    explain: Option<String>,
}

impl Check {
    /// Prints what was found.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if let Some(name) = &self.explain {
            let text = explain(name).map_err(anyhow::Error::msg)?;
            print(&text);
            return Ok(ExitCode::SUCCESS);
        }
        let file = self.file.unwrap_or_default();
        let path = file.to_string_lossy();
        let read = |path: &str| std::fs::read(path).map_err(|error| error.to_string());
        let mut checked = check(&path, &self.defines, &read)
            .map_err(|error| anyhow::anyhow!("cannot read {path}: {error}"))?;
        if self.quiet {
            checked.report.retain_worse_than(Severity::Note);
        }
        let is_colored = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print(&checked.report.render(&checked.sources, is_colored));
        print(&format!("{path}: {}\n", summary(&checked)));
        Ok(if checked.report.has_errors() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// `2 errors, 1 warning; 7 routes`
fn summary(checked: &Checked) -> String {
    let count = |number: usize, what: &str| match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    };
    let mut parts = vec![count(checked.report.count(Severity::Error), "error")];
    for (severity, what) in [(Severity::Warning, "warning"), (Severity::Note, "note")] {
        let number = checked.report.count(severity);
        if number > 0 {
            parts.push(count(number, what));
        }
    }
    let routes = count(checked.config.routes.len(), "route");
    format!("{}; {routes} checked, nothing was run", parts.join(", "))
}

/// Who reads may have read enough.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
