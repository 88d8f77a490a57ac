//! The report as one HTML page: style and pictures are inside, nothing is fetched, nothing runs.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::chart::{Chart, Hover, Scale, Series, Stroke, escape};
use super::hlog::{OF_SENDING, SENT, TIMER};
use super::load::{CORRECTED, Point, Run, thinned};
use super::{MEASURED, MET, MISSED, SCHEDULED, THRESHOLD};
use crate::timeline::QUANTILE_NAMES;

/// Most points of a curve over time: more than one for each two pixels nobody sees.
const MOST_POINTS: usize = 480;
/// As many colours as the style has.
const COLOURS: usize = 6;
/// Steps of the percentile curve for each halving of what lies above.
const TICKS_PER_HALF: u32 = 8;
/// The quantiles of the table.
const TABLE: [(&str, f64); 7] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("p99.999", 0.99999),
    ("max", 1.0),
];

/// The tags of the main times, in the order in which they are shown.
const MAIN: [&str; 3] = ["", SENT, CORRECTED];
/// What the tags of the others mean, in the same order.
const TIMES: &[(&str, &str)] = &[
    ("setup", "Ringing, from schedule"),
    ("setup-sent", "Ringing, from sending"),
    ("bye", "BYE, from schedule"),
    ("bye-sent", "BYE, from sending"),
    ("lateness", "Requests later than scheduled"),
];

/// The page for one run, or for several beside each other.
pub fn page(runs: &[Run]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let title = names.join(", ");
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>sipload: {title}</title>\n<style>\n{style}</style></head><body>\n\
         <h1>{title}</h1>\n<p>Load test by sipload {version}. Times in milliseconds.</p>\n",
        title = escape(&title),
        style = include_str!("style.css"),
        version = env!("CARGO_PKG_VERSION"),
    );
    if let [run] = runs {
        out.push_str(&tiles(run));
    } else {
        out.push_str(&comparison(runs));
    }
    for run in runs {
        thresholds(&mut out, run, runs.len() > 1);
    }
    over_time(&mut out, runs);
    percentile_curve(&mut out, runs);
    for run in runs {
        times_table(&mut out, run, runs.len() > 1);
    }
    for run in runs.iter().filter(|run| !run.facts.is_empty()) {
        facts(&mut out, run, runs.len() > 1);
    }
    out.push_str("</body></html>\n");
    out
}

/// What the main times of a run are, and whether they count from the schedule.
fn measured(run: &Run) -> (String, bool) {
    match fact(run, MEASURED).filter(|what| what.starts_with("timer ")) {
        Some(what) => {
            let name = what.strip_suffix(SCHEDULED);
            let timer = name.unwrap_or(what).replacen("timer", "Timer", 1);
            (timer, name.is_some())
        }
        None => ("Answer".to_owned(), true),
    }
}

/// What times with this tag are called; `None` if others say the same.
fn caption(run: &Run, tag: &str) -> Option<String> {
    let (what, is_scheduled) = measured(run);
    if let Some(timer) = tag.strip_prefix(TIMER) {
        return Some(match timer.strip_suffix(OF_SENDING) {
            Some(timer) => format!("Timer {timer}, from sending"),
            None if run.curve(&format!("{tag}{OF_SENDING}")).is_some() => {
                format!("Timer {timer}{SCHEDULED}")
            }
            None => format!("Timer {timer}"),
        });
    }
    match (tag, is_scheduled) {
        ("", true) => Some(format!("{what}{SCHEDULED}")),
        ("", false) => Some(what),
        (SENT, true) => Some(format!("{what}, from sending (raw)")),
        (SENT, false) => None,
        (CORRECTED, true) => Some(format!("{what}, from sending, corrected")),
        (CORRECTED, false) => Some(format!("{what}, corrected")),
        _ => {
            let known = TIMES.iter().find(|(known, _)| *known == tag);
            Some(known.map_or(tag, |(_, name)| name).to_owned())
        }
    }
}

