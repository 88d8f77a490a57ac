//! Thresholds on the command line: what is measured, and what it must not pass.

use std::fmt;
use std::time::Duration;

/// Which times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// INVITE to 180.
    Setup,
    /// INVITE to 200; of a script its first timer.
    Answer,
    /// BYE to 200.
    Bye,
    /// How much later than scheduled calls began.
    Lateness,
    /// A timer of a script, by its name.
    Timer(String),
}

/// What of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// Their mean.
    Mean,
    /// The time that this part of them does not exceed, from 0 to 1; 1 is the greatest.
    Quantile(f64),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Calls.
    Calls,
    /// Calls that went as they should.
    Successful,
    /// Calls that did not, with those that were skipped or never ended.
    Failed,
    /// Calls that were due while too many lived.
    Skipped,
    /// Messages that were sent again.
    Retransmissions,
    /// Messages that fitted no call or no step.
    Unexpected,
}

/// All that can be counted and its names.
const COUNTED: [(Counted, &str); 6] = [
    (Counted::Calls, "calls"),
    (Counted::Successful, "successful"),
    (Counted::Failed, "failed"),
    (Counted::Skipped, "skipped"),
    (Counted::Retransmissions, "retransmissions"),
    (Counted::Unexpected, "unexpected"),
];

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// A figure of times, in milliseconds.
    Time {
        /// Which figure.
        figure: Figure,
        /// Of which times.
        times: Times,
        /// From sending in place of from the schedule.
        from_sending: bool,
    },
    /// Calls that began later than scheduled by more than this.
    Late(Duration),
    /// A number.
    Count(Counted),
    /// Calls begun a second.
    Rate,
}

/// How the measured value has to lie to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Below it.
    Less,
    /// Not above it.
    AtMost,
    /// Above it.
    Greater,
    /// Not below it.
    AtLeast,
}

const RELATIONS: [(&str, Relation); 4] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Less),
    (">", Relation::Greater),
];

impl Relation {
    /// Whether a value is as it should be.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::Greater => value > limit,
            Self::AtLeast => value >= limit,
        }
    }
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Milliseconds.
    Millis(f64),
    /// Percent of all calls.
    Percent(f64),
    /// A number, or calls a second.
    Number(f64),
}

/// A threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// What is measured.
    pub measure: Measure,
    /// How it has to lie.
    pub relation: Relation,
    /// To what.
    pub limit: Limit,
}

impl Threshold {
    /// At most so many percent of the calls failed.
    pub fn failed(percent: f64) -> Self {
        Self {
            measure: Measure::Count(Counted::Failed),
            relation: Relation::AtMost,
            limit: Limit::Percent(percent),
        }
    }

    /// The 99th percentile of times from the schedule is at most so long.
    pub fn p99(times: Times, most: Duration) -> Self {
        Self {
            measure: Measure::Time {
                figure: Figure::Quantile(0.99),
                times,
                from_sending: false,
            },
            relation: Relation::AtMost,
            limit: Limit::Millis(most.as_secs_f64() * 1e3),
        }
    }
}

/// A threshold such as `p99(answer)<5ms`.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_threshold(text: &str) -> Result<Threshold, String> {
    let text: String = text.split_whitespace().collect();
    let found = RELATIONS
        .iter()
        .find_map(|(sign, relation)| Some((text.split_once(sign)?, *relation)));
    let ((measure, limit), relation) = found.ok_or(
        "not MEASURE<LIMIT such as p99(answer)<5ms, failed<=0.1% or rate>=990 (or <=, >, >=)",
    )?;
    let measure = parse_measure(measure)?;
    let limit = parse_limit(limit, &measure)?;
    Ok(Threshold {
        measure,
        relation,
        limit,
    })
}

fn parse_measure(text: &str) -> Result<Measure, String> {
    if text == "rate" {
        return Ok(Measure::Rate);
    }
    if let Some((counted, _)) = COUNTED.iter().find(|(_, name)| *name == text) {
        return Ok(Measure::Count(*counted));
    }
    let inner = text
        .split_once('(')
        .and_then(|(figure, rest)| Some((figure, rest.strip_suffix(')')?)));
    let Some((figure, inner)) = inner else {
        let names: Vec<&str> = COUNTED.iter().map(|(_, name)| *name).collect();
        return Err(format!(
            "`{text}`: there are rate, {}, late(TIME), and of times p50(..), p99.9(..), max(..), mean(..)",
            names.join(", ")
        ));
    };
    if figure == "late" {
        let millis = parse_time(inner)?;
        return Ok(Measure::Late(Duration::from_secs_f64(millis / 1e3)));
    }
    let (figure, (times, from_sending)) = (parse_figure(figure)?, parse_times(inner)?);
    if from_sending && times == Times::Lateness {
        return Err("lateness has no times from sending".to_owned());
    }
    Ok(Measure::Time {
        figure,
        times,
        from_sending,
    })
}

fn parse_figure(text: &str) -> Result<Figure, String> {
    match text {
        "mean" => return Ok(Figure::Mean),
        "max" => return Ok(Figure::Quantile(1.0)),
        _ => {}
    }
    let percent = text.strip_prefix('p').and_then(|text| text.parse().ok());
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent: f64| Figure::Quantile(percent / 100.0))
        .ok_or_else(|| format!("`{text}` is not mean, max, or p with a number from 0 to 100"))
}

