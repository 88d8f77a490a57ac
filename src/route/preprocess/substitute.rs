//! `#!subst`: regular expressions that are replaced in all texts that follow.

use regex::{Regex, RegexBuilder};

/// `"/EXPRESSION/REPLACEMENT/FLAGS"`, with any sign for the slash.
#[derive(Debug)]
pub(super) struct Substitution {
    pub(super) expression: String,
    /// As written, for `#!substdef`.
    pub(super) replacement: String,
    regex: Regex,
    /// In the form of [`Regex::replace`].
    with: String,
    is_for_all: bool,
}

impl Substitution {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "\"/EXPRESSION/REPLACEMENT/FLAGS\" expected";
        let separator = text.chars().next().ok_or(FORM)?;
        let mut parts = split(&text[separator.len_utf8()..], separator).into_iter();
        let (Some(expression), Some(replacement), Some(flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FORM.to_owned());
        };
        if let Some(flag) = flags.trim().chars().find(|flag| !"gis".contains(*flag)) {
            return Err(format!("no such flag: {flag}; there are g (all), i and s"));
        }
        let regex = RegexBuilder::new(&expression)
            .case_insensitive(flags.contains('i'))
            .dot_matches_new_line(flags.contains('s'))
            .size_limit(1 << 20)
            .build()
            .map_err(|error| format!("no regular expression: {expression}: {error}"))?;
        Ok(Self {
            with: replacement_form(&replacement),
            is_for_all: flags.contains('g'),
            expression,
            replacement,
            regex,
        })
    }
}

/// The replaced text may be longer than the text was; more than this it does not grow.
const MAX_TEXT: usize = 1 << 16;

/// Carries out all substitutions, in their order.
pub(super) fn apply(substitutions: &[Substitution], text: &mut String) {
    for one in substitutions {
        if text.len() > MAX_TEXT || !one.regex.is_match(text) {
            continue;
        }
        let replaced = if one.is_for_all {
            one.regex.replace_all(text, one.with.as_str())
        } else {
            one.regex.replace(text, one.with.as_str())
        };
        *text = replaced.into_owned();
    }
}

/// The parts between separators; one behind a backslash separates nothing.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for c in text.chars() {
        let last = parts.len() - 1;
        match (c, is_escaped) {
            (c, false) if c == separator => parts.push(String::new()),
            (c, true) if c == separator => parts[last].push(c),
            ('\\', false) => {}
            (c, true) => parts[last].extend(['\\', c]),
            (c, false) => parts[last].push(c),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts
}

/// `\1` as `${1}`, and a dollar sign as itself.
fn replacement_form(replacement: &str) -> String {
    let mut out = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}
