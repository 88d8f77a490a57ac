//! Digest authentication against others who know it: SIPp on either side, Kamailio's registrar and proxy.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const CALLS: &str = "20";
const REGISTER: &str = include_str!("digest/register.xml");
const REGISTRAR: &str = include_str!("digest/registrar.xml");
const PROXIED: &str = include_str!("digest/proxied.xml");
const JOE: &str = "[authentication username=joe password=schmo]";

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn register(directory: &Path, credentials: &str) -> PathBuf {
    let text = REGISTER.replace("CREDENTIALS", credentials);
    file(directory, "register.xml", &text)
}

fn registrar(directory: &Path, challenge: &str) -> PathBuf {
    let text = REGISTRAR.replace("CHALLENGE", challenge);
    file(directory, "registrar.xml", &text)
}

fn start(program: &str, scenario: &Path, arguments: &str) -> Child {
    Command::new(program)
        .arg("-sf")
        .arg(scenario)
        .args(["-i", "127.0.0.1", "-m", CALLS])
        .args(arguments.split_whitespace())
        .current_dir(scenario.parent().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn sipload(scenario: &Path, arguments: &str) -> Child {
    let arguments = format!("-q {arguments}");
    start(env!("CARGO_BIN_EXE_sipload"), scenario, &arguments)
}

fn sipp(scenario: &Path, arguments: &str) -> Child {
    start("sipp", scenario, &format!("-nostdin {arguments}"))
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    format!("{text}{}", String::from_utf8_lossy(&output.stderr))
}

/// All calls of this process went well.
fn went_well(child: Child, who: &str) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{who}: {}", text(&output));
}

/// No call of this process of sipload's went well, for this reason.
fn failed(child: Child, why: &str) {
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("Successful call           | 0"), "{text}");
    assert!(text.contains(why), "{text}");
}

#[test]
fn sipp_finds_the_credentials_right() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let scenario = register(here, JOE);
    for challenge in [
        "Digest realm=\"x\", nonce=\"1a2b\"",
        "Digest realm=\"x\", nonce=\"1a2b\", algorithm=MD5, qop=\"auth\", opaque=\"o\"",
    ] {
        let port = free_port();
        let server = sipp(&registrar(here, challenge), &format!("-p {port}"));
        let caller = sipload(&scenario, &format!("-r 100 127.0.0.1:{port}"));
        went_well(caller, challenge);
        went_well(server, challenge);
    }
}

#[test]
fn sipp_finds_wrong_credentials_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let port = free_port();
    let challenge = "Digest realm=\"x\", nonce=\"1a2b\"";
    let server = sipp(&registrar(here, challenge), &format!("-p {port}"));
    let scenario = register(here, "[authentication]");
    let caller = sipload(
        &scenario,
        &format!("-r 100 -au joe -ap other 127.0.0.1:{port}"),
    );
    failed(caller, "unexpected message");
    went_well(server, "the one that refuses");
}

#[test]
fn the_credentials_of_sipp_are_found_right() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let port = free_port();
    let challenge = "Digest realm=\"x\", nonce=\"1a2b\", algorithm=MD5, qop=\"auth\"";
    let server = sipload(&registrar(here, challenge), &format!("-p {port}"));
    let scenario = register(here, "[authentication]");
    let caller = sipp(
        &scenario,
        &format!(
            "-r 100 -au joe -ap schmo -p {} 127.0.0.1:{port}",
            free_port()
        ),
    );
    went_well(caller, "SIPp's caller");
    went_well(server, "sipload's registrar");
}

#[test]
fn credentials_come_from_options_words_fields_and_whole_lines_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let users = file(here, "users.csv", &format!("SEQUENTIAL\njoe;schmo;{JOE}\n"));
    let users = format!("-inf {}", users.display());
    let challenge = "Digest realm=\"x\", nonce=\"1a2b\", algorithm=SHA-256, qop=\"auth\"";
    for (credentials, options) in [
        ("[authentication]", "-au joe -ap schmo"),
        ("[authentication password=schmo]", "-s joe"),
        (
            "[authentication username=\"[who]\" password=schmo]",
            "-key who joe",
        ),
        (
            "[authentication username=[field0] password=[field1]]",
            &users,
        ),
        ("[field2]", &users),
    ] {
        let port = free_port();
        let server = sipload(&registrar(here, challenge), &format!("-p {port}"));
        let caller = sipload(
            &register(here, credentials),
            &format!("-r 100 {options} 127.0.0.1:{port}"),
        );
        went_well(caller, credentials);
        went_well(server, credentials);
    }
}

#[test]
fn a_challenge_of_an_unknown_kind_fails_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let port = free_port();
    let challenge = "Digest realm=\"x\", nonce=\"1a2b\", algorithm=SHA-512";
    let mut server = sipload(&registrar(here, challenge), &format!("-p {port}"));
    let caller = sipload(&register(here, JOE), &format!("-r 100 127.0.0.1:{port}"));
    failed(caller, "challenge cannot be answered");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// Kamailio, which challenges everything, asks for a count that grows, and knows joe's password.
struct Kamailio {
    child: Child,
    port: u16,
}

impl Kamailio {
    fn start(directory: &Path, algorithm: &str) -> Self {
        let port = free_port();
        let configuration = format!(
            r#"
children=1
disable_tcp=yes
listen=udp:127.0.0.1:{port}
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "auth.so"
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_count", 1)
request_route {{
  if (method == "ACK") {{ exit; }}
  if (method == "REGISTER") {{
    if (!pv_www_authenticate("example.org", "schmo", "0")) {{ www_challenge("example.org", "1"); exit; }}
  }} else {{
    if (!pv_proxy_authenticate("example.org", "schmo", "0")) {{ proxy_challenge("example.org", "1"); exit; }}
  }}
  sl_send_reply("200", "OK");
}}
"#
        );
        let path = file(directory, "kamailio.cfg", &configuration);
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(path)
            .arg("-Y")
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port }
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its first process ends the others when it is told to end.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

#[test]
fn kamailio_lets_in_who_answers_its_challenges() {
    for algorithm in ["MD5", "SHA-256"] {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let kamailio = Kamailio::start(here, algorithm);
        let target = format!("127.0.0.1:{}", kamailio.port);
        // What comes before it listens is sent again.
        let caller = sipload(&register(here, JOE), &format!("-r 100 {target}"));
        went_well(caller, &format!("REGISTER, {algorithm}"));
        let proxied = file(here, "proxied.xml", PROXIED);
        let joe = "-au joe -ap schmo -r 100";
        let caller = sipload(&proxied, &format!("{joe} {target}"));
        went_well(caller, &format!("INVITE, {algorithm}"));
        let caller = sipload(&proxied, &format!("-au joe -ap other -r 100 {target}"));
        failed(caller, "unexpected message");
    }
}
