use std::collections::BTreeSet;

use super::*;
use crate::route::explain::explain;
use crate::route::machine::MAX_ARGUMENTS;
use crate::route::{PARAMETERS, listing};

#[test]
fn no_name_is_there_twice() {
    let all_once = |names: Vec<String>| {
        let set: BTreeSet<_> = names.iter().collect();
        let twice: Vec<_> = set
            .iter()
            .filter(|name| names.iter().filter(|one| *one == **name).count() > 1)
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
    };
    all_once(
        CORE_PARAMETERS
            .iter()
            .map(|row| row.name.to_owned())
            .collect(),
    );
    all_once(VARIABLES.iter().map(|row| row.name.to_owned()).collect());
    all_once(MODULES.iter().map(|row| row.name.to_owned()).collect());
    all_once(
        TRANSFORMATIONS
            .iter()
            .map(|row| format!("{}.{}", row.class, row.name))
            .collect(),
    );
    for module in MODULES {
        let names = module.parameters.iter();
        let names = names.flat_map(|row| row.aliases.iter().chain([&row.name]));
        all_once(names.map(|name| (*name).to_owned()).collect());
    }
}

#[test]
fn no_function_takes_more_than_the_machine_hands_over() {
    for row in functions() {
        let most = row.required.len() + row.optional.len();
        assert!(most <= MAX_ARGUMENTS, "{}()", row.name);
    }
}

#[test]
fn forms_of_a_function_differ_in_their_number_of_arguments() {
    for row in functions() {
        for count in 0..6 {
            let fitting = function(row.name).filter(|form| form.takes(count)).count();
            assert!(fitting <= 1, "{} with {count}", row.name);
        }
    }
}

#[test]
fn functions_are_of_modules_that_are_here_and_are_not_called_missing() {
    for row in functions() {
        for name in row.modules {
            let module = module(name).unwrap_or_else(|| panic!("{name} of {}", row.name));
            assert_eq!(module.support, Support::BuiltIn, "{name}");
        }
        assert_eq!(module_of(row.name), None, "{}", row.name);
    }
}

#[test]
fn dispatcher_parameters_of_the_command_line_are_those_of_configurations() {
    for row in PARAMETERS.iter().filter(|row| !row.is_own) {
        let found = DISPATCHER.iter().find(|one| one.name == row.name);
        let found = found.unwrap_or_else(|| panic!("{}", row.name));
        for alias in row.aliases {
            assert!(found.aliases.contains(alias), "{alias}");
        }
    }
    assert!(listing().contains("ds_probing_threshhold"));
}

#[test]
fn defaults_are_good_values() {
    for module in MODULES {
        for row in module.parameters {
            if row.kind == ValueKind::Number && !row.default.is_empty() {
                let number: i64 = row.default.parse().expect(row.name);
                assert!(
                    (row.range.0..=row.range.1).contains(&number),
                    "{}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn names_of_modules_are_found_in_paths() {
    for path in ["tm.so", "tm", "modules/tm/tm.so", "/usr/lib/tm.so"] {
        assert_eq!(module_name(path), "tm");
    }
}

#[test]
fn everything_can_be_explained() {
    let names = functions().map(|row| row.name.to_owned());
    let names = names.chain(CORE_PARAMETERS.iter().map(|row| row.name.to_owned()));
    let names = names.chain(MODULES.iter().map(|row| row.name.to_owned()));
    let of_modules = MODULES.iter().flat_map(|row| row.parameters);
    let names = names.chain(of_modules.map(|row| row.name.to_owned()));
    let names = names.chain(VARIABLES.iter().map(|row| format!("${}", row.name)));
    let transformers = TRANSFORMATIONS.iter();
    let names = names.chain(transformers.map(|row| format!("{{{}.{}}}", row.class, row.name)));
    let names = names.chain(PARAMETERS.iter().map(|row| row.name.to_owned()));
    for name in names {
        assert!(explain(&name).is_ok(), "{name}");
    }
}

#[test]
fn an_explanation_has_what_the_tables_say() {
    assert_eq!(
        explain("ds_next_dst").expect("known"),
        "ds_next_dst(): function of dispatcher\n    \
         the next of the chosen destinations as next hop; needs flags 2\n    \
         can be called in route, failure_route, event_route\n"
    );
    assert_eq!(
        explain("setid_pvar").expect("known"),
        "modparam(\"dispatcher\", \"setid_pvname\", \"TEXT\")\n    \
         the variable that ds_is_from_list() sets to the set\n    default: none\n    also: setid_pvar\n"
    );
    assert_eq!(
        explain("$du").expect("known"),
        "$du: pseudo-variable, read and set\n    the next hop\n"
    );
    assert_eq!(
        explain("ds_nxt_dst"),
        Err("nothing is called ds_nxt_dst; did you mean ds_next_dst?".to_owned())
    );
    assert_eq!(
        explain("save"),
        Err("save is a function of Kamailio's registrar that sipshard does not have".to_owned())
    );
}
