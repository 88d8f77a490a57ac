//! One destination (gateway), the block of it that all shards share, and the proof of a reservation.
//!
//! Owns: the immutable description of a destination, and what is counted and measured on it.
//! May touch: nothing but memory.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::attributes::Attributes;
use super::board::{Board, Place, Terms};
use super::counters::{Counters, Row, Tallies, Tally};
use super::entry::{Entry, SetId};
use super::hash::name_hash;
use super::latency::{Latency, LatencyCell};
use super::overload::OverloadCell;
use super::state::{Flags, Health};
use crate::time::Timestamp;

/// What all shards share of one destination. It outlives reloads: the destination of the same set and
/// duid takes it over, so calls and administrative state carry on.
#[derive(Debug)]
pub struct Shared {
    /// Where its calls and its state are counted: away from here, where each keepalive writes.
    tally: Tally,
    probes: ProbeCounters,
    latency: LatencyCell,
    overload: OverloadCell,
    /// Its place in the newest publication: who counts there hears of what changes here.
    place: ArcSwapOption<Place>,
}

impl Shared {
    /// Of a destination that is loaded for the first time.
    pub(super) fn new(tally: Tally) -> Self {
        Self {
            tally,
            probes: ProbeCounters::default(),
            latency: LatencyCell::default(),
            overload: OverloadCell::default(),
            place: ArcSwapOption::default(),
        }
    }

    /// Gives it its place in a new publication; `None`: it is in no set any more.
    pub(super) fn move_to(&self, place: Option<Place>) {
        self.place.store(place.map(Arc::new));
    }
}

impl Default for Shared {
    /// Of a destination that is active.
    fn default() -> Self {
        Self::new(Tallies::default().next(Flags(0)))
    }
}

#[derive(Debug, Default)]
struct ProbeCounters {
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    /// 0: never measured.
    last_rtt_ns: AtomicU64,
}

/// What has come of the keepalives of one destination since it was first loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeStats {
    /// Keepalives sent, retransmissions not counted.
    pub sent: u64,
    /// Those answered, whatever the code.
    pub answered: u64,
    /// Those that counted as a failure: by their code, by no answer, or undeliverable.
    pub failed: u64,
    /// Round trip of the last answered one, from its first sending.
    pub last_rtt: Option<Duration>,
}

/// One line of a set, as loaded: never changed after it was published.
///
/// It holds what each call looks at, and all else behind a pointer: ten thousand of them lie on few
/// pages and stay in a core's cache, where every choice and every end of a call finds them.
#[derive(Debug)]
pub struct Destination {
    row: Arc<Row>,
    seat: u8,
    terms: Terms,
    /// Where it stands in its own publication.
    index: u32,
    board: Option<Arc<Board>>,
    details: Box<Details>,
}

/// What is known about a destination besides its calls: each [`Destination`] leads to it.
#[derive(Debug)]
pub struct Details {
    /// Where its datagrams go; `None` when the host is a name that was not resolved.
    pub address: Option<SocketAddr>,
    /// The set it belongs to.
    pub set: SetId,
    /// Bigger is earlier in the set.
    pub priority: i32,
    /// The URI as written in the list (with `sip:` prefixed if it had no scheme).
    pub uri: Box<str>,
    /// Calls, state and measurements, shared by all shards and carried over reloads.
    pub shared: Arc<Shared>,
    /// The flags it was loaded with. A reload that brings other flags overrides the state of now.
    pub loaded_flags: Flags,
    /// The attributes column, parsed.
    pub attributes: Attributes,
    /// The hash of its name, for rendezvous hashing.
    name_hash: u64,
}

impl Deref for Destination {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.details
    }
}

impl Destination {
    /// What a line of a list describes, sharing what `shared` holds.
    pub fn new(entry: Entry, shared: Arc<Shared>) -> Self {
        let name = entry.attributes.duid.as_deref().unwrap_or(&entry.uri);
        let Tally { row, seat } = shared.tally.clone();
        Self {
            row,
            seat,
            terms: Terms::of(&entry),
            index: 0,
            board: None,
            details: Box::new(Details {
                name_hash: name_hash(&[name.as_bytes()]),
                set: entry.set,
                uri: entry.uri,
                address: entry.address,
                priority: entry.priority,
                loaded_flags: entry.flags,
                attributes: entry.attributes,
                shared,
            }),
        }
    }

    /// Gives it its place in the publication that it is made for.
    pub(super) fn take_place(&mut self, board: &Arc<Board>, index: u32) {
        self.index = index;
        self.board = Some(Arc::clone(board));
        self.shared.move_to(Some(Place {
            board: Arc::clone(board),
            index,
            terms: self.terms,
        }));
    }

