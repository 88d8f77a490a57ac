//! Choosing destinations.

use std::sync::Arc;

use super::{ALL_BUSY, Act, NO_KEY, NONE_ACTIVE, Stage, Standing};
use crate::dispatch::select::{Candidates, Keys, SelectError, SelectOptions, select};
use crate::dispatch::{Destination, Reservation, Set, SetId};
use crate::load::{Hold, Side};
use crate::proxy::draft::{Choice, NextHop};
use crate::proxy::request::Refusal;
use crate::sip::Method;

/// A destination, with the call counted on it if calls are.
type Chosen = (Arc<Destination>, Option<Reservation>);

impl Act<'_> {
    /// Chooses a destination of a set as the next hop, and counts the call on it if the algorithm
    /// counts. An INVITE whose call is known goes where that went, and is not counted again.
    /// Destinations that cannot be sent to (no address, no socket of that family) are passed over.
    pub fn select(&mut self, set: SetId, algorithm: u32, limit: u32) -> Result<(), Refusal> {
        if self.stage == Stage::Request
            && let Standing::Known(cell) = self.standing
            && let Some(call) = self.core.calls.get(cell)
        {
            let destination = Arc::clone(call.destination);
            return self.follow(destination);
        }
        let sets = Arc::clone(&self.core.sets);
        let Some(of_set) = sets.get(set) else {
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
            variable: None,
            invite: self.opens_call(),
            chance: self.core.rng.next(),
            now: self.now,
        };
        let selection = match select(of_set, algorithm, &keys, options) {
            Ok(selection) => selection,
            Err(SelectError::AllFull) => return self.fail(ALL_BUSY),
            Err(SelectError::NoKey) => return self.fail(NO_KEY),
            Err(SelectError::NoDestination | SelectError::UnknownAlgorithm) => {
                return self.fail(NONE_ACTIVE);
            }
        };
        let first = (selection.destination, selection.reservation);
        self.choose(set, of_set, Some(first), selection.candidates)
    }

    /// Goes on to the next of the destinations that were chosen.
    pub fn select_next(&mut self) -> Result<(), Refusal> {
        let Some(choice) = self.draft.choice else {
            return self.fail(NONE_ACTIVE);
        };
        let sets = Arc::clone(&self.core.sets);
        let Some(set) = sets.get(choice.set) else {
            return self.fail(NONE_ACTIVE);
        };
        self.draft.hold = None;
        self.choose(choice.set, set, None, choice.candidates)
    }

    /// Takes the first destination that can be sent to, from `chosen` on.
    fn choose(
        &mut self,
        id: SetId,
        set: &Set,
        mut chosen: Option<Chosen>,
        mut candidates: Candidates,
    ) -> Result<(), Refusal> {
        loop {
            let next = chosen.take().or_else(|| candidates.next(set));
            let Some((destination, reservation)) = next else {
                self.draft.choice = None;
                return self.fail(NONE_ACTIVE);
            };
            if !self.can_try(&destination) {
                continue;
            }
            if self.opens_call() {
                let hold = reservation
                    .map_or_else(|| Hold::Pinned(Arc::clone(&destination)), Hold::Counted);
                self.draft.hold = Some(hold);
            }
            self.draft.next_hop = NextHop::Destination(destination);
            self.draft.is_dispatched = true;
            self.draft.choice = Some(Choice {
                set: id,
                candidates,
            });
            return Ok(());
        }
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
    fn follow(&mut self, destination: Arc<Destination>) -> Result<(), Refusal> {
        if self.core.hop_to(&destination, self.socket()).is_none() {
            return self.fail(NONE_ACTIVE);
        }
        self.draft.next_hop = NextHop::Destination(destination);
        self.draft.is_dispatched = false;
        self.draft.choice = None;
        self.draft.hold = None;
        Ok(())
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
        self.follow(destination).is_ok()
    }

    /// Whether the request is the ACK to a failure of a call that was relayed without transactions:
    /// it goes the way of its INVITE, whose R-URI and Routes it has (RFC 3261 sections 16.11,
    /// 17.1.1.3).
    pub fn acknowledges_failure(&self) -> bool {
        let Some(request) = self.request.filter(|one| one.method == Method::Ack) else {
            return false;
        };
        let known = self
            .core
            .calls
            .find(request.call_id, request.from_tag, b"");
        known
            .and_then(|(cell, _)| self.core.calls.get(cell))
            .is_some_and(|call| call.is_stateless && !call.answered && call.cseq == request.cseq)
    }

    /// Whether it is an INVITE that opens a call.
    pub(super) fn opens_call(&self) -> bool {
        self.request.is_some_and(|request| request.opens_call())
    }
}
