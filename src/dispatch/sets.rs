//! Sets (groups) of destinations: their order, and what carries over from one load to the next.
//!
//! Owns: [`Sets`], one publication of everything that was loaded. It is built aside and then
//! published as a whole; destinations that were there before keep their calls and their state.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crossbeam::utils::CachePadded;

use super::attributes::Attributes;
use super::board::Board;
use super::counters::Tallies;
use super::destination::{Destination, Shared};
use super::entry::{Entry, SetId};
use super::latency::Latency;
use super::state::{Flags, Health};

/// One set: destinations in the order in which algorithms see them.
#[derive(Debug)]
pub struct Set {
    /// Its number.
    pub id: SetId,
    /// By priority, biggest first; among equals the last loaded first, as the peers do. Never empty.
    pub destinations: Box<[Arc<Destination>]>,
    /// Where round robin goes on, over all shards. A reload starts it again, as the peers do.
    pub(super) cursor: CachePadded<AtomicU32>,
    /// What follows from the states of its destinations.
    pub(super) board: Arc<Board>,
}

impl Set {
    fn new(id: SetId, mut destinations: Vec<Destination>, options: &BuildOptions) -> Self {
        let seed = options.seed ^ u64::from(id as u32).rotate_left(16);
        let board = Arc::new(Board::new(&destinations, seed, options.compat));
        for (index, destination) in (0..).zip(&mut destinations) {
            destination.take_place(&board, index);
        }
        Self {
            id,
            destinations: destinations.into_iter().map(Arc::new).collect(),
            cursor: CachePadded::default(),
            board,
        }
    }

    /// How many destinations it has.
    pub fn len(&self) -> usize {
        self.destinations.len()
    }

    /// Whether it has none; no published set is empty.
    pub fn is_empty(&self) -> bool {
        self.destinations.is_empty()
    }

    /// The destinations that an operator means by `target`: `all`, or those of this URI, case
    /// ignored.
    pub fn matching<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Arc<Destination>> {
        let all = target.eq_ignore_ascii_case("all");
        self.destinations
            .iter()
            .filter(move |destination| all || destination.uri.eq_ignore_ascii_case(target))
    }

    /// The destination of this duid, case ignored.
    pub fn by_duid(&self, duid: &str) -> Option<&Arc<Destination>> {
        self.destinations.iter().find(|destination| {
            let own = destination.attributes.duid.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(duid))
        })
    }
}

/// What holds for a publication as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// The number of the publication; later ones are bigger.
    pub version: u64,
    /// Decides the order of turns in tables of weights.
    pub seed: u64,
    /// Whether latencies measured so far are kept (`ds_retain_latency_stats`).
    pub retain_latency: bool,
    /// Whether it is as Kamailio does it (`ds_compat`): states begin anew, and algorithm 15 hears of
    /// them only from destinations with an `rweight`.
    pub compat: bool,
}

/// All sets as published at one time, sorted by number.
#[derive(Debug, Default)]
pub struct Sets {
    by_id: Vec<Set>,
    version: u64,
    /// Whether operators' commands leave the counters of results as they are (`ds_compat`).
    compat: bool,
    /// Destinations that are in no set any more while calls are counted on them. A later load that
    /// brings one back goes on with its count.
    draining: Vec<Arc<Destination>>,
}

impl Sets {
    /// Puts what was loaded, in load order, into sets. A destination of `previous` with the same
    /// set and duid (without a duid: the same URI; of several alike, the n-th is the n-th) passes on
    /// its calls and its state, unless its flags in the list have changed: then these count.
    ///
    /// What it passes on takes effect at once, so only build what will be published.
    pub fn build(entries: Vec<Entry>, previous: Option<&Self>, version: u64) -> Self {
        let options = BuildOptions {
            version,
            seed: version,
            ..BuildOptions::default()
        };
        Self::build_with(entries, previous, &options)
    }

    /// Like [`Sets::build`], with all that can be said.
    pub fn build_with(
        entries: Vec<Entry>,
        previous: Option<&Self>,
        options: &BuildOptions,
    ) -> Self {
        let mut past = Past::of(previous);
        let mut by_set: BTreeMap<SetId, Vec<Destination>> = BTreeMap::new();
        for entry in entries {
            let destinations = by_set.entry(entry.set).or_default();
            destinations.push(past.take_over(entry, options));
        }
        let sets = by_set.into_iter().map(|(id, mut destinations)| {
            destinations.reverse();
            destinations.sort_by_key(|destination| Reverse(destination.priority));
            Set::new(id, destinations, options)
        });
        let by_id: Vec<Set> = sets.collect();
        let draining = past.into_draining(previous);
        // First all changes come to the new boards, then these look at how things stand: so none is
        // missed.
        for set in previous.into_iter().flat_map(|previous| &previous.by_id) {
            set.board.retire();
        }
        for set in &by_id {
            set.board.fill(&set.destinations);
        }
        Self {
            by_id,
            version: options.version,
            compat: options.compat,
            draining,
        }
    }

