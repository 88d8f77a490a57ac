use super::*;
use crate::route::diagnostic::Severity;

mod lints;
mod property;

/// Modules and routes that tests may use; one line, so that places are easy to count.
const FRAME: &str = "loadmodule \"tm\" loadmodule \"sl\" loadmodule \"pv\" loadmodule \"xlog\" \
     loadmodule \"textops\" loadmodule \"siputils\" loadmodule \"dispatcher\" loadmodule \"rr\" \
     loadmodule \"kex\" loadmodule \"maxfwd\" loadmodule \"acc\" loadmodule \"tmx\"\n";

fn checked(text: &str) -> Checked {
    checked_with(&[("a.cfg", text)])
}

fn checked_with(files: &[(&str, &str)]) -> Checked {
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    };
    check(files[0].0, &[], &read).expect("the file")
}

/// Errors and warnings, a line each, without those of the frame.
fn said(text: &str) -> Vec<String> {
    lines(&checked(text))
}

fn lines(checked: &Checked) -> Vec<String> {
    let worse = checked
        .report
        .iter()
        .filter(|one| one.severity != Severity::Note);
    let shown = worse.map(|one| {
        let place = checked.sources.place(one.span);
        let help: Vec<_> = one.help.iter().map(|help| format!(" ({help})")).collect();
        let (line, column) = (place.line, place.column);
        format!("{line}:{column}: {}{}", one.message, help.concat())
    });
    shown.collect()
}

/// What is said of a statement of the request route.
fn of_statement(statement: &str) -> Vec<String> {
    said(&format!("{FRAME}route {{\n{statement}\n}}"))
}

fn one_of_statement(statement: &str) -> String {
    let said = of_statement(statement);
    assert_eq!(said.len(), 1, "{statement}: {said:?}");
    said.into_iter().next().unwrap_or_default()
}

