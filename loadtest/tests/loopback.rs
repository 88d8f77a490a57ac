//! sipload over real sockets on the loopback interface: against itself, in one process and in two.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use sipload::cli::Cli;
use sipload::options::Options;
use sipload::run::run;
use sipload::summary::Summary;
use sipload::verdict;

fn sipload(arguments: &str) -> (Options, Summary) {
    let all = std::iter::once("sipload").chain(arguments.split_whitespace());
    let options = Cli::read(all).unwrap().options;
    let summary = run(&options).unwrap();
    (options, summary)
}

fn missed(options: &Options, summary: &Summary) -> Vec<String> {
    verdict::missed(&verdict::checks(options, summary))
}

#[test]
fn callers_and_gateways_of_one_process_agree() {
    let (options, summary) = sipload("-q -r 500 -m 400 -d 100 --threads 2 --ports 3");
    let caller = summary.caller.as_ref().unwrap();
    assert_eq!((caller.counts.started, caller.counts.completed), (400, 400));
    assert_eq!(caller.counts.live, 0);
    assert_eq!(caller.answer.scheduled.len(), 400);
    assert_eq!(summary.gateways.len(), 3);
    let sum = |part: fn(&sipshard::agent::GatewayCounts) -> u64| {
        let parts = summary
            .gateways
            .iter()
            .map(|(_, report)| part(&report.counts));
        parts.sum::<u64>()
    };
    assert_eq!(sum(|counts| counts.invites), 400);
    assert_eq!(sum(|counts| counts.acked), 400);
    assert_eq!(sum(|counts| counts.byes), 400);
    assert_eq!(sum(|counts| counts.live), 0);
    assert_eq!(missed(&options, &summary), [""; 0]);
}

#[test]
fn ipv6_works_as_well() {
    let (_, summary) = sipload("-q -r 200 -m 50 -d 10 -i ::1");
    assert_eq!(summary.caller.unwrap().counts.completed, 50);
}

/// SIPp's scenario for callers as a file.
fn sipps_uac(directory: &std::path::Path) -> String {
    let dumped = Command::new("sipp").args(["-sd", "uac"]).output().unwrap();
    let file = directory.join("uac.xml");
    std::fs::write(&file, dumped.stdout).unwrap();
    file.display().to_string()
}

#[test]
fn calls_come_from_each_address_and_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("-sf {}", sipps_uac(directory.path()));
    for (list, scenario) in [
        ("127.0.0.20-127.0.0.22,127.0.0.24/30", "--role uac"),
        ("127.0.0.20-127.0.0.22,127.0.0.24/30", script.as_str()),
        ("::1", "--role uac"),
    ] {
        let ip = list.split(['-', ',']).next().unwrap();
        let target = std::net::UdpSocket::bind((ip, 0)).unwrap();
        let address = target.local_addr().unwrap();
        let arguments = "-q -r 1000 -m 20 --threads 1 --sockets 1 --t1 60000";
        let mut caller = start(&format!("{arguments} {scenario} -i {list} {address}"));
        let mut calls = std::collections::BTreeMap::new();
        for _ in 0..20 {
            let mut bytes = [0; 2_000];
            let (length, source) = target.recv_from(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]);
            let family = if source.is_ipv4() { "IP4" } else { "IP6" };
            for part in [
                format!("Via: SIP/2.0/UDP {source};"),
                format!("@{source}>"),
                format!("c=IN {family} {}\r\n", source.ip()),
            ] {
                assert!(text.contains(&part), "no {part} in {text}");
            }
            *calls.entry(source).or_insert(0) += 1;
        }
        let each = if list == "::1" { 20 } else { 4 };
        assert_eq!(calls.len(), 20 / each, "{calls:?}");
        assert!(calls.values().all(|number| *number == each), "{calls:?}");
        caller.kill().unwrap();
        caller.wait().unwrap();
    }
}

#[test]
fn a_gateway_is_on_each_address_and_sees_its_calls() {
    let directory = tempfile::tempdir().unwrap();
    let list = "127.0.0.30,127.0.0.31,127.0.0.32";
    let (mut gateway, mut errors, first) = start_gateway(&format!("-i {list} --ports 1"));
    let mut addresses = vec![first];
    for _ in 1..3 {
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        addresses.push(line.trim().strip_prefix("gateway ").unwrap().to_owned());
    }
    let file = sipps_uac(directory.path());
    for (number, address) in addresses.iter().enumerate() {
        assert!(
            address.starts_with(&format!("127.0.0.3{number}:")),
            "{address}"
        );
        let script = format!("-sf {file} --threads 1 --sockets 1");
        let mut caller = start(&format!(
            "-q {script} -r 300 -m 30 -d 5 -i {list} {address}"
        ));
        assert_eq!(row(&output(&mut caller), "Successful call"), "30");
        assert!(caller.wait().unwrap().success());
    }
    interrupt(&gateway);
    let table = output(&mut gateway);
    for address in addresses {
        let line = table.lines().find(|line| line.contains(&address)).unwrap();
        // Its calls, 180, 200, ACK and BYE.
        let counts: Vec<&str> = line.split_whitespace().skip(1).take(5).collect();
        assert_eq!(counts, ["30"; 5], "{line}");
    }
    assert!(gateway.wait().unwrap().success());
}

