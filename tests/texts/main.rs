//! Message variables and functions: Debian's Kamailio and sipshard run the same configuration over the
//! same messages, and must say the same of them and send the same on.
//!
//! Without Kamailio the tests say so and pass. Messages of `SIPSHARD_TORTURE_DIR`, if it is set, are
//! shown too.

mod kamailio;
mod messages;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use kamailio::{Kamailio, SENTINEL, is_installed};
use sipshard::dispatch::Sets;
use sipshard::proxy::{Datagram, Listener, Outbox, Settings, Shard, script};
use sipshard::time::Timestamp;

const HEAD: &str = r#"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "kex.so"
loadmodule "corex.so"
modparam("sanity", "autodrop", 0)
modparam("sanity", "noreply", 1)
"#;

/// sipshard with a configuration, as far as a message comes.
struct Ours {
    shard: Shard,
    source: SocketAddr,
}

impl Ours {
    fn new(configuration: &str, own: SocketAddr, source: SocketAddr) -> Self {
        let read = |_: &str| Ok(configuration.as_bytes().to_vec());
        let program = script::compile("test.cfg", &[], &read);
        let program = program.unwrap_or_else(|error| panic!("{error}"));
        let settings = Settings {
            listeners: vec![Listener::from(own)],
            unix_origin: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .expect("after 1970"),
            program: Some(Arc::new(program)),
            ..Settings::default()
        };
        let sets = Arc::new(Sets::default());
        let now = Timestamp::from_secs(1000);
        let shard = Shard::new(0, Arc::new(settings), sets, 7, 8, now);
        Self { shard, source }
    }

    /// The lines of the script, and what was sent.
    fn show(&mut self, message: &[u8]) -> (Vec<String>, Option<Vec<u8>>) {
        let mut out = Outbox::new();
        let now = Timestamp::from_secs(1000);
        let datagram = Datagram {
            socket: 0,
            source: self.source,
            received: now,
            bytes: message,
        };
        self.shard.receive(now, datagram, &mut out);
        let lines = out.log_lines().map(|(_, line)| {
            let line = String::from_utf8_lossy(line);
            let line = line.strip_prefix("<script>: ").unwrap_or(&line);
            line.trim_end_matches('\n').to_owned()
        });
        let lines = lines.collect();
        let sent = out.packets().first().map(|one| out.bytes(one).to_vec());
        (lines, sent)
    }
}

/// The main route: what is done, but to the sentinel.
fn route(body: &str) -> String {
    format!(
        "{HEAD}request_route {{\nif ($rU == \"sentinel\") {{ xlog(\"{SENTINEL}\\n\"); exit; }}\n\
         {body}\n}}\n"
    )
}

const PLAIN: &str = "ru rU rd rp rP rz rm rv rs rr ou oU od op oP du dd dp dP fu fU fd fn ft fti tu tU \
    td tn tt tti ci cs csb ct cT cl ua re di dir ai pu pU pd si sp siz sas su sut proto pr prid Ri Rp \
    Ru Rut RAi RAp RAu Rn fs fsn ml mf mF mt mts bs rb mb bf bF au aU ar ad adu aa hdr(X-A) hdr(x-fold) \
    hdr(v) hdr(nope) hdrc(X-A) hdrc(nope) hdrc(v) hfl(X-A) hflc(X-A) hflc(Route) hflc(nope) af(id) \
    af(name) rdir(id) rdir(name) route_uri branch(uri) branch(count) ds";

const INDEXED: &str = "hdr(X-A)[0] hdr(X-A)[1] hdr(X-A)[2] hdr(X-A)[-1] hdr(X-A)[-2] hdr(X-A)[-3] \
    hdr(X-A)[*] hdr(Route)[0] hdr(Route)[1] hdr(Contact)[*] hfl(Route)[0] hfl(Route)[1] hfl(Route)[2] \
    hfl(Route)[3] hfl(Record-Route)[1] hfl(X-A)[1] ai[0] ai[1] ai[2]";

