//! docs/compatibility.md names a test for each difference: the tests must be there.

use std::fs;
use std::path::Path;

#[test]
fn every_difference_has_the_test_that_its_row_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/compatibility.md")).expect("the page");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Number"));
    let mut named = 0;
    for row in rows.filter(|row| row.matches('|').count() == 5) {
        let cell = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .unwrap_or_default();
        if cell.trim() == "Test" {
            continue;
        }
        let mut file = String::new();
        let words = cell.split('`').skip(1).step_by(2);
        let before = named;
        for word in words {
            if word.contains('/') {
                file = fs::read_to_string(root.join(word)).unwrap_or_else(|_| panic!("no {word}"));
                named += 1;
            } else {
                assert!(
                    file.contains(&format!("fn {word}(")),
                    "no test {word}: {row}"
                );
            }
        }
        assert!(named > before, "no test: {row}");
    }
    assert!(named > 20, "the rows were read");
}
