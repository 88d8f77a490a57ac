//! Algorithms with chance in them are compared by their counts: who gets how many of a hundred calls.

use std::collections::BTreeMap;

use crate::generate::{Generator, plain_message, seed};
use crate::kamailio::{self, Kamailio};
use crate::scenario::{Options, Scenario, Step};

fn counts(outcomes: &[String]) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        let chosen = outcome.split(',').next().unwrap_or_default();
        *counts.entry(chosen).or_default() += 1;
    }
    counts
}

fn hundred(set: i32, algorithm: u32) -> Vec<Step> {
    let message = plain_message("INVITE", "x");
    vec![
        Step::Select {
            set,
            algorithm,
            limit: 1,
            message
        };
        100
    ]
}

#[test]
fn weights_give_the_same_counts_as_kamailios() {
    if !kamailio::is_installed() {
        return;
    }
    for use_default in [false, true] {
        let options = Options {
            use_default,
            user_only: false,
        };
        let mut generator = Generator::new(seed() ^ 0x9);
        let list = generator.list(6);
        let mut steps = Vec::new();
        for set in 1..=6 {
            for algorithm in [9, 11] {
                steps.extend(hundred(set, algorithm));
                steps.push(generator.state(&list));
                steps.extend(hundred(set, algorithm));
            }
        }
        let theirs = Kamailio::start(options, &list).run(&steps);
        let scenario = Scenario {
            options,
            list,
            steps,
        };
        let ours = scenario.run();
        let mut at = 0;
        while at < ours.len() {
            if let Step::Select { set, algorithm, .. } = &scenario.steps[at] {
                let (ours, theirs) = (counts(&ours[at..at + 100]), counts(&theirs[at..at + 100]));
                assert_eq!(
                    ours,
                    theirs,
                    "seed {}, set {set}, algorithm {algorithm}, {options:?}:\n{}",
                    seed(),
                    scenario.list
                );
                at += 100;
            } else {
                assert_eq!(ours[at], theirs[at]);
                at += 1;
            }
        }
    }
}

#[test]
fn chance_reaches_the_same_destinations_as_kamailios() {
    if !kamailio::is_installed() {
        return;
    }
    let options = Options {
        use_default: false,
        user_only: false,
    };
    let list = "1 sip:10.0.0.1\n1 sip:10.0.0.2 1\n1 sip:10.0.0.3\n";
    let theirs = Kamailio::start(options, list).run(&hundred(1, 6));
    let counts = counts(&theirs);
    // The one that is out leaves its share to its neighbour, as a place of chance does here.
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(
        counts["sip:10.0.0.1"] > counts["sip:10.0.0.3"],
        "{counts:?}"
    );
}
