//! The table at the end of a run. The names are SIPp's.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use sipshard::agent::{CallerReport, Latency};

use crate::script::report::{CAUSES, ScriptReport};
use crate::summary::Summary;
use crate::verdict::{Check, failures, percentage, reached_rate};

/// Nanoseconds as milliseconds with three digits after the point.
pub fn millis(nanos: u64) -> String {
    format!("{:.3}", nanos as f64 / 1e6)
}

/// The final table.
pub fn table(summary: &Summary, checks: &[Check]) -> String {
    let mut out = String::new();
    heading(&mut out, "Statistics");
    print_rows(&mut out, &facts(summary));
    if let Some(caller) = &summary.caller {
        latencies(&mut out, caller, summary);
    }
    if let Some(report) = &summary.script {
        script(&mut out, report);
    }
    if !summary.gateways.is_empty() {
        gateways(&mut out, summary);
    }
    thresholds(&mut out, checks);
    out
}

/// Each threshold, what was measured, and whether it was met.
fn thresholds(out: &mut String, checks: &[Check]) {
    heading(out, "Thresholds");
    for check in checks {
        let (threshold, measured) = (&check.threshold, &check.measured);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "  {threshold:<34} {measured:>34}  {}",
            if check.met { "met" } else { "MISSED" }
        );
    }
}

/// The steps of a script and the times of its timers.
fn script(out: &mut String, report: &ScriptReport) {
    heading(out, "Scenario");
    let _ = writeln!(
        out,
        "  {:<30} {:>12} {:>10} {:>10} {:>11}",
        "", "messages", "again", "timeout", "unexpected"
    );
    for (label, step) in report.labels.iter().zip(&report.steps) {
        let _ = writeln!(
            out,
            "  {label:<30} {:>12} {:>10} {:>10} {:>11}",
            step.done, step.again, step.timeouts, step.unexpected
        );
    }
    // If calls begin here, they stand above with the caller's times.
    if !report.calls
        && report
            .timers
            .iter()
            .any(|(_, times)| !times.sent.is_empty())
    {
        times_heading(out);
        timers(out, report, Duration::ZERO);
    }
}

/// The times of a script's timers: twice, if they count from the schedule, and those of the first corrected,
/// too.
fn timers(out: &mut String, report: &ScriptReport, interval: Duration) {
    let timers = report.timers.iter().zip(&report.scheduled).enumerate();
    for (number, ((name, times), is_scheduled)) in timers {
        if times.sent.is_empty() {
            continue;
        }
        let name = format!("timer {name}");
        if *is_scheduled {
            both_ways(out, &name, times);
        } else {
            percentiles(out, &name, &times.sent);
        }
        if number == 0 {
            corrected(out, &name, times, interval);
        }
    }
}

fn both_ways(out: &mut String, name: &str, times: &Latency) {
    percentiles(out, &format!("{name}, from schedule"), &times.scheduled);
    percentiles(out, &format!("{name}, from sending"), &times.sent);
}

/// The times from sending as a caller who waits for answers would have met them; if that changes anything.
fn corrected(out: &mut String, name: &str, times: &Latency, interval: Duration) {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    // Below the interval, there is nothing to add.
    if nanos > 0 && times.sent.max() > nanos {
        let corrected = times.sent.clone_correct(nanos);
        if corrected.len() > times.sent.len() {
            percentiles(out, &format!("{name}, corrected"), &corrected);
        }
    }
}

/// What a script that waits for calls has seen of them.
fn served(rows: &mut Rows, report: &ScriptReport) {
    let counts = &report.caller.counts;
    row(rows, "Incoming call created", counts.started);
    row(rows, "Current Call", counts.live);
    row(rows, "Peak calls", format!("at most {}", counts.max_live));
    row(rows, "Successful call", counts.successful());
    let percent = percentage(counts.failed, counts.started);
    row(
        rows,
        "Failed call",
        format!("{} ({percent:.3} %)", counts.failed),
    );
    row(rows, "Retransmissions", counts.retransmissions());
}

