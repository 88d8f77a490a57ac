//! The test of the tests: two Kamailios with one file are the same, and a changed line is found.

use crate::compare::{Side, assert_same, both, transcripts};
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
        "first-silent",
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

/// What is found when one line of a configuration is another.
fn found(file: &Configuration, from: &str, to: &str, scenarios: &[Scenario]) -> String {
    let changed = replace(&file.theirs, from, to);
    let sides = [kamailio(&file.theirs), kamailio(&changed)];
    let [left, right] = both(sides, |side| transcripts(side, file.set, EQUAL, scenarios));
    let found = differences(&left, &right);
    found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_changed_line_is_found_and_shown() {
    let Some(file) = file(of_kamailio_4) else {
        return;
    };
    let scenarios = some(
        stateful::ALL,
        &["plain", "first-500", "register", "without-max-forwards"],
    );
    let found = |from, to| found(&file, from, to, &scenarios);
    // A header line, its value, and the ACK and BYE that do not find their way any more.
    let said = found("record_route();\n", ";\n");
    assert!(
        said.contains("-     Record-Route: <sip:10.0.0.1;lr=on>"),
        "{said}"
    );
    assert!(said.contains("!!! no ACK came to a gateway"), "{said}");
    let said = found("\"enable_full_lr\", 1", "\"enable_full_lr\", 0");
    assert!(
        said.contains("+     Record-Route: <sip:10.0.0.1;lr>"),
        "{said}"
    );
    // A reason, and only in its scenario.
    let said = found("\"404\", \"No registrar\"", "\"404\", \"No Registrar\"");
    let shown = "--- scenario `register`\n  === caller, message 1\n-     SIP/2.0 404 No registrar\n+     SIP/2.0 404 No Registrar\n";
    assert!(said.starts_with(shown), "{said}");
    assert_eq!(said.matches("--- scenario").count(), 1, "{said}");
    // The destination, and with it failover.
    let said = found("ds_select_dst(\"1\", \"4\")", "ds_select_dst(\"1\", \"8\")");
    assert!(said.contains("--- scenario `first-500`"), "{said}");
    let said = found("t_check_status(\"500\")", "t_check_status(\"503\")");
    assert!(
        said.contains("+     SIP/2.0 500 Server Internal Error"),
        "{said}"
    );
    let said = found(
        "mf_process_maxfwd_header(\"10\")",
        "mf_process_maxfwd_header(\"11\")",
    );
    assert!(
        said.contains("-     Max-Forwards: 10\n+     Max-Forwards: 11"),
        "{said}"
    );
}
