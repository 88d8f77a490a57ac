//! What the call-load table is told once, at start.

use std::time::Duration;

/// The call-load table's parameters (`ds_hash_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLoadSettings {
    /// log2 of the number of slots over all shards.
    pub hash_size: u32,
    /// A confirmed call is forgotten this long after its last 2xx.
    pub expire: Duration,
    /// A call that was never answered is forgotten after this.
    pub initexpire: Duration,
    /// How often every slot is looked at.
    pub check_interval: Duration,
    /// Most cells over all shards; beyond it new calls get 503.
    pub max_calls: u32,
}

impl Default for CallLoadSettings {
    fn default() -> Self {
        Self {
            hash_size: 16,
            expire: Duration::from_secs(7200),
            initexpire: Duration::from_secs(7200),
            check_interval: Duration::from_secs(30),
            max_calls: 4_000_000,
        }
    }
}
