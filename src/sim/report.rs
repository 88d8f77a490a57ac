//! What a run says at its end.

use std::fmt;

use super::config::SimConfig;
use super::story::Violation;
use crate::agent::CallerCounts;
use crate::proxy::Counters;
use crate::time::Timestamp;

/// A run in which every promise was kept.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The hash of every byte that the proxy sent, with time and ports: the same for the same seed.
    pub hash: u64,
    /// Steps.
    pub steps: u64,
    /// Datagrams that shards read, those handed off twice.
    pub received: u64,
    /// Datagrams that the proxy sent.
    pub sent: u64,
    /// Datagrams that the network lost.
    pub lost: u64,
    /// Datagrams that the network doubled.
    pub doubled: u64,
    /// Datagrams handed from shard to shard.
    pub hand_offs: u64,
    /// Datagrams that a ring had no room for.
    pub rings_full: u64,
    /// Errors of the network that shards heard of.
    pub undeliverable: u64,
    /// Times that the list was loaded anew.
    pub reloads: u64,
    /// Times that probing changed a state.
    pub state_changes: u64,
    /// Messages that strangers forged.
    pub forged: u64,
    /// Messages that strangers spoilt.
    pub spoilt: u64,
    /// Final answers that callers with manners of their own got.
    pub rogue_finals: u64,
    /// What the ordinary callers saw while there were faults.
    pub calls: CallerCounts,
    /// What the callers saw whose calls had to succeed.
    pub calls_after_healing: CallerCounts,
    /// What the shards counted, together.
    pub proxy: Counters,
    /// Most calls counted at one time, over all destinations.
    pub max_active: u32,
    /// Most transactions at one time, over all shards.
    pub max_transactions: usize,
    /// Most cells at one time, over all shards.
    pub max_cells: usize,
    /// When it was over.
    pub end: Timestamp,
}

/// A run in which a promise was broken. Its text is the story.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of the world.
    pub seed: u64,
    /// When it was seen.
    pub at: Timestamp,
    /// What was seen.
    pub violation: Violation,
    /// The kind of world.
    pub config: SimConfig,
    /// The last messages of the call, or of all, one a line.
    pub ladder: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            invariant,
            what,
            call_id,
        } = &self.violation;
        let seed = self.seed;
        writeln!(
            f,
            "seed {seed}, at {:.6} s: invariant {invariant} is broken",
            self.at.as_nanos() as f64 / 1e9
        )?;
        writeln!(f, "  {what}")?;
        if let Some(call_id) = call_id {
            writeln!(f, "  in call {}", String::from_utf8_lossy(call_id))?;
        }
        writeln!(f, "again: SIM_SEED={seed} cargo test --test simulation")?;
        writeln!(f, "{:?}", self.config)?;
        write!(f, "{}", self.ladder)
    }
}

impl std::error::Error for Failure {}