/// Names and values.
pub type Rows = Vec<(String, String)>;

/// What a run was and did, as rows of the table.
pub fn facts(summary: &Summary) -> Rows {
    let mut rows = Rows::new();
    row(
        &mut rows,
        "Elapsed Time",
        format!("{:.3} s", summary.elapsed.as_secs_f64()),
    );
    if let Some(caller) = &summary.caller {
        callers(&mut rows, summary, caller);
    }
    if !summary.gateways.is_empty() {
        let invites = summary
            .gateways
            .iter()
            .map(|(_, report)| report.counts.invites);
        row(&mut rows, "Incoming call created", invites.sum::<u64>());
    }
    if let Some(report) = &summary.script {
        if !report.calls {
            served(&mut rows, report);
        }
        for ((_, name), number) in CAUSES.iter().zip(report.causes) {
            row_if(&mut rows, &format!("  {name}"), number);
        }
        row_if(&mut rows, "Out-of-call messages", report.strays);
    }
    resources(&mut rows, summary);
    rows
}

fn heading(out: &mut String, title: &str) {
    let line = format!("---- {title} ");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{line:-<100}");
}

/// Adds a row.
pub fn row(rows: &mut Rows, name: &str, value: impl std::fmt::Display) {
    rows.push((name.to_owned(), value.to_string()));
}

/// Rows as a table.
pub fn print_rows(out: &mut String, rows: &Rows) {
    for (name, value) in rows {
        let _ = writeln!(out, "  {name:<26}| {value}");
    }
}

/// A row that only matters if it is not zero.
fn row_if(rows: &mut Rows, name: &str, value: u64) {
    if value > 0 {
        row(rows, name, value);
    }
}

fn callers(rows: &mut Rows, summary: &Summary, caller: &CallerReport) {
    let counts = &caller.counts;
    if let Some(rate) = reached_rate(summary) {
        let last = caller.last_start.since(summary.begin);
        let asked = match (summary.target.mean(last), summary.target.users) {
            // As many digits as the rate itself, and none where it is whole.
            (Some(asked), _) if asked >= 1.0 => {
                format!("asked for: {}", (asked * 10.0).round() / 10.0)
            }
            (Some(asked), _) => format!("asked for: {asked:.3}"),
            (None, users) => format!("with {} users", users.unwrap_or(0)),
        };
        row(rows, "Call Rate", format!("{rate:.1} cps ({asked})"));
    }
    row(rows, "Outgoing call created", counts.started);
    row(rows, "Current Call", counts.live);
    row(rows, "Peak calls", format!("at most {}", counts.max_live));
    row(rows, "Successful call", counts.successful());
    row_if(rows, "  cancelled on purpose", counts.cancelled);
    row_if(rows, "  refused as expected", counts.refused_as_expected);
    row_if(rows, "  left without BYE", counts.byes_lost);
    let (failed, calls) = failures(summary);
    let percent = percentage(failed, calls);
    row(rows, "Failed call", format!("{failed} ({percent:.3} %)"));
    row_if(rows, "  skipped, too many live", counts.skipped);
    row_if(rows, "  still live", counts.live);
    row_if(rows, "  INVITE timeout", counts.invite_timeouts);
    row_if(rows, "  BYE timeout", counts.bye_timeouts);
    row_if(rows, "  rang too long", counts.ring_timeouts);
    row_if(rows, "  gateway did not hang up", counts.bye_missing);
    for (code, number) in &caller.refused {
        row(rows, &format!("  answered by {code}"), number);
    }
    row(rows, "Retransmissions", counts.retransmissions());
    row_if(rows, "Repeated ACKs", counts.acks_again);
    row_if(rows, "re-INVITEs accepted", counts.reinvites);
    row_if(rows, "re-INVITEs failed", counts.reinvites_failed);
    row_if(rows, "Second answers (forked)", counts.forked);
    row_if(rows, "Late messages", counts.late);
    row(rows, "Unexpected msg", counts.unexpected + counts.malformed);
}