#[test]
fn an_address_of_another_machine_is_named() {
    let mut wrong = start("--role uas -q -i 127.0.0.1,192.0.2.7 -p 0");
    let mut text = String::new();
    let errors = wrong.stderr.as_mut().unwrap();
    errors.read_to_string(&mut text).unwrap();
    assert!(
        text.contains("cannot bind UDP 192.0.2.7:0: Cannot assign"),
        "{text}"
    );
    assert_eq!(wrong.wait().unwrap().code(), Some(2));
}

#[test]
fn a_closed_loop_keeps_its_number_of_calls() {
    let (_, summary) = sipload("-q -users 7 -m 200 -d 5 --threads 2");
    let counts = summary.caller.unwrap().counts;
    assert_eq!((counts.completed, counts.live), (200, 0));
    // The sum over two threads of four and three.
    assert_eq!(counts.max_live, 7);
    let (_, summary) = sipload("-q -users 3 --duration 0.3 -d 5");
    let counts = summary.caller.unwrap().counts;
    assert!(counts.completed > 3 && counts.failed == 0);
}

#[test]
fn the_rate_follows_its_stages() {
    let (_, summary) = sipload("-q --schedule 0..400/0.5,100/0.5 -d 1");
    assert_eq!(summary.caller.unwrap().counts.completed, 100 + 50);
    let (_, summary) =
        sipload("-q -r 100 -rate_increase 100 -rate_max 300 -rate_interval 0.2 -d 1");
    assert_eq!(summary.caller.unwrap().counts.completed, 20 + 40 + 60);
}

#[test]
fn the_highest_rate_is_found_below_the_ceiling() {
    let mut search = start("find-max -r 50 --ceiling 100 --step-time 0.3 -d 1");
    let table = output(&mut search);
    // Off a terminal each step is a line of its own.
    let steps = search.stderr.take().unwrap();
    let steps: Vec<String> = BufReader::new(steps).lines().map(Result::unwrap).collect();
    assert_eq!(steps[1], "step 2: 100 calls/s for 0.3 s ...");
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(
        table.contains("Highest clean rate: 100 calls/s, the ceiling"),
        "{table}"
    );
    assert!(search.wait().unwrap().success());
    // Gateways that refuse everything are clean at no rate.
    let mut search = start("find-max -q -r 20 --step-time 0.1 --reject 503=100");
    assert!(output(&mut search).contains("too many failed"));
    assert_eq!(search.wait().unwrap().code(), Some(1));
}

/// The callers' and the first gateway's counts of a scenario.
fn scenario(
    arguments: &str,
) -> (
    sipshard::agent::CallerCounts,
    sipshard::agent::GatewayCounts,
) {
    let (options, summary) = sipload(&format!("-q --threads 1 -r 200 -m 40 {arguments}"));
    assert_eq!(missed(&options, &summary), [""; 0], "{arguments}");
    let counts = summary.caller.unwrap().counts;
    assert_eq!((counts.started, counts.live), (40, 0), "{arguments}");
    (counts, summary.gateways[0].1.counts)
}

#[test]
fn each_named_scenario_is_what_its_name_says() {
    let (caller, _) = scenario("-sn basic -d 5");
    assert_eq!(caller.completed, 40);
    let (caller, gateway) = scenario("-sn ringing --answer 20 -d 5");
    assert_eq!((caller.ringing, gateway.ringing), (40, 40));
    let (caller, gateway) = scenario("-sn busy");
    assert_eq!((caller.refused_as_expected, gateway.rejected), (40, 40));
    let (caller, gateway) = scenario("-sn no-answer --cancel-after 10");
    assert_eq!((caller.cancelled, gateway.cancelled), (40, 40));
    let (caller, gateway) = scenario("-sn bye-lost -d 5");
    assert_eq!((caller.byes_lost, gateway.byes, gateway.live), (40, 0, 40));
    let (caller, _) = scenario("-sn reinvite -d 40");
    assert_eq!((caller.reinvites, caller.completed), (40, 40));
}

