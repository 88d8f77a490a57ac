//! Destinations, their sets and states, and the algorithms that choose among them.
//!
//! Owns: what a destination is, the order inside a set, the choice. May touch: memory only; names
//! are resolved and files are read in `source`.

pub mod attributes;
mod board;
mod counters;
pub mod destination;
mod entry;
pub mod hash;
mod latency;
pub mod list;
mod overload;
pub mod select;
pub mod sets;
pub mod state;
pub mod target;

pub use attributes::Attributes;
pub use destination::{Destination, Details, ProbeStats, Reservation, Shared};
pub use entry::{Entry, SetId};
pub use latency::Latency;
pub use select::{Candidates, Keys, SelectError, SelectOptions, Selection, select};
pub use sets::{BuildOptions, Set, Sets};
pub use state::{Flags, Health, Origin, Thresholds};