fn parse_times(text: &str) -> Result<(Times, bool), String> {
    let bare = text.strip_suffix("-sent");
    let times = match bare.unwrap_or(text) {
        "setup" => Times::Setup,
        "answer" => Times::Answer,
        "bye" => Times::Bye,
        "lateness" => Times::Lateness,
        other => match other.strip_prefix("rtd:") {
            Some(name) if !name.is_empty() => Times::Timer(name.to_owned()),
            _ => {
                return Err(format!(
                    "`{text}`: there are setup (INVITE to 180), answer (INVITE to 200), bye, lateness, and \
                     rtd:NAME of a script, all but lateness also with -sent"
                ));
            }
        },
    };
    Ok((times, bare.is_some()))
}

/// A time in milliseconds, if it has no unit.
fn parse_time(text: &str) -> Result<f64, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[digits.len()..] {
        "" | "ms" => 1.0,
        "us" => 1e-3,
        "s" => 1e3,
        unit => return Err(format!("`{unit}`: times are in us, ms or s")),
    };
    Ok(parse_number(digits)? * factor)
}

fn parse_number(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (0.0..=1e12).contains(number))
        .ok_or_else(|| format!("`{text}` is not a number from 0 on"))
}

fn parse_limit(text: &str, measure: &Measure) -> Result<Limit, String> {
    match (measure, text.strip_suffix('%')) {
        (Measure::Time { .. }, None) => parse_time(text).map(Limit::Millis),
        (Measure::Count(Counted::Calls) | Measure::Rate | Measure::Time { .. }, Some(_)) => {
            Err("only late, successful, failed, skipped, retransmissions and unexpected can be percent of the calls".to_owned())
        }
        (_, Some(percent)) => parse_number(percent).map(Limit::Percent),
        (_, None) => parse_number(text).map(Limit::Number),
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.measure)?;
        let sign = RELATIONS
            .iter()
            .find(|(_, relation)| *relation == self.relation);
        let sign = sign.map_or("", |(sign, _)| sign);
        match self.limit {
            Limit::Millis(limit) => write!(out, " {sign} {limit} ms"),
            Limit::Percent(limit) => write!(out, " {sign} {limit} %"),
            Limit::Number(limit) => write!(out, " {sign} {limit}"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figure, times, from_sending) = match self {
            Self::Rate => return write!(out, "rate"),
            Self::Late(than) => return write!(out, "late({} ms)", than.as_secs_f64() * 1e3),
            Self::Count(counted) => {
                let name = COUNTED.iter().find(|(known, _)| known == counted);
                return write!(out, "{}", name.map_or("", |(_, name)| name));
            }
            Self::Time {
                figure,
                times,
                from_sending,
            } => (figure, times, from_sending),
        };
        match figure {
            Figure::Mean => write!(out, "mean")?,
            Figure::Quantile(1.0) => write!(out, "max")?,
            // What was given in percent is shown without the last digits of binary numbers.
            Figure::Quantile(quantile) => write!(out, "p{}", (quantile * 1e10).round() / 1e8)?,
        }
        match times {
            Times::Setup => write!(out, "(setup")?,
            Times::Answer => write!(out, "(answer")?,
            Times::Bye => write!(out, "(bye")?,
            Times::Lateness => write!(out, "(lateness")?,
            Times::Timer(name) => write!(out, "(rtd:{name}")?,
        }
        write!(out, "{})", if *from_sending { "-sent" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read_as_they_are_shown() {
        for (text, shown) in [
            ("p99(answer)<5ms", "p99(answer) < 5 ms"),
            ("p99.9(setup-sent) <= 1.5s", "p99.9(setup-sent) <= 1500 ms"),
            ("max(rtd:invite)<250us", "max(rtd:invite) < 0.25 ms"),
            ("mean(rtd:1-sent)<7", "mean(rtd:1-sent) < 7 ms"),
            ("p50(bye)>0", "p50(bye) > 0 ms"),
            ("p90(lateness)<1", "p90(lateness) < 1 ms"),
            ("late(5ms)<0.1%", "late(5 ms) < 0.1 %"),
            ("failed<=0.1%", "failed <= 0.1 %"),
            ("retransmissions<=20", "retransmissions <= 20"),
            ("rate>=1980", "rate >= 1980"),
        ] {
            let threshold = parse_threshold(text).unwrap();
            assert_eq!(threshold.to_string(), shown, "{text}");
            assert_eq!(parse_threshold(shown).unwrap(), threshold, "{text}");
        }
    }

    #[test]
    fn what_is_no_threshold_is_refused_with_its_reason() {
        for (text, reason) in [
            ("p99(answer)", "not MEASURE<LIMIT"),
            ("p99(answer)=5", "not MEASURE<LIMIT"),
            ("p99<5ms", "there are rate, calls"),
            ("p101(answer)<5", "from 0 to 100"),
            ("pp(answer)<5", "from 0 to 100"),
            ("p99(anwser)<5", "there are setup"),
            ("p99(rtd:)<5", "there are setup"),
            ("p99(lateness-sent)<5", "no times from sending"),
            ("p99(answer)<5m", "us, ms or s"),
            ("p99(answer)<", "`` is not a number"),
            ("p99(answer)<-1", "`-1` is not a number"),
            ("p99(answer)<5%", "percent of the calls"),
            ("rate>99%", "percent of the calls"),
            ("failed<inf", "`inf` is not a number"),
            ("late(x)<5", "`x`"),
        ] {
            let error = parse_threshold(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
