//! Tests that need a share of the machine's cores wait for their turn: SIPp and its gateways at
//! 500 calls/s take most of one core.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

static BUSY: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A share of the machine, held until dropped.
pub struct Turn(usize);

impl Turn {
    /// Waits until a core is free.
    pub fn core() -> Self {
        Self::take(1)
    }

    /// Waits until nobody else has a turn.
    pub fn alone() -> Self {
        Self::take(cores())
    }

    fn take(share: usize) -> Self {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        while *busy + share > cores() {
            busy = FREED.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy += share;
        Self(share)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *BUSY.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
