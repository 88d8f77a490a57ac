//! The files of a configuration, and places in them.
//!
//! Owns: the texts, and how an offset becomes a line and a column. Files are read by who calls, so
//! this room stays free of the operating system.

use std::fmt;

/// Reads a file by its path; the error is for people.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// A stretch of one file, in bytes. Everything that is said about a configuration names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// From the start of `self` to the end of `last`; only `self` if they are not of one file.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        if self.file != last.file || last.end < self.start {
            return self;
        }
        Self {
            end: last.end,
            ..self
        }
    }

    /// The place just after it, without width.
    #[must_use]
    pub fn after(self) -> Self {
        Self {
            start: self.end,
            ..self
        }
    }
}

/// Which file of [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(u16);

/// A text and what it is called.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path as the operator would write it.
    pub name: String,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// All texts that a configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// More files than this are an error; an include that includes itself would go on for ever.
pub const MAX_FILES: usize = 1000;

impl Sources {
    /// Takes in a text. `None` if there are too many, or it is longer than offsets can count.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Option<FileId> {
        if self.files.len() >= MAX_FILES || u32::try_from(bytes.len()).is_err() {
            return None;
        }
        self.files.push(Source {
            name: name.to_owned(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        });
        Some(FileId((self.files.len() - 1) as u16))
    }

    /// The file.
    pub fn get(&self, file: FileId) -> &Source {
        // Only `add` makes a FileId.
        &self.files[usize::from(file.0)]
    }

    /// The text of a stretch; empty if it is none.
    pub fn slice(&self, span: Span) -> &str {
        let text = &self.get(span.file).text;
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Where a stretch begins.
    pub fn place(&self, span: Span) -> Place<'_> {
        let source = self.get(span.file);
        let before = source.text.get(..span.start as usize).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            file: &source.name,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// All texts, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }
}

/// File, line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.cfg", "x\näö y".as_bytes()).expect("room");
        let span = |start, end| Span { file, start, end };
        assert_eq!(sources.place(span(0, 1)).to_string(), "a.cfg:1:1");
        assert_eq!(sources.place(span(2, 4)).to_string(), "a.cfg:2:1");
        assert_eq!(sources.place(span(7, 8)).to_string(), "a.cfg:2:4");
        assert_eq!(sources.slice(span(7, 8)), "y");
    }

    #[test]
    fn a_span_outside_of_its_text_is_empty() {
        let mut sources = Sources::default();
        let file = sources.add("a.cfg", b"xy").expect("room");
        let (start, end) = (1, 9);
        assert_eq!(sources.slice(Span { file, start, end }), "");
    }
}