    /// Has what follows from its calls and its state brought up to date, in the newest publication.
    fn tell(&self, what: impl Fn(&Board, u32, Terms, &Counters)) {
        match &self.board {
            Some(board) if !board.is_retired() => {
                what(board, self.index, self.terms, self.counters());
            }
            _ => {
                if let Some(place) = &*self.shared.place.load() {
                    what(&place.board, place.index, place.terms, self.counters());
                }
            }
        }
    }

    /// What holds for it as long as its publication lasts.
    pub(super) fn terms(&self) -> Terms {
        self.terms
    }

    /// What each call changes.
    pub(super) fn counters(&self) -> &Counters {
        self.row.at(self.seat)
    }

    /// Has its number of calls looked at again.
    pub(super) fn recount(&self) {
        self.tell(Board::on_calls);
    }

    /// Calls counted on it now, over all shards.
    pub fn active_calls(&self) -> u32 {
        self.counters().active.load(Ordering::Relaxed)
    }

    /// Its state now.
    pub fn health(&self) -> Health {
        Health::unpack(self.counters().health.load(Ordering::Relaxed))
    }

    /// Whether requests can be sent to it now: it has an address and is neither inactive nor disabled.
    pub fn is_usable(&self) -> bool {
        self.terms.allow(self.health())
    }

    /// Replaces the state by what `change` makes of it, atomically; returns (old, new).
    /// `change` may run several times when other threads change the state too.
    pub fn update_health(&self, mut change: impl FnMut(Health) -> Health) -> (Health, Health) {
        let cell = &self.counters().health;
        let mut seen = cell.load(Ordering::Relaxed);
        loop {
            let old = Health::unpack(seen);
            let new = change(old);
            match cell.compare_exchange_weak(seen, new.pack(), Ordering::SeqCst, Ordering::Relaxed)
            {
                Ok(_) => {
                    if !old.flags.is_dead() && new.flags.is_dead() {
                        self.counters().outages.fetch_add(1, Ordering::Relaxed);
                    }
                    if old.flags.is_skipped() != new.flags.is_skipped() {
                        self.tell(Board::on_state);
                    }
                    return (old, new);
                }
                Err(now) => seen = now,
            }
        }
    }

    /// How often it was found dead so far. What was sent to it before the number changed may be lost,
    /// even if it is back by now.
    pub fn outages(&self) -> u32 {
        self.counters().outages.load(Ordering::Relaxed)
    }

    /// Whether both are the same destination, perhaps of different publications: they share their
    /// calls and their state.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether calls can be counted on it: only if it has a name that outlives a reload.
    pub fn is_counted(&self) -> bool {
        self.terms.is_counted
    }

    /// What has come of its keepalives so far.
    pub fn probe_stats(&self) -> ProbeStats {
        let probes = &self.shared.probes;
        let rtt = probes.last_rtt_ns.load(Ordering::Relaxed);
        ProbeStats {
            sent: probes.sent.load(Ordering::Relaxed),
            answered: probes.answered.load(Ordering::Relaxed),
            failed: probes.failed.load(Ordering::Relaxed),
            last_rtt: (rtt != 0).then(|| Duration::from_nanos(rtt)),
        }
    }

    /// Counts a keepalive that is being sent.
    pub fn count_probe_sent(&self) {
        self.shared.probes.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the answer to a keepalive after a round trip of `rtt`.
    pub fn count_probe_answered(&self, rtt: Duration) {
        let probes = &self.shared.probes;
        probes.answered.fetch_add(1, Ordering::Relaxed);
        let rtt_ns = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX).max(1);
        probes.last_rtt_ns.store(rtt_ns, Ordering::Relaxed);
    }

