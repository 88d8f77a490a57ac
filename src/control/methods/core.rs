//! `core.*` and `system.*`: the server about itself.

// The table's functions have one form, those that cannot fail too.
#![allow(clippy::unnecessary_wraps)]

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Answer, Arguments, METHODS, Method};
use crate::control::director::Director;
use crate::control::value::{Fault, Value};

pub(super) fn version(_: &Director, _: Arguments<'_>) -> Answer {
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let version = env!("CARGO_PKG_VERSION");
    Ok(vec![Value::text(format!(
        "sipshard {version} ({arch}/{os})"
    ))])
}

/// The peers give local time; this is UTC, whatever the zone of the machine.
pub(super) fn uptime(director: &Director, _: Arguments<'_>) -> Answer {
    let started = director.started_at();
    let uptime = director.uptime();
    Ok(vec![Value::members([
        ("now", Value::text(date(started + uptime))),
        ("up_since", Value::text(date(started))),
        ("uptime", Value::Int(uptime.as_secs() as i64)),
    ])])
}

pub(super) fn list_methods(_: &Director, _: Arguments<'_>) -> Answer {
    Ok(METHODS
        .iter()
        .map(|method| Value::text(method.name))
        .collect())
}

pub(super) fn method_help(_: &Director, arguments: Arguments<'_>) -> Answer {
    let name = arguments
        .text(0)
        .ok_or_else(|| Fault::bad_request("Method Name Expected"))?;
    let method = Method::find(name).ok_or_else(|| Fault::bad_request("command not found"))?;
    let help = match method.parameters {
        "" => method.help.to_owned(),
        parameters => format!("{} Parameters: {parameters}", method.help),
    };
    Ok(vec![Value::text(help)])
}

/// As C's `ctime` writes it: `Sat Nov 21 20:46:08 2026`.
fn date(time: SystemTime) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = WEEKDAYS[(days % 7) as usize];
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = "Dec";
    for (name, length) in MONTHS {
        let length = length + u64::from(name == "Feb" && is_leap(year));
        if day < length {
            month = name;
            break;
        }
        day -= length;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}",
        day + 1
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_written_as_ctime_writes_them() {
        let cases = [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (1_735_689_599, "Tue Dec 31 23:59:59 2024"),
            (1_795_293_968, "Sat Nov 21 20:46:08 2026"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
        ];
        for (seconds, text) in cases {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
