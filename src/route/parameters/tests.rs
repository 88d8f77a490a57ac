use std::time::Duration;

use super::row::listing;
use super::*;
use crate::route::table::{DISPATCHER, Effect, ValueKind};

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
fn the_peers_timeout_of_keepalives_is_in_sixteenths_of_a_second() {
    let timeout = |assignments: &[&str]| with(assignments).expect("good").probing().timeout;
    assert_eq!(timeout(&["ds_ping_fr_timer=8"]), Duration::from_millis(500));
    let both = ["ds_ping_fr_timeout=32", "ds_ping_timeout_ms=10"];
    assert_eq!(timeout(&both), Duration::from_secs(2));
    let off = ["ds_ping_fr_timer=0", "ds_ping_timeout_ms=10"];
    assert_eq!(timeout(&off), Duration::from_millis(10));
}

#[test]
fn rules_of_loading_are_read() {
    let parameters = Parameters::default();
    assert!(!parameters.is_strict() && !parameters.has_attrs_none());
    assert_eq!(parameters.reload_delta(), Duration::ZERO);
    let parameters = with(&["ds_load_mode=1", "ds_attrs_none=1", "reload_delta=5"]);
    let parameters = parameters.expect("good");
    assert!(parameters.is_strict() && parameters.has_attrs_none());
    assert_eq!(parameters.reload_delta(), Duration::from_secs(5));
}

/// Parameters that mean nothing without a script, and those that the built-in route has otherwise.
const OF_SCRIPTS: &[&str] = &[
    "force_dst",
    "xavp_dst",
    "xavp_dst_mode",
    "xavp_ctx",
    "xavp_ctx_mode",
    "dst_avp",
    "grp_avp",
    "cnt_avp",
    "dstid_avp",
    "attrs_avp",
    "sock_avp",
    "hash_pvar",
    "setid_pvname",
    "attrs_pvname",
    "event_callback_mode",
];

#[test]
fn the_table_of_the_language_says_the_same() {
    for theirs in DISPATCHER {
        let name = theirs.name;
        if theirs.effect != Effect::Used || OF_SCRIPTS.contains(&name) {
            continue;
        }
        let ours = Parameter::find(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((ours.name, ours.aliases), (name, theirs.aliases));
        // The built-in route counts calls in any case; only a script can do without.
        if theirs.kind == ValueKind::Number && name != "ds_hash_size" {
            let (least, most) = theirs.range;
            assert_eq!(ours.form(), format!("{least}..{most}"), "{name}");
        }
    }
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
fn keepalives_and_counting_are_on_unless_told_otherwise() {
    let probing = Parameters::default().probing();
    assert_eq!(probing.interval, Duration::from_secs(10));
    assert_eq!(probing.mode, ProbingMode::All);
    assert_eq!(probing.thresholds, Thresholds { down: 2, up: 1 });
    let settings = Parameters::default().settings(Settings::default());
    assert_eq!(settings.call_load.hash_size, 16);
    // What the language's table says of a configuration that says nothing.
    for (name, theirs) in [
        ("ds_ping_interval", "0"),
        ("ds_hash_size", "0"),
        ("ds_probing_mode", "0"),
        ("ds_probing_threshold", "1"),
    ] {
        let row = DISPATCHER.iter().find(|row| row.name == name);
        assert_eq!(row.map(|row| row.default), Some(theirs), "{name}");
    }
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
    assert_eq!(probing.default_socket, "10.0.0.1:5080".parse().ok());
    assert_eq!(settings.default_socket, probing.default_socket);
    assert_eq!((probing.socket, probing.default_sockname), (None, None));
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
        error("outbound_proxy=tel:1"),
        "outbound_proxy: \"tel:1\": a tel: URI names no host"
    );
    let named = with(&["outbound_proxy=sip:gw.test", "ds_default_sockname=inner"]).expect("good");
    assert_eq!(named.outbound_proxy(), Some("sip:gw.test"));
    assert_eq!(named.probing().outbound_proxy, None);
    assert_eq!(named.probing().default_sockname.as_deref(), Some("inner"));
    let settings = named.settings(Settings::default());
    assert_eq!(settings.default_sockname.as_deref(), Some("inner"));
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
