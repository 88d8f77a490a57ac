//! What the end-to-end tests stand on: processes that end with their test, addresses of their own,
//! SIPp, kamcmd, and conditions that are waited for with a deadline.

mod callers;
mod gateway;
mod kamcmd;
mod place;
mod process;
mod server;
mod sipp;
mod turn;
mod wire;

pub use callers::{Callers, Progress};
pub use gateway::{Gateways, Seen};
pub use kamcmd::Kamcmd;
pub use place::{Place, free_address};
pub use process::Process;
pub use server::{Options, Server};
pub use sipp::{Caller, Gateway, Load, Outcome};
pub use turn::Turn;

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `condition` gives something, and panics with `what` when it has not for `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}
