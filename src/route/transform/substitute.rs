//! `/expression/text/flags`: what `{re.subst,...}` and the subst functions do.
//!
//! Owns: the form, and replacing. In the text `\1` to `\9` are groups, `\0` and `&`-less: the whole match.

use regex::bytes::Regex;

/// A substitution.
#[derive(Debug)]
pub struct Substitution {
    expression: Regex,
    pieces: Vec<Piece>,
    is_global: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Group(usize),
}

impl Substitution {
    /// Reads `/expression/text/flags`; any character may stand for the slash. The error is for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "a substitution is /expression/text/flags";
        let mut chars = text.chars();
        let separator = chars.next().ok_or(form)?;
        if separator == '\\' || separator.is_alphanumeric() {
            return Err(form.to_owned());
        }
        let mut parts = vec![String::new()];
        let mut is_escaped = false;
        for c in chars {
            let part = parts.len() - 1;
            if c == separator && is_escaped {
                parts[part].pop();
                parts[part].push(c);
            } else if c == separator && parts.len() < 3 {
                parts.push(String::new());
            } else {
                parts[part].push(c);
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        let [expression, replacement, flags] = parts.as_slice() else {
            return Err(form.to_owned());
        };
        if let Some(flag) = flags.chars().find(|flag| !"igs".contains(*flag)) {
            return Err(format!("no such flag: {flag}; there are i, g and s"));
        }
        let expression = crate::route::machine::regex(expression, flags.contains('i'))
            .map_err(|_| "not a regular expression".to_owned())?;
        Ok(Self {
            expression,
            pieces: pieces(replacement),
            is_global: flags.contains('g'),
        })
    }

    /// Writes the text with its matches replaced. False, and nothing written, if there is none.
    pub fn apply(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let mut at = 0;
        let mut is_found = false;
        for captures in self.expression.captures_iter(text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            is_found = true;
            out.extend_from_slice(&text[at..whole.start()]);
            for piece in &self.pieces {
                match piece {
                    Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                    Piece::Group(group) => out.extend_from_slice(
                        captures.get(*group).map_or(b"", |group| group.as_bytes()),
                    ),
                }
            }
            at = whole.end();
            if !self.is_global {
                break;
            }
        }
        if is_found {
            out.extend_from_slice(&text[at..]);
        }
        is_found
    }
}

fn pieces(replacement: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = replacement.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(digit @ b'0'..=b'9') => {
                if !bytes.is_empty() {
                    pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                }
                pieces.push(Piece::Group(usize::from(digit - b'0')));
            }
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(other) => bytes.push(other),
            None => bytes.push(b'\\'),
        }
    }
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
    pieces
}
