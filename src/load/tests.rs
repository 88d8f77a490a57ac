//! The call-load table's behaviour.

mod bounds;
mod calls;
mod expiry;
mod model;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dispatch::{Attributes, Destination, Entry, Flags};
use crate::load::CallLoadSettings;
use crate::time::Timestamp;

const LINGER: Duration = Duration::from_secs(32);
const NOW: Timestamp = Timestamp::from_secs(1_000);

fn gateway(number: u32) -> Arc<Destination> {
    let entry = Entry {
        set: 1,
        uri: format!("sip:192.0.2.{number}").into(),
        flags: Flags::default(),
        priority: 0,
        attributes: Attributes::default(),
        address: None,
    };
    Arc::new(Destination::new(entry, Arc::default()))
}

fn counted(destination: &Arc<Destination>) -> Hold {
    Hold::Counted(destination.try_reserve().expect("there is no maxload"))
}

fn pinned(destination: &Arc<Destination>) -> Hold {
    Hold::Pinned(Arc::clone(destination))
}

fn settings() -> CallLoadSettings {
    CallLoadSettings {
        hash_size: 4,
        expire: Duration::from_secs(600),
        initexpire: Duration::from_secs(100),
        ..CallLoadSettings::default()
    }
}

fn table_with(settings: &CallLoadSettings) -> CallTable {
    let ownership = Ownership::new(1, settings.hash_size, 1);
    CallTable::new(settings, &ownership, 0, LINGER, 42)
}

fn table() -> CallTable {
    table_with(&settings())
}

fn later(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// Everything that is due at `now` is forgotten; how many live calls that were.
fn expire_all(table: &mut CallTable, now: Timestamp) -> usize {
    let mut expired = 0;
    table.schedule_expiry(0..u32::MAX);
    while table.expire(now, 1_000, |_| expired += 1) == Progress::More {}
    expired
}

/// A call from tag `a`, counted on the destination, not answered.
fn early(table: &mut CallTable, destination: &Arc<Destination>) -> CellId {
    table
        .insert(b"call", b"a", 1, counted(destination), NOW)
        .expect("there is room")
}

/// A call from tag `a` to tag `b`, counted on the destination.
fn confirmed(table: &mut CallTable, destination: &Arc<Destination>) -> CellId {
    let cell = early(table, destination);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::First);
    cell
}

fn phase(table: &CallTable, cell: CellId) -> Option<Phase> {
    table.get(cell).map(|view| view.phase)
}
