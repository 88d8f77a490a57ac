//! Parameters after semicolons, of URIs and of header values.

use std::ops::Range;

use super::text;

/// One parameter. Ranges are relative to the text that [`Params`] was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, as it stands.
    pub name: &'a [u8],
    /// What follows the equals sign, quotes and all; `None` without equals sign.
    pub value: Option<&'a [u8]>,
    /// Where the name lies.
    pub name_range: Range<usize>,
    /// Where the parameter ends.
    pub end: usize,
}

/// Walks over `name[=value][;name[=value]]...`; tolerates white space around `;` and `=`, respects
/// quoted strings, and skips empty parameters.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    text: &'a [u8],
    at: usize,
    empty: bool,
}

impl<'a> Params<'a> {
    /// Over `text`, which begins after the first semicolon.
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            empty: false,
        }
    }

    /// The value of the first parameter of this name, whatever its case: `None` if there is none,
    /// `Some(None)` if it has no value.
    pub fn find(mut self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        self.find_map(|param| param.name.eq_ignore_ascii_case(name).then_some(param.value))
    }

    /// Whether an empty parameter was skipped so far, which the grammar forbids.
    pub(super) fn saw_empty(&self) -> bool {
        self.empty
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        while self.at < self.text.len() {
            let start = self.at;
            let end = param_end(self.text, start);
            self.at = end + 1;
            let whole = text::trim(self.text, start..end);
            if whole.is_empty() {
                self.empty = true;
                continue;
            }
            let param = &self.text[whole.clone()];
            let equals = param.iter().position(|&byte| byte == b'=');
            let name_end = whole.start + equals.unwrap_or(param.len());
            let name_range = text::trim(self.text, whole.start..name_end);
            let value = equals.map(|_| {
                let value = text::trim(self.text, name_end + 1..whole.end);
                &self.text[value]
            });
            return Some(Param {
                name: &self.text[name_range.clone()],
                value,
                name_range,
                end: whole.end,
            });
        }
        None
    }
}

/// Where the parameter that begins at `from` ends.
fn param_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b';' => return at,
            b'"' => match text::quoted_end(bytes, at) {
                Some(next) => at = next,
                None => return bytes.len(),
            },
            _ => at += 1,
        }
    }
    bytes.len()
}
