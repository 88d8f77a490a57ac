//! The configurations of the manuals: not ours, so they are read where they are.

use std::env;
use std::fs;
use std::path::Path;

/// A file of the folder of manuals, if there is one; says so if not.
pub fn manual(name: &str) -> Option<String> {
    let Ok(folder) = env::var("SIPSHARD_SEEDS_DIR") else {
        eprintln!("SKIPPED: SIPSHARD_SEEDS_DIR names no folder with {name}");
        return None;
    };
    let path = Path::new(&folder).join(name);
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The `dispatcher.cfg` of Kamailio's sources, if there is one; says so if not.
pub fn installed_elsewhere() -> Option<String> {
    let Ok(path) = env::var("SIPSHARD_KAMAILIO_DISPATCHER_CFG") else {
        eprintln!(
            "SKIPPED: SIPSHARD_KAMAILIO_DISPATCHER_CFG names no dispatcher.cfg of Kamailio's sources"
        );
        return None;
    };
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// The last example of this title, between lines of three dots.
pub fn example(manual: &str, title: &str) -> String {
    let at = manual.rfind(title).expect(title);
    let (_, from) = manual[at..]
        .split_once("...\n")
        .expect("a first line of dots");
    let (text, _) = from.split_once("\n...").expect("a last line of dots");
    text.to_owned()
}

/// What stands from one text to the next.
pub fn cut(text: &str, from: &str, to: &str) -> String {
    let at = text.find(from).expect(from);
    let end = text[at..].find(to).expect(to) + at;
    text[at..end].to_owned()
}

/// Replaces what must be there.
pub fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// Without the lines that have one of these in them, each of which must be there.
pub fn without(text: &str, marks: &[&str]) -> String {
    for mark in marks {
        assert!(text.contains(mark), "{mark}");
    }
    let kept = text
        .lines()
        .filter(|line| !marks.iter().any(|mark| line.contains(mark)));
    kept.flat_map(|line| [line, "\n"]).collect()
}
