//! What differs and is known to: scenario by scenario, with the reason. A scenario that differs no more
//! fails its test until its row is taken out here.

/// A scenario, and why it differs.
pub type Known = &'static [(&'static str, &'static str)];

/// Nothing.
pub const NOTHING: Known = &[];

/// Transactions and their scripts.
pub const TRANSACTIONS: Known = &[("nowhere-told", TWICE), ("again-told", TWICE)];

const TWICE: &str =
    "Kamailio answers twice: what sl_reply_error() says, and then by the transaction";
