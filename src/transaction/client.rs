//! The client transaction: RFC 3261 section 17.1 with the Accepted state of RFC 6026.
//!
//! Owns: state and deadlines of one request that we sent. Says what is to be done; bytes are not
//! its business.

use std::time::Duration;

use super::{Kind, Timers};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calling (INVITE) or Trying: nothing has come back, the request is retransmitted.
    Calling,
    /// A provisional answer has come.
    Proceeding,
    /// A final answer has come (not 2xx for INVITE); repeats of it are absorbed.
    Completed,
    /// A 2xx to an INVITE has come; repeats of it are passed on (RFC 6026 section 7.2).
    Accepted,
    /// Over.
    Terminated,
}

/// What is to be done with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyAction {
    /// Hand it to the proxy core.
    Pass,
    /// Acknowledge it (negative answer to an INVITE) and hand it to the proxy core.
    AckAndPass,
    /// Acknowledge it again; the core has seen it.
    AckAgain,
    /// Nothing: it is a repeat or too late.
    Absorb,
}

/// What is to be done at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Nothing is due.
    Idle,
    /// Send the request again (timer A or E).
    Retransmit,
    /// The INVITE rang for too long (timer C): cancel it; the answer is awaited for 64 T1 more.
    RangTooLong,
    /// No final answer came in time (timer B or F, or after it was given up).
    Timeout,
    /// The transaction is over (timer D, K or M).
    Terminated,
}

/// One client transaction.
#[derive(Clone, Copy, Debug)]
pub struct ClientTransaction {
    kind: Kind,
    state: State,
    interval: Duration,
    retransmit_at: Timestamp,
    timeout_at: Timestamp,
    given_up: bool,
}

impl ClientTransaction {
    /// A request was just sent for the first time.
    pub fn start(kind: Kind, now: Timestamp, timers: &Timers) -> Self {
        Self {
            kind,
            state: State::Calling,
            interval: timers.t1,
            retransmit_at: now + timers.t1,
            timeout_at: now + timers.t1 * 64,
            given_up: false,
        }
    }

    /// Whether a final answer is still to come.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    /// Whether it may have to acknowledge a negative answer to an INVITE (once more).
    pub fn may_acknowledge(&self) -> bool {
        self.kind == Kind::Invite && (self.is_pending() || self.state == State::Completed)
    }

    /// Whether nothing at all has come back yet.
    pub fn is_silent(&self) -> bool {
        self.state == State::Calling
    }

    /// Whether it is over.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// A reply with this status code matched the transaction.
    pub fn on_reply(&mut self, code: u16, now: Timestamp, timers: &Timers) -> ReplyAction {
        match (self.state, self.kind, code) {
            (State::Calling | State::Proceeding, kind, 100..=199) => {
                self.provisional(kind, now, timers);
                ReplyAction::Pass
            }
            // Also of what was given up and is answered all the same: the caller has to know (RFC 3261
            // section 16.7 step 5).
            (State::Calling | State::Proceeding | State::Terminated, Kind::Invite, 200..=299) => {
                self.settle(State::Accepted, now + timers.wait);
                ReplyAction::Pass
            }
            (State::Calling | State::Proceeding, Kind::Invite, _) => {
                // Timer D: at least 32 s over an unreliable transport.
                self.settle(
                    State::Completed,
                    now + (timers.t1 * 64).max(Duration::from_secs(32)),
                );
                ReplyAction::AckAndPass
            }
            (State::Calling | State::Proceeding, Kind::NonInvite, _) => {
                self.settle(State::Completed, now + timers.t4);
                ReplyAction::Pass
            }
            (State::Accepted, _, 200..=299) => ReplyAction::Pass,
            (State::Completed, Kind::Invite, 300..) => ReplyAction::AckAgain,
            _ => ReplyAction::Absorb,
        }
    }

    fn provisional(&mut self, kind: Kind, now: Timestamp, timers: &Timers) {
        match kind {
            // Only timer C bounds a ringing INVITE; every provisional starts it anew (16.7 step 2).
            Kind::Invite => {
                self.retransmit_at = Timestamp::FAR;
                if !self.given_up {
                    self.timeout_at = now + timers.c;
                }
            }
            Kind::NonInvite if self.state == State::Calling => {
                self.interval = timers.t2;
                self.retransmit_at = now + timers.t2;
            }
            Kind::NonInvite => {}
        }
        self.state = State::Proceeding;
    }

    fn settle(&mut self, state: State, until: Timestamp) {
        self.state = state;
        self.retransmit_at = Timestamp::FAR;
        self.timeout_at = until;
    }

    /// Stops retransmitting and waits at most 64 T1 for the end, because the request was given up:
    /// another destination was tried, or it was cancelled (RFC 3261 section 9.1).
    pub fn give_up(&mut self, now: Timestamp, timers: &Timers) {
        if self.is_pending() && !self.given_up {
            self.given_up = true;
            self.retransmit_at = Timestamp::FAR;
            self.timeout_at = now + timers.t1 * 64;
        }
    }

    /// Ends a transaction whose request could not be delivered.
    pub fn fail(&mut self) {
        self.settle(State::Terminated, Timestamp::FAR);
    }

