//! What a script costs beside what its functions do: a sample configuration with functions that do
//! nothing.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sipshard::route::ast::RouteKind;
use sipshard::route::host::{Argument, Host, Inner, Level, ListIndex, Outcome};
use sipshard::route::machine::Machine;
use sipshard::route::value::Value;
use sipshard::route::{check, compile};
use sipshard::sip::Method;

const CONFIG: &str = include_str!("support/sample.cfg");

/// An INVITE of a new call, to which everything is well.
struct Easy;

impl Host for Easy {
    const FUNCTIONS: &'static [&'static str] = &[
        "is_method",
        "t_precheck_trans",
        "has_totag",
        "t_is_canceled",
        "t_branch_replied",
        "t_check_trans",
        "t_relay",
        "remove_hf",
        "record_route",
        "setflag",
        "sl_send_reply",
        "mf_process_maxfwd_header",
        "sanity_check",
        "loose_route",
        "ds_select_dst",
        "send_reply",
        "t_on_failure",
        "sl_reply_error",
        "t_check_status",
        "t_branch_timeout",
        "ds_next_dst",
    ];
    const VARIABLES: &'static [&'static str] = &["rU", "ru", "du", "si", "sp", "_chosen"];

    fn method(&self) -> Option<Method> {
        Some(Method::Invite)
    }

    fn call(&mut self, function: u16, arguments: &[Argument], _: &mut Machine) -> Outcome {
        if let Some(Argument::Methods(methods, _)) = arguments.first() {
            return (methods & 1 != 0).into();
        }
        // The first ones ask what is not so.
        (function > 4).into()
    }

    fn get(&mut self, _: u16, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
        Value::Text(machine.text(b"bob"))
    }

    fn set(&mut self, _: u16, _: Inner, _: ListIndex, _: Value, _: &mut Machine) -> bool {
        true
    }

    fn unix_time(&mut self) -> Duration {
        Duration::ZERO
    }

    fn is_logged(&mut self, level: Level) -> bool {
        level < Level::Debug
    }

    fn log(&mut self, _: Level, line: &[u8]) {
        black_box(line);
    }
}

fn scripts(criterion: &mut Criterion) {
    let read = |_: &str| Ok(CONFIG.as_bytes().to_vec());
    let checked = check("sample.cfg", &[], &read).expect("readable");
    let program = compile::<Easy>(&checked)
        .map_err(|report| report.render(&checked.sources, false))
        .unwrap_or_else(|shown| panic!("{shown}"));
    let mut machine = Machine::new(Arc::new(program));
    let main = machine.program().route(RouteKind::Request, b"");
    let failure = machine.program().route(RouteKind::Failure, b"NEXT");
    for (name, route) in [("invite", main), ("failure", failure)] {
        let route = route.expect("the route");
        criterion.bench_function(&format!("script/{name}"), |bencher| {
            bencher.iter(|| {
                machine.begin();
                black_box(machine.run(&mut Easy, route))
            });
        });
    }
}

criterion_group!(benches, scripts);
criterion_main!(benches);
