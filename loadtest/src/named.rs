//! Scenarios by name: what `-sn` fills in. Each is a set of other options, or one of the scripts that are built
//! in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::options::{Options, Role};
use crate::script::compile::{Surroundings, compile};
use crate::script::source::Source;

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

/// Scripts that are built in.
const SCRIPTS: &[(&str, &str, &str)] = &[
    (
        "options",
        "OPTIONS and its answer",
        include_str!("named/options.xml"),
    ),
    (
        "register",
        "REGISTER and its answer, for the user -s",
        include_str!("named/register.xml"),
    ),
];

/// The XML of a built-in script.
///
/// # Errors
/// If there is none of this name.
pub fn xml(name: &str) -> Result<&'static str> {
    let script = SCRIPTS.iter().find(|(known, _, _)| *known == name);
    let missing = || {
        let names: Vec<&str> = SCRIPTS.iter().map(|(name, _, _)| *name).collect();
        let names = names.join(", ");
        if NAMED.iter().any(|named| named.name == name) {
            format!("-sd {name}: `-sn {name}` is played without XML. With XML there are: {names}")
        } else {
            format!("-sd {name}: there is no such scenario. With XML there are: {names}")
        }
    };
    let (_, _, xml) = script.with_context(missing)?;
    Ok(xml)
}

/// Fills in what `-sn` says, or reads and compiles what `-sf` names.
///
/// # Errors
/// If there is no such scenario, or something is wrong with its file.
pub fn apply(options: &mut Options) -> Result<()> {
    let source = match (&options.scenario.sf, &options.scenario.sn) {
        (Some(path), _) => Source::read(path)?,
        (None, Some(name)) => {
            if let Some(named) = NAMED.iter().find(|named| named.name == name) {
                (named.apply)(options);
                return Ok(());
            }
            let Ok(text) = xml(name) else {
                bail!(
                    "-sn {name}: there is no such scenario. There are:\n{}",
                    list()
                );
            };
            Source {
                file: format!("-sn {name}"),
                text: text.to_owned(),
            }
        }
        (None, None) => return Ok(()),
    };
    let scenario = &options.scenario;
    let files: Vec<(String, usize)> = scenario
        .inf
        .iter()
        .zip(scenario.injections()?)
        .map(|(path, file)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), file.fields())
        })
        .collect();
    let pairs = scenario.key.chunks_exact(2);
    let keys: Vec<(String, String)> = pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    let user = scenario.au.as_deref().unwrap_or(&options.service);
    let program = compile(
        &source,
        Surroundings {
            files: &files,
            keys: &keys,
            credentials: (user, scenario.ap.as_deref().unwrap_or("password")),
            receive_timeout: scenario.recv_timeout,
        },
    )?;
    // Whoever names a target has gateways of his own there.
    if !program.calls {
        options.role = Role::Uas;
        if let Some(target) = options.target {
            eprintln!(
                "sipload: warning: {} begins with <recv>: it waits for calls, and makes none to {target}",
                source.file
            );
        }
    } else if options.target.is_some() {
        options.role = Role::Uac;
    }
    options.scenario.program = Some(Arc::new(program));
    Ok(())
}

/// Names and help, a line each.
pub fn list() -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let named = NAMED.iter().map(|named| (named.name, named.help));
    let scripts = SCRIPTS.iter().map(|(name, help, _)| (*name, *help));
    for (name, help) in named.chain(scripts) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {name:<10} {help}");
    }
    out
}