/// A value of each point, and what it is called.
type Value = (&'static str, fn(&Point) -> f64);

/// Milliseconds with as many digits as matter.
fn millis(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 1,
        value if value >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

fn at_quantile(histogram: &Histogram<u64>, quantile: f64) -> String {
    millis(histogram.value_at_quantile(quantile) as f64 / 1e6)
}

fn fact<'a>(run: &'a Run, name: &str) -> Option<&'a str> {
    let fact = run.facts.iter().find(|(known, _)| known == name);
    fact.map(|(_, value)| value.as_str())
}

fn tiles(run: &Run) -> String {
    let mut out = "<div class=\"tiles\">".to_owned();
    let mut tile = |value: &str, name: &str, bad: bool| {
        let class = if bad { " bad" } else { "" };
        let _ = write!(
            out,
            "<div class=\"tile{class}\"><b>{}</b><span>{name}</span></div>",
            escape(value)
        );
    };
    if let Some(calls) = fact(run, "Outgoing call created") {
        tile(calls, "calls", false);
    }
    if let Some(failed) = fact(run, "Failed call") {
        tile(failed, "failed", !failed.starts_with("0 "));
    }
    if let Some(rate) = fact(run, "Call Rate") {
        tile(rate.split(" (").next().unwrap_or(rate), "rate", false);
    }
    let answers = &run.curves[0].histogram;
    for (name, quantile) in TABLE.iter().filter(|(name, _)| name.len() < 6) {
        tile(
            &at_quantile(answers, *quantile),
            &format!("{name}, ms"),
            false,
        );
    }
    out.push_str("</div>\n");
    out
}

