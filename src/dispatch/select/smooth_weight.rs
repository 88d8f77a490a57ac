//! Algorithms 109 and 111: shares by `weight` and by `rweight`, exact and evenly dealt out.
//!
//! Either is relative to the others that are in: with weights w and their sum W, each W turns in a
//! row give everybody exactly its w, for any number of destinations; and a short run of turns is
//! nearly as just as a long one. (Kamailio's 9 and 11 deal from a table of a hundred shuffled turns:
//! exact per hundred calls only, and from 25 destinations on the last gets what rounding leaves.)
//! A destination without a weight gets nothing; if nobody that is in has one, it is round robin.

use super::{Algorithm, Frame, SelectError, Start, round_robin};

pub(super) const BY_WEIGHT: Algorithm = Algorithm::new(109, "smooth weight", |frame| {
    let next = frame
        .set
        .board
        .smooth_weight
        .next(leaves_out_default(frame));
    taken(frame, next)
});
pub(super) const BY_RELATIVE_WEIGHT: Algorithm =
    Algorithm::new(111, "smooth relative weight", |frame| {
        let next = frame
            .set
            .board
            .smooth_rweight
            .next(leaves_out_default(frame));
        taken(frame, next)
    });

fn leaves_out_default(frame: &Frame<'_>) -> bool {
    frame.regular_len() < frame.set.len()
}

fn taken(frame: &Frame<'_>, next: Option<usize>) -> Result<Start, SelectError> {
    match next {
        Some(index) => Ok(Start::Slot(index as u32)),
        None => round_robin::start(frame),
    }
}
