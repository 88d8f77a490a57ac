//! The actions of a step.

use roxmltree::Node;

use super::Compiler;
use crate::script::program::{Action, Comparison, Operand, SearchIn, Sum};
use crate::script::source::Fault;

/// What `<exec>` does in SIPp with media.
const MEDIA: &[&str] = &[
    "play_dtmf",
    "play_pcap_audio",
    "play_pcap_image",
    "play_pcap_video",
    "rtp_echo",
    "rtp_stream",
];

impl Compiler<'_> {
    /// All actions of a step, in their order.
    pub(super) fn actions(&mut self, node: Node<'_, '_>) -> Result<Vec<Action>, Fault> {
        let mut actions = Vec::new();
        for child in node.children().filter(Node::is_element) {
            if child.tag_name().name() != "action" {
                let name = child.tag_name().name();
                return Err(self
                    .source
                    .fault(child, format!("<{name}> is not known here")));
            }
            for action in child.children().filter(Node::is_element) {
                actions.push(self.action(action)?);
            }
        }
        Ok(actions)
    }

    fn action(&mut self, node: Node<'_, '_>) -> Result<Action, Fault> {
        let name = node.tag_name().name();
        let Some(own) = attributes_of(name) else {
            let message = format!("the action <{name}> is not supported");
            return Err(self.source.fault(node, message));
        };
        let media = node.attributes().find(|one| MEDIA.contains(&one.name()));
        if let Some(media) = media.filter(|_| name == "exec") {
            let message = format!("{}: media is not supported", media.name());
            return Err(self.source.attribute_fault(node, media.name(), message));
        }
        if name == "exec" && node.has_attribute("command") {
            let message = "commands of the system are not supported";
            return Err(self.source.attribute_fault(node, "command", message));
        }
        self.check_attributes(node, &[own])?;
        Ok(match name {
            "ereg" => self.search(node)?,
            "log" | "warning" => self.line(node, name == "warning")?,
            "assignstr" => {
                let value = self.needed(node, "value")?;
                Action::Assign(self.assigned(node)?, self.text(node, &value, false)?)
            }
            "todouble" => Action::ToNumber(self.assigned(node)?, self.named(node, "variable")?),
            "test" => {
                let compare = self.comparison(node)?;
                let left = Operand::Variable(self.named(node, "variable")?);
                let right = self.operand(node, "variable2")?;
                let to = match node.attribute("assign_to") {
                    Some(name) => self.variable(name),
                    None => self.variable("(test)"),
                };
                Action::Test(to, left, compare, right, self.check(node)?)
            }
            "strcmp" => {
                let other = match node.attribute("variable2") {
                    Some(name) => format!("[${name}]"),
                    None => self.needed(node, "value")?,
                };
                let other = self.text(node, &other, false)?;
                Action::CompareText(self.assigned(node)?, self.named(node, "variable")?, other)
            }
            "verifyauth" => self.verification(node)?,
            "trim" => Action::Trim(self.assigned(node)?),
            "gettimeofday" => {
                let names = self.needed(node, "assign_to")?;
                let Some((seconds, micros)) = names.split_once(',') else {
                    let message = "two variables are wanted: seconds,microseconds";
                    return Err(self.source.attribute_fault(node, "assign_to", message));
                };
                Action::Time(self.variable(seconds.trim()), self.variable(micros.trim()))
            }
            "exec" => match node.attribute("int_cmd") {
                Some("stop_call") => Action::StopCall,
                Some("stop_gracefully" | "stop_now") => Action::StopAll,
                _ => {
                    let message = "<exec> can do int_cmd stop_call, stop_gracefully and stop_now";
                    return Err(self.source.fault(node, message));
                }
            },
            _ => {
                let sum = match name {
                    "add" => Sum::Add,
                    "subtract" => Sum::Subtract,
                    "multiply" => Sum::Multiply,
                    "divide" => Sum::Divide,
                    _ => Sum::Set,
                };
                Action::Calculate(self.assigned(node)?, sum, self.operand(node, "variable")?)
            }
        })
    }

    fn line(&mut self, node: Node<'_, '_>, warns: bool) -> Result<Action, Fault> {
        let message = self.needed(node, "message")?;
        let text = self.text(node, &message, false)?;
        Ok(Action::Log { text, warns })
    }

    fn verification(&mut self, node: Node<'_, '_>) -> Result<Action, Fault> {
        let username = self.needed(node, "username")?;
        let password = self.needed(node, "password")?;
        Ok(Action::Verify(
            self.assigned(node)?,
            self.text(node, &username, false)?,
            self.text(node, &password, false)?,
        ))
    }

    fn needed(&self, node: Node<'_, '_>, name: &str) -> Result<String, Fault> {
        let missing = || {
            let message = format!("<{}> needs {name}", node.tag_name().name());
            self.source.fault(node, message)
        };
        node.attribute(name).map(str::to_owned).ok_or_else(missing)
    }

    fn named(&mut self, node: Node<'_, '_>, name: &str) -> Result<usize, Fault> {
        let name = self.needed(node, name)?;
        Ok(self.variable(&name))
    }

    fn assigned(&mut self, node: Node<'_, '_>) -> Result<usize, Fault> {
        self.named(node, "assign_to")
    }

    /// A value, or the variable that an attribute names.
    fn operand(&mut self, node: Node<'_, '_>, variable: &str) -> Result<Operand, Fault> {
        if node.has_attribute(variable) {
            return Ok(Operand::Variable(self.named(node, variable)?));
        }
        let value = self.parsed::<f64>(node, "value", "a number")?;
        let missing = || {
            self.source
                .fault(node, format!("value or {variable} is missing"))
        };
        value.map(Operand::Number).ok_or_else(missing)
    }

    fn check(&self, node: Node<'_, '_>) -> Result<Option<bool>, Fault> {
        let (check, inverse) = (
            self.flag(node, "check_it")?,
            self.flag(node, "check_it_inverse")?,
        );
        if check && inverse {
            let message = "check_it and check_it_inverse exclude each other";
            return Err(self.source.attribute_fault(node, "check_it", message));
        }
        Ok((check || inverse).then_some(check))
    }

    fn comparison(&self, node: Node<'_, '_>) -> Result<Comparison, Fault> {
        Ok(match node.attribute("compare") {
            Some("equal") => Comparison::Equal,
            Some("not_equal") => Comparison::NotEqual,
            Some("greater_than") => Comparison::Greater,
            Some("less_than") => Comparison::Less,
            Some("greater_than_equal") => Comparison::GreaterEqual,
            Some("less_than_equal") => Comparison::LessEqual,
            _ => {
                let message = "compare is equal, not_equal, greater_than, less_than, greater_than_equal or \
                    less_than_equal";
                return Err(self.source.fault(node, message));
            }
        })
    }

    fn search(&mut self, node: Node<'_, '_>) -> Result<Action, Fault> {
        let within = match node.attribute("search_in") {
            None | Some("msg") => SearchIn::Message,
            Some("body") => SearchIn::Body,
            Some("var") => SearchIn::Variable(self.named(node, "variable")?),
            Some("hdr") => {
                let header = self.needed(node, "header")?;
                let name = header.trim().trim_end_matches(':').as_bytes().to_vec();
                let number = self
                    .parsed::<usize>(node, "occurrence", "a number")?
                    .unwrap_or(1);
                SearchIn::Header(name, number.max(1))
            }
            Some(_) => {
                let message = "search_in is msg, hdr, body or var";
                return Err(self.source.attribute_fault(node, "search_in", message));
            }
        };
        let ignore_case = self.flag(node, "case_indep")?;
        let regex = self.regex(node, "regexp", ignore_case)?;
        let names = node.attribute("assign_to").unwrap_or_default().to_owned();
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(Action::Search {
            regex,
            within,
            check: self.check(node)?,
            assign: names.map(|name| self.variable(name)).collect(),
        })
    }
}

/// The attributes that an action may have; `None`: there is no such action here.
fn attributes_of(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "ereg" => &[
            "assign_to",
            "case_indep",
            "check_it",
            "check_it_inverse",
            "header",
            "occurrence",
            "regexp",
            "search_in",
            "variable",
        ],
        "log" | "warning" => &["message"],
        "assignstr" => &["assign_to", "value"],
        "assign" | "add" | "subtract" | "multiply" | "divide" => {
            &["assign_to", "value", "variable"]
        }
        "todouble" => &["assign_to", "variable"],
        "test" => &[
            "assign_to",
            "check_it",
            "check_it_inverse",
            "compare",
            "value",
            "variable",
            "variable2",
        ],
        "strcmp" => &["assign_to", "value", "variable", "variable2"],
        "trim" | "gettimeofday" => &["assign_to"],
        "verifyauth" => &["assign_to", "username", "password"],
        "exec" => &["int_cmd"],
        _ => return None,
    })
}
