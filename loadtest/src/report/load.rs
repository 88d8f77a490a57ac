//! A run as a report shows it, read back from its interval log and from the CSV beside it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use sipshard::agent::latency;

use super::hlog::{self, OF_SENDING, SENT, TIMER};
use crate::timeline::{CSV_HEADER, QUANTILES};

/// A short while of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// When it begins and ends, in seconds.
    pub from: f64,
    /// When it ends, in seconds.
    pub until: f64,
    /// Calls started a second.
    pub rate: f64,
    /// Calls under way at its end.
    pub live: f64,
    /// Calls that failed, a second.
    pub failed: f64,
    /// Calls that were skipped, a second.
    pub skipped: f64,
    /// Answers.
    pub answers: f64,
    /// Milliseconds at [`QUANTILES`].
    pub millis: [f64; QUANTILES.len()],
}

/// A named distribution.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its tag in the log; empty for the times from the schedule to the answer.
    pub tag: String,
    /// Its values in nanoseconds.
    pub histogram: Histogram<u64>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name: the log's, without ending.
    pub name: String,
    /// What it was.
    pub facts: Vec<(String, String)>,
    /// Its course in time.
    pub points: Vec<Point>,
    /// The same of timers of a script behind its first, by their tags; without rates.
    pub courses: Vec<(String, Vec<Point>)>,
    /// Whether the points have rates and failures, not only times.
    pub has_counts: bool,
    /// Its distributions; the first is that from the schedule.
    pub curves: Vec<Curve>,
    /// The expected interval by which [`CORRECTED`] was made.
    pub expected_interval: Option<Duration>,
}

/// The tag of the times from sending, corrected for the expected interval.
pub const CORRECTED: &str = "corrected";
/// The fact that holds the expected interval.
pub const EXPECTED_INTERVAL: &str = "Expected interval";

