//! What lies between everybody: datagrams are delayed, lost, doubled and put out of order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use rand::RngExt as _;

use crate::rng::Rng;
use crate::time::Timestamp;

/// A doubled datagram may come this much later than the first copy. With the other delays that is
/// below T4, the longest that a message stays in the network (RFC 3261 section 17.1.2.2).
const LATEST_COPY: Duration = Duration::from_millis(2_500);

/// What the network does to datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Datagrams lost, of 1,000.
    pub loss_permille: u32,
    /// Datagrams doubled, of 1,000.
    pub doubling_permille: u32,
    /// The least that a datagram takes.
    pub delay: Duration,
    /// What it may take longer.
    pub jitter: Duration,
    /// Whether datagrams between the same two addresses may overtake each other.
    pub reorder: bool,
}

impl Weather {
    /// After everything has been repaired.
    pub const FAIR: Self = Self {
        loss_permille: 0,
        doubling_permille: 0,
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        reorder: false,
    };

    /// Draws the weather; `calm` is without loss.
    pub(super) fn draw(rng: &mut Rng, calm: bool) -> Self {
        let permille = |rng: &mut Rng, most| {
            if rng.random_ratio(1, 2) {
                rng.random_range(1..=most)
            } else {
                0
            }
        };
        let jitter_ms = match rng.random_range(0..4_u32) {
            0 => 0,
            1 | 2 => rng.random_range(1..=40),
            _ => rng.random_range(40..=400),
        };
        Self {
            loss_permille: if calm { 0 } else { permille(rng, 150) },
            doubling_permille: permille(rng, 150),
            delay: Duration::from_micros(rng.random_range(50..=20_000)),
            jitter: Duration::from_millis(jitter_ms),
            reorder: rng.random_ratio(1, 2),
        }
    }
}

/// One datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Arc<[u8]>,
}

/// When the copies of a datagram arrive: none if it is lost, two if it is doubled.
pub(super) type Arrivals = ArrayVec<Timestamp, 2>;

/// The network.
#[derive(Debug)]
pub(super) struct Network {
    rng: Rng,
    weather: Weather,
    /// The last arrival of each pair of addresses, as long as nothing may overtake.
    last: BTreeMap<(SocketAddr, SocketAddr), Timestamp>,
    pub lost: u64,
    pub doubled: u64,
}

impl Network {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            weather,
            last: BTreeMap::new(),
            lost: 0,
            doubled: 0,
        }
    }

    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// Decides what becomes of a datagram that is sent now.
    pub fn send(&mut self, now: Timestamp, from: SocketAddr, to: SocketAddr) -> Arrivals {
        let mut arrivals = Arrivals::new();
        if self.is_hit(self.weather.loss_permille) {
            self.lost += 1;
            return arrivals;
        }
        let mut at = now + self.delay();
        if !self.weather.reorder {
            let last = self.last.entry((from, to)).or_default();
            at = at.max(*last);
            *last = at;
        }
        arrivals.push(at);
        if self.is_hit(self.weather.doubling_permille) {
            self.doubled += 1;
            let later = self.rng.random_range(0..=LATEST_COPY.as_nanos() as u64);
            arrivals.push(at + Duration::from_nanos(later));
        }
        arrivals
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.weather.jitter.as_nanos() as u64;
        self.weather.delay + Duration::from_nanos(self.rng.random_range(0..=jitter))
    }

    fn is_hit(&mut self, permille: u32) -> bool {
        permille > 0 && self.rng.random_ratio(permille, 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn arrivals(weather: Weather) -> Vec<Arrivals> {
        let mut network = Network::new(3, weather);
        (0..1_000)
            .map(|ms| {
                network.send(
                    Timestamp::from_nanos(ms * 1_000_000),
                    address(1),
                    address(2),
                )
            })
            .collect()
    }

    #[test]
    fn without_reordering_nothing_overtakes() {
        let weather = Weather {
            jitter: Duration::from_millis(100),
            ..Weather::FAIR
        };
        let firsts: Vec<_> = arrivals(weather).iter().map(|copies| copies[0]).collect();
        assert!(firsts.is_sorted());
        let weather = Weather {
            reorder: true,
            ..weather
        };
        let firsts: Vec<_> = arrivals(weather).iter().map(|copies| copies[0]).collect();
        assert!(!firsts.is_sorted());
    }

    #[test]
    fn loss_and_doubling_are_as_often_as_said() {
        let weather = Weather {
            loss_permille: 100,
            doubling_permille: 100,
            ..Weather::FAIR
        };
        let sent = arrivals(weather);
        let lost = sent.iter().filter(|copies| copies.is_empty()).count();
        let doubled = sent.iter().filter(|copies| copies.len() == 2).count();
        assert!((60..140).contains(&lost), "{lost}");
        assert!((50..130).contains(&doubled), "{doubled}");
    }
}
