//! The state of a destination: flags as the peers print them, and the counter of probing results.

/// The state flags of a destination, with the peers' bit values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Taken out by failed probing or by hand.
    pub const INACTIVE: u32 = 1;
    /// Failing, not yet out.
    pub const TRYING: u32 = 2;
    /// Taken out by the operator; never probed.
    pub const DISABLED: u32 = 4;
    /// To be probed.
    pub const PROBING: u32 = 8;
    /// The host is not resolved.
    pub const NO_DNS: u32 = 16;
    /// Never probed.
    pub const NO_PING: u32 = 32;

    /// Whether selection passes it over: inactive or disabled.
    pub const fn is_skipped(self) -> bool {
        self.0 & (Self::INACTIVE | Self::DISABLED) != 0
    }
}

/// Flags and the number of consecutive results that speak for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The state flags.
    pub flags: Flags,
    /// Consecutive failures of an active destination or successes of an inactive one.
    pub probing_count: u32,
}

impl Health {
    /// In one word, for an atomic.
    pub const fn pack(self) -> u64 {
        self.flags.0 as u64 | (self.probing_count as u64) << 32
    }

    /// From [`Health::pack`].
    pub const fn unpack(word: u64) -> Self {
        Self {
            flags: Flags(word as u32),
            probing_count: (word >> 32) as u32,
        }
    }
}