fn resources(rows: &mut Rows, summary: &Summary) {
    let traffic = &summary.traffic;
    row(
        rows,
        "Datagrams sent, received",
        format!("{}, {}", traffic.sent, traffic.received),
    );
    row_if(rows, "  lost in own send buffers", traffic.congested);
    row_if(rows, "  lost in own receive buffers", traffic.overflowed);
    row_if(rows, "  not sent for an error", traffic.unsent);
    row_if(rows, "  returned by ICMP", traffic.undeliverable);
    let cpu = summary.cpu;
    let messages = (traffic.sent + traffic.received).max(1);
    let each = cpu.as_secs_f64() * 1e6 / messages as f64;
    let text = format!(
        "{:.2} s on {} threads, {each:.2} us a datagram sent or received",
        cpu.as_secs_f64(),
        summary.threads
    );
    row(rows, "CPU time", text);
}

fn latencies(out: &mut String, caller: &CallerReport, summary: &Summary) {
    times_heading(out);
    if let Some(script) = &summary.script {
        timers(out, script, summary.expected_interval);
    } else {
        both_ways(out, "INVITE to 180", &caller.setup);
        both_ways(out, "INVITE to 200", &caller.answer);
        corrected(
            out,
            "INVITE to 200",
            &caller.answer,
            summary.expected_interval,
        );
        both_ways(out, "BYE to 200", &caller.bye);
    }
    percentiles(out, "Calls later than scheduled", &caller.lateness);
}

fn times_heading(out: &mut String) {
    heading(out, "Response times in milliseconds");
    let _ = writeln!(
        out,
        "  {:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "number", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
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
    let mut rows = Rows::new();
    row_if(
        &mut rows,
        "200 never acknowledged",
        sum(|counts| counts.unacked),
    );
    row_if(
        &mut rows,
        "Own BYE never answered",
        sum(|counts| counts.bye_timeouts),
    );
    row_if(
        &mut rows,
        "Not answered on purpose",
        sum(|counts| counts.ignored),
    );
    row_if(&mut rows, "OPTIONS answered", sum(|counts| counts.options));
    row_if(
        &mut rows,
        "BYE or CANCEL too late",
        sum(|counts| counts.too_late),
    );
    row_if(
        &mut rows,
        "Messages of no call",
        sum(|counts| counts.strays),
    );
    row_if(
        &mut rows,
        "Refused, too many calls",
        sum(|counts| counts.full),
    );
    print_rows(out, &rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sipshard::agent::latency;

    fn times(millis: &[u64]) -> Latency {
        let mut times = Latency::default();
        for millis in millis {
            for histogram in [&mut times.scheduled, &mut times.sent] {
                latency::record(histogram, Duration::from_millis(*millis));
            }
        }
        times
    }

    #[test]
    fn times_are_corrected_where_that_changes_them() {
        let rows = |millis, interval| {
            let mut out = String::new();
            corrected(
                &mut out,
                "x",
                &times(millis),
                Duration::from_millis(interval),
            );
            out
        };
        assert_eq!(rows(&[5, 9], 10), "");
        assert_eq!(rows(&[5, 1_000], 0), "");
        let row = rows(&[5, 1_000], 100);
        // 1000 ms stand also for 900, 800 ... 100.
        let columns: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(columns[..3], ["x,", "corrected", "11"]);
    }

    #[test]
    fn timers_count_from_the_schedule_or_from_their_step() {
        let report = ScriptReport {
            timers: vec![
                ("reg".to_owned(), times(&[1])),
                ("opt".to_owned(), times(&[2])),
            ],
            scheduled: vec![true, false],
            ..ScriptReport::default()
        };
        let mut out = String::new();
        timers(&mut out, &report, Duration::ZERO);
        let names: Vec<&str> = out.lines().map(|line| line[..32].trim()).collect();
        assert_eq!(
            names,
            [
                "timer reg, from schedule",
                "timer reg, from sending",
                "timer opt"
            ]
        );
    }
}