#[test]
fn a_message_looks_as_rustc_shows_it() {
    let checked =
        checked("loadmodule \"dispatcher.so\"\nroute {\n\tds_selct_dst(\"1\", \"4\");\n}\n");
    assert_eq!(
        checked.report.render(&checked.sources, false),
        "\
error: no such function: ds_selct_dst
 --> a.cfg:3:2
  |
3 |     ds_selct_dst(\"1\", \"4\");
  |     ^^^^^^^^^^^^
  |
  = help: did you mean ds_select_dst?

"
    );
}

#[test]
fn a_message_names_the_file_that_was_included() {
    let files = [
        (
            "a.cfg",
            "include_file \"b.cfg\"\nroute {\n\troute(B);\n\troute(X);\n}\n",
        ),
        ("b.cfg", "route[B] {\n\tfoo();\n}\nroute[B] {\n\texit;\n}\n"),
    ];
    let checked = checked_with(&files);
    assert_eq!(
        checked.report.render(&checked.sources, false),
        "\
error: there is no route[X]
 --> a.cfg:4:8
  |
4 |     route(X);
  |           ^

error: no such function: foo
 --> b.cfg:2:2
  |
2 |     foo();
  |     ^^^

error: this route is there already
 --> b.cfg:4:1
  |
1 | route[B] {
  | -------- here
...
4 | route[B] {
  | ^^^^^^^^

"
    );
}

#[test]
fn notes_take_a_line_each() {
    let checked = checked("children=4\nloadmodule \"ctl.so\"\nroute { exit; }\n");
    assert_eq!(
        checked.report.render(&checked.sources, false),
        "\
a.cfg:1:1: note: children means nothing here: sipshard is one process; --workers says how many threads relay
a.cfg:2:12: note: module ctl does nothing here: commands come over sipshard's own control socket, which kamcmd speaks
"
    );
    assert!(!checked.report.has_errors());
}

#[test]
fn functions_are_known_with_their_arguments() {
    for good in [
        "ds_select_dst(\"1\", \"4\");",
        "ds_select_dst(1, 4, $var(limit));",
        "ds_select_dst(\"$var(set)\", \"4\");",
        "xlog(\"x $ru\"); xlog(\"L_DBG\", \"x $(ru{s.len})\\n\");",
        "if (is_method(\"INVITE|BYE\") && $rU == $null && method == INVITE) exit;",
        "setflag(1); sl_send_reply(\"404\", \"No $rU\"); send_reply(404, \"x\");",
        "forward(); forward(\"192.0.2.1\", 5060); forward(192.0.2.1); force_send_socket(udp:127.0.0.1:5060);",
        "t_on_failure(\"0\"); t_check_status(\"[56][0-9][0-9]\");",
        "$avp(x) = $hdr(Call-ID) + \"x\"; $(avp(s:x)[*]) = $null; $xavp(a=>b) = 1; $du = $null;",
        "if (src_ip == 10.0.0.0/8 or uri == myself or proto == UDP) drop();",
        "pv_printf(\"$var(x)\", \"$ru\");",
    ] {
        assert_eq!(of_statement(good), Vec::<String>::new(), "{good}");
    }
}

/// Calls that do not fit, and what is said of them.
const CALLS: &[(&str, &str)] = &[
    ("foo_bar_baz();", "3:1: no such function: foo_bar_baz"),
    (
        "sl_snd_reply(\"404\", \"x\");",
        "3:1: no such function: sl_snd_reply (did you mean sl_send_reply?)",
    ),
    (
        "ds_select_dst(\"1\");",
        "3:1: ds_select_dst does not take 1 arguments (it is called as ds_select_dst(set, alg[, limit]))",
    ),
    (
        "ds_select_dst(\"one\", \"4\");",
        "3:15: the argument set of ds_select_dst is a number or a pseudo-variable (it is called as ds_select_dst(set, alg[, limit]))",
    ),
    (
        "t_drop_replies();",
        "3:1: t_drop_replies cannot be called in route (it can in failure_route)",
    ),
    (
        "record_route_preset();",
        "3:1: record_route_preset does not take 0 arguments (it is called as record_route_preset(address[, second]))",
    ),
    (
        "is_method(INVITE);",
        "3:11: the argument methods of is_method is methods in quotes, such as \"INVITE|BYE\" (in quotes: \"INVITE\")",
    ),
    (
        "is_method(\"INVITE|BYEE\");",
        "3:19: no known method: BYEE (did you mean BYE?)",
    ),
    ("t_on_failure(\"X\");", "3:14: there is no failure_route[X]"),
    ("route(X);", "3:7: there is no route[X]"),
];

/// Other statements that do not fit, and what is said of them.
const VALUES: &[(&str, &str)] = &[
    ("$si = \"x\";", "3:1: $si cannot be set"),
    (
        "$var(x) = $nosuch;",
        "3:11: no such pseudo-variable: $nosuch",
    ),
    (
        "$var(x) = $ret_code;",
        "3:11: no such pseudo-variable: $ret_code (did you mean $retcode?)",
    ),
    (
        "$var(x) = $hdr;",
        "3:11: this variable is written $hdr(name)",
    ),
    ("$var(x) = $ru(x);", "3:11: this variable is written $ru"),
    (
        "xlog(\"from $fuu\\n\");",
        "3:12: no such pseudo-variable: $fuu (did you mean $fu?)",
    ),
    (
        "xlog(\"a\\tb $(ru{s.lne})\");",
        "3:16: no such transformation: {s.lne} (did you mean {s.len}?)",
    ),
    (
        "$var(x) = $(ru{s.substr,1});",
        "3:15: {s.substr} takes 2 arguments, not 1 (from a place, so many characters; 0: all that follow)",
    ),
    (
        "xlog(\"100% $\");",
        "3:12: a pseudo-variable has a name: $ru, $hdr(Call-ID), $(ru{s.len}) (a dollar sign itself is $$)",
    ),
    (
        "$var(x) = $dsv(kode);",
        "3:11: $dsv has no kode (did you mean code?) (it has code, reason, flags, uri, setid, group)",
    ),
    (
        "if (FLT_ACC) exit;",
        "3:5: no such word: FLT_ACC (is a #!define FLT_ACC missing? Texts stand in quotes)",
    ),
    (
        "if (metod == \"INVITE\") exit;",
        "3:5: no such word: metod (did you mean method?)",
    ),
    ("if ($ru =~ \"(a\") exit;", "3:12: not a regular expression"),
    (
        "if (@ruri.user == \"x\") exit;",
        "3:5: selects are not supported: @ruri.user (most have a pseudo-variable: @ruri.user is $rU)",
    ),
    ("setflag(32);", "3:9: flags have numbers from 0 to 31"),
    (
        "$var(x) = 2 + \"3\";",
        "3:15: a number expected, found a text ((int) makes a number of a text, (str) a text of a number)",
    ),
    (
        "xlog(\"L_DEBUG\", \"x\");",
        "3:6: no such level of the log: L_DEBUG (there are L_ALERT, L_CRIT, L_ERR, L_WARN, L_NOTICE, L_INFO and L_DBG)",
    ),
    (
        "xlog(\"a\" + $ru);",
        "3:6: the argument text of xlog is a text or a pseudo-variable (put it into a variable first: $var(x) = ...;)",
    ),
    (
        "$ru = \"sip:$rU@x\";",
        "3:7: no variable in this text is read (join texts and variables by +: \"sip:\" + $rU, or use $_s(...))",
    ),
    (
        "switch ($rU) { case $ru: exit; }",
        "3:21: a case is a number or a text in quotes",
    ),
];

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    for (statement, message) in CALLS.iter().chain(VALUES) {
        assert_eq!(one_of_statement(statement), *message, "{statement}");
    }
}

#[test]
fn a_function_needs_its_module_and_may_be_of_one_that_is_not_here() {
    assert_eq!(
        said("route {\n  sl_send_reply(\"404\", \"x\");\n}"),
        ["2:3: sl_send_reply needs the module sl (loadmodule \"sl.so\")"]
    );
    let checked = checked("loadmodule \"registrar.so\"\nroute {\n  save(\"location\");\n}");
    let labels: Vec<_> = checked
        .report
        .iter()
        .map(|one| one.label.as_str())
        .collect();
    assert_eq!(
        labels,
        [
            "",
            "a function of Kamailio's module registrar, which sipshard does not have"
        ]
    );
    assert_eq!(
        said("loadmodule \"dispacher.so\"\nroute { exit; }"),
        ["1:12: sipshard has no module dispacher (did you mean dispatcher?)"]
    );
}

#[test]
fn a_route_of_another_kind_is_pointed_to() {
    let text = format!("{FRAME}route {{\n t_on_failure(\"F\");\n}}\nroute[F] {{ exit; }}");
    let checked = checked(&text);
    let [error] = &checked.report.iter().collect::<Vec<_>>()[..] else {
        panic!("one error");
    };
    assert_eq!(error.message, "there is no failure_route[F]");
    assert_eq!(error.related[0].1, "this is route[F], another kind");
}

#[test]
fn parameters_are_known_with_their_values() {
    let cases = [
        (
            "debg=3",
            "1:1: no such parameter: debg (did you mean debug?)",
        ),
        (
            "debug=high",
            "1:7: a number expected (is a #!define high missing?)",
        ),
        (
            "children=\"4\"",
            "1:10: a number expected (numbers stand without quotes)",
        ),
        (
            "enable_tls=yes",
            "1:12: enable_tls can only be 0 here (enable_tls: TLS)",
        ),
        (
            "tos=\"x\"",
            "1:1: tos is not supported (tos: the type-of-service byte of what we send)",
        ),
        (
            "listen=tcp:127.0.0.1:5060",
            "1:8: tcp is not supported, only udp is",
        ),
        (
            "listen=udp:eth0:5060",
            "1:8: an IP address expected, found eth0",
        ),
        (
            "listen=udp:127.0.0.1:70000",
            "1:8: a port from 0 to 65535 expected",
        ),
        (
            "a.b=1",
            "1:1: parameters of one's own are not supported (a define does it: #!define A_B ...)",
        ),
        ("flags X:32", "1:7: flags have numbers from 0 to 31"),
        (
            "modparam(\"tm\", \"fr_timer\", 1)",
            "1:10: tm is not loaded (before this: loadmodule \"tm.so\")",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(
            said(&format!("{text}\nroute {{ exit; }}")),
            [message],
            "{text}"
        );
    }
}

/// Module, parameter, value, and what is said of it.
const MODULE_PARAMETERS: &[(&str, &str, &str, &str)] = &[
    (
        "tm|sl",
        "fr_timr",
        "1",
        "1:19: module tm has no parameter fr_timr (did you mean fr_timer?)",
    ),
    (
        "dispatcher",
        "ds_hash_size",
        "99",
        "1:40: 99 is not in 0..24",
    ),
    (
        "dispatcher",
        "ds_hash_size",
        "\"9\"",
        "1:40: a number expected (numbers stand without quotes)",
    ),
    (
        "dispatcher",
        "list_file",
        "9",
        "1:37: a text expected, in quotes",
    ),
    (
        "dispatcher",
        "list_file",
        "LIST",
        "1:37: LIST is not defined (#!define LIST \"...\", or -A LIST=...)",
    ),
    (
        "dispatcher",
        "dst_avp",
        "\"dst\"",
        "1:35: an AVP expected, such as \"$avp(dsdst)\"",
    ),
    (
        "dispatcher",
        "setid_pvar",
        "\"$si\"",
        "1:38: $si cannot be set",
    ),
    (
        "dispatcher",
        "hash_pvar",
        "\"x $zz\"",
        "1:40: no such pseudo-variable: $zz",
    ),
    (
        "dispatcher",
        "ds_ping_reply_codes",
        "\"class=2;koda=3\"",
        "1:56: class or code expected, found \"koda\"",
    ),
    (
        "acc",
        "log_extra",
        "\"a=$ru;b c=$fu\"",
        "1:37: a field of accounting is NAME=VALUE",
    ),
    (
        "acc",
        "log_extra",
        "\"a=$ru;b=$zz\"",
        "1:39: no such pseudo-variable: $zz",
    ),
];

#[test]
fn module_parameters_are_known_with_their_values() {
    for (module, name, value, message) in MODULE_PARAMETERS {
        let first = module.split('|').next().unwrap_or_default();
        let load = format!("loadmodule \"sl\" loadmodule \"{first}\"");
        // On a line of its own, so that columns do not depend on what is loaded.
        let text = format!("modparam(\"{module}\", \"{name}\", {value})\nroute {{ exit; }}");
        let read = |path: &str| match path {
            "a" => Ok(b"include_file \"l\"\ninclude_file \"b\"".to_vec()),
            "l" => Ok(load.clone().into_bytes()),
            "b" => Ok(text.clone().into_bytes()),
            _ => Err("none".to_owned()),
        };
        let checked = check("a", &[], &read).expect("the file");
        let all = lines(&checked);
        let found = all.iter().any(|line| line == *message);
        assert!(found, "{name}: {message}: {all:?}");
    }
}

#[test]
fn aliases_of_old_generations_are_parameters() {
    let text = format!(
        "{FRAME}modparam(\"dispatcher\", \"ds_probing_threshhold\", 3)\n\
         modparam(\"dispatcher\", \"setid_pvar\", \"$var(x)\")\n\
         modparam(\"dispatcher\", \"dst_avp\", \"$avp(dsdst)\")\nroute {{ exit; }}"
    );
    assert_eq!(said(&text), Vec::<String>::new());
}

#[test]
fn events_and_routes_that_are_not_here_are_named() {
    let text = "route { exit; }\nevent_route[dispatcher:dst-dwn] { exit; }\nonsend_route { exit; }\n\
                failure_route { exit; }\nroute { exit; }\nevent_route[dispatcher:dst-up] { exit; }";
    assert_eq!(
        said(text),
        [
            "2:13: no such event: dispatcher:dst-dwn (did you mean dispatcher:dst-down?) (there are dispatcher:dst-down and dispatcher:dst-up)",
            "3:1: onsend_route is not supported (branch_route runs for each branch before it leaves)",
            "4:1: failure_route without a name (failure_route[NAME] is armed by a call for a transaction)",
            "5:1: this route is there already",
        ]
    );
}

#[test]
fn flags_may_have_names() {
    let text = format!("{FRAME}flags ACC:1\nroute {{\nsetflag(ACC); setflag(AC);\n}}");
    assert_eq!(
        said(&text),
        [
            "4:23: no such flag: AC (did you mean ACC?) (flags get names by: flags AC:1; or by #!define)"
        ]
    );
}
