//! The command line. Options carry SIPp's names where they mean the same.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// An open-loop SIP load generator: callers and gateways over UDP on all cores.
///
/// Calls start by schedule, whatever the system under test does; latencies count from the schedule.
/// Without TARGET the callers call the gateways of the same process.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// Where calls are sent: IP:PORT, or IP for port 5060
    #[arg(value_parser = parse_target)]
    pub target: Option<SocketAddr>,

    /// Which ends of the calls to play
    #[arg(long, value_enum, default_value_t = Role::Both)]
    pub role: Role,

    /// Calls started a second
    #[arg(short = 'r', long, value_name = "CALLS", default_value_t = 10.0, value_parser = parse_rate)]
    pub rate: f64,

    /// Seconds in which the rate climbs evenly from zero
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    pub ramp: Duration,

    /// Calls in all; for --role uas, the number of ended calls after which to stop
    #[arg(short = 'm', long, value_name = "NUMBER")]
    pub calls: Option<u64>,

    /// Seconds in which calls start (with neither this nor -m: 10); for --role uas, the seconds to run
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,

    /// Milliseconds that an answered call is held
    #[arg(short = 'd', long = "hold", value_name = "MS", default_value = "1000", value_parser = parse_millis)]
    pub hold: Duration,

    /// How hold times are distributed, with mean -d
    #[arg(long, value_enum, default_value_t = Distribution::Fixed)]
    pub hold_distribution: Distribution,

    /// Most calls at a time; calls due while so many live are skipped and counted
    #[arg(short = 'l', long, value_name = "CALLS", default_value_t = 1_000_000)]
    pub limit: u32,

    /// Own address [default: the one from which the target is reached, else 127.0.0.1]
    #[arg(short = 'i', long, value_name = "IP")]
    pub local_ip: Option<IpAddr>,

    /// Ports of the gateways, with commas, or the first of --ports; with --role uac the first of the
    /// callers' ports [default: free ones; with --role uas 5060]
    #[arg(short = 'p', long, value_name = "PORTS", value_delimiter = ',')]
    pub port: Vec<u16>,

    /// Number of gateways [default: as many as -p names, else one for each thread]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub ports: Option<u16>,

    /// Number of local ports that calls leave by, in turn [default: 4 for each thread]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub sockets: Option<u16>,

    /// User part of the Request-URI
    #[arg(short = 's', long, value_name = "USER", default_value = "service", value_parser = parse_user)]
    pub service: String,

    /// Threads [default: the cores that may be used]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Callers send ACK and BYE to the target without Route, as SIPp's built-in caller does
    #[arg(long)]
    pub ignore_route_set: bool,

    /// Who hangs up
    #[arg(long, value_enum, default_value_t = Side::Caller)]
    pub hang_up: Side,

    /// Part of the calls, in percent, that callers cancel
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub cancel: f64,

    /// Milliseconds after the INVITE at which they do
    #[arg(long, value_name = "MS", default_value = "100", value_parser = parse_millis)]
    pub cancel_after: Duration,

    /// Seconds after which a call that only rings is cancelled and has failed
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = parse_seconds)]
    pub ring_timeout: Duration,

    /// Milliseconds after the answer at which callers send a re-INVITE
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub reinvite_after: Option<Duration>,

    /// Gateways send 100 at once
    #[arg(long)]
    pub trying: bool,

    /// Milliseconds from the INVITE to a gateway's 180
    #[arg(long, value_name = "MS", default_value = "0", value_parser = parse_millis)]
    pub ring: Duration,

    /// Milliseconds from a gateway's 180 to its 200
    #[arg(long, value_name = "MS", default_value = "0", value_parser = parse_millis)]
    pub answer: Duration,

    /// Part of the calls that gateways refuse with a code, e.g. 486=5; may be given several times
    #[arg(long, value_name = "CODE=PERCENT", value_parser = parse_reject)]
    pub reject: Vec<(u16, f64)>,

    /// Part of the calls that gateways ring and never answer
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub ring_only: f64,

    /// Part of the calls that gateways do not answer at all
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub ignore: f64,

    /// SIP timer T1 of both ends; timeouts are 64 times this
    #[arg(long, value_name = "MS", default_value = "500", value_parser = parse_millis)]
    pub t1: Duration,

    /// Exit status 1 if more of the calls fail (skipped ones count as failed)
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub max_failed: f64,

    /// Exit status 1 if the 99th percentile of the answer time, from the schedule, is above this
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub max_p99_answer: Option<Duration>,

    /// Exit status 1 if the 99th percentile of the lateness of INVITEs is above this: the generator
    /// itself did not keep up
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub max_p99_lateness: Option<Duration>,

    /// No live line
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// Which ends of the calls are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Callers and gateways.
    Both,
    /// Callers.
    Uac,
    /// Gateways.
    Uas,
}

