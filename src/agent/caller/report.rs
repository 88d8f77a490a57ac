//! What a caller has seen.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::agent::latency::{self, Latency};
use crate::time::Timestamp;

/// Numbers of calls and messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerCounts {
    /// Calls begun: their INVITE was sent.
    pub started: u64,
    /// Calls that were due while the most calls allowed were live.
    pub skipped: u64,
    /// Calls that got a provisional answer above 100.
    pub ringing: u64,
    /// Calls that got a 2xx.
    pub answered: u64,
    /// Answered calls that ended as they should, by a BYE of either side that was answered.
    pub completed: u64,
    /// Calls that the caller cancelled on purpose and that ended so.
    pub cancelled: u64,
    /// Calls that were refused as expected.
    pub refused_as_expected: u64,
    /// Answered calls that the caller left without a BYE, on purpose.
    pub byes_lost: u64,
    /// All other calls that are over.
    pub failed: u64,
    /// Of these: INVITE without final answer (timer B, or none after a CANCEL).
    pub invite_timeouts: u64,
    /// Of these: BYE without final answer (timer F).
    pub bye_timeouts: u64,
    /// Of these: cancelled because they rang too long.
    pub ring_timeouts: u64,
    /// Of these: the gateway should have hung up and did not.
    pub bye_missing: u64,
    /// Of these: the BYE was refused.
    pub byes_refused: u64,
    /// INVITEs sent again.
    pub invite_retransmissions: u64,
    /// BYEs and CANCELs sent again.
    pub other_retransmissions: u64,
    /// ACKs sent again, one for each repeated final answer.
    pub acks_again: u64,
    /// BYEs received.
    pub byes_received: u64,
    /// re-INVITEs that got a 2xx.
    pub reinvites: u64,
    /// re-INVITEs that were refused or not answered; the call goes on.
    pub reinvites_failed: u64,
    /// Calls that a second gateway answered too; that leg is ended at once.
    pub forked: u64,
    /// Messages for a transaction that is over: late, or sent twice.
    pub late: u64,
    /// Messages that fit no call or no state.
    pub unexpected: u64,
    /// Datagrams that are not SIP.
    pub malformed: u64,
    /// Calls now under way.
    pub live: u64,
    /// Most calls under way at any time.
    pub max_live: u64,
}

impl CallerCounts {
    /// Adds another caller's numbers. (The sum of two maxima is an upper bound of the common maximum.)
    pub fn merge(&mut self, other: &Self) {
        self.started += other.started;
        self.skipped += other.skipped;
        self.ringing += other.ringing;
        self.answered += other.answered;
        self.completed += other.completed;
        self.cancelled += other.cancelled;
        self.refused_as_expected += other.refused_as_expected;
        self.byes_lost += other.byes_lost;
        self.failed += other.failed;
        self.invite_timeouts += other.invite_timeouts;
        self.bye_timeouts += other.bye_timeouts;
        self.ring_timeouts += other.ring_timeouts;
        self.bye_missing += other.bye_missing;
        self.byes_refused += other.byes_refused;
        self.invite_retransmissions += other.invite_retransmissions;
        self.other_retransmissions += other.other_retransmissions;
        self.acks_again += other.acks_again;
        self.byes_received += other.byes_received;
        self.reinvites += other.reinvites;
        self.reinvites_failed += other.reinvites_failed;
        self.forked += other.forked;
        self.late += other.late;
        self.unexpected += other.unexpected;
        self.malformed += other.malformed;
        self.live += other.live;
        self.max_live += other.max_live;
    }

    /// Calls that ended as they should.
    pub fn successful(&self) -> u64 {
        self.completed + self.cancelled + self.refused_as_expected + self.byes_lost
    }

    /// Everything that was sent again.
    pub fn retransmissions(&self) -> u64 {
        self.invite_retransmissions + self.other_retransmissions
    }
}

/// Times of a short while: what a view or a log of each second is made of.
#[derive(Clone, Debug)]
pub struct Recent {
    /// INVITE to the 2xx.
    pub answer: Latency,
    /// From the INVITE to the end of the call, of all calls that ended, in nanoseconds.
    pub length: Histogram<u64>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            answer: Latency::default(),
            length: latency::new_histogram(),
        }
    }
}

impl Recent {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.answer.scheduled.reset();
        self.answer.sent.reset();
        self.length.reset();
    }

    /// Adds another caller's.
    pub fn merge(&mut self, other: &Self) {
        self.answer.merge(&other.answer);
        latency::add(&mut self.length, &other.length);
    }
}

/// Counts and latencies.
#[derive(Clone, Debug)]
pub struct CallerReport {
    /// Numbers of calls and messages.
    pub counts: CallerCounts,
    /// Calls that ended with a final answer other than 2xx, by its code; those that were cancelled on
    /// purpose are not among them.
    pub refused: BTreeMap<u16, u64>,
    /// When the last call was started.
    pub last_start: Timestamp,
    /// INVITE to the first provisional answer above 100.
    pub setup: Latency,
    /// INVITE to the 2xx.
    pub answer: Latency,
    /// BYE to its 2xx.
    pub bye: Latency,
    /// How much later than scheduled INVITEs left: the generator's own fault, in nanoseconds.
    pub lateness: Histogram<u64>,
}

impl Default for CallerReport {
    fn default() -> Self {
        Self {
            counts: CallerCounts::default(),
            refused: BTreeMap::new(),
            last_start: Timestamp::ZERO,
            setup: Latency::default(),
            answer: Latency::default(),
            bye: Latency::default(),
            lateness: latency::new_histogram(),
        }
    }
}

impl CallerReport {
    /// Adds another caller's.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        for (code, number) in &other.refused {
            *self.refused.entry(*code).or_default() += number;
        }
        self.last_start = self.last_start.max(other.last_start);
        self.setup.merge(&other.setup);
        self.answer.merge(&other.answer);
        self.bye.merge(&other.bye);
        latency::add(&mut self.lateness, &other.lateness);
    }
}
