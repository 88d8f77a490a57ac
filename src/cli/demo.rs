//! `sipshard demo`: the balancer at work, in one process.

use std::io::IsTerminal as _;
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sipshard::demo::{self, DemoOptions};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Four gateways of different speed and maxload, callers at a rate that fills them, and one gateway
that dies and comes back. Everything runs in this process on free ports of the loopback interface;
the balancer is the real one.

The columns: state as kamcmd shows it (A active, T trying, I inactive; P probed); load against
maxload; calls sent to the gateway and how many of them failed there; time to the answer.

Exit status 0: no call failed that a gateway had room for, maxload was never passed, and all counts
came back to 0.";

/// Show it at work: four gateways, callers, a live table
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// How long new calls come [default: until Ctrl-C]
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(3..))]
    seconds: Option<u32>,

    /// New calls a second
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=2000))]
    rate: u32,

    /// Relay each message on its own: no retransmission, no failover, no latencies
    #[arg(long)]
    stateless: bool,

    /// Threads that relay messages [default: one for each core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU16>,
}

impl Demo {
    /// Gives the demonstration; a failed promise is exit status 1.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let options = DemoOptions {
            duration: self
                .seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
            rate: f64::from(self.rate),
            workers: self.workers.map_or_else(super::cores, NonZeroU16::get),
            stateless: self.stateless,
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        hear_interrupt(Arc::clone(&interrupted))?;
        let mut terminal = std::io::stdout();
        let is_live = terminal.is_terminal();
        let summary = demo::run(&options, &mut terminal, is_live, || {
            interrupted.load(Ordering::Relaxed)
        })?;
        Ok(if summary.faults.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Notes Ctrl-C and SIGTERM: the demonstration then comes to its end, a second one ends it at once.
fn hear_interrupt(interrupted: Arc<AtomicBool>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot make a runtime for signals")?;
    let context = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot hear signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot hear signals")?;
    drop(context);
    let listen = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if interrupted.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .context("cannot make a thread for signals")?;
    Ok(())
}
