//! What is known of a destination before it has a place in a set.

use std::net::SocketAddr;

use super::attributes::Attributes;
use super::state::Flags;

/// The number of a set (group) of destinations.
pub type SetId = i32;

/// One destination as it was read from a list, before it has a place in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The set it belongs to.
    pub set: SetId,
    /// Its URI with a scheme.
    pub uri: Box<str>,
    /// The state to start with.
    pub flags: Flags,
    /// Bigger is earlier in the set.
    pub priority: i32,
    /// The attributes column, parsed.
    pub attributes: Attributes,
    /// Where its datagrams go, once known.
    pub address: Option<SocketAddr>,
}
