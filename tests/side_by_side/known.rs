//! What differs and is known to: scenario by scenario, with the reason. A scenario that differs no more
//! fails its test until its row is taken out here.

/// A scenario, and why it differs.
pub type Known = &'static [(&'static str, &'static str)];

/// Nothing.
pub const NOTHING: Known = &[];

/// The files that call `sanity_check()` and fail over after taking a Route off.
pub const SANITY: Known = &[(
    "wrong-cseq",
    "it is refused before the script, in other words than those of sanity_check()",
)];

/// Answers and branches that a script makes.
pub const ANSWERS: Known = &[(
    "bad-message",
    "it is refused before the script, in other words than those of sanity_check()",
)];

/// Transactions and their scripts.
pub const TRANSACTIONS: Known = &[("nowhere-told", TWICE), ("again-told", TWICE)];

const TWICE: &str =
    "Kamailio answers twice: what sl_reply_error() says, and then by the transaction";

/// Variables.
pub const VARIABLES: Known = &[(
    "telephone",
    "with user=phone Kamailio reads a sip URI as tel: no parameters in $rU",
)];
