//! What both are asked, and sipshard's answers.

use std::collections::BTreeMap;

use sipshard::dispatch::{
    BuildOptions, Destination, Flags, Keys, Reservation, SelectOptions, Set, Sets, list, select,
};
use sipshard::sip::{HeaderIndex, scan};

use crate::wire::insert_after_first_line;

/// The outcome when there is no destination.
pub const NONE: &str = "-";

/// Parameters that hold for a whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub use_default: bool,
    pub user_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Where does this message go?
    Select {
        set: i32,
        algorithm: u32,
        limit: u32,
        message: Vec<u8>,
    },
    /// A call by algorithm 10; with failover it ends up on the last one tried.
    Call {
        set: i32,
        call_id: String,
        with_failover: bool,
    },
    /// Its end.
    HangUp { call_id: String },
    /// An operator's command; the outcome is the state of the whole set.
    State {
        set: i32,
        state: String,
        target: String,
    },
}

pub struct Scenario {
    pub options: Options,
    pub list: String,
    pub steps: Vec<Step>,
}

pub fn load(list: &str) -> Sets {
    let list = list::parse(list.as_bytes()).expect("a list that loads");
    let options = BuildOptions {
        version: 1,
        compat: true,
        ..BuildOptions::default()
    };
    Sets::build_with(list.into_entries(), None, &options)
}

impl Scenario {
    /// The outcome of each step.
    pub fn run(&self) -> Vec<String> {
        let sets = load(&self.list);
        let mut calls = BTreeMap::new();
        self.steps
            .iter()
            .map(|step| self.step(step, &sets, &mut calls))
            .collect()
    }

    fn step(
        &self,
        step: &Step,
        sets: &Sets,
        calls: &mut BTreeMap<String, Option<Reservation>>,
    ) -> String {
        match step {
            Step::Select {
                set,
                algorithm,
                limit,
                message,
            } => self.select(sets.get(*set), *algorithm, *limit, message),
            Step::Call {
                set,
                call_id,
                with_failover,
            } => {
                let keys = Keys {
                    call_id: Some(call_id.as_bytes()),
                    invite: true,
                    ..Keys::default()
                };
                let Some((set, Ok(mut selection))) = sets
                    .get(*set)
                    .map(|set| (set, select(set, 10, &keys, self.select_options(0))))
                else {
                    return NONE.to_owned();
                };
                let mut tried = vec![selection.destination.uri.to_string()];
                let mut held = selection.reservation.take();
                while *with_failover
                    && let Some((next, reservation)) = selection.candidates.next(set)
                {
                    tried.push(next.uri.to_string());
                    held = reservation;
                }
                calls.insert(call_id.clone(), held);
                tried.join(",")
            }
            Step::HangUp { call_id } => {
                calls.remove(call_id);
                String::new()
            }
            Step::State { set, state, target } => {
                let flags = Flags::parse_rpc(state).expect("a state");
                sets.set_state(*set, target, flags);
                sets.get(*set).map_or_else(String::new, states)
            }
        }
    }

    fn select_options(&self, limit: u32) -> SelectOptions {
        let Options {
            use_default,
            user_only,
        } = self.options;
        SelectOptions {
            use_default,
            limit,
            user_only,
            compat: true,
        }
    }

    fn select(&self, set: Option<&Set>, algorithm: u32, limit: u32, bytes: &[u8]) -> String {
        let mut index = HeaderIndex::new();
        let Some(set) = set else {
            return NONE.to_owned();
        };
        let Ok(message) = scan(bytes, &mut index) else {
            return NONE.to_owned();
        };
        let variable = raw_header(bytes, b"X-Var").unwrap_or(b"<null>");
        let keys = Keys {
            message: Some(message),
            variable: Some(variable),
            invite: true,
            ..Keys::default()
        };
        // An algorithm that is not known is the first destination's, to Kamailio.
        let known = sipshard::dispatch::select::algorithm(algorithm);
        let number = known.map_or(8, |algorithm| algorithm.number);
        let Ok(mut selection) = select(set, number, &keys, self.select_options(limit)) else {
            return NONE.to_owned();
        };
        let uri = |destination: &Destination| destination.uri.to_string();
        let mut tried = vec![uri(&selection.destination)];
        while let Some((next, _)) = selection.candidates.next(set) {
            tried.push(uri(&next));
        }
        tried.join(",")
    }
}

/// The letters of each destination of a set, and its calls.
pub fn states(set: &Set) -> String {
    let one = |one: &std::sync::Arc<Destination>| {
        format!("{}{}", one.health().flags.letters(), one.active_calls())
    };
    set.destinations
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where two runs differ, in words.
pub fn differences(steps: &[Step], ours: &[String], theirs: &[String]) -> Vec<String> {
    let pairs = steps.iter().zip(ours.iter().zip(theirs));
    pairs
        .enumerate()
        .filter(|(_, (_, (ours, theirs)))| ours != theirs)
        .map(|(number, (step, (ours, theirs)))| {
            let step = match step {
                Step::Select {
                    set,
                    algorithm,
                    limit,
                    message,
                } => format!(
                    "set {set}, algorithm {algorithm}, limit {limit}: {}",
                    message.escape_ascii()
                ),
                other => format!("{other:?}"),
            };
            format!("step {number}: {step}\n  sipshard: {ours}\n  kamailio: {theirs}")
        })
        .collect()
}

/// The bytes of a header that is written `Name: value`, if there is one.
fn raw_header<'a>(message: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let lines = message.split(|byte| *byte == b'\n');
    let mut values = lines.map(<[u8]>::trim_ascii_end);
    values.find_map(|line| line.strip_prefix(name)?.strip_prefix(b": "))
}

/// The value of a header, if there is one.
pub fn header(message: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let mut lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    Some(value.trim().to_owned())
}

/// Whether sipshard answers 400 to it before any routing.
pub fn unreadable(message: &[u8]) -> bool {
    scan(message, &mut HeaderIndex::new()).is_err()
}

/// Whether sipshard the proxy refuses it before any routing (RFC 3261 16.3).
pub fn refused(message: &[u8]) -> bool {
    let message = insert_after_first_line(message, "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n");
    let mut index = HeaderIndex::new();
    scan(&message, &mut index).map_or(true, |message| message.fault().is_some())
}

/// The numbers of the sets of a list.
pub fn sets_of(list: &str) -> Vec<i32> {
    load(list).iter().map(|set| set.id).collect()
}

/// Lines in which `\r\n`, `\\` and `\xNN` stand for bytes.
pub fn unescape_lines(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(unescape)
}

/// The bytes that an escaped text stands for.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'r') => bytes.push(b'\r'),
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'x') => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8(digits).expect("hexadecimal digits");
                bytes.push(u8::from_str_radix(&digits, 16).expect("hexadecimal digits"));
            }
            other => bytes.extend(other),
        }
    }
    bytes
}
