//! The documents say what the program does: lists are compared with the tables they come from, and
//! links with the files they lead to. `UPDATE_DOCS=1 cargo test --test docs` writes the lists anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sipshard::control::methods::METHODS;
use sipshard::dispatch::select::ALGORITHMS;
use sipshard::route::listing;

const MANUAL: &str = "docs/sipshard.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// Compares the block that follows the mark with what it should be, or writes it anew.
fn assert_block(mark: &str, expected: &str) {
    let text = read(MANUAL);
    let opening = format!("<!-- {mark}: ");
    let start = text.find(&opening).expect("the mark of a list");
    let start = start + text[start..].find("```\n").expect("the list begins") + 4;
    let end = start
        + text[start..]
            .find("```\n<!-- end -->")
            .expect("the list ends");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let new = format!("{}{expected}{}", &text[..start], &text[end..]);
        return fs::write(root().join(MANUAL), new).expect("the manual can be written");
    }
    assert_eq!(
        &text[start..end],
        expected,
        "UPDATE_DOCS=1 cargo test --test docs writes it anew"
    );
}

/// Both lists are in one file: one test, or they would write it at the same time.
#[test]
fn the_manual_lists_every_parameter_and_every_method() {
    assert_block("parameters", &listing());
    let methods = METHODS.iter().fold(String::new(), |mut text, method| {
        let head = format!("{} {}", method.name, method.parameters);
        // Writing to a string cannot fail.
        writeln!(text, "  {}\n      {}", head.trim_end(), method.help).ok();
        text
    });
    assert_block("methods", &methods);
}

#[test]
fn the_manual_and_the_readme_name_every_algorithm() {
    let (manual, readme) = (read(MANUAL), read("README.md"));
    for algorithm in ALGORITHMS {
        let row = format!("| {} | ", algorithm.number);
        assert!(manual.contains(&row), "{MANUAL}: {}", algorithm.name);
        let mention = format!("| algorithm {}, ", algorithm.number);
        assert!(readme.contains(&mention), "README.md: {}", algorithm.name);
    }
}

#[test]
fn links_lead_somewhere() {
    let documents = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/sipshard.md",
        "docs/architecture.md",
        "docs/compatibility.md",
    ];
    let mut lost = Vec::new();
    for document in documents {
        let directory = Path::new(document).parent().expect("it is a file");
        for link in links(&read(document)) {
            let path: PathBuf = root().join(directory).join(&link);
            if !path.exists() {
                lost.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

/// The targets of links within the project.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .map(str::to_owned)
        .collect()
}
