//! The file of a scenario: its text, its XML tree, and where in it something is wrong.

use std::path::Path;

use anyhow::{Context as _, Result};
use roxmltree::{Document, Node, ParsingOptions};
use thiserror::Error;

/// What is wrong with a scenario, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Fault {
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// The text of a scenario and its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// For messages.
    pub file: String,
    /// The XML.
    pub text: String,
}

impl Source {
    /// Reads a file. One that is not UTF-8 is taken for ISO-8859-1, as SIPp's own scenarios say they are.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {file}"))?;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.into_bytes();
            bytes.iter().map(|byte| char::from(*byte)).collect()
        });
        Ok(Self { file, text })
    }

    /// Its tree.
    ///
    /// # Errors
    /// If it is no well-formed XML.
    pub fn tree(&self) -> Result<Document<'_>, Fault> {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        Document::parse_with_options(&self.text, options).map_err(|error| {
            let (message, place) = (error.to_string(), error.pos());
            // Most end in the place, which stands before them here.
            let message = message.trim_end_matches(&format!(" at {place}"));
            Fault {
                file: self.file.clone(),
                line: place.row,
                column: place.col,
                message: format!("not well-formed XML: {message}"),
            }
        })
    }

    /// Something wrong at a byte of the text.
    pub fn fault_at(&self, offset: usize, message: impl Into<String>) -> Fault {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Fault {
            file: self.file.clone(),
            line: line as u32,
            column: column as u32,
            message: message.into(),
        }
    }

    /// Something wrong with an element.
    pub fn fault(&self, node: Node<'_, '_>, message: impl Into<String>) -> Fault {
        self.fault_at(node.range().start, message)
    }

    /// Something wrong with an attribute of an element.
    pub fn attribute_fault(
        &self,
        node: Node<'_, '_>,
        name: &str,
        message: impl Into<String>,
    ) -> Fault {
        let attribute = node.attribute_node(name);
        let offset = attribute.map_or(node.range().start, |attribute| attribute.range().start);
        self.fault_at(offset, message)
    }
}
