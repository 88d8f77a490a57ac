//! What a gateway is told once, at start, and how it treats calls.

use std::net::SocketAddr;
use std::time::Duration;

use crate::agent::Delay;
use crate::agent::profile::unit;
use crate::proxy::{SocketId, Timers};
use crate::rng::Rng;
use crate::time::Timestamp;

/// What a gateway does with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answer,
    RingOnly,
    Reject(u16),
    Ignore,
}

/// Which part of the calls is treated how, each from 0.0 to 1.0; the rest is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerMix {
    /// Refused at once with these codes (300 to 699).
    pub reject: Vec<(u16, f64)>,
    /// Rung and never answered.
    pub ring_only: f64,
    /// Not answered at all.
    pub ignore: f64,
}

impl AnswerMix {
    /// Every call is answered.
    pub fn answer_all() -> Self {
        Self::default()
    }

    /// Every call is refused with `code`.
    pub fn reject_all(code: u16) -> Self {
        Self {
            reject: vec![(code, 1.0)],
            ..Self::default()
        }
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> Fate {
        let mut rest = unit(rng);
        for &(code, fraction) in &self.reject {
            if rest < fraction {
                return Fate::Reject(code);
            }
            rest -= fraction;
        }
        if rest < self.ring_only {
            return Fate::RingOnly;
        }
        if rest - self.ring_only < self.ignore {
            return Fate::Ignore;
        }
        Fate::Answer
    }
}

/// Everything a [`super::Gateway`] is told at start.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Its address.
    pub address: SocketAddr,
    /// The number of the socket with this address, for what it sends.
    pub socket: SocketId,
    /// When it begins to exist: no message and no tick is earlier.
    pub begin: Timestamp,
    /// Whether it sends 100 at once.
    pub trying: bool,
    /// How long after the INVITE it sends 180; `None`: never.
    pub ring_after: Option<Delay>,
    /// How long after that it sends 200.
    pub answer_after: Delay,
    /// Which calls it does not answer.
    pub mix: AnswerMix,
    /// How long after the ACK it hangs up itself; `None`: never.
    pub hang_up_after: Option<Delay>,
    /// T1 and T2 (RFC 3261 section 17.2); all timeouts are 64 * T1.
    pub timers: Timers,
    /// How long a call that is over is remembered, to know what is sent again. At most what RFC 3261
    /// asks for, 64 * T1, is useful.
    pub linger: Duration,
    /// Most calls that it remembers, living and over; further ones get 503.
    pub max_calls: u32,
    /// Whether it keeps a [`super::CallRecord`] for each call: for tests, since it never forgets one.
    pub keep_records: bool,
}

impl GatewayConfig {
    /// A gateway that rings and answers every call at once.
    pub fn new(address: SocketAddr, socket: SocketId) -> Self {
        let timers = Timers::default();
        Self {
            address,
            socket,
            begin: Timestamp::ZERO,
            trying: false,
            ring_after: Some(Delay::ZERO),
            answer_after: Delay::ZERO,
            mix: AnswerMix::answer_all(),
            hang_up_after: None,
            timers,
            linger: timers.t1 * 64,
            max_calls: 4_000_000,
            keep_records: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_gets_its_part() {
        let mix = AnswerMix {
            reject: vec![(486, 0.2), (503, 0.1)],
            ring_only: 0.3,
            ignore: 0.15,
        };
        let mut rng = Rng::from_seed(3);
        let draws: Vec<Fate> = (0..100_000).map(|_| mix.draw(&mut rng)).collect();
        for (fate, part) in [
            (Fate::Reject(486), 0.2),
            (Fate::Reject(503), 0.1),
            (Fate::RingOnly, 0.3),
            (Fate::Ignore, 0.15),
            (Fate::Answer, 0.25),
        ] {
            let seen = draws.iter().filter(|draw| **draw == fate).count() as f64 / 100_000.0;
            assert!((seen - part).abs() < 0.01, "{fate:?}: {seen}");
        }
    }

    #[test]
    fn whole_fractions_leave_no_gap() {
        let mut rng = Rng::from_seed(4);
        let reject = AnswerMix::reject_all(500);
        let answer = AnswerMix::answer_all();
        for _ in 0..10_000 {
            assert_eq!(reject.draw(&mut rng), Fate::Reject(500));
            assert_eq!(answer.draw(&mut rng), Fate::Answer);
        }
    }
}
