//! Algorithms 100 to 107: rendezvous hashing with weights. 100 + N has the key of algorithm N.
//!
//! Each destination draws a lot that depends on the key and on its own name (its duid, else its URI)
//! alone; the best lot wins (highest random weight, Thaler and Ravishankar 1998, with weights by the
//! logarithm method). So a destination that goes out moves its own calls only, to all the others in
//! proportion to their weights, and gets exactly these back; the order in the list does not matter,
//! nor does a reload. No peer has it (there a hash leaves a dead destination's whole share to one
//! neighbour, and a longer list moves nearly all calls).
//!
//! `weight` (1 to 100) is relative. Without one a destination counts as weight 1, so sets without
//! weights are shared equally.

use super::candidates::{Order, Rank};
use super::{Algorithm, Frame, SelectError, Start, round_robin, user_hash};
use crate::dispatch::Destination;
use crate::dispatch::hash::{mix, name_hash};

pub(super) const OVER_CALL_ID: Algorithm =
    Algorithm::new(100, "rendezvous over Call-ID", |frame| {
        by_key(frame, name_hash(&[frame.call_id()?]))
    });
pub(super) const OVER_FROM: Algorithm = Algorithm::new(101, "rendezvous over From URI", |frame| {
    let key = frame.key_of_from()?;
    by_key(frame, name_hash(&[key.user, key.host]))
});
pub(super) const OVER_TO: Algorithm = Algorithm::new(102, "rendezvous over To URI", |frame| {
    let key = frame.key_of_to()?;
    by_key(frame, name_hash(&[key.user, key.host]))
});
pub(super) const OVER_REQUEST_URI: Algorithm =
    Algorithm::new(103, "rendezvous over Request-URI", |frame| {
        let key = frame.key_of_request()?;
        by_key(frame, name_hash(&[key.user, key.host]))
    });
pub(super) const OVER_USER: Algorithm = Algorithm::new(
    105,
    "rendezvous over the authorization user",
    |frame| match frame.keys.message.and_then(user_hash::user) {
        Some(user) => by_key(frame, name_hash(&[user])),
        None => round_robin::start(frame),
    },
);
pub(super) const OVER_VARIABLE: Algorithm =
    Algorithm::new(107, "rendezvous over hash_pvar", |frame| {
        by_key(frame, name_hash(&[frame.variable()?]))
    })
    .needing_a_variable();

fn by_key(frame: &Frame<'_>, key: u64) -> Result<Start, SelectError> {
    frame.best_by(Order::Rendezvous { key })
}

/// The lot of a destination for a key; the lowest wins.
pub(super) fn rank(destination: &Destination, key: u64, index: usize) -> Rank {
    let lot = mix(key ^ destination.name_hash());
    let weight = destination.attributes.weight.max(1);
    let cost = negative_log2(lot) / f64::from(weight);
    Rank {
        // Numbers that are not negative are ordered as their bits are.
        cost: cost.to_bits(),
        place: index as u32,
    }
}

/// -log2(x / 2^64) for x from 1 on; for 0 as for 1. Only sums, products and quotients, which every
/// machine rounds alike (a mathematics library's logarithm need not).
fn negative_log2(x: u64) -> f64 {
    let x = x.max(1);
    let zeros = x.leading_zeros();
    // The mantissa, from 1 to below 2.
    let mantissa = ((x << zeros) >> 11) as f64 / (1_u64 << 52) as f64;
    // ln(m) = 2 atanh((m - 1) / (m + 1)), and the quotient is below 1/3.
    let q = (mantissa - 1.0) / (mantissa + 1.0);
    let square = q * q;
    let mut sum = 0.0;
    for odd in (0..14).rev() {
        sum = sum * square + 1.0 / f64::from(2 * odd + 1);
    }
    let log2 = 2.0 * q * sum * std::f64::consts::LOG2_E;
    f64::from(zeros + 1) - log2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for x in [
            1,
            2,
            3,
            12_345,
            1 << 31,
            (1 << 63) - 1,
            1 << 63,
            u64::MAX / 3,
            u64::MAX,
        ] {
            let exact = 64.0 - (x as f64).log2();
            assert!((negative_log2(x) - exact).abs() < 1e-12, "{x}");
            assert!(negative_log2(x) >= 0.0, "{x}");
        }
    }
}
