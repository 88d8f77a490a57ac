//! How long a destination's keepalives take: the peers' estimator (`ds_ping_latency_stats`).
//!
//! Owns: the arithmetic, in milliseconds and 32-bit floats as the peers do it, so that the numbers
//! are the same; and the cell that all shards read. Only the one prober of a destination writes it.

use std::sync::atomic::{AtomicU32, Ordering};

/// After so many samples the oldest ones begin to be forgotten.
const MOST_SAMPLES: u32 = 1 << 21;
/// From here on the statistics count as trained.
const TRAINED: u32 = 10_000;
/// Until here the estimate is the plain average.
const FEW: u32 = 10;

/// What is known about the round trips of a destination's keepalives, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// How many answers it rests on.
    pub count: u32,
    /// How many keepalives were never answered.
    pub timeouts: u32,
    /// The shortest.
    pub min_ms: u32,
    /// The longest.
    pub max_ms: u32,
    /// The average of all.
    pub average_ms: f32,
    /// The standard deviation.
    pub deviation_ms: f32,
    /// The estimate of now: the newest samples weigh most.
    pub estimate_ms: f32,
    /// The sum of squared differences from the average (Welford's method).
    squares: f32,
}

impl Latency {
    /// Of a destination that has not been measured: what its attribute `latency` says, if anything.
    pub fn assumed(latency_ms: u32) -> Self {
        if latency_ms == 0 {
            return Self::default();
        }
        Self {
            count: TRAINED,
            min_ms: latency_ms,
            max_ms: latency_ms,
            average_ms: latency_ms as f32,
            estimate_ms: latency_ms as f32,
            ..Self::default()
        }
    }

    /// One more answer. `alpha` (0 to 1) is the weight of a new sample in the estimate.
    #[must_use]
    pub fn sample(mut self, latency_ms: u32, alpha: f32) -> Self {
        let x = latency_ms as f32;
        if self.count < MOST_SAMPLES {
            self.count += 1;
        } else {
            self.squares -= self.squares / self.count as f32;
        }
        if self.count == 1 {
            return Self {
                min_ms: latency_ms,
                max_ms: latency_ms,
                average_ms: x,
                estimate_ms: x,
                deviation_ms: 0.0,
                squares: 0.0,
                ..self
            };
        }
        if self.count > FEW && self.count < TRAINED && self.deviation_ms < 0.5 {
            self.count = TRAINED;
        }
        self.min_ms = self.min_ms.min(latency_ms);
        self.max_ms = self.max_ms.max(latency_ms);
        let before = x - self.average_ms;
        self.average_ms += before / self.count as f32;
        let after = x - self.average_ms;
        self.squares += before * after;
        self.deviation_ms = (self.squares / (self.count - 1) as f32).sqrt();
        self.estimate_ms = if self.count < FEW {
            self.average_ms
        } else {
            alpha * x + (1.0 - alpha) * self.estimate_ms
        };
        self
    }

    /// One more keepalive without answer.
    #[must_use]
    pub fn timeout(self) -> Self {
        Self {
            timeouts: self.timeouts.saturating_add(1),
            ..self
        }
    }

    /// By how many whole milliseconds the estimate is above the average; 0 when it is below.
    pub fn congestion_ms(&self) -> u32 {
        // A float becomes the nearest number that there is: no negative one.
        (self.estimate_ms - self.average_ms) as u32
    }
}

/// A [`Latency`] that one thread writes and all read. A reader may see one field of now beside
/// another of a moment ago.
#[derive(Debug, Default)]
pub(super) struct LatencyCell {
    words: [AtomicU32; 8],
}

impl LatencyCell {
    pub(super) fn load(&self) -> Latency {
        let word = |index: usize| self.words[index].load(Ordering::Relaxed);
        let float = |index| f32::from_bits(word(index));
        Latency {
            count: word(0),
            timeouts: word(1),
            min_ms: word(2),
            max_ms: word(3),
            average_ms: float(4),
            deviation_ms: float(5),
            estimate_ms: float(6),
            squares: float(7),
        }
    }

    pub(super) fn store(&self, latency: Latency) {
        let words = [
            latency.count,
            latency.timeouts,
            latency.min_ms,
            latency.max_ms,
            latency.average_ms.to_bits(),
            latency.deviation_ms.to_bits(),
            latency.estimate_ms.to_bits(),
            latency.squares.to_bits(),
        ];
        for (cell, word) in self.words.iter().zip(words) {
            cell.store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: impl IntoIterator<Item = u32>) -> Latency {
        let samples = samples.into_iter();
        samples.fold(Latency::default(), |latency, x| latency.sample(x, 0.1))
    }

    fn is_near(value: f32, expected: f32) -> bool {
        (value - expected).abs() < 1e-3
    }

    #[test]
    fn the_first_sample_is_everything() {
        let latency = after([7]);
        assert_eq!((latency.min_ms, latency.max_ms, latency.count), (7, 7, 1));
        assert!(is_near(latency.average_ms, 7.0) && is_near(latency.estimate_ms, 7.0));
        assert!(is_near(latency.deviation_ms, 0.0));
    }

    #[test]
    fn average_and_deviation_are_the_textbooks() {
        let latency = after([2, 4, 4, 4, 5, 5, 7, 9]);
        assert!(is_near(latency.average_ms, 5.0));
        assert!(is_near(latency.deviation_ms, (32.0_f32 / 7.0).sqrt()));
        assert!(
            is_near(latency.estimate_ms, 5.0),
            "the average while there are few"
        );
        assert_eq!((latency.min_ms, latency.max_ms), (2, 9));
    }

    #[test]
    fn the_estimate_follows_new_samples_faster_than_the_average() {
        let calm = [10, 12].into_iter().cycle().take(20);
        let latency = after(calm.chain([100; 5]));
        assert!(
            latency.estimate_ms > latency.average_ms + 10.0,
            "{latency:?}"
        );
        assert_eq!(
            latency.congestion_ms(),
            (latency.estimate_ms - latency.average_ms) as u32
        );
        assert_eq!(after([9, 9, 1]).congestion_ms(), 0);
    }

    #[test]
    fn what_never_varies_is_soon_trained() {
        assert_eq!(after([5; 10]).count, 10);
        assert_eq!(after([5; 11]).count, TRAINED);
        assert_eq!(after([1, 9].into_iter().cycle().take(50)).count, 50);
    }

    #[test]
    fn the_attribute_is_taken_until_there_is_better() {
        let latency = Latency::assumed(40);
        assert!(is_near(latency.estimate_ms, 40.0) && latency.max_ms == 40);
        assert_eq!(Latency::assumed(0), Latency::default());
        assert_eq!(latency.timeout().timeouts, 1);
    }

    #[test]
    fn a_cell_gives_back_what_was_stored() {
        let cell = LatencyCell::default();
        assert_eq!(cell.load(), Latency::default());
        cell.store(after([3, 1, 4, 1, 5]).timeout());
        assert_eq!(cell.load(), after([3, 1, 4, 1, 5]).timeout());
    }
}
