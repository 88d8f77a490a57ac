//! Counts what the code under test allocates. It looks only while it is told to, so that what is around
//! that code may allocate.

use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Does `work`, and counts its allocations if `watched`.
pub fn watch(watched: bool, work: impl FnOnce()) {
    if watched {
        let counted = allocation_counter::measure(work).count_total;
        ALLOCATIONS.set(ALLOCATIONS.get() + counted);
    } else {
        work();
    }
}

/// What was counted since the last time.
pub fn take_allocations() -> u64 {
    ALLOCATIONS.take()
}
