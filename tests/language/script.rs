//! Scripts by chance: statements and expressions that both machines take.
//!
//! Numbers stay below 32 bits, which is all that Kamailio 5.6 has; and types are joined only as its
//! loader takes them: a text in quotes never stands where it wants a number.

use std::fmt;
use std::fmt::Write as _;

use sipshard::rng::Rng;

/// A script: a main route and two that it may call.
pub struct Script {
    number: usize,
    main: String,
    callees: [String; 2],
}

impl fmt::Display for Script {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.number;
        writeln!(out, "route[S{n}] {{\n{}}}", self.main)?;
        writeln!(out, "route[S{n}A] {{\n{}}}", self.callees[0])?;
        writeln!(out, "route[S{n}B] {{\n{}}}", self.callees[1])
    }
}

/// So many scripts; the same for the same seed.
pub fn generate(seed: u64, count: usize) -> Vec<Script> {
    (0..count)
        .map(|number| {
            let mut writer = Writer {
                rng: Rng::from_seed(seed.wrapping_mul(1_000_003).wrapping_add(number as u64)),
                number,
                out: String::new(),
                // From the innermost out: only routes that are there already are called.
                callable: 0,
                depth: 0,
                loops: 0,
                breakable: false,
            };
            let b = writer.route();
            writer.callable = 1;
            let a = writer.route();
            writer.callable = 2;
            let main = writer.route();
            Script {
                number,
                main,
                callees: [a, b],
            }
        })
        .collect()
}

/// All scripts in one configuration, without its listen line.
pub fn configuration(scripts: &[Script]) -> String {
    let mut out = String::new();
    for module in ["sl", "pv", "xlog", "textops", "siputils", "kex"] {
        let _ = writeln!(out, "loadmodule \"{module}.so\"");
    }
    // In Kamailio $rc outlives its message.
    out.push_str("request_route {\n    is_method(\"OPTIONS\");\n");
    for name in NUMBERS.iter().chain(&["i0", "i1", "i2"]) {
        let _ = writeln!(out, "    $var({name}) = 0;");
    }
    for name in TEXTS {
        let _ = writeln!(out, "    $var({name}) = \"\";");
    }
    out.push_str(
        "    $var(trace) = \"\";\n    $var(code) = \"-\";\n    $vn(n) = $null;\n    \
         $var(script) = $rU;\n    route($var(script));\n    $var(code) = $rc;\n    route(REPORT);\n}\n",
    );
    out.push_str("route[REPORT] {\n    sl_send_reply(\"200\", \"Ended $var(code)/$var(trace)");
    for name in NUMBERS.iter().chain(TEXTS) {
        let _ = write!(out, "|$var({name})");
    }
    for name in AVPS {
        let _ = write!(out, "|$(avp({name})[*])");
    }
    out.push_str("|$vn(n)|$(xavp(x[0]=>f[*]))|");
    out.push_str("$xavp(x[1]=>f)|$xavp(x[0]=>g)|$sf|$mf\");\n}\n");
    for script in scripts {
        let _ = write!(out, "{script}");
    }
    out
}

const NUMBERS: &[&str] = &["a", "b", "c", "d"];
const TEXTS: &[&str] = &["s", "t", "u"];
const AVPS: &[&str] = &["x", "y", "z"];
// $rm is not among them: it is a text and a number at once in Kamailio.
const MESSAGE_TEXTS: &[&str] = &[
    "$rd",
    "$rp",
    "$fU",
    "$fd",
    "$ft",
    "$fu",
    "$tU",
    "$td",
    "$tu",
    "$ci",
    "$ua",
    "$hdr(X-List)",
    "$hdr(X-Number)",
    "$si",
];
const LITERALS: &[&str] = &[
    "", "a", "abc", "7", "12", "x-1", "Hello", "0x1f", "-3", "a.b.c",
];

struct Writer {
    rng: Rng,
    number: usize,
    out: String,
    callable: u64,
    depth: usize,
    loops: usize,
    breakable: bool,
}

impl Writer {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next() % bound
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn line(&mut self, text: &str) {
        let indent = "    ".repeat(self.depth + 1);
        let _ = writeln!(self.out, "{indent}{text}");
    }

    fn route(&mut self) -> String {
        self.out.clear();
        let mark = ["b", "a", "m"][self.callable as usize];
        self.line(&format!("$var(trace) = $var(trace) + \"{mark}\";"));
        for _ in 0..2 + self.below(3) {
            self.statement();
        }
        match self.below(4) {
            0 => {
                let code = ["1", "5", "-1", "-3", "2", "$var(d)"][self.below(6) as usize];
                if code == "$var(d)" {
                    self.line("if ($var(d) == 0) { $var(d) = 8; }");
                }
                self.line(&format!("return {code};"));
            }
            1 => self.line("return;"),
            _ => {}
        }
        self.out.clone()
    }

