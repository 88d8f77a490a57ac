//! Reports: the interval log, HdrHistogram's percentile lists, CSV, and one HTML page with pictures.
//!
//! A run writes its log while it goes on and the rest at its end; `sipload report` makes the page again from
//! the logs of one run or several.

mod chart;
pub mod hlog;
mod html;
pub mod load;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use hdrhistogram::Histogram;

use self::hlog::{LogWriter, tag_of, with_ending};
use self::load::{EXPECTED_INTERVAL, Run};
use crate::options::Options;
use crate::options::parse::parse_millis;
use crate::screen;
use crate::script::program::Program;
use crate::summary::Summary;
use crate::timeline;
use crate::verdict;

/// Steps of a percentile list for each halving of what lies above, as HdrHistogram's own tools have it.
const TICKS_PER_HALF: u32 = 5;

/// How the names of facts begin that are thresholds.
const THRESHOLD: &str = "Threshold ";
/// How their values begin if they were met, and if not.
const MET: &str = "met: ";
const MISSED: &str = "missed: ";

/// The fact that says what the times without a tag are.
const MEASURED: &str = "Measured";
/// How it ends if they count from the schedule.
const SCHEDULED: &str = ", from schedule";

/// What the times without a tag are, and whether they count from the schedule.
pub fn measured(program: Option<&Program>) -> String {
    let Some(program) = program else {
        return format!("INVITE to 200{SCHEDULED}");
    };
    let Some(name) = program.timers.first() else {
        return "nothing: the scenario has no rtd".to_owned();
    };
    let since = if program.is_scheduled(0) {
        SCHEDULED
    } else {
        ""
    };
    format!("timer {name}{since}")
}

/// What `sipload report` is told.
#[derive(Clone, Debug, Args)]
pub struct ReportOptions {
    /// Interval logs (.hlog); rates and failures come from the .csv beside each, if sipload wrote one
    #[arg(required = true, value_name = "RUN.hlog")]
    pub logs: Vec<PathBuf>,

    /// Where the page goes
    #[arg(short = 'o', long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,

    /// Correct for this expected interval instead of the one in the log; 0: do not
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub expected_interval: Option<Duration>,
}

/// Makes the page from logs.
///
/// # Errors
/// If a log cannot be read or the page cannot be written.
pub fn command(options: &ReportOptions) -> Result<()> {
    let load = |path: &PathBuf| Run::load(path, options.expected_interval);
    let runs: Vec<Run> = options.logs.iter().map(load).collect::<Result<_>>()?;
    write_file(&options.output, &html::page(&runs))
}

/// Ends a run's log and writes the other files beside it.
///
/// # Errors
/// If a file cannot be written.
pub fn write(options: &Options, summary: &Summary, mut log: LogWriter) -> Result<()> {
    let prefix = log.prefix().to_owned();
    if let Some(caller) = &summary.caller {
        for (histogram, tag) in [
            (&caller.setup.scheduled, "setup"),
            (&caller.setup.sent, "setup-sent"),
            (&caller.bye.scheduled, "bye"),
            (&caller.bye.sent, "bye-sent"),
            (&caller.lateness, "lateness"),
        ] {
            log.histogram(Duration::ZERO, summary.elapsed, histogram, Some(tag))?;
        }
    }
    let program = options.scenario.program.as_deref();
    log.fact(MEASURED, &measured(program))?;
    let arguments: Vec<String> = std::env::args().collect();
    log.fact("Command", &arguments.join(" "))?;
    for (name, value) in screen::facts(summary) {
        log.fact(&name, &value)?;
    }
    for check in verdict::checks(options, summary) {
        let verdict = if check.met { MET } else { MISSED };
        let name = format!("{THRESHOLD}{}", check.threshold);
        log.fact(&name, &format!("{verdict}{}", check.measured))?;
    }
    let interval = summary.expected_interval;
    log.fact(
        EXPECTED_INTERVAL,
        &format!("{} ms", interval.as_secs_f64() * 1e3),
    )?;
    log.finish()?;
    let names = program.map_or(&[][..], |program| &program.timers);
    let timers: Vec<String> = names.iter().skip(1).map(|name| tag_of(name)).collect();
    write_file(
        &with_ending(&prefix, ".csv"),
        &timeline::csv(&summary.seconds, &timers),
    )?;
    let run = Run::load(&with_ending(&prefix, ".hlog"), None)?;
    for curve in run
        .curves
        .iter()
        .filter(|curve| !curve.histogram.is_empty())
    {
        let ending = match curve.tag.as_str() {
            "" => ".hgrm".to_owned(),
            tag => format!("-{tag}.hgrm"),
        };
        write_file(
            &with_ending(&prefix, &ending),
            &percentiles(&curve.histogram),
        )?;
    }
    write_file(&with_ending(&prefix, ".html"), &html::page(&[run]))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A distribution as HdrHistogram's tools list it (.hgrm), in milliseconds.
fn percentiles(histogram: &Histogram<u64>) -> String {
    use std::fmt::Write as _;
    let mut out = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n".to_owned();
    let mut total = 0;
    // Writing to a string cannot fail.
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = step.value_iterated_to() as f64 / 1e6;
        let _ = write!(out, "{value:12.3} {quantile:2.12} {total:10}");
        if quantile < 1.0 {
            let _ = write!(out, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.mean() / 1e6,
        histogram.stdev() / 1e6,
        histogram.max() as f64 / 1e6,
        histogram.len(),
        histogram.buckets(),
        (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two(),
    );
    out
}

#[cfg(test)]
mod tests;
