use std::time::Duration;

use super::row::listing;
use super::*;

fn with(assignments: &[&str]) -> Result<Parameters, ParameterError> {
    let mut parameters = Parameters::default();
    for text in assignments {
        text.parse::<Assignment>()?.apply(&mut parameters)?;
    }
    Ok(parameters)
}

fn error(text: &str) -> String {
    with(&[text]).expect_err(text).to_string()
}

#[test]
fn values_reach_the_settings_of_shards() {
    let parameters = with(&[
        "ds_hash_size=4",
        "ds_hash_expire=60",
        "ds_hash_initexpire=30",
        "ds_hash_check_interval=5",
        "use_default=1",
        "failover_timeout_ms=300",
        "failover_codes=404, 486",
        "max_branches=3",
        "max_calls=10",
        "max_transactions=20",
        "timer_c_ms=4000",
        "t1_ms=50",
    ]);
    let settings = parameters.expect("good").settings(Settings::default());
    assert_eq!(
        settings.call_load,
        CallLoadSettings {
            hash_size: 4,
            expire: Duration::from_secs(60),
            initexpire: Duration::from_secs(30),
            check_interval: Duration::from_secs(5),
            max_calls: 10,
        }
    );
    assert!(settings.use_default);
    assert_eq!(
        settings.failover,
        FailoverSettings {
            no_answer: Duration::from_millis(300),
            codes: vec![404, 486],
            max_branches: 3,
        }
    );
    assert_eq!(settings.limits.max_transactions, 20);
    assert_eq!(settings.timers.c, Duration::from_secs(4));
    assert_eq!(settings.timers.t1, Duration::from_millis(50));
}

#[test]
fn values_reach_the_settings_of_keepalives() {
    let probing = with(&[
        "ds_ping_interval=7",
        "ds_ping_timeout_ms=250",
        "ds_ping_method=INFO",
        "ds_ping_from=sip:me@example.com",
        "ds_ping_reply_codes=class=4",
        "ds_probing_mode=2",
        "ds_probing_threshhold=3",
        "ds_inactive_threshold=4",
        "t1_ms=50",
    ])
    .expect("good")
    .probing();
    assert_eq!(probing.interval, Duration::from_secs(7));
    assert_eq!(probing.timeout, Duration::from_millis(250));
    assert_eq!(probing.method, "INFO");
    assert_eq!(probing.from, "sip:me@example.com");
    assert!(probing.reply_codes.contains(486) && !probing.reply_codes.contains(503));
    assert_eq!(probing.mode, ProbingMode::Inactive);
    assert_eq!(probing.thresholds, Thresholds { down: 3, up: 4 });
    assert_eq!(probing.t1, Duration::from_millis(50));
}

#[test]
fn list_file_and_timer_mode_are_read() {
    let parameters = with(&["list_file=/tmp/a.list", "ds_timer_mode=0"]).expect("good");
    assert_eq!(parameters.list_file(), Path::new("/tmp/a.list"));
    assert!(!parameters.has_timer_thread());
    assert!(Parameters::default().has_timer_thread());
}

#[test]
fn the_last_of_a_name_counts() {
    let twice = with(&["max_calls=1", "max_calls=2"]);
    assert_eq!(twice, with(&["max_calls=2"]));
}

#[test]
fn every_default_is_a_good_value() {
    for row in PARAMETERS {
        let mut parameters = Parameters::default();
        let set = row.set(&row.default_value(), &mut parameters);
        assert_eq!(set, Ok(()), "{}", row.name);
        assert_eq!(parameters, Parameters::default(), "{}", row.name);
    }
}

#[test]
fn defaults_are_those_of_the_rooms_where_the_command_line_wants_nothing_else() {
    let rooms = Settings::default();
    let settings = Parameters::default().settings(Settings::default());
    assert_eq!(settings.call_load, rooms.call_load);
    assert_eq!(settings.timers, rooms.timers);
    assert_eq!(settings.limits, rooms.limits);
    let mut codes = settings.failover.codes;
    codes.sort_unstable();
    assert_eq!(codes, rooms.failover.codes);
}

#[test]
fn no_name_is_there_twice() {
    let mut names: Vec<_> = PARAMETERS
        .iter()
        .flat_map(|row| row.aliases.iter().chain([&row.name]))
        .collect();
    let before = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), before);
}

#[test]
fn a_slip_in_a_name_is_hinted_at() {
    assert_eq!(
        error("ds_hash_sise=16"),
        "no such parameter: ds_hash_sise; did you mean ds_hash_size?"
    );
    assert_eq!(error("db_url=x"), "no such parameter: db_url");
}

