//! Destinations, their sets and states, and the algorithms that choose among them.
//!
//! Owns: what a destination is, the order inside a set, the choice. May touch: memory only; names
//! are resolved and files are read in `source`.

pub mod attributes;
pub mod destination;
pub mod state;

pub use attributes::Attributes;
pub use destination::{Destination, Reservation, SetId};
pub use state::{Flags, Health};

/// All sets as published at one time.
#[derive(Debug, Default)]
pub struct Sets {}
