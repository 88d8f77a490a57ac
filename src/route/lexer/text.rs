//! Texts in quotes and their escapes.

use std::iter::Peekable;
use std::str::CharIndices;

/// The value of a text and its length in the file, quotes included. It may go over lines.
pub(super) fn quoted(rest: &str) -> Result<(String, usize), (usize, &'static str)> {
    let mut value = String::new();
    let mut unescaped = Unescaped::new(&rest[1..]);
    for (at, c) in &mut unescaped {
        match c {
            Part::Quote => return Ok((value, 1 + at + 1)),
            Part::Char(c) => value.push(c),
            Part::Kept(c) => value.extend(['\\', c]),
        }
    }
    Err((1, "this text has no end: \" is missing"))
}

/// Where the byte of a text's value stands in the file, counted from the opening quote.
pub fn position(literal: &str, index: usize) -> usize {
    if literal.starts_with('\'') {
        return index + 1;
    }
    let mut length = 0;
    for (at, part) in Unescaped::new(literal.get(1..).unwrap_or_default()) {
        let width = match part {
            Part::Quote => return at + 1,
            Part::Char(c) => c.len_utf8(),
            Part::Kept(c) => 1 + c.len_utf8(),
        };
        if index < length + width {
            return at + 1;
        }
        length += width;
    }
    literal.len()
}

/// A character of a text.
enum Part {
    /// Itself, or what an escape stands for.
    Char(char),
    /// A backslash and this: no escape, both stay. So `"^\+"` is a regular expression.
    Kept(char),
    /// The end.
    Quote,
}

struct Unescaped<'a> {
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Unescaped<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            chars: text.char_indices().peekable(),
        }
    }

    /// Up to `most` digits of a base, as a character of ASCII. Others cannot be written so.
    fn code(&mut self, base: u32, most: usize, first: u32) -> Option<char> {
        let mut code = first;
        let mut ahead = self.chars.clone();
        for _ in 0..most {
            let Some(digit) = ahead.peek().and_then(|(_, c)| c.to_digit(base)) else {
                break;
            };
            code = code * base + digit;
            ahead.next();
        }
        let found = u8::try_from(code).ok().filter(u8::is_ascii)?;
        self.chars = ahead;
        Some(char::from(found))
    }

    fn escape(&mut self) -> Option<Part> {
        let (_, c) = self.chars.next()?;
        Some(match c {
            'n' => Part::Char('\n'),
            'r' => Part::Char('\r'),
            't' => Part::Char('\t'),
            'a' => Part::Char('\x07'),
            '\\' | '"' => Part::Char(c),
            'x' if self
                .chars
                .peek()
                .is_some_and(|(_, c)| c.is_ascii_hexdigit()) =>
            {
                self.code(16, 2, 0).map_or(Part::Kept(c), Part::Char)
            }
            // One digit alone is none: `\1` is a group of a substitution.
            '0'..='7' if self.chars.peek().is_some_and(|(_, c)| c.is_digit(8)) => {
                let first = c.to_digit(8).unwrap_or_default();
                self.code(8, 2, first).map_or(Part::Kept(c), Part::Char)
            }
            other => Part::Kept(other),
        })
    }
}

impl Iterator for Unescaped<'_> {
    /// Where it begins, and what it is.
    type Item = (usize, Part);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, c) = self.chars.next()?;
        Some(match c {
            '"' => (at, Part::Quote),
            '\\' => (at, self.escape()?),
            other => (at, Part::Char(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        let cases = [
            (r#""a\tb\r\n""#, "a\tb\r\n"),
            (r#""^(\+|00)""#, r"^(\+|00)"),
            (r#""say \"hi\" \\""#, "say \"hi\" \\"),
            (r#""\x41\101!""#, "AA!"),
        ];
        for (literal, value) in cases {
            let length = literal.len();
            assert_eq!(quoted(literal), Ok((value.to_owned(), length)), "{literal}");
        }
    }

    #[test]
    fn a_place_in_the_value_is_found_in_the_file() {
        let literal = r#""a\tb$ru""#;
        assert_eq!(position(literal, 0), 1);
        assert_eq!(position(literal, 1), 2);
        assert_eq!(position(literal, 2), 4);
        assert_eq!(&literal[position(literal, 3)..=7], "$ru");
        assert_eq!(position("'a$ru'", 1), 2);
    }

    #[test]
    fn a_text_without_end_is_an_error() {
        assert!(quoted("\"abc\\\"").is_err());
    }
}
