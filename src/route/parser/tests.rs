use super::*;
use crate::route::ast::{
    BinaryOperator, Expression, ExpressionKind, Item, RouteKind, Statement, StatementKind, Value,
};
use crate::route::preprocess::Preprocessor;

fn parsed(text: &str) -> (Config, Vec<String>) {
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let read = |path: &str| match path {
        "a" => Ok(text.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let mut preprocessor = Preprocessor::new(&mut sources, &mut report, &read);
    let tokens = preprocessor.run("a").expect("the file");
    let config = parse(&tokens, &sources, &mut report);
    let said = report.finish();
    let said = said.iter().map(|one| {
        let place = sources.place(one.span);
        format!("{}:{}: {}", place.line, place.column, one.message)
    });
    (config, said.collect())
}

fn clean(text: &str) -> Config {
    let (config, said) = parsed(text);
    assert_eq!(said, Vec::<String>::new(), "{text}");
    config
}

fn faults(text: &str) -> Vec<String> {
    parsed(text).1
}

/// The statements of a route with this body.
fn body(text: &str) -> Vec<Statement> {
    let mut config = clean(&format!("route {{\n{text}\n}}"));
    config.routes.remove(0).body
}

/// An expression with parentheses around all that binds.
fn bound(text: &str) -> String {
    let [statement] = &body(&format!("$var(x) = {text};"))[..] else {
        panic!("one statement");
    };
    let StatementKind::Assign { value, .. } = &statement.kind else {
        panic!("an assignment");
    };
    show(value)
}

fn show(expression: &Expression) -> String {
    match &expression.kind {
        ExpressionKind::Number(number) => number.to_string(),
        ExpressionKind::Text(text) => format!("{:?}", text.value),
        ExpressionKind::Variable(variable) => format!("${}", variable.name),
        ExpressionKind::Word(word)
        | ExpressionKind::Address(word)
        | ExpressionKind::Select(word) => word.clone(),
        ExpressionKind::Call(call) => {
            let arguments: Vec<_> = call.arguments.iter().map(show).collect();
            format!("{}({})", call.name.text, arguments.join(","))
        }
        ExpressionKind::Route(name) => format!("route({})", show(name)),
        ExpressionKind::Unary(operator, of) => format!("({operator:?} {})", show(of)),
        ExpressionKind::Binary(operator, left, right) => {
            let found = BinaryOperator::ALL
                .iter()
                .find(|(_, one, _)| one == operator);
            let sign = found.expect("in the table").0;
            format!("({} {sign} {})", show(left), show(right))
        }
    }
}

#[test]
fn operators_bind_as_in_kamailio() {
    let cases = [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("7 mod 3 + 1", "((7 mod 3) + 1)"),
        (
            "$a == 1 || $b == 2 && $c",
            "(($a == 1) or (($b == 2) and $c))",
        ),
        ("$a and $b or $c", "(($a and $b) or $c)"),
        // Not C's order: bits bind weaker than comparisons, each on a step of its own.
        (
            "1 | 6 & 3 ^ 1 << 2 == 4",
            "(1 | (6 & (3 ^ (1 << (2 == 4)))))",
        ),
        ("1 >> 2 << 3", "((1 >> 2) << 3)"),
        ("! 2 == 0", "((Not 2) == 0)"),
        ("!f() and not g()", "((Not f()) and (Not g()))"),
        ("- $a + ~ 1", "((Minus $a) + (Complement 1))"),
        ("(int)$a + 1", "((ToNumber $a) + 1)"),
        ("(str)3", "(ToText 3)"),
        ("strlen($a) > 3", "((Length $a) > 3)"),
        (
            "defined $a and strempty($b)",
            "((Defined $a) and (IsEmpty $b))",
        ),
        (
            "$a =~ \"^x\" and $b < 1 != 0",
            "(($a =~ \"^x\") and (($b < 1) != 0))",
        ),
        ("$a eq \"x\" or $a ieq 3", "(($a eq \"x\") or ($a ieq 3))"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("0x1F + 010", "(31 + 8)"),
        ("\"a\" \"b\" + 'c\\n'", "(\"ab\" + \"c\\\\n\")"),
        ("uri == myself", "(uri == myself)"),
        ("msg:len >= max_len", "(msg:len >= max_len)"),
        ("src_ip == 10.0.0.0/8", "(src_ip == 10.0.0.0/8)"),
        ("src_ip == [2001:db8::1]", "(src_ip == [2001:db8::1])"),
        (
            "f(udp:127.0.0.1:5060, uri:host, 1)",
            "f(udp:127.0.0.1:5060,uri:host,1)",
        ),
        ("route(A) || route(\"B\")", "(route(A) or route(\"B\"))"),
        ("yes + off", "(1 + 0)"),
    ];
    for (text, expected) in cases {
        assert_eq!(bound(text), expected, "{text}");
    }
}

#[test]
fn routes_have_kinds_and_names() {
    let config = clean(
        "request_route { exit; }\nroute[A] { ; }\nroute[\"B c\"] { ; }\nroute[1] { ; }\n\
         branch_route[b] {;}\nonreply_route {;}\nreply_route[r-1] {;}\nfailure_route[F] {;}\n\
         event_route[dispatcher:dst-down] {;}\nonsend_route {;};",
    );
    let shown: Vec<_> = config
        .routes
        .iter()
        .map(|route| {
            (
                route.kind,
                route.name.as_ref().map(|name| name.text.as_str()),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (RouteKind::Request, None),
            (RouteKind::Request, Some("A")),
            (RouteKind::Request, Some("B c")),
            (RouteKind::Request, Some("1")),
            (RouteKind::Branch, Some("b")),
            (RouteKind::Reply, None),
            (RouteKind::Reply, Some("r-1")),
            (RouteKind::Failure, Some("F")),
            (RouteKind::Event, Some("dispatcher:dst-down")),
            (RouteKind::Send, None),
        ]
    );
}

#[test]
fn statements_of_all_kinds_are_read() {
    let statements = body(
        "if (f()) { exit; };\nif f() g(); else if (h()) { } else drop();\n;\n{ g(); }\n\
         while ($var(i) < 3) $var(i) = $var(i) + 1;\n\
         switch ($rU) { case \"a\": case 2: f(); break; case -1: g(); case /\"^x\": h(); default: return -1; }\n\
         route(X); f(); return; return(1); exit(); drop(2); $avp(s:x) = $null;",
    );
    let kinds: Vec<_> = statements
        .iter()
        .map(|one| {
            let shown = format!("{:?}", one.kind);
            shown
                .split([' ', '(', '{'])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let expected = "If Empty If Empty Block While Switch Call Call Return Return Exit Drop Assign";
    assert_eq!(kinds.join(" "), expected);
    let StatementKind::Switch { cases, .. } = &statements[6].kind else {
        panic!("a switch");
    };
    let bodies: Vec<_> = cases.iter().map(|case| case.body.len()).collect();
    assert_eq!(bodies, [0, 2, 1, 1, 1]);
}

#[test]
fn items_are_read() {
    let config = clean(
        "debug=-1\nlog_facility=LOG_LOCAL0;\nfork=no alias=a.example.com:5060\nalias=\"b\"\n\
         listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5061 name \"in\"\nlisten=[::1]:5060\n\
         mpath=\"/a:/b\"\nloadmodule \"tm.so\"\nmodparam(\"tm|sl\", \"x\", -3)\n\
         modparam(\"acc\", \"e\",\n \"a=1;\"\n \"b=2\")\nflags ACC:1, \"NAT\";\na.b = \"c\" desc \"d\"\n",
    );
    let shown: Vec<_> = config
        .items
        .iter()
        .map(|item| match item {
            Item::Setting { name, value } | Item::Custom { name, value } => {
                let value = match value {
                    Value::Number(number, _) => number.to_string(),
                    Value::Text(text) => format!("{:?}", text.value),
                    Value::Word(word) => word.text.clone(),
                };
                format!("{}={value}", name.text)
            }
            Item::Listen(listen) => format!(
                "{} {:?} {:?}",
                listen.address.text,
                listen.advertise.as_ref().map(|one| &one.text),
                listen.name.as_ref().map(|one| &one.value)
            ),
            Item::ModulePath(path) | Item::LoadModule(path) => path.value.clone(),
            Item::ModParam { modules, name, .. } => format!("{}:{}", modules.value, name.value),
            Item::Flags(flags) => format!("{}", flags.len()),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "debug=-1",
            "log_facility=LOG_LOCAL0",
            "fork=0",
            "alias=a.example.com:5060",
            "alias=\"b\"",
            "udp:127.0.0.1:5060 Some(\"192.0.2.1:5061\") Some(\"in\")",
            "[::1]:5060 None None",
            "/a:/b",
            "tm.so",
            "tm|sl:x",
            "acc:e",
            "2",
            "a.b=\"c\"",
        ]
    );
}

#[test]
fn an_address_may_come_out_of_a_define() {
    let config = clean("#!define IP \"192.0.2.1\"\n#!define PORT 5070\nlisten=udp:IP:PORT");
    let Some(Item::Listen(listen)) = config.items.first() else {
        panic!("a socket");
    };
    assert_eq!(listen.address.text, "udp:192.0.2.1:5070");
}

#[test]
fn every_fault_is_found_in_one_run() {
    let text = "debug 3\nloadmodule tm\nroute {\n  f()\n  g(;\n  $ru + 1;\n  if (x) { h(1,); }\n  forward;\n}\n\
                route[A] {\n  exit\n}\nfalure_route[B] { exit; }\nroute[C] { f(); }";
    assert_eq!(
        faults(text),
        [
            "1:1: a parameter, a module or a route expected, found debug",
            "2:12: the name of a module expected, in quotes",
            "4:6: ; expected behind this statement",
            "5:5: a value expected",
            "6:7: = expected",
            "7:16: an argument is missing here",
            "8:3: this does nothing",
            "11:7: ; expected behind this statement",
            "13:1: a parameter, a module or a route expected, found falure_route",
        ]
    );
    assert_eq!(parsed(text).0.routes.len(), 3);
}

#[test]
fn a_missing_brace_costs_its_own_route_only() {
    let text = "route {\n  if (f()) {\n    exit;\n}\nroute[A] { g(); }";
    let (config, said) = parsed(text);
    assert_eq!(said, ["5:1: } expected"]);
    assert_eq!(config.routes.len(), 2);
}

#[test]
fn signs_of_other_languages_are_named() {
    for (text, fault) in [
        ("$var(a) = 7 % 3;", "2:13: no operator of this language"),
        (
            "if ($ru !~ \"x\") exit;",
            "2:9: no operator of this language",
        ),
        (
            "if ($var(a) = 3) exit;",
            "2:13: no operator of this language",
        ),
        (
            "$var(a) = \"a\" . \"b\";",
            "2:15: no operator of this language",
        ),
        ("$var(a) += 7;", "2:9: = expected"),
        ("if (f()) { g(); }; else h();", "2:20: else without if"),
    ] {
        let said = faults(&format!("route {{\n{text}\n}}"));
        assert_eq!(said, [fault], "{text}");
    }
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("route {{ $var(x) = {}1; }}", "(".repeat(5000));
    assert!(
        faults(&deep)
            .iter()
            .any(|one| one.contains("nested too deep"))
    );
    let deep = format!("route {{ {} }}", "if (1) ".repeat(5000));
    assert!(
        faults(&deep)
            .iter()
            .any(|one| one.contains("nested too deep"))
    );
    let long = |count| format!("route {{ $var(x) = {}1; }}", "1 + ".repeat(count));
    assert_eq!(faults(&long(900)), Vec::<String>::new());
    assert_eq!(faults(&long(100_000)).len(), 1);
    let deep = format!(
        "route {{ $var(x) = {}1{}; }}",
        "$avp(".repeat(5000),
        ")".repeat(5000)
    );
    assert!(
        faults(&deep)
            .iter()
            .any(|one| one.contains("nested too deep"))
    );
}