    /// Counts a keepalive that failed.
    pub fn count_probe_failed(&self) {
        self.shared.probes.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The hash of its duid, else of its URI.
    pub(super) fn name_hash(&self) -> u64 {
        self.name_hash
    }

    /// What is known about its round trips.
    pub fn latency(&self) -> Latency {
        self.shared.latency.load()
    }

    /// Replaces what is known about its round trips, and with congestion control its relative weight.
    /// For the one who probes it.
    pub fn set_latency(&self, latency: Latency) {
        self.shared.latency.store(latency);
        if self.attributes.congestion_control && self.attributes.weight > 0 {
            self.tell(|board, index, _, _| board.congest(index, latency.congestion_ms()));
        }
    }

    /// Its relative weight of now: the attribute, unless congestion control has changed it.
    pub fn relative_weight(&self) -> u32 {
        match &self.board {
            Some(board) => board.rweight(self.index),
            None => self.attributes.rweight,
        }
    }

    /// Overload control (`ds_oc_set_attrs`): until `until`, `rate` percent of its turns with
    /// algorithm 64 go to others; the attributes `ocmin` and `ocmax` bound the rate. `false` if
    /// `sequence` is not higher than that of the last call.
    pub fn set_overload(&self, rate: u32, until: Timestamp, sequence: u64) -> bool {
        let bounds = &self.attributes;
        self.shared.overload.set(rate, until, sequence, bounds)
    }

    /// The overload rate that holds at `now`, in percent.
    pub fn overload_rate(&self, now: Timestamp) -> u32 {
        self.shared.overload.rate(now)
    }

    /// Takes a turn of overload control: whether it is passed over in it.
    pub(super) fn is_passed_over(&self, now: Timestamp) -> bool {
        self.shared.overload.is_passed_over(now)
    }

    /// Whether one more call would pass `maxload` (0 means no limit) if `active` calls are counted.
    pub fn is_full_at(&self, active: u32) -> bool {
        self.terms.is_full_at(active)
    }

    /// Counts one more call, provided that still exactly `seen` calls are counted and that this is
    /// below maxload. The error is the number counted now (or `seen` itself when full).
    pub fn reserve_from(self: &Arc<Self>, seen: u32) -> Result<Reservation, u32> {
        if self.is_full_at(seen) {
            return Err(seen);
        }
        self.counters().active.compare_exchange(
            seen,
            seen + 1,
            Ordering::SeqCst,
            Ordering::Relaxed,
        )?;
        self.recount();
        Ok(Reservation(Arc::clone(self)))
    }

    /// Counts one more call unless maxload is reached. One step: never above maxload, on any number
    /// of threads.
    pub fn try_reserve(self: &Arc<Self>) -> Option<Reservation> {
        let mut seen = self.active_calls();
        loop {
            match self.reserve_from(seen) {
                Ok(reservation) => return Some(reservation),
                Err(now) if self.is_full_at(now) => return None,
                Err(now) => seen = now,
            }
        }
    }
}

/// One counted call of one destination. It exists exactly as long as the call is counted: dropping
/// it is the only way to count down, so a call can be neither leaked nor released twice.
#[derive(Debug)]
#[must_use = "dropping a reservation releases the call at once"]
pub struct Reservation(Arc<Destination>);

impl Reservation {
    /// The destination that the call is counted on.
    pub fn destination(&self) -> &Arc<Destination> {
        &self.0
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let before = self.0.counters().active.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "a released call was counted before");
        self.0.recount();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(maxload: u32) -> Arc<Destination> {
        let entry = Entry {
            set: 1,
            uri: "sip:h".into(),
            flags: Flags(0),
            priority: 0,
            attributes: Attributes {
                maxload,
                ..Attributes::default()
            },
            address: None,
        };
        Arc::new(Destination::new(entry, Arc::default()))
    }

    #[test]
    fn ten_thousand_destinations_lie_on_few_pages() {
        let arc_counts = 16;
        assert!(size_of::<Destination>() + arc_counts <= 56);
    }

    #[test]
    fn a_reservation_counts_from_its_making_to_its_drop() {
        let destination = destination(1);
        let call = destination.try_reserve().unwrap();
        assert!(call.destination().is_same(&destination));
        assert_eq!(destination.active_calls(), 1);
        assert!(destination.try_reserve().is_none());
        drop(call);
        assert_eq!(destination.active_calls(), 0);
    }

    #[test]
    fn no_maxload_means_no_limit() {
        let destination = destination(0);
        let calls: Vec<_> = (0..100).map(|_| destination.try_reserve()).collect();
        assert!(calls.iter().all(Option::is_some));
        assert_eq!(destination.active_calls(), 100);
    }

    #[test]
    fn a_choice_by_an_old_count_is_refused() {
        let destination = destination(3);
        let _call = destination.try_reserve().unwrap();
        assert_eq!(destination.reserve_from(0).unwrap_err(), 1);
        assert_eq!(destination.reserve_from(3).unwrap_err(), 3);
        assert_eq!(destination.active_calls(), 1);
        let _second = destination.reserve_from(1).unwrap();
        assert_eq!(destination.active_calls(), 2);
    }

    #[test]
    fn a_change_of_health_tells_before_and_after() {
        let destination = destination(0);
        let (old, new) = destination.update_health(|health| health.set(Flags(Flags::DISABLED)));
        assert_eq!(old, Health::default());
        assert_eq!(new, destination.health());
        assert_eq!(new.flags.letters(), "DX");
    }
}
