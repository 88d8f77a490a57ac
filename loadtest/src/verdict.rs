//! Which thresholds a run has missed.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::options::Options;
use crate::run::Summary;

/// Calls that did not go as they should, and calls in all; skipped calls and calls that were still under
/// way at the end are among both. Without callers, the gateways' word counts.
pub fn failures(summary: &Summary) -> (u64, u64) {
    if let Some(caller) = &summary.caller {
        let counts = &caller.counts;
        let failed = counts.failed + counts.skipped + counts.live;
        return (failed, counts.started + counts.skipped);
    }
    if let Some(script) = &summary.script {
        // Whoever waits for calls is ended from outside, with some under way.
        let counts = &script.caller.counts;
        return (counts.failed, counts.started);
    }
    let counts = || summary.gateways.iter().map(|(_, report)| &report.counts);
    (
        counts()
            .map(|one| one.unacked + one.bye_timeouts + one.full)
            .sum(),
        counts().map(|one| one.invites + one.full).sum(),
    )
}

/// Each missed threshold as a sentence.
pub fn missed(options: &Options, summary: &Summary) -> Vec<String> {
    let mut missed = Vec::new();
    let (failed, calls) = failures(summary);
    let percent = percentage(failed, calls);
    let most = options.max_failed.unwrap_or_default();
    if percent > most {
        missed.push(format!(
            "{failed} of {calls} calls failed ({percent:.3} %), more than {most} %"
        ));
    }
    if let Some(caller) = &summary.caller {
        let mut check = |histogram: &Histogram<u64>, most: Option<Duration>, what: &str| {
            let value = Duration::from_nanos(histogram.value_at_quantile(0.99));
            if let Some(most) = most.filter(|most| value > *most) {
                missed.push(format!(
                    "the 99th percentile of {what} is {:.3} ms, above {:.3} ms",
                    value.as_secs_f64() * 1_000.0,
                    most.as_secs_f64() * 1_000.0
                ));
            }
        };
        check(
            &caller.answer.scheduled,
            options.max_p99_answer,
            "the answer time",
        );
        check(
            &caller.lateness,
            options.max_p99_lateness,
            "the lateness of INVITEs",
        );
    }
    missed
}

/// `part` of `whole` in percent; 0 of nothing.
pub fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use sipshard::agent::{CallerReport, latency};
    use sipshard::time::Timestamp;

    fn summary() -> Summary {
        let mut caller = CallerReport::default();
        caller.counts.started = 1_000;
        for _ in 0..1_000 {
            latency::record(&mut caller.answer.scheduled, Duration::from_millis(20));
            latency::record(&mut caller.lateness, Duration::from_millis(2));
        }
        Summary {
            elapsed: Duration::from_secs(1),
            begin: Timestamp::ZERO,
            rate: 1.0,
            threads: 1,
            caller: Some(caller),
            script: None,
            gateways: Vec::new(),
            traffic: sipshard::plane::Traffic::default(),
            seconds: Vec::new(),
            interrupted: false,
            cpu: Duration::ZERO,
        }
    }

    fn missed_with(arguments: &[&str], summary: &Summary) -> Vec<String> {
        let all = std::iter::once(&"sipload").chain(arguments);
        missed(&Cli::read(all).unwrap().options, summary)
    }

    #[test]
    fn a_clean_run_misses_nothing() {
        assert_eq!(missed_with(&[], &summary()), [""; 0]);
        let arguments = ["--max-p99-answer", "25", "--max-p99-lateness", "3"];
        assert_eq!(missed_with(&arguments, &summary()), [""; 0]);
    }

    #[test]
    fn failed_skipped_and_unfinished_calls_count() {
        for part in 0..3 {
            let mut summary = summary();
            let counts = &mut summary.caller.as_mut().unwrap().counts;
            *[&mut counts.failed, &mut counts.skipped, &mut counts.live][part] = 5;
            assert_eq!(missed_with(&[], &summary).len(), 1);
            assert_eq!(missed_with(&["--max-failed", "0.4"], &summary).len(), 1);
            assert_eq!(missed_with(&["--max-failed", "0.5"], &summary).len(), 0);
        }
    }

    #[test]
    fn slow_answers_and_a_slow_generator_are_told_apart() {
        let answer = missed_with(&["--max-p99-answer", "15"], &summary());
        assert!(answer[0].contains("answer time is 20."), "{answer:?}");
        let late = missed_with(&["--max-p99-lateness", "1"], &summary());
        assert!(late[0].contains("lateness of INVITEs is 2."), "{late:?}");
    }
}
