//! The routing language against Kamailio's own: hundreds of generated scripts run in both, on the same
//! message, and all that they leave behind must be the same.
//!
//! One Kamailio runs all scripts: each is a route, and the R-URI's user says which. Both report by the
//! reason of an answer.

mod host;
mod kamailio;
mod script;

use std::sync::Arc;

use sipshard::route::ast::RouteKind;
use sipshard::route::machine::Machine;
use sipshard::route::{check, compile};

use host::MessageHost;
use kamailio::Kamailio;

/// Scripts that are run.
const SCRIPTS: usize = 500;

/// The seed of a run without `LANGUAGE_SEED`.
const SEED: u64 = 3;

/// The message of all scripts; the R-URI's user is the script's name.
fn message(script: usize, port: u16) -> Vec<u8> {
    format!(
        "INVITE sip:S{script}@example.com:5070;transport=udp SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKscript{script}\r\n\
         Max-Forwards: 70\r\n\
         To: \"Bob B\" <sip:bob@biloxi.example.com>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33\r\n\
         CSeq: 314159 INVITE\r\n\
         Contact: <sip:alice@pc33.atlanta.example.com>\r\n\
         User-Agent: tester/1.0\r\n\
         X-List: a=1;b=2;c=33\r\n\
         X-Number: 42\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// What our own machine reports of each script.
fn ours(config: &str, scripts: usize) -> Vec<String> {
    let read = |_: &str| Ok(config.as_bytes().to_vec());
    let checked = check("generated.cfg", &[], &read).expect("readable");
    let shown = checked.report.render(&checked.sources, false);
    assert!(!checked.report.has_errors(), "{shown}");
    let program = compile::<MessageHost>(&checked)
        .map_err(|report| report.render(&checked.sources, false))
        .unwrap_or_else(|shown| panic!("{shown}"));
    let mut machine = Machine::new(Arc::new(program));
    let main = machine.program().route(RouteKind::Request, b"");
    let main = main.expect("a request_route");
    (0..scripts)
        .map(|script| {
            let mut host = MessageHost::new(message(script, 5060));
            machine.begin();
            machine.run(&mut host, main);
            host.answer
        })
        .collect()
}

#[test]
fn generated_scripts_do_what_they_do_in_kamailio() {
    if !kamailio::is_installed() {
        eprintln!("SKIPPED: kamailio is not installed (Debian: apt-get install kamailio)");
        return;
    }
    let seed = std::env::var("LANGUAGE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(SEED);
    let scripts = script::generate(seed, SCRIPTS);
    let config = script::configuration(&scripts);
    let ours = ours(&config, scripts.len());
    let kamailio = Kamailio::start(&config);
    let mut wrong = Vec::new();
    for (number, ours) in ours.iter().enumerate() {
        let theirs = kamailio.answer(number, |port| message(number, port));
        if *ours != theirs {
            let script = &scripts[number];
            wrong.push(format!("{script}\nours:   {ours}\ntheirs: {theirs}\n"));
        }
    }
    // The shortest say most.
    wrong.sort_by_key(String::len);
    let shown: Vec<&str> = wrong.iter().take(6).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {SCRIPTS} scripts differ (LANGUAGE_SEED={seed}):\n{}",
        wrong.len(),
        shown.join("\n")
    );
}
