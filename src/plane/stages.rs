//! Where the time goes inside: how long messages were in each stage of their way, as histograms.
//!
//! Owns: the stages, the kinds of messages, and the counts of one shard. May touch: memory only.
//!
//! To record is a handful of instructions in memory that only the shard has: no lock, no allocation.
//! The clock is read for a batch, not for a message, so each message of a batch is given what the batch took:
//! that is also how long it waited, for none is sent before all are worked. The control side takes the counts
//! away whole, by giving empty ones for them.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A part of a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the kernel's receive stamp to when a shard had read it.
    Queue,
    /// From then to when the shard that owns the call took it from the ring; only for messages that
    /// were handed over.
    HandOff,
    /// From when it was read, or taken from the ring, to when its batch was worked.
    Work,
    /// From then to when everything was sent that the batch made.
    Send,
}

impl Stage {
    /// All, in the order of a message's way.
    pub const ALL: [Self; 4] = [Self::Queue, Self::HandOff, Self::Work, Self::Send];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::HandOff => "handoff",
            Self::Work => "work",
            Self::Send => "send",
        }
    }
}

/// What a message is, as far as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// An INVITE.
    Invite,
    /// An ACK.
    Ack,
    /// A BYE.
    Bye,
    /// A CANCEL.
    Cancel,
    /// An OPTIONS request.
    Options,
    /// A provisional reply.
    Provisional,
    /// A reply of success.
    Success,
    /// A reply from 300 on.
    Final,
    /// Other requests, and what is not SIP.
    Other,
}

impl MessageKind {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Options,
        Self::Provisional,
        Self::Success,
        Self::Final,
        Self::Other,
    ];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Provisional => "1xx",
            Self::Success => "2xx",
            Self::Final => "3xx-6xx",
            Self::Other => "other",
        }
    }

    /// The kind of a datagram.
    pub(super) fn of(datagram: &[u8]) -> Self {
        match datagram {
            [b'S', b'I', b'P', b'/', _, _, _, b' ', class, ..] => match class {
                b'1' => Self::Provisional,
                b'2' => Self::Success,
                b'3'..=b'6' => Self::Final,
                _ => Self::Other,
            },
            [b'I', b'N', b'V', b'I', b'T', b'E', b' ', ..] => Self::Invite,
            [b'A', b'C', b'K', b' ', ..] => Self::Ack,
            [b'B', b'Y', b'E', b' ', ..] => Self::Bye,
            [b'C', b'A', b'N', b'C', b'E', b'L', b' ', ..] => Self::Cancel,
            [b'O', b'P', b'T', b'I', b'O', b'N', b'S', b' ', ..] => Self::Options,
            _ => Self::Other,
        }
    }
}

/// Times are counted in units of 64 ns, exactly up to 32 units, then in 32 steps for each doubling:
/// a step is at most 3% of its times.
const UNIT_BITS: u32 = 6;
const STEP_BITS: u32 = 5;
const STEPS: usize = 1 << STEP_BITS;
/// Doublings: the last step holds all from 17 s on.
const DOUBLINGS: usize = 23;
const CELLS: usize = STEPS * (1 + DOUBLINGS);

