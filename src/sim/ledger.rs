//! Books of its own on who has which call, kept at the proxy's door by plain rules, against which the
//! proxy's counters are held. Part of invariant 1.
//!
//! Where the door cannot know (a call that several gateways may have, a BYE that waits for its
//! answer, a call whose time is about to be over) the books say "perhaps", and the counter may count
//! it or not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::story::Violation;
use crate::time::Timestamp;

/// A call that is closing is forgotten after 64 * T1 at the latest.
const LINGER: Duration = Duration::from_secs(32);
/// For whole seconds, the sweep's round and shards that stand still.
const SLACK: Duration = Duration::from_secs(10);

/// Call-ID and caller's tag.
pub(super) type CallName = (Vec<u8>, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The INVITE went out, no final answer came back.
    Early,
    /// It was answered by the gateway that made this tag.
    Confirmed(Vec<u8>),
    /// A BYE went through at this time.
    Closing(Vec<u8>, Timestamp),
}

/// One call that is counted, or perhaps is.
#[derive(Debug)]
struct Call {
    state: State,
    gateway: SocketAddr,
    /// The transaction that opened it.
    opener: Vec<u8>,
    /// The earliest and the latest time at which it may be forgotten.
    expires: (Timestamp, Timestamp),
    /// The callee's BYE came before its 2xx, with this tag.
    ended_early: Option<Vec<u8>>,
    perhaps: bool,
}

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    open: BTreeMap<CallName, Call>,
    /// The CSeq of the last attempt of each call that was ever open.
    attempts: BTreeMap<CallName, u32>,
    expire: Duration,
    initexpire: Duration,
    is_kept: bool,
    /// Whether a gateway may be full, so that a call that changes to it may go uncounted.
    may_be_full: bool,
    pub opened: u64,
}

impl Ledger {
    pub fn new(is_kept: bool, may_be_full: bool, expire: Duration, initexpire: Duration) -> Self {
        Self {
            open: BTreeMap::new(),
            attempts: BTreeMap::new(),
            expire,
            initexpire,
            is_kept,
            may_be_full,
            opened: 0,
        }
    }

    /// The INVITE of a call went to a gateway by a new branch. `surely`: nobody but its caller had a
    /// hand in it.
    pub fn invited(
        &mut self,
        now: Timestamp,
        name: CallName,
        cseq: u32,
        opener: &[u8],
        gateway: SocketAddr,
        surely: bool,
    ) {
        if !self.is_kept {
            return;
        }
        if let Some(call) = self.open.get_mut(&name) {
            if call.opener == opener && call.state == State::Early && now < call.expires.0 {
                call.gateway = gateway;
            } else {
                self.touched(now, &name.0);
            }
            return;
        }
        // Over, and yet it comes by another way: that may be counted or not.
        let last = self.attempts.insert(name.clone(), cseq);
        let surely = surely && last.is_none_or(|last| cseq > last);
        let expires = now + self.initexpire;
        self.opened += 1;
        let call = Call {
            state: State::Early,
            gateway,
            opener: opener.to_vec(),
            expires: (expires, expires),
            ended_early: None,
            perhaps: false,
        };
        let call_id = name.0.clone();
        self.open.insert(name, call);
        if !surely {
            self.touched(now, &call_id);
        }
    }

    /// A final answer to an INVITE that belongs to no dialog went to the caller. `gateway` is where
    /// it came from, unless it is the proxy's own.
    pub fn answered(
        &mut self,
        now: Timestamp,
        name: &CallName,
        opener: &[u8],
        code: u16,
        tag: &[u8],
        gateway: Option<SocketAddr>,
    ) {
        let expires = now + self.expire;
        let Some(call) = self.open.get_mut(name) else {
            return;
        };
        // What comes of a call that may have been forgotten is not known either.
        if call.opener != opener || call.perhaps || now >= call.expires.0 {
            return self.touched(now, &name.0);
        }
        match &call.state {
            State::Early if code >= 300 || call.ended_early.as_deref() == Some(tag) => {
                self.open.remove(name);
            }
            State::Early => {
                call.state = State::Confirmed(tag.to_vec());
                call.expires = (expires, expires);
                let gateway = gateway.unwrap_or(call.gateway);
                let moves = gateway != call.gateway;
                call.gateway = gateway;
                if moves && self.may_be_full {
                    self.touched(now, &name.0);
                }
            }
            // Without transactions a repeated 2xx keeps it, with them it does not.
            _ if code < 300 => call.expires.1 = call.expires.1.max(expires),
            _ => {}
        }
    }

