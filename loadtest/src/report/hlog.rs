//! HdrHistogram's interval log: written while a run goes on, and read again for reports.
//!
//! The untagged lines are the times from the schedule to the answer, one line a second, so that every tool
//! that reads such logs shows these. Tagged lines hold the rest. Lines that begin with `#sipload` say what
//! the run was; other tools take them for comments.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use sipshard::agent::Latency;

/// The tag of times from sending to the answer.
pub const SENT: &str = "sent";
/// How the tags of a script's timers behind its first begin.
pub const TIMER: &str = "timer-";
/// How tags of times from sending end.
pub const OF_SENDING: &str = "-sent";
const FACT: &str = "#sipload ";

/// A log that is being written.
pub struct LogWriter {
    prefix: PathBuf,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

/// A path that ends differently: `run` and `.hlog` give `run.hlog`, whatever dots `run` has.
pub fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

/// The tag of a timer of a script, which is also how its columns in the CSV begin.
pub fn tag_of(timer: &str) -> String {
    // Neither may hold what ends it.
    let ends = |letter: char| letter == ',' || letter.is_whitespace();
    format!("{TIMER}{}", timer.replace(ends, "_"))
}

impl LogWriter {
    /// Begins the log `prefix`.hlog, whose lines without a tag are times of what was `measured`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(prefix: &Path, started: SystemTime, measured: &str) -> Result<Self> {
        let path = with_ending(prefix, ".hlog");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(&format!("Values are nanoseconds. No tag: {measured}."))
            .with_start_time(started)
            .with_base_time(started)
            .begin_log_with(&mut file, &mut serializer)?;
        Ok(Self {
            prefix: prefix.to_owned(),
            file,
            serializer,
        })
    }

    /// What all files of the report begin with.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Writes the answers of one interval.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn interval(&mut self, from: Duration, until: Duration, answer: &Latency) -> Result<()> {
        self.histogram(from, until, &answer.scheduled, None)?;
        self.histogram(from, until, &answer.sent, Some(SENT))?;
        self.file.flush()?;
        Ok(())
    }

    /// Writes one timer's times of one interval; those from sending only if they differ.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn timer(
        &mut self,
        (from, until): (Duration, Duration),
        name: &str,
        times: &Latency,
        is_scheduled: bool,
    ) -> Result<()> {
        let tag = tag_of(name);
        self.histogram(from, until, &times.scheduled, Some(&tag))?;
        if is_scheduled {
            self.histogram(
                from,
                until,
                &times.sent,
                Some(&format!("{tag}{OF_SENDING}")),
            )?;
        }
        Ok(())
    }

    /// Writes one histogram, unless it is empty and tagged.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(
        &mut self,
        from: Duration,
        until: Duration,
        histogram: &Histogram<u64>,
        tag: Option<&str>,
    ) -> Result<()> {
        if tag.is_some() && histogram.is_empty() {
            return Ok(());
        }
        let span = until.saturating_sub(from);
        let tag = tag.and_then(Tag::new);
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.file, &mut self.serializer)?
            .write_histogram(histogram, from, span, tag)
            .map_err(|error| anyhow!("cannot write the interval log: {error}"))
    }

    /// Writes down what the run was.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn fact(&mut self, name: &str, value: &str) -> Result<()> {
        writeln!(self.file, "{FACT}{name}: {value}")?;
        Ok(())
    }

    /// Ends the log.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Its tag.
    pub tag: Option<String>,
    /// When it begins, from the begin of the log.
    pub from: Duration,
    /// How long it is.
    pub span: Duration,
    /// Its values.
    pub histogram: Histogram<u64>,
}

/// A log as it was read.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Its lines.
    pub intervals: Vec<Interval>,
    /// What the run was: names and values.
    pub facts: Vec<(String, String)>,
}

/// Reads a log, of sipload's or of any other tool.
///
/// # Errors
/// If it cannot be read or is no interval log.
pub fn read(path: &Path) -> Result<Log> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let mut log = Log::default();
    let mut deserializer = Deserializer::new();
    let (mut start, mut base) = (None, None);
    for entry in IntervalLogIterator::new(&bytes) {
        let entry = entry.map_err(|error| {
            let hdrhistogram::serialization::interval_log::LogIteratorError::ParseError { offset } =
                error;
            let line = bytes[..offset].split(|byte| *byte == b'\n').count();
            anyhow!("{name}, line {line}: not a line of an interval log")
        })?;
        let interval = match entry {
            LogEntry::StartTime(time) => {
                start.get_or_insert(time);
                continue;
            }
            LogEntry::BaseTime(time) => {
                base.get_or_insert(time);
                continue;
            }
            LogEntry::Interval(interval) => interval,
        };
        let broken = |error: String| anyhow!("{name}: a histogram cannot be read: {error}");
        let encoded = STANDARD.decode(interval.encoded_histogram());
        let encoded = encoded.map_err(|error| broken(error.to_string()))?;
        let histogram = deserializer.deserialize(&mut encoded.as_slice());
        log.intervals.push(Interval {
            tag: interval.tag().map(|tag| tag.as_str().to_owned()),
            from: interval.start_timestamp(),
            span: interval.duration(),
            histogram: histogram.map_err(|error| broken(error.to_string()))?,
        });
    }
    // Without a base, stamps count from 1970: then the first line is the begin.
    let first = log.intervals.iter().map(|interval| interval.from).min();
    let origin = match (base, start, first) {
        (Some(base), Some(start), _) => start.saturating_sub(base),
        (None, Some(start), Some(first)) if first >= start => start,
        (None, None, Some(first)) => first,
        _ => Duration::ZERO,
    };
    for interval in &mut log.intervals {
        interval.from = interval.from.saturating_sub(origin);
    }
    let text = String::from_utf8_lossy(&bytes);
    let facts = text.lines().filter_map(|line| line.strip_prefix(FACT));
    log.facts = facts
        .filter_map(|fact| fact.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    anyhow::ensure!(
        !log.intervals.is_empty(),
        "{name}: holds no histogram: is it an interval log (.hlog)?"
    );
    Ok(log)
}
