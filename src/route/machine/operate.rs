//! Operators. The left operand says what `+` and comparisons mean, and the right one is converted to its
//! kind: so it is in Kamailio.

use std::net::IpAddr;

use regex::bytes::RegexBuilder;

use super::Machine;
use crate::route::ast::{BinaryOperator, UnaryOperator};
use crate::route::program::Network;
use crate::route::value::{TextRef, Value, digits_of};

impl Machine {
    pub(super) fn unary(&mut self, operator: UnaryOperator) {
        let value = self.stack.pop().unwrap_or_default();
        let made = match operator {
            UnaryOperator::Not => Value::truth(self.to_number(value) == 0),
            UnaryOperator::Minus => Value::Number(self.to_number(value).wrapping_neg()),
            UnaryOperator::Complement => Value::Number(!self.to_number(value)),
            UnaryOperator::ToNumber => Value::Number(self.to_number(value)),
            UnaryOperator::ToText => Value::Text(self.to_text(value)),
            UnaryOperator::Length => Value::Number(self.to_text(value).len() as i64),
            UnaryOperator::IsEmpty => Value::truth(self.to_text(value).is_empty()),
            UnaryOperator::Defined => Value::truth(!value.is_null()),
        };
        self.stack.push(made);
    }

    pub(super) fn binary(&mut self, operator: BinaryOperator) {
        use BinaryOperator as B;
        let right = self.stack.pop().unwrap_or_default();
        let left = self.stack.pop().unwrap_or_default();
        let made = match operator {
            B::Equal => Value::truth(self.is_equal(left, right)),
            B::Different => Value::truth(!self.is_equal(left, right)),
            B::TextEqual | B::TextDifferent => {
                let right = self.to_text(right);
                let is_equal = self.is_text(left, right);
                Value::truth(is_equal == (operator == B::TextEqual))
            }
            B::Plus if matches!(left, Value::Number(_)) => {
                Value::Number(self.to_number(left).wrapping_add(self.to_number(right)))
            }
            B::Plus => Value::Text(self.joined(left, right)),
            _ => {
                let (left, right) = (self.to_number(left), self.to_number(right));
                let made = calculated(operator, left, right);
                self.is_failed |= made.is_none();
                Value::Number(made.unwrap_or(0))
            }
        };
        self.stack.push(made);
    }

    fn is_equal(&mut self, left: Value, right: Value) -> bool {
        match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Number(left), right) => left == self.to_number(right),
            (Value::Text(left), Value::Text(right)) => self.bytes(left) == self.bytes(right),
            (Value::Text(left), right) => self.is_text(right, left),
            (Value::Null, Value::Number(number)) => number == 0,
            (Value::Null, Value::Text(text)) => text.is_empty(),
        }
    }

    /// Whether a value is this text.
    pub(super) fn is_text(&self, value: Value, text: TextRef) -> bool {
        match value {
            Value::Null => text.is_empty(),
            Value::Text(value) => self.bytes(value) == self.bytes(text),
            Value::Number(number) => *digits_of(number) == *self.bytes(text),
        }
    }

    fn joined(&mut self, left: Value, right: Value) -> TextRef {
        let (left, right) = (self.to_text(left), self.to_text(right));
        // What stands at the end of all text already need not be copied.
        let start = if left.range().end == self.text.len() && !left.is_empty() {
            left.range().start
        } else {
            let start = self.text.len();
            self.append(left);
            start
        };
        self.append(right);
        self.since(start)
    }

    /// `=~` with an expression that is known only now.
    pub(super) fn match_text(&mut self) {
        let pattern = self.stack.pop().unwrap_or_default();
        let value = self.stack.pop().unwrap_or_default();
        let (pattern, text) = (self.to_text(pattern), self.to_text(value));
        let mut patterns = std::mem::take(&mut self.patterns);
        let is_match = patterns.is_match(self.bytes(pattern), self.bytes(text));
        self.patterns = patterns;
        self.stack.push(Value::truth(is_match));
    }

    pub(super) fn in_network(&mut self, network: u16) {
        let value = self.stack.pop().unwrap_or_default();
        let text = self.to_text(value);
        let network = self.program.networks[usize::from(network)];
        let address = std::str::from_utf8(self.bytes(text))
            .ok()
            .and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let is_in = address.is_some_and(|address| network.contains(address));
        self.stack.push(Value::truth(is_in));
    }
}