    /// A 2xx to a re-INVITE or UPDATE passed.
    pub fn refreshed(&mut self, now: Timestamp, name: &CallName, is_first: bool) {
        let expires = now + self.expire;
        if let Some(call) = self.open.get_mut(name)
            && matches!(call.state, State::Confirmed(_))
        {
            // It may have been too late.
            let in_time = now < call.expires.0;
            call.expires.1 = expires;
            if is_first && in_time {
                call.expires.0 = expires;
            }
        }
    }

    /// A BYE with these tags came.
    pub fn bye(&mut self, now: Timestamp, call_id: &[u8], from: &[u8], to: &[u8]) {
        for (caller, callee, by_callee) in [(from, to, false), (to, from, true)] {
            let Some(call) = self.open.get_mut(&(call_id.to_vec(), caller.to_vec())) else {
                continue;
            };
            match &call.state {
                State::Early if by_callee => call.ended_early = Some(callee.to_vec()),
                State::Confirmed(tag) if tag == callee => {
                    call.state = State::Closing(callee.to_vec(), now);
                }
                _ => {}
            }
            return;
        }
    }

    /// A final answer to a BYE with these tags passed. A challenge leaves the call as it was.
    pub fn bye_answered(
        &mut self,
        now: Timestamp,
        call_id: &[u8],
        (from, to): (&[u8], &[u8]),
        challenged: bool,
    ) {
        for (caller, callee) in [(from, to), (to, from)] {
            let name = (call_id.to_vec(), caller.to_vec());
            let Some(call) = self.open.get_mut(&name) else {
                continue;
            };
            let is_its = matches!(&call.state, State::Closing(tag, _) if tag == callee);
            if !is_its || call.perhaps {
                continue;
            }
            if challenged {
                call.state = State::Confirmed(callee.to_vec());
                call.expires.1 = now + self.expire;
            } else {
                self.open.remove(&name);
            }
        }
    }

    /// Somebody had a hand in this call who has no business there: nothing is sure about it any more,
    /// until time is over.
    pub fn touched(&mut self, now: Timestamp, call_id: &[u8]) {
        let expires = now + self.expire.max(self.initexpire);
        let first = (call_id.to_vec(), Vec::new());
        let calls = self.open.range_mut(first..);
        for (_, call) in calls.take_while(|((id, _), _)| id == call_id) {
            call.perhaps = true;
            call.expires.1 = call.expires.1.max(expires);
        }
    }

    /// Holds the counter of a gateway against the books.
    pub fn check(
        &mut self,
        now: Timestamp,
        gateway: SocketAddr,
        active: u32,
    ) -> Result<(), Violation> {
        if !self.is_kept {
            return Ok(());
        }
        let (mut surely, mut perhaps) = (0, 0);
        for call in self.open.values() {
            if call.gateway == gateway && !call.perhaps && call.is_counted(now) {
                surely += 1;
            } else if call.gateway == gateway || call.perhaps {
                perhaps += 1;
            }
        }
        if active >= surely && active <= surely + perhaps {
            return Ok(());
        }
        let what = format!(
            "{gateway} counts {active} calls, by the books it has {surely} and perhaps {perhaps} more"
        );
        Err(Violation::new(1, what))
    }

    /// A call of this gateway that the books have and `counted` has not, or the other way round.
    pub fn suspect(
        &self,
        now: Timestamp,
        gateway: SocketAddr,
        counted: &BTreeSet<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let booked = |call_id: &Vec<u8>| self.open.keys().any(|(id, _)| id == call_id);
        let extra = counted.iter().find(|call_id| !booked(call_id)).cloned();
        let missing = self.open.iter().find(|((call_id, _), call)| {
            let here = call.gateway == gateway && !call.perhaps && call.is_counted(now);
            here && !counted.contains(call_id)
        });
        extra.or_else(|| missing.map(|((call_id, _), _)| call_id.clone()))
    }

    /// Forgets calls that must have been forgotten.
    pub fn close_old(&mut self, now: Timestamp) {
        self.open.retain(|_, call| {
            let until = match call.state {
                State::Closing(_, since) if !call.perhaps => call.expires.1.min(since + LINGER),
                _ => call.expires.1,
            };
            now < until + SLACK
        });
    }
}

impl Call {
    /// Whether it must be counted now.
    fn is_counted(&self, now: Timestamp) -> bool {
        !matches!(self.state, State::Closing(..)) && now < self.expires.0
    }
}
