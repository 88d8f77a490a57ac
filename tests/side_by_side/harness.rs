//! The test of the tests: two Kamailios with one file are the same, and a changed line is found.

use std::thread;

use crate::compare::{Side, assert_same, transcripts};
use crate::configurations::{Configuration, EQUAL, of_kamailio_3, of_kamailio_4};
use crate::known::NOTHING;
use crate::samples::replace;
use crate::server::{Kind, peers_are_installed};
use crate::stage::Scenario;
use crate::transcript::differences;
use crate::{sipp, stateful, stateless};

fn kamailio(configuration: &str) -> Side<'_> {
    Side {
        kind: Kind::Kamailio,
        configuration,
    }
}

/// A configuration, if there is one and a Kamailio to run it.
fn file(configuration: fn() -> Option<Configuration>) -> Option<Configuration> {
    peers_are_installed().then(configuration).flatten()
}

/// The scenarios with these names.
fn some(all: &'static [Scenario], names: &[&str]) -> Vec<Scenario> {
    names
        .iter()
        .map(|name| *all.iter().find(|one| one.name == *name).expect(name))
        .collect()
}

#[test]
fn kamailio_is_like_itself_without_transactions() {
    if let Some(file) = file(of_kamailio_3) {
        let side = kamailio(&file.theirs);
        assert_same([side, side], NOTHING, |side| {
            transcripts(side, file.set, EQUAL, stateless::ALL)
        });
    }
}

#[test]
fn kamailio_is_like_itself_with_transactions() {
    let names = [
        "plain",
        "behind-nat",
        "call-changes",
        "first-500",
        "all-500",
        "cancelled",
        "repeated",
    ];
    if let Some(file) = file(of_kamailio_4) {
        let (side, scenarios) = (kamailio(&file.theirs), some(stateful::ALL, &names));
        assert_same([side, side], NOTHING, |side| {
            transcripts(side, file.set, EQUAL, &scenarios)
        });
        assert_same([side, side], NOTHING, |side| {
            sipp::calls(side, file.set, EQUAL)
        });
    }
}

/// A line of a configuration, what it becomes, and what must be said of it then.
type Change = (&'static str, &'static str, &'static [&'static str]);

const CHANGES: &[Change] = &[
    // A header line, its value, and the ACK and BYE that do not find their way any more.
    (
        "record_route();\n",
        ";\n",
        &[
            "-     Record-Route: <sip:10.0.0.1;lr=on>",
            "!!! no ACK came to a gateway",
        ],
    ),
    (
        "\"enable_full_lr\", 1",
        "\"enable_full_lr\", 0",
        &["+     Record-Route: <sip:10.0.0.1;lr>"],
    ),
    (
        "\"404\", \"No registrar\"",
        "\"404\", \"No Registrar\"",
        &[
            "--- scenario `register`\n  === caller, message 1\n-     SIP/2.0 404 No registrar\n+     SIP/2.0 404 No Registrar\n",
        ],
    ),
    // The destination, and failover.
    (
        "ds_select_dst(\"1\", \"4\")",
        "ds_select_dst(\"1\", \"8\")",
        &["--- scenario `first-500`"],
    ),
    (
        "t_check_status(\"500\")",
        "t_check_status(\"503\")",
        &["+     SIP/2.0 500 Server Internal Error"],
    ),
    (
        "mf_process_maxfwd_header(\"10\")",
        "mf_process_maxfwd_header(\"11\")",
        &["-     Max-Forwards: 10\n+     Max-Forwards: 11"],
    ),
];

#[test]
fn a_changed_line_is_found_and_shown() {
    let Some(file) = file(of_kamailio_4) else {
        return;
    };
    let names = ["plain", "first-500", "register", "without-max-forwards"];
    let scenarios = some(stateful::ALL, &names);
    let play =
        |configuration: &str| transcripts(kamailio(configuration), file.set, EQUAL, &scenarios);
    let before = play(&file.theirs);
    let found = |from: &str, to: &str| -> Vec<String> {
        let after = play(&replace(&file.theirs, from, to));
        let found = differences(&before, &after);
        found.iter().map(ToString::to_string).collect()
    };
    let found = &found;
    thread::scope(|scope| {
        for (from, to, expected) in CHANGES {
            scope.spawn(move || {
                let found = found(from, to);
                let said = found.join("\n");
                assert!(
                    expected.iter().all(|part| said.contains(part)),
                    "{from}:\n{said}"
                );
                // One reason is one scenario's.
                assert!(!from.contains("registrar") || found.len() == 1, "{said}");
            });
        }
    });
}