    /// When something is due next.
    pub fn deadline(&self) -> Timestamp {
        self.retransmit_at.min(self.timeout_at)
    }

    /// Does the one thing that is due at `now`; call again until it says [`ClientEvent::Idle`].
    pub fn on_deadline(&mut self, now: Timestamp, timers: &Timers) -> ClientEvent {
        if now >= self.timeout_at {
            if self.kind == Kind::Invite && self.state == State::Proceeding && !self.given_up {
                self.give_up(now, timers);
                return ClientEvent::RangTooLong;
            }
            let event = if self.is_pending() {
                ClientEvent::Timeout
            } else {
                ClientEvent::Terminated
            };
            self.settle(State::Terminated, Timestamp::FAR);
            return event;
        }
        if now >= self.retransmit_at {
            self.interval = match self.kind {
                Kind::Invite => self.interval * 2,
                Kind::NonInvite => (self.interval * 2).min(timers.t2),
            };
            self.retransmit_at = now + self.interval;
            return ClientEvent::Retransmit;
        }
        ClientEvent::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMERS: Timers = Timers {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
        c: Duration::from_secs(181),
        wait: Duration::from_secs(5),
    };

    fn run_silent(kind: Kind) -> (Vec<u64>, Timestamp) {
        let mut client = ClientTransaction::start(kind, Timestamp::ZERO, &TIMERS);
        let mut sent_at = Vec::new();
        loop {
            let now = client.deadline();
            match client.on_deadline(now, &TIMERS) {
                ClientEvent::Retransmit => sent_at.push(now.as_millis()),
                ClientEvent::Timeout => return (sent_at, now),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    #[test]
    fn a_silent_invite_is_sent_seven_times_in_32_seconds() {
        let (again, end) = run_silent(Kind::Invite);
        assert_eq!(again, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(end.as_millis(), 32_000);
    }

    #[test]
    fn a_silent_bye_is_sent_eleven_times_in_32_seconds() {
        let (again, end) = run_silent(Kind::NonInvite);
        assert_eq!(
            again,
            [
                500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
            ]
        );
        assert_eq!(end.as_millis(), 32_000);
    }

    #[test]
    fn a_ringing_invite_is_not_retransmitted_and_is_given_up_by_timer_c() {
        let mut client = ClientTransaction::start(Kind::Invite, Timestamp::ZERO, &TIMERS);
        let rings = Timestamp::from_secs(1);
        assert_eq!(client.on_reply(180, rings, &TIMERS), ReplyAction::Pass);
        assert_eq!(client.deadline(), rings + TIMERS.c);
        assert_eq!(
            client.on_deadline(client.deadline(), &TIMERS),
            ClientEvent::RangTooLong
        );
        assert_eq!(client.deadline(), rings + TIMERS.c + TIMERS.t1 * 64);
        assert_eq!(
            client.on_deadline(client.deadline(), &TIMERS),
            ClientEvent::Timeout
        );
    }

    #[test]
    fn every_repeat_of_a_2xx_is_passed_and_of_a_negative_answer_acknowledged() {
        let now = Timestamp::ZERO;
        let mut won = ClientTransaction::start(Kind::Invite, now, &TIMERS);
        assert_eq!(won.on_reply(200, now, &TIMERS), ReplyAction::Pass);
        assert_eq!(won.on_reply(200, now, &TIMERS), ReplyAction::Pass);
        assert_eq!(won.on_reply(486, now, &TIMERS), ReplyAction::Absorb);
        let mut lost = ClientTransaction::start(Kind::Invite, now, &TIMERS);
        assert_eq!(lost.on_reply(486, now, &TIMERS), ReplyAction::AckAndPass);
        assert_eq!(lost.on_reply(486, now, &TIMERS), ReplyAction::AckAgain);
        assert_eq!(lost.on_reply(180, now, &TIMERS), ReplyAction::Absorb);
    }

    #[test]
    fn a_final_answer_to_a_bye_is_passed_once() {
        let now = Timestamp::ZERO;
        let mut client = ClientTransaction::start(Kind::NonInvite, now, &TIMERS);
        assert_eq!(client.on_reply(200, now, &TIMERS), ReplyAction::Pass);
        assert_eq!(client.on_reply(200, now, &TIMERS), ReplyAction::Absorb);
        assert_eq!(
            client.on_deadline(now + TIMERS.t4, &TIMERS),
            ClientEvent::Terminated
        );
    }

    #[test]
    fn an_invite_that_was_given_up_may_be_answered_all_the_same() {
        let mut client = ClientTransaction::start(Kind::Invite, Timestamp::ZERO, &TIMERS);
        client.fail();
        let now = Timestamp::from_secs(3);
        assert_eq!(client.on_reply(180, now, &TIMERS), ReplyAction::Absorb);
        assert_eq!(client.on_reply(486, now, &TIMERS), ReplyAction::Absorb);
        assert_eq!(client.on_reply(200, now, &TIMERS), ReplyAction::Pass);
        assert_eq!(client.on_reply(200, now, &TIMERS), ReplyAction::Pass);
        assert_eq!(client.deadline(), now + TIMERS.wait);
    }
}
