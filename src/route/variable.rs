//! Pseudo-variables and texts that hold them: `$ru`, `$(hdr(Via)[0]{s.len})`, `"from $fu"`.
//!
//! Owns: their form. What the names mean is in [`super::table`].

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::lexer::{is_word, variable_length};

/// A pseudo-variable as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// `ru`, `avp`, `hdr`
    pub name: String,
    /// What stands in its parentheses: `x` of `$avp(x)`.
    pub inner: Option<Inner>,
    /// Which of several values: `$(hdr(Via)[0])`.
    pub index: Option<Index>,
    /// What is made of it: `{s.len}`.
    pub transformations: Vec<Transformation>,
    /// Where it begins in the text that it was read from.
    pub start: usize,
    /// Its length there.
    pub length: usize,
}

/// What stands in the parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    /// As written.
    pub text: String,
    /// Where, from the variable's beginning.
    pub at: usize,
}

/// Which of several values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// From the first, or with a minus from the last.
    At(i64),
    /// All: `[*]`.
    All,
    /// As another variable says.
    Of(Box<Variable>),
}

/// One step of what is made of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transformation {
    /// `s` of `{s.substr,0,3}`
    pub class: String,
    /// `substr`
    pub name: String,
    /// `0` and `3`
    pub arguments: Vec<String>,
    /// Where, from the variable's beginning.
    pub at: Range<usize>,
}

/// What is wrong with a variable, and where in its text.
pub type Fault = (Range<usize>, String);

/// A part of a text with pseudo-variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Literal(String),
    /// Its value.
    Variable(Variable),
}

impl Variable {
    /// Reads all of `raw`, which begins with `$`.
    pub fn parse(raw: &str) -> Result<Self, Fault> {
        let whole = 0..raw.len();
        let after = raw.get(1..).unwrap_or_default();
        let mut variable = if let Some(body) = after.strip_prefix('(') {
            let body = body
                .strip_suffix(')')
                .ok_or((whole, "this parenthesis is not closed".to_owned()))?;
            Reader::new(body, 2).full()?
        } else {
            let mut reader = Reader::new(after, 1);
            let variable = reader.head()?;
            reader.must_be_done()?;
            variable
        };
        variable.length = raw.len();
        Ok(variable)
    }

    /// What stands in its parentheses.
    pub fn inner(&self) -> Option<&str> {
        self.inner.as_ref().map(|inner| inner.text.as_str())
    }

    /// Whether it is `$name`, and nothing more.
    pub fn is_plain(&self, name: &str) -> bool {
        self.name == name
            && self.inner.is_none()
            && self.index.is_none()
            && self.transformations.is_empty()
    }
}

/// The parts of a text; `$$` is a dollar sign.
pub fn pieces(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        literal.push_str(&text[at..at + found]);
        at += found;
        if text[at..].starts_with("$$") {
            literal.push('$');
            at += 2;
            continue;
        }
        let shift = |(range, message): Fault| (range.start + at..range.end + at, message);
        let length = variable_length(&text[at..])
            .map_err(|(length, message)| shift((0..length, message.to_owned())))?;
        let mut variable = Variable::parse(&text[at..at + length]).map_err(shift)?;
        variable.start = at;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Variable(variable));
        at += length;
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Walks over a variable's text.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where `text` begins in the variable.
    base: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, base: usize) -> Self {
        Self { text, at: 0, base }
    }

    /// The inside of `$(...)`.
    fn full(mut self) -> Result<Variable, Fault> {
        let mut variable = self.head()?;
        if self.rest().starts_with('[') {
            let length = self.balanced('[', ']')?;
            let inside = self.text[self.at + 1..self.at + length - 1].trim();
            variable.index = Some(self.index(inside, length)?);
            self.at += length;
        }
        while self.rest().starts_with('{') {
            let length = self.balanced('{', '}')?;
            let transformation = self.transformation(length)?;
            variable.transformations.push(transformation);
            self.at += length;
        }
        self.must_be_done()?;
        Ok(variable)
    }

    /// `name` or `name(inner)`.
    fn head(&mut self) -> Result<Variable, Fault> {
        let rest = self.rest();
        let length = match rest.find(|c| !is_word(c)).unwrap_or(rest.len()) {
            // $? is what the last function returned.
            0 => usize::from(rest.starts_with('?')),
            length => length,
        };
        if length == 0 {
            return Err((
                self.range(1),
                "the name of a pseudo-variable expected".into(),
            ));
        }
        let name = rest[..length].to_owned();
        self.at += length;
        let mut inner = None;
        if self.rest().starts_with('(') {
            let length = self.balanced('(', ')')?;
            inner = Some(Inner {
                text: self.text[self.at + 1..self.at + length - 1].to_owned(),
                at: self.base + self.at + 1,
            });
            self.at += length;
        }
        Ok(Variable {
            name,
            inner,
            index: None,
            transformations: Vec::new(),
            start: 0,
            length: 0,
        })
    }

    fn index(&self, inside: &str, length: usize) -> Result<Index, Fault> {
        if inside == "*" {
            return Ok(Index::All);
        }
        if inside.starts_with('$') {
            let variable = Variable::parse(inside).map_err(|(_, why)| (self.range(length), why))?;
            return Ok(Index::Of(Box::new(variable)));
        }
        let number = inside.parse().map(Index::At);
        number.map_err(|_| {
            let message = "an index is a number, * or a pseudo-variable";
            (self.range(length), message.to_owned())
        })
    }

    /// `{class.name,argument,argument}`
    fn transformation(&self, length: usize) -> Result<Transformation, Fault> {
        let inside = &self.text[self.at + 1..self.at + length - 1];
        let mut parts = split_arguments(inside).into_iter();
        let head = parts.next().unwrap_or_default();
        let Some((class, name)) = head.trim().split_once('.') else {
            let message = "a transformation is {CLASS.NAME}, such as {s.len}";
            return Err((self.range(length), message.to_owned()));
        };
        Ok(Transformation {
            class: class.to_owned(),
            name: name.to_owned(),
            arguments: parts.map(str::to_owned).collect(),
            at: self.range(length),
        })
    }

    /// The length of a bracket with what it holds.
    fn balanced(&self, open: char, close: char) -> Result<usize, Fault> {
        let mut depth = 0_usize;
        for (at, c) in self.rest().char_indices() {
            if c == open {
                depth += 1;
            } else if c == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
        }
        Err((self.range(1), format!("{close} is missing")))
    }

    fn must_be_done(&self) -> Result<(), Fault> {
        if self.rest().is_empty() {
            return Ok(());
        }
        let message = "[index] or {transformation} expected";
        Err((self.range(self.rest().len()), message.to_owned()))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn range(&self, length: usize) -> Range<usize> {
        let start = self.base + self.at;
        start..start + length
    }
}

/// At commas outside of variables.
fn split_arguments(inside: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            // A comma alone at the end is itself an argument: {s.select,1,,}.
            ',' if depth == 0 && !(start == at && at + 1 == inside.len()) => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts
}
