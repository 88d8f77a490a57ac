//! The ages of a world: faults, healing, quiet, proof, quiet. Invariants 7 and 8.

use std::time::Duration;

use super::report::Report;
use super::story::Violation;
use super::world::World;
use crate::load::Phase;

/// Calls of each of the callers that prove that all is well again.
const PROOF_CALLS: u64 = 6;
/// For keepalives to find every gateway, and for calls under way to be hung up.
const RECOVERY: Duration = Duration::from_secs(12);
/// The longest that anything of a call that is over is remembered: timer C, then 64 * T1 for the
/// CANCEL, for the answer to be acknowledged, and for an ended call, and some for the sweep.
const LONGEST_MEMORY: Duration = Duration::from_secs(181 + 3 * 32 + 30);

impl World {
    pub(super) fn live(&mut self) -> Result<(), Violation> {
        let mut end = self.now + self.config.duration;
        self.run_until(end)?;
        self.heal();
        // Callers give up what rings, gateways hang up; whoever went away is forgotten by time.
        let terms = self.config.expire + self.config.initexpire;
        end += RECOVERY + LONGEST_MEMORY + terms;
        self.run_until(end)?;
        self.must_be_quiet()?;
        self.watch.must_have_been_answered()?;
        self.calls_must_have_been_carried_out()?;
        self.story
            .remark(self.now, "all is quiet; now every call must succeed");
        // An answered transaction is kept for 32 s: where there is room for few, calls come slowly.
        let rate = if self.config.faults.tight_limits {
            0.1
        } else {
            5.0
        };
        self.peers
            .add_probe_callers(self.now, &self.config, PROOF_CALLS, rate);
        end += Duration::from_secs_f64(PROOF_CALLS as f64 / rate + 20.0);
        self.run_until(end)?;
        self.proof_must_have_succeeded()?;
        self.proof_must_have_been_noticed()?;
        end += LONGEST_MEMORY;
        self.run_until(end)?;
        self.must_be_quiet()
    }

    /// Invariant 7.
    fn must_be_quiet(&self) -> Result<(), Violation> {
        self.checks.leftovers(&self.plane).map_or(Ok(()), Err)
    }

    /// Invariant 8, for the time of faults: where nothing could stop a call, none was stopped.
    fn calls_must_have_been_carried_out(&self) -> Result<(), Violation> {
        if self.config.is_only_lossy() {
            let counts = self.peers.counts(false);
            if counts.invite_timeouts > 0 {
                let what = format!("transactions outlast any loss, and yet: {counts:?}");
                return Err(Violation::new(8, what));
            }
        }
        if !self.config.is_kind() {
            return Ok(());
        }
        for seat in &self.peers.callers {
            let report = seat.caller.report();
            let counts = &report.counts;
            // Only that there is no room is a reason to fail.
            let busy = report.refused.get(&503).copied().unwrap_or(0);
            let is_full = self.config.maxload > 0;
            let failed = counts.failed - if is_full { busy } else { 0 };
            let ended = counts.completed + counts.cancelled + counts.failed;
            if failed > 0 || ended != counts.started {
                let what = format!(
                    "a caller that {} could have made all its calls: {counts:?}, refused {:?}",
                    seat.kind, report.refused
                );
                return Err(Violation::new(8, what));
            }
        }
        let gateways = self.peers.gateways.iter();
        for (number, seat) in gateways.enumerate() {
            let counts = &seat.gateway.report().counts;
            if !self.config.faults.rogues && (counts.unacked > 0 || counts.bye_timeouts > 0) {
                let what = format!("gateway {number} missed an ACK or a BYE's answer: {counts:?}");
                return Err(Violation::new(8, what));
            }
        }
        Ok(())
    }

    /// Invariant 8, after healing.
    fn proof_must_have_succeeded(&self) -> Result<(), Violation> {
        let counts = self.peers.counts(true);
        let wanted = counts.started == counts.completed && counts.started > 0 && counts.failed == 0;
        if wanted {
            return Ok(());
        }
        let what = format!("after healing calls still fail: {counts:?}");
        Err(Violation::new(8, what))
    }

    /// Invariant 7, for calls that ended as they should: their end is noticed at once, not by time.
    fn proof_must_have_been_noticed(&self) -> Result<(), Violation> {
        for seat in &self.plane.seats {
            let mut cells = seat.shard.calls().cells();
            if let Some(cell) = cells.find(|cell| cell.phase != Phase::Ended) {
                let what = format!("a call that is over is still {:?}", cell.phase);
                return Err(Violation::new(7, what).in_call(cell.call_id()));
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Report {
        let mut report = std::mem::take(&mut self.report);
        for seat in &self.plane.seats {
            report.proxy.add(&seat.shard.snapshot().counters);
        }
        report.hash = self.story.hash_so_far();
        report.lost = self.network.lost;
        report.doubled = self.network.doubled;
        report.hand_offs = self.plane.hand_offs;
        report.rings_full = self.plane.rings_full;
        report.forged = self.strangers.forged;
        report.spoilt = self.strangers.spoilt;
        report.rogue_finals = self.rogues.seen_finals;
        report.calls = self.peers.counts(false);
        report.calls_after_healing = self.peers.counts(true);
        report.max_active = self.checks.max_active;
        report.max_transactions = self.checks.max_transactions;
        report.max_cells = self.checks.max_cells;
        report.end = self.now;
        report
    }
}
