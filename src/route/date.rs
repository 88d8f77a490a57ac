//! Dates out of seconds since 1970: the calendar that scripts see.
//!
//! Owns: the arithmetic (days to year, month and day as the proleptic Gregorian calendar has them).

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// As in 2025.
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// From 0, which is Sunday.
    pub week_day: i64,
    /// From 0.
    pub year_day: i64,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Date {
    /// The date of seconds since 1970.
    pub fn of(seconds: i64) -> Self {
        // The 30,000 years around now: nobody asks for others, and nothing overflows.
        let seconds = seconds.clamp(-1 << 40, 1 << 40);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years from March have the leap day at their end.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let before = match month {
            1 | 2 => day_of_year - 306,
            _ => day_of_year + 59 + i64::from(is_leap),
        };
        Self {
            year,
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            week_day: (days + 4).rem_euclid(7),
            year_day: before,
        }
    }

    /// `Jan`
    pub fn month_name(self) -> &'static str {
        MONTHS[(self.month - 1).rem_euclid(12) as usize]
    }

    /// `Sun`
    pub fn day_name(self) -> &'static str {
        DAYS[self.week_day.rem_euclid(7) as usize]
    }
}

/// `Tue Nov 14 22:13:20 2023`, as C's ctime() has it.
pub fn write_date(out: &mut Vec<u8>, seconds: i64) {
    use std::io::Write as _;
    let date = Date::of(seconds);
    let (day, month) = (date.day_name(), date.month_name());
    let _ = write!(
        out,
        "{day} {month} {:2} {:02}:{:02}:{:02} {}",
        date.day, date.hour, date.minute, date.second, date.year
    );
}

/// The n-th of `sec`, `min`, `hour`, `mday`, `mon`, `year`, `wday`, `yday`, as Kamailio counts them.
pub fn part_of(seconds: i64, part: u8) -> i64 {
    let date = Date::of(seconds);
    match part {
        0 => date.second,
        1 => date.minute,
        2 => date.hour,
        3 => date.day,
        4 => date.month,
        5 => date.year,
        6 => date.week_day + 1,
        _ => date.year_day + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "Thu Jan  1 00:00:00 1970", 0),
            (951_782_400, "Tue Feb 29 00:00:00 2000", 59),
            (1_700_000_000, "Tue Nov 14 22:13:20 2023", 317),
            (1_735_689_599, "Tue Dec 31 23:59:59 2024", 365),
            (1_709_251_200, "Fri Mar  1 00:00:00 2024", 60),
            (1_709_164_800, "Thu Feb 29 00:00:00 2024", 59),
            (-1, "Wed Dec 31 23:59:59 1969", 364),
        ];
        for (seconds, shown, year_day) in cases {
            let mut out = Vec::new();
            write_date(&mut out, seconds);
            assert_eq!(String::from_utf8_lossy(&out), shown);
            assert_eq!(Date::of(seconds).year_day, year_day, "{shown}");
        }
    }

    #[test]
    fn no_number_of_seconds_is_too_much() {
        for seconds in [i64::MIN, i64::MAX] {
            let _ = Date::of(seconds);
        }
    }
}
