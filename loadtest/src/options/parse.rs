//! Values on the command line: numbers with their bounds, times, addresses.

use std::net::SocketAddr;
use std::time::Duration;

use sipshard::agent::Stage;

/// An address, or an IP address for port 5060.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_target(text: &str) -> Result<SocketAddr, String> {
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

/// Most calls a second.
const MOST_CALLS: f64 = 10_000_000.0;

/// The stages of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(pub Vec<Stage>);

/// Calls a second.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = parse_number(text)?;
    if (0.001..=MOST_CALLS).contains(&rate) {
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

/// Seconds.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = parse_number(text)?;
    if seconds > LONGEST_SECONDS {
        return Err("must not be above 30 days".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Milliseconds.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_millis(text: &str) -> Result<Duration, String> {
    let millis = parse_number(text)?;
    if millis / 1_000.0 > LONGEST_SECONDS {
        return Err("must not be above 30 days".to_owned());
    }
    Ok(Duration::from_secs_f64(millis / 1_000.0))
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
