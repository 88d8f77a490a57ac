//! What sipload says to those who got something wrong: the whole cause, and what to do.

use std::path::Path;
use std::process::{Command, Output};

fn sipload(directory: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sipload"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap()
}

/// The whole text on the standard error output of a command that could not be run.
fn error(directory: &Path, arguments: &str) -> String {
    let output = sipload(directory, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments}: {text}");
    text
}

#[test]
fn errors_of_files_name_their_cause_and_no_usage() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (file, text) in [("empty.csv", ""), ("user.csv", "USER\nann\n")] {
        std::fs::write(directory.join(file), text).unwrap();
    }
    for (arguments, expected) in [
        (
            "-sn options -inf empty.csv",
            "sipload: empty.csv: line 1 is empty: it must be SEQUENTIAL or RANDOM\n",
        ),
        (
            "-sn options -inf user.csv",
            "sipload: user.csv: line 1: USER is not supported: it must be SEQUENTIAL or RANDOM\n",
        ),
        (
            "-sf none.xml",
            "sipload: cannot read none.xml: No such file or directory (os error 2)\n",
        ),
        (
            "find-max -sf none.xml",
            "sipload: cannot read none.xml: No such file or directory (os error 2)\n",
        ),
    ] {
        assert_eq!(error(directory, arguments), expected, "{arguments}");
    }
    // What is wrong with the usage itself still leads to the help.
    let text = error(directory, "--nonsense");
    assert!(text.contains("try '--help'"), "{text}");
}

#[test]
fn scenarios_that_are_not_built_in_are_told_from_unknown_ones() {
    let directory = tempfile::tempdir().unwrap();
    for (name, expected) in [
        (
            "uac",
            "sipload: -sd uac: `-sn uac` is played without XML. With XML there are: options, register\n",
        ),
        (
            "branchc",
            "sipload: -sd branchc: there is no such scenario. With XML there are: options, register\n",
        ),
    ] {
        let text = error(directory.path(), &format!("-sd {name}"));
        assert_eq!(text, expected);
    }
}

#[test]
fn a_server_warns_that_it_calls_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let text = "<scenario><recv request='INVITE'/></scenario>";
    std::fs::write(directory.path().join("server.xml"), text).unwrap();
    let arguments = "-q -sf server.xml -p 0 --duration 0.1 127.0.0.1:5070";
    let output = sipload(directory.path(), arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    // Then it says that it missed its threshold: nobody called it.
    assert_eq!(
        said.lines().next(),
        Some(
            "sipload: warning: server.xml begins with <recv>: it waits for calls, and makes none to 127.0.0.1:5070"
        ),
        "{said}"
    );
}

#[test]
fn a_report_says_what_it_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let run = sipload(directory.path(), "-q -r 100 -m 5 -d 1 --report run");
    assert!(run.status.success());
    let output = sipload(directory.path(), "report run.hlog -o page.html");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "wrote page.html\n");
    assert!(directory.path().join("page.html").exists());
}
