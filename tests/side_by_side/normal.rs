//! What two servers may do differently by their nature is made equal here, and nothing else.
//!
//! | Rule | Reason |
//! |---|---|
//! | The network `127.x.y.` becomes `10.0.0.` | each server has a place of its own |
//! | A branch that no end has made becomes `z9hG4bK#N` and its suffix `.digits`; N counts the different ones of a scenario | it is random; that two are equal or not, and the suffix, stay visible |
//! | A tag that no end has made becomes `#N` likewise | it is random |
//! | The value of `Server` and `User-Agent` in an answer of the proxy becomes `*` | it names the program; that the line is there, and where, stays visible |
//! | The same bytes again at the same end are left out, or counted where a scenario asks for it | a timer repeats them, and how often depends on the machine |
//! | Messages are in order for each end, not between two ends | two sockets are read by two threads |
//! | At SIPp the messages of an end are sorted by `CSeq` and kind | it sends on without waiting, and Kamailio's workers overtake each other |
//!
//! Everything else is compared as it is: start lines, the order, the names and the values of all header
//! lines, and bodies.

use regex::{Captures, Regex};

/// What all branches and tags of the ends begin with.
pub const BRANCH: &str = "z9hG4bK-end-";
/// What all tags of the ends begin with.
pub const TAG: &str = "end-";

/// Writes the messages of one scenario anew. Numbers are given in the order of the calls.
pub struct Normaliser {
    prefix: String,
    branch: Regex,
    tag: Regex,
    suffix: Regex,
    program: Regex,
    branches: Vec<String>,
    tags: Vec<String>,
}

impl Normaliser {
    /// For messages of a place whose addresses begin with this.
    pub fn new(prefix: &str) -> Self {
        let regex = |text: &str| Regex::new(text).expect("a pattern of ours");
        Self {
            prefix: prefix.to_owned(),
            branch: regex(r"branch=([^;,\s]+)"),
            tag: regex(r"(?m)^((?:From|To)\s*:.*;tag=)([^;\s]+)"),
            suffix: regex(r"\.\d+$"),
            program: regex(r"(?m)^(Server|User-Agent):.*$"),
            branches: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// A message by the rules.
    pub fn apply(&mut self, message: &str) -> String {
        let text = message
            .replace("\r\n", "\n")
            .replace(&self.prefix, "10.0.0.");
        let (branches, tags) = (&mut self.branches, &mut self.tags);
        let text = self.branch.replace_all(&text, |found: &Captures<'_>| {
            let branch = &found[1];
            if branch.starts_with(BRANCH) {
                return found[0].to_owned();
            }
            let suffix = self
                .suffix
                .find(branch)
                .map_or("", |suffix| suffix.as_str());
            let stem = branch.strip_suffix(suffix).unwrap_or(branch);
            let cookie = if stem.starts_with("z9hG4bK") {
                "z9hG4bK"
            } else {
                ""
            };
            format!("branch={cookie}#{}{suffix}", number(branches, stem))
        });
        let text = self.tag.replace_all(&text, |found: &Captures<'_>| {
            if found[2].starts_with(TAG) {
                return found[0].to_owned();
            }
            format!("{}#{}", &found[1], number(tags, &found[2]))
        });
        if !text.starts_with("SIP/2.0") {
            return text.into_owned();
        }
        self.program.replace_all(&text, "$1: *").into_owned()
    }
}

/// The number of a text among the different ones so far, from 1 on.
fn number(seen: &mut Vec<String>, text: &str) -> usize {
    let at = seen.iter().position(|one| one == text);
    at.map_or_else(
        || {
            seen.push(text.to_owned());
            seen.len()
        },
        |at| at + 1,
    )
}

#[test]
fn random_parts_become_numbers_and_the_rest_stays() {
    let mut normaliser = Normaliser::new("127.8.9.");
    let message = "SIP/2.0 200 OK\r\n\
        Via: SIP/2.0/UDP 127.8.9.1;branch=z9hG4bKab.cd.0\r\n\
        Via: SIP/2.0/UDP 127.8.9.1;branch=z9hG4bKab.cd.1;rport=5060, SIP/2.0/UDP 127.8.9.2;branch=z9hG4bK-end-1\r\n\
        From: <sip:a@b>;tag=end-caller\r\nTo: <sip:b@127.8.9.1>;tag=97e1-f\r\n\
        Server: kamailio (5.6.3)\r\nUser-Agent: x\r\n\r\n";
    assert_eq!(
        normaliser.apply(message),
        "SIP/2.0 200 OK\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK#1.0\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK#1.1;rport=5060, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK-end-1\n\
        From: <sip:a@b>;tag=end-caller\nTo: <sip:b@10.0.0.1>;tag=#1\n\
        Server: *\nUser-Agent: *\n\n"
    );
    assert_eq!(
        normaliser.apply("Via: x;branch=z9hG4bKother"),
        "Via: x;branch=z9hG4bK#2"
    );
}
