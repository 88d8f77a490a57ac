//! The allocator of a test binary that counts. It looks only while it is told to, so that what is
//! around the code under test may allocate; and it says where the first allocations came from.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static PLACES: RefCell<Vec<Backtrace>> = const { RefCell::new(Vec::new()) };
}

/// Places that a failure shows.
const PLACES_SHOWN: usize = 3;

struct Counting;

fn note() {
    if !WATCHING.replace(false) {
        return;
    }
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    PLACES.with_borrow_mut(|places| {
        if places.len() < PLACES_SHOWN {
            places.push(Backtrace::force_capture());
        }
    });
    WATCHING.set(true);
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: `pointer` came from `System`, with this layout; the caller vouches for `size`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Does `work`, and counts its allocations if `watched`.
pub fn watch(watched: bool, work: impl FnOnce()) {
    WATCHING.set(watched);
    work();
    WATCHING.set(false);
}

/// What was counted since the last time, and where the first ones came from.
pub fn take_allocations() -> (u64, String) {
    let places = PLACES.take();
    let shown: Vec<String> = places.iter().map(frames_of_ours).collect();
    (ALLOCATIONS.replace(0), shown.join("\n\n"))
}

/// The part of a backtrace that lies in this project.
fn frames_of_ours(place: &Backtrace) -> String {
    let text = place.to_string();
    let frames = text.split_inclusive('\n').collect::<Vec<_>>();
    let ours = frames
        .windows(2)
        .filter(|frame| frame[1].contains("at ./src/"));
    ours.flatten().copied().collect()
}
