//! The built-in routing: what is done with a request that no transaction claims.
//!
//! Owns: the order of the decisions. A request inside a dialog follows its route set, or the call it
//! belongs to; everything else is dispatched to the one set.

use super::act::{Act, UNRESOLVABLE};
use super::draft::{NextHop, RouteId, Routes};
use super::next::Next;
use super::request::{Refusal, Request};
use super::settings::RelayMode;
use crate::sip::{Method, Name};

/// The failure route.
const NEXT_DESTINATION: RouteId = 0;

impl Act<'_> {
    /// Decides on a request.
    pub(super) fn default_route(&mut self) {
        let Some(request) = self.request else { return };
        if request.method == Method::Options
            && !request.is_in_dialog()
            && request.is_for_us(&self.core.locals)
        {
            self.reply_stateless(200, b"OK");
            return;
        }
        if !self.process_max_forwards(request) {
            self.reply_stateless(483, b"Too Many Hops");
            return;
        }
        let is_stateful = self.core.settings.relay == RelayMode::Stateful;
        if request.method == Method::Cancel && is_stateful {
            self.reply_stateless(481, b"Call/Transaction Does Not Exist");
            return;
        }
        if !is_stateful && self.acknowledges_failure() {
            self.draft.routes = Routes::Removed;
            self.follow_call();
            return self.send();
        }
        if request.goes_by_its_routes() {
            return self.route_in_dialog(request);
        }
        self.draft.routes = Routes::Removed;
        match request.method {
            Method::Cancel => {
                if self.follow_call() {
                    self.send();
                } else {
                    self.reply_stateless(481, b"Call/Transaction Does Not Exist");
                }
            }
            _ => self.route_outside(request),
        }
    }

    fn process_max_forwards(&mut self, request: &Request<'_>) -> bool {
        let Some(left) = request.max_forwards.checked_sub(1) else {
            return false;
        };
        let edits = &mut self.draft.edits;
        match request.message.first(Name::MaxForwards) {
            Some(line) => edits.replace_with(line.value_range, |text| {
                use std::io::Write as _;
                // Writing to a vector cannot fail.
                write!(text, "{left}").ok();
            }),
            None => edits.insert(request.message.headers_start(), b"Max-Forwards: 70\r\n"),
        }
        true
    }

    fn route_in_dialog(&mut self, request: &Request<'_>) {
        self.draft.routes = Routes::Followed;
        self.draft.socket = request.routing.leaves_by;
        if let Some(uri) = request.routing.new_request_uri {
            self.draft.set_uri(uri);
        }
        if request.routing.next_uri != self.request_uri() {
            self.draft.set_next_hop(request.routing.next_uri);
        }
        match self.next() {
            Next::Element(_) => self.send(),
            // No route set leads on from here: the caller sent this to our own address, or to a
            // name. The call knows where it goes.
            next => {
                if self.follow_call() {
                    return self.send();
                }
                if next == Next::Us {
                    self.reply_stateless(481, b"Call/Transaction Does Not Exist");
                } else {
                    self.draft.next_hop = NextHop::RequestUri;
                    self.draft.error = Some(UNRESOLVABLE);
                    self.reply_error();
                }
            }
        }
    }

    fn route_outside(&mut self, request: &Request<'_>) {
        if request.method != Method::Invite && self.follow_call() {
            return self.send();
        }
        if matches!(
            request.method,
            Method::Invite | Method::Subscribe | Method::Refer | Method::Notify
        ) {
            self.draft.record_route = Some(self.draft.keep(b""));
        }
        let settings = std::sync::Arc::clone(&self.core.settings);
        let limit = settings.failover.max_branches as u32;
        if self.select(settings.set, settings.algorithm, limit).is_err() {
            return self.refuse(request);
        }
        if self.draft.choice.is_some() {
            self.draft.armed.failure = Some(NEXT_DESTINATION);
            self.draft.patience.silence = Some(settings.failover.no_answer);
        }
        self.send();
    }

    /// Relays, or says why not.
    fn send(&mut self) {
        let sent = match self.core.settings.relay {
            RelayMode::Stateful => self.relay(),
            RelayMode::Stateless => self.forward(),
        };
        if sent.is_err()
            && let Some(request) = self.request
        {
            self.refuse(request);
        }
    }

    /// Refuses a call by a transaction, so that a repeat of the INVITE gets the same answer even if
    /// there is room for it by then.
    fn refuse(&mut self, request: &Request<'_>) {
        let error: Option<Refusal> = self.draft.error;
        if request.opens_call() && self.core.settings.relay == RelayMode::Stateful {
            self.open_transaction(request).ok();
            self.draft.error = error;
        }
        self.reply_error();
    }

    /// The next destination, if the answer speaks for it.
    pub(super) fn default_failure_route(&mut self, _: RouteId) {
        let Some(index) = self.context else { return };
        let context = self.core.contexts.get(index);
        let code = context.best.map_or(0, |best| best.branch_code);
        let may_move_on = !context.cancelled && self.core.settings.failover.codes.contains(&code);
        if may_move_on && self.select_next().is_ok() {
            self.draft.armed.failure = Some(NEXT_DESTINATION);
            self.relay().ok();
        }
    }
}
