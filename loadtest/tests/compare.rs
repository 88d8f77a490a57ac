//! The comparison with the peers, as a whole but tiny: it measures, and writes its page.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_comparison_measures_and_writes_its_page() {
    let out = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_sipload")).parent().unwrap();
    // Built beside it, but not if the load generator alone is tested.
    let subjects = if programs.join("sipshard").exists() {
        ["forwarder", "sipshard"].as_slice()
    } else {
        &["forwarder"]
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("compare.d/main.py");
    let run = Command::new("python3")
        .arg("-B")
        .arg(&script)
        .args([
            "--quick",
            "--only",
            "stateless",
            "--subjects",
            &subjects.join(","),
        ])
        .args(["--rounds", "1", "--seconds", "0.5", "--warm", "0.1"])
        .args(["--scale", "0.02", "--programs"])
        .arg(programs)
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("python3 is there; tests/packages installs it");
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}{errors}");
    let results = fs::read_to_string(out.path().join("compare.json")).unwrap();
    assert_eq!(
        results.matches("\"cpu_us\"").count(),
        subjects.len(),
        "{said}"
    );
    // 120 calls a second for half a second.
    assert!(results.contains("\"calls\": 60,"), "{results}");
    let page = fs::read_to_string(out.path().join("performance.md")).unwrap();
    assert!(page.contains("| bare forwarder | 120 | "), "{page}");
    let picture = out.path().join("performance/stateless.svg");
    assert!(fs::read_to_string(picture).unwrap().ends_with("</svg>\n"));

    // Groups that were measured one by one make one page, if the machine was the same.
    let one = out.path().join("compare.json");
    let other = out.path().join("other.json");
    let kernel = "\"kernel\": \"";
    let elsewhere = results.replacen(kernel, "\"kernel\": \"another ", 1);
    assert_ne!(elsewhere, results);
    fs::write(&other, elsewhere).unwrap();
    let page_of = |second: &Path| {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&script).arg("--page");
        command.arg(&one).arg(second).arg("--out").arg(out.path());
        command.output().unwrap()
    };
    assert!(page_of(&one).status.success());
    let page = fs::read_to_string(out.path().join("performance.md")).unwrap();
    assert!(page.contains("group by group"), "{page}");
    let refused = page_of(&other);
    assert!(!refused.status.success());
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(errors.contains("other.json has other kernel"), "{errors}");
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_built() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("compare");
    for (option, expected) in [
        ("--only", "--only wrong: there are stateless, "),
        ("--subjects", "--subjects wrong: there are direct, "),
    ] {
        let run = Command::new(&script)
            .args([option, "wrong"])
            // Nothing can be built with it.
            .env("CARGO_TARGET_DIR", "/dev/null")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}