    fn statement(&mut self) {
        let is_deep = self.depth >= 2;
        match self.below(if is_deep { 14 } else { 22 }) {
            0..=3 => self.number_assignment(),
            4..=6 => self.text_assignment(),
            7..=8 => self.avp_statement(),
            9 => self.field_statement(),
            10 => self.flag_statement(),
            11 if self.breakable => {
                let condition = self.condition();
                self.line(&format!("if ({condition}) break;"));
            }
            11 | 12 => self.call_statement(),
            13 => self.ending(),
            14..=17 => self.if_statement(),
            18 | 19 => self.switch_statement(),
            _ => self.while_statement(),
        }
    }

    fn number_assignment(&mut self) {
        let target = self.of(NUMBERS);
        match self.below(8) {
            0 if self.callable > 0 => {
                let call = self.route_call();
                self.line(&format!("$var({target}) = {call};"));
            }
            1 => {
                let variable = self.any_variable();
                self.line(&format!("$var({target}) = $(_s({variable}){{s.len}});"));
            }
            2 => {
                let question = self.condition();
                self.line(&format!("$var({target}) = {question};"));
            }
            3 => {
                let value = self.number(1);
                self.line(&format!("$vn(n) = ({value}) mod 1000;"));
            }
            _ => {
                let value = self.number(2);
                self.line(&format!("$var({target}) = ({value}) mod 1000;"));
            }
        }
    }

    /// Cut, so that digits never make a number beyond 32 bits.
    fn text_assignment(&mut self) {
        let target = self.of(TEXTS);
        let value = self.text(2);
        self.line(&format!("$var({target}) = {value};"));
        self.line(&format!(
            "$var({target}) = $(var({target}){{s.substr,0,8}});"
        ));
    }

    fn avp_statement(&mut self) {
        let target = self.of(AVPS);
        let index = ["", "", "", "[0]", "[1]", "[*]"][self.below(6) as usize];
        let target = if index.is_empty() {
            format!("$avp({target})")
        } else {
            format!("$(avp({target}){index})")
        };
        let value = match self.below(6) {
            0 => "$null".to_owned(),
            1 => format!("\"{}\"", self.of(LITERALS)),
            2 => format!("$(var({}){{s.substr,0,8}})", self.of(TEXTS)),
            3 => format!("$avp({})", self.of(AVPS)),
            _ => format!("({}) mod 1000", self.number(1)),
        };
        self.line(&format!("{target} = {value};"));
    }

    fn field_statement(&mut self) {
        let target = [
            "x=>f",
            "x[0]=>f",
            "x[0]=>f[0]",
            "x[0]=>g",
            "x[1]=>f",
            "x",
            "x[0]",
            "x[0]=>f[*]",
        ][self.below(8) as usize];
        let is_root = !target.contains("=>");
        let value = match self.below(4) {
            _ if is_root || target.ends_with("[*]") => "$null".to_owned(),
            0 => "$null".to_owned(),
            1 => format!("\"{}\"", self.of(LITERALS)),
            _ => format!("$var({})", self.of(NUMBERS)),
        };
        self.line(&format!("$xavp({target}) = {value};"));
    }

    fn flag_statement(&mut self) {
        let flag = self.below(6);
        let function = [
            "setflag",
            "resetflag",
            "setsflag",
            "resetsflag",
            "isflagset",
            "issflagset",
        ][self.below(6) as usize];
        self.line(&format!("{function}({flag});"));
    }

    fn call_statement(&mut self) {
        if self.callable > 0 && self.below(3) > 0 {
            let call = self.route_call();
            return self.line(&format!("{call};"));
        }
        let statement = [
            "is_method(\"BYE\");",
            "is_method(\"INVITE|ACK\");",
            "is_present_hf(\"X-List\");",
            "pv_isset(\"$avp(x)\");",
            "pv_unset(\"$avp(y)\");",
            "is_int(\"$avp(x)\");",
            "not_empty(\"$var(s)\");",
            "typeof(\"$avp(z)\", \"str\");",
            "pv_printf(\"$var(u)\", \"$avp(z)-$var(b)\");",
            "xavp_params_explode(\"f=1;g=2\", \"x\");",
            "xavp_child_sets(\"x\", \"g\", \"set\");",
            "xavp_rm(\"x\");",
            "has_totag();",
        ][self.below(13) as usize];
        self.line(statement);
    }

