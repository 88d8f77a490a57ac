//! What the user sees: a line each second, and the table at the end. The names are SIPp's.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use sipshard::agent::{CallerCounts, CallerReport, latency};

use crate::options::Options;
use crate::run::Summary;
use crate::verdict::{failures, percentage};
use crate::worker::Update;

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
    /// Calls begun so far, when the line was last shown.
    before: u64,
    shown: bool,
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
            before: 0,
            shown: false,
        }
    }

    /// Shows one second, as all threads have told it.
    pub fn show(&mut self, updates: &[Update]) {
        let Some(last) = updates.iter().map(|update| update.second).max() else {
            return;
        };
        let text = if self.calls {
            self.callers(last, updates)
        } else {
            self.gateways(last, updates)
        };
        match self.output {
            Output::None => return,
            Output::Terminal => {
                eprint!("\r\x1b[K{text}");
                // A terminal that is gone is no reason to stop.
                let _ = std::io::stderr().flush();
            }
            Output::File => eprintln!("{text}"),
        }
        self.shown = true;
    }

    fn callers(&mut self, second: u64, updates: &[Update]) -> String {
        let mut counts = CallerCounts::default();
        let mut answers = latency::new_histogram();
        for update in updates {
            counts.merge(&update.caller);
            latency::add(&mut answers, &update.answers);
        }
        let rate = counts.started.saturating_sub(self.before);
        self.before = counts.started;
        format!(
            "{second:>5} s {rate:>7} cps {live:>8} live {started:>10} calls {failed:>6} failed \
             {skipped:>6} skipped {again:>6} retrans   answer p50 {p50} p99 {p99} max {max} ms",
            live = counts.live,
            started = counts.started,
            failed = counts.failed,
            skipped = counts.skipped,
            again = counts.retransmissions(),
            p50 = millis(answers.value_at_quantile(0.5)),
            p99 = millis(answers.value_at_quantile(0.99)),
            max = millis(answers.max()),
        )
    }

    fn gateways(&mut self, second: u64, updates: &[Update]) -> String {
        let sum = |part: fn(&Update) -> u64| updates.iter().map(part).sum::<u64>();
        let calls = sum(|update| update.gateway_calls);
        let rate = calls.saturating_sub(self.before);
        self.before = calls;
        format!(
            "{second:>5} s {rate:>7} cps {live:>8} live {calls:>10} calls {ended:>10} ended",
            live = sum(|update| update.gateway_live),
            ended = sum(|update| update.gateway_ended),
        )
    }

    /// Leaves the line as it is.
    pub fn end(&mut self) {
        if self.output == Output::Terminal && self.shown {
            eprintln!();
        }
    }
}

/// Nanoseconds as milliseconds with three digits after the point.
fn millis(nanos: u64) -> String {
    format!("{:.3}", nanos as f64 / 1e6)
}

/// The final table.
pub fn table(summary: &Summary) -> String {
    let mut out = String::new();
    heading(&mut out, "Statistics");
    row(
        &mut out,
        "Elapsed Time",
        format!("{:.3} s", summary.elapsed.as_secs_f64()),
    );
    if let Some(caller) = &summary.caller {
        callers(&mut out, summary, caller);
    }
    if !summary.gateways.is_empty() {
        let invites = summary
            .gateways
            .iter()
            .map(|(_, report)| report.counts.invites);
        row(&mut out, "Incoming call created", invites.sum::<u64>());
    }
    resources(&mut out, summary);
    if let Some(caller) = &summary.caller {
        latencies(&mut out, caller);
    }
    if !summary.gateways.is_empty() {
        gateways(&mut out, summary);
    }
    out
}

fn heading(out: &mut String, title: &str) {
    let line = format!("---- {title} ");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{line:-<100}");
}

/// One row of a table.
pub fn row(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "  {name:<26}| {value}");
}

/// A row that only matters if it is not zero.
fn row_if(out: &mut String, name: &str, value: u64) {
    if value > 0 {
        row(out, name, value);
    }
}

