//! `sipshard run`: the balancer itself.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sipshard::control::director::{Director, DirectorOptions, summary};
use sipshard::control::server::Server;
use sipshard::control::socket_path;
use sipshard::dispatch::select::{ALGORITHMS, Algorithm};
use sipshard::dispatch::{SetId, Sets};
use sipshard::plane::{Plane, PlaneOptions, SteeringChoice, TimerMode, Wish, default_gather};
use sipshard::probe::ProbeSettings;
use sipshard::proxy::{Listener, RelayMode, Settings, script};
use sipshard::route::host::Level;
use sipshard::route::program::Program;
use sipshard::route::settings::ScriptSettings;
use sipshard::route::{Assignment, Parameters, listing};
use sipshard::source::{Families, ListFile, ListRules};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use super::listen::ListenAddress;

/// How long calls in flight may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
The list has a destination a line: SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]. With algorithm 10 only
destinations with a duid are counted; maxload bounds their calls:
      1 sip:192.0.2.21:5060 0 0 duid=gw1;maxload=200
      1 sip:192.0.2.22:5060 0 0 duid=gw2;maxload=100

Examples:
      sipshard run --listen udp:192.0.2.10:5060 --list dispatcher.list
      sipshard run --listen udp:192.0.2.10:5060 --listen udp:[2001:db8::10]:5060 --alg 4 --stateless
      sipshard run -f kamailio.cfg
      sipshard run --print-config > my.cfg
      sipshard run --list dispatcher.list -P ds_ping_interval=5 -P ds_probing_threshold=3

Signals: SIGHUP reads the list again (an error in it leaves the old sets running). SIGTERM and
SIGINT stop: new calls get 503, those in flight have 5 seconds; a second one stops at once.
Logs go to stderr; RUST_LOG chooses how much (RUST_LOG=debug).";

/// Dispatch calls to the destinations of a list
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\nParameters of -P, with their [defaults]:\n{}", listing()),
)]
pub struct Run {
    /// Routing configuration, in Kamailio's language [default: the built-in one]
    ///
    /// It says where to listen and what the dispatcher's parameters are; --listen and -P override that.
    #[arg(short = 'f', long = "config", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Define a name in the configuration as #!define does; may be given several times
    #[arg(short = 'A', value_name = "NAME[=VALUE]")]
    defines: Vec<String>,

    /// Print the built-in configuration and exit
    #[arg(long)]
    print_config: bool,

    /// Address to listen on; may be given several times [default: udp:127.0.0.1:5060;
    /// with -f what FILE says, else all addresses]
    ///
    /// 0.0.0.0 and [::] stand for all addresses of the machine, port 0 for a free one. `udp:` and the
    /// port 5060 may be left out. The attribute `sockname` and the parameter `ds_default_sockname` use the
    /// name, if there is one.
    #[arg(long, value_name = "udp:IP:PORT[/NAME]")]
    listen: Vec<ListenAddress>,

    /// List of destinations [default: /etc/sipshard/dispatcher.list]
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,

    /// Set of the list that calls are dispatched to
    #[arg(
        long,
        value_name = "ID",
        default_value_t = 1,
        conflicts_with = "config"
    )]
    set: SetId,

    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = algorithm,
        conflicts_with = "config",
        help = "Algorithm that chooses, by Kamailio's number (from 100 on: sipshard's own)",
        long_help = format!(
            "Algorithm that chooses, by Kamailio's number (from 100 on: sipshard's own): {}",
            algorithms()
        ),
    )]
    alg: u32,

    /// Relay each message on its own: no retransmission, no failover
    #[arg(long, conflicts_with = "config")]
    stateless: bool,

    /// Set a parameter; may be given several times (--help lists them)
    #[arg(short = 'P', value_name = "NAME=VALUE")]
    parameters: Vec<Assignment>,

    /// Threads that relay messages [default: one for each core]
    ///
    /// Each owns a share of the calls.
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU16>,

    /// Who brings a call's datagrams to the thread that owns the call: auto, ebpf, cbpf or off
    ///
    /// ebpf: a program in the kernel; needs CAP_BPF and CAP_PERFMON. cbpf: one that needs no
    /// capability, sees less far and cannot count. off: the kernel spreads senders by their addresses,
    /// and the threads hand over to each other. auto: the first of these that can be had. What a
    /// program misses is handed over, too.
    #[arg(long, value_name = "HOW", default_value_t = SteeringChoice::Auto)]
    steering: SteeringChoice,

    /// Microseconds that datagrams may gather where many come, before a thread reads them; 0: not at all
    /// [default: 1000 with transactions, 500 without]
    ///
    /// It costs less to be woken for several datagrams than for each. A thread waits so long only while at
    /// least sixteen come in that time: with 1000, from 16,000 a second on, with 500 from 32,000; else it does
    /// not wait at all. A larger number saves more, and each message takes up to so much longer.
    #[arg(
        long,
        value_name = "US",
        value_parser = clap::value_parser!(u16).range(..=1_000),
    )]
    gather: Option<u16>,

    /// Control socket [default: /run/sipshard/sipshard_ctl, or a place of the user's own]
    ///
    /// If /run/sipshard is not there and cannot be made: $XDG_RUNTIME_DIR/sipshard/sipshard_ctl, else
    /// /tmp/sipshard-UID/sipshard_ctl.
    #[arg(long, value_name = "PATH")]
    ctl: Option<PathBuf>,
}

