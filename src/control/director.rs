//! Who owns the published sets: loads them, publishes them to the plane, changes states by command.
//!
//! Owns: the current sets as the operator sees them. A reload is all or nothing: what cannot be
//! loaded leaves everything as it was. May touch: the list source, and the plane by [`DataPlane`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tracing::{info, warn};

use crate::dispatch::{BuildOptions, Flags, SetId, Sets};
use crate::plane::{PlaneCounters, PlaneHandle, Stages, SteeringReport};
use crate::proxy::Counters;
use crate::source::{ListFile, LoadError};

/// How long the shards may take to say what they counted; they answer between two batches.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(1);

/// What the director asks of the plane.
pub trait DataPlane: Send + Sync {
    /// New calls are dispatched to these sets from now on.
    fn publish(&self, sets: Arc<Sets>);
    /// Keepalives run, or rest.
    fn set_probing(&self, active: bool);
    /// How the kernel brings datagrams to the shards.
    fn steering(&self) -> SteeringReport;
    /// What all shards counted.
    fn counters(&self) -> PlaneCounters;
    /// What the shards counted, in sum.
    fn shard_counters(&self) -> Counters;
    /// How long messages were in each stage since the last reset; whether this is one.
    fn stages(&self, reset: bool) -> Stages;
}

impl DataPlane for PlaneHandle {
    fn publish(&self, sets: Arc<Sets>) {
        Self::publish(self, &sets);
    }

    fn set_probing(&self, active: bool) {
        Self::set_probing(self, active);
    }

    fn steering(&self) -> SteeringReport {
        Self::steering(self)
    }

    fn counters(&self) -> PlaneCounters {
        let mut totals = PlaneCounters::default();
        for snapshot in self.snapshots(SNAPSHOT_PATIENCE) {
            totals.add(&snapshot.plane);
        }
        totals
    }

    fn shard_counters(&self) -> Counters {
        let mut totals = Counters::default();
        for snapshot in self.snapshots(SNAPSHOT_PATIENCE) {
            totals.add(&snapshot.proxy.counters);
        }
        totals
    }

    fn stages(&self, reset: bool) -> Stages {
        Self::stages(self, SNAPSHOT_PATIENCE, reset)
    }
}

/// What the director is told once.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectorOptions {
    /// What holds for each publication; version and seed are the director's.
    pub build: BuildOptions,
    /// Whether lists show latencies.
    pub shows_latency: bool,
    /// The least time between two reloads (`reload_delta`).
    pub reload_delta: Duration,
}

/// Why there was no reload.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The last one was a moment ago (`reload_delta`).
    #[error("the last reload was less than {0:?} ago")]
    TooSoon(Duration),
    /// The source gave nothing.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The owner of the sets on the operator's side.
pub struct Director {
    source: ListFile,
    sets: ArcSwap<Sets>,
    plane: Box<dyn DataPlane>,
    is_probing: AtomicBool,
    options: DirectorOptions,
    /// When the last reload began. Held while loading, so that publications come in the order of
    /// their versions.
    loading: Mutex<Option<Instant>>,
    started: Instant,
    started_at: SystemTime,
}

impl Director {
    /// The director of a plane that runs on `sets`, which came from `source`.
    pub fn new(
        source: ListFile,
        sets: Arc<Sets>,
        plane: impl DataPlane + 'static,
        options: DirectorOptions,
    ) -> Self {
        Self {
            source,
            sets: ArcSwap::new(sets),
            plane: Box::new(plane),
            is_probing: AtomicBool::new(true),
            options,
            loading: Mutex::new(None),
            started: Instant::now(),
            started_at: SystemTime::now(),
        }
    }

    /// Loads the first sets, before there is a plane. Warnings are logged.
    pub fn first_sets(source: &ListFile, options: DirectorOptions) -> Result<Arc<Sets>, LoadError> {
        build(source, None, options.build)
    }

    /// Whether lists show latencies.
    pub fn shows_latency(&self) -> bool {
        self.options.shows_latency
    }

    /// The sets that run now.
    pub fn sets(&self) -> Arc<Sets> {
        self.sets.load_full()
    }