/// Statements that are answered by what they leave in `$rc`.
const CALLS: &str = r#"
has_body()
has_body("application/sdp")
has_body("text/plain")
is_privacy("id")
is_privacy("none")
in_list("a", "a,b", ",")
in_list("$rU", "a,bob", ",")
in_list("x", "a,b", ",")
in_list_prefix("alpha", "al,b", ",")
in_list_prefix("alpha", "x,b", ",")
cmp_str("$rU", "bob")
cmp_istr("$fd", "A.example")
starts_with("$ru", "sip:b")
ends_with("$ru", "abc")
str_find("$ru", "@")
str_find("$fu", "zz")
str_ifind("$ru", "EXAMPLE")
is_present_hf("k")
is_present_hf("Route")
is_present_hf("Nope")
search("^to:")
search("^t.*host>$")
search("INVITE.*17")
search("ex[^x]*x")
search_body("^o=")
search_body("zz")
search_hf("X-A", "four", "a")
search_hf("X-A", "four", "f")
search_hf("X-A", "four", "l")
search_hf("Nope", "four", "l")
is_request()
is_reply()
is_first_hop()
has_totag()
is_supported("100rel")
is_supported("timer")
is_supported("gruu")
is_uri("$fu")
is_uri("http://x")
is_uri("x")
is_numeric("$rU")
is_numeric("0123")
is_alphanum("$rU")
is_alphanum("a-")
is_alphanumex("a-", "-")
is_alphanumex("a-", "+")
is_tel_number("+12")
is_tel_number("1-2")
is_gruu()
is_gruu("sip:x;gr")
is_gruu("sip:x")
uri_param("flag")
uri_param("x")
uri_param("x", "1")
uri_param("x", "2")
uri_param("X", "1")
uri_param_any("x")
uri_param_any("zz")
cmp_uri("sip:a@b", "sip:a@B")
cmp_uri("sip:a@b:5060", "sip:a@b")
cmp_uri("sip:A@b", "sip:a@b")
cmp_uri("sip:a@b;x=1", "sip:a@b")
cmp_uri("sip:a@b;x=1", "sip:a@b;x=2")
cmp_uri("sip:a@b;transport=udp", "sip:a@b")
cmp_uri("sip:a@b;transport=tcp", "sip:a@b;transport=TCP")
cmp_uri("sip:a@b;transport=tcp", "sip:a@b")
cmp_uri("sip:a@b;x=1;y=2", "sip:a@b;y=2;x=1")
cmp_uri("sip:a:p@b", "sip:a@b")
cmp_uri("sips:a@b", "sip:a@b")
cmp_uri("x", "sip:a@b")
cmp_aor("sip:a@b:5060", "sip:a@b:5070")
cmp_aor("sip:A@b", "sip:a@b")
cmp_aor("sips:a@b;x", "sip:a@B")
cmp_aor("tel:a", "sip:a@b")
cmp_hdr_name("f", "From")
cmp_hdr_name("X-a", "x-A")
cmp_hdr_name("X", "Y")
hdr_date_check("10")
hdr_date_check("2000000000")
fnmatch("abc", "a*")
fnmatch("a/b", "a*b")
fnmatch("abc", "a[^b]c")
fnmatch("a]c", "a[]]c")
fnmatch("$fd", "?.ex*")
hf_value_exists("Supported", "path")
hf_value_exists("Supported", "TIMER")
hf_value_exists("Supported", "nope")
hf_value_exists("X-A", "two")
is_user("x")
is_user("u")
is_method("INVITE|BYE")
is_method("MESSAGE")
sanity_check("17895", "7")
sanity_check("256")
sanity_check("4096")
sanity_check("8192")
"#;

/// The statements, and what each is about: `q N null`, `q N =HEX` and `q N CODE` are logged.
fn questions() -> (String, Vec<String>) {
    let mut script = String::new();
    let mut subjects = Vec::new();
    for name in PLAIN.split_whitespace().chain(INDEXED.split_whitespace()) {
        let number = subjects.len();
        writeln!(
            script,
            "if ($({name}) == $null) xlog(\"q {number} null\\n\"); \
             else xlog(\"q {number} =$({name}{{s.encode.hexa}})\\n\");"
        )
        .expect("a string takes all");
        subjects.push(format!("$({name})"));
    }
    for call in CALLS.trim().lines() {
        let number = subjects.len();
        writeln!(script, "{call};\nxlog(\"q {number} $rc\\n\");").expect("a string takes all");
        subjects.push(call.to_owned());
    }
    (script + "exit;\n", subjects)
}

