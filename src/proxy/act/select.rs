//! Choosing destinations.

use std::sync::Arc;

use super::{ALL_BUSY, Act, Aim, NO_KEY, NONE_ACTIVE, Stage, Standing};
use crate::dispatch::select::{Candidates, Keys, SelectError, SelectOptions, select};
use crate::dispatch::{Destination, Reservation, SetId};
use crate::load::{Hold, Side};
use crate::proxy::draft::{Choice, FurtherBranch, MAX_FURTHER, NextHop, Text};
use crate::proxy::request::{Refusal, Request};
use crate::sip::{Method, Uri};

/// The algorithm that sends to all at once.
const PARALLEL: u32 = 12;
/// The algorithm that takes the first.
const SERIAL: u32 = 8;

/// A destination, with the call counted on it if calls are.
type Chosen = (Arc<Destination>, Option<Reservation>);

impl Act<'_> {
    /// Chooses a destination of a set, and counts the call on it if the algorithm counts. An INVITE
    /// whose call is known goes where that went, and is not counted again. Destinations that cannot
    /// be sent to (no address, no socket of that family) are passed over. False: algorithm 12 found
    /// more destinations than there may be branches.
    pub fn select(
        &mut self,
        set: SetId,
        algorithm: u32,
        limit: u32,
        aim: Aim,
        variable: Option<&[u8]>,
    ) -> Result<bool, Refusal> {
        let is_taken = !matches!(self.draft.next_hop, NextHop::RequestUri);
        if aim == Aim::NextHop && is_taken && !self.core.modules.overrides_next_hop {
            return self.fail(NONE_ACTIVE);
        }
        if self.stage == Stage::Request
            && let Standing::Known(cell) = self.standing
            && let Some(call) = self.core.calls.get(cell)
        {
            let destination = Arc::clone(call.destination);
            return self.follow(destination, aim).map(|()| true);
        }
        let Some(of_set) = self.core.sets.get(set) else {
            return self.fail(NONE_ACTIVE);
        };
        // What was chosen before is given back first, so that its place is free.
        self.draft.hold = None;
        let settings = &self.core.settings;
        let options = SelectOptions {
            use_default: settings.use_default,
            limit,
            user_only: settings.user_only,
            compat: settings.compat,
        };
        let keys = Keys {
            message: Some(self.message),
            call_id: self.request.map(|request| request.call_id),
            request_uri: self.draft.uri.map(|uri| self.draft.text(uri)),
            variable,
            invite: self.opens_call(),
            chance: self.core.rng.next(),
            now: self.now,
        };
        // All at once begin with the first.
        let is_parallel = algorithm == PARALLEL;
        let number = if is_parallel { SERIAL } else { algorithm };
        let selection = match select(of_set, number, &keys, options) {
            Ok(selection) => selection,
            Err(SelectError::AllFull) => return self.fail(ALL_BUSY),
            Err(SelectError::NoKey) => return self.fail(NO_KEY),
            Err(SelectError::NoDestination | SelectError::UnknownAlgorithm) => {
                return self.fail(NONE_ACTIVE);
            }
        };
        let first = (selection.destination, selection.reservation);
        self.choose(set, Some(first), selection.candidates, aim)?;
        if !self.core.settings.keeps_others || is_parallel {
            self.draft.choice = None;
        }
        Ok(!is_parallel || self.add_all_behind(set, aim))
    }

    /// Algorithm 12: every usable destination behind the chosen one becomes a branch. False if there
    /// are too many.
    fn add_all_behind(&mut self, set: SetId, aim: Aim) -> bool {
        let sets = Arc::clone(&self.core.sets);
        let (Some(set), Some(chosen)) = (sets.get(set), self.draft.current.clone()) else {
            return true;
        };
        let all = set.destinations.iter();
        for destination in all.skip_while(|one| !one.is_same(&chosen)).skip(1) {
            if !self.core.settings.compat && !destination.is_usable() {
                continue;
            }
            if self.draft.further.len() >= MAX_FURTHER {
                return false;
            }
            let mut branch = FurtherBranch {
                uri: self.draft.uri,
                uri_destination: None,
                next_hop: NextHop::RequestUri,
                socket: None,
                flags: 0,
                preference: None,
            };
            if aim == Aim::Domain {
                branch.uri = Some(self.uri_at(destination));
                branch.uri_destination = Some(Arc::clone(destination));
            } else {
                branch.next_hop = NextHop::Destination(Arc::clone(destination));
            }
            self.draft.further.push(branch);
        }
        true
    }

    /// Goes on to the next of the destinations that were chosen.
    pub fn select_next(&mut self, aim: Aim) -> Result<(), Refusal> {
        let Some(choice) = self.draft.choice else {
            return self.fail(NONE_ACTIVE);
        };
        self.draft.hold = None;
        self.choose(choice.set, None, choice.candidates, aim)
    }

    /// Takes the first destination of a set that can be sent to, from `chosen` on.
    fn choose(
        &mut self,
        id: SetId,
        chosen: Option<Chosen>,
        mut candidates: Candidates,
        aim: Aim,
    ) -> Result<(), Refusal> {
        let found = self.core.sets.get(id).and_then(|set| {
            let others = std::iter::from_fn(|| candidates.next(set));
            let mut all = chosen.into_iter().chain(others);
            all.find(|(destination, _)| self.can_try(destination))
        });
        let Some((destination, reservation)) = found else {
            self.draft.choice = None;
            return self.fail(NONE_ACTIVE);
        };
        if self.opens_call() {
            let hold =
                reservation.map_or_else(|| Hold::Pinned(Arc::clone(&destination)), Hold::Counted);
            self.draft.hold = Some(hold);
        }
        self.draft.is_dispatched = true;
        self.aim(destination, aim);
        self.draft.choice = Some(Choice {
            set: id,
            candidates,
        });
        Ok(())
    }

    /// Whether a destination can be sent to, and was not tried by this transaction. (After a reload
    /// the order may be another.)
    fn can_try(&self, destination: &Destination) -> bool {
        let was_tried = self
            .context
            .is_some_and(|index| self.core.contexts.get(index).has_tried(destination));
        !was_tried && self.core.hop_to(destination, self.socket()).is_some()
    }

    /// The next hop is the destination of a call that stands.
    fn follow(&mut self, destination: Arc<Destination>, aim: Aim) -> Result<(), Refusal> {
        if self.core.hop_to(&destination, self.socket()).is_none() {
            return self.fail(NONE_ACTIVE);
        }
        self.draft.is_dispatched = false;
        self.draft.choice = None;
        self.draft.hold = None;
        self.aim(destination, aim);
        Ok(())
    }

    /// Makes a destination the current one, and puts it where it is to be.
    fn aim(&mut self, destination: Arc<Destination>, aim: Aim) {
        self.draft.current = Some(Arc::clone(&destination));
        match aim {
            Aim::NextHop => self.draft.next_hop = NextHop::Destination(destination),
            Aim::Domain => {
                self.draft.uri = Some(self.uri_at(&destination));
                self.draft.uri_destination = Some(destination);
                self.draft.next_hop = NextHop::RequestUri;
            }
            Aim::Nothing => {}
        }
    }

    /// Puts the current destination where it is to be.
    pub fn aim_again(&mut self, aim: Aim) -> bool {
        let current = self.current_destination();
        if let Some(destination) = &current {
            self.aim(Arc::clone(destination), aim);
        }
        current.is_some()
    }

    /// The Request-URI with a destination in the place of its host.
    fn uri_at(&mut self, destination: &Destination) -> Text {
        let before = self.draft.uri;
        let mut out = std::mem::take(&mut self.core.bench.extra);
        out.clear();
        let uri = self.draft.uri_or_received(before, self.message);
        if let Ok(uri) = Uri::parse(uri) {
            out.extend_from_slice(uri.scheme_text);
            out.push(b':');
            if let Some(user) = uri.user {
                out.extend_from_slice(user);
                out.push(b'@');
            }
        }
        let host = destination.uri.split_once(':').map_or("", |(_, rest)| rest);
        out.extend_from_slice(host.as_bytes());
        let text = self.draft.keep(&out);
        self.core.bench.extra = out;
        text
    }

    /// The destination that was chosen last, in this script or for the last branch.
    pub fn current_destination(&self) -> Option<Arc<Destination>> {
        self.chosen(0)
    }

    /// The n-th of those chosen, the current one first.
    pub fn chosen(&self, place: usize) -> Option<Arc<Destination>> {
        let Some(place) = place.checked_sub(1) else {
            let of_branch = || {
                let branches = self.transaction()?.branches.iter();
                branches.rev().find_map(|branch| branch.destination.clone())
            };
            return self.draft.current.clone().or_else(of_branch);
        };
        let mut choice = self.draft.choice?;
        let set = self.core.sets.get(choice.set)?;
        choice.candidates.only_look();
        (0..=place)
            .map(|_| choice.candidates.next(set))
            .last()?
            .map(|(destination, _)| destination)
    }

    /// How many were chosen, those that were tried already among them.
    pub fn chosen_count(&self) -> usize {
        if self.chosen(0).is_none() {
            return 0;
        }
        let of_choice =
            |choice: Choice| Some(choice.candidates.count(self.core.sets.get(choice.set)?));
        self.draft.choice.and_then(of_choice).unwrap_or(1)
    }

    /// A request of the caller goes where its call went: `ds_follow_call()`. Not so a request about
    /// an INVITE of the call that was since tried anew with a higher CSeq: the new attempt may have
    /// gone elsewhere, and where the old one went is not known.
    pub fn follow_call(&mut self) -> bool {
        let Some(request) = self.request else {
            return false;
        };
        let Some((cell, Side::Caller)) = self.known_call() else {
            return false;
        };
        let Some(call) = self.core.calls.get(cell) else {
            return false;
        };
        let asks_for_invite = matches!(
            request.method,
            Method::Invite | Method::Ack | Method::Cancel
        );
        if request.cseq < call.cseq && (asks_for_invite || request.is_in_dialog()) {
            return false;
        }
        let destination = Arc::clone(call.destination);
        self.follow(destination, Aim::NextHop).is_ok()
    }

    /// Whether the request is the ACK to a failure of a call that was relayed without transactions:
    /// it goes the way of its INVITE, whose R-URI and Routes it has (RFC 3261 sections 16.11,
    /// 17.1.1.3).
    pub fn acknowledges_failure(&mut self) -> bool {
        let Some(request) = self.request.filter(|one| one.method == Method::Ack) else {
            return false;
        };
        let Some((cell, Side::Caller)) = self.known_call() else {
            return false;
        };
        let call = self.core.calls.get(cell);
        call.is_some_and(|call| call.is_stateless && !call.answered && call.cseq == request.cseq)
    }

    /// The call is not counted any more: `ds_load_unset()`.
    pub fn uncount_call(&mut self) -> bool {
        let Some(call) = self
            .known_call()
            .and_then(|(cell, _)| self.core.calls.get(cell))
        else {
            return false;
        };
        let (cell, was_counted) = (call.id, call.counted);
        let pinned = Hold::Pinned(Arc::clone(call.destination));
        was_counted && self.core.calls.move_to(cell, pinned)
    }

    /// Whether it is an INVITE that opens a call.
    pub(super) fn opens_call(&self) -> bool {
        self.request.is_some_and(Request::opens_call)
    }
}