#[test]
fn bad_values_say_what_would_be_good() {
    let cases = [
        ("ds_hash_size=99", "ds_hash_size: 99 is not in 1..24"),
        (
            "ds_hash_size=x",
            "ds_hash_size: \"x\" is not a whole number",
        ),
        ("ds_hash_size=", "ds_hash_size: \"\" is not a whole number"),
        (
            "ds_hash_size",
            "NAME=VALUE expected, found \"ds_hash_size\"",
        ),
        (
            "ds_probing_threshhold=0",
            "ds_probing_threshold: 0 is not in 1..1000",
        ),
        (
            "failover_codes=500,200",
            "failover_codes: \"200\" is not a code from 300 to 699",
        ),
        (
            "ds_ping_reply_codes=code=200;klass=4",
            "ds_ping_reply_codes: \"code=200;klass=4\", at byte 9: class or code expected, found \"klass\"",
        ),
        (
            "ds_ping_method=OP TIONS",
            "ds_ping_method: \"OP TIONS\" is not a method",
        ),
        (
            "ds_ping_method=INVITE",
            "ds_ping_method: INVITE cannot be a keepalive; OPTIONS is usual",
        ),
        ("list_file=", "list_file: it must not be empty"),
    ];
    for (text, message) in cases {
        assert_eq!(error(text), message);
    }
    assert!(error("ds_ping_from=a\r\nVia: x").contains("is not a URI"));
}

#[test]
fn the_listing_has_every_parameter_with_its_default() {
    let listing = listing();
    for row in PARAMETERS {
        assert!(listing.contains(&format!("  {}={}\n", row.name, row.form())));
        assert!(listing.contains(row.help), "{}", row.name);
    }
    assert!(listing.contains("[2; also ds_probing_threshhold]"));
    assert!(listing.contains("[2000; sipshard's own]"));
}

#[test]
fn flags_say_whether_there_is_failover_and_what_is_hashed() {
    for (flags, branches, user_only) in [(0, 1, false), (1, 1, true), (2, 5, false), (3, 5, true)] {
        let flags = format!("flags={flags}");
        let parameters = with(&[&flags, "max_branches=5"]).expect("good");
        let settings = parameters.settings(Settings::default());
        assert_eq!(settings.failover.max_branches, branches);
        assert_eq!(settings.user_only, user_only);
    }
}

#[test]
fn sockets_and_proxies_are_addresses() {
    let parameters = with(&[
        "ds_default_socket=udp:10.0.0.1:5080",
        "outbound_proxy=sip:10.0.0.2",
    ])
    .expect("good");
    let (probing, settings) = (
        parameters.probing(),
        parameters.settings(Settings::default()),
    );
    assert_eq!(probing.socket, "10.0.0.1:5080".parse().ok());
    assert_eq!(settings.default_socket, probing.socket);
    assert_eq!(probing.outbound_proxy, "10.0.0.2:5060".parse().ok());
    let both = with(&[
        "ds_default_socket=10.0.0.1:5080",
        "ds_ping_socket=10.0.0.1:5090",
    ]);
    let probing = both.expect("good").probing();
    assert_eq!(probing.socket, "10.0.0.1:5090".parse().ok());
    assert_eq!(
        error("ds_ping_socket=x"),
        "ds_ping_socket: \"x\" is not udp:IP:PORT"
    );
    assert_eq!(
        error("outbound_proxy=sip:gw.example.com"),
        "outbound_proxy: \"sip:gw.example.com\" is not sip:IP:PORT (names are not resolved here)"
    );
}

#[test]
fn statistics_and_compatibility_are_off_until_wished() {
    let parameters = Parameters::default();
    assert_eq!(parameters.probing().latency_alpha, None);
    assert!(!parameters.has_latency_stats() && !parameters.probing().compat);
    assert_eq!(parameters.build_options(), BuildOptions::default());
    let parameters = with(&[
        "ds_ping_latency_stats=1",
        "ds_latency_estimator_alpha=250",
        "ds_retain_latency_stats=1",
        "ds_compat=1",
    ])
    .expect("good");
    assert_eq!(parameters.probing().latency_alpha, Some(0.25));
    assert!(parameters.has_latency_stats() && parameters.probing().compat);
    assert!(parameters.build_options().retain_latency && parameters.build_options().compat);
    assert!(parameters.settings(Settings::default()).compat);
}