    /// Reads the source again and publishes what it gives. Calls and states of destinations that
    /// stay are carried over. On an error everything runs on as it was.
    pub fn reload(&self) -> Result<Arc<Sets>, ReloadError> {
        let mut last = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let delta = self.options.reload_delta;
        if last.is_some_and(|last| last.elapsed() < delta) {
            warn!("no reload: the last one was less than {delta:?} ago");
            return Err(ReloadError::TooSoon(delta));
        }
        *last = Some(Instant::now());
        let previous = self.sets.load();
        let sets =
            build(&self.source, Some(&previous), self.options.build).inspect_err(|error| {
                warn!("reload failed, the old sets go on: {error}");
            })?;
        self.plane.publish(Arc::clone(&sets));
        self.sets.store(Arc::clone(&sets));
        info!("reloaded: {}", summary(&sets));
        Ok(sets)
    }

    /// Puts the destinations of a set that `target` means (a URI, or `all`) into a state. Returns how
    /// many there are; 0: no such set or destination.
    pub fn set_state(&self, set: SetId, target: &str, requested: Flags) -> usize {
        let changed = self.sets.load().set_state(set, target, requested);
        for (destination, before) in &changed {
            let (uri, now) = (&destination.uri, destination.health().flags);
            info!("set {set}, {uri}: {} to {now} by command", before.flags);
        }
        changed.len()
    }

    /// Whether keepalives run.
    pub fn is_probing(&self) -> bool {
        self.is_probing.load(Ordering::Relaxed)
    }

    /// Lets keepalives run or rest; returns whether they ran before.
    pub fn set_probing(&self, active: bool) -> bool {
        let before = self.is_probing.swap(active, Ordering::Relaxed);
        if before != active {
            self.plane.set_probing(active);
            info!(
                "keepalives {} by command",
                if active { "on" } else { "off" }
            );
        }
        before
    }

    /// How the kernel brings datagrams to the shards.
    pub fn steering(&self) -> SteeringReport {
        self.plane.steering()
    }

    /// What all shards counted.
    pub fn counters(&self) -> PlaneCounters {
        self.plane.counters()
    }

    /// What the shards counted, in sum.
    pub fn shard_counters(&self) -> Counters {
        self.plane.shard_counters()
    }

    /// How long messages were in each stage since the last reset; whether this is one.
    pub fn stages(&self, reset: bool) -> Stages {
        self.plane.stages(reset)
    }

    /// For how long it has been running.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// When it was started, by the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }
}

/// What is in some sets, in a few words.
pub fn summary(sets: &Sets) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let destinations = count(sets.destinations().count(), "destination");
    format!("{} with {destinations}", count(sets.len(), "set"))
}