fn cell(nanos: u64) -> usize {
    let units = nanos >> UNIT_BITS;
    let shift = (u64::BITS - units.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let cell = shift as usize * STEPS + (units >> shift) as usize;
    cell.min(CELLS - 1)
}

/// The time in the middle of a cell, in nanoseconds.
fn middle(cell: usize) -> u64 {
    let shift = (cell / STEPS).saturating_sub(1) as u32;
    let first = (cell - shift as usize * STEPS) as u64;
    ((2 * first + 1) << (shift + UNIT_BITS)) / 2
}

/// The times of one kind of message in one stage.
#[derive(Clone, Debug)]
struct Times {
    counts: [u64; CELLS],
    longest_nanos: u64,
}

impl Times {
    const NONE: Self = Self {
        counts: [0; CELLS],
        longest_nanos: 0,
    };
}

/// The times of all kinds of messages in all stages: 220 KiB, of which few lines are touched.
#[derive(Clone, Debug)]
pub struct Stages(Vec<Times>);

impl Stages {
    /// No times.
    pub fn new() -> Self {
        Self(vec![Times::NONE; Stage::ALL.len() * MessageKind::ALL.len()])
    }

    /// Notes that `count` messages took so long.
    pub fn record(&mut self, stage: Stage, kind: MessageKind, took: Duration, count: u32) {
        let nanos = took.as_nanos() as u64;
        let times = &mut self.0[number(stage, kind)];
        times.counts[cell(nanos)] += u64::from(count);
        times.longest_nanos = times.longest_nanos.max(nanos);
    }

    /// Adds those of another shard, or of another time.
    pub fn add(&mut self, other: &Self) {
        for (times, other) in self.0.iter_mut().zip(&other.0) {
            times.longest_nanos = times.longest_nanos.max(other.longest_nanos);
            for (count, other) in times.counts.iter_mut().zip(&other.counts) {
                *count += other;
            }
        }
    }

    /// The times in nanoseconds, to ask for quantiles; `None` if there is none. A time is known to a
    /// step, and the longest is [`Stages::longest`].
    pub fn histogram(&self, stage: Stage, kind: MessageKind) -> Option<Histogram<u64>> {
        let times = &self.0[number(stage, kind)];
        let counted = |&(_, count): &(usize, &u64)| *count > 0;
        let mut histogram = Histogram::new(2).ok()?;
        for (cell, &count) in times.counts.iter().enumerate().filter(counted) {
            // It grows to the longest time, whatever that is.
            histogram.record_n(middle(cell), count).ok()?;
        }
        (!histogram.is_empty()).then_some(histogram)
    }

    /// The longest time, exactly.
    pub fn longest(&self, stage: Stage, kind: MessageKind) -> Duration {
        Duration::from_nanos(self.0[number(stage, kind)].longest_nanos)
    }
}

impl Default for Stages {
    fn default() -> Self {
        Self::new()
    }
}

fn number(stage: Stage, kind: MessageKind) -> usize {
    stage as usize * MessageKind::ALL.len() + kind as usize
}

/// How many messages of each kind a batch has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally([u32; MessageKind::ALL.len()]);

impl Tally {
    /// One more.
    pub(super) fn add(&mut self, kind: MessageKind) {
        self.0[kind as usize] += 1;
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes that this stage took so long for all of them.
    pub(super) fn record(&self, stages: &mut Stages, stage: Stage, took: Duration) {
        for (kind, &count) in MessageKind::ALL.into_iter().zip(&self.0) {
            if count > 0 {
                stages.record(stage, kind, took, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_times_of_three_percent_and_its_middle() {
        let mut nanos = 1;
        while nanos < 17_000_000_000_u64 {
            let near = middle(cell(nanos)).abs_diff(nanos);
            assert!(near <= 32 + nanos / 32, "{nanos} is {near} off");
            assert_eq!(cell(middle(cell(nanos))), cell(nanos));
            nanos += 1 + nanos / 50;
        }
        assert_eq!(cell(u64::MAX), CELLS - 1);
        assert!((1..CELLS).all(|cell| middle(cell) > middle(cell - 1)));
    }

    #[test]
    fn a_datagram_is_of_the_kind_that_its_first_bytes_say() {
        let cases = [
            ("INVITE sip:a@b SIP/2.0\r\n", MessageKind::Invite),
            ("ACK sip:a@b SIP/2.0\r\n", MessageKind::Ack),
            ("BYE sip:a@b SIP/2.0\r\n", MessageKind::Bye),
            ("CANCEL sip:a@b SIP/2.0\r\n", MessageKind::Cancel),
            ("OPTIONS sip:a@b SIP/2.0\r\n", MessageKind::Options),
            ("INFO sip:a@b SIP/2.0\r\n", MessageKind::Other),
            ("SIP/2.0 180 Ringing\r\n", MessageKind::Provisional),
            ("SIP/2.0 200 OK\r\n", MessageKind::Success),
            ("SIP/2.0 486 Busy Here\r\n", MessageKind::Final),
            ("SIP/2.0 ", MessageKind::Other),
            ("\r\n\r\n", MessageKind::Other),
            ("", MessageKind::Other),
        ];
        for (text, kind) in cases {
            assert_eq!(MessageKind::of(text.as_bytes()), kind, "{text}");
        }
    }

    #[test]
    fn what_shards_counted_is_added_and_read_by_kind_and_stage() {
        let us = Duration::from_micros;
        let mut tally = Tally::default();
        assert!(tally.is_empty());
        tally.add(MessageKind::Invite);
        tally.add(MessageKind::Invite);
        tally.add(MessageKind::Bye);
        assert!(!tally.is_empty());
        let (mut first, mut second) = (Stages::new(), Stages::new());
        tally.record(&mut first, Stage::Work, us(10));
        second.record(Stage::Work, MessageKind::Invite, us(1_000), 98);
        first.add(&second);

        let invites = first.histogram(Stage::Work, MessageKind::Invite);
        let invites = invites.expect("there are some");
        assert_eq!(invites.len(), 100);
        let near = |nanos: u64, expected: u64| nanos.abs_diff(expected) * 30 < expected;
        assert!(near(invites.value_at_quantile(0.01), 10_000));
        assert!(near(invites.value_at_quantile(0.5), 1_000_000));
        assert_eq!(first.longest(Stage::Work, MessageKind::Invite), us(1_000));
        assert_eq!(first.longest(Stage::Work, MessageKind::Bye), us(10));
        assert!(first.histogram(Stage::Work, MessageKind::Ack).is_none());
        assert!(first.histogram(Stage::Send, MessageKind::Invite).is_none());
    }
}
