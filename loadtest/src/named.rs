//! Scenarios by name: what `-sn` fills in. Each is a set of other options, or one of the scripts that are built
//! in.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::options::{Options, Role};

/// A scenario that is other options under one name.
pub struct Named {
    /// Its name, SIPp's where SIPp has it.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    apply: fn(&mut Options),
}

/// The refusal of the scenario `busy`.
const BUSY: u16 = 486;

/// All of them.
pub const NAMED: &[Named] = &[
    Named {
        name: "uac",
        help: "callers only, ACK and BYE to TARGET without Route, as SIPp's",
        apply: |options| {
            options.role = Role::Uac;
            options.ignore_route_set = true;
        },
    },
    Named {
        name: "uas",
        help: "gateways only",
        apply: |options| options.role = Role::Uas,
    },
    Named {
        name: "basic",
        help: "INVITE, 180, 200, ACK, hold, BYE, 200: what is played without -sn",
        apply: |_| {},
    },
    Named {
        name: "ringing",
        help: "100 and 180 come first, the answer after --answer (here 1000 ms by default)",
        apply: |options| {
            options.trying = true;
            if options.answer.is_zero() {
                options.answer = Duration::from_secs(1);
            }
        },
    },
    Named {
        name: "busy",
        help: "gateways refuse with 486, callers expect it",
        apply: |options| {
            options.reject = vec![(BUSY, 100.0)];
            options.expect = Some(BUSY);
        },
    },
    Named {
        name: "no-answer",
        help: "gateways only ring, callers cancel after --cancel-after",
        apply: |options| {
            options.ring_only = 100.0;
            options.cancel = 100.0;
        },
    },
    Named {
        name: "bye-lost",
        help: "callers are gone when they should hang up: no BYE ever comes",
        apply: |options| options.lose_bye = 100.0,
    },
    Named {
        name: "reinvite",
        help: "a re-INVITE after half of the hold time, or after --reinvite-after",
        apply: |options| {
            options.reinvite_after.get_or_insert(options.hold / 2);
        },
    },
];

/// Fills in what `-sn` says.
///
/// # Errors
/// If there is no such scenario.
pub fn apply(options: &mut Options) -> Result<()> {
    let Some(name) = &options.scenario.sn else {
        return Ok(());
    };
    match NAMED.iter().find(|named| named.name == name) {
        Some(named) => (named.apply)(options),
        None => bail!(
            "-sn {name}: there is no such scenario. There are:\n{}",
            list()
        ),
    }
    Ok(())
}

/// Names and help, a line each.
pub fn list() -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for named in NAMED {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {:<10} {}", named.name, named.help);
    }
    out
}
