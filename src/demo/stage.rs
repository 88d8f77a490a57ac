//! The play: a balancer, a thread with its callers and gateways, and the fate of one gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use super::screen::{GatewayView, View};
use super::{DemoError, DemoOptions, Summary};
use crate::agent::{
    Caller, CallerConfig, CallerCounts, Delay, Gateway, GatewayConfig, GatewayCounts,
};
use crate::dispatch::state::Thresholds;
use crate::dispatch::{Attributes, Entry, Flags, Sets};
use crate::plane::socket::bind;
use crate::plane::{Ends, Plane, PlaneOptions, SocketOptions, TimerMode};
use crate::probe::{ProbeSettings, ProbingMode};
use crate::proxy::{CallLoadSettings, DestinationStats, Listener, RelayMode, Settings};
use crate::time::Timestamp;

/// The cast: name, time to ring, time from ringing to the answer, most calls.
const CAST: [(&str, u64, u64, u32); 4] = [
    ("fast", 5, 40, 120),
    ("steady", 20, 120, 90),
    ("slow", 80, 400, 60),
    ("small", 20, 120, 20),
];
/// Who dies.
const VICTIM: usize = 1;
/// Mean time that a call is held. With the default rate, more calls come than all gateways can hold.
const HOLD: Duration = Duration::from_millis(1500);
/// How long the last calls may take to end after the curtain.
const EPILOGUE: Duration = Duration::from_secs(45);
/// The victim dies when this part of the time is over, and comes back when that part is.
const DEATH: f64 = 0.35;
const RETURN: f64 = 0.65;
/// Without an end, it dies and comes back in this rhythm.
const ENDLESS_ACT: Duration = Duration::from_secs(30);

/// What the thread of the ends is told.
enum Cue {
    SetAlive(bool),
    NoMoreCalls,
    Leave,
}

/// What it shows.
#[derive(Clone, Debug, Default)]
struct Scene {
    calls: CallerCounts,
    refused: u64,
    gateways: Vec<GatewayCounts>,
    alive: Vec<bool>,
    is_finished: bool,
}

/// The running play.
pub struct Stage {
    plane: Plane,
    sets: Arc<Sets>,
    addresses: Vec<SocketAddr>,
    cues: Sender<Cue>,
    scene: Arc<Mutex<Scene>>,
    ends: Option<JoinHandle<io::Result<()>>>,
    began: Instant,
    duration: Option<Duration>,
    closed: Option<Instant>,
    victim_alive: bool,
}

