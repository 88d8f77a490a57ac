//! What Kamailio answered, kept in the repository.
//!
//! A line is a record, its fields are separated by tabs, bytes are escaped: `list` begins a scenario
//! (`use_default`, user only, the list), then come the steps with Kamailio's outcome as last field.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::OPTIONS;
use crate::generate::{Generator, seed};
use crate::kamailio::{self, Kamailio};
use crate::scenario::{self, Options, Scenario, Step, unescape};

fn file() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "oracle", "golden.txt"]
        .iter()
        .collect()
}

#[test]
fn what_kamailio_once_answered_is_still_answered() {
    let text = std::fs::read_to_string(file()).expect("golden.txt is in the repository");
    let mut scenarios: Vec<(Scenario, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<String> = line.split('\t').map(unescape_text).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        if let ["list", use_default, user_only, list] = fields[..] {
            let options = Options {
                use_default: use_default == "1",
                user_only: user_only == "1",
            };
            let (list, steps) = (list.to_owned(), Vec::new());
            scenarios.push((
                Scenario {
                    options,
                    list,
                    steps,
                },
                Vec::new(),
            ));
            continue;
        }
        let (scenario, outcomes) = scenarios.last_mut().expect("a list comes first");
        let (step, outcome) = read(line, &fields);
        scenario.steps.push(step);
        outcomes.push(outcome);
    }
    let steps: usize = scenarios
        .iter()
        .map(|(scenario, _)| scenario.steps.len())
        .sum();
    assert!(steps > 500, "the golden steps were read");
    for (scenario, theirs) in scenarios {
        let differences = scenario::differences(&scenario.steps, &scenario.run(), &theirs);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

fn unescape_text(field: &str) -> String {
    String::from_utf8_lossy(&unescape(field.as_bytes())).into_owned()
}

fn read(line: &str, fields: &[&str]) -> (Step, String) {
    let number = |field: &str| field.parse().expect("a number");
    match *fields {
        ["select", set, algorithm, limit, _, outcome] => {
            let escaped = line.split('\t').nth(4).expect("it has six fields");
            let message = unescape(escaped.as_bytes());
            let (algorithm, limit) = (number(algorithm) as u32, number(limit) as u32);
            let set = number(set);
            (
                Step::Select {
                    set,
                    algorithm,
                    limit,
                    message,
                },
                outcome.to_owned(),
            )
        }
        ["call", set, call_id, with_failover, outcome] => {
            let (set, call_id) = (number(set), call_id.to_owned());
            let with_failover = with_failover == "1";
            (
                Step::Call {
                    set,
                    call_id,
                    with_failover,
                },
                outcome.to_owned(),
            )
        }
        ["hangup", call_id, outcome] => (
            Step::HangUp {
                call_id: call_id.to_owned(),
            },
            outcome.to_owned(),
        ),
        ["state", set, state, target, outcome] => {
            let (set, state, target) = (number(set), state.to_owned(), target.to_owned());
            (Step::State { set, state, target }, outcome.to_owned())
        }
        _ => panic!("not a golden line: {line}"),
    }
}

fn write(step: &Step, outcome: &str, text: &mut String) {
    match step {
        Step::Select {
            set,
            algorithm,
            limit,
            message,
        } => {
            let message = message.escape_ascii();
            writeln!(
                text,
                "select\t{set}\t{algorithm}\t{limit}\t{message}\t{outcome}"
            )
        }
        Step::Call {
            set,
            call_id,
            with_failover,
        } => {
            let with_failover = u32::from(*with_failover);
            writeln!(text, "call\t{set}\t{call_id}\t{with_failover}\t{outcome}")
        }
        Step::HangUp { call_id } => writeln!(text, "hangup\t{call_id}\t{outcome}"),
        Step::State { set, state, target } => {
            writeln!(text, "state\t{set}\t{state}\t{target}\t{outcome}")
        }
    }
    .expect("in memory");
}

/// Asks Kamailio anew; only if the environment says so.
#[test]
fn golden_answers_are_written_when_wished() {
    if std::env::var_os("SIPSHARD_ORACLE_WRITE").is_none() || !kamailio::is_installed() {
        return;
    }
    let mut text = "# Kamailio 5.6.3's answers; see golden.rs\n".to_owned();
    for (number, options) in OPTIONS.into_iter().enumerate() {
        let mut generator = Generator::new(seed() ^ 0x60 ^ number as u64);
        let list = generator.list(5);
        let mut steps = Vec::new();
        for message in generator.messages(40) {
            let algorithm = generator.pick(&[0, 1, 2, 3, 4, 5, 7, 8]);
            for algorithm in [1, 3, algorithm] {
                steps.push(generator.select(&list, algorithm, &message));
            }
            if generator.one_in(4) {
                steps.push(generator.state(&list));
            }
        }
        if !options.use_default {
            steps.extend((0..60).map(|_| generator.call(&list)));
        }
        let outcomes = Kamailio::start(options, &list).run(&steps);
        let (default, user) = (u32::from(options.use_default), u32::from(options.user_only));
        let list = list.as_bytes().escape_ascii();
        writeln!(text, "list\t{default}\t{user}\t{list}").expect("in memory");
        for (step, outcome) in steps.iter().zip(outcomes) {
            write(step, &outcome, &mut text);
        }
    }
    std::fs::write(file(), text).expect("written");
}
