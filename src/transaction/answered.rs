//! What is kept of an answered transaction.
//!
//! Transactions are answered soon and then kept for 64 T1, so that whatever is repeated meanwhile
//! finds them: nearly all that a shard keeps are of this kind. All that such a one still needs fits
//! into a few words, and for its first repeats into the bytes of its answer. Each lives equally long
//! from its answer on, so they lie in a queue in the order of their ends, and need no timers.
//!
//! Owns: these words, and the names of the bytes. Who finds them by their key, and holds the bytes, is
//! the business of the store of all transactions.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::TransactionKey;
use crate::arena::Bytes;
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

/// An answer as it was sent, for the first repeats of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its bytes.
    pub bytes: Bytes,
    /// Who got it, and gets it again, whoever repeats the request.
    pub to: SocketAddr,
    /// How long it is kept.
    pub goes_at: Timestamp,
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
    /// Of the latest that have an answer to repeat: the serial number and the answer.
    kept: VecDeque<(u32, KeptAnswer)>,
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

    /// Keeps the answer of the one that was added last.
    pub fn keep_answer(&mut self, serial: u32, answer: KeptAnswer) {
        self.kept.push_back((serial, answer));
    }

    /// The answer of one, if it is kept.
    pub fn answer(&self, serial: u32) -> Option<KeptAnswer> {
        let (first, _) = *self.kept.front()?;
        let order = |serial: u32| serial.wrapping_sub(first) & SERIAL_MASK;
        let found = self
            .kept
            .binary_search_by_key(&order(serial), |&(of, _)| order(of));
        Some(self.kept[found.ok()?].1)
    }

    /// The bytes of the next answer whose time is over: they are no longer kept here.
    pub fn pop_answer(&mut self, now: Timestamp) -> Option<Bytes> {
        let (_, first) = *self.kept.front()?;
        if now < first.goes_at {
            return None;
        }
        self.kept.pop_front();
        Some(first.bytes)
    }

    /// When to forget at the latest: somewhat after the next end, so that a shard without traffic does
    /// not wake for each of them.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let first = self.chunks.front().and_then(|chunk| chunk.get(self.gone));
        let ends = first.map(|first| first.ends_at);
        let goes = self.kept.front().map(|(_, kept)| kept.goes_at);
        ends.into_iter().chain(goes).min().map(|at| at + LATENESS)
    }

    /// Whether it is time to forget: enough are due to be forgotten together, or the next one has waited
    /// for others.
    pub fn has_batch(&self, now: Timestamp) -> bool {
        let is_due = |number, at| self.len > number && self.nth(number).ends_at <= at;
        // One that was answered long before it was added may end before those ahead of it.
        is_due(0, now) && (is_due(BATCH - 1, now) || is_due(0, now - BATCH_WAIT))
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
    use crate::arena::Arena;
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
    fn one_that_ends_before_those_ahead_of_it_waits_for_them() {
        let mut queue = AnsweredQueue::new();
        let mut rng = Rng::from_seed(2);
        let (early, late) = (Timestamp::from_secs(10), Timestamp::from_secs(20));
        queue.push(answered(&mut rng, late));
        for _ in 0..2 * BATCH {
            queue.push(answered(&mut rng, early));
        }
        assert!(!queue.has_batch(early + WAIT));
        assert!(queue.has_batch(late + WAIT));
        while queue.pop_due(late + WAIT).is_some() {}
        assert!(queue.is_empty() && !queue.has_batch(late + WAIT * 2));
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
            let mut arena = Arena::new();
            let mut answers: BTreeMap<u32, KeptAnswer> = BTreeMap::new();
            let mut now = Timestamp::from_secs(5);
            for _ in 0..120 {
                for _ in 0..rng.next() % 300 {
                    let one = answered(&mut rng, now);
                    let serial = queue.push(one);
                    prop_assert!(serial >> SERIAL_BITS == 0);
                    prop_assert_eq!(model.insert(serial, one), None, "one at a time has a number");
                    if rng.next().is_multiple_of(3) {
                        let answer = KeptAnswer {
                            bytes: arena.store(b"an answer"),
                            to: "10.0.0.1:5060".parse().expect("an address"),
                            goes_at: now + WAIT / 16,
                        };
                        queue.keep_answer(serial, answer);
                        answers.insert(serial, answer);
                    }
                }
                now += Duration::from_millis(rng.next() % 2_000);
                while let Some(bytes) = queue.pop_answer(now) {
                    let of = answers.iter().find(|(_, kept)| kept.bytes == bytes);
                    let (&serial, kept) = of.expect("it was kept");
                    prop_assert!(kept.goes_at <= now);
                    answers.remove(&serial);
                    arena.free(bytes);
                }
                prop_assert!(answers.values().all(|kept| kept.goes_at > now));
                while let Some((serial, one)) = queue.pop_due(now) {
                    prop_assert!(one.ends_at <= now);
                    prop_assert_eq!(model.remove(&serial), Some(one));
                }
                prop_assert_eq!(queue.len(), model.len());
                let ends = model.values().map(|one| one.ends_at).min();
                prop_assert!(ends.is_none_or(|at| at > now), "all that is due is forgotten");
                let goes = answers.values().map(|kept| kept.goes_at).min();
                let next = ends.into_iter().chain(goes).min();
                prop_assert_eq!(queue.next_deadline(), next.map(|at| at + LATENESS));
                for (serial, one) in &model {
                    prop_assert_eq!(queue.get(*serial), one);
                    prop_assert_eq!(queue.answer(*serial), answers.get(serial).copied());
                }
            }
        }
    }
}
