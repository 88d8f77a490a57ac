use super::*;
use crate::cli::Cli;
use clap::CommandFactory as _;

fn parse(arguments: &[&str]) -> Result<Options, String> {
    let all = std::iter::once(&"sipload").chain(arguments);
    let cli = Cli::read(all).map_err(|error| error.to_string())?;
    Ok(cli.options)
}

#[test]
fn the_options_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn sipps_names_mean_the_same() {
    let arguments = [
        "-r",
        "2000",
        "-d",
        "30",
        "-m",
        "100",
        "-l",
        "50",
        "-i",
        "127.0.0.2",
        "-p",
        "7000",
        "-s",
        "bob",
        "--role",
        "uac",
        "127.0.0.1:5070",
    ];
    let options = parse(&arguments).unwrap();
    assert!((options.rate - 2_000.0).abs() < f64::EPSILON);
    assert_eq!(options.hold, Duration::from_millis(30));
    assert_eq!((options.calls, options.limit), (Some(100), 50));
    assert_eq!(options.port, [7000]);
    assert_eq!(options.target, Some("127.0.0.1:5070".parse().unwrap()));
}

#[test]
fn own_addresses_may_be_listed_and_repeated() {
    let options = parse(&["-i", "127.0.0.2,127.0.0.4-127.0.0.5", "-i", "::1"]).unwrap();
    let items = options.local_ip.iter().map(|item| item.0.len());
    assert_eq!(items.collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn a_target_needs_no_port() {
    for (text, target) in [
        ("192.0.2.1", "192.0.2.1:5060"),
        ("2001:db8::1", "[2001:db8::1]:5060"),
        ("[2001:db8::1]", "[2001:db8::1]:5060"),
        ("[2001:db8::1]:7", "[2001:db8::1]:7"),
    ] {
        let options = parse(&[text]).unwrap();
        assert_eq!(options.target, Some(target.parse().unwrap()), "{text}");
    }
}

#[test]
fn a_target_may_be_a_name() {
    for (text, target) in [
        ("localhost", "127.0.0.1:5060"),
        ("localhost:5070", "127.0.0.1:5070"),
    ] {
        let options = parse(&[text]).unwrap();
        assert_eq!(options.target, Some(target.parse().unwrap()), "{text}");
    }
}

#[test]
fn times_may_have_sipps_units() {
    let options = parse(&["-d", "2s", "-timeout", "500ms", "-rate_interval", "2m"]).unwrap();
    assert_eq!(options.hold, Duration::from_secs(2));
    assert_eq!(options.timeout, Some(Duration::from_millis(500)));
    assert_eq!(options.rate_interval, Duration::from_secs(120));
}

#[test]
fn rates_may_count_for_another_period() {
    let options = parse(&["-r", "7", "-rp", "2000"]).unwrap();
    assert!((options.rate - 3.5).abs() < f64::EPSILON);
    let options = parse(&["-r", "10", "-rp", "5s", "-rate_increase", "5"]).unwrap();
    let rates = (options.rate, options.rate_increase, options.rate_max);
    assert_eq!(rates, (2.0, Some(1.0), None));
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    for (arguments, reason) in [
        (&["a name"][..], "not an address"),
        (&["192.0.2.1111"], "not an address"),
        (&["localhost:x"], "not an address"),
        (&["-r", "0"], "must lie between"),
        (&["-r", "nan"], "must lie between"),
        (&["-r", "-5"], "must lie between"),
        (&["-d", "-5"], "must not be below zero"),
        (&["-rp", "0"], "in 0 ms are not between"),
        (&["--max-failed", "101"], "must not be above 100"),
        (&["--reject", "200=5"], "300 to 699"),
        (&["--reject", "486"], "CODE=PERCENT"),
        (&["-error_overwrite", "yes"], "neither true nor false"),
        (&["-cid_str", "%x"], "%x is not one of"),
        (&["-base_cseq", "2147483648"], "not in 0..2147483648"),
        (&["-s", "a b"], "user part"),
        (&["-i", "127.0.0.1,0.0.0.0"], "'0.0.0.0'"),
        (&["-i", "127.0.0.1", "-i", "::1/129"], "'::1/129'"),
        (&["--duration", "1e12"], "30 days"),
    ] {
        let error = parse(arguments).unwrap_err();
        assert!(error.contains(reason), "{arguments:?}: {error}");
    }
}