impl Stage {
    /// Binds everything and begins.
    pub fn open(options: &DemoOptions) -> Result<Self, DemoError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut sockets = Vec::new();
        for _ in 0..=CAST.len() {
            sockets.push(bind(any, SocketOptions::default())?);
        }
        let mut addresses = Vec::new();
        for socket in &sockets {
            addresses.push(socket.local_addr()?);
        }
        let caller_address = addresses.remove(0);
        let sets = sets(&addresses);
        let plane = Plane::start(&settings(options, any), &plane_options(), &sets)?;
        let mut clock = plane.clock();
        let begin = clock.now();
        let caller = caller(options, plane.addresses()[0], caller_address, begin);
        let gateways = gateways(&addresses, begin);
        let mut ends = Ends::new(Some(caller), gateways, sockets, clock)?;
        let (cues, inbox) = mpsc::channel();
        let scene = Arc::new(Mutex::new(Scene::default()));
        let shown = Arc::clone(&scene);
        let ends = thread::Builder::new()
            .name("ends".to_owned())
            .spawn(move || act(&mut ends, &inbox, &shown))?;
        Ok(Self {
            plane,
            sets,
            addresses,
            cues,
            scene,
            ends: Some(ends),
            began: Instant::now(),
            duration: options.duration,
            closed: None,
            victim_alive: true,
        })
    }

    /// Whether the last call has ended, or it takes too long.
    pub fn is_over(&self) -> bool {
        let Some(closed) = self.closed else {
            return false;
        };
        self.scene().is_finished || closed.elapsed() > EPILOGUE
    }

    /// Lets no new call begin.
    pub fn close(&mut self) {
        if self.closed.is_none() {
            self.closed = Some(Instant::now());
            self.set_victim(true);
            self.cue(Cue::NoMoreCalls);
        }
    }

    fn cue(&self, cue: Cue) {
        // If the thread has ended, its end is found by `finish`.
        self.cues.send(cue).ok();
    }

    fn scene(&self) -> Scene {
        let scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner);
        scene.clone()
    }

    fn set_victim(&mut self, alive: bool) {
        if self.victim_alive != alive {
            self.victim_alive = alive;
            self.cue(Cue::SetAlive(alive));
        }
    }

    /// Plays the victim's part, and says how things stand.
    pub fn look(&mut self) -> View {
        let elapsed = self.began.elapsed();
        if self.duration.is_some_and(|duration| elapsed >= duration) {
            self.close();
        }
        if self.closed.is_none() {
            let act = self.duration.unwrap_or(ENDLESS_ACT).as_secs_f64();
            let part = elapsed.as_secs_f64() % act / act;
            self.set_victim(!(DEATH..RETURN).contains(&part));
        }
        self.view(elapsed)
    }

    fn view(&self, elapsed: Duration) -> View {
        let scene = self.scene();
        let seen = self.seen();
        let set = self.sets.iter().next();
        let gateways = self.addresses.iter().enumerate().map(|(index, address)| {
            let uri = format!("sip:{address}");
            let destination = set.and_then(|set| set.matching(&uri).next());
            let report = scene.gateways.get(index);
            GatewayView {
                name: CAST[index].0,
                uri: uri.clone(),
                alive: scene.alive.get(index).copied().unwrap_or(true),
                state: destination.map_or_else(String::new, |one| one.health().flags.to_string()),
                load: destination.map_or(0, |one| one.active_calls()),
                maxload: CAST[index].3,
                stats: seen.get(index).cloned().flatten(),
                most_at_once: report.map_or(0, |counts| counts.max_live),
            }
        });
        View {
            elapsed,
            duration: self.duration,
            is_closing: self.closed.is_some(),
            gateways: gateways.collect(),
            calls: scene.calls,
            refused: scene.refused,
        }
    }

    /// What the shards saw of each gateway, added up.
    fn seen(&self) -> Vec<Option<DestinationStats>> {
        let mut seen: Vec<Option<DestinationStats>> = vec![None; self.addresses.len()];
        for shard in 0..self.plane.settings().shards {
            let patience = Duration::from_millis(200);
            let of_shard = self
                .plane
                .ask(shard, patience, |shard| shard.seen_destinations());
            for one in of_shard.unwrap_or_default() {
                let index = self
                    .addresses
                    .iter()
                    .position(|&address| one.destination.address == Some(address));
                let Some(index) = index else { continue };
                match &mut seen[index] {
                    Some(stats) => stats.add(&one.stats),
                    empty => *empty = Some(one.stats),
                }
            }
        }
        seen
    }

    /// Ends the play: the last view, and what was wrong.
    pub fn finish(mut self) -> Result<(View, Summary), DemoError> {
        let view = self.view(self.began.elapsed());
        let scene = self.scene();
        let mut faults = Vec::new();
        if !scene.is_finished {
            faults.push(format!("{} calls did not end", scene.calls.live));
        }
        if scene.calls.failed > scene.refused {
            faults.push(format!(
                "{} calls failed",
                scene.calls.failed - scene.refused
            ));
        }
        for gateway in &view.gateways {
            if gateway.load != 0 {
                faults.push(format!(
                    "{} is left with a load of {}",
                    gateway.name, gateway.load
                ));
            }
            // The one that died still had calls in mind that had long gone elsewhere.
            let is_witness = gateway.name != CAST[VICTIM].0;
            if is_witness && gateway.most_at_once > u64::from(gateway.maxload) {
                faults.push(format!(
                    "{} had {} calls at once, more than {}",
                    gateway.name, gateway.most_at_once, gateway.maxload
                ));
            }
        }
        self.cue(Cue::Leave);
        if let Some(ends) = self.ends.take() {
            match ends.join() {
                Ok(result) => result?,
                Err(_) => faults.push("the thread of callers and gateways died".to_owned()),
            }
        }
        self.plane.stop(Duration::from_secs(5));
        Ok((view, Summary { faults }))
    }
}