/// The runs' main figures side by side.
fn comparison(runs: &[Run]) -> String {
    let mut out =
        "<div class=\"wide\"><table><tr><th>run</th><th>answers</th><th>failed</th>".to_owned();
    for (name, _) in TABLE {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr>\n");
    for run in runs {
        let answers = &run.curves[0].histogram;
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td>",
            escape(&run.name),
            answers.len(),
            escape(fact(run, "Failed call").unwrap_or("unknown"))
        );
        for (_, quantile) in TABLE {
            let _ = write!(out, "<td>{}</td>", at_quantile(answers, quantile));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n<p>Answer times from the schedule.</p>\n");
    out
}

/// One curve of a value over time.
fn course(points: &[Point], value: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let middle = |point: &Point| f64::midpoint(point.from, point.until);
    points
        .iter()
        .map(|point| (middle(point), value(point)))
        .collect()
}

fn section(out: &mut String, title: &str, words: &str, chart: &Chart<'_>) {
    let words = if words.is_empty() {
        String::new()
    } else {
        format!("<p>{words}</p>\n")
    };
    let _ = write!(out, "<h2>{title}</h2>\n{words}{}", chart.svg());
}

fn hovers(points: &[Point], has_counts: bool) -> Vec<Hover> {
    let text = |point: &Point| {
        let mut text = format!("{:.0} to {:.0} s", point.from, point.until);
        if has_counts {
            let _ = write!(
                text,
                "\n{:.0} calls/s, {:.0} live\n{:.1} failed/s, {:.1} skipped/s",
                point.rate, point.live, point.failed, point.skipped
            );
        }
        for (name, value) in QUANTILE_NAMES.iter().zip(point.millis) {
            let _ = write!(text, "\n{name} {} ms", millis(value));
        }
        text
    };
    let hover = |point: &Point| Hover {
        from: point.from,
        until: point.until,
        text: text(point),
    };
    points.iter().map(hover).collect()
}

fn over_time(out: &mut String, runs: &[Run]) {
    let points: Vec<Vec<Point>> = runs
        .iter()
        .map(|run| thinned(&run.points, MOST_POINTS))
        .collect();
    let has_counts = runs.iter().any(|run| run.has_counts);
    let several = runs.len() > 1;
    let hover = if several {
        Vec::new()
    } else {
        hovers(&points[0], has_counts)
    };
    let chart = |y_label, y_scale, series| Chart {
        x_label: "seconds",
        y_label,
        x_scale: Scale::Linear,
        y_scale,
        series,
        hovers: hover.clone(),
    };
    // For each run one curve for each of the values.
    let series = |values: &[Value]| -> Vec<Series> {
        let mut series = Vec::new();
        for (index, run) in runs.iter().enumerate().filter(|(_, run)| run.has_counts) {
            for (number, (name, value)) in values.iter().enumerate() {
                series.push(Series {
                    name: if several {
                        format!("{}: {name}", run.name)
                    } else {
                        (*name).to_owned()
                    },
                    colour: if several { index % COLOURS } else { number },
                    stroke: Stroke::of(if several { number } else { 0 }),
                    points: course(&points[index], value),
                });
            }
        }
        series
    };
    if has_counts {
        let rate = series(&[("calls started a second", |point| point.rate)]);
        section(
            out,
            "Rate",
            "",
            &chart("calls a second", Scale::Linear, rate),
        );
        let live = series(&[("calls under way", |point| point.live)]);
        section(
            out,
            "Calls at a time",
            "",
            &chart("calls", Scale::Linear, live),
        );
        let failures = series(&[
            ("failed", |point| point.failed),
            ("skipped, too many live", |point| point.skipped),
        ]);
        let title = "Failures";
        section(
            out,
            title,
            "",
            &chart("calls a second", Scale::Linear, failures),
        );
    }
    answer_times(out, runs, &points, &chart);
}

/// The quantiles of the main times over time, and of one run those of its other timers.
fn answer_times<'a>(
    out: &mut String,
    runs: &[Run],
    points: &[Vec<Point>],
    chart: &impl Fn(&'a str, Scale, Vec<Series>) -> Chart<'a>,
) {
    // A second without answers has no times.
    let answered: Vec<Vec<Point>> = points
        .iter()
        .map(|points| {
            points
                .iter()
                .filter(|one| one.answers > 0.0)
                .copied()
                .collect()
        })
        .collect();
    let names: Vec<String> = runs.iter().map(|run| measured(run).0).collect();
    let has_timers = names.iter().any(|name| name != "Answer");
    let words = if has_timers {
        "In each second."
    } else {
        "From when the INVITE was due to its 200, in each second."
    };
    let what = if has_timers && names.windows(2).all(|two| two[0] == two[1]) {
        escape(&names[0])
    } else {
        "Answer times".to_owned()
    };
    if let [points] = &answered[..] {
        let main = chart("milliseconds", Scale::Log, spread(points));
        section(out, &format!("{what} over time"), words, &main);
        for (tag, points) in &runs[0].courses {
            let points = thinned(points, MOST_POINTS);
            let chart = Chart {
                hovers: hovers(&points, false),
                ..chart("milliseconds", Scale::Log, spread(&points))
            };
            let name = tag.strip_prefix(TIMER).unwrap_or(tag);
            section(
                out,
                &format!("Timer {} over time", escape(name)),
                "",
                &chart,
            );
        }
        return;
    }
    for index in [0, 2, 4] {
        let curves = answered.iter().enumerate().map(|(number, points)| Series {
            name: runs[number].name.clone(),
            colour: number % COLOURS,
            stroke: Stroke::Whole,
            points: course(points, |point| point.millis[index]),
        });
        let title = format!("{what} over time: {}", QUANTILE_NAMES[index]);
        let chart = chart("milliseconds", Scale::Log, curves.collect());
        section(out, &title, words, &chart);
    }
}

/// A curve for each of the quantiles.
fn spread(points: &[Point]) -> Vec<Series> {
    let curve = |(index, name): (usize, &&str)| Series {
        name: (*name).to_owned(),
        colour: index,
        stroke: Stroke::Whole,
        points: course(points, |point| point.millis[index]),
    };
    QUANTILE_NAMES.iter().enumerate().map(curve).collect()
}

fn quantiles(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let mut points = vec![(0.0, histogram.min_nz() as f64 / 1e6)];
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        // The last steps to the whole would lie at infinity.
        let quantile = step
            .quantile_iterated_to()
            .min(1.0 - 1.0 / (2.0 * histogram.len() as f64));
        points.push((quantile, step.value_iterated_to() as f64 / 1e6));
    }
    points
}

fn percentile_curve(out: &mut String, runs: &[Run]) {
    let several = runs.len() > 1;
    let mut series = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let timers = run.courses.iter().map(|(tag, _)| tag.as_str());
        let tags = MAIN.into_iter().chain(timers.filter(|_| !several));
        for (number, tag) in tags.enumerate() {
            if let (Some(histogram), Some(name)) = (run.curve(tag), caption(run, tag)) {
                series.push(Series {
                    name: if several {
                        format!("{}: {name}", run.name)
                    } else {
                        name
                    },
                    colour: if several { index } else { number } % COLOURS,
                    stroke: Stroke::of(if several { number } else { 0 }),
                    points: quantiles(histogram),
                });
            }
        }
    }
    let chart = Chart {
        x_label: "percentile",
        y_label: "milliseconds",
        x_scale: Scale::Quantile,
        y_scale: Scale::Log,
        series,
        hovers: Vec::new(),
    };
    let mut words = "The whole distribution on HdrHistogram's scale: each step to the right is a tenth of the \
        calls before. <b>From schedule</b> is what callers felt. <b>From sending</b> leaves out what the generator \
        was late."
        .to_owned();
    let intervals: Vec<String> = runs
        .iter()
        .filter_map(|run| Some(format!("{} ms", run.expected_interval?.as_secs_f64() * 1e3)))
        .collect();
    if !intervals.is_empty() {
        let _ = write!(
            words,
            " <b>Corrected</b> adds to the times from sending what a caller who waits for each answer and calls \
             again after the expected interval ({}) would have met meanwhile.",
            intervals.join(", ")
        );
    }
    section(out, "Percentiles", &words, &chart);
}

