//! The one table of parameters: what `-P NAME=VALUE` takes, what `--help` lists.
//!
//! Owns: [`PARAMETERS`], and [`Parameters`], the values that were chosen. To add a parameter: a
//! field, a row in the table, and a line in [`Parameters::settings`] or [`Parameters::probing`].
//!
//! Names that the peers have mean what they mean there. Defaults are those of the command line,
//! which must give a balancer that works without a configuration: so keepalives run, and the
//! call-load table is on, while Kamailio leaves both off.

mod check;
mod row;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use crate::dispatch::{BuildOptions, Thresholds};
use crate::load::owner::MAX_HASH_SIZE;
use crate::probe::{ProbeSettings, ProbingMode, ReplyCodes};
use crate::proxy::{CallLoadSettings, FailoverSettings, Limits, Listener, Settings, Timers};

pub use row::{Assignment, Parameter, ParameterError, listing};
use row::{also, number, own, text};

/// The values of all parameters, each within its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Values);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values {
    list_file: String,
    ds_hash_size: i64,
    ds_hash_expire: i64,
    ds_hash_initexpire: i64,
    ds_hash_check_interval: i64,
    ds_ping_interval: i64,
    ds_ping_timeout_ms: i64,
    ds_ping_fr_timer: i64,
    ds_ping_method: String,
    ds_ping_from: String,
    ds_ping_reply_codes: String,
    ds_probing_mode: i64,
    ds_probing_threshold: i64,
    ds_inactive_threshold: i64,
    ds_timer_mode: i64,
    ds_ping_latency_stats: i64,
    ds_latency_estimator_alpha: i64,
    ds_retain_latency_stats: i64,
    outbound_proxy: String,
    ds_default_socket: String,
    ds_default_sockname: String,
    ds_ping_socket: String,
    ds_load_mode: i64,
    ds_attrs_none: i64,
    reload_delta: i64,
    ds_compat: i64,
    use_default: i64,
    flags: i64,
    failover_timeout_ms: i64,
    failover_codes: String,
    max_branches: i64,
    max_calls: i64,
    max_transactions: i64,
    timer_c_ms: i64,
    t1_ms: i64,
}

const SECONDS_A_YEAR: i64 = 365 * 86_400;