/// What is done to a request before it is sent on; the codes of what is marked by `@` are compared too.
const CHANGES: &[&str] = &[
    r#"append_hf("A: 1\r\n"); append_hf("B: $fU\r\n"); insert_hf("C: 3\r\n"); insert_hf("D: 4\r\n");"#,
    r#"@append_hf("A: 1\r\n", "X-A"); append_hf("B: 2\r\n", "X-A"); insert_hf("C: 3\r\n", "X-A");
       insert_hf("D: 4\r\n", "x-a"); @append_hf("E: 5\r\n", "Nope"); @insert_hf("F: 6\r\n", "Nope");"#,
    r#"@remove_hf("X-A"); append_hf("X-A: new\r\n"); @remove_hf("Nope"); @remove_hf("s");"#,
    r#"@remove_hf_idx("X-A", "0"); @remove_hf_idx("X-Fold", "3"); @remove_hf_idx("k", "-1");"#,
    r#"@remove_hf_re("^user"); @remove_hf_re("^nope"); $var(h) = "Date"; @remove_hf_pv("$var(h)");"#,
    r#"keep_hf("X-F"); append_hf("Y: 1\r\n");"#,
    r#"$fu = "sip:new@from"; $fn = "\"New\""; $tU = "tuser"; $td = "tdom"; $tn = "Tn";"#,
    r#"$fU = "fuser"; $fd = "fdom"; $fn = $null; $tn = $null; $tu = "sip:ttt";"#,
    "$fU = $null;",
    r#"@subst("/alice/ALI\0/g"); @subst("/nothere/x/"); @subst_hf("X-A", "/o/0/g", "a");
       @subst_hf("x-a", "/zzz/0/g", "f"); @subst_hf("X-A", "/u/U$rU/", "l");"#,
    r#"@subst("/^(To|User)(.*)$/\1x\2/ig");"#,
    r#"@subst("/(ft)([0-9])/\2\1/");"#,
    r#"@replace("alice", "ALICE"); @replace("nothere", "x"); @replace_all("example", "test");"#,
    r#"@replace_body("o=", "oooo="); @replace_body("nothere", "x");"#,
    r#"@subst_body("/=/==/g"); @replace_body_all("v", "w"); append_hf("Z: 1\r\n");"#,
    r#"@set_body("hello $fU", "text/plain");"#,
    "@remove_body();",
    r#"@subst_uri("/bob/rob/"); @subst_user("/b/BB/g"); @subst_uri("/zzz/y/"); @subst_user("/^.*$/$fU/");"#,
    r#"append_urihf("Orig: ", "\r\n"); $ru = "sip:x@y"; append_urihf("Orig2: ", "\r\n");"#,
    r#"@include_hf_value("Supported", "path"); @include_hf_value("X-New", "n1");"#,
    r#"@include_hf_value("X-A", "six"); @exclude_hf_value("X-Fold", "zz");"#,
    r#"@exclude_hf_value("k", "timer"); @exclude_hf_value("Supported", "nope");"#,
    r#"@add_uri_param("new=yes"); @uri_param_rm("X"); @uri_param_rm("nope"); @uri_param_rm("flag");"#,
    r#"$rU = "zed"; $rd = "newhost"; $rp = 99;"#,
    r#"$ru = "sip:+12;p=x@h;user=phone"; append_hf("N: $rU|$rz|$rd\r\n"); strip(1); prefix("9"); $rU = "$rU" + "7";
       $rd = "hh"; $rp = 99;"#,
    r#"$ru = "tel:+12;p=x"; append_hf("N: $rU|$rz|$rd\r\n"); $rU = "34"; strip_tail(1); $rp = 99;"#,
    r#"$ru = "tel:+12;p=x"; $rd = "hh";"#,
    r#"$ru = "tel:+12"; sethostport("hh:9");"#,
    r#"$rU = $null; $rp = "";"#,
    r#"$var(u) = "sip:a:pw@h:9;x=1"; $var(n) = "zed"; @set_uri_user("$var(u)", "$var(n)");
       append_hf("U1: $var(u)\r\n"); $var(n) = "hh"; @set_uri_host("$var(u)", "$var(n)");
       append_hf("U2: $var(u)\r\n"); @get_uri_param("x", "$var(g)"); append_hf("G: $var(g)\r\n");
       @get_uri_param("zz", "$var(g)");"#,
];

/// A case for each change; the header X-Case says which.
fn changes(own: SocketAddr) -> String {
    let mut script = format!("$du = \"sip:{own}\";\nswitch ($hdr(X-Case)) {{\n");
    for (number, change) in CHANGES.iter().enumerate() {
        writeln!(script, "case \"{number}\":").expect("a string takes all");
        for statement in change
            .split_inclusive(";\n")
            .flat_map(|line| line.split_inclusive("; "))
        {
            let statement = statement.trim();
            match statement.strip_prefix('@') {
                Some(call) => writeln!(script, "{call} xlog(\"rc $rc\\n\");"),
                None => writeln!(script, "{statement}"),
            }
            .expect("a string takes all");
        }
        script.push_str("break;\n");
    }
    script + "}\nforward();\nexit;\n"
}