/// The thread of the ends.
fn act(ends: &mut Ends, inbox: &Receiver<Cue>, shown: &Mutex<Scene>) -> io::Result<()> {
    let mut show_at = Timestamp::ZERO;
    loop {
        let now = ends.turn(show_at)?;
        let Some(caller) = &mut ends.caller else {
            return Ok(());
        };
        while let Ok(cue) = inbox.try_recv() {
            match cue {
                Cue::SetAlive(alive) => ends.gateways[VICTIM].set_alive(alive),
                Cue::NoMoreCalls => {
                    caller.wind_up(now);
                }
                Cue::Leave => return Ok(()),
            }
        }
        if now >= show_at {
            show_at = now + Duration::from_millis(100);
            let mut scene = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let report = caller.report();
            scene.calls = report.counts;
            scene.refused = report.refused.get(&503).copied().unwrap_or(0);
            scene.gateways = ends
                .gateways
                .iter()
                .map(|one| one.report().counts)
                .collect();
            scene.alive = ends.gateways.iter().map(Gateway::is_alive).collect();
            scene.is_finished = caller.is_finished();
        }
    }
}

fn sets(addresses: &[SocketAddr]) -> Arc<Sets> {
    // The last of equals comes first, as in a list file: so in reverse.
    let cast = addresses.iter().zip(CAST).rev();
    let entries = cast.map(|(&address, (name, _, _, maxload))| Entry {
        set: 1,
        uri: format!("sip:{address}").into(),
        flags: Flags::default(),
        priority: 0,
        attributes: Attributes {
            body: format!("duid={name};maxload={maxload}").into(),
            duid: Some(name.into()),
            maxload,
            ..Attributes::default()
        },
        address: Some(address),
    });
    Arc::new(Sets::build(entries.collect(), None, 1))
}

fn settings(options: &DemoOptions, listen: SocketAddr) -> Settings {
    Settings {
        listeners: vec![Listener::from(listen)],
        shards: options.workers,
        relay: if options.stateless {
            RelayMode::Stateless
        } else {
            RelayMode::Stateful
        },
        call_load: CallLoadSettings::default(),
        ..Settings::default()
    }
}

fn plane_options() -> PlaneOptions {
    PlaneOptions {
        timer_mode: TimerMode::Thread,
        probe: Arc::new(ProbeSettings {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(600),
            mode: ProbingMode::All,
            thresholds: Thresholds { down: 2, up: 1 },
            ..ProbeSettings::default()
        }),
        ..PlaneOptions::default()
    }
}

fn caller(
    options: &DemoOptions,
    target: SocketAddr,
    local: SocketAddr,
    begin: Timestamp,
) -> Caller {
    let mut config = CallerConfig::new(target, vec![local]);
    config.profile.rate = options.rate;
    config.profile.ramp = Duration::from_secs(2);
    config.begin = begin;
    config.hold = Delay::Exponential(HOLD);
    Caller::new(config, rand::random())
}

fn gateways(addresses: &[SocketAddr], begin: Timestamp) -> Vec<Gateway> {
    let cast = addresses.iter().zip(CAST).enumerate();
    cast.map(|(index, (&address, (_, ring_ms, answer_ms, _)))| {
        let mut config = GatewayConfig::new(address, index as u16 + 1);
        config.begin = begin;
        config.trying = true;
        config.ring_after = Some(Delay::Exponential(Duration::from_millis(ring_ms)));
        config.answer_after = Delay::Exponential(Duration::from_millis(answer_ms));
        Gateway::new(config, rand::random())
    })
    .collect()
}
