//! The configurations of Kamailio's manuals and packages: not ours, so they are read where they are.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use sipshard::proxy::script::compile;
use sipshard::route::check;
use sipshard::route::diagnostic::Severity;

/// What the tutorial's snippets take for granted.
const FRAME: &str = "loadmodule \"tm\" loadmodule \"xlog\" loadmodule \"dispatcher\"\n";

/// Errors and warnings: line, column, message and help.
fn said(text: &str) -> Vec<String> {
    let read = |path: &str| match path {
        "a.cfg" => Ok(text.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let checked = check("a.cfg", &[], &read).expect("the file");
    let worse = checked.report.iter();
    let worse = worse.filter(|one| one.severity != Severity::Note);
    let shown = worse.map(|one| {
        let place = checked.sources.place(one.span);
        let help = one.help.join("; ");
        format!("{}:{}: {} ({help})", place.line, place.column, one.message)
    });
    shown.collect()
}

/// Whether nothing is an error.
fn runs(text: &str) -> bool {
    let read = |path: &str| match path {
        "a.cfg" => Ok(text.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    };
    compile("a.cfg", &[], &read).is_ok()
}

/// A file of the folder of manuals, if there is one; says so if not.
fn manual(name: &str) -> Option<String> {
    let Ok(folder) = env::var("SIPSHARD_SEEDS_DIR") else {
        eprintln!("not checked: SIPSHARD_SEEDS_DIR names no folder with {name}");
        return None;
    };
    let path = Path::new(&folder).join(name);
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The last example of this title, between lines of three dots.
fn example(manual: &str, title: &str) -> String {
    let at = manual.rfind(title).expect(title);
    let (_, from) = manual[at..]
        .split_once("...\n")
        .expect("a first line of dots");
    let (text, _) = from.split_once("\n...").expect("a last line of dots");
    text.to_owned()
}

fn installed(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        eprintln!("not checked: {path} is not there (Debian's package kamailio has it)");
    }
    text
}

#[test]
fn the_sample_of_kamailio_3_is_clean() {
    if let Some(manual) = manual("kamailio-3-dispatcher.txt") {
        assert_eq!(
            said(&example(&manual, "Example 1.32.")),
            Vec::<String>::new()
        );
    }
}

#[test]
fn the_sample_of_openser_is_clean() {
    if let Some(manual) = manual("openser-dispatcher.txt") {
        assert_eq!(
            said(&example(&manual, "Example 1-5.")),
            Vec::<String>::new()
        );
    }
}

#[test]
fn names_are_resolved_at_load_only() {
    let with = |name: &str, value: u32| {
        said(&format!(
            "{FRAME}modparam(\"dispatcher\", \"{name}\", {value})\nrequest_route {{ ds_select_dst(1, 4); t_relay(); }}\n"
        ))
    };
    let names = |said: Vec<String>| {
        said.into_iter()
            .filter(|one| one.contains("ds_dns"))
            .count()
    };
    for (name, value, errors) in [
        ("ds_dns_mode", 1, 0),
        ("ds_dns_mode", 4, 1),
        ("ds_dns_interval", 60, 0),
        ("ds_dns_match_all", 1, 1),
    ] {
        assert_eq!(names(with(name, value)), errors, "{name} {value}");
    }
}

/// The sample of Kamailio 4, with a list instead of a database.
fn sample_of_kamailio_4() -> Option<String> {
    let text = example(&manual("kamailio-4-dispatcher.txt")?, "Example 1.41.");
    Some(text.replace("\"db_url\", DBURL", "\"list_file\", \"list\""))
}

#[test]
fn the_sample_of_kamailio_4_is_clean_once_its_lines_are_joined() {
    let Some(text) = sample_of_kamailio_4() else {
        return;
    };
    let joined = [
        ("404 fr\nom", "404 from"),
        ("... i\ngnore", "... ignore"),
        (";s\nrc_ip", ";src_ip"),
    ];
    let text = joined.iter().fold(text, |text, (broken, whole)| {
        assert!(text.contains(broken), "{broken}");
        text.replace(broken, whole)
    });
    assert_eq!(said(&text), Vec::<String>::new());
}

#[test]
fn the_sample_of_kamailio_4_as_printed_has_three_broken_lines() {
    let Some(text) = sample_of_kamailio_4() else {
        return;
    };
    let said = said(&text);
    let places: Vec<_> = said
        .iter()
        .filter(|line| line.contains("hard line wrap"))
        .collect();
    assert_eq!((said.len(), places.len()), (4, 4), "{said:?}");
    let lines: BTreeSet<_> = said.iter().map(|line| line.split(':').next()).collect();
    // The text is said of twice: it holds a line break, and is no accounting field.
    assert_eq!(lines.len(), 3, "{said:?}");
}

#[test]
fn the_snippets_of_the_tutorial_say_what_is_wrong_with_them() {
    let Some(text) = manual("kamailio-5-dispatcher-tutorial.txt") else {
        return;
    };
    let cut = |from: &str, to: &str| {
        let at = text.find(from).expect(from);
        let end = text[at..].find(to).expect(to) + at;
        text[at..end].to_owned()
    };
    let parameters = cut("modparam(\"dispatcher\", \"db_url\"", "Most of these");
    let parameters = parameters.lines().skip(1).collect::<Vec<_>>().join("\n");
    let first = cut("if(method==\"INVITE\"){\n   ds_select_dst(1, 4)", "Now let");
    let second = cut(
        "if(method==\"INVITE\"){\n                ds_select_dst(1, 12)",
        "And the failure",
    );
    let failure = cut("route[DISPATCH_FAILURE]", "ds_next_dst() gets");
    let relay = "route[RELAY] { t_relay(); exit; }";
    let framed = format!("{FRAME}{parameters}\nroute {{\n{first}\n}}\n{relay}\n");
    assert_eq!(said(&framed), Vec::<String>::new());
    let framed = format!("{FRAME}{parameters}\nroute {{\n{second}\n}}\n{failure}\n{relay}\n");
    let said = said(&framed);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(runs(&framed));
    assert!(said[0].contains("there is no failure_route[DISPATCH_FAILURE]"));
    assert!(said[1].contains("no destinations are kept for failover"));
    assert!(said[2].contains("algorithm 12 calls all destinations at once"));
}

/// A configuration with its lines on these modules left out, and with these calls of theirs false.
fn without(text: &str, modules: &[&str], calls: &[&str]) -> String {
    let named = |line: &str| {
        let is_of = |module: &&str| {
            let load = format!("loadmodule \"{module}.so\"");
            let parameter = format!("modparam(\"{module}\"");
            line.starts_with(&load) || line.starts_with(&parameter)
        };
        modules.iter().any(is_of)
    };
    let kept: Vec<_> = text.lines().filter(|line| !named(line)).collect();
    let text = kept.join("\n");
    calls.iter().fold(text, |text, call| {
        assert!(text.contains(call), "{call}");
        text.replace(call, "(1 == 2)")
    })
}

/// What stands in it outside of its `#!ifdef`s, read by hand: 20 modules, of which usrloc and registrar
/// keep and look up registrations, which is no work for a balancer. Its routes call two functions of
/// theirs. jsonrpcs, ctl, cfg_rpc and counters serve commands, which sipshard does in its own way.
#[test]
fn the_default_configuration_of_kamailio_lists_what_is_not_here() {
    let Some(text) = installed("/etc/kamailio/kamailio.cfg") else {
        return;
    };
    // Of Debian's 5.6.3; another release may have other lines.
    if !text.contains("Kamailio SIP Server v5.6") {
        eprintln!("not checked: /etc/kamailio/kamailio.cfg is not of 5.6");
        return;
    }
    let said = said(&text);
    let message = |line: &String| line.splitn(3, ':').nth(2).map(str::to_owned);
    let messages: Vec<_> = said.iter().filter_map(message).collect();
    assert_eq!(
        messages,
        [
            " sipshard has no module usrloc ()",
            " sipshard has no module registrar ()",
            " no such function: save ()",
            " no such function: lookup ()",
        ]
    );
    // There is nothing else: without these four it runs.
    let calls = ["save(\"location\")", "lookup(\"location\")"];
    let rest = without(&text, &["usrloc", "registrar"], &calls);
    assert_eq!(self::said(&rest), Vec::<String>::new());
    assert!(runs(&rest));
}

#[test]
fn the_shipped_sample_of_the_dispatcher_lacks_only_its_database() {
    // Debian's package leaves it out; a source tree of Kamailio has it.
    let Ok(path) = env::var("SIPSHARD_KAMAILIO_DISPATCHER_CFG") else {
        eprintln!(
            "not checked: SIPSHARD_KAMAILIO_DISPATCHER_CFG names no dispatcher.cfg of Kamailio's sources"
        );
        return;
    };
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let said = said(&text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("db_url is not supported"), "{said:?}");
}

#[test]
fn the_examples_of_kamailio_are_read_without_a_panic() {
    let folder = Path::new("/usr/share/doc/kamailio/examples");
    let mut open = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            open.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if path.extension().is_some_and(|extension| extension == "cfg") {
            let read = |path: &str| fs::read(path).map_err(|error| error.to_string());
            let path = path.to_string_lossy();
            let checked = check(&path, &[], &read).expect("the file");
            checked.report.render(&checked.sources, false);
            count += 1;
        }
    }
    if count == 0 {
        eprintln!("not checked: there is no {}", folder.display());
    }
}