/// Every parameter, in the order of the listing.
pub const PARAMETERS: &[Parameter] = &[
    text(
        "list_file",
        "the destinations: dispatcher.list",
        "FILE",
        "/etc/sipshard/dispatcher.list",
        check::not_empty,
        |p| &mut p.list_file,
    ),
    number(
        "ds_hash_size",
        "log2 of the slots of the call-load table; slots spread calls over the shards",
        (1, MAX_HASH_SIZE as i64),
        16,
        |p| &mut p.ds_hash_size,
    ),
    number(
        "ds_hash_expire",
        "seconds after which an answered call is forgotten, counted from its last 2xx; 0: never",
        (0, SECONDS_A_YEAR),
        7200,
        |p| &mut p.ds_hash_expire,
    ),
    number(
        "ds_hash_initexpire",
        "seconds after which a call that was never answered is forgotten; 0: never",
        (0, SECONDS_A_YEAR),
        7200,
        |p| &mut p.ds_hash_initexpire,
    ),
    number(
        "ds_hash_check_interval",
        "seconds in which every slot is looked at once for calls to forget",
        (1, 86_400),
        30,
        |p| &mut p.ds_hash_check_interval,
    ),
    number(
        "ds_ping_interval",
        "seconds between two keepalives to a destination; 0: none (as Kamailio's default)",
        (0, 86_400),
        10,
        |p| &mut p.ds_ping_interval,
    ),
    own(number(
        "ds_ping_timeout_ms",
        "milliseconds that the answer to a keepalive may take",
        (10, 60_000),
        1000,
        |p| &mut p.ds_ping_timeout_ms,
    )),
    also(
        &["ds_ping_fr_timeout"],
        number(
            "ds_ping_fr_timer",
            "the same in sixteenths of a second, as in Kamailio; 0: ds_ping_timeout_ms says",
            (0, 1_000_000),
            0,
            |p| &mut p.ds_ping_fr_timer,
        ),
    ),
    text(
        "ds_ping_method",
        "method of keepalives",
        "METHOD",
        "OPTIONS",
        check::token,
        |p| &mut p.ds_ping_method,
    ),
    text(
        "ds_ping_from",
        "From URI of keepalives",
        "URI",
        "sip:dispatcher@localhost",
        check::uri,
        |p| &mut p.ds_ping_from,
    ),
    text(
        "ds_ping_reply_codes",
        "answers to keepalives that mean alive, beside 2xx: class=4;code=503",
        "LIST",
        "",
        check::reply_codes,
        |p| &mut p.ds_ping_reply_codes,
    ),
    number(
        "ds_probing_mode",
        "who gets keepalives: 0 those with P until alive, 1 all, 2 inactive with P, 3 those with P",
        (0, 3),
        1,
        |p| &mut p.ds_probing_mode,
    ),
    also(
        &["ds_probing_threshhold"],
        number(
            "ds_probing_threshold",
            "failed keepalives in a row that take a destination out (Kamailio's default: 1)",
            (1, 1000),
            2,
            |p| &mut p.ds_probing_threshold,
        ),
    ),
    number(
        "ds_inactive_threshold",
        "answered keepalives in a row that bring it back",
        (1, 1000),
        1,
        |p| &mut p.ds_inactive_threshold,
    ),
    number(
        "ds_ping_latency_stats",
        "1: keep statistics of keepalives' round trips; algorithm 13 and cc need them",
        (0, 1),
        0,
        |p| &mut p.ds_ping_latency_stats,
    ),
    number(
        "ds_latency_estimator_alpha",
        "thousandths that a new round trip weighs in the estimate",
        (1, 999),
        100,
        |p| &mut p.ds_latency_estimator_alpha,
    ),
    number(
        "ds_retain_latency_stats",
        "1: a reload keeps the statistics",
        (0, 1),
        0,
        |p| &mut p.ds_retain_latency_stats,
    ),
    text(
        "outbound_proxy",
        "where keepalives are sent instead of to the destination: sip:HOST:PORT",
        "URI",
        "",
        check::proxy,
        |p| &mut p.outbound_proxy,
    ),
    text(
        "ds_default_socket",
        "listen address that requests and keepalives leave by: udp:IP:PORT",
        "SOCKET",
        "",
        check::socket,
        |p| &mut p.ds_default_socket,
    ),
    text(
        "ds_default_sockname",
        "its name, which counts for more; names are given by --listen udp:IP:PORT/NAME",
        "NAME",
        "",
        |_| Ok(()),
        |p| &mut p.ds_default_sockname,
    ),
    text(
        "ds_ping_socket",
        "listen address that keepalives leave by: udp:IP:PORT",
        "SOCKET",
        "",
        check::socket,
        |p| &mut p.ds_ping_socket,
    ),
    number(
        "ds_load_mode",
        "1: a destination that cannot be used spoils the whole list; 0: it is left out",
        (0, 1),
        0,
        |p| &mut p.ds_load_mode,
    ),
    number(
        "ds_attrs_none",
        "1: a destination without attributes gets none=yes",
        (0, 1),
        0,
        |p| &mut p.ds_attrs_none,
    ),
    number(
        "reload_delta",
        "least seconds between two reloads; one before is refused",
        (0, 86_400),
        0,
        |p| &mut p.reload_delta,
    ),
    own(number(
        "ds_compat",
        "1: do as Kamailio where docs/compatibility.md says that sipshard does otherwise",
        (0, 1),
        0,
        |p| &mut p.ds_compat,
    )),
    number(
        "ds_timer_mode",
        "1: a timer thread probes and paces expiry; 0: each shard does it itself",
        (0, 1),
        1,
        |p| &mut p.ds_timer_mode,
    ),
    number(
        "use_default",
        "1: the last destination of a set is kept for when all others are out",
        (0, 1),
        0,
        |p| &mut p.use_default,
    ),
    number(
        "flags",
        "sum of 1: URIs are hashed by their user alone; 2: failover (Kamailio's default: 0)",
        (0, 3),
        2,
        |p| &mut p.flags,
    ),
    own(number(
        "failover_timeout_ms",
        "milliseconds without any answer after which the next destination is tried",
        (10, 600_000),
        2000,
        |p| &mut p.failover_timeout_ms,
    )),
    own(text(
        "failover_codes",
        "final answers after which the next destination is tried",
        "CODES",
        "500,503,408",
        check::failover_codes,
        |p| &mut p.failover_codes,
    )),
    own(number(
        "max_branches",
        "most destinations tried for one request",
        (1, 31),
        12,
        |p| &mut p.max_branches,
    )),
    own(number(
        "max_calls",
        "most calls in the call-load table; a new call beyond it gets 503",
        (1, 100_000_000),
        4_000_000,
        |p| &mut p.max_calls,
    )),
    own(number(
        "max_transactions",
        "most transactions at once; a new request beyond it gets 503",
        (1, 100_000_000),
        1_000_000,
        |p| &mut p.max_transactions,
    )),
    own(number(
        "timer_c_ms",
        "RFC 3261 timer C: milliseconds that an INVITE may ring",
        (100, 86_400_000),
        181_000,
        |p| &mut p.timer_c_ms,
    )),
    own(number(
        "t1_ms",
        "RFC 3261 timer T1: milliseconds of a round trip; only tests and far networks change it",
        (10, 60_000),
        500,
        |p| &mut p.t1_ms,
    )),
];

