//! From the XML tree to steps. Whatever is not known, or not supported, is an error at its place.

mod actions;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use roxmltree::Node;
use sipshard::agent::Delay;

use super::program::{
    Act, Next, Optional, Program, Receive, Repartition, Send, Step, Wait, Wanted,
};
use super::source::{Fault, Source};
use super::text::{Names, Text};

/// What a scenario may use that does not stand in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The files of fields and how many fields each has.
    pub files: &'a [(String, usize)],
    /// The user's own words.
    pub keys: &'a [(String, String)],
    /// User and password for `[authentication]` that names none (`-au`, `-ap`).
    pub credentials: (&'a str, &'a str),
    /// How long a `<recv>` waits that does not say it (`-recv_timeout`).
    pub receive_timeout: Option<Duration>,
}

/// Attributes that every step may have.
const COMMON: &[&str] = &[
    "chance",
    "condexec",
    "condexec_inverse",
    "crlf",
    "display",
    "hide",
    "next",
    "repeat_rtd",
    "rtd",
    "start_rtd",
    "test",
];
const SEND: &[&str] = &["ack_txn", "lost", "retrans", "start_txn"];
const RECEIVE: &[&str] = &[
    "auth",
    "lost",
    "ontimeout",
    "optional",
    "regexp_match",
    "request",
    "response",
    "response_txn",
    "rrs",
    "timeout",
];
const PAUSE: &[&str] = &[
    "distribution",
    "max",
    "mean",
    "milliseconds",
    "min",
    "sanity_check",
    "value",
    "variable",
];
const TIMEWAIT: &[&str] = &["milliseconds"];

/// Compiles a scenario.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn compile(source: &Source, surroundings: Surroundings<'_>) -> Result<Program, Fault> {
    let tree = source.tree()?;
    let root = tree.root_element();
    if root.tag_name().name() != "scenario" {
        return Err(source.fault(root, "the first element must be <scenario>"));
    }
    let mut compiler = Compiler {
        source,
        surroundings,
        variables: Vec::new(),
        timers: Vec::new(),
        repartition: Repartition::default(),
        transactions: Vec::new(),
        labels: labels(source, root)?,
        is_challenged: root
            .children()
            .any(|node| node.has_tag_name("recv") && node.attribute("auth") == Some("true")),
        sent: Vec::new(),
        steps: Vec::new(),
    };
    for node in root.children().filter(Node::is_element) {
        compiler.element(node)?;
    }
    let messages = compiler.steps.iter().map(|step| &step.act);
    let first = messages
        .filter(|act| matches!(act, Act::Send(_) | Act::Receive(_)))
        .map(|act| matches!(act, Act::Send(_)))
        .next();
    let Some(calls) = first else {
        return Err(source.fault(root, "a scenario needs a <send> or a <recv>"));
    };
    Ok(Program {
        name: root.attribute("name").unwrap_or("scenario").to_owned(),
        steps: compiler.steps,
        calls,
        variables: compiler.variables,
        timers: compiler.timers,
        repartition: compiler.repartition,
        transactions: compiler.transactions.len(),
    })
}

/// Whether an element is a step.
fn is_step(node: Node<'_, '_>) -> bool {
    let name = node.tag_name().name();
    matches!(name, "send" | "recv" | "pause" | "nop" | "timewait")
}

/// Each label and the step that follows it.
fn labels(source: &Source, root: Node<'_, '_>) -> Result<BTreeMap<String, usize>, Fault> {
    let mut labels = BTreeMap::new();
    let mut steps = 0;
    for node in root.children().filter(Node::is_element) {
        if node.tag_name().name() == "label" {
            let id = node.attribute("id");
            let id = id.ok_or_else(|| source.fault(node, "<label> needs an id"))?;
            if labels.insert(id.to_owned(), steps).is_some() {
                return Err(source.attribute_fault(node, "id", format!("label {id} stands twice")));
            }
        }
        steps += usize::from(is_step(node));
    }
    Ok(labels)
}

struct Compiler<'a> {
    source: &'a Source,
    surroundings: Surroundings<'a>,
    variables: Vec<String>,
    timers: Vec<String>,
    repartition: Repartition,
    transactions: Vec<String>,
    labels: BTreeMap<String, usize>,
    /// Whether some step takes a challenge.
    is_challenged: bool,
    /// Methods of the requests so far.
    sent: Vec<Vec<u8>>,
    steps: Vec<Step>,
}

