use super::*;
use crate::cli::Cli;
use crate::target::Target;
use sipshard::agent::{CallerReport, latency};
use sipshard::time::Timestamp;

/// A thousand calls in a second, answered after 1 to 1000 ms from the schedule, all 2 ms late.
fn summary() -> Summary {
    let mut caller = CallerReport::default();
    caller.counts.started = 1_000;
    caller.counts.completed = 1_000;
    caller.counts.invite_retransmissions = 7;
    caller.last_start = Timestamp::ZERO + Duration::from_millis(999);
    for millis in 1..=1_000 {
        latency::record(&mut caller.answer.scheduled, Duration::from_millis(millis));
        latency::record(&mut caller.answer.sent, Duration::from_millis(millis / 2));
        latency::record(&mut caller.lateness, Duration::from_millis(2));
    }
    Summary {
        elapsed: Duration::from_secs(1),
        begin: Timestamp::ZERO,
        target: Target::of(&options(&[])),
        threads: 1,
        caller: Some(caller),
        script: None,
        gateways: Vec::new(),
        traffic: sipshard::plane::Traffic::default(),
        seconds: Vec::new(),
        interrupted: false,
        cpu: Duration::ZERO,
        expected_interval: Duration::from_millis(100),
    }
}

fn options(arguments: &[&str]) -> Options {
    let all = std::iter::once(&"sipload").chain(arguments);
    Cli::read(all).unwrap().options
}

fn missed_with(arguments: &[&str], summary: &Summary) -> Vec<String> {
    missed(&checks(&options(arguments), summary))
}

#[test]
fn a_clean_run_misses_nothing() {
    assert_eq!(missed_with(&[], &summary()), [""; 0]);
    let arguments = ["--max-p99-answer", "995", "--max-p99-lateness", "3"];
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
        // A threshold of one's own stands in place of the default.
        for (threshold, missed) in [("failed<5", 1), ("failed<=5", 0), ("failed<0.51%", 0)] {
            let found = missed_with(&["--threshold", threshold], &summary);
            assert_eq!(found.len(), missed, "{threshold}: {found:?}");
        }
    }
}

#[test]
fn slow_answers_and_a_slow_generator_are_told_apart() {
    let answer = missed_with(&["--max-p99-answer", "15"], &summary());
    assert_eq!(answer.len(), 1);
    assert!(
        answer[0].starts_with("missed: p99(answer) <= 15 ms: 990."),
        "{answer:?}"
    );
    let late = missed_with(&["--max-p99-lateness", "1"], &summary());
    assert!(
        late[0].starts_with("missed: p99(lateness) <= 1 ms: 2."),
        "{late:?}"
    );
}

#[test]
fn each_measure_is_what_its_name_says() {
    // What is met, and what is missed by a little.
    for (met, missed) in [
        ("p50(answer)<501", "p50(answer)<499"),
        ("p90(answer)<902", "p90(answer)<899"),
        ("p99.9(answer)<1001", "p99.9(answer)<998"),
        ("max(answer)<=1001", "max(answer)<999"),
        ("mean(answer)<502", "mean(answer)<499"),
        ("p50(answer-sent)<251", "p50(answer-sent)<249"),
        ("late(2.1ms)<=0", "late(1.9ms)<100%"),
        ("retransmissions<=7", "retransmissions<7"),
        ("retransmissions<=0.7%", "retransmissions<0.7%"),
        ("rate>=999.9", "rate>1001"),
        ("successful>=100%", "successful>1000"),
        ("calls>999", "calls>1000"),
        ("skipped<=0", "skipped<0"),
        ("unexpected<1", "unexpected>0"),
    ] {
        assert_eq!(missed_with(&["--threshold", met], &summary()), [""; 0]);
        let found = missed_with(&["--threshold", missed], &summary());
        assert_eq!(found.len(), 1, "{missed}");
    }
}

#[test]
fn of_nothing_no_threshold_is_met() {
    let found = missed_with(&["--threshold", "p99(bye)<5s"], &summary());
    assert_eq!(
        found,
        ["missed: p99(bye) < 5000 ms: nothing was measured".to_owned()]
    );
    let mut summary = summary();
    summary.caller.as_mut().unwrap().counts.started = 1;
    assert_eq!(missed_with(&["--threshold", "rate<5"], &summary).len(), 1);
}

#[test]
fn what_a_run_does_not_measure_is_refused() {
    let register = ["-sn", "register", "127.0.0.1"];
    for (arguments, threshold, reason) in [
        (&["--role", "uas"][..], "p99(answer)<5", "only callers"),
        (&["--role", "uas"], "rate>5", "only callers"),
        (&["--role", "uas"], "retransmissions<5", "only callers"),
        (&[], "p99(rtd:1)<5", "only a script"),
        (&register, "p99(setup)<5", "only its timers"),
        (&register, "p99(rtd:none)<5", "no rtd=\"none\""),
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--threshold", threshold]);
        let error = check_measurable(&options(&all)).unwrap_err().to_string();
        assert!(error.contains(reason), "{threshold}: {error}");
    }
    for (arguments, threshold) in [
        (&["--role", "uas"][..], "failed<5"),
        (&register, "p99(rtd:1)<5"),
        (&register, "p99(answer)<5"),
        (&register, "unexpected<=0"),
        (&[], "p99(setup)<5"),
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--threshold", threshold]);
        assert!(check_measurable(&options(&all)).is_ok(), "{threshold}");
    }
}

#[test]
fn without_calls_nothing_is_met() {
    let mut nothing = summary();
    nothing.caller = Some(CallerReport::default());
    for threshold in [
        "failed<=0%",
        "failed<5",
        "late(10ms)<1%",
        "retransmissions<5",
    ] {
        let found = missed_with(&["--threshold", threshold, "--max-failed", "100"], &nothing);
        assert!(
            found
                .iter()
                .any(|one| one.ends_with("nothing was measured")),
            "{threshold}"
        );
    }
    nothing.caller = None;
    assert_eq!(missed_with(&["--role", "uas"], &nothing).len(), 1);
    let calls = [
        "--role",
        "uas",
        "--threshold",
        "failed<5",
        "--threshold",
        "calls<1",
    ];
    assert_eq!(missed_with(&calls, &nothing).len(), 1);
}
