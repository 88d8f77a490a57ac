//! What two servers may do differently by their nature is made equal here, and nothing else.
//!
//! | Rule | Reason |
//! |---|---|
//! | The network `127.x.y.` becomes `10.0.0.` | each server has a place of its own |
//! | A branch that no end has made becomes `z9hG4bK#N` and its suffix `.digits`; N counts the different ones of a scenario | it is random; that two are equal or not, and the suffix, stay visible |
//! | A tag that no end has made becomes `#N` likewise | it is random |
//! | `Server` is taken out of answers | it names the program |
//! | The port 5060 of a sent-by, and of a `Record-Route`, is left out | it is what no port means; Kamailio leaves it out |
//! | The parameters of each `Via` are sorted | their order means nothing (RFC 3261 7.3.1) |
//! | Neighbours stand in the order `Record-Route`, `Via`, `Max-Forwards` | nor does that of lines with different names |
//! | The `Max-Forwards` of a CANCEL, and of the ACK of a proxy, is left out | it counts hops from the proxy on: 70 by RFC 3261 8.1.1.6; Kamailio copies that of the INVITE |
//! | The same bytes again at the same end are left out, or counted where a scenario asks for it | a timer repeats them, and how often depends on the machine |
//! | Messages are in order for each end, not between two ends | two sockets are read by two threads |
//! | At SIPp the messages of an end are sorted by `CSeq` and kind | it sends on without waiting, and Kamailio's workers overtake each other |
//!
//! Everything else is compared as it is: start lines, the order, the names and the values of all other
//! header lines, and bodies.

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
        arranged(&text)
    }
}

/// The order of lines that proxies add.
const PATH: [&str; 3] = ["Record-Route:", "Via:", "Max-Forwards:"];

/// Header lines, in a form that does not depend on what means nothing.
fn arranged(message: &str) -> String {
    let is_answer = message.starts_with("SIP/2.0 ");
    let (head, body) = message.split_once("\n\n").unwrap_or((message, ""));
    let vias = head.lines().filter(|line| line.starts_with("Via:")).count();
    let is_hop_by_hop = head.starts_with("CANCEL ") || (head.starts_with("ACK ") && vias == 1);
    let lines = head.lines().filter(|line| {
        let is_name = is_answer && line.starts_with("Server:");
        let is_count = is_hop_by_hop && line.starts_with("Max-Forwards:");
        !is_name && !is_count
    });
    let mut lines: Vec<String> = lines.map(arranged_line).collect();
    let place = |line: &String| PATH.iter().position(|name| line.starts_with(name));
    let are_path = |one: &String, other: &String| place(one).is_some() && place(other).is_some();
    for neighbours in lines.chunk_by_mut(are_path) {
        neighbours.sort_by_key(place);
    }
    format!("{}\n\n{body}", lines.join("\n"))
}

/// A line without the default port; the parameters of a Via in order.
fn arranged_line(line: &str) -> String {
    let Some((name, value)) = line.split_once(": ") else {
        return line.to_owned();
    };
    match name {
        "Record-Route" => line.replace(":5060;", ";").replace(":5060>", ">"),
        "Via" => {
            let values = value.split(", ").map(|value| {
                let mut parts: Vec<&str> = value.split(';').collect();
                parts[1..].sort_unstable();
                let sent_by = parts[0].strip_suffix(":5060").unwrap_or(parts[0]);
                [&[sent_by], &parts[1..]].concat().join(";")
            });
            format!("Via: {}", values.collect::<Vec<_>>().join(", "))
        }
        _ => line.to_owned(),
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
        Via: SIP/2.0/UDP 127.8.9.1:5060;branch=z9hG4bKab.cd.0\r\nRecord-Route: <sip:127.8.9.1:5060;lr>\r\n\
        Via: SIP/2.0/UDP 127.8.9.1;rport=5060;branch=z9hG4bKab.cd.1, SIP/2.0/UDP 127.8.9.2;branch=z9hG4bK-end-1\r\n\
        From: <sip:a@b>;tag=end-caller\r\nTo: <sip:b@127.8.9.1:5060>;tag=97e1-f\r\n\
        Record-Route: <sip:far>\r\nServer: kamailio (5.6.3)\r\n\r\nServer: body";
    assert_eq!(
        normaliser.apply(message),
        "SIP/2.0 200 OK\nRecord-Route: <sip:10.0.0.1;lr>\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK#1.0\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK#1.1;rport=5060, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK-end-1\n\
        From: <sip:a@b>;tag=end-caller\nTo: <sip:b@10.0.0.1:5060>;tag=#1\n\
        Record-Route: <sip:far>\n\nServer: body"
    );
    let cancel = "CANCEL sip:x SIP/2.0\nMax-Forwards: 70\nVia: x\n\n";
    assert_eq!(normaliser.apply(cancel), "CANCEL sip:x SIP/2.0\nVia: x\n\n");
    let request =
        "BYE sip:x SIP/2.0\nMax-Forwards: 9\nVia: x;branch=z9hG4bKother\nServer: kept\n\n";
    let normal = "BYE sip:x SIP/2.0\nVia: x;branch=z9hG4bK#2\nMax-Forwards: 9\nServer: kept\n\n";
    assert_eq!(normaliser.apply(request), normal);
}
