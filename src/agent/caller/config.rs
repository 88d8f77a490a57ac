//! What a caller is told once, at start.

use std::net::SocketAddr;
use std::time::Duration;

use crate::agent::{Delay, RateProfile};
use crate::proxy::Timers;
use crate::time::Timestamp;

/// Who ends an answered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// The caller, after the hold time.
    Caller,
    /// The gateway. If its BYE has not come 64 * T1 after the hold time, the caller hangs up and counts
    /// the call as failed.
    Gateway,
}

/// Calls that are cancelled before they are answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CancelRule {
    /// Which part of the calls, 0.0 to 1.0.
    pub fraction: f64,
    /// How long after the INVITE; if no provisional answer has come by then, as soon as one comes
    /// (RFC 3261 section 9.1).
    pub after: Duration,
}

/// Which calls of a schedule are this caller's: number `index` and then every `of`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The first of them.
    pub index: u64,
    /// How many callers share the schedule; at least 1.
    pub of: u64,
}

/// Everything a [`super::Caller`] is told at start.
#[derive(Clone, Debug)]
pub struct CallerConfig {
    /// Where INVITEs go.
    pub target: SocketAddr,
    /// The caller's own addresses, at least one; the socket numbers are indices into it. Calls use them in turn.
    pub local: Vec<SocketAddr>,
    /// The user part of the Request-URI.
    pub user: String,
    /// When calls start.
    pub profile: RateProfile,
    /// A closed loop in place of the schedule: so many calls are kept under way, the next begins when one
    /// ends. [`RateProfile::calls`] and [`RateProfile::duration`] still hold.
    pub users: Option<u32>,
    /// This caller's part of the schedule.
    pub share: Share,
    /// When the schedule begins.
    pub begin: Timestamp,
    /// How long an answered call is held; the BYE is due at the next whole millisecond.
    pub hold: Delay,
    /// Most calls at a time. A call that is due while so many live is skipped and counted: the schedule
    /// never waits.
    pub max_live: u32,
    /// A call that is not answered this long after its INVITE is cancelled.
    pub ring_timeout: Duration,
    /// Calls that are cancelled on purpose.
    pub cancel: Option<CancelRule>,
    /// Part of the answered calls, 0.0 to 1.0, whose caller is gone when it should hang up: its BYE is lost.
    pub lose_bye: f64,
    /// A refusal with this code is what was wanted: such a call has not failed.
    pub expected_refusal: Option<u16>,
    /// Sends a re-INVITE so long after the answer, if the call is held longer.
    pub reinvite_after: Option<Duration>,
    /// T1 and T2 (RFC 3261 section 17.1); all timeouts are 64 * T1.
    pub timers: Timers,
    /// True: ACK and BYE go to the remote target along the route set (RFC 3261 section 12.2).
    /// False: to [`CallerConfig::target`] without Route, as SIPp's built-in caller does.
    pub follow_route_set: bool,
    /// Whether Via asks for answers to the port that requests came from (RFC 3581).
    pub rport: bool,
    /// Who ends answered calls.
    pub hang_up: HangUp,
}

impl CallerConfig {
    /// One call a second without end from `local` to `target`, held for a second.
    pub fn new(target: SocketAddr, local: Vec<SocketAddr>) -> Self {
        Self {
            target,
            local,
            user: "service".to_owned(),
            profile: RateProfile::constant(1.0),
            users: None,
            share: Share { index: 0, of: 1 },
            begin: Timestamp::ZERO,
            hold: Delay::Fixed(Duration::from_secs(1)),
            max_live: 1_000_000,
            ring_timeout: Duration::from_secs(180),
            cancel: None,
            lose_bye: 0.0,
            expected_refusal: None,
            reinvite_after: None,
            timers: Timers::default(),
            follow_route_set: true,
            rport: false,
            hang_up: HangUp::Caller,
        }
    }
}
