//! Messages prepared once: fixed text with a few fields, rendered without allocation or formatting.

use super::token::{TOKEN_DIGITS, write_hex};

/// What differs from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// [`Values::call`], 16 hex digits: names the call.
    Call,
    /// [`Values::leg`], 16 hex digits: names the leg whose transaction it is.
    Leg,
    /// [`Values::tag`], 16 hex digits: our tag.
    Tag,
    /// [`Values::cseq`], decimal.
    Cseq,
    /// [`Values::uri`]: the Request-URI.
    Uri,
    /// [`Values::routes`]: whole Route lines, or nothing.
    Routes,
    /// [`Values::to`]: the value of To.
    To,
}

/// One piece of the recipe of a template.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    /// Fixed text.
    Text(&'a str),
    /// Filled in at each use.
    Field(Field),
}

/// The fields of one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub call: u64,
    pub leg: u64,
    pub tag: u64,
    pub cseq: u32,
    pub uri: &'a [u8],
    pub routes: &'a [u8],
    pub to: &'a [u8],
}

/// A message with holes.
#[derive(Clone, Debug)]
pub(super) struct Template {
    text: Vec<u8>,
    /// Where the fixed text before each field ends, and the field.
    holes: Vec<(usize, Field)>,
}

impl Template {
    /// Compiles a recipe.
    pub fn new(parts: &[Part<'_>]) -> Self {
        let mut text = Vec::new();
        let mut holes = Vec::new();
        for part in parts {
            match part {
                Part::Text(fixed) => text.extend_from_slice(fixed.as_bytes()),
                Part::Field(field) => holes.push((text.len(), *field)),
            }
        }
        Self { text, holes }
    }

    /// Appends the message with its fields filled in.
    pub fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        let mut from = 0;
        for &(until, field) in &self.holes {
            out.extend_from_slice(&self.text[from..until]);
            from = until;
            match field {
                Field::Call => push_token(values.call, out),
                Field::Leg => push_token(values.leg, out),
                Field::Tag => push_token(values.tag, out),
                Field::Cseq => push_decimal(values.cseq, out),
                Field::Uri => out.extend_from_slice(values.uri),
                Field::Routes => out.extend_from_slice(values.routes),
                Field::To => out.extend_from_slice(values.to),
            }
        }
        out.extend_from_slice(&self.text[from..]);
    }
}

/// Appends a token as 16 hex digits.
pub(super) fn push_token(token: u64, out: &mut Vec<u8>) {
    let mut digits = [0; TOKEN_DIGITS];
    write_hex(token, &mut digits);
    out.extend_from_slice(&digits);
}

/// Appends a number in decimal.
pub(super) fn push_decimal(value: u32, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 10];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_where_they_stand() {
        let template = Template::new(&[
            Part::Text("BYE "),
            Part::Field(Field::Uri),
            Part::Text(" SIP/2.0\r\n"),
            Part::Field(Field::Routes),
            Part::Field(Field::To),
            Part::Text(" "),
            Part::Field(Field::Cseq),
            Part::Text(" "),
            Part::Field(Field::Call),
            Part::Field(Field::Leg),
            Part::Field(Field::Tag),
        ]);
        let mut out = b"before ".to_vec();
        template.render(
            &Values {
                call: 0x1f,
                leg: 0xa,
                tag: u64::MAX,
                cseq: 4_294_967_295,
                uri: b"sip:x@y",
                routes: b"",
                to: b"<sip:z>;tag=1",
            },
            &mut out,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "before BYE sip:x@y SIP/2.0\r\n<sip:z>;tag=1 4294967295 000000000000001f000000000000000affffffffffffffff"
        );
    }

    #[test]
    fn zero_has_one_digit() {
        let mut out = Vec::new();
        push_decimal(0, &mut out);
        push_decimal(70, &mut out);
        assert_eq!(out, b"070");
    }
}