impl Default for Parameters {
    /// What the table says.
    fn default() -> Self {
        let mut parameters = Self(Values::default());
        for row in PARAMETERS {
            row.reset(&mut parameters);
        }
        parameters
    }
}

impl Parameters {
    /// Where the destinations are.
    pub fn list_file(&self) -> &Path {
        Path::new(&self.0.list_file)
    }

    /// Whether a timer thread of its own drives expiry and keepalives (`ds_timer_mode` 1).
    pub fn has_timer_thread(&self) -> bool {
        self.0.ds_timer_mode == 1
    }

    /// Whether statistics of round trips are kept (`ds_ping_latency_stats`).
    pub fn has_latency_stats(&self) -> bool {
        self.0.ds_ping_latency_stats == 1
    }

    /// Where keepalives go instead of to the destinations, if anywhere: a URI.
    pub fn outbound_proxy(&self) -> Option<&str> {
        Some(self.0.outbound_proxy.as_str()).filter(|uri| !uri.is_empty())
    }

    /// Whether one destination that cannot be used spoils the whole list (`ds_load_mode` 1).
    pub fn is_strict(&self) -> bool {
        self.0.ds_load_mode == 1
    }

    /// Whether destinations without attributes get `none=yes` (`ds_attrs_none` 1).
    pub fn has_attrs_none(&self) -> bool {
        self.0.ds_attrs_none == 1
    }

    /// The least time between two reloads (`reload_delta`).
    pub fn reload_delta(&self) -> Duration {
        seconds(self.0.reload_delta)
    }

    /// What the parameters say about publications; the version and the seed are the caller's.
    pub fn build_options(&self) -> BuildOptions {
        BuildOptions {
            retain_latency: self.0.ds_retain_latency_stats == 1,
            compat: self.0.ds_compat == 1,
            ..BuildOptions::default()
        }
    }

    /// What the parameters say about shards; everything else as it is in `base`.
    pub fn settings(&self, base: Settings) -> Settings {
        let Self(values) = self;
        Settings {
            use_default: values.use_default == 1,
            user_only: values.flags & 1 != 0,
            compat: values.ds_compat == 1,
            default_socket: Listener::parse_address(&values.ds_default_socket),
            default_sockname: not_empty(&values.ds_default_sockname),
            timers: Timers {
                t1: milliseconds(values.t1_ms),
                c: milliseconds(values.timer_c_ms),
                ..base.timers
            },
            failover: FailoverSettings {
                no_answer: milliseconds(values.failover_timeout_ms),
                codes: check::codes(&values.failover_codes).unwrap_or_default(),
                max_branches: match values.flags & 2 {
                    0 => 1,
                    _ => values.max_branches as usize,
                },
            },
            keeps_others: values.flags & 2 != 0,
            thresholds: Thresholds {
                down: values.ds_probing_threshold as u32,
                up: values.ds_inactive_threshold as u32,
            },
            probes_marked: values.ds_probing_mode == 1,
            call_load: CallLoadSettings {
                hash_size: values.ds_hash_size as u32,
                expire: seconds(values.ds_hash_expire),
                initexpire: seconds(values.ds_hash_initexpire),
                check_interval: seconds(values.ds_hash_check_interval),
                max_calls: values.max_calls as u32,
            },
            limits: Limits {
                max_transactions: values.max_transactions as u32,
                ..base.limits
            },
            ..base
        }
    }

    /// What the parameters say about keepalives. An `outbound_proxy` with a name is left to who can
    /// resolve it.
    pub fn probing(&self) -> ProbeSettings {
        let Self(values) = self;
        ProbeSettings {
            interval: seconds(values.ds_ping_interval),
            timeout: match values.ds_ping_fr_timer {
                0 => milliseconds(values.ds_ping_timeout_ms),
                sixteenths => milliseconds(sixteenths * 1000 / 16),
            },
            t1: milliseconds(values.t1_ms),
            method: values.ds_ping_method.clone(),
            from: values.ds_ping_from.clone(),
            reply_codes: ReplyCodes::parse(&values.ds_ping_reply_codes).unwrap_or_default(),
            mode: ProbingMode::try_from(values.ds_probing_mode as u32).unwrap_or_default(),
            thresholds: Thresholds {
                down: values.ds_probing_threshold as u32,
                up: values.ds_inactive_threshold as u32,
            },
            latency_alpha: self
                .has_latency_stats()
                .then_some(values.ds_latency_estimator_alpha as f32 / 1000.0),
            outbound_proxy: check::target(&values.outbound_proxy),
            socket: Listener::parse_address(&values.ds_ping_socket),
            default_sockname: not_empty(&values.ds_default_sockname),
            default_socket: Listener::parse_address(&values.ds_default_socket),
            compat: values.ds_compat == 1,
            ..ProbeSettings::default()
        }
    }
}

fn not_empty(text: &str) -> Option<Box<str>> {
    Some(text.into()).filter(|_| !text.is_empty())
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(number as u64)
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number as u64)
}