impl Role {
    /// Whether there are callers.
    pub fn calls(self) -> bool {
        self != Self::Uas
    }

    /// Whether there are gateways.
    pub fn answers(self) -> bool {
        self != Self::Uac
    }
}

/// How times are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// All the same.
    Fixed,
    /// As telephone calls roughly are.
    Exponential,
}

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The caller.
    Caller,
    /// The gateway.
    Gateway,
}

fn parse_target(text: &str) -> Result<SocketAddr, String> {
    let default_port = || {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse().ok().map(|ip| SocketAddr::new(ip, 5060))
    };
    text.parse()
        .ok()
        .or_else(default_port)
        .filter(|target: &SocketAddr| target.port() != 0 && !target.ip().is_unspecified())
        .ok_or_else(|| "not an address such as 192.0.2.1:5060 or [2001:db8::1]:5060".to_owned())
}

fn parse_number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("must not be below zero".to_owned())
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = parse_number(text)?;
    if (0.001..=10_000_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("must lie between 0.001 and 10,000,000".to_owned())
    }
}

/// Longest time that an option may name: 30 days.
const LONGEST_SECONDS: f64 = 30.0 * 86_400.0;

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = parse_number(text)?;
    if seconds > LONGEST_SECONDS {
        return Err("must not be above 30 days".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn parse_millis(text: &str) -> Result<Duration, String> {
    let millis = parse_number(text)?;
    if millis / 1_000.0 > LONGEST_SECONDS {
        return Err("must not be above 30 days".to_owned());
    }
    Ok(Duration::from_secs_f64(millis / 1_000.0))
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = parse_number(text.trim_end_matches('%'))?;
    if percent > 100.0 {
        return Err("must not be above 100".to_owned());
    }
    Ok(percent)
}

fn parse_reject(text: &str) -> Result<(u16, f64), String> {
    let (code, percent) = text
        .split_once('=')
        .ok_or_else(|| "not CODE=PERCENT".to_owned())?;
    let code: u16 = code.parse().map_err(|_| "not a SIP code".to_owned())?;
    if !(300..700).contains(&code) {
        return Err("the code must be one of 300 to 699".to_owned());
    }
    Ok((code, parse_percent(percent)?))
}

fn parse_user(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&byte);
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not the user part of a SIP URI".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let all = std::iter::once(&"sipload").chain(arguments);
        Options::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_options_are_consistent() {
        Options::command().debug_assert();
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
    fn nonsense_is_refused_with_its_reason() {
        for (arguments, reason) in [
            (&["example.org"][..], "not an address"),
            (&["-r", "0"], "must lie between"),
            (&["-r", "nan"], "must not be below zero"),
            (&["--max-failed", "101"], "must not be above 100"),
            (&["--reject", "200=5"], "300 to 699"),
            (&["--reject", "486"], "CODE=PERCENT"),
            (&["-s", "a b"], "user part"),
            (&["--duration", "1e12"], "30 days"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(reason), "{arguments:?}: {error}");
        }
    }
}