#[test]
fn a_report_holds_every_answer() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("run");
    let stat = directory.path().join("stat.csv");
    let (_, summary) = sipload(&format!(
        "-q -r 200 -m 100 -d 5 --report {} -trace_stat -stf {} -fd 1",
        prefix.display(),
        stat.display()
    ));
    assert_eq!(summary.caller.unwrap().counts.completed, 100);
    let log = prefix.with_extension("hlog");
    let run = sipload::report::load::Run::load(&log, None).unwrap();
    assert_eq!(run.curve("").unwrap().len(), 100);
    assert_eq!(run.curve("bye").unwrap().len(), 100);
    for ending in ["csv", "hgrm", "html"] {
        assert!(prefix.with_extension(ending).exists(), "{ending}");
    }
    let stat = std::fs::read_to_string(stat).unwrap();
    let columns: Vec<&str> = stat.lines().next().unwrap().split(';').collect();
    let place = columns
        .iter()
        .position(|name| *name == "SuccessfulCall(C)")
        .unwrap();
    let last: Vec<&str> = stat.lines().last().unwrap().split(';').collect();
    assert_eq!((last[place], last.len()), ("100", columns.len()));
}

#[test]
fn each_second_has_the_times_of_all_timers_of_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("run");
    let file = directory.path().join("timers.xml");
    let built_in = Command::new(env!("CARGO_BIN_EXE_sipload"))
        .args(["-sd", "options"])
        .output()
        .unwrap();
    let text = String::from_utf8(built_in.stdout).unwrap();
    let more = "<pause milliseconds=\"20\" rtd=\"second,third\"/></scenario>";
    std::fs::write(&file, text.replace("</scenario>", more)).unwrap();
    sipload(&format!(
        "-q -r 200 -m 100 -sf {} --report {}",
        file.display(),
        prefix.display()
    ));
    let csv = std::fs::read_to_string(prefix.with_extension("csv")).unwrap();
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    // What stands in the column, of all seconds.
    let column = |name: &str| {
        let place = names.iter().position(|known| *known == name);
        let place = place.unwrap_or_else(|| panic!("no {name} in {names:?}"));
        let lines = csv.lines().skip(1);
        let values = lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap());
        values.collect::<Vec<f64>>()
    };
    for name in ["answers", "timer-second_number", "timer-third_number"] {
        let sum: f64 = column(name).iter().sum();
        assert!((sum - 100.0).abs() < 1e-9, "{name}: {csv}");
    }
    let longest = column("timer-third_max_ms");
    assert!(longest.iter().any(|millis| *millis >= 20.0), "{csv}");
    // A report that is made again knows the rates beside the timers.
    let run = sipload::report::load::Run::load(&prefix.with_extension("hlog"), None).unwrap();
    assert!(run.has_counts && run.points[0].rate > 0.0);
}

#[test]
fn refused_calls_miss_the_threshold() {
    let (options, summary) = sipload("-q -r 500 -m 200 -d 10 --reject 486=50");
    let caller = summary.caller.as_ref().unwrap();
    let refused = caller.refused[&486];
    assert!((50..150).contains(&refused));
    assert_eq!(caller.counts.failed, refused);
    assert_eq!(missed(&options, &summary).len(), 1);
}

#[test]
fn nobody_home_is_a_failure_that_ends_in_time() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = socket.local_addr().unwrap();
    drop(socket);
    let (options, summary) = sipload(&format!("-q -r 100 -m 5 --role uac --t1 5 {nobody}"));
    let counts = &summary.caller.as_ref().unwrap().counts;
    assert_eq!((counts.failed, counts.invite_timeouts), (5, 5));
    assert!(summary.traffic.undeliverable > 0);
    assert_eq!(missed(&options, &summary).len(), 1);
}

fn start(arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sipload"))
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts gateways on a free port; returns the process, its standard error and the address.
fn start_gateway(arguments: &str) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child = start(&format!("--role uas -p 0 {arguments}"));
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("gateway ").unwrap().to_owned();
    (child, errors, address)
}

fn output(child: &mut Child) -> String {
    let mut text = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    text
}

/// The value of a row of the table.
fn row<'a>(table: &'a str, name: &str) -> &'a str {
    let line = table
        .lines()
        .find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {table}"));
    line.split('|').nth(1).unwrap().trim()
}

#[test]
fn gateways_stop_after_their_calls_and_callers_by_themselves() {
    let (mut gateway, _errors, address) = start_gateway("-m 100");
    let mut caller = start(&format!("--role uac -q -r 500 -m 100 -d 20 {address}"));
    let table = output(&mut caller);
    assert_eq!(row(&table, "Successful call"), "100");
    assert_eq!(row(&table, "Failed call"), "0 (0.000 %)");
    assert!(caller.wait().unwrap().success());
    let table = output(&mut gateway);
    assert_eq!(row(&table, "Incoming call created"), "100");
    assert!(gateway.wait().unwrap().success());
}