fn algorithm(text: &str) -> Result<u32, String> {
    let known = text
        .parse()
        .ok()
        .filter(|number| offered().any(|one| one.number == *number));
    known.ok_or_else(|| format!("none of {}", algorithms()))
}

/// The algorithms that work without a configuration.
fn offered() -> impl Iterator<Item = &'static Algorithm> {
    ALGORITHMS.iter().filter(|one| !one.needs_variable)
}

fn algorithms() -> String {
    let names = offered().map(|one| format!("{} ({})", one.number, one.name));
    names.collect::<Vec<_>>().join(", ")
}

impl Run {
    /// Runs until it is told to stop.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if self.print_config {
            std::io::stdout().write_all(script::DEFAULT.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        log_to_stderr();
        let program = self.program()?;
        let parameters = self.parameters(program.as_deref())?;
        let settings = parameters.settings(self.base_settings(program)?);
        let listen = settings.listeners.iter().map(|one| &one.address);
        let list = self.list.as_deref().unwrap_or(parameters.list_file());
        check_sockets(&settings)?;
        let rules = ListRules {
            listeners: settings.listeners.clone(),
            is_strict: parameters.is_strict(),
            has_attrs_none: parameters.has_attrs_none(),
        };
        let source = ListFile::new(list, Families::of(listen)).with_rules(rules);
        let options = DirectorOptions {
            build: parameters.build_options(),
            shows_latency: parameters.has_latency_stats(),
            reload_delta: parameters.reload_delta(),
        };
        let sets = Director::first_sets(&source, options)?;
        warn_of_oddities(&settings, &sets);

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot make the control thread's runtime")?;
        let status = runtime.block_on(async {
            let signals = Signals::install().context("cannot hear signals")?;
            let path = match &self.ctl {
                Some(path) => path.clone(),
                None => socket_path::choose().context("no place for a control socket")?,
            };
            let server = Server::bind(&path)?;
            let wish = Arc::new(Notify::new());
            let mut probe = probe_settings(&parameters, &source)?;
            let script = settings.program.as_ref().map(|program| program.settings());
            if let Some(agent) = script.and_then(ScriptSettings::user_agent) {
                probe.user_agent = agent;
            }
            let plane_options = self.plane_options(&settings, &parameters, probe, &wish);
            let plane = Plane::start(&settings, &plane_options, &sets)?;
            announce(&plane, &sets, &server);
            let director = Arc::new(Director::new(source, sets, plane.handle(), options));
            Ok(operate(plane, director, server, signals, wish).await)
        });
        // A stop that takes too long is not waited for.
        runtime.shutdown_background();
        status
    }

    /// The configuration of -f, compiled.
    fn program(&self) -> anyhow::Result<Option<Arc<Program>>> {
        let Some(file) = &self.config else {
            return match self.defines.first() {
                Some(name) => Err(anyhow::anyhow!("-A {name} is for a configuration: -f FILE")),
                None => Ok(None),
            };
        };
        let path = file.to_string_lossy();
        let read = |path: &str| std::fs::read(path).map_err(|error| error.to_string());
        match script::compile(&path, &self.defines, &read) {
            Ok(program) => Ok(Some(Arc::new(program))),
            Err(what) => Err(anyhow::anyhow!("{path} cannot run:\n{what}")),
        }
    }

    /// What the configuration says, and over that what the command line says.
    fn parameters(&self, program: Option<&Program>) -> anyhow::Result<Parameters> {
        let mut parameters = Parameters::default();
        if let Some(program) = program {
            parameters = program.settings().parameters(&parameters)?;
        }
        for assignment in &self.parameters {
            assignment.apply(&mut parameters)?;
        }
        Ok(parameters)
    }

    fn plane_options(
        &self,
        settings: &Settings,
        parameters: &Parameters,
        probe: ProbeSettings,
        wish: &Arc<Notify>,
    ) -> PlaneOptions {
        let wish = Arc::clone(wish);
        let gather = self.gather.map(|us| Duration::from_micros(us.into()));
        PlaneOptions {
            on_reload: Some(Wish::new(move || wish.notify_one())),
            timer_mode: if parameters.has_timer_thread() {
                TimerMode::Thread
            } else {
                TimerMode::Shards
            },
            probe: Arc::new(probe),
            steering: self.steering,
            gather: gather.unwrap_or_else(|| default_gather(settings.has_transactions())),
            ..PlaneOptions::default()
        }
    }

