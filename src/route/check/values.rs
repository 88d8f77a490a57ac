//! Pseudo-variables, texts that hold them, and regular expressions.

use std::ops::Range;

use regex::RegexBuilder;

use super::Checker;
use crate::route::ast::Text;
use crate::route::diagnostic::Diagnostic;
use crate::route::nearest::nearest;
use crate::route::source::Span;
use crate::route::table::{
    InnerKind, TRANSFORMATIONS, VARIABLES, VariableRow, transformer, variable as row_of,
};
use crate::route::variable::{Index, Piece, Transformation, Variable, pieces};

impl Checker<'_> {
    /// A part of a text that a function reads: all its variables must be known.
    pub(super) fn format(&mut self, text: &Text, range: Range<usize>) {
        let part = &text.value[range.clone()];
        match pieces(part) {
            Ok(pieces) => {
                for piece in &pieces {
                    if let Piece::Variable(variable) = piece {
                        let start = range.start + variable.start;
                        let span = self.within(text, start..start + variable.length);
                        self.variable(variable, span, false);
                    }
                }
            }
            Err((at, message)) => {
                let span = self.within(text, range.start + at.start..range.start + at.end);
                let error = Diagnostic::error(span, message).help("a dollar sign itself is $$");
                self.report.push(error);
            }
        }
    }

    /// A text that is one variable.
    pub(super) fn variable_text(&mut self, text: &Text, is_set: bool) {
        match Variable::parse(&text.value) {
            Ok(variable) if text.value.starts_with('$') => {
                self.variable(&variable, text.span, is_set);
            }
            _ => self.error(text.span, "a pseudo-variable expected, such as \"$var(x)\""),
        }
    }

    pub(super) fn variable(&mut self, variable: &Variable, span: Span, is_set: bool) {
        let Some(row) = row_of(&variable.name) else {
            let meant = nearest(&variable.name, VARIABLES.iter().map(|row| row.name));
            // Names of two letters are all near to each other.
            let meant = meant.filter(|_| variable.name.len() > 2);
            let message = format!("no such pseudo-variable: ${}", variable.name);
            let error = Diagnostic::error(span, message);
            let meant = meant.map(|name| format!("${name}"));
            return self.report.push(error.meant(meant.as_deref()));
        };
        self.inner(row, variable, span);
        if let Some(Index::Of(index)) = &variable.index {
            self.variable(index, span, false);
        }
        for transformation in &variable.transformations {
            self.transformation(transformation, variable, span);
        }
        if is_set && !row.is_writable {
            let error = Diagnostic::error(span, format!("${} cannot be set", row.name));
            self.report.push(error.label(row.help));
        } else if is_set && !variable.transformations.is_empty() {
            self.error(span, "what a transformation makes cannot be set");
        }
    }

    fn inner(&mut self, row: &VariableRow, variable: &Variable, span: Span) {
        let form = match row.inner {
            InnerKind::None => format!("${}", row.name),
            InnerKind::Fields => format!("${}(name=>field)", row.name),
            InnerKind::Variable => format!("${}($name)", row.name),
            _ => format!("${}(name)", row.name),
        };
        let inner = match (row.inner, variable.inner()) {
            (InnerKind::None, None) => return,
            // $rr(x) and the like: something else was meant.
            (InnerKind::None, Some(_)) | (_, None | Some("")) => {
                return self.error(span, format!("this variable is written {form}"));
            }
            (_, Some(inner)) => inner,
        };
        match row.inner {
            InnerKind::OneOf(names) if !names.contains(&inner) && !inner.starts_with('$') => {
                let message = format!("${} has no {inner}", row.name);
                let error = Diagnostic::error(span, message)
                    .meant(nearest(inner, names.iter().copied()))
                    .help(format!("it has {}", names.join(", ")));
                self.report.push(error);
            }
            InnerKind::Variable => match Variable::parse(inner) {
                Ok(inner) => self.variable(&inner, span, false),
                Err(_) => self.error(span, format!("this variable is written {form}")),
            },
            InnerKind::Name | InnerKind::Fields | InnerKind::Format if inner.contains('$') => {
                match pieces(inner) {
                    Ok(pieces) => {
                        for piece in &pieces {
                            if let Piece::Variable(variable) = piece {
                                self.variable(variable, span, false);
                            }
                        }
                    }
                    Err((_, message)) => self.error(span, message),
                }
            }
            _ => {}
        }
    }

    fn transformation(&mut self, one: &Transformation, of: &Variable, span: Span) {
        let span = if (span.end - span.start) as usize == of.length {
            Span {
                start: span.start + one.at.start as u32,
                end: span.start + one.at.end as u32,
                ..span
            }
        } else {
            span
        };
        let (class, name) = (one.class.as_str(), one.name.as_str());
        let Some(row) = transformer(class, name) else {
            let of_class = TRANSFORMATIONS.iter().filter(|row| row.class == class);
            let meant = nearest(name, of_class.clone().map(|row| row.name));
            let meant = meant.map(|meant| format!("{{{class}.{meant}}}"));
            let message = format!("no such transformation: {{{class}.{name}}}");
            let error = Diagnostic::error(span, message).meant(meant.as_deref());
            return self.report.push(error);
        };
        let (least, most) = row.arguments;
        let count = one.arguments.len();
        if !(least..=most).contains(&count) {
            let expected = if least == most {
                format!("{least}")
            } else {
                format!("{least} to {most}")
            };
            let message = format!("{{{class}.{name}}} takes {expected} arguments, not {count}");
            self.report
                .push(Diagnostic::error(span, message).help(row.help));
        }
    }

    pub(super) fn regex(&mut self, text: &Text) {
        let built = RegexBuilder::new(&text.value).size_limit(1 << 20).build();
        if let Err(error) = built {
            let cause = match error {
                regex::Error::Syntax(text) => {
                    let last = text.lines().last().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
                _ => "it is too big".to_owned(),
            };
            let error = Diagnostic::error(text.span, "not a regular expression").label(cause);
            self.report.push(error);
        }
    }
}
