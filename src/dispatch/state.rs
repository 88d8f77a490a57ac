//! The state of a destination: flags as the peers print them, the counter of probing results, and
//! the rules by which probing, scripts and operators change them.
//!
//! Owns: the meaning of the flags. Pure functions only; [`super::Destination`] holds the atomic.

use std::fmt;

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
    /// The flags that a change of state replaces. The other two say what a destination is, not how
    /// it is, so they outlive a change (Kamailio drops them at the first one).
    const STATES: u32 = Self::INACTIVE | Self::TRYING | Self::DISABLED | Self::PROBING;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// Whether selection passes it over: inactive or disabled.
    pub const fn is_skipped(self) -> bool {
        self.0 & (Self::INACTIVE | Self::DISABLED) != 0
    }

    /// The two letters of `dispatcher.list`: I, D, T or A; then P, N (never probed) or X.
    pub const fn letters(self) -> &'static str {
        const NAMES: [[&str; 3]; 4] = [
            ["IP", "IN", "IX"],
            ["DP", "DN", "DX"],
            ["TP", "TN", "TX"],
            ["AP", "AN", "AX"],
        ];
        let state = if self.has(Self::INACTIVE) {
            0
        } else if self.has(Self::DISABLED) {
            1
        } else if self.has(Self::TRYING) {
            2
        } else {
            3
        };
        let probing = if self.has(Self::PROBING) {
            0
        } else if self.has(Self::NO_PING) {
            1
        } else {
            2
        };
        NAMES[state][probing]
    }

    /// The state that an operator asks for with RPC `set_state`: the first character is the state
    /// (`a` or `1`, `i` or `0`, `d` or `2`, `t` or `3`), a second `p` asks for probing (but not of
    /// a disabled destination). Letters may be upper case; what follows is ignored, as the peers
    /// do. `None`: not a state.
    pub fn parse_rpc(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let state = match bytes.next()?.to_ascii_lowercase() {
            b'a' | b'1' => 0,
            b'i' | b'0' => Self::INACTIVE,
            b'd' | b'2' => Self::DISABLED,
            b't' | b'3' => Self::TRYING,
            _ => return None,
        };
        let probing = match bytes.next() {
            Some(b'p' | b'P') if state != Self::DISABLED => Self::PROBING,
            _ => 0,
        };
        Some(Self(state | probing))
    }

    /// The state that a script asks for (`ds_mark_dst`): letters in any order and case, where `a`
    /// clears what was said before and `i`, `d`, `t`, `p` add. `None`: another character.
    pub fn parse_script(text: &str) -> Option<Self> {
        text.bytes().try_fold(Self(0), |flags, letter| {
            Some(Self(match letter.to_ascii_lowercase() {
                b'a' => 0,
                b'i' => flags.0 | Self::INACTIVE,
                b'd' => flags.0 | Self::DISABLED,
                b't' => flags.0 | Self::TRYING,
                b'p' => flags.0 | Self::PROBING,
                _ => return None,
            }))
        })
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.letters())
    }
}

/// How many consecutive results change a state; 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that make an active destination inactive (`ds_probing_threshold`).
    pub down: u32,
    /// Successes that make an inactive destination active (`ds_inactive_threshold`).
    pub up: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { down: 1, up: 1 }
    }
}

/// Who asks for a change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A keepalive's result: both thresholds apply.
    Probe,
    /// The routing script: failures are counted, but "active" takes effect at once.
    Script,
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
    /// A destination that has just been loaded with these flags.
    pub const fn new(flags: Flags) -> Self {
        Self {
            flags,
            probing_count: 0,
        }
    }

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

    /// What an operator's command makes of it: the state is replaced without any threshold. Asking
    /// for probing lifts "never probed". The counter starts again, so that results from before the
    /// command do not count against the operator's word.
    #[must_use]
    pub const fn set(self, requested: Flags) -> Self {
        Self::new(Flags(self.kept(requested) | requested.0 & Flags::STATES))
    }

    /// What a result makes of it. `requested` has [`Flags::TRYING`] for a failure and no state flag
    /// for a success; scripts may ask for inactive and disabled too. An inactive destination stays
    /// inactive on failure and then starts its successes again: they must be consecutive.
    #[must_use]
    pub fn update(self, requested: Flags, origin: Origin, thresholds: Thresholds) -> Self {
        let old = self.flags;
        let mut new = requested.0 & Flags::STATES;
        if requested.has(Flags::DISABLED) {
            new = Flags::DISABLED;
        } else if requested.has(Flags::TRYING) && old.has(Flags::INACTIVE) {
            new = new & !Flags::TRYING | Flags::INACTIVE;
        }

        let mut count = 0;
        if new & Flags::TRYING != 0 {
            count = self.probing_count.saturating_add(1);
            if count >= thresholds.down {
                new = new & !Flags::TRYING | Flags::INACTIVE;
                count = 0;
            }
        } else if origin == Origin::Probe
            && old.has(Flags::INACTIVE)
            && !requested.has(Flags::TRYING)
        {
            count = self.probing_count.saturating_add(1);
            if count < thresholds.up {
                new |= Flags::INACTIVE | old.0 & Flags::PROBING;
            } else {
                count = 0;
            }
        }
        Self {
            flags: Flags(self.kept(requested) | new),
            probing_count: count,
        }
    }

    /// The flags that outlive a change to `requested`.
    const fn kept(self, requested: Flags) -> u32 {
        let kept = self.flags.0 & !Flags::STATES;
        if requested.has(Flags::PROBING) {
            kept & !Flags::NO_PING
        } else {
            kept
        }
    }
}
