//! What a world excuses: where the promises cannot be kept, or say something else.

use std::time::Duration;

/// What excuses the proxy in a world.
#[derive(Debug, Default)]
pub(super) struct Licence {
    /// Gateways that have lost their memory answer one request twice.
    pub memories_lost: bool,
    /// Cells make room for others: a call may be forgotten at any time.
    pub forgets: bool,
    /// Answered calls are forgotten while their INVITE may still be repeated.
    pub forgets_soon: bool,
    /// Gateways may have been told a wrong Contact.
    pub contacts_spoilt: bool,
    /// How long an answered transaction is kept.
    pub wait: Duration,
    /// How much later than that it is forgotten at the latest.
    pub lateness: Duration,
    /// How many gateways must have been tried before a caller hears that there is none; 0 where that
    /// cannot be said.
    pub tries: usize,
}