fn callers(out: &mut String, summary: &Summary, caller: &CallerReport) {
    let counts = &caller.counts;
    let starting = caller.last_start.since(summary.begin).as_secs_f64();
    if starting > 0.0 {
        let rate = counts.started.saturating_sub(1) as f64 / starting;
        row(
            out,
            "Call Rate",
            format!("{rate:.1} cps (asked for: {})", summary.rate),
        );
    }
    row(out, "Outgoing call created", counts.started);
    row(out, "Current Call", counts.live);
    row(out, "Peak calls", format!("at most {}", counts.max_live));
    row(out, "Successful call", counts.completed + counts.cancelled);
    row_if(out, "  cancelled on purpose", counts.cancelled);
    let (failed, calls) = failures(summary);
    let percent = percentage(failed, calls);
    row(out, "Failed call", format!("{failed} ({percent:.3} %)"));
    row_if(out, "  skipped, too many live", counts.skipped);
    row_if(out, "  still live", counts.live);
    row_if(out, "  INVITE timeout", counts.invite_timeouts);
    row_if(out, "  BYE timeout", counts.bye_timeouts);
    row_if(out, "  rang too long", counts.ring_timeouts);
    row_if(out, "  gateway did not hang up", counts.bye_missing);
    for (code, number) in &caller.refused {
        row(out, &format!("  answered by {code}"), number);
    }
    row(out, "Retransmissions", counts.retransmissions());
    row_if(out, "Repeated ACKs", counts.acks_again);
    row_if(out, "re-INVITEs accepted", counts.reinvites);
    row_if(out, "re-INVITEs failed", counts.reinvites_failed);
    row_if(out, "Second answers (forked)", counts.forked);
    row_if(out, "Late messages", counts.late);
    row(out, "Unexpected msg", counts.unexpected + counts.malformed);
}

fn resources(out: &mut String, summary: &Summary) {
    let traffic = &summary.traffic;
    row(
        out,
        "Datagrams sent, received",
        format!("{}, {}", traffic.sent, traffic.received),
    );
    row_if(out, "  lost in own send buffers", traffic.congested);
    row_if(out, "  lost in own receive buffers", traffic.overflowed);
    row_if(out, "  not sent for an error", traffic.unsent);
    row_if(out, "  returned by ICMP", traffic.undeliverable);
    let cpu = summary.cpu;
    let messages = (traffic.sent + traffic.received).max(1);
    let each = cpu.as_secs_f64() * 1e6 / messages as f64;
    let text = format!(
        "{:.2} s on {} threads, {each:.2} us a datagram sent or received",
        cpu.as_secs_f64(),
        summary.threads
    );
    row(out, "CPU time", text);
}

fn latencies(out: &mut String, caller: &CallerReport) {
    heading(out, "Response times in milliseconds");
    let _ = writeln!(
        out,
        "  {:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "number", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    for (name, latency) in [
        ("INVITE to 180", &caller.setup),
        ("INVITE to 200", &caller.answer),
        ("BYE to 200", &caller.bye),
    ] {
        percentiles(out, &format!("{name}, from schedule"), &latency.scheduled);
        percentiles(out, &format!("{name}, from sending"), &latency.sent);
    }
    percentiles(out, "INVITEs later than scheduled", &caller.lateness);
}

fn percentiles(out: &mut String, name: &str, histogram: &Histogram<u64>) {
    let _ = write!(out, "  {name:<30} {:>9}", histogram.len());
    let mean = Duration::from_secs_f64(histogram.mean() / 1e9);
    let _ = write!(out, " {:>9}", millis(mean.as_nanos() as u64));
    for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
        let _ = write!(out, " {:>9}", millis(histogram.value_at_quantile(quantile)));
    }
    out.push('\n');
}

fn gateways(out: &mut String, summary: &Summary) {
    heading(out, "Gateways");
    let _ = writeln!(
        out,
        "  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>9}",
        "address",
        "calls",
        "180",
        "200",
        "ACK",
        "BYE",
        "cancel",
        "refused",
        "again",
        "live",
        "max live"
    );
    for (address, report) in &summary.gateways {
        let counts = &report.counts;
        let _ = writeln!(
            out,
            "  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>9}",
            address.to_string(),
            counts.invites,
            counts.ringing,
            counts.answered,
            counts.acked,
            counts.byes + counts.hung_up,
            counts.cancelled,
            counts.rejected,
            counts.invites_again + counts.answers_again + counts.byes_again,
            counts.live,
            counts.max_live
        );
    }
    let sum = |part: fn(&sipshard::agent::GatewayCounts) -> u64| {
        let parts = summary
            .gateways
            .iter()
            .map(|(_, report)| part(&report.counts));
        parts.sum::<u64>()
    };
    row_if(out, "200 never acknowledged", sum(|counts| counts.unacked));
    row_if(
        out,
        "Own BYE never answered",
        sum(|counts| counts.bye_timeouts),
    );
    row_if(out, "Not answered on purpose", sum(|counts| counts.ignored));
    row_if(out, "OPTIONS answered", sum(|counts| counts.options));
    row_if(out, "BYE or CANCEL too late", sum(|counts| counts.too_late));
    row_if(out, "Messages of no call", sum(|counts| counts.strays));
    row_if(out, "Refused, too many calls", sum(|counts| counts.full));
}