    fn base_settings(&self, program: Option<Arc<Program>>) -> anyhow::Result<Settings> {
        let script = program.as_ref().map(|program| program.settings());
        let listeners = match script {
            _ if !self.listen.is_empty() => self.listen.iter().map(|one| one.0.clone()).collect(),
            Some(script) => super::listen::of_config(script)?,
            None => vec![Listener::from(SocketAddr::from(([127, 0, 0, 1], 5060)))],
        };
        let level = script.and_then(|script| script.core_number("debug"));
        Ok(Settings {
            listeners,
            aliases: script.map_or_else(Vec::new, |script| script.aliases.clone()),
            log_level: level.map_or(Level::Info, Level::of_number),
            program,
            shards: self.workers.map_or_else(super::cores, NonZeroU16::get),
            relay: if self.stateless {
                RelayMode::Stateless
            } else {
                RelayMode::Stateful
            },
            set: self.set,
            algorithm: self.alg,
            ..Settings::default()
        })
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Whether the sockets that parameters name are ours.
fn check_sockets(settings: &Settings) -> anyhow::Result<()> {
    if let Some(name) = &settings.default_sockname
        && !settings.listeners.iter().any(|one| one.is_named(name))
    {
        anyhow::bail!("ds_default_sockname: no listen address has the name {name}");
    }
    if let Some(address) = settings.default_socket
        && !settings.listeners.iter().any(|one| one.may_become(address))
    {
        anyhow::bail!("ds_default_socket: udp:{address} is not a listen address");
    }
    Ok(())
}

fn probe_settings(parameters: &Parameters, source: &ListFile) -> anyhow::Result<ProbeSettings> {
    let mut probe = parameters.probing();
    if let Some(uri) = parameters.outbound_proxy() {
        let address = source.resolve(uri).map_err(anyhow::Error::msg);
        probe.outbound_proxy = Some(address.context("outbound_proxy")?);
    }
    Ok(probe)
}

/// What is allowed and hardly meant.
fn warn_of_oddities(settings: &Settings, sets: &Sets) {
    if settings.program.is_some() {
        // The configuration says what is chosen, and how.
        return;
    }
    let Some(set) = sets.get(settings.set) else {
        warn!(
            "set {} is not in the list: no call can be dispatched",
            settings.set
        );
        return;
    };
    let uncounted = set.destinations.iter().filter(|one| !one.is_counted());
    let uncounted = uncounted.count();
    if settings.algorithm == 10 && uncounted > 0 {
        let all = set.len();
        warn!(
            "algorithm 10: {uncounted} of {all} destinations have no duid; their calls are not counted"
        );
    }
}

fn announce(plane: &Plane, sets: &Sets, server: &Server) {
    let settings = plane.settings();
    let udp = |address: SocketAddr| format!("udp:{address}");
    let addresses: Vec<_> = plane.addresses().into_iter().map(udp).collect();
    let relay = match settings.relay {
        RelayMode::Stateless => "stateless",
        RelayMode::Stateful => "stateful",
    };
    let routing = match settings.program {
        Some(_) => format!("its own configuration over {}", summary(sets)),
        None => format!(
            "{relay}, algorithm {} on set {} of {}",
            settings.algorithm,
            settings.set,
            summary(sets)
        ),
    };
    info!(
        "ready: {}; {} workers, {routing}; control socket {}",
        addresses.join(" "),
        settings.shards,
        server.path().display()
    );
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Obeys SIGHUP until there is word to stop, and returns whose.
    async fn until_stop(&mut self, director: &Director) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                // The director says itself how it went.
                _ = self.hang_up.recv() => drop(director.reload()),
            }
        }
    }
}

/// Serves the control socket and obeys signals. The socket is served until the last call is done.
async fn operate(
    plane: Plane,
    director: Arc<Director>,
    server: Server,
    mut signals: Signals,
    wish: Arc<Notify>,
) -> ExitCode {
    let work = async {
        let name = signals.until_stop(&director).await;
        info!("{name}: stopping; new calls are refused");
        let stopped = tokio::task::spawn_blocking(move || plane.stop(GRACE));
        tokio::select! {
            finished = stopped => match finished {
                Ok(true) => info!("stopped; nothing was left in flight"),
                Ok(false) => warn!("stopped; what was in flight after {GRACE:?} was given up"),
                Err(error) => warn!("stopped: {error}"),
            },
            name = signals.until_stop(&director) => warn!("{name} again: stopped at once"),
        }
    };
    tokio::select! {
        () = work => ExitCode::SUCCESS,
        () = server.serve(Arc::clone(&director)) => ExitCode::FAILURE,
        () = grant_wishes(&wish, &director) => ExitCode::FAILURE,
    }
}

/// Reads the destinations again whenever a script wants it, for as long as everything runs. The
/// director says itself how it went.
async fn grant_wishes(wish: &Notify, director: &Director) {
    loop {
        wish.notified().await;
        drop(director.reload());
    }
}
