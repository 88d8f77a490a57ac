//! What probing is told at start: the `ds_ping_*` parameters, and what the probing modes mean.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dispatch::{Flags, Health, Origin, Thresholds};

/// Everything a prober is told at start.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// How often each destination is probed (`ds_ping_interval`); zero turns probing off.
    pub interval: Duration,
    /// How long an answer may take (`ds_ping_fr_timer`, `ds_ping_timeout_ms`). The peers wait for their transaction
    /// timer, 30 s, so a dead destination costs them half a minute a failure.
    pub timeout: Duration,
    /// RFC 3261 timer T1: when a keepalive is first sent again.
    pub t1: Duration,
    /// RFC 3261 timer T2: the longest pause between two sendings.
    pub t2: Duration,
    /// Method of keepalives (`ds_ping_method`).
    pub method: String,
    /// From URI of keepalives, unless a destination has its own (`ds_ping_from`).
    pub from: String,
    /// What `User-Agent` says; empty: there is none.
    pub user_agent: String,
    /// Answers that count as alive (`ds_ping_reply_codes`).
    pub reply_codes: ReplyCodes,
    /// Which destinations are probed (`ds_probing_mode`).
    pub mode: ProbingMode,
    /// How many results in a row change a state (`ds_probing_threshold`, `ds_inactive_threshold`).
    pub thresholds: Thresholds,
    /// Whether latencies are kept (`ds_ping_latency_stats`), and the weight that a new one has in the
    /// estimate, 0 to 1 (`ds_latency_estimator_alpha`).
    pub latency_alpha: Option<f32>,
    /// The next hop of keepalives, unless a destination has its own (`outbound_proxy`).
    pub outbound_proxy: Option<SocketAddr>,
    /// The listen address that keepalives leave by, unless a destination has its own
    /// (`ds_ping_socket`).
    pub socket: Option<SocketAddr>,
    /// If there is none, the listener of this name (`ds_default_sockname`).
    pub default_sockname: Option<Box<str>>,
    /// If that is none either, this listen address (`ds_default_socket`).
    pub default_socket: Option<SocketAddr>,
    /// Whether results mean what they mean to Kamailio also where that is at fault (`ds_compat`).
    pub compat: bool,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            interval: Duration::ZERO,
            timeout: Duration::from_secs(1),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            method: "OPTIONS".to_owned(),
            from: "sip:dispatcher@localhost".to_owned(),
            user_agent: concat!("sipshard/", env!("CARGO_PKG_VERSION")).to_owned(),
            reply_codes: ReplyCodes::default(),
            mode: ProbingMode::default(),
            thresholds: Thresholds::default(),
            latency_alpha: None,
            outbound_proxy: None,
            socket: None,
            default_sockname: None,
            default_socket: None,
            compat: false,
        }
    }
}

/// Which destinations are probed (`ds_probing_mode`). Disabled ones and those with flag 32 never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbingMode {
    /// 0: those with the probing flag, which is cleared once they are found alive. A failing one
    /// keeps it, so it is probed until it is back (in Kamailio it can get stuck).
    #[default]
    UntilAlive = 0,
    /// 1: all.
    All = 1,
    /// 2: inactive ones with the probing flag.
    Inactive = 2,
    /// 3: those with the probing flag.
    Marked = 3,
}

impl TryFrom<u32> for ProbingMode {
    type Error = u32;

    /// From the parameter's number; the error is the number.
    fn try_from(number: u32) -> Result<Self, u32> {
        Ok(match number {
            0 => Self::UntilAlive,
            1 => Self::All,
            2 => Self::Inactive,
            3 => Self::Marked,
            other => return Err(other),
        })
    }
}

impl ProbingMode {
    /// Whether a destination in this state is probed.
    pub fn is_probed(self, flags: Flags) -> bool {
        let asked_for = match self {
            Self::All => true,
            Self::UntilAlive | Self::Marked => flags.has(Flags::PROBING),
            Self::Inactive => flags.has(Flags::PROBING | Flags::INACTIVE),
        };
        asked_for && !flags.has(Flags::DISABLED) && !flags.has(Flags::NO_PING)
    }

    /// What the result of a keepalive makes of a destination. A late result, for a destination that
    /// is not to be probed any more, changes nothing.
    pub fn outcome(self, health: Health, alive: bool, thresholds: Thresholds) -> Health {
        if !self.is_probed(health.flags) {
            return health;
        }
        let requested = match (alive, self) {
            (false, _) => Flags::TRYING | Flags::PROBING,
            (true, Self::All | Self::Marked) => Flags::PROBING,
            (true, Self::UntilAlive | Self::Inactive) => 0,
        };
        health.update(Flags(requested), Origin::Probe, thresholds)
    }

    /// The same as Kamailio has it: mode 0 clears the probing flag whatever the result, so a failing
    /// destination is never asked again; and in modes 0 and 2 late results count.
    pub fn outcome_as_kamailio(
        self,
        health: Health,
        alive: bool,
        thresholds: Thresholds,
    ) -> Health {
        let is_late = self == Self::Marked && !health.flags.has(Flags::PROBING);
        if is_late || health.flags.has(Flags::DISABLED) {
            return health;
        }
        let requested = match (alive, self) {
            (false, Self::UntilAlive) => Flags::TRYING,
            (false, _) => Flags::TRYING | Flags::PROBING,
            (true, Self::All | Self::Marked) => Flags::PROBING,
            (true, Self::UntilAlive | Self::Inactive) => 0,
        };
        health.update(Flags(requested), Origin::Probe, thresholds)
    }
}

/// Answers that count as alive: 200 to 299 always, and those listed as `class=4;code=503`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyCodes {
    /// Bit n: all codes from n00 to n99.
    classes: u8,
    codes: Vec<u16>,
}

/// What is wrong with a list of reply codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{offset}: {message}")]
pub struct ReplyCodesError {
    /// Byte offset of the item at fault.
    pub offset: usize,
    /// What it is.
    pub message: String,
}

impl ReplyCodes {
    /// Reads `class=N` (1 to 6) and `code=NNN` (100 to 699), separated by `;`.
    pub fn parse(text: &str) -> Result<Self, ReplyCodesError> {
        let mut codes = Self::default();
        let mut offset = 0;
        for item in text.split(';') {
            codes.add(item.trim()).map_err(|message| ReplyCodesError {
                offset: offset + item.len() - item.trim_start().len(),
                message,
            })?;
            offset += item.len() + 1;
        }
        Ok(codes)
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        if item.is_empty() {
            return Ok(());
        }
        let (name, value) = item
            .split_once('=')
            .ok_or_else(|| format!("class=N or code=NNN expected, found \"{item}\""))?;
        let number = value.trim().parse::<u16>();
        match (name.trim().to_ascii_lowercase().as_str(), number) {
            ("class", Ok(class @ 1..=6)) => self.classes |= 1 << class,
            ("code", Ok(code @ 100..=699)) => self.codes.push(code),
            ("class", _) => return Err(format!("class {value} is not 1 to 6")),
            ("code", _) => return Err(format!("code {value} is not 100 to 699")),
            (other, _) => return Err(format!("class or code expected, found \"{other}\"")),
        }
        Ok(())
    }

    /// Whether an answer of this code means alive.
    pub fn contains(&self, code: u16) -> bool {
        let class = code / 100;
        class == 2 || class < 8 && self.classes & 1 << class != 0 || self.codes.contains(&code)
    }
}
