//! A host with one message, for tests.

use std::sync::Arc;
use std::time::Duration;

use crate::route::ast::RouteKind;
use crate::route::check;
use crate::route::compile;
use crate::route::host::{Argument, Host, Inner, Level, ListIndex, Outcome};
use crate::route::machine::{Ended, Machine};
use crate::route::program::Program;
use crate::route::value::Value;
use crate::sip::Method;

/// What it keeps of a run.
pub struct TestHost {
    pub log: String,
    pub user: Vec<u8>,
}

const IS_METHOD: u16 = 0;
const USER: u16 = 0;
const URI: &[u8] = b"sip:bob@example.com";

impl Host for TestHost {
    const FUNCTIONS: &'static [&'static str] = &["is_method", "is_myself"];
    const VARIABLES: &'static [&'static str] = &["rU", "ru", "si", "hdr"];

    fn method(&self) -> Option<Method> {
        Some(Method::Invite)
    }

    fn call(&mut self, function: u16, arguments: &[Argument], machine: &mut Machine) -> Outcome {
        if function == IS_METHOD {
            return match arguments[0] {
                Argument::Methods(methods, _) => (methods & 1 << Method::Invite as u32 != 0).into(),
                _ => Outcome::FALSE,
            };
        }
        let uri = match arguments {
            [] => Some(URI),
            [uri, ..] => uri.text().map(|text| machine.bytes(text)),
        };
        (uri == Some(URI)).into()
    }

    fn get(&mut self, variable: u16, inner: Inner, _: ListIndex, machine: &mut Machine) -> Value {
        Value::Text(match variable {
            USER => machine.text(&self.user),
            1 => machine.text(URI),
            2 => machine.text(b"10.1.2.3"),
            _ => match inner {
                Inner::Text { text, .. } => text,
                _ => return Value::Null,
            },
        })
    }

    fn set(
        &mut self,
        variable: u16,
        _: Inner,
        _: ListIndex,
        value: Value,
        machine: &mut Machine,
    ) -> bool {
        let text = machine.to_text(value);
        self.user = machine.bytes(text).to_vec();
        variable == USER
    }

    fn unix_time(&mut self) -> Duration {
        Duration::new(1_700_000_000, 42_000)
    }

    fn is_logged(&mut self, _: Level) -> bool {
        true
    }

    fn log(&mut self, _: Level, line: &[u8]) {
        self.log.push_str(&String::from_utf8_lossy(line));
    }
}

/// What came of a script.
pub struct Run {
    pub log: String,
    pub ended: Ended,
    pub machine: Machine,
}

/// The program of a configuration, or what is wrong with it.
fn compiled(config: &str) -> Result<Arc<Program>, String> {
    let modules =
        ["pv", "xlog", "textops", "kex"].map(|name| format!("loadmodule \"{name}.so\"\n"));
    let prefix = "modparam(\"xlog\", \"prefix\", \"\")\n";
    let text = format!("{}{prefix}{config}", modules.concat());
    let read = |_: &str| Ok(text.clone().into_bytes());
    let checked = check("test.cfg", &[], &read).expect("readable");
    if checked.report.has_errors() {
        return Err(checked.report.render(&checked.sources, false));
    }
    match compile::<TestHost>(&checked) {
        Ok(program) => Ok(Arc::new(program)),
        Err(report) => panic!("{}", report.render(&checked.sources, false)),
    }
}

impl Run {
    /// Runs another route of the same program.
    pub fn run_route(&mut self, name: &str) -> String {
        let mut host = TestHost {
            log: String::new(),
            user: b"bob".to_vec(),
        };
        let route = self
            .machine
            .program()
            .route(RouteKind::Request, name.as_bytes());
        self.machine.run(&mut host, route.expect("the route"));
        host.log
    }
}

pub fn run(config: &str) -> Run {
    match compiled(config) {
        Ok(program) => run_program(program),
        Err(shown) => panic!("{shown}"),
    }
}

/// Runs it, unless it is found to be wrong at load.
pub fn try_run(config: &str) -> Option<Run> {
    compiled(config).ok().map(run_program)
}

fn run_program(program: Arc<Program>) -> Run {
    let mut machine = Machine::new(program);
    let mut host = TestHost {
        log: String::new(),
        user: b"bob".to_vec(),
    };
    let route = machine.program().route(RouteKind::Request, b"");
    machine.begin();
    let ended = machine.run(&mut host, route.expect("a request_route"));
    Run {
        log: host.log,
        ended,
        machine,
    }
}
