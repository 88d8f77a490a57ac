//! What must be true of the proxy after every step, seen from inside. Invariants 1, 2 and 6.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::ledger::Ledger;
use super::plane::{Plane, Seat};
use super::story::Violation;
use crate::dispatch::{Destination, Details};
use crate::time::Timestamp;

/// Memory that a shard's table and message store may take in these small worlds.
const MOST_MEMORY: usize = 64 << 20;

/// One destination, over all its publications.
#[derive(Debug)]
struct Account {
    destination: Arc<Destination>,
    /// Calls counted at the last step.
    active: u32,
}

/// Checks the state of the proxy.
#[derive(Debug, Default)]
pub(super) struct Checks {
    accounts: Vec<Account>,
    /// Most calls counted at any time, over all destinations.
    pub max_active: u32,
    pub max_transactions: usize,
    pub max_cells: usize,
}

impl Checks {
    /// Takes note of the destinations of the newest publication.
    pub fn published(&mut self, plane: &Plane) {
        for destination in plane.sets.destinations() {
            let known = self.accounts.iter_mut();
            match { known }.find(|account| account.destination.is_same(destination)) {
                Some(account) => account.destination = Arc::clone(destination),
                None => self.accounts.push(Account {
                    destination: Arc::clone(destination),
                    active: 0,
                }),
            }
        }
    }

    /// Calls counted at the last step, over all destinations.
    pub fn total_active(&self) -> u32 {
        self.accounts.iter().map(|account| account.active).sum()
    }

    /// Invariant 2, the other half: a shard that has just refused a call has no destination with room.
    pub fn refusal_is_true(seat: &Seat) -> Result<(), Violation> {
        for destination in seat.sets.destinations() {
            let is_usable = !destination.health().flags.is_skipped();
            if is_usable && !destination.is_full_at(destination.active_calls()) {
                let what = format!("a call was refused while {} had room", destination.uri);
                return Err(Violation::new(2, what));
            }
        }
        Ok(())
    }

    /// Checks everything.
    pub fn check(
        &mut self,
        now: Timestamp,
        plane: &Plane,
        ledger: &mut Ledger,
    ) -> Result<(), Violation> {
        self.sums(plane)?;
        self.books(now, plane, ledger)?;
        self.maxload(plane)?;
        self.bounds(plane)
    }

    /// Invariant 1: for each destination the counted cells of all shards are what its counter says.
    fn sums(&self, plane: &Plane) -> Result<(), Violation> {
        let mut sums = vec![0; self.accounts.len()];
        for seat in &plane.seats {
            let mut counted = 0;
            for cell in seat.shard.calls().cells().filter(|cell| cell.counted) {
                counted += 1;
                let mut accounts = self.accounts.iter();
                let place = accounts.position(|it| it.destination.is_same(cell.destination));
                let Some(place) = place else {
                    return Err(Violation::new(1, "a call is counted on no destination")
                        .in_call(cell.call_id()));
                };
                sums[place] += 1;
            }
            if counted != seat.shard.calls().counted() {
                let what = "the table's own number of counted calls is wrong";
                return Err(Violation::new(1, what));
            }
        }
        for (account, sum) in self.accounts.iter().zip(sums) {
            let active = account.destination.active_calls();
            if active != sum {
                let uri = &account.destination.uri;
                let what = format!("{uri} counts {active} calls, the shards' cells are {sum}");
                return Err(Violation::new(1, what));
            }
        }
        Ok(())
    }

    /// Invariant 1 from outside: the counters say what the books at the door say.
    fn books(&self, now: Timestamp, plane: &Plane, ledger: &mut Ledger) -> Result<(), Violation> {
        ledger.close_old(now);
        let mut by_address: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        for account in &self.accounts {
            if let Some(address) = account.destination.address {
                *by_address.entry(address).or_default() += account.destination.active_calls();
            }
        }
        for (address, active) in by_address {
            ledger.check(now, address, active).map_err(|violation| {
                let cells = plane.seats.iter().flat_map(|it| it.shard.calls().cells());
                let counted = cells
                    .filter(|cell| cell.counted && cell.destination.address == Some(address))
                    .map(|cell| cell.call_id().to_vec())
                    .collect();
                match ledger.suspect(now, address, &counted) {
                    Some(call_id) => violation.in_call(&call_id),
                    None => violation,
                }
            })?;
        }
        Ok(())
    }

