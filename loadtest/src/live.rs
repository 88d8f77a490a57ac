//! The line that shows each second how the run goes, on the standard error output.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use crate::options::Options;
use crate::screen::millis;
use crate::target;
use crate::timeline::Second;

/// Where the live line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    None,
    /// The line is written over.
    Terminal,
    /// Each is a line of its own.
    File,
}

/// The line that is renewed each second, on the standard error output.
#[derive(Debug)]
pub struct LiveLine {
    output: Output,
    calls: bool,
    progress: Progress,
    /// Calls begun so far, when the line was last shown.
    before: u64,
    shown_at: Duration,
    shown: bool,
}

/// How far a run has come, where it has an end that is known.
#[derive(Clone, Copy, Debug)]
struct Progress {
    calls: Option<u64>,
    duration: Option<Duration>,
}

impl Progress {
    /// In percent, and how long it will still take at this pace.
    fn of(self, at: Duration, calls: u64) -> String {
        let part = |done: f64, all: f64| if all > 0.0 { done / all } else { 1.0 };
        let by_calls = self.calls.map(|all| part(calls as f64, all as f64));
        let by_time = self
            .duration
            .map(|all| part(at.as_secs_f64(), all.as_secs_f64()));
        // Whatever is reached first ends the run.
        let Some(done) = by_calls.into_iter().chain(by_time).reduce(f64::max) else {
            return String::new();
        };
        let done = done.min(1.0);
        let left = at.as_secs_f64() * (1.0 - done) / done.max(1e-9);
        if done >= 1.0 {
            " 100 %".to_owned()
        } else if left < 100_000.0 {
            format!(" {:>3.0} % ({left:.0} s left)", (done * 100.0).floor())
        } else {
            format!(" {:>3.0} %", (done * 100.0).floor())
        }
    }
}

impl LiveLine {
    /// A line for this run; says first what is where.
    pub fn new(options: &Options, gateways: &[SocketAddr]) -> Self {
        let output = if options.quiet {
            Output::None
        } else if std::io::stderr().is_terminal() {
            Output::Terminal
        } else {
            Output::File
        };
        if output != Output::None {
            for gateway in gateways {
                eprintln!("gateway {gateway}");
            }
        }
        Self {
            output,
            calls: options.role.calls(),
            progress: Progress {
                calls: options.calls,
                duration: target::duration(options),
            },
            before: 0,
            shown_at: Duration::ZERO,
            shown: false,
        }
    }

    /// Shows one second.
    pub fn show(&mut self, second: &Second) {
        let parts = if self.calls {
            self.callers(second)
        } else {
            self.gateways(second)
        };
        match self.output {
            Output::None => return,
            Output::Terminal => {
                eprint!("\r\x1b[K{}", fitted(parts, columns()));
                // A terminal that is gone is no reason to stop.
                let _ = std::io::stderr().flush();
            }
            Output::File => eprintln!("{}", fitted(parts, usize::MAX)),
        }
        self.shown = true;
    }

    fn callers(&mut self, second: &Second) -> Vec<Part> {
        let counts = &second.counts;
        let rate = self.rate(second.at, counts.started);
        let [p50, _, p99, _, max] = second.answers.at.map(millis);
        let progress = self.progress.of(second.at, counts.started + counts.skipped);
        vec![
            (0, format!("{:>5.0} s{progress}", second.at.as_secs_f64())),
            (0, format!("{rate:>7.0} cps")),
            (2, format!("{:>8} live", counts.live)),
            (3, format!("{:>10} calls", counts.started)),
            (0, format!("{:>6} failed", counts.failed)),
            (4, format!("{:>6} skipped", counts.skipped)),
            (5, format!("{:>6} retrans", counts.retransmissions())),
            (1, format!("  answer p50 {p50} p99 {p99} max {max} ms")),
        ]
    }

    fn gateways(&mut self, second: &Second) -> Vec<Part> {
        let rate = self.rate(second.at, second.gateway_calls);
        let progress = self.progress.of(second.at, second.gateway_ended);
        vec![
            (0, format!("{:>5.0} s{progress}", second.at.as_secs_f64())),
            (0, format!("{rate:>7.0} cps")),
            (0, format!("{:>8} live", second.gateway_live)),
            (0, format!("{:>10} calls", second.gateway_calls)),
            (0, format!("{:>10} ended", second.gateway_ended)),
        ]
    }

    /// Calls a second since the line was last shown.
    fn rate(&mut self, at: Duration, calls: u64) -> f64 {
        let span = at.saturating_sub(self.shown_at).as_secs_f64();
        let begun = calls.saturating_sub(self.before);
        (self.shown_at, self.before) = (at, calls);
        if span > 0.0 { begun as f64 / span } else { 0.0 }
    }

    /// Leaves the line as it is.
    pub fn end(&mut self) {
        if self.output == Output::Terminal && self.shown {
            eprintln!();
        }
    }
}

/// A part of the live line; those with the highest number go first if it is too long.
type Part = (u8, String);

/// The terminal's width; 80 if it does not tell.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns > 0 { columns } else { 80 }
}

/// The parts as a line that a terminal of this width does not break: what is broken cannot be written over.
/// First the spaces that align go, then parts.
fn fitted(mut parts: Vec<Part>, columns: usize) -> String {
    let joined = |parts: &[Part]| {
        let texts = parts.iter().map(|(_, text)| text.as_str());
        texts.collect::<Vec<_>>().join(" ")
    };
    // In the last column some terminals break already.
    let most = columns.saturating_sub(1);
    let line = joined(&parts);
    if line.len() <= most {
        return line;
    }
    for (_, text) in &mut parts {
        let words: Vec<&str> = text.split_whitespace().collect();
        *text = words.join(" ");
    }
    loop {
        let line = joined(&parts);
        let last = parts.iter().map(|(number, _)| *number).max().unwrap_or(0);
        if line.len() <= most || last == 0 {
            return line.chars().take(most).collect();
        }
        parts.retain(|(number, _)| *number != last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_line_fits_into_the_terminal() {
        let part = |number, text: &str| (number, text.to_owned());
        let parts = vec![
            part(0, "    1 s   5 %"),
            part(2, "       7 live"),
            part(1, "  answer 2 ms"),
        ];
        for (columns, line) in [
            (usize::MAX, "    1 s   5 %        7 live   answer 2 ms"),
            (42, "    1 s   5 %        7 live   answer 2 ms"),
            (41, "1 s 5 % 7 live answer 2 ms"),
            (27, "1 s 5 % 7 live answer 2 ms"),
            (26, "1 s 5 % answer 2 ms"),
            (19, "1 s 5 %"),
            (4, "1 s"),
            (0, ""),
        ] {
            assert_eq!(fitted(parts.clone(), columns), line, "{columns}");
        }
    }
}
