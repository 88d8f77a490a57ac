use super::*;
use std::time::SystemTime;

use sipshard::agent::{Latency, latency};

use super::load::{CORRECTED, Point, thinned};

fn answers(millis: &[u64]) -> Latency {
    let mut answers = Latency::default();
    for millis in millis {
        latency::record(&mut answers.scheduled, Duration::from_millis(millis + 1));
        latency::record(&mut answers.sent, Duration::from_millis(*millis));
    }
    answers
}

fn write_log(directory: &Path, name: &str) -> PathBuf {
    let prefix = directory.join(name);
    let mut log = LogWriter::create(&prefix, SystemTime::now(), MEASURED).unwrap();
    let second = Duration::from_secs;
    log.interval(second(0), second(1), &answers(&[5, 5, 5, 20]))
        .unwrap();
    log.interval(second(1), second(2), &answers(&[])).unwrap();
    let other = (second(1), second(2));
    log.timer(other, "the second", &answers(&[3]), false)
        .unwrap();
    log.interval(second(2), second(3), &answers(&[1_000]))
        .unwrap();
    log.fact("Failed call", "0 (0.000 %)").unwrap();
    log.fact("Threshold p99(rtd:1) < 5 ms", "missed: 7.250 ms")
        .unwrap();
    log.fact("Threshold failed <= 0 %", "met: 0 of 5 (0.000 %)")
        .unwrap();
    log.fact(EXPECTED_INTERVAL, "100 ms").unwrap();
    log.finish().unwrap();
    with_ending(&prefix, ".hlog")
}

fn near(value: u64, millis: u64) -> bool {
    value.abs_diff(millis * 1_000_000) <= millis * 2_000
}

#[test]
fn what_is_written_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::load(&write_log(directory.path(), "a.b"), None).unwrap();
    assert_eq!(run.name, "a.b");
    assert_eq!(run.points.len(), 3);
    assert!((run.points[2].from - 2.0).abs() < 1e-3);
    assert!((run.points[0].answers - 4.0).abs() < 1e-9);
    assert!(near(run.curve("").unwrap().max(), 1_001));
    assert!(near(run.curve("sent").unwrap().max(), 1_000));
    assert_eq!(run.facts[0].0, "Failed call");
}

#[test]
fn the_correction_adds_what_a_waiting_caller_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_log(directory.path(), "run");
    let corrected = |interval: Option<Duration>| {
        let run = Run::load(&path, interval).unwrap();
        run.curve(CORRECTED).map(Histogram::len)
    };
    // 1000 ms stand also for 900, 800 ... 100.
    assert_eq!(corrected(None), Some(5 + 9));
    assert_eq!(corrected(Some(Duration::from_millis(500))), Some(5 + 1));
    assert_eq!(corrected(Some(Duration::ZERO)), None);
}

#[test]
fn the_page_stands_alone_and_shows_every_run() {
    let directory = tempfile::tempdir().unwrap();
    let one = Run::load(&write_log(directory.path(), "before"), None).unwrap();
    let mut other = Run::load(&write_log(directory.path(), "<after>"), None).unwrap();
    other.facts.push(("Command".to_owned(), "a <b>".to_owned()));
    for runs in [vec![one.clone()], vec![one, other]] {
        let page = html::page(&runs);
        for outside in ["http:", "https:", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("before") && !page.contains("NaN"));
        let missed =
            "<tr><td>p99(rtd:1) &lt; 5 ms</td><td>7.250 ms</td><td class=\"bad\">missed</td>";
        let met = "<tr><td>failed &lt;= 0 %</td><td>0 of 5 (0.000 %)</td><td>met</td>";
        for row in [missed, met] {
            assert_eq!(page.matches(row).count(), runs.len(), "{row}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        if runs.len() == 2 {
            assert!(page.contains("&lt;after&gt;") && page.contains("a &lt;b&gt;"));
        }
    }
}

#[test]
fn timers_of_a_script_have_their_own_names_and_pictures() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::load(&write_log(directory.path(), "run"), None).unwrap();
    run.facts
        .push((MEASURED.to_owned(), "timer reg".to_owned()));
    let page = html::page(&[run.clone()]);
    for wanted in [
        "<td>Timer reg</td>",
        "<td>Timer the_second</td>",
        "<h2>Timer the_second over time</h2>",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for other in ["INVITE", "(raw)", "Timer reg, from schedule"] {
        assert!(!page.contains(other), "{other}");
    }
    run.facts.pop();
    run.facts
        .push((MEASURED.to_owned(), "timer reg, from schedule".to_owned()));
    let page = html::page(&[run.clone(), run]);
    for wanted in [
        "Timer reg, from schedule",
        "run: Timer reg, from sending (raw)",
        "dotted",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_piece_of_a_second_at_the_end_is_no_cliff() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::load(&write_log(directory.path(), "run"), None).unwrap();
    for point in &mut run.points {
        (point.rate, point.live) = (100.0, 50.0);
    }
    run.points.push(Point {
        from: 3.0,
        until: 3.01,
        failed: 100.0,
        answers: 1.0,
        ..Point::default()
    });
    let points = thinned(&run.points, 480);
    assert_eq!(points.len(), 3);
    let last = points[2];
    assert!((last.until - 3.01).abs() < 1e-9 && (last.answers - 2.0).abs() < 1e-9);
    assert!(last.rate > 98.0 && last.live > 49.0, "{last:?}");
    // One call failed in the piece.
    assert!((last.failed * 1.01 - 1.0).abs() < 1e-3, "{last:?}");
    // Half a second and more is a point of its own.
    run.points[3].until = 3.6;
    assert_eq!(thinned(&run.points, 480).len(), 4);
    assert_eq!(thinned(&run.points, 2).len(), 2);
}

#[test]
fn a_file_that_is_no_log_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.hlog");
    std::fs::write(&path, "Tag=x,0.1,1.0,2.0,%%%\n").unwrap();
    let error = format!("{:#}", Run::load(&path, None).unwrap_err());
    assert!(error.contains("x.hlog"), "{error}");
    std::fs::write(&path, "#hello\n").unwrap();
    let error = format!("{:#}", Run::load(&path, None).unwrap_err());
    assert!(error.contains("holds no histogram"), "{error}");
}

#[test]
fn the_percentile_list_is_that_of_hdrhistogram() {
    let list = percentiles(&answers(&[1, 2, 3, 4]).sent);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].contains("Value     Percentile TotalCount 1/(1-Percentile)"));
    let columns: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(columns.len(), 4);
    assert!(list.contains("Total count    =            4]"), "{list}");
    let last = lines
        .iter()
        .rev()
        .find(|line| !line.starts_with('#'))
        .unwrap();
    assert_eq!(last.split_whitespace().nth(1), Some("1.000000000000"));
}