    fn route_call(&mut self) -> String {
        let number = self.number;
        let name = if self.callable == 2 && self.below(2) == 0 {
            "A"
        } else {
            "B"
        };
        format!("route(S{number}{name})")
    }

    /// The end of everything, after a report.
    fn ending(&mut self) {
        let condition = self.condition();
        let end = ["exit", "drop", "return 0"][self.below(3) as usize];
        if self.below(3) == 0 {
            self.line(&format!("if ({condition}) {{ route(REPORT); {end}; }}"));
        } else {
            self.number_assignment();
        }
    }

    fn block(&mut self) {
        self.depth += 1;
        for _ in 0..=self.below(2) {
            self.statement();
        }
        self.depth -= 1;
    }

    fn if_statement(&mut self) {
        let condition = self.condition();
        self.line(&format!("if ({condition}) {{"));
        self.block();
        match self.below(3) {
            0 => self.line("}"),
            1 => {
                self.line("} else {");
                self.block();
                self.line("}");
            }
            _ => {
                let condition = self.condition();
                self.line(&format!("}} else if ({condition}) {{"));
                self.block();
                self.line("} else {");
                self.block();
                self.line("}");
            }
        }
    }

    fn switch_statement(&mut self) {
        let is_text = self.below(3) == 0;
        let subject = if is_text {
            format!("$var({})", self.of(TEXTS))
        } else {
            ["$var(a)", "$var(b)", "$rc", "$avp(x)", "$(var(c){s.len})"][self.below(5) as usize]
                .to_owned()
        };
        self.line(&format!("switch ({subject}) {{"));
        let outer = std::mem::replace(&mut self.breakable, true);
        let first = self.below(3);
        for case in 0..=self.below(3) {
            let label = if is_text {
                format!(
                    "\"{}\"",
                    LITERALS[((first + case) % LITERALS.len() as u64) as usize]
                )
            } else {
                (first + case).to_string()
            };
            self.line(&format!("case {label}:"));
            self.block();
            if self.below(3) > 0 {
                self.line("    break;");
            }
        }
        if self.below(2) == 0 {
            self.line("default:");
            self.block();
        }
        self.breakable = outer;
        self.line("}");
    }

    fn while_statement(&mut self) {
        if self.loops >= 2 {
            return self.number_assignment();
        }
        // Each depth and each route has a counter of its own: loops end.
        let counter = format!("$var(l{}{})", self.callable, self.loops);
        let rounds = 1 + self.below(4);
        self.line(&format!("{counter} = 0;"));
        self.line(&format!("while ({counter} < {rounds}) {{"));
        self.line(&format!("    {counter} = {counter} + 1;"));
        self.loops += 1;
        let outer = std::mem::replace(&mut self.breakable, true);
        self.block();
        self.breakable = outer;
        self.loops -= 1;
        self.line("}");
    }

    fn any_variable(&mut self) -> String {
        match self.below(5) {
            0 => format!("$var({})", self.of(NUMBERS)),
            1 => format!("$var({})", self.of(TEXTS)),
            2 => format!("$avp({})", self.of(AVPS)),
            3 => "$vn(n)".to_owned(),
            _ => self.of(MESSAGE_TEXTS).to_owned(),
        }
    }

    /// A variable that holds no more than eight digits.
    fn small_variable(&mut self) -> String {
        match self.below(6) {
            0 | 1 => format!("$var({})", self.of(NUMBERS)),
            2 => format!("$var({})", self.of(TEXTS)),
            3 => format!("$avp({})", self.of(AVPS)),
            4 => ["$vn(n)", "$rc", "$rp", "$hdr(X-Number)"][self.below(4) as usize].to_owned(),
            _ => {
                let name = self.of(TEXTS);
                let change = self.of(&["{s.len}", "{s.int}", "{s.substr,0,2}", "{s.numeric}"]);
                format!("$(var({name}){change})")
            }
        }
    }

