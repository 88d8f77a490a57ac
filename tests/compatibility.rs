//! docs/compatibility.md names a test for each row: the tests must be there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// Whether a file has this function as a test, properties of proptest included.
fn has_test(file: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let lines: Vec<&str> = file.lines().map(str::trim_start).collect();
    let at = lines.iter().position(|line| line.starts_with(&head));
    at.is_some_and(|at| {
        let mut above = lines[..at].iter().rev();
        above.find(|line| !line.starts_with("//")) == Some(&"#[test]")
    })
}

/// The last cells of the rows of tables whose last column is headed `Test`.
fn cells(page: &str) -> Vec<&str> {
    let mut cells = Vec::new();
    let mut is_of_tests = false;
    for line in page.lines() {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
        else {
            is_of_tests &= line.starts_with("|--");
            continue;
        };
        let cell = row.rsplit(" | ").next().unwrap_or(row);
        if cell == "Test" {
            is_of_tests = true;
        } else if is_of_tests {
            cells.push(cell);
        }
    }
    cells
}

/// What is wrong with a cell of the form `` `FILE`: `TEST`, `TEST`; `FILE`: `TEST` ``.
fn fault(cell: &str) -> Option<String> {
    for part in cell.split("; ") {
        let words: Vec<&str> = part.split('`').skip(1).step_by(2).collect();
        let [file, tests @ ..] = &words[..] else {
            return Some(format!("no file: {part}"));
        };
        let Some(text) = read(file) else {
            return Some(format!("no file {file}"));
        };
        if tests.is_empty() {
            return Some(format!("no test of {file} is named"));
        }
        if let Some(lost) = tests.iter().find(|name| !has_test(&text, name)) {
            return Some(format!("no test {lost} in {file}"));
        }
    }
    None
}

#[test]
fn every_row_has_the_tests_that_it_names() {
    let page = read("docs/compatibility.md").expect("the page");
    let cells = cells(&page);
    assert!(cells.len() > 30, "the rows were read: {}", cells.len());
    let faults: Vec<String> = cells.into_iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_lost_test_is_missed() {
    let own = "tests/compatibility.rs";
    assert_eq!(fault(&format!("`{own}`: `a_lost_test_is_missed`")), None);
    for cell in [
        format!("`{own}`"),
        format!("`{own}`: `a_lost_test`"),
        format!("`{own}`: `fault`"),
        "`tests/none.rs`: `a_lost_test_is_missed`".to_owned(),
        String::new(),
    ] {
        assert!(fault(&cell).is_some(), "{cell}");
    }
}
