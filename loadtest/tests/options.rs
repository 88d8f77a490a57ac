//! SIPp's options, given to SIPp and to sipload: both play the same scenario to the same effect.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

const SIPLOAD: &str = env!("CARGO_BIN_EXE_sipload");
const REQUESTS: &str = include_str!("options/requests.xml");

/// A program that plays a scenario, to its end.
fn play(program: &str, directory: &Path, scenario: &str, arguments: &str) -> Command {
    let file = directory.join("scenario.xml");
    std::fs::write(&file, scenario).unwrap();
    let own: &[&str] = if program == SIPLOAD {
        &["-q", "--threads", "1"]
    } else {
        &["-nostdin"]
    };
    let mut command = Command::new(program);
    command
        .arg("-sf")
        .arg(file)
        .args(["-i", "127.0.0.1"])
        .args(own)
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What a program sends to somebody who never answers: of each message the lines with one of these headers.
/// The program's own number is PID in them.
fn sent(program: &str, scenario: &str, arguments: &str, headers: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let mut command = play(program, directory.path(), scenario, arguments);
    let mut child = command.arg(&address).spawn().unwrap();
    let pid = child.id().to_string();
    child.wait().unwrap();
    // All that it has sent waits in the socket.
    target.set_nonblocking(true).unwrap();
    let mut lines = Vec::new();
    let mut bytes = [0; 2_000];
    while let Ok(length) = target.recv(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]);
        let wanted = text
            .lines()
            .filter(|line| headers.iter().any(|header| line.starts_with(header)));
        let wanted: Vec<String> = wanted.map(|line| line.replace(&pid, "PID")).collect();
        lines.push(wanted.join(", "));
    }
    lines
}

#[test]
fn base_cseq_is_the_number_of_the_first_request() {
    let arguments = |base: &str| format!("-m 1 {base}");
    for (base, expected) in [
        ("", ["1 OPTIONS", "1 ACK", "2 BYE"]),
        ("-base_cseq 77", ["77 OPTIONS", "77 ACK", "78 BYE"]),
        ("-base_cseq 0", ["0 OPTIONS", "0 ACK", "1 BYE"]),
    ] {
        let expected = expected.map(|value| format!("CSeq: {value}"));
        for program in ["sipp", SIPLOAD] {
            let lines = sent(program, REQUESTS, &arguments(base), &["CSeq:"]);
            assert_eq!(lines, expected, "{program} {base}");
        }
    }
}

#[test]
fn call_ids_have_the_form_that_is_asked_for() {
    for (form, expected) in [
        ("%u-%p@%s", "1-PID@127.0.0.1"),
        ("a%%%s.%u", "a%127.0.0.1.1"),
        ("[%p]", "[PID]"),
    ] {
        let arguments = format!("-m 1 -cid_str {form}");
        for program in ["sipp", SIPLOAD] {
            let lines = sent(program, REQUESTS, &arguments, &["Call-ID:"]);
            let expected = format!("Call-ID: {expected}");
            assert_eq!(lines, [expected.as_str(); 3], "{program} {form}");
        }
    }
}

#[test]
fn without_retransmissions_each_message_is_sent_once() {
    // Nobody answers: the call waits for some of the first intervals.
    let scenario = REQUESTS
        .replacen("<send>", "<send retrans=\"50\">", 1)
        .replacen(
            "</send>",
            "</send><recv response=\"200\" timeout=\"600\"/>",
            1,
        );
    for program in ["sipp", SIPLOAD] {
        let once = sent(program, &scenario, "-m 1 -nr", &["CSeq:"]);
        assert_eq!(once, ["CSeq: 1 OPTIONS"], "{program}");
        let again = sent(program, &scenario, "-m 1", &["CSeq:"]);
        assert!(again.len() > 1, "{program}: {again:?}");
    }
}
