//! Values on the command line: numbers with their bounds, times, addresses.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::ops::RangeInclusive;
use std::time::Duration;

use sipshard::agent::Stage;

/// An address or a name, without a port for port 5060. A name stands for its first IPv4 address, or, if it
/// has none, its first.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_target(text: &str) -> Result<SocketAddr, String> {
    let default_port = || {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse()
            .ok()
            .map(|ip| SocketAddr::new(ip, DEFAULT_PORT))
    };
    let target = text.parse().ok().or_else(default_port);
    let target = target.map_or_else(|| resolve(text), Ok)?;
    if target.port() == 0 || target.ip().is_unspecified() {
        return Err(NO_ADDRESS.to_owned());
    }
    Ok(target)
}

const DEFAULT_PORT: u16 = 5060;
const NO_ADDRESS: &str =
    "not an address or name such as 192.0.2.1:5060, [2001:db8::1]:5060 or proxy.example.org";

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| NO_ADDRESS)?),
        None => (text, DEFAULT_PORT),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // Numbers alone are a mistyped address, not a name to ask for.
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if name.is_empty() || !name.bytes().all(letter) || name.bytes().all(is_number) {
        return Err(NO_ADDRESS.to_owned());
    }
    let found = (name, port)
        .to_socket_addrs()
        .map_err(|error| format!("the name {name} cannot be resolved: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found.iter().find(|address| address.is_ipv4());
    let first = first.or(found.first()).copied();
    first.ok_or_else(|| format!("the name {name} has no address"))
}

fn parse_number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("must not be below zero".to_owned())
    }
}

/// A time in seconds: a number with one of SIPp's units, or without one.
fn parse_time(text: &str, usual: f64) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = match &text[digits.len()..] {
        "ms" => (digits, 1e-3),
        "s" => (digits, 1.0),
        "m" => (digits, 60.0),
        "h" => (digits, 3_600.0),
        _ => (text, usual),
    };
    let seconds = parse_number(number)? * unit;
    if seconds > LONGEST_SECONDS {
        return Err("must not be above 30 days".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Most calls a second.
pub const MOST_CALLS: f64 = 10_000_000.0;
/// Calls a second.
pub const RATES: RangeInclusive<f64> = 0.001..=MOST_CALLS;

/// The stages of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(pub Vec<Stage>);

/// Calls a second.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().map_err(|_| "not a number".to_owned())?;
    if RATES.contains(&rate) {
        Ok(rate)
    } else {
        Err("must lie between 0.001 and 10,000,000".to_owned())
    }
}

/// Longest time that an option may name: 30 days.
const LONGEST_SECONDS: f64 = 30.0 * 86_400.0;

/// A schedule: stages `RATE/SECONDS` or `FROM..TO/SECONDS`, with commas.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_schedule(text: &str) -> Result<Schedule, String> {
    let stages = text.split(',').map(|text| {
        let wrong = || format!("{text}: not RATE/SECONDS or FROM..TO/SECONDS");
        let (rate, seconds) = text.split_once('/').ok_or_else(wrong)?;
        let (from, to) = rate.split_once("..").unwrap_or((rate, rate));
        let stage = Stage {
            from: parse_number(from)?,
            to: parse_number(to)?,
            lasts: parse_seconds(seconds)?,
        };
        if stage.lasts.is_zero() || stage.from.max(stage.to) > MOST_CALLS {
            return Err(wrong());
        }
        Ok(stage)
    });
    stages.collect::<Result<_, _>>().map(Schedule)
}

/// Seconds, or a number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    parse_time(text, 1.0)
}

/// Milliseconds, or a number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_millis(text: &str) -> Result<Duration, String> {
    parse_time(text, 1e-3)
}

/// Percent, with or without the sign.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = parse_number(text.trim_end_matches('%'))?;
    if percent > 100.0 {
        return Err("must not be above 100".to_owned());
    }
    Ok(percent)
}

/// A refusing code and how many percent of the calls get it.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_reject(text: &str) -> Result<(u16, f64), String> {
    let (code, percent) = text
        .split_once('=')
        .ok_or_else(|| "not CODE=PERCENT".to_owned())?;
    let code: u16 = code.parse().map_err(|_| "not a SIP code".to_owned())?;
    if !(300..700).contains(&code) {
        return Err("the code must be one of 300 to 699".to_owned());
    }
    Ok((code, parse_percent(percent)?))
}

/// Yes or no, as SIPp has them: `true` or `false`, or a number, which is no if it is 0.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_truth(text: &str) -> Result<bool, String> {
    let number = text.parse::<i64>().ok();
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => number
            .map(|number| number != 0)
            .ok_or_else(|| "neither true nor false".to_owned()),
    }
}

/// The user part of a SIP URI.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_user(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&byte);
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not the user part of a SIP URI".to_owned())
    }
}
