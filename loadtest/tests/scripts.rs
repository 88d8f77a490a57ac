//! SIPp's own scenarios, played by sipload against SIPp and the other way round. Both ends are asked what they
//! have seen: SIPp's count of its own successes alone proves little.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CALLS: &str = "40";

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// One of SIPp's built-in scenarios, as a file.
fn dump(directory: &Path, name: &str) -> String {
    let output = Command::new("sipp").args(["-sd", name]).output().unwrap();
    let path = directory.join(format!("{name}.xml"));
    std::fs::write(&path, output.stdout).unwrap();
    path.display().to_string()
}

struct Sipp {
    child: Child,
    stat: std::path::PathBuf,
}

impl Sipp {
    fn start(directory: &Path, name: &str, port: u16, target: Option<u16>) -> Self {
        let stat = directory.join(format!("{name}-{port}.csv"));
        let mut command = Command::new("sipp");
        command.args([
            "-sn",
            name,
            "-i",
            "127.0.0.1",
            "-m",
            CALLS,
            "-nostdin",
            "-trace_stat",
            "-fd",
            "1",
        ]);
        command.args(["-p", &port.to_string(), "-stf", &stat.display().to_string()]);
        if let Some(target) = target {
            command.args([&format!("127.0.0.1:{target}"), "-r", "100", "-d", "20"]);
        }
        let child = command
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, stat }
    }

    /// Waits for its end; returns its successful and failed calls.
    fn finish(mut self) -> (String, String) {
        assert!(self.child.wait().unwrap().success(), "SIPp ends well");
        let text = std::fs::read_to_string(&self.stat).unwrap();
        let names: Vec<&str> = text.lines().next().unwrap().split(';').collect();
        let last: Vec<&str> = text.lines().last().unwrap().split(';').collect();
        let column = |name: &str| {
            let place = names.iter().position(|known| *known == name).unwrap();
            last[place].to_owned()
        };
        (column("SuccessfulCall(C)"), column("FailedCall(C)"))
    }
}

fn sipload(arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sipload"))
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn row(table: &str, name: &str) -> String {
    let line = table
        .lines()
        .find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {table}"));
    line.split('|').nth(1).unwrap().trim().to_owned()
}

/// Its successful and failed calls.
fn counts(child: Child) -> (String, String) {
    let output = child.wait_with_output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    let failed = row(&table, "Failed call");
    let failed = failed.split(' ').next().unwrap().to_owned();
    (row(&table, "Successful call"), failed)
}

fn all_went_well() -> (String, String) {
    (CALLS.to_owned(), "0".to_owned())
}

fn both_ways(client: &str, server: &str) {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let port = free_port();
    let sipp = Sipp::start(directory, server, port, None);
    let file = dump(directory, client);
    let arguments = format!("-q -sf {file} -r 100 -m {CALLS} -d 20 127.0.0.1:{port}");
    assert_eq!(
        counts(sipload(&arguments)),
        all_went_well(),
        "sipload plays {client}"
    );
    assert_eq!(sipp.finish(), all_went_well(), "SIPp plays {server}");

    let port = free_port();
    let file = dump(directory, server);
    let gateway = sipload(&format!("-q -sf {file} -i 127.0.0.1 -p {port} -m {CALLS}"));
    let sipp = Sipp::start(directory, client, free_port(), Some(port));
    assert_eq!(sipp.finish(), all_went_well(), "SIPp plays {client}");
    assert_eq!(counts(gateway), all_went_well(), "sipload plays {server}");
}

#[test]
fn the_default_scenarios_play_against_sipp_both_ways() {
    both_ways("uac", "uas");
}

#[test]
fn the_scenario_with_expressions_plays_against_sipp() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let sipp = Sipp::start(directory.path(), "uas", port, None);
    let file = dump(directory.path(), "regexp");
    let caller = sipload(&format!("-q -sf {file} -r 100 -m {CALLS} 127.0.0.1:{port}"));
    assert_eq!(counts(caller), all_went_well());
    assert_eq!(sipp.finish(), all_went_well());
}

#[test]
fn branching_scenarios_play_against_sipp_both_ways() {
    both_ways("branchc", "branchs");
}

#[test]
fn the_built_in_callers_and_gateways_play_against_sipp() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let sipp = Sipp::start(directory.path(), "uas", port, None);
    let caller = sipload(&format!(
        "-q -sn uac -r 100 -m {CALLS} -d 20 127.0.0.1:{port}"
    ));
    assert_eq!(counts(caller), all_went_well());
    assert_eq!(sipp.finish(), all_went_well());
    let port = free_port();
    let gateway = sipload(&format!("-q -sn uas -i 127.0.0.1 -p {port} -m {CALLS}"));
    let sipp = Sipp::start(directory.path(), "uac", free_port(), Some(port));
    assert_eq!(sipp.finish(), all_went_well());
    let output = gateway.wait_with_output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(row(&table, "Incoming call created"), CALLS);
    assert!(output.status.success());
}

#[test]
fn options_and_register_are_built_in() {
    for name in ["options", "register"] {
        let caller = sipload(&format!("-q -sn {name} -r 100 -m {CALLS} -s bob"));
        assert_eq!(counts(caller), all_went_well(), "{name}");
    }
}

#[test]
fn what_is_not_supported_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = dump(directory.path(), "3pcc-C-A");
    let output = Command::new(env!("CARGO_BIN_EXE_sipload"))
        .args(["-sf", &file, "127.0.0.1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("3pcc-C-A.xml:"), "{error}");
    assert!(
        error.contains("third-party call control is not supported"),
        "{error}"
    );
}
