mod host;

use host::run;

/// Runs the body of a request route; what it logs, and its end.
fn logged(body: &str) -> String {
    run(&format!("request_route {{\n{body}\n}}\n")).log
}

#[test]
fn numbers_and_texts_are_what_the_left_side_says() {
    let cases = [
        (r"$var(a) = 2 + 3 * 4;", "14"),
        (r#"$var(a) = "2" + 3;"#, "23"),
        (r#"$var(s) = "abc"; $var(a) = $var(s) + 1;"#, "abc1"),
        (r#"$var(n) = 1; $var(a) = $var(n) + "12";"#, "13"),
        (r#"$var(n) = 1; $var(a) = $var(n) + "abc";"#, "1"),
        (r#"$var(a) = $avp(none) + "3";"#, "3"),
        (r#"$avp(s) = "7"; $var(a) = $avp(s) * 5;"#, "35"),
        (r#"$avp(s) = "7"; $var(a) = $avp(s) + 5;"#, "75"),
        (r"$var(m) = -7; $var(a) = $var(m) mod 3;", "-1"),
        (r"$var(m) = -7; $var(a) = $var(m) >> 1;", "-4"),
        (r"$var(a) = 9; $var(z) = 0; $var(a) = 5 / $var(z);", "9"),
        (r"$var(a) = $null;", "0"),
        (r#"$var(a) = (int)"0x1f";"#, "31"),
        (r#"$var(a) = "x$rU";"#, "x$rU"),
        (r#"$var(a) = "x" + $rU;"#, "xbob"),
    ];
    for (body, shown) in cases {
        let log = logged(&format!("{body} xlog(\"$var(a)\");"));
        assert_eq!(log, shown, "{body}");
    }
}

#[test]
fn what_is_not_above_zero_is_not_true() {
    let cases = [
        ("1", true),
        ("-1", false),
        ("0", false),
        ("\"7\"", true),
        ("\"x\"", false),
        ("!0", true),
        ("!-1", false),
        ("$avp(none)", false),
        ("$avp(none) == $null", true),
        ("$avp(none) == 0", true),
        ("$avp(none) == \"\"", true),
        ("$null == $null", true),
        ("1 and \"x\"", false),
        ("0 or 3", true),
        ("$rU == \"bob\"", true),
        ("$rU =~ \"^BO\"", true),
        ("$si == 10.0.0.0/8", true),
        ("src_ip == 11.0.0.0/8", false),
        ("is_method(\"INVITE|ACK\")", true),
        ("!is_method(\"BYE\")", true),
        ("uri == myself", true),
    ];
    for (condition, is_true) in cases {
        let body = format!("if ({condition}) xlog(\"yes\"); else xlog(\"no\");");
        assert_eq!(
            logged(&body),
            if is_true { "yes" } else { "no" },
            "{condition}"
        );
    }
}

#[test]
fn routes_return_codes_to_those_who_call() {
    let routes = r#"
route[NEGATIVE] { return -1; }
route[FIVE] { return 5; }
route[PLAIN] { $var(x) = 1; }
route[ZERO] { return 0; }
route[METHOD] { is_method("BYE"); }
route[BROKEN] { break; }
"#;
    let cases = [
        ("route(FIVE); xlog(\"$rc\");", "5"),
        ("route(PLAIN); xlog(\"$rc\");", "1"),
        ("route(METHOD); xlog(\"$rc\");", "-1"),
        ("route(BROKEN); xlog(\"$rc\");", "0"),
        ("$var(a) = route(FIVE); xlog(\"$var(a)\");", "5"),
        ("$var(a) = route(FIVE) + 10; xlog(\"$var(a)\");", "11"),
        ("$var(a) = route(NEGATIVE) + 10; xlog(\"$var(a)\");", "10"),
        (
            "if (route(FIVE) == 5) xlog(\"T\"); else xlog(\"F$rc\");",
            "F5",
        ),
        ("route(FIVE); $var(b) = 1; xlog(\"$rc\");", "5"),
        ("$var(n) = \"FIVE\"; route($var(n)); xlog(\"$rc\");", "5"),
        ("route(ZERO); xlog(\"never\");", ""),
        ("is_method(\"BYE\"); xlog(\"$rc\");", "-1"),
    ];
    for (body, shown) in cases {
        let config = format!("request_route {{ {body} }}\n{routes}");
        assert_eq!(run(&config).log, shown, "{body}");
    }
}

#[test]
fn loops_and_switches_go_where_they_should() {
    let cases = [
        (
            "$var(i) = 0; while ($var(i) < 5) { $var(i) = $var(i) + 1; if ($var(i) == 3) break; xlog(\"$var(i)\"); }",
            "12",
        ),
        (
            "while (1) { $var(n) = $var(n) + 1; } xlog(\"$var(n)\");",
            "100",
        ),
        (
            "switch (3) { case 1: xlog(\"a\"); case 3: xlog(\"b\"); case 4: xlog(\"c\"); break; default: xlog(\"d\"); }",
            "bc",
        ),
        (
            "switch (9) { case 1: xlog(\"a\"); break; default: xlog(\"d\"); }",
            "d",
        ),
        (
            "switch ($rU) { case \"x\": xlog(\"a\"); break; case /\"^b\": xlog(\"b\"); }",
            "b",
        ),
        ("switch ($avp(none)) { case 0: xlog(\"zero\"); }", "zero"),
    ];
    for (body, shown) in cases {
        assert_eq!(logged(body), shown, "{body}");
    }
}

#[test]
fn scripts_end_as_they_say() {
    use crate::route::machine::End;
    let cases = [
        ("exit; xlog(\"never\");", End::Exit, 0),
        ("drop; xlog(\"never\");", End::Drop, 0),
        ("return 7; xlog(\"never\");", End::Return, 7),
        ("return -3;", End::Return, -3),
        ("return 0;", End::Exit, 0),
        ("$var(a) = 1;", End::Return, 1),
        ("is_method(\"BYE\");", End::Return, -1),
    ];
    for (body, by, code) in cases {
        let ended = run(&format!("request_route {{ {body} }}")).ended;
        assert_eq!((ended.by, ended.code), (by, code), "{body}");
    }
}

#[test]
fn a_runaway_script_is_stopped_and_counted() {
    use crate::route::machine::End;
    let forever = "route[A] { route(B); route(B); } route[B] { while (1) { $var(i) = 1; } while (1) { $var(i) = 2; } }";
    let body = "while (1) { route(A); route(A); route(A); }";
    let ran = run(&format!("request_route {{ {body} }} {forever}"));
    assert_eq!(ran.ended.by, End::Stopped);
    assert_eq!(ran.machine.faults().steps, 1);
    let recursive = run("request_route { route(A); xlog(\"$rc\"); } route[A] { route(A); }");
    assert_eq!(recursive.log, "-1");
    assert_eq!(recursive.machine.faults().routes, 1);
    let swelling =
        run("request_route { $var(a) = \"x\"; while (1) { $var(a) = $var(a) + $var(a); } }");
    assert_eq!(swelling.ended.by, End::Stopped);
    assert_eq!(swelling.machine.faults().text, 1);
}