    /// What the loader takes for a number.
    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(3) {
                0 => self.below(20).to_string(),
                _ => format!("(int){}", self.small_variable()),
            };
        }
        match self.below(12) {
            0 => self.number(0),
            1 => format!("strlen({})", self.any_variable()),
            2 => format!("-({})", self.number(depth - 1)),
            3 => format!("!({})", self.number(depth - 1)),
            4 => self.condition(),
            5 => {
                // A constant 0 divided by 0 is 0 to Kamailio's optimiser.
                let left = self.small_variable();
                let divisor = self.small_variable();
                let operator = self.of(&["/", "mod"]);
                format!("({left}) {operator} {divisor}")
            }
            6 => {
                let left = self.number(depth - 1);
                let shift = self.below(5);
                let operator = self.of(&["<<", ">>"]);
                format!("(({left}) mod 10000) {operator} {shift}")
            }
            7 => format!(
                "(({}) mod 1000) * {}",
                self.number(depth - 1),
                self.below(100)
            ),
            _ => {
                let left = self.number(depth - 1);
                let right = self.number(depth - 1);
                let operator = self.of(&["+", "-", "&", "|", "^"]);
                format!("({left}) {operator} ({right})")
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let literal = format!("\"{}\"", self.of(LITERALS));
        match self.below(if depth == 0 { 3 } else { 8 }) {
            0 => literal,
            1 => self.of(MESSAGE_TEXTS).to_owned(),
            2 => format!("$var({})", self.of(TEXTS)),
            3 => self.transformed(),
            4 => format!("(str)({})", self.number(depth - 1)),
            5 => format!("{literal} + ({})", self.number(depth - 1)),
            _ => {
                let right = self.text(depth - 1);
                format!("{literal} + {right}")
            }
        }
    }

    fn transformed(&mut self) -> String {
        let of = match self.below(4) {
            0 => format!("var({})", self.of(TEXTS)),
            1 => format!("avp({})", self.of(AVPS)),
            _ => self.of(MESSAGE_TEXTS)[1..].to_owned(),
        };
        let change = self.of(&[
            "{s.len}",
            "{s.toupper}",
            "{s.tolower}",
            "{s.substr,1,3}",
            "{s.substr,-3,2}",
            "{s.select,0,.}",
            "{s.select,1,.}",
            "{s.select,-1,@}",
            "{s.strip,2}",
            "{s.striptail,2}",
            "{s.replace,a,bb}",
            "{s.rm,e}",
            "{s.numeric}",
            "{s.int}",
            "{s.escape.user}",
            "{s.encode.hexa}",
            "{s.after,e}",
            "{s.before,e}",
            "{s.corehash,16}",
            "{s.count,a}",
            "{s.trim}{s.len}",
            "{s.toupper}{s.substr,0,4}{s.tolower}",
        ]);
        let special = self.of(&[
            "$(fu{uri.user})",
            "$(fu{uri.host})",
            "$(tu{uri.scheme})",
            "$(ru{uri.port})",
            "$(ru{uri.transport})",
            "$(ru{uri.params})",
            "$(hdr(X-List){param.value,b})",
            "$(hdr(X-List){param.count})",
            "$(hdr(X-List){param.name,1})",
            "$(hdr(X-List){param.in,c})",
            "$(hdr(From){nameaddr.uri})",
            "$(hdr(To){tobody.tag})",
            "$(fd{re.subst,/a(.)/<\\1>/g})",
        ]);
        if self.below(3) == 0 {
            special.to_owned()
        } else {
            format!("$({of}{change})")
        }
    }

    /// What is true or not.
    fn condition(&mut self) -> String {
        match self.below(16) {
            0 => "is_method(\"INVITE\")".to_owned(),
            1 => "!is_method(\"BYE|INVITE\")".to_owned(),
            2 if self.callable > 0 => self.route_call(),
            2 | 3 => format!("$avp({}) == $null", self.of(AVPS)),
            4 => format!("$avp({}) != $null", self.of(AVPS)),
            5 => format!(
                "{} =~ \"{}\"",
                self.any_variable(),
                self.of(&["^a", "[0-9]+$", "E", "^$", "(l|m)"])
            ),
            6 | 7 => {
                let variable = self.any_variable();
                let operator = self.of(&["==", "!="]);
                let literal = self.of(LITERALS);
                format!("{variable} {operator} \"{literal}\"")
            }
            8 => {
                let (left, right) = (self.any_variable(), self.any_variable());
                let operator = self.of(&["==", "!="]);
                format!("{left} {operator} {right}")
            }
            9 => self.small_variable(),
            10 => format!("!{}", self.small_variable()),
            11 | 12 => {
                let (left, right) = (self.simple_condition(), self.simple_condition());
                let operator = self.of(&["and", "or", "&&", "||"]);
                format!("({left}) {operator} ({right})")
            }
            _ => self.simple_condition(),
        }
    }

    fn simple_condition(&mut self) -> String {
        let left = self.small_variable();
        let operator = self.of(&["==", "!=", "<", ">", "<=", ">="]);
        let right = if self.below(2) == 0 {
            self.small_variable()
        } else {
            self.below(12).to_string()
        };
        format!("{left} {operator} {right}")
    }
}
