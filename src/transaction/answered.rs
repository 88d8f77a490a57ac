//! What is kept of an answered transaction when its first repeats are over.
//!
//! Transactions are answered soon and then kept for 64 T1, so that whatever is repeated meanwhile
//! finds them: nearly all that a shard keeps are of this kind. All that such a one still needs fits
//! into a few words. Each lives equally long from its answer on, so they lie in a queue in the order
//! of their ends, and need no timers.
//!
//! Owns: these words. Who finds them by their key is the business of the store of all transactions.

use std::collections::VecDeque;
use std::time::Duration;

use super::TransactionKey;
use crate::time::Timestamp;

/// Records in a chunk; a power of two. The queue grows by chunks of 40 KiB, without copying.
const CHUNK: usize = 1 << SHIFT;
const SHIFT: u32 = 10;

/// Bits of a serial number: many more than there are transactions at a time.
pub const SERIAL_BITS: u32 = 30;
const SERIAL_MASK: u32 = (1 << SERIAL_BITS) - 1;

/// How much later than at its end one may be forgotten.
const LATENESS: Duration = Duration::from_secs(1);

/// How many are forgotten at a time, if so many are due.
pub const BATCH: usize = 64;
/// How long one that is due waits for others.
const BATCH_WAIT: Duration = Duration::from_millis(100);

/// An answered transaction of which nothing is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// By which repeats find it.
    pub key: TransactionKey,
    /// The chance in the branches that were sent for it.
    pub token: u64,
    /// When it may be forgotten.
    pub ends_at: Timestamp,
    /// The code of its final answer.
    pub code: u16,
    /// The number of the socket that it came in by.
    pub socket: u16,
    /// Whether answers go to the port that it came from, whatever its Via says.
    pub goes_to_source: bool,
}

/// Answered transactions in the order of their ends. Once it has held as many as it holds at most, it
/// never allocates again.
#[derive(Debug, Default)]
pub struct AnsweredQueue {
    /// All but the last are full.
    chunks: VecDeque<Vec<Answered>>,
    /// Emptied chunks, for those that come.
    spare: Vec<Vec<Answered>>,
    /// The serial number of the first record of the first chunk.
    base: u32,
    /// How many of the first chunk are forgotten.
    gone: usize,
    len: usize,
}

impl AnsweredQueue {
    /// An empty queue; it takes a chunk when it first needs one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the one that ends last, and says its serial number, of [`SERIAL_BITS`] bits. (One that ends
    /// before another that was added earlier is forgotten with that one.)
    pub fn push(&mut self, answered: Answered) -> u32 {
        if self.chunks.back().is_none_or(|last| last.len() == CHUNK) {
            let spare = self.spare.pop();
            self.chunks
                .push_back(spare.unwrap_or_else(|| Vec::with_capacity(CHUNK)));
        }
        let place = self.gone + self.len;
        self.chunks[place >> SHIFT].push(answered);
        self.len += 1;
        self.base.wrapping_add(place as u32) & SERIAL_MASK
    }

    /// The one with this serial number, which must not be forgotten yet.
    pub fn get(&self, serial: u32) -> &Answered {
        let place = (serial.wrapping_sub(self.base) & SERIAL_MASK) as usize;
        &self.chunks[place >> SHIFT][place & (CHUNK - 1)]
    }

    /// When to forget at the latest: somewhat after the end of the next one, so that a shard without
    /// traffic does not wake for each of them.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let first = self.chunks.front()?.get(self.gone)?;
        Some(first.ends_at + LATENESS)
    }

    /// Whether it is time to forget: enough are due to be forgotten together, or the next one has waited
    /// for others.
    pub fn has_batch(&self, now: Timestamp) -> bool {
        let is_due = |number, at| self.len > number && self.nth(number).ends_at <= at;
        is_due(BATCH - 1, now) || is_due(0, now - BATCH_WAIT)
    }

    fn nth(&self, number: usize) -> &Answered {
        let place = self.gone + number;
        &self.chunks[place >> SHIFT][place & (CHUNK - 1)]
    }

    /// Forgets the next one whose time is over, and gives it with its serial number.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(u32, Answered)> {
        let first = *self.chunks.front()?.get(self.gone)?;
        if now < first.ends_at {
            return None;
        }
        let serial = self.base.wrapping_add(self.gone as u32) & SERIAL_MASK;
        self.gone += 1;
        self.len -= 1;
        if self.gone == CHUNK
            && let Some(mut emptied) = self.chunks.pop_front()
        {
            emptied.clear();
            self.spare.push(emptied);
            self.gone = 0;
            self.base = self.base.wrapping_add(CHUNK as u32) & SERIAL_MASK;
        }
        Some((serial, first))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    const WAIT: Duration = Duration::from_secs(32);

    fn answered(rng: &mut Rng, now: Timestamp) -> Answered {
        Answered {
            key: TransactionKey::of_parts(rng.next(), rng.next()),
            token: rng.next(),
            ends_at: now + WAIT,
            code: 200,
            socket: 0,
            goes_to_source: false,
        }
    }

    #[test]
    fn one_takes_forty_bytes() {
        assert_eq!(size_of::<Answered>(), 40);
    }

    #[test]
    fn chunks_come_back() {
        let mut queue = AnsweredQueue::new();
        let mut rng = Rng::from_seed(1);
        let mut now = Timestamp::ZERO;
        for _ in 0..100 * CHUNK {
            queue.push(answered(&mut rng, now));
            now += Duration::from_millis(10);
            while queue.pop_due(now).is_some() {}
        }
        assert_eq!(queue.len(), 3_199);
        assert!(queue.chunks.len() + queue.spare.len() <= 5, "{queue:?}");
        now += WAIT;
        while queue.pop_due(now).is_some() {}
        assert!(queue.is_empty() && queue.next_deadline().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_holds_what_a_map_with_deadlines_holds(seed in any::<u64>(), chunks_to_wrap in 0..3_u32) {
            let mut rng = Rng::from_seed(seed);
            let mut queue = AnsweredQueue {
                // The serial numbers begin anew while it runs.
                base: (1 << SERIAL_BITS) - (chunks_to_wrap + 1) * CHUNK as u32,
                ..AnsweredQueue::new()
            };
            let mut model: BTreeMap<u32, Answered> = BTreeMap::new();
            let mut now = Timestamp::from_secs(5);
            for _ in 0..120 {
                for _ in 0..rng.next() % 300 {
                    let one = answered(&mut rng, now);
                    let serial = queue.push(one);
                    prop_assert!(serial >> SERIAL_BITS == 0);
                    prop_assert_eq!(model.insert(serial, one), None, "one at a time has a number");
                }
                now += Duration::from_millis(rng.next() % 2_000);
                while let Some((serial, one)) = queue.pop_due(now) {
                    prop_assert!(one.ends_at <= now);
                    prop_assert_eq!(model.remove(&serial), Some(one));
                }
                prop_assert_eq!(queue.len(), model.len());
                let next = model.values().map(|one| one.ends_at).min();
                prop_assert_eq!(queue.next_deadline(), next.map(|at| at + LATENESS));
                prop_assert!(next.is_none_or(|at| at > now), "all that is due is forgotten");
                for (serial, one) in &model {
                    prop_assert_eq!(queue.get(*serial), one);
                }
            }
        }
    }
}
