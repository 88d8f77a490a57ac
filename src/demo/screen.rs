//! What the demonstration shows: plain text, from a [`View`].

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::agent::CallerCounts;
use crate::proxy::DestinationStats;

/// How one gateway stands.
#[derive(Clone, Debug)]
pub struct GatewayView {
    /// Its name.
    pub name: &'static str,
    /// Its URI.
    pub uri: String,
    /// Whether it answers at all.
    pub alive: bool,
    /// The balancer's flags for it, as the peers print them.
    pub state: String,
    /// Calls counted on it.
    pub load: u32,
    /// Most calls that may be.
    pub maxload: u32,
    /// What the balancer saw of it.
    pub stats: Option<DestinationStats>,
    /// Most calls that it had at once, as it saw them itself.
    pub most_at_once: u64,
}

/// How everything stands.
#[derive(Clone, Debug)]
pub struct View {
    /// Time since the begin.
    pub elapsed: Duration,
    /// How long new calls come.
    pub duration: Option<Duration>,
    /// Whether no new call comes any more.
    pub is_closing: bool,
    /// The gateways.
    pub gateways: Vec<GatewayView>,
    /// The caller's account.
    pub calls: CallerCounts,
    /// Calls refused with 503, since all gateways were full.
    pub refused: u64,
}

const BAR: usize = 24;

impl View {
    /// The whole table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        self.write_table(&mut text).ok();
        text
    }

    fn write_table(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "sipshard demo: algorithm 10 (call load) over four gateways    {}",
            self.clock()
        )?;
        writeln!(text)?;
        writeln!(
            text,
            "{:<8} {:<22} {:<8} {:<width$} {:>9} {:>7} {:>7} {:>8} {:>8}",
            "gateway",
            "uri",
            "state",
            "load",
            "of max",
            "calls",
            "failed",
            "p50 ms",
            "p99 ms",
            width = BAR
        )?;
        for gateway in &self.gateways {
            gateway.write_row(text)?;
        }
        writeln!(text)?;
        let counts = &self.calls;
        writeln!(
            text,
            "callers: {} started, {} answered, {} completed, {} live, {} refused (all full), {} failed",
            counts.started,
            counts.answered,
            counts.completed,
            counts.live,
            self.refused,
            counts.failed.saturating_sub(self.refused),
        )
    }

    /// One line, for where the table cannot be drawn over.
    pub fn line(&self) -> String {
        let mut text = format!("{:>5.0}s", self.elapsed.as_secs_f64());
        for gateway in &self.gateways {
            // Writing to a string cannot fail.
            write!(
                text,
                "  {} {} {}/{}",
                gateway.name, gateway.state, gateway.load, gateway.maxload
            )
            .ok();
        }
        let counts = &self.calls;
        write!(
            text,
            "  calls {} completed {} refused {}",
            counts.started, counts.completed, self.refused
        )
        .ok();
        text
    }

    /// The last words.
    pub fn judgement(&self, faults: &[String]) -> String {
        if faults.is_empty() {
            "No call failed that a gateway had room for, maxload was never passed, and all counts \
             are back at 0.\n"
                .to_owned()
        } else {
            format!("Not as promised: {}.\n", faults.join("; "))
        }
    }

    fn clock(&self) -> String {
        let elapsed = self.elapsed.as_secs();
        match self.duration {
            _ if self.is_closing => format!("{elapsed} s, the last calls end"),
            Some(duration) => format!("{elapsed} of {} s", duration.as_secs()),
            None => format!("{elapsed} s, Ctrl-C ends it"),
        }
    }
}

impl GatewayView {
    fn write_row(&self, text: &mut String) -> std::fmt::Result {
        let filled = (BAR * self.load as usize)
            .checked_div(self.maxload as usize)
            .unwrap_or(0)
            .min(BAR);
        let bar = "█".repeat(filled) + &"·".repeat(BAR - filled);
        let state = if self.alive {
            self.state.clone()
        } else {
            format!("{} dead", self.state)
        };
        let (calls, failed, median, high) = match &self.stats {
            Some(stats) => (
                stats.selected,
                stats.failed,
                milliseconds(&stats.answer_us, 0.5),
                milliseconds(&stats.answer_us, 0.99),
            ),
            None => (0, 0, "-".to_owned(), "-".to_owned()),
        };
        let load = format!("{}/{}", self.load, self.maxload);
        writeln!(
            text,
            "{:<8} {:<22} {state:<8} {bar} {load:>9} {calls:>7} {failed:>7} {median:>8} {high:>8}",
            self.name, self.uri,
        )
    }
}

fn milliseconds(histogram: &Histogram<u32>, quantile: f64) -> String {
    if histogram.is_empty() {
        return "-".to_owned();
    }
    format!(
        "{:.1}",
        histogram.value_at_quantile(quantile) as f64 / 1000.0
    )
}
