//! The log of what goes wrong in calls: SIPp's `-trace_err`.
//!
//! Each entry begins with the time in UTC, as in SIPp's: date, time of day and seconds since 1970. The message
//! that it is about follows as it came.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use crate::options::Options;
use crate::trace::stamp;

/// When something went wrong, since 1970, and what.
pub type Entry = (Duration, Vec<u8>);

/// A log that is being written.
#[derive(Debug)]
pub struct ErrorLog {
    path: PathBuf,
    file: BufWriter<File>,
    /// What is not written yet: threads tell one after the other.
    entries: Vec<Entry>,
    written: u64,
    /// It ends with the entry that makes it longer than this.
    most: Option<u64>,
}

impl ErrorLog {
    /// Begins the log, if the options ask for one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(options: &Options) -> Result<Option<Self>> {
        let reports = &options.reports;
        if !reports.trace_err {
            return Ok(None);
        }
        let default = || PathBuf::from(format!("sipload_{}_errors.log", std::process::id()));
        let path = reports.error_file.clone().unwrap_or_else(default);
        let overwrites = reports.error_overwrite;
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(overwrites)
            .append(!overwrites)
            .open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some(Self {
            path,
            file: BufWriter::new(file),
            entries: Vec::new(),
            written: 0,
            most: reports.max_log_size.filter(|most| *most > 0),
        }))
    }

    /// Takes what a thread tells.
    pub fn add(&mut self, entries: &[Entry]) {
        self.entries.extend_from_slice(entries);
    }

    /// Writes what was told, in the order of time.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.entries.sort_by_key(|(at, _)| *at);
        for (at, text) in self.entries.drain(..) {
            if self.most.is_some_and(|most| self.written > most) {
                continue;
            }
            let head = stamp(UNIX_EPOCH + at);
            write!(self.file, "{head}: ")?;
            self.file.write_all(&text)?;
            self.file.write_all(b"\n")?;
            self.written += (head.len() + text.len() + 3) as u64;
        }
        self.file.flush()?;
        Ok(())
    }

    /// Ends it. If nothing went wrong there is none, as with SIPp.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        if is_empty_file(&self.path) {
            fs::remove_file(&self.path)
                .with_context(|| format!("cannot remove {}", self.path.display()))?;
        }
        Ok(())
    }
}

/// A file, not a device or what leads to one.
fn is_empty_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    /// What stands in a log with these entries, by these options; `before` stood there.
    fn log(arguments: &[&str], before: &str, entries: &[(u64, &str)]) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("errors.log");
        std::fs::write(&path, before).unwrap();
        let first = [
            "sipload",
            "-trace_err",
            "-error_file",
            path.to_str().unwrap(),
        ];
        let options = Cli::read([&first, arguments].concat()).unwrap().options;
        let mut log = ErrorLog::create(&options).unwrap().unwrap();
        let entry = |(seconds, text): &(u64, &str)| {
            let at = Duration::from_secs(*seconds);
            (at, text.as_bytes().to_vec())
        };
        let entries: Vec<Entry> = entries.iter().map(entry).collect();
        log.add(&entries);
        log.finish().unwrap();
        std::fs::read_to_string(&path).ok()
    }

    #[test]
    fn entries_stand_in_the_order_of_time() {
        let text = log(&[], "", &[(61, "later\nBYE"), (1, "first")]).unwrap();
        let expected = "1970-01-01\t00:00:01.000000\t1.000000: first\n\
            1970-01-01\t00:01:01.000000\t61.000000: later\nBYE\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_log_is_written_anew_unless_it_is_to_go_on() {
        for (arguments, goes_on) in [
            (&[][..], false),
            (&["-error_overwrite", "TRUE"], false),
            (&["-error_overwrite", "1"], false),
            (&["-error_overwrite", "false"], true),
            (&["-error_overwrite", "0"], true),
        ] {
            let text = log(arguments, "before\n", &[(1, "new")]).unwrap();
            assert_eq!(text.starts_with("before\n"), goes_on, "{arguments:?}");
            assert!(text.ends_with(": new\n"), "{text}");
        }
    }

    #[test]
    fn a_log_without_entries_is_none() {
        assert_eq!(log(&[], "before\n", &[]), None);
        let kept = log(&["-error_overwrite", "false"], "before\n", &[]);
        assert_eq!(kept.unwrap(), "before\n");
    }

    #[test]
    fn the_entry_that_makes_it_too_long_is_the_last() {
        let entries = [(1, "one"), (2, "two"), (3, "three")];
        for (most, expected) in [("0", 3), ("20", 1), ("50", 2), ("1000", 3)] {
            let text = log(&["-max_log_size", most], "", &entries).unwrap();
            assert_eq!(text.lines().count(), expected, "{most}: {text}");
        }
    }
}
