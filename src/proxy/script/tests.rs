//! The tables of the language against what there is.

use super::{FUNCTION_NAMES, VARIABLE_NAMES};
use crate::route::host::{CHOSEN, CHOSEN_AVP, CHOSEN_COUNT};
use crate::route::{OWN_VARIABLES, is_own_function, table};

#[test]
fn every_function_and_variable_of_the_tables_is_here_or_the_machines() {
    for row in table::functions() {
        let is_here = FUNCTION_NAMES.contains(&row.name) != is_own_function(row.name);
        assert!(is_here, "{}()", row.name);
    }
    for row in table::VARIABLES {
        let is_here = VARIABLE_NAMES.contains(&row.name) != OWN_VARIABLES.contains(&row.name);
        assert!(is_here, "${}", row.name);
    }
}

#[test]
fn nothing_is_here_that_the_tables_do_not_have() {
    for name in FUNCTION_NAMES {
        assert!(table::function(name).next().is_some(), "{name}()");
    }
    for name in VARIABLE_NAMES {
        let is_chosen = [CHOSEN, CHOSEN_COUNT, CHOSEN_AVP].contains(&name);
        assert!(is_chosen || table::variable(name).is_some(), "${name}");
    }
}

#[test]
fn what_can_be_set_is_what_the_table_says() {
    for row in super::VARIABLES {
        let is_writable = table::variable(row.name).map(|row| row.is_writable);
        if let Some(is_writable) = is_writable {
            assert_eq!(row.set.is_some(), is_writable, "${}", row.name);
        }
    }
}