impl Run {
    /// Reads a run.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub fn load(path: &Path, expected_interval: Option<Duration>) -> Result<Self> {
        let log = hlog::read(path)?;
        let name = path.with_extension("");
        let mut run = Self {
            name: name
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            facts: log.facts,
            points: Vec::new(),
            courses: Vec::new(),
            has_counts: false,
            curves: vec![Curve {
                tag: String::new(),
                histogram: latency::new_histogram(),
            }],
            expected_interval: None,
        };
        for interval in &log.intervals {
            let tag = interval.tag.as_deref().unwrap_or_default();
            run.add(tag, &interval.histogram)
                .with_context(|| path.display().to_string())?;
            let point = Point {
                from: interval.from.as_secs_f64(),
                until: (interval.from + interval.span).as_secs_f64(),
                answers: interval.histogram.len() as f64,
                millis: QUANTILES.map(|q| interval.histogram.value_at_quantile(q) as f64 / 1e6),
                ..Point::default()
            };
            if tag.is_empty() {
                run.points.push(point);
            } else if tag.starts_with(TIMER) && !tag.ends_with(OF_SENDING) {
                match run.courses.iter_mut().find(|(known, _)| known == tag) {
                    Some((_, points)) => points.push(point),
                    None => run.courses.push((tag.to_owned(), vec![point])),
                }
            }
        }
        let csv = path.with_extension("csv");
        if let Ok(text) = std::fs::read_to_string(&csv) {
            run.add_counts(&text);
        }
        run.correct(expected_interval);
        Ok(run)
    }

    fn add(&mut self, tag: &str, histogram: &Histogram<u64>) -> Result<()> {
        if let Some(curve) = self.curves.iter_mut().find(|curve| curve.tag == tag) {
            return curve
                .histogram
                .add(histogram)
                .context("a value lies above two minutes");
        }
        let mut sum = latency::new_histogram();
        sum.add(histogram)
            .context("a value lies above two minutes")?;
        self.curves.push(Curve {
            tag: tag.to_owned(),
            histogram: sum,
        });
        Ok(())
    }

    /// Rates and failures from sipload's own CSV; any other file is left alone.
    fn add_counts(&mut self, text: &str) {
        let mut lines = text.lines();
        let names = lines.next().and_then(|line| line.strip_prefix(CSV_HEADER));
        if !names.is_some_and(|names| names.is_empty() || names.starts_with(',')) {
            return;
        }
        let mut before = [0.0_f64; 7];
        for (line, point) in lines.zip(&mut self.points) {
            let mut now = [0.0_f64; 7];
            for (value, field) in now.iter_mut().zip(line.split(',')) {
                *value = field.parse().unwrap_or_default();
            }
            let [seconds, _, rate, live, _, failed, skipped] = now;
            let span = (seconds - before[0]).max(1e-6);
            point.rate = rate;
            point.live = live;
            point.failed = (failed - before[5]).max(0.0) / span;
            point.skipped = (skipped - before[6]).max(0.0) / span;
            before = now;
        }
        self.has_counts = !self.points.is_empty();
    }

    /// What a generator that waits for answers has left out is put back, as HdrHistogram does it: a value
    /// above the expected interval stands also for those that would have been measured meanwhile.
    fn correct(&mut self, asked: Option<Duration>) {
        let known = || {
            let (_, value) = self
                .facts
                .iter()
                .find(|(name, _)| name == EXPECTED_INTERVAL)?;
            let millis: f64 = value.split(' ').next()?.parse().ok()?;
            Duration::try_from_secs_f64(millis / 1_000.0).ok()
        };
        let interval = asked.or_else(known).filter(|interval| !interval.is_zero());
        let Some(interval) = interval else {
            return;
        };
        // Another tool's log has no times from sending: then its only ones are meant.
        let sent = self.curves.iter().find(|curve| curve.tag == SENT);
        let raw = &sent.unwrap_or(&self.curves[0]).histogram;
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let corrected = raw.clone_correct(nanos);
        self.expected_interval = Some(interval);
        self.curves.push(Curve {
            tag: CORRECTED.to_owned(),
            histogram: corrected,
        });
    }

    /// The distribution with this tag, if it has any value.
    pub fn curve(&self, tag: &str) -> Option<&Histogram<u64>> {
        let curve = self.curves.iter().find(|curve| curve.tag == tag)?;
        (!curve.histogram.is_empty()).then_some(&curve.histogram)
    }
}

/// At most `most` points: neighbours are put together, rates by their mean over time, times by the
/// greatest. A piece of a second at the end belongs to the point before it: alone it would end each curve
/// with a cliff.
pub fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let size = points.len().div_ceil(most).max(1);
    let group = |points: &[Point]| {
        let span = |point: &Point| (point.until - point.from).max(1e-6);
        let whole: f64 = points.iter().map(span).sum();
        let mean = |part: fn(&Point) -> f64| {
            let parts = points.iter().map(|point| part(point) * span(point));
            parts.sum::<f64>() / whole
        };
        let mut millis = [0.0_f64; QUANTILES.len()];
        for point in points {
            for (greatest, value) in millis.iter_mut().zip(point.millis) {
                *greatest = greatest.max(value);
            }
        }
        Point {
            from: points[0].from,
            until: points[points.len() - 1].until,
            rate: mean(|point| point.rate),
            live: mean(|point| point.live),
            failed: mean(|point| point.failed),
            skipped: mean(|point| point.skipped),
            answers: points.iter().map(|point| point.answers).sum(),
            millis,
        }
    };
    let mut groups: Vec<&[Point]> = points.chunks(size).collect();
    let span = |points: &[Point]| points[points.len() - 1].until - points[0].from;
    if let [.., before, last] = groups[..]
        && span(last) < span(before) / 2.0
    {
        groups.pop();
        let from = points.len() - before.len() - last.len();
        groups.pop();
        groups.push(&points[from..]);
    }
    groups.into_iter().map(group).collect()
}
