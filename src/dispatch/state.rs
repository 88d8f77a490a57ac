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

    /// Whether keepalives have taken it out. (By hand it is taken out without probing, as a rule, and
    /// then goes on with what it has.)
    pub const fn is_dead(self) -> bool {
        self.has(Self::INACTIVE | Self::PROBING)
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

#[cfg(test)]
mod tests {
    use super::*;

    const I: u32 = Flags::INACTIVE;
    const T: u32 = Flags::TRYING;
    const D: u32 = Flags::DISABLED;
    const P: u32 = Flags::PROBING;
    const THREE_DOWN_TWO_UP: Thresholds = Thresholds { down: 3, up: 2 };

    /// The letters after each of several requests from one origin.
    fn history(start: u32, origin: Origin, requests: &[u32]) -> Vec<&'static str> {
        let mut health = Health::new(Flags(start));
        let step = |&request: &u32| {
            health = health.update(Flags(request), origin, THREE_DOWN_TWO_UP);
            health.flags.letters()
        };
        requests.iter().map(step).collect()
    }

    #[test]
    fn letters_are_the_peers() {
        for (flags, letters) in [
            (0, "AX"),
            (P, "AP"),
            (Flags::NO_PING, "AN"),
            (Flags::NO_PING | P, "AP"),
            (T, "TX"),
            (T | P, "TP"),
            (D, "DX"),
            (D | T, "DX"),
            (I | P, "IP"),
            (I | D | T, "IX"),
            (255, "IP"),
            (Flags::NO_DNS, "AX"),
        ] {
            assert_eq!(Flags(flags).to_string(), letters);
        }
    }

    #[test]
    fn operators_words_are_read_by_their_first_two_letters() {
        for (text, flags) in [
            ("a", 0),
            ("ap", P),
            ("AP", P),
            ("1", 0),
            ("i", I),
            ("ip", I | P),
            ("0p", I | P),
            ("ix", I),
            ("d", D),
            ("dp", D),
            ("2", D),
            ("tp", T | P),
            ("3", T),
            ("active", 0),
        ] {
            assert_eq!(Flags::parse_rpc(text), Some(Flags(flags)), "{text}");
        }
        for text in ["", "x", "p", " a", "4"] {
            assert_eq!(Flags::parse_rpc(text), None, "{text}");
        }
    }

    #[test]
    fn scripts_words_are_letters_in_any_order() {
        for (text, flags) in [
            ("", 0),
            ("ip", I | P),
            ("pi", I | P),
            ("pa", 0),
            ("ap", P),
            ("IdTp", I | D | T | P),
        ] {
            assert_eq!(Flags::parse_script(text), Some(Flags(flags)), "{text}");
        }
        assert_eq!(Flags::parse_script("ix"), None);
    }

    #[test]
    fn failures_in_a_row_make_inactive() {
        assert_eq!(
            history(
                P,
                Origin::Probe,
                &[T | P, T | P, P, T | P, T | P, T | P, T | P]
            ),
            ["TP", "TP", "AP", "TP", "TP", "IP", "IP"]
        );
    }

    #[test]
    fn successes_in_a_row_make_active() {
        assert_eq!(
            history(I | P, Origin::Probe, &[P, T | P, P, P]),
            ["IP", "IP", "IP", "AP"],
            "a failure in between starts the count again"
        );
        assert_eq!(
            history(I | P, Origin::Probe, &[0, 0]),
            ["IP", "AX"],
            "the probing flag stays until the destination is back"
        );
    }

    #[test]
    fn scripts_count_failures_but_activate_at_once() {
        assert_eq!(
            history(0, Origin::Script, &[T, T, T, 0, I, I | P, P]),
            ["TX", "TX", "IX", "AX", "IX", "IP", "AP"]
        );
        assert_eq!(
            history(P, Origin::Script, &[D | I | P, T, 0]),
            ["DX", "TX", "AX"]
        );
    }

    #[test]
    fn thresholds_of_0_and_1_act_at_once() {
        for threshold in [0, 1] {
            let thresholds = Thresholds {
                down: threshold,
                up: threshold,
            };
            let up = Health::new(Flags(P));
            let down = up.update(Flags(T | P), Origin::Probe, thresholds);
            assert_eq!(down, Health::new(Flags(I | P)));
            assert_eq!(down.update(Flags(P), Origin::Probe, thresholds), up);
        }
    }

    #[test]
    fn an_operators_word_overrides_all_and_starts_the_count_again() {
        let failing = Health {
            flags: Flags(T | P),
            probing_count: 2,
        };
        assert_eq!(failing.set(Flags(I)), Health::new(Flags(I)));
        assert_eq!(failing.set(Flags(D)).set(Flags(P)), Health::new(Flags(P)));
    }

    #[test]
    fn what_a_destination_is_outlives_its_states() {
        let fixed = Flags::NO_DNS | Flags::NO_PING;
        let health = Health::new(Flags(fixed | T));
        assert_eq!(health.set(Flags(I)).flags, Flags(fixed | I));
        let updated = health.update(Flags(D), Origin::Script, THREE_DOWN_TWO_UP);
        assert_eq!(updated.flags, Flags(fixed | D));
        assert_eq!(
            health.set(Flags(I | P)).flags,
            Flags(Flags::NO_DNS | I | P),
            "who asks for probing gets it"
        );
    }

    #[test]
    fn health_fits_a_word() {
        let health = Health {
            flags: Flags(u32::MAX),
            probing_count: 7,
        };
        assert_eq!(Health::unpack(health.pack()), health);
    }
}
