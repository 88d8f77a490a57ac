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

/// Answers each of two calls' OPTIONS with this line. SIPp hangs up what fails: that needs no answer.
fn answer(socket: &UdpSocket, line: &str) {
    let mut bytes = [0; 2_000];
    let mut left = 2;
    while left > 0 {
        let (length, source) = socket.recv_from(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..length]);
        if !text.starts_with("OPTIONS") {
            continue;
        }
        left -= 1;
        let (_, headers) = text.split_once("\r\n").unwrap();
        let text = format!("SIP/2.0 {line}\r\n{headers}");
        socket.send_to(text.as_bytes(), source).unwrap();
    }
}

#[test]
fn what_goes_wrong_is_written_with_its_message() {
    let (first, _) = REQUESTS.split_once("</send>").unwrap();
    let scenario = format!("{first}</send><recv response=\"200\"/></scenario>");
    for program in ["sipp", SIPLOAD] {
        for (line, entries) in [("486 Busy Here", 2), ("200 OK", 0)] {
            let directory = tempfile::tempdir().unwrap();
            let target = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = target.local_addr().unwrap().to_string();
            let arguments =
                "-m 2 -recv_timeout 5000 -trace_err -error_file errors.log -cid_str id-%u";
            let mut command = play(program, directory.path(), &scenario, arguments);
            let mut child = command.arg(address).spawn().unwrap();
            answer(&target, line);
            let went_well = child.wait().unwrap().success();
            assert_eq!(went_well, entries == 0, "{program}");
            // Without entries there is no file.
            let path = directory.path().join("errors.log");
            assert_eq!(path.exists(), entries > 0, "{program} {line}");
            let log = std::fs::read_to_string(path).unwrap_or_default();
            assert_eq!(log.matches("SIP/2.0 486 Busy Here\r\n").count(), entries);
            for number in 1..=entries {
                let id = format!("Call-ID: id-{number}\r\n");
                assert!(log.contains(&id), "{program}: no {id} in {log}");
            }
        }
    }
}

#[test]
fn causes_and_warnings_stand_in_the_log_of_errors() {
    let (first, _) = REQUESTS.split_once("</send>").unwrap();
    let warns = "<nop><action><warning message=\"call [call_number]\"/><log message=\"nothing\"/></action></nop>";
    let scenario =
        format!("{first}</send>{warns}<recv response=\"200\" timeout=\"30\"/></scenario>");
    let directory = tempfile::tempdir().unwrap();
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let arguments = "-m 2 -r 1000 -trace_err -error_file errors.log -cid_str id-%u";
    let mut command = play(SIPLOAD, directory.path(), &scenario, arguments);
    let status = command.arg(address).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let log = std::fs::read_to_string(directory.path().join("errors.log")).unwrap();
    let entries = log.lines().map(|line| line.split(": ").nth(1).unwrap());
    let expected = [
        "call 1",
        "call 2",
        "call id-1 failed at step 2 (200 <-------)",
        "call id-2 failed at step 2 (200 <-------)",
    ];
    assert_eq!(entries.collect::<Vec<_>>(), expected, "{log}");
    assert!(log.ends_with(": nothing received in time\n"), "{log}");
}
