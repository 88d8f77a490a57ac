//! The oracle: Debian's Kamailio and sipshard get the same lists, the same messages and the same
//! commands, and must choose the same destinations, in the same order of failover, with the same
//! states after each step. Most steps are asked of the library, which is quick; `binary` asks the program
//! itself, with gateways that refuse until nobody is left.
//!
//! Without Kamailio the tests that need it say so and pass; `golden.txt` holds what it answered to a
//! part of the steps, and is compared always. By the environment:
//! - `SIPSHARD_ORACLE_SEED=N`: other lists and messages;
//! - `SIPSHARD_ORACLE_LIST=FILE`, `SIPSHARD_ORACLE_MESSAGES=FILE`: this dispatcher.list, and these
//!   messages, one a line with `\r\n` for line ends;
//! - `SIPSHARD_ORACLE_WRITE=1`: writes `golden.txt` anew.

mod binary;
mod generate;
mod golden;
mod kamailio;
mod keepalives;
mod scenario;
mod shares;
mod wire;

use generate::{Generator, seed};
use kamailio::Kamailio;
use scenario::{Options, Scenario, Step};

/// Every combination of the parameters that hold for a whole server.
const OPTIONS: [Options; 4] = [
    Options {
        use_default: false,
        user_only: false,
    },
    Options {
        use_default: true,
        user_only: false,
    },
    Options {
        use_default: false,
        user_only: true,
    },
    Options {
        use_default: true,
        user_only: true,
    },
];

const LISTS_EACH: i32 = 13;
const MESSAGES_EACH: usize = 510;

/// Runs a scenario on both and tells where they differ.
fn compare(scenario: &Scenario) -> Vec<String> {
    let theirs = Kamailio::start(scenario.options, &scenario.list).run(&scenario.steps);
    let ours = scenario.run();
    scenario::differences(&scenario.steps, &ours, &theirs)
}

fn assert_same(scenario: &Scenario) {
    let differences = compare(scenario);
    let count = differences.len();
    let some = differences.into_iter().take(12).collect::<Vec<_>>();
    assert!(
        some.is_empty(),
        "seed {}: {count} of {} steps differ with {:?}:\n{}",
        seed(),
        scenario.steps.len(),
        scenario.options,
        some.join("\n")
    );
}

#[test]
fn every_message_goes_where_kamailio_sends_it() {
    if !kamailio::is_installed() {
        return;
    }
    for (number, options) in OPTIONS.into_iter().enumerate() {
        let mut generator = Generator::new(seed() ^ number as u64);
        let list = generator.list(LISTS_EACH);
        let mut steps = Vec::new();
        for message in generator.messages(MESSAGES_EACH) {
            for algorithm in [0, 1, 2, 3, 5, 7] {
                steps.push(generator.select(&list, algorithm, &message));
            }
            if !options.use_default {
                // With a default Kamailio's list has destinations twice.
                steps.push(generator.select(&list, 13, &message));
            }
            let other = generator.pick(&[4, 4, 8, 77]);
            steps.push(generator.select(&list, other, &message));
            if generator.one_in(4) {
                steps.push(generator.state(&list));
            }
        }
        assert_same(&Scenario {
            options,
            list,
            steps,
        });
    }
}

#[test]
fn calls_are_counted_where_kamailio_counts_them() {
    if !kamailio::is_installed() {
        return;
    }
    for (number, options) in OPTIONS.into_iter().enumerate() {
        // With a default Kamailio counts calls on it that it sends to another.
        if options.use_default {
            continue;
        }
        let mut generator = Generator::new(seed() ^ 0x10 ^ number as u64);
        let list = generator.list(LISTS_EACH);
        let mut steps = Vec::new();
        for _ in 0..700 {
            let step = generator.call(&list);
            steps.push(step);
            if generator.one_in(10) {
                steps.push(generator.state(&list));
            }
        }
        assert_same(&Scenario {
            options,
            list,
            steps,
        });
    }
}

#[test]
fn lists_and_messages_of_files_are_compared() {
    let file =
        |name: &str| std::env::var_os(name).map(|path| std::fs::read(path).expect("readable"));
    let list = file("SIPSHARD_ORACLE_LIST");
    let messages = file("SIPSHARD_ORACLE_MESSAGES");
    let (Some(list), Some(messages)) = (list, messages) else {
        return;
    };
    if !kamailio::is_installed() {
        return;
    }
    let list = String::from_utf8(list).expect("UTF-8");
    let messages: Vec<Vec<u8>> = scenario::unescape_lines(&messages).collect();
    let mut steps = Vec::new();
    for message in messages {
        for set in scenario::sets_of(&list) {
            for algorithm in [0, 1, 2, 3, 4, 5, 7, 8] {
                steps.push(Step::Select {
                    set,
                    algorithm,
                    limit: 0,
                    message: message.clone(),
                });
            }
        }
    }
    for options in OPTIONS {
        assert_same(&Scenario {
            options,
            list: list.clone(),
            steps: steps.clone(),
        });
    }
}
