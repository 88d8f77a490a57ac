mod host;
mod property;

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
        ("is_method(\"BYE|KDMQ\")", false),
        ("method == INVITE", true),
        ("method == \"ACK\"", false),
        ("method != \"ACK\"", true),
        ("$rm == \"INVITE\" && !(method == BYE)", true),
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
fn answers_are_joined_as_values_are() {
    // The same with functions, with questions to variables, and with plain values.
    let yes = [
        "is_method(\"INVITE\")",
        "$rU != $null",
        "$rU =~ \"^bo\"",
        "$rU == \"bob\"",
    ];
    let no = [
        "is_method(\"BYE\")",
        "$avp(none) != $null",
        "$rU =~ \"^x\"",
        "$rU == \"x\"",
    ];
    for (yes, no) in yes.into_iter().zip(no) {
        let conditions = [
            (format!("{yes} && {yes} && {yes}"), 1),
            (format!("{yes} && {no} && {yes}"), 0),
            (format!("{no} || {no} || {yes}"), 1),
            (format!("{no} || {no}"), 0),
            (format!("{yes} || {no} && {no}"), 1),
            (format!("!({yes} && {no}) && !({no})"), 1),
            (format!("!({yes} || {no})"), 0),
            (format!("!!({yes})"), 1),
            (format!("({no} || {yes}) && ({yes} && !({no}))"), 1),
        ];
        for (condition, truth) in conditions {
            let body = format!(
                "$var(v) = ({condition}); if ({condition}) $var(b) = 1; else $var(b) = 0;
                 $var(n) = 0; while (({condition}) && $var(n) < 1) $var(n) = $var(n) + 1;
                 xlog(\"$var(v) $var(b) $var(n)\");"
            );
            let expected = format!("{truth} {truth} {truth}");
            assert_eq!(logged(&body), expected, "{condition}");
        }
    }
}

#[test]
fn what_has_no_value_is_not_made_good_by_an_answer() {
    for condition in [
        "5 / $var(z) == 0 || is_method(\"INVITE\")",
        "5 / $var(z) == 0 && is_method(\"INVITE\")",
        "!(5 / $var(z) == 1 && is_method(\"INVITE\"))",
    ] {
        let body = format!(
            "$var(z) = 0; if ({condition}) xlog(\"yes\"); else xlog(\"no\");
             if (is_method(\"INVITE\")) xlog(\", and then yes\");"
        );
        assert_eq!(logged(&body), "no, and then yes", "{condition}");
    }
}

#[test]
fn a_question_for_the_method_sets_the_code_as_a_call_and_not_as_a_comparison() {
    let said = logged(
        r#"if (is_method("BYE")) exit;
           if (method == "INVITE") xlog("$rc");
           if (is_method("INVITE")) xlog(" $rc");
           while (!is_method("INVITE|BYE")) exit;
           is_method("BYE");
           xlog(" $rc");"#,
    );
    assert_eq!(said, "-1 1 -1");
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
route[bob] { xlog("found"); }
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
        ("route($rU);", "found"),
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
fn numbers_have_64_bits() {
    let body = "$var(a) = 2147483647 + 1; $var(b) = 1 << 40; xlog(\"$var(a) $var(b)\");";
    assert_eq!(logged(body), "2147483648 1099511627776");
}

#[test]
fn codes_do_not_outlive_their_message() {
    let mut ran = run("request_route { return 7; } route[LATER] { xlog(\"$rc\"); }");
    ran.machine.begin();
    assert_eq!(ran.run_route("LATER"), "0");
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

#[test]
fn avps_are_lists_with_the_newest_first() {
    let three = "$avp(a) = 1; $avp(a) = 2; $avp(a) = 3;";
    let cases = [
        ("", "3 3 1 <null> <null> 3, 2, 1 3"),
        ("$(avp(a)[*]) = 9;", "9 9 <null> <null> <null> 9 1"),
        ("$(avp(a)[1]) = 9;", "9 9 2 <null> <null> 9, 3, 2, 1 4"),
        ("$avp(A) = $null;", "2 2 <null> <null> <null> 2, 1 2"),
        (
            "$(avp(s:a)[*]) = $null;",
            "<null> <null> <null> <null> <null> <null> 0",
        ),
        (
            "$var(n) = \"A\"; $avp($var(n)) = \"x\";",
            "x x 2 <null> <null> x, 3, 2, 1 4",
        ),
    ];
    for (change, shown) in cases {
        let show = "xlog(\"$avp(a) $(avp(a)[0]) $(avp(a)[2]) $(avp(a)[7]) $(avp(a)[-1]) $(avp(a)[*]) $cnt($avp(a))\");";
        assert_eq!(
            logged(&format!("{three} {change} {show}")),
            shown,
            "{change}"
        );
    }
}

#[test]
fn fields_are_as_kamailio_keeps_them() {
    let show = "xlog(\"$xavp(x[0]=>a) $xavp(x[1]=>a) $(xavp(x[0]=>a[*])) $xavp(x[-1]=>a)\");";
    let cases = [
        ("$xavp(x=>a) = 1; $xavp(x=>a) = 2;", "2 1 2 1"),
        ("$xavp(x=>a) = 1; $xavp(x[0]=>a) = 2;", "2 <null> 2, 1 2"),
        ("$xavp(x=>a) = 1; $xavp(x=>a[0]) = 5;", "5 1 5 1"),
        ("$xavp(x=>a) = 1; $xavp(x[0]=>a[0]) = 5;", "5 <null> 5 5"),
        ("$xavp(x[3]=>a) = 1;", "<null> <null> <null> <null>"),
        (
            "$xavp(x=>a) = 1; $xavp(x[0]=>a) = 5; $xavp(x[0]=>a) = $null;",
            "1 <null> 1 1",
        ),
        (
            "$xavp(x=>a) = 1; $xavp(x[0]=>a) = 5; $xavp(x[0]=>a[1]) = $null;",
            "5 <null> 5 5",
        ),
        (
            "$xavp(x=>a) = 1; $xavp(x[0]=>a) = 5; $xavp(x[0]=>a[*]) = $null;",
            "<null> <null> <null> <null>",
        ),
        (
            "$xavp(x=>a) = 1; $xavp(x=>a) = 2; $xavp(x[1]) = $null;",
            "2 <null> 2 2",
        ),
        (
            "$xavp(x=>a) = 1; $xavp(x=>a) = 2; $xavp(x) = $null;",
            "1 <null> 1 1",
        ),
        (
            "$xavp(x=>a) = 1; $xavp(x=>a) = 2; $xavp(x[*]) = $null;",
            "<null> <null> <null> <null>",
        ),
        (
            "xavp_params_explode(\"b=2; a = v\", \"x\");",
            "v <null> v v",
        ),
        (
            "xavp_child_seti(\"x\", \"a\", \"7\"); xavp_child_sets(\"x\", \"a\", \"8\");",
            "8 <null> 8 8",
        ),
        (
            "$xavp(y=>a) = 4; xavp_copy(\"y\", \"0\", \"x\"); xavp_rm(\"y\");",
            "4 <null> 4 4",
        ),
        (
            "$xavp(x=>a) = 4; xavp_child_rm(\"x\", \"a\");",
            "<null> <null> <null> <null>",
        ),
    ];
    for (change, shown) in cases {
        assert_eq!(logged(&format!("{change} {show}")), shown, "{change}");
    }
    let imploded = "xavp_params_explode(\"k=v;m=n\", \"d\"); xavp_params_implode(\"d\", \"$var(o)\"); xlog(\"$var(o)\");";
    assert_eq!(logged(imploded), "k=v;m=n;");
    let one = "$xavu(u=>a) = 1; $xavu(u=>a) = 2; $xavu(u=>b) = 3; $xavi(I=>F) = 4; xlog(\"$xavu(u=>a)$xavu(u=>b)$xavi(i=>f)\");";
    assert_eq!(logged(one), "234");
}

#[test]
fn variables_of_the_machine_are_what_they_say() {
    let cases = [
        ("xlog(\"$vn(a) $vz(a) $var(q) $shv(q)\");", "<null> 0 0 0"),
        (
            "$shv(a) = \"x\"; $shv(b) = 5; xlog(\"$shv(a)$shv(b)\");",
            "x5",
        ),
        (
            "$sf = 5; setsflag(3); resetsflag(0); xlog(\"$sf $sF\"); issflagset(3); xlog(\" $rc\");",
            "12 0000000C 1",
        ),
        (
            "xlog(\"$Ts $TV(u) $TV(sn) $utime(year)-$utime(mon)-$utime(mday)\");",
            "1700000000 42 1700000000.000042 2023-11-14",
        ),
        (
            "xlog(\"$_s(a$rU)b $(_s(abc){s.len}) $$ $def(NAME) $defn(NAME)1 $def(none)\");",
            "abobb 3 $ 07 71 <null>",
        ),
        (
            "pv_printf(\"$var(o)\", \"<$rU>\"); xlog(\"$var(o)\");",
            "<bob>",
        ),
        (
            "xlog(\"[$(avp(none){s.len})] $(rU{s.substr,1,0}{s.toupper}) $(rU{re.subst,/o/0/})\");",
            "[] OB b0b",
        ),
        (
            "pv_isset(\"$avp(z)\"); xlog(\"$rc\"); $avp(z) = 1; pv_isset(\"$avp(z)\"); xlog(\"$rc\");",
            "-11",
        ),
        (
            "if (is_int(\"$var(q)\") && typeof(\"$avp(z)\", \"null\") && not_empty(\"$rU\")) xlog(\"yes\");",
            "yes",
        ),
        ("$rU = \"al\" + \"ice\"; xlog(\"$rU\");", "alice"),
    ];
    for (body, shown) in cases {
        let config = format!("#!define NAME 07\nrequest_route {{ {body} }}");
        assert_eq!(run(&config).log, shown, "{body}");
    }
}

#[test]
fn what_is_the_machines_own_needs_no_host() {
    use crate::route::table::{InnerKind, function, functions, variable};
    for name in crate::route::OWN_VARIABLES {
        let row = variable(name).expect("a row of the table");
        let shown = match row.inner {
            InnerKind::None => format!("${name}"),
            InnerKind::OneOf(words) => format!("${name}({})", words[0]),
            InnerKind::Fields => format!("${name}(a=>b)"),
            InnerKind::Variable => format!("${name}($var(x))"),
            InnerKind::Name | InnerKind::Format => format!("${name}(x)"),
        };
        logged(&format!("xlog(\"{shown}\");"));
    }
    let own = functions().filter(|row| crate::route::is_own_function(row.name));
    assert_eq!(own.count(), 34, "forms of functions");
    assert!(function("t_relay").all(|row| !crate::route::is_own_function(row.name)));
}

#[test]
fn settings_reach_the_program() {
    let config = r#"
modparam("xlog", "prefix", "$rU: ")
modparam("xlog", "prefix_mode", 1)
modparam("pv", "varset", "a=i:7")
modparam("pv", "varset", "b=s:text")
modparam("pv", "shvset", "c=i:9")
max_while_loops=3
flags CALL:4, OTHER
request_route {
    while (1) { $var(i) = $var(i) + 1; }
    setsflag(CALL);
    xlogl("$var(a)$var(b)$shv(c) $var(i) $sf");
    log("plain");
}
"#;
    let ran = run(config);
    // Five lines stand before the configuration.
    assert_eq!(ran.log, "bob: 17:7text9 3 16plain");
}

#[test]
fn saved_values_come_back() {
    let config = r#"
request_route { $avp(a) = 1; $avp(a) = "two"; $xavp(x=>f) = 3; $xavp(x[0]=>g) = "four"; $var(n) = "made"; $avp($var(n)) = 5; }
route[LATER] { $var(n) = "made"; xlog("$(avp(a)[*]) $xavp(x=>f)$xavp(x=>g) $avp($var(n))$avp(none)"); }
"#;
    let mut ran = run(config);
    let mut saved = Vec::new();
    ran.machine.save(&mut saved);
    ran.machine.begin();
    ran.machine.load(&saved);
    assert_eq!(ran.run_route("LATER"), "two, 1 3four 5<null>");
    ran.machine.begin();
    assert_eq!(ran.run_route("LATER"), "<null> <null><null> <null><null>");
    ran.machine.save(&mut saved);
    assert!(saved.is_empty(), "nothing to keep");
    for end in 0..saved.len() {
        ran.machine.load(&saved[..end]);
    }
}
