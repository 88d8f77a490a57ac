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

impl Param<'_> {
    /// Whether this is its name, whatever the case. Mostly it is written as in the books.
    #[inline]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name == name || self.name.eq_ignore_ascii_case(name)
    }
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
    #[inline]
    pub fn find(mut self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        self.find_map(|param| param.is(name).then_some(param.value))
    }

    /// Whether an empty parameter was skipped so far, which the grammar forbids.
    pub(super) fn saw_empty(&self) -> bool {
        self.empty
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    #[inline]
    fn next(&mut self) -> Option<Param<'a>> {
        let text = self.text;
        while self.at < text.len() {
            let start = text::skip_lws(text, self.at);
            let name_end = text[start..]
                .iter()
                .position(|&byte| byte == b';' || byte == b'=')
                .map_or(text.len(), |length| start + length);
            let has_value = text.get(name_end) == Some(&b'=');
            let end = if has_value {
                value_end(text, name_end + 1)
            } else {
                name_end
            };
            self.at = end + 1;
            if start == end {
                self.empty = true;
                continue;
            }
            let name_range = text::trim(text, start..name_end);
            let value_range = text::trim(text, name_end + usize::from(has_value)..end);
            let end = if has_value {
                value_range.end
            } else {
                name_range.end
            };
            return Some(Param {
                name: &text[name_range.clone()],
                value: has_value.then(|| &text[value_range]),
                name_range,
                end,
            });
        }
        None
    }
}

/// Where the value that begins at `from` ends: at a semicolon outside a quoted string. A quoted string
/// that does not end reaches to the end.
fn value_end(text: &[u8], from: usize) -> usize {
    let start = text::skip_lws(text, from);
    let search = if text.get(start) == Some(&b'"') {
        text::quoted_end(text, start).unwrap_or(text.len())
    } else {
        start
    };
    memchr::memchr(b';', &text[search..]).map_or(text.len(), |length| search + length)
}