/// The number of a name; a new one if it has none.
fn number_of(names: &mut Vec<String>, name: &str) -> usize {
    names
        .iter()
        .position(|known| known == name)
        .unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
}

impl Compiler<'_> {
    fn element(&mut self, node: Node<'_, '_>) -> Result<(), Fault> {
        let name = node.tag_name().name();
        let own = match name {
            "send" => SEND,
            "recv" => RECEIVE,
            "pause" => PAUSE,
            "timewait" => TIMEWAIT,
            "nop" => &[],
            "label" => return Ok(()),
            "ResponseTimeRepartition" => {
                self.repartition.response = self.bounds(node)?;
                return Ok(());
            }
            "CallLengthRepartition" => {
                self.repartition.length = self.bounds(node)?;
                return Ok(());
            }
            "Reference" => {
                for variable in node.attribute("variables").unwrap_or_default().split(',') {
                    self.variable(variable.trim());
                }
                return Ok(());
            }
            "Global" | "User" => {
                let why = "variables that calls share are not supported: each call has its own";
                return Err(self.source.fault(node, why));
            }
            "sendCmd" | "recvCmd" => {
                let why = "third-party call control is not supported";
                return Err(self.source.fault(node, format!("<{name}>: {why}")));
            }
            _ => {
                return Err(self
                    .source
                    .fault(node, format!("<{name}> is not known here")));
            }
        };
        self.check_attributes(node, &[own, COMMON])?;
        let act = match name {
            "send" => Act::Send(Box::new(self.send(node)?)),
            "recv" => Act::Receive(Box::new(self.receive(node)?)),
            "pause" => Act::Pause(self.pause(node)?),
            "timewait" => Act::TimeWait(self.millis(node, "milliseconds")?.unwrap_or_default()),
            _ => Act::Nothing,
        };
        let step = Step {
            label: label_of(&act),
            act,
            next: self.next(node)?,
            only_if: self.only_if(node),
            starts: self.timers_of(node, "start_rtd"),
            stops: self.stops(node)?,
            actions: self.actions(node)?,
        };
        self.steps.push(step);
        Ok(())
    }

    fn check_attributes(&self, node: Node<'_, '_>, known: &[&[&str]]) -> Result<(), Fault> {
        for attribute in node.attributes() {
            let name = attribute.name();
            if !known.iter().any(|names| names.contains(&name)) {
                let message = format!("<{}> has no attribute {name} here", node.tag_name().name());
                return Err(self.source.attribute_fault(node, name, message));
            }
        }
        Ok(())
    }

    /// The bounds of a repartition, in order.
    fn bounds(&self, node: Node<'_, '_>) -> Result<Vec<u64>, Fault> {
        let value = node.attribute("value").unwrap_or_default();
        let bounds: Result<Vec<u64>, _> = value.split(',').map(|one| one.trim().parse()).collect();
        let mut bounds = bounds.map_err(|_| {
            let message = format!("value=\"{value}\" is not a list of milliseconds");
            self.source.attribute_fault(node, "value", message)
        })?;
        bounds.sort_unstable();
        bounds.dedup();
        Ok(bounds)
    }

    fn variable(&mut self, name: &str) -> usize {
        number_of(&mut self.variables, name)
    }

    /// An attribute as a value of some kind.
    fn parsed<T: FromStr>(
        &self,
        node: Node<'_, '_>,
        name: &str,
        kind: &str,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = node.attribute(name) else {
            return Ok(None);
        };
        let wrong = |_| {
            let message = format!("{name}=\"{text}\" is not {kind}");
            self.source.attribute_fault(node, name, message)
        };
        text.trim().parse().map(Some).map_err(wrong)
    }

    fn flag(&self, node: Node<'_, '_>, name: &str) -> Result<bool, Fault> {
        Ok(self.parsed(node, name, "true or false")?.unwrap_or(false))
    }

    fn millis(&self, node: Node<'_, '_>, name: &str) -> Result<Option<Duration>, Fault> {
        let millis = self.parsed::<u64>(node, name, "a number of milliseconds")?;
        Ok(millis.map(Duration::from_millis))
    }

    fn part(&self, node: Node<'_, '_>, name: &str, whole: f64) -> Result<Option<f64>, Fault> {
        let Some(value) = self.parsed::<f64>(node, name, "a number")? else {
            return Ok(None);
        };
        if (0.0..=whole).contains(&value) {
            return Ok(Some(value / whole));
        }
        let message = format!("{name} must lie between 0 and {whole}");
        Err(self.source.attribute_fault(node, name, message))
    }

    fn regex(&self, node: Node<'_, '_>, name: &str, ignore_case: bool) -> Result<Regex, Fault> {
        let text = node.attribute(name);
        let text = text.ok_or_else(|| self.source.fault(node, format!("{name} is missing")))?;
        // As POSIX has it: bytes, and a dot is any of them.
        RegexBuilder::new(text)
            .unicode(false)
            .dot_matches_new_line(true)
            .case_insensitive(ignore_case)
            .build()
            .map_err(|error| {
                // The lines before it draw the expression.
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or_default();
                let cause = cause.trim_start_matches("error: ");
                let message = format!("the expression {text}: {cause}");
                self.source.attribute_fault(node, name, message)
            })
    }

    /// Text with keywords, that stands in `node`.
    fn text(&mut self, node: Node<'_, '_>, text: &str, is_message: bool) -> Result<Text, Fault> {
        let variables = &mut self.variables;
        let mut variable = |name: &str| number_of(variables, name);
        let mut names = Names {
            variable: &mut variable,
            files: self.surroundings.files,
            keys: self.surroundings.keys,
            credentials: self.surroundings.credentials,
        };
        let compiled = if is_message {
            Text::message(text, &mut names)
        } else {
            Text::line(text, &mut names)
        };
        compiled.map_err(|(word, why)| {
            let range = node.range();
            let within = self.source.text.get(range.clone()).unwrap_or_default();
            let at = range.start + within.find(&word).unwrap_or(0);
            self.source.fault_at(at, format!("{word}: {why}"))
        })
    }

    fn target(&self, node: Node<'_, '_>, name: &str) -> Result<Option<usize>, Fault> {
        let Some(label) = node.attribute(name) else {
            return Ok(None);
        };
        let step = self.labels.get(label).copied();
        let missing = || {
            let message = format!("there is no label {label}");
            self.source.attribute_fault(node, name, message)
        };
        step.map(Some).ok_or_else(missing)
    }

    fn next(&mut self, node: Node<'_, '_>) -> Result<Option<Next>, Fault> {
        let to = self.target(node, "next")?;
        let test = node.attribute("test").map(|name| self.variable(name));
        let chance = self.part(node, "chance", 1.0)?.unwrap_or(1.0);
        Ok(to.map(|to| Next { to, test, chance }))
    }

    fn only_if(&mut self, node: Node<'_, '_>) -> Option<(usize, bool)> {
        let variable = self.variable(node.attribute("condexec")?);
        Some((variable, node.attribute("condexec_inverse") == Some("true")))
    }

    /// The timers that an attribute names; `true` is the first one's name.
    fn timers_of(&mut self, node: Node<'_, '_>, name: &str) -> Vec<usize> {
        let names = node.attribute(name).filter(|names| *names != "false");
        let names = names.into_iter().flat_map(|names| names.split(','));
        names
            .map(|name| if name == "true" { "1" } else { name.trim() })
            .map(|name| number_of(&mut self.timers, name))
            .collect()
    }

    fn stops(&mut self, node: Node<'_, '_>) -> Result<Vec<(usize, bool)>, Fault> {
        let again = self.flag(node, "repeat_rtd")?;
        let stops = self.timers_of(node, "rtd");
        Ok(stops.into_iter().map(|timer| (timer, again)).collect())
    }

    fn transaction(&mut self, node: Node<'_, '_>, name: &str) -> Option<usize> {
        let name = node.attribute(name)?;
        Some(number_of(&mut self.transactions, name))
    }

    fn send(&mut self, node: Node<'_, '_>) -> Result<Send, Fault> {
        let text = node
            .children()
            .filter(Node::is_text)
            .filter_map(|text| text.text());
        let text: String = text.collect();
        if text.trim().is_empty() {
            return Err(self.source.fault(node, "<send> has no message"));
        }
        let text = self.text(node, &text, true)?;
        let first = text
            .head()
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default();
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        let method = if first == b"SIP/2.0" {
            None
        } else if !first.is_empty() && first.iter().all(is_token) {
            Some(first.to_vec())
        } else {
            let message = "the message begins with neither a method nor SIP/2.0";
            return Err(self.source.fault(node, message));
        };
        if text.authenticates() && (method.is_none() || !self.is_challenged) {
            let message = if method.is_none() {
                "[authentication]: only requests have credentials"
            } else {
                "[authentication]: no <recv> takes a challenge by auth=\"true\""
            };
            return Err(self.source.fault(node, message));
        }
        if let Some(method) = &method {
            self.sent.push(method.clone());
        }
        Ok(Send {
            retry: self.millis(node, "retrans")?.filter(|time| !time.is_zero()),
            lost: self.part(node, "lost", 100.0)?.unwrap_or(0.0),
            starts: self.transaction(node, "start_txn"),
            acknowledges: self.transaction(node, "ack_txn"),
            text,
            method,
        })
    }

    fn receive(&mut self, node: Node<'_, '_>) -> Result<Receive, Fault> {
        let wanted = match (node.attribute("request"), node.attribute("response")) {
            (Some(_), None) if self.flag(node, "regexp_match")? => {
                Wanted::Requests(self.regex(node, "request", false)?)
            }
            (Some(method), None) => Wanted::Request(method.as_bytes().to_vec()),
            (None, Some(_)) => {
                let code = self.parsed::<u16>(node, "response", "a code from 100 to 699")?;
                let code = code
                    .filter(|code| (100..700).contains(code))
                    .ok_or_else(|| {
                        let message = "a code from 100 to 699 is wanted";
                        self.source.attribute_fault(node, "response", message)
                    })?;
                Wanted::Answer(code, self.sent.clone())
            }
            _ => {
                let message = "<recv> needs either request or response";
                return Err(self.source.fault(node, message));
            }
        };
        let is_challenge = self.flag(node, "auth")?;
        if is_challenge && !matches!(wanted, Wanted::Answer(401 | 407, _)) {
            let message = "only the answers 401 and 407 are challenges";
            return Err(self.source.attribute_fault(node, "auth", message));
        }
        let optional = match node.attribute("optional") {
            None | Some("false") => Optional::No,
            Some("true") => Optional::Here,
            Some("global") => Optional::Always,
            Some(_) => {
                let message = "optional is true, false or global";
                return Err(self.source.attribute_fault(node, "optional", message));
            }
        };
        let on_timeout = self.target(node, "ontimeout")?;
        let timeout = self.millis(node, "timeout")?;
        let timeout = timeout.or(self.surroundings.receive_timeout);
        Ok(Receive {
            wanted,
            answers: self.transaction(node, "response_txn"),
            optional,
            is_challenge,
            learns_routes: self.flag(node, "rrs")?,
            timeout: timeout.map(|time| (time, on_timeout)),
            lost: self.part(node, "lost", 100.0)?.unwrap_or(0.0),
        })
    }

    fn pause(&mut self, node: Node<'_, '_>) -> Result<Wait, Fault> {
        if let Some(variable) = node.attribute("variable") {
            return Ok(Wait::Variable(self.variable(variable)));
        }
        let needed = |name: &str| {
            let time = self.millis(node, name)?;
            time.ok_or_else(|| self.source.fault(node, format!("{name} is missing")))
        };
        match node.attribute("distribution") {
            None => Ok(self
                .millis(node, "milliseconds")?
                .map_or(Wait::Hold, |time| Wait::For(Delay::Fixed(time)))),
            Some("fixed") => Ok(Wait::For(Delay::Fixed(needed("value")?))),
            Some("exponential") => Ok(Wait::For(Delay::Exponential(needed("mean")?))),
            Some("uniform") => {
                let (least, most) = (needed("min")?, needed("max")?);
                if least <= most {
                    return Ok(Wait::Between(least, most));
                }
                Err(self
                    .source
                    .attribute_fault(node, "min", "min lies above max"))
            }
            Some(other) => {
                let message = format!("{other}: there are fixed, uniform and exponential");
                Err(self.source.attribute_fault(node, "distribution", message))
            }
        }
    }
}

/// What the table calls a step.
fn label_of(act: &Act) -> String {
    match act {
        Act::Send(send) => {
            let head = String::from_utf8_lossy(send.text.head());
            let mut words = head.split(' ');
            let which = usize::from(send.method.is_none());
            format!("{} ------->", words.nth(which).unwrap_or("answer"))
        }
        Act::Receive(receive) => match &receive.wanted {
            Wanted::Answer(code, _) => format!("{code} <-------"),
            Wanted::Request(method) => format!("{} <-------", String::from_utf8_lossy(method)),
            Wanted::Requests(regex) => format!("{regex} <-------"),
        },
        Act::Pause(_) => "pause".to_owned(),
        Act::Nothing => "nop".to_owned(),
        Act::TimeWait(_) => "timewait".to_owned(),
    }
}