/// What tells the headings of several runs apart.
fn suffix(run: &Run, named: bool) -> String {
    if named {
        format!(": {}", escape(&run.name))
    } else {
        String::new()
    }
}

fn times_table(out: &mut String, run: &Run, named: bool) {
    let suffix = suffix(run, named);
    let _ = write!(
        out,
        "<h2>Times{suffix}</h2>\n<div class=\"wide\"><table><tr><th>milliseconds</th><th>number</th><th>mean</th>"
    );
    for (name, _) in TABLE {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr>\n");
    let known = || MAIN.into_iter().chain(TIMES.iter().map(|(tag, _)| *tag));
    let others = run.curves.iter().map(|curve| curve.tag.as_str());
    let others = others.filter(|tag| known().all(|known| known != *tag));
    for tag in known().chain(others) {
        let (Some(histogram), Some(name)) = (run.curve(tag), caption(run, tag)) else {
            continue;
        };
        let part = tag == SENT || tag == CORRECTED || tag.ends_with(OF_SENDING);
        let _ = write!(
            out,
            "<tr{}><td>{}</td><td>{}</td><td>{}</td>",
            if part { " class=\"part\"" } else { "" },
            escape(&name),
            histogram.len(),
            millis(histogram.mean() / 1e6)
        );
        for (_, quantile) in TABLE {
            let _ = write!(out, "<td>{}</td>", at_quantile(histogram, quantile));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

/// The thresholds of a run, what was measured for each, and whether it was met.
fn thresholds(out: &mut String, run: &Run, named: bool) {
    let found = run.facts.iter().filter_map(|(name, value)| {
        let (missed, met) = (value.strip_prefix(MISSED), value.strip_prefix(MET));
        let threshold = name.strip_prefix(THRESHOLD)?;
        Some((threshold, missed.or(met)?, missed.is_none()))
    });
    let mut rows = String::new();
    for (threshold, measured, met) in found {
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><td{}</td></tr>",
            escape(threshold),
            escape(measured),
            if met { ">met" } else { " class=\"bad\">missed" }
        );
    }
    if rows.is_empty() {
        return;
    }
    let suffix = suffix(run, named);
    let _ = writeln!(
        out,
        "<h2>Thresholds{suffix}</h2>\n<table><tr><th>threshold</th><th>measured</th><th></th></tr>\n{rows}</table>"
    );
}

fn facts(out: &mut String, run: &Run, named: bool) {
    let title = if named {
        escape(&run.name)
    } else {
        "This run".to_owned()
    };
    let _ = writeln!(out, "<h2>{title}</h2>\n<table class=\"facts\">");
    let others = run.facts.iter();
    for (name, value) in others.filter(|(name, _)| !name.starts_with(THRESHOLD)) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td></tr>",
            escape(name),
            escape(value)
        );
    }
    out.push_str("</table>\n");
}
