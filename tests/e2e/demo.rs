//! `sipshard demo`, where nobody looks at a terminal.

use std::ffi::OsStr;
use std::time::Duration;

use crate::support::{Place, Process, Turn};

#[test]
fn it_shows_a_gateway_die_and_come_back_and_keeps_its_promises() {
    let _turn = Turn::core();
    let place = Place::new();
    let mut demo = Process::start(
        OsStr::new(env!("CARGO_BIN_EXE_sipshard")),
        &["demo", "--for", "12"].map(str::to_owned),
        place.directory(),
        "demo.out",
    );
    let status = demo.wait(Duration::from_secs(90));
    let output = demo.output();
    assert!(status.success(), "{status}\n{output}");
    let states = |state: &str| output.matches(&format!("steady {state}")).count();
    assert!(states("AP") > 0 && states("IP") > 0, "it dies:\n{output}");
    let last = output.rfind("steady IP").expect("it died");
    assert!(
        output[last..].contains("steady AP"),
        "it comes back:\n{output}"
    );
    assert!(output.contains("maxload was never passed"), "{output}");
}