    /// Invariant 2: no call is admitted beyond maxload. (A reload may lower maxload below the number
    /// of calls, and a shard may not have heard of that yet.)
    fn maxload(&mut self, plane: &Plane) -> Result<(), Violation> {
        let mut all = 0;
        for account in &mut self.accounts {
            let active = account.destination.active_calls();
            all += active;
            if active > account.active {
                let is_over = |destination: &Arc<Destination>| {
                    let maxload = destination.attributes.maxload;
                    maxload != 0 && active > maxload
                };
                let mut known = plane
                    .seats
                    .iter()
                    .flat_map(|seat| seat.sets.destinations().chain(seat.sets.draining()))
                    .filter(|it| it.is_same(&account.destination))
                    .peekable();
                let is_known = known.peek().is_some();
                if known.all(is_over) && is_known {
                    let Details {
                        uri, attributes, ..
                    } = &**account.destination;
                    let what = format!("{uri} has {active} calls, maxload {}", attributes.maxload);
                    return Err(Violation::new(2, what));
                }
            }
            account.active = active;
        }
        self.max_active = self.max_active.max(all);
        Ok(())
    }

    /// Invariant 6: transactions, cells and memory stay within their bounds.
    fn bounds(&mut self, plane: &Plane) -> Result<(), Violation> {
        let shards = plane.seats.len();
        let settings = &plane.settings;
        let transactions_max = (settings.limits.max_transactions as usize).div_ceil(shards);
        let cells_max = settings.call_load.max_calls as usize;
        let mut cells = 0;
        let mut transactions = 0;
        for seat in &plane.seats {
            let load = seat.shard.load();
            transactions += load.transactions;
            cells += load.cells;
            if load.transactions > transactions_max {
                let what = format!(
                    "shard {} has {} transactions, {transactions_max} are allowed",
                    seat.shard.id(),
                    load.transactions
                );
                return Err(Violation::new(6, what));
            }
            if load.memory_bytes > MOST_MEMORY {
                let what = format!(
                    "shard {} takes {} bytes",
                    seat.shard.id(),
                    load.memory_bytes
                );
                return Err(Violation::new(6, what));
            }
        }
        self.max_transactions = self.max_transactions.max(transactions);
        self.max_cells = self.max_cells.max(cells);
        // Each shard's share is rounded up.
        if cells > cells_max + shards {
            let what = format!("there are {cells} cells, {cells_max} are allowed");
            return Err(Violation::new(6, what));
        }
        Ok(())
    }

    /// What is left, if anything is: invariant 7.
    pub fn leftovers(&self, plane: &Plane) -> Option<Violation> {
        for account in &self.accounts {
            let active = account.destination.active_calls();
            if active > 0 {
                let uri = &account.destination.uri;
                let what = format!("{active} calls are still counted on {uri}");
                return Some(Violation::new(7, what).in_call(&Self::some_call(plane)));
            }
        }
        for seat in &plane.seats {
            let load = seat.shard.load();
            let is_quiet = load.cells == 0
                && load.transactions == 0
                && load.stored_messages == 0
                && seat.shard.is_idle();
            if !is_quiet {
                let idle = seat.shard.is_idle();
                let what = format!("shard {} keeps {load:?}, idle: {idle}", seat.shard.id());
                return Some(Violation::new(7, what).in_call(&Self::some_call(plane)));
            }
        }
        None
    }

    /// The Call-ID of a cell that is left.
    fn some_call(plane: &Plane) -> Vec<u8> {
        let mut cells = plane
            .seats
            .iter()
            .flat_map(|seat| seat.shard.calls().cells());
        cells
            .next()
            .map_or(Vec::new(), |cell| cell.call_id().to_vec())
    }
}