fn build(
    source: &ListFile,
    previous: Option<&Sets>,
    options: BuildOptions,
) -> Result<Arc<Sets>, LoadError> {
    let loaded = source.load()?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let options = BuildOptions {
        version: previous.map_or(0, Sets::version) + 1,
        seed: rand::random(),
        ..options
    };
    Ok(Arc::new(Sets::build_with(
        loaded.entries,
        previous,
        &options,
    )))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;
    use std::sync::Mutex;

    use tempfile::NamedTempFile;

    use super::*;
    use crate::plane::steering::Reach;
    use crate::plane::{MessageKind, Rung, Stage};
    use crate::source::Families;

    /// A plane that writes down what it is asked.
    #[derive(Clone, Default)]
    pub(in crate::control) struct Notes(pub Arc<Mutex<Vec<String>>>);

    impl Notes {
        pub fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().expect("no test panicked"))
        }
    }

    impl DataPlane for Notes {
        fn publish(&self, sets: Arc<Sets>) {
            let note = format!("version {}: {}", sets.version(), summary(&sets));
            self.0.lock().expect("no test panicked").push(note);
        }

        fn set_probing(&self, active: bool) {
            let note = format!("probing {active}");
            self.0.lock().expect("no test panicked").push(note);
        }

        fn steering(&self) -> SteeringReport {
            SteeringReport {
                rung: Rung::Ebpf,
                reach: Some(Reach {
                    scanned_bytes: 2_000,
                    call_id_bytes: 100,
                }),
                outcomes: Some([90, 3, 0, 2, 1, 0, 0]),
                ..SteeringReport::default()
            }
        }

        fn counters(&self) -> PlaneCounters {
            PlaneCounters {
                received: 96,
                handed_out: 2,
                missed_too_long: 1,
                missed_other: 1,
                ..PlaneCounters::default()
            }
        }

        fn shard_counters(&self) -> Counters {
            Counters {
                requests: 7,
                stopped_scripts: 2,
                ..Counters::default()
            }
        }

        fn stages(&self, reset: bool) -> Stages {
            let note = format!("stages, reset {reset}");
            self.0.lock().expect("no test panicked").push(note);
            let mut stages = Stages::new();
            let us = Duration::from_micros;
            stages.record(Stage::Queue, MessageKind::Invite, us(40), 99);
            stages.record(Stage::Queue, MessageKind::Invite, us(700), 1);
            stages.record(Stage::Send, MessageKind::Success, us(2), 1);
            stages
        }
    }

    /// A director over a list file of its own.
    pub(in crate::control) fn director(list: &str) -> (Director, NamedTempFile, Notes) {
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(list.as_bytes()).expect("written");
        let families = Families { v4: true, v6: true };
        let source = ListFile::new(file.path(), families);
        let options = DirectorOptions {
            shows_latency: list.contains("latency="),
            ..DirectorOptions::default()
        };
        let sets = Director::first_sets(&source, options).expect("a good list");
        let notes = Notes::default();
        let director = Director::new(source, sets, notes.clone(), options);
        (director, file, notes)
    }

    pub(in crate::control) fn rewrite(file: &NamedTempFile, list: &str) {
        std::fs::write(file.path(), list).expect("written");
    }

    fn active(director: &Director, uri: &str) -> u32 {
        let sets = director.sets();
        let mut found = sets.destinations().filter(|one| &*one.uri == uri);
        found.next().expect("in a set").active_calls()
    }

    #[test]
    fn a_reload_publishes_and_carries_calls_and_states_over() {
        let (director, file, notes) = director("1 sip:192.0.2.1 0 0 duid=a\n");
        let before = director.sets();
        let destination = before.destinations().next().expect("one");
        let _call = destination.try_reserve().expect("no limit");
        assert_eq!(
            director.set_state(1, "SIP:192.0.2.1", Flags(Flags::DISABLED)),
            1
        );

        rewrite(&file, "1 sip:192.0.2.1:5070 0 0 duid=a\n2 sip:192.0.2.2\n");
        director.reload().expect("a good list");
        assert_eq!(active(&director, "sip:192.0.2.1:5070"), 1);
        let health = director.sets().destinations().next().expect("one").health();
        assert_eq!(health.flags, Flags(Flags::DISABLED));
        assert_eq!(notes.take(), ["version 2: 2 sets with 2 destinations"]);
    }

    #[test]
    fn a_failed_reload_changes_nothing() {
        let (director, file, notes) = director("1 sip:192.0.2.1\n");
        rewrite(&file, "1 sip:192.0.2.2\n2\n");
        let error = director.reload().map(|_| ()).expect_err("spoilt");
        assert!(
            error.to_string().ends_with(":2:2: set id without a URI"),
            "{error}"
        );
        assert_eq!(active(&director, "sip:192.0.2.1"), 0);
        assert_eq!(director.sets().version(), 1);
        assert_eq!(notes.take(), [""; 0]);
    }

    #[test]
    fn probing_is_switched_once_for_each_change() {
        let (director, _file, notes) = director("1 sip:192.0.2.1\n");
        assert!(director.set_probing(false));
        assert!(!director.set_probing(false));
        assert!(!director.is_probing());
        assert!(!director.set_probing(true));
        assert_eq!(notes.take(), ["probing false", "probing true"]);
    }

    #[test]
    fn reloads_keep_their_distance_if_told_to() {
        let (patient, file, notes) = director("1 sip:192.0.2.1\n");
        let options = DirectorOptions {
            reload_delta: Duration::from_secs(3_600),
            ..DirectorOptions::default()
        };
        let source = ListFile::new(file.path(), Families { v4: true, v6: true });
        let director = Director::new(source, patient.sets(), notes.clone(), options);
        director.reload().expect("the first");
        let error = director.reload().expect_err("too soon");
        assert!(matches!(error, ReloadError::TooSoon(_)), "{error}");
        assert_eq!(notes.take(), ["version 2: 1 set with 1 destination"]);
    }

    #[test]
    fn no_destination_no_change() {
        let (director, _file, _notes) = director("1 sip:192.0.2.1\n");
        assert_eq!(director.set_state(1, "sip:192.0.2.9", Flags(0)), 0);
        assert_eq!(director.set_state(9, "all", Flags(0)), 0);
    }
}
