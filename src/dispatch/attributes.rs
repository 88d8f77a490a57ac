//! The attributes column of a destination: `duid=gw1;maxload=30;weight=50`.

/// The attributes of one destination, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The whole column as written, without one trailing `;`.
    pub body: Box<str>,
    /// Unique name of the destination in its set; what loads and states are carried over by.
    pub duid: Option<Box<str>>,
    /// Most calls counted at once; 0 means no limit.
    pub maxload: u32,
}
