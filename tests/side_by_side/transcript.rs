//! What the ends of one scenario received, and how two of these differ.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::ends::Received;
use crate::normal::Normaliser;
use crate::place::CALLER;

/// All that was received in one scenario, end by end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Its name.
    pub scenario: String,
    /// For each end its messages, normalised.
    ends: BTreeMap<String, Vec<String>>,
    /// What a scenario waited for in vain.
    missed: Option<String>,
}

/// What is counted of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Repeats are left out.
    Ignored,
    /// Repeats at the caller are counted: no timer of the proxy makes them.
    OfTheCaller,
}

impl Transcript {
    /// Normalises what was received, which is of one scenario.
    pub fn new(
        scenario: &str,
        repeats: Repeats,
        received: &[Received],
        missed: Option<String>,
        prefix: &str,
    ) -> Self {
        let mut normaliser = Normaliser::new(prefix);
        let mut sorted: Vec<&Received> = received.iter().collect();
        // Numbers of branches and tags go by this order, which is the same for each server.
        sorted.sort_by_key(|one| one.host);
        let mut ends = BTreeMap::<String, Vec<String>>::new();
        for one in sorted {
            let mut text = normaliser.apply(&one.text);
            if repeats == Repeats::OfTheCaller && one.host == CALLER && one.repeats > 0 {
                text.insert_str(0, &format!("({} times) ", one.repeats + 1));
            }
            ends.entry(name(one.host)).or_default().push(text);
        }
        Self {
            scenario: scenario.to_owned(),
            ends,
            missed,
        }
    }

    /// One line a message: the end and the start line.
    pub fn flow(&self) -> Vec<String> {
        let ends = self.ends.iter();
        let all = ends.flat_map(|(end, messages)| {
            messages.iter().map(move |message| {
                format!("{end}: {}", message.lines().next().unwrap_or_default())
            })
        });
        all.chain(self.missed.clone()).collect()
    }

    /// Whether something did not come.
    pub fn is_cut_short(&self) -> bool {
        self.missed.is_some()
    }

    /// The messages of one end.
    pub fn messages(&self, end: &str) -> &[String] {
        self.ends.get(end).map_or(&[], Vec::as_slice)
    }

    /// Everything as lines.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (end, messages) in &self.ends {
            for (number, message) in messages.iter().enumerate() {
                lines.push(format!("=== {end}, message {}", number + 1));
                lines.extend(message.lines().map(|line| format!("    {line}")));
            }
        }
        lines.extend(self.missed.clone());
        lines
    }
}

fn name(host: u8) -> String {
    match host {
        CALLER => "caller".to_owned(),
        host => format!("gateway {host}"),
    }
}

/// How one scenario differs between two servers.
pub struct Difference {
    /// The scenario.
    pub scenario: String,
    diff: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--- scenario `{}`\n{}", self.scenario, self.diff)
    }
}

/// What is different between two servers that played the same scenarios; none if they are the same.
pub fn differences(left: &[Transcript], right: &[Transcript]) -> Vec<Difference> {
    assert_eq!(left.len(), right.len(), "the same scenarios");
    let pairs = left.iter().zip(right).filter(|(left, right)| left != right);
    pairs
        .map(|(left, right)| Difference {
            scenario: left.scenario.clone(),
            diff: diff(&left.lines(), &right.lines()),
        })
        .collect()
}

/// A line diff by the longest common sequence. Of messages that are the same only the start line is
/// shown.
fn diff(left: &[String], right: &[String]) -> String {
    let mut longest = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            longest[i][j] = if a == b {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            lines.push((' ', &left[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(('-', &left[i]));
            i += 1;
        } else {
            lines.push(('+', &right[j]));
            j += 1;
        }
    }
    shortened(&lines)
}

fn shortened(lines: &[(char, &String)]) -> String {
    let mut text = String::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let end = rest[1..]
            .iter()
            .position(|(_, line)| line.starts_with("==="));
        let (message, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        let is_same = message.iter().all(|(sign, _)| *sign == ' ');
        let shown = if is_same {
            &message[..message.len().min(2)]
        } else {
            message
        };
        for (sign, line) in shown {
            // Writing to a string cannot fail.
            writeln!(text, "{sign} {line}").ok();
        }
        rest = after;
    }
    text
}

#[test]
fn a_diff_shows_whole_messages_that_differ_and_start_lines_of_others() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let left = lines("=== caller, message 1\nINVITE\nVia\nTo\n=== caller, message 2\nBYE\nVia\nTo");
    let right =
        lines("=== caller, message 1\nINVITE\nVia\nTo\n=== caller, message 2\nBYE\nVia\nCc\nTo");
    assert_eq!(
        diff(&left, &right),
        "  === caller, message 1\n  INVITE\n  === caller, message 2\n  BYE\n  Via\n+ Cc\n  To\n"
    );
}