impl Network {
    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let shift = width - u32::from(self.bits).min(width);
        own.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
    }
}

/// What an operator makes of two numbers; nothing of a division by zero.
pub(super) fn calculated(operator: BinaryOperator, left: i64, right: i64) -> Option<i64> {
    use BinaryOperator as B;
    let shift = (right & 63) as u32;
    Some(match operator {
        B::Or => i64::from(left != 0 || right != 0),
        B::And => i64::from(left != 0 && right != 0),
        B::BitOr => left | right,
        B::BitAnd => left & right,
        B::BitXor => left ^ right,
        B::ShiftLeft => left.wrapping_shl(shift),
        B::ShiftRight => left.wrapping_shr(shift),
        B::Equal | B::NumberEqual | B::TextEqual | B::Match => i64::from(left == right),
        B::Different | B::NumberDifferent | B::TextDifferent => i64::from(left != right),
        B::Less => i64::from(left < right),
        B::Greater => i64::from(left > right),
        B::LessOrEqual => i64::from(left <= right),
        B::GreaterOrEqual => i64::from(left >= right),
        B::Plus => left.wrapping_add(right),
        B::Minus => left.wrapping_sub(right),
        B::Times => left.wrapping_mul(right),
        B::Divide | B::Modulo if right == 0 => return None,
        B::Divide => left.wrapping_div(right),
        B::Modulo => left.wrapping_rem(right),
    })
}

/// An expression as POSIX has it: `.` is a line break too. `=~` ignores case.
pub(in crate::route) fn regex(
    pattern: &str,
    ignores_case: bool,
) -> Result<regex::bytes::Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignores_case)
        .dot_matches_new_line(true)
        .unicode(false)
        .size_limit(1 << 20)
        .build()
}

/// An expression that looks at lines, as POSIX has it with `REG_NEWLINE`: `^` and `$` are at line breaks
/// too, and neither `.` nor `[^...]` is one.
pub(in crate::route) fn line_regex(
    pattern: &str,
    ignores_case: bool,
) -> Result<regex::bytes::Regex, regex::Error> {
    RegexBuilder::new(&without_line_breaks(pattern))
        .case_insensitive(ignores_case)
        .multi_line(true)
        .unicode(false)
        .size_limit(1 << 20)
        .build()
}

/// The expression with a line break in each of its `[^...]`.
fn without_line_breaks(pattern: &str) -> String {
    let mut made = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut is_in_set = false;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' if !is_in_set => {
                is_in_set = true;
                let is_negative = rest[1..].starts_with('^');
                length += usize::from(is_negative);
                let is_closing_first = rest[length..].starts_with(']');
                length += usize::from(is_closing_first);
                made.push_str(match (is_negative, is_closing_first) {
                    (true, true) => "[^\\]\\n",
                    (true, false) => "[^\\n",
                    (false, true) => "[\\]",
                    (false, false) => "[",
                });
                rest = &rest[length..];
                continue;
            }
            '[' if rest[1..].starts_with(':') => {
                length = rest.find(":]").map_or(length, |end| end + 2);
            }
            ']' => is_in_set = false,
            _ => {}
        }
        made.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    made
}

#[cfg(test)]
mod tests {
    use super::line_regex;

    #[test]
    fn an_expression_of_lines_stays_in_its_line() {
        let text = b"To: <a>\r\nX: b]\r\n";
        for (pattern, found) in [
            ("^x: .*$", Some("X: b]\r")),
            ("o:.*b", None),
            ("<[^x]*", Some("<a>\r")),
            ("b[^]]*", Some("b")),
            ("[[:alpha:]^]+:", Some("To:")),
            (r"b\]", Some("b]")),
            ("[]]", Some("]")),
        ] {
            let regex = line_regex(pattern, true).expect(pattern);
            let found_here = regex.find(text).map(|found| found.as_bytes());
            assert_eq!(found_here, found.map(str::as_bytes), "{pattern}");
        }
    }
}