    /// The set of this number.
    pub fn get(&self, id: SetId) -> Option<&Set> {
        let index = self.by_id.binary_search_by_key(&id, |set| set.id).ok()?;
        Some(&self.by_id[index])
    }

    /// All sets, by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = &Set> {
        self.by_id.iter()
    }

    /// All destinations of all sets.
    pub fn destinations(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.by_id.iter().flat_map(|set| &set.destinations)
    }

    /// Destinations that were removed; calls may still be counted on them.
    pub fn draining(&self) -> &[Arc<Destination>] {
        &self.draining
    }

    /// This destination as it is published here, with the attributes of now; as it was, if it is gone.
    pub fn newest<'a>(&'a self, destination: &'a Arc<Destination>) -> &'a Arc<Destination> {
        let of_set = self.get(destination.set).into_iter();
        let mut published = of_set.flat_map(|set| &set.destinations);
        let newest = published.find(|one| one.is_same(destination));
        newest.unwrap_or(destination)
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nothing is loaded.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The number of this publication; later ones are bigger.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whose address this is: the first destination of any set, by ascending set number.
    pub fn find_address(&self, address: SocketAddr) -> Option<&Arc<Destination>> {
        self.destinations()
            .find(|destination| destination.address == Some(address))
    }

    /// RPC `set_state`: replaces the state of the destinations of `set` that `target` means (a URI,
    /// or `all`), and returns each with its health before. Empty: no such set or destination.
    pub fn set_state(
        &self,
        set: SetId,
        target: &str,
        requested: Flags,
    ) -> Vec<(Arc<Destination>, Health)> {
        let matching = self
            .get(set)
            .into_iter()
            .flat_map(|set| set.matching(target));
        matching
            .map(|destination| {
                let (before, _) = destination.update_health(|health| Health {
                    probing_count: if self.compat { health.probing_count } else { 0 },
                    ..health.set(requested)
                });
                (Arc::clone(destination), before)
            })
            .collect()
    }
}

/// What names a destination over reloads.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Duid(String),
    Uri(String),
}

/// The destinations of the publication before, to be claimed by those of the new one.
#[derive(Default)]
struct Past {
    unclaimed: BTreeMap<(SetId, Identity), VecDeque<Arc<Destination>>>,
    /// For those that are new.
    tallies: Tallies,
}

impl Past {
    fn of(previous: Option<&Sets>) -> Self {
        let mut past = Self::default();
        let Some(previous) = previous else {
            return past;
        };
        // Those in their sets come before draining ones of the same name. In load order: sets hold
        // equals in reverse.
        let in_sets = previous
            .by_id
            .iter()
            .flat_map(|set| set.destinations.iter().rev());
        for destination in in_sets.chain(&previous.draining) {
            let identity = identity(&destination.attributes, &destination.uri);
            past.unclaimed
                .entry((destination.set, identity))
                .or_default()
                .push_back(Arc::clone(destination));
        }
        past
    }

    /// Makes a destination of an entry, with the calls and the state of the one it continues.
    fn take_over(&mut self, entry: Entry, options: &BuildOptions) -> Destination {
        let shared = match self.claim(&entry) {
            Some(before) => {
                if options.compat || before.loaded_flags != entry.flags {
                    before.update_health(|_| Health::new(entry.flags));
                }
                Arc::clone(&before.shared)
            }
            None => Arc::new(Shared::new(self.tallies.next(entry.flags))),
        };
        let destination = Destination::new(entry, shared);
        if !(options.retain_latency && destination.latency().count > 0) {
            let assumed = destination.attributes.latency_ms;
            destination.set_latency(Latency::assumed(assumed));
        }
        destination
    }

    fn claim(&mut self, entry: &Entry) -> Option<Arc<Destination>> {
        let identity = identity(&entry.attributes, &entry.uri);
        let named = self.pop(entry.set, identity);
        // A line that has only now been given a duid is still the same destination.
        named.or_else(|| self.pop(entry.set, Identity::Uri(entry.uri.to_ascii_lowercase())))
    }

    fn pop(&mut self, set: SetId, identity: Identity) -> Option<Arc<Destination>> {
        self.unclaimed.get_mut(&(set, identity))?.pop_front()
    }

    /// Those that nobody claimed. One that was in a set until now stays for one publication in any
    /// case: shards may still send it a call before they hear of the new sets.
    fn into_draining(self, previous: Option<&Sets>) -> Vec<Arc<Destination>> {
        let was_draining = |destination: &Arc<Destination>| {
            previous.is_some_and(|previous| {
                let mut drained = previous.draining.iter();
                drained.any(|other| Arc::ptr_eq(other, destination))
            })
        };
        self.unclaimed
            .into_values()
            .flatten()
            .inspect(|destination| destination.shared.move_to(None))
            .filter(|destination| destination.active_calls() > 0 || !was_draining(destination))
            .collect()
    }
}

fn identity(attributes: &Attributes, uri: &str) -> Identity {
    match &attributes.duid {
        Some(duid) => Identity::Duid(duid.to_ascii_lowercase()),
        None => Identity::Uri(uri.to_ascii_lowercase()),
    }
}