/// A message with nothing but the names of its Via lines, whose values differ by what proxies put into
/// them.
fn without_vias(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let lines = text.split_inclusive("\r\n");
    let shown = lines.map(|line| match line.strip_prefix("Via:") {
        Some(_) => "Via\r\n",
        None => line,
    });
    shown.collect()
}

#[test]
fn what_is_changed_is_sent_on_as_kamailio_sends_it() {
    if !is_installed() {
        return;
    }
    let socket = kamailio::socket();
    let own = socket.local_addr().expect("bound");
    let configuration = route(&changes(own));
    let theirs = Kamailio::start(socket, &configuration);
    let mut ours = Ours::new(&configuration, theirs.address, own);
    let rich = String::from_utf8(messages::rich()).expect("text");
    for (number, change) in CHANGES.iter().enumerate() {
        let message = rich.replacen(
            "Max-Forwards",
            &format!("X-Case: {number}\r\nMax-Forwards"),
            1,
        );
        let (seen, sent) = ours.show(message.as_bytes());
        let expected = theirs.show(message.as_bytes());
        let (sent, relayed) = (sent.expect("sent on"), theirs.received().expect("sent on"));
        assert_eq!(without_vias(&sent), without_vias(&relayed), "{change}");
        assert_eq!(seen, expected, "{change}");
    }
}

/// Hex as text that can be read.
fn readable(line: &str) -> String {
    let Some((head, hex)) = line.split_once('=') else {
        return line.to_owned();
    };
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .filter_map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok())
        .collect();
    format!("{head}{:?}", bytes.escape_ascii().to_string())
}

fn torture() -> Vec<Vec<u8>> {
    let Ok(directory) = std::env::var("SIPSHARD_TORTURE_DIR") else {
        return Vec::new();
    };
    let mut messages = Vec::new();
    for kind in ["rfc4475", "rfc5118-wire"] {
        let Ok(files) = std::fs::read_dir(Path::new(&directory).join(kind)) else {
            continue;
        };
        let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
        paths.sort();
        messages.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()));
    }
    messages
}

#[test]
fn what_is_read_of_a_message_is_what_kamailio_reads() {
    if !is_installed() {
        return;
    }
    let (script, subjects) = questions();
    let configuration = route(&script);
    let theirs = Kamailio::start(kamailio::socket(), &configuration);
    let mut ours = Ours::new(&configuration, theirs.address, theirs.source());
    let at = |subject: &str| subjects.iter().position(|one| one == subject);
    let (length, vias, body) = (at("$(ml)"), at("$(hdrc(v))"), at("$(rb)"));
    let mut differences = Vec::new();
    let mut compared = 0;
    for message in messages::all().into_iter().chain(torture()) {
        let (seen, _) = ours.show(&message);
        let expected = theirs.show(&message);
        let line = |lines: &[String], number: usize| {
            let begin = format!("q {number} ");
            let found = lines.iter().find(|line| line.starts_with(&begin));
            found.map(|line| readable(line)).unwrap_or_default()
        };
        let is_cut = length.is_some_and(|at| line(&seen, at) != line(&expected, at));
        let gave_up = vias.is_some_and(|at| line(&expected, at).ends_with("\"0\""))
            || body.is_some_and(|at| line(&expected, at).ends_with("null"));
        // It refuses some messages before its script, and we others. It takes what follows the body for
        // a part of it. At some headers its parser gives up.
        if seen.is_empty() || expected.is_empty() || is_cut || gave_up {
            continue;
        }
        compared += 1;
        assert_eq!(seen.len(), subjects.len(), "{}", message.escape_ascii());
        for (number, subject) in subjects.iter().enumerate() {
            let (seen, expected) = (line(&seen, number), line(&expected, number));
            // Its lines have a limit.
            if seen != expected && !expected.is_empty() {
                let start = message.split(|&byte| byte == b'\r').next();
                let start = start.unwrap_or_default().escape_ascii();
                differences.push(format!("{subject}\n  {seen}\n  {expected}\n  of {start}"));
            }
        }
    }
    assert!(compared >= messages::all().len(), "{compared} messages");
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