#[test]
fn the_bare_forwarder_carries_every_message_both_ways() {
    let (mut gateway, _errors, address) = start_gateway("");
    let mut forwarder = start(&format!("--role forward -i 127.0.0.1 -p 0 {address}"));
    let mut line = String::new();
    let errors = forwarder.stderr.take().unwrap();
    BufReader::new(errors).read_line(&mut line).unwrap();
    let middle = line.split(' ').nth(1).unwrap();
    let arguments = format!("-q --role uac --rport --ignore-route-set -r 300 -m 60 -d 10 {middle}");
    let mut caller = start(&arguments);
    assert_eq!(row(&output(&mut caller), "Successful call"), "60");
    assert!(caller.wait().unwrap().success());
    interrupt(&forwarder);
    let table = output(&mut forwarder);
    assert_eq!(row(&table, "Requests forwarded"), "180");
    assert_eq!(row(&table, "Answers forwarded"), "180");
    assert!(forwarder.wait().unwrap().success());
    interrupt(&gateway);
    assert!(gateway.wait().unwrap().success());
}

#[test]
fn a_signal_ends_calls_in_good_order() {
    let (mut gateway, _errors, address) = start_gateway("");
    let mut caller = start(&format!(
        "--role uac -r 50 --duration 60 -d 60000 {address}"
    ));
    // The line of the first second: calls are under way.
    let mut errors = BufReader::new(caller.stderr.take().unwrap());
    errors.read_line(&mut String::new()).unwrap();
    interrupt(&caller);
    let table = output(&mut caller);
    assert_eq!(row(&table, "Current Call"), "0");
    assert_eq!(row(&table, "Failed call"), "0 (0.000 %)");
    let successful: u64 = row(&table, "Successful call").parse().unwrap();
    assert!(successful >= 40);
    assert!(caller.wait().unwrap().success());

    interrupt(&gateway);
    let table = output(&mut gateway);
    assert_eq!(row(&table, "Incoming call created"), successful.to_string());
    assert!(gateway.wait().unwrap().success());
}

fn interrupt(child: &Child) {
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn the_exit_status_tells_a_missed_threshold_from_a_wrong_option() {
    let mut missed = start("-q -r 100 -m 10 -d 1 --reject 603=100");
    assert!(output(&mut missed).contains("answered by 603"));
    assert_eq!(missed.wait().unwrap().code(), Some(1));
    let mut wrong = start("--role uac");
    let mut text = String::new();
    let errors = wrong.stderr.as_mut().unwrap();
    errors.read_to_string(&mut text).unwrap();
    assert!(text.contains("--role uac needs a TARGET"), "{text}");
    assert_eq!(wrong.wait().unwrap().code(), Some(2));
}

#[test]
fn every_threshold_is_in_the_table_and_in_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("run");
    let mut child = start(&format!(
        "-q -r 200 -m 60 -d 5 --report {} --threshold p99.9(answer)<10s --threshold max(setup-sent)<0.001us \
         --threshold rate>=150 --threshold late(10s)<=0% --max-failed 1",
        prefix.display()
    ));
    let table = output(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let (_, thresholds) = table.split_once("---- Thresholds").unwrap();
    let page = std::fs::read_to_string(prefix.with_extension("html")).unwrap();
    for (threshold, verdict) in [
        ("failed <= 1 %", "met"),
        ("p99.9(answer) < 10000 ms", "met"),
        ("max(setup-sent) < 0.000001 ms", "MISSED"),
        ("rate >= 150", "met"),
        ("late(10000 ms) <= 0 %", "met"),
    ] {
        let line = thresholds.lines().find(|line| line.contains(threshold));
        let line = line.unwrap_or_else(|| panic!("no {threshold} in {thresholds}"));
        assert!(line.ends_with(verdict), "{line}");
        let cell = threshold.replace('<', "&lt;").replace('>', "&gt;");
        assert!(page.contains(&format!("<td>{cell}</td>")), "{cell}");
    }
    let mut errors = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert_eq!(errors.matches("missed: ").count(), 1, "{errors}");
}

#[test]
fn thresholds_of_a_script_judge_its_timers() {
    for (threshold, status) in [
        ("p50(rtd:1)<10s", 0),
        ("p50(rtd:1)>10s", 1),
        ("p99(rtd:2)<10s", 2),
    ] {
        let mut child = start(&format!(
            "-q -sn options -r 200 -m 20 --threshold {threshold}"
        ));
        output(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(status), "{threshold}");
    }
}
