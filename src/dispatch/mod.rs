//! Destinations, their sets and states, and the algorithms that choose among them.
//!
//! Owns: what a destination is, the order inside a set, the choice. May touch: memory only; names
//! are resolved and files are read in `source`.

pub mod attributes;
pub mod destination;
pub mod hash;
pub mod list;
pub mod select;
pub mod sets;
pub mod state;
pub mod target;

pub use attributes::Attributes;
pub use destination::{Destination, ProbeStats, Reservation, SetId, Shared};
pub use select::{Candidates, Keys, SelectError, SelectOptions, Selection, select};
pub use sets::{Entry, Set, Sets};
pub use state::{Flags, Health, Origin, Thresholds};
