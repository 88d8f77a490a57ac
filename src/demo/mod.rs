//! The demonstration: the balancer, four simulated gateways and their callers in one process.
//!
//! Owns: the play (who is how fast, who dies when) and the judgement at its end. The balancer is the
//! real one, on real sockets of the loopback interface; only the two ends of the calls are ours.

mod screen;
mod stage;

use std::io::{self, Write};
use std::time::Duration;

pub use self::screen::{GatewayView, View};
use self::stage::Stage;

/// What the demonstration is told.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// How long new calls come; `None`: until it is interrupted.
    pub duration: Option<Duration>,
    /// New calls a second.
    pub rate: f64,
    /// Shards of the balancer.
    pub workers: u16,
    /// Whether requests are relayed without transactions.
    pub stateless: bool,
}

/// Why the demonstration could not be given.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The balancer did not start.
    #[error(transparent)]
    Plane(#[from] crate::plane::PlaneError),
    /// Sockets or the terminal failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What was wrong; empty when all was as promised.
    pub faults: Vec<String>,
}

/// How often the table is drawn.
const FRAME: Duration = Duration::from_millis(250);

/// Gives the demonstration on `terminal` until its time is over or `interrupted` says so. `is_live`:
/// the terminal can be drawn over; else a line a second is written.
pub fn run(
    options: &DemoOptions,
    terminal: &mut impl Write,
    is_live: bool,
    interrupted: impl Fn() -> bool,
) -> Result<Summary, DemoError> {
    let mut stage = Stage::open(options)?;
    let mut drawn_lines = 0;
    let mut frames = 0_u32;
    while !stage.is_over() {
        std::thread::sleep(FRAME);
        if interrupted() {
            stage.close();
        }
        let view = stage.look();
        frames += 1;
        if is_live {
            let text = view.table();
            if drawn_lines > 0 {
                write!(terminal, "\x1b[{drawn_lines}A\x1b[J")?;
            }
            drawn_lines = text.lines().count();
            terminal.write_all(text.as_bytes())?;
            terminal.flush()?;
        } else if frames.is_multiple_of(4) {
            writeln!(terminal, "{}", view.line())?;
            terminal.flush()?;
        }
    }
    let (view, summary) = stage.finish()?;
    if !is_live {
        write!(terminal, "\n{}", view.table())?;
    }
    write!(terminal, "\n{}", view.judgement(&summary.faults))?;
    terminal.flush()?;
    Ok(summary)
}
