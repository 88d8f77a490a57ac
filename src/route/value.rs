//! Values of scripts while they run.
//!
//! Owns: their form. Texts are bytes (SIP is not UTF-8) and lie in the text of a
//! [`super::machine::Machine`]; a value only says where, so that values are copied freely.

use arrayvec::ArrayVec;

/// A stretch of a machine's text. Good until the machine begins with the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRef {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl TextRef {
    /// No text at all.
    pub const EMPTY: Self = Self {
        start: 0,
        length: 0,
    };

    /// Its length in bytes.
    pub fn len(self) -> usize {
        self.length as usize
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// A part of it: from `start`, `length` bytes, cut where it ends.
    #[must_use]
    pub fn part(self, start: usize, length: usize) -> Self {
        let start = start.min(self.len());
        let length = length.min(self.len() - start);
        Self {
            start: self.start + start as u32,
            length: length as u32,
        }
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// What a variable holds or an expression makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `$null`.
    #[default]
    Null,
    /// A whole number.
    Number(i64),
    /// A text.
    Text(TextRef),
}

impl Value {
    /// True is 1, false is 0.
    pub const fn truth(is_true: bool) -> Self {
        Self::Number(is_true as i64)
    }

    /// Whether it is `$null`.
    pub fn is_null(self) -> bool {
        self == Self::Null
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<TextRef> for Value {
    fn from(text: TextRef) -> Self {
        Self::Text(text)
    }
}

/// The number that a text is as a whole: decimal with a sign, or hex after `0x`. Blanks are no part of
/// numbers.
pub fn number_of(text: &[u8]) -> Option<i64> {
    let is_negative = text.first() == Some(&b'-');
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
    let digits = unsigned.unwrap_or(text);
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        digits => (10, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = i64::from(char::from(*digit).to_digit(base)?);
        number = number.checked_mul(i64::from(base))?.checked_add(digit)?;
    }
    Some(if is_negative { -number } else { number })
}

/// A number in decimal.
pub fn digits_of(number: i64) -> ArrayVec<u8, 20> {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    let mut out = ArrayVec::new();
    // They are never more than it takes.
    out.try_extend_from_slice(&digits[at..]).ok();
    out
}

/// Writes a number in decimal behind `out`.
pub fn write_number(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&digits_of(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_a_whole_or_not_at_all() {
        let cases = [
            ("12", Some(12)),
            ("-12", Some(-12)),
            ("+7", Some(7)),
            ("0x1f", Some(31)),
            ("010", Some(10)),
            ("12abc", None),
            (" 12", None),
            ("", None),
            ("-", None),
            ("0x", None),
            ("99999999999999999999", None),
        ];
        for (text, number) in cases {
            assert_eq!(number_of(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, -1, 1_234_567_890, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn a_part_never_leaves_its_text() {
        let text = TextRef {
            start: 10,
            length: 5,
        };
        assert_eq!(text.part(2, 9).range(), 12..15);
        assert!(text.part(9, 9).is_empty());
    }
}
