//! Once warm a script costs no allocation, whatever it reads, joins, stores and asks.

#[path = "support/counting.rs"]
mod counting;

use std::sync::Arc;
use std::time::Duration;

use counting::{take_allocations, watch};
use sipshard::route::ast::RouteKind;
use sipshard::route::host::{Argument, Host, Inner, Level, ListIndex, Outcome};
use sipshard::route::machine::{End, Machine};
use sipshard::route::value::Value;
use sipshard::route::{check, compile};
use sipshard::sip::Method;

const CONFIG: &str = r#"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "kex.so"
request_route {
    if (is_method("INVITE|ACK") and $ru =~ "^sip:.*@example") {
        $var(host) = $(ru{uri.host}) + ":" + $rp;
        $avp(x) = $var(host);
        $avp(x) = 5;
        $xavp(call=>id) = $ci;
        $xavp(call[0]=>number) = strlen($ci) * 3 - 1;
        $var(n) = "made"; $avp($var(n)) = $(ru{s.toupper}{s.substr,4,3});
    }
    $var(i) = 0;
    while ($var(i) < 10) {
        $var(i) = $var(i) + 1;
        switch ($var(i)) {
        case 3: route(EACH); break;
        case 4: setsflag(2);
        default: $var(t) = "" + $var(i) + "-" + $xavp(call=>number);
        }
        if (route(EACH) == 1 && $var(t) == "x" || !is_method("BYE")) xlog("L_INFO", "$var(t) of $ru\n");
    }
    $shv(calls) = $shv(calls) + 1;
    $var(pattern) = "^sip:" + "bob";
    if ($ru =~ $var(pattern)) xlog("by a pattern that is made\n");
    if ($ru =~ $xavp(call=>number)) xlog("never\n");
    xavp_params_explode("a=1;b=2", "p");
    pv_printf("$var(p)", "$xavp(p=>a)$(xavp(p=>b))$(avp(x)[*])$cnt($avp(x))$TV(sn)");
    xlog("$var(p) $sF\n");
    $avp(x) = $null;
    exit;
}
route[EACH] { if ($avp(x) > 4) return 1; return -1; }
"#;

/// Answers with what is there already.
struct Still {
    lines: usize,
}

impl Host for Still {
    const FUNCTIONS: &'static [&'static str] = &["is_method"];
    const VARIABLES: &'static [&'static str] = &["ru", "rp", "ci"];

    fn method(&self) -> Option<Method> {
        Some(Method::Invite)
    }

    fn call(&mut self, _: u16, arguments: &[Argument], _: &mut Machine) -> Outcome {
        matches!(arguments, [Argument::Methods(methods, _)] if methods & 1 != 0).into()
    }

    fn get(&mut self, variable: u16, _: Inner, _: ListIndex, machine: &mut Machine) -> Value {
        let texts: [&[u8]; 3] = [b"sip:bob@example.com:5070", b"5070", b"a84b4c76e66710@pc33"];
        Value::Text(machine.text(texts[usize::from(variable)]))
    }

    fn set(&mut self, _: u16, _: Inner, _: ListIndex, _: Value, _: &mut Machine) -> bool {
        false
    }

    fn unix_time(&mut self) -> Duration {
        Duration::new(1_700_000_000, 5)
    }

    fn is_logged(&mut self, _: Level) -> bool {
        true
    }

    fn log(&mut self, _: Level, line: &[u8]) {
        assert!(!line.is_empty());
        self.lines += 1;
    }
}

#[test]
fn a_warm_script_allocates_nothing() {
    let read = |_: &str| Ok(CONFIG.as_bytes().to_vec());
    let checked = check("test.cfg", &[], &read).expect("readable");
    let shown = checked.report.render(&checked.sources, false);
    assert!(!checked.report.has_errors(), "{shown}");
    let program = compile::<Still>(&checked).expect("all is there");
    let mut machine = Machine::new(Arc::new(program));
    let main = machine.program().route(RouteKind::Request, b"");
    let main = main.expect("a request_route");
    let mut host = Still { lines: 0 };
    let mut saved = Vec::new();
    for round in 0..200 {
        watch(round >= 100, || {
            machine.begin();
            let ended = machine.run(&mut host, main);
            assert_eq!(ended.by, End::Exit);
            machine.save(&mut saved);
            machine.begin();
            machine.load(&saved);
        });
        assert!(!saved.is_empty(), "there was something to keep");
    }
    assert_eq!(take_allocations(), 0, "allocations");
    assert_eq!(host.lines, 200 * 12, "the script did what it should");
}
