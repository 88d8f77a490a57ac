//! The server transaction: RFC 3261 section 17.2 with the Accepted state of RFC 6026.
//!
//! Owns: state and deadlines of one request that we received.

use std::time::Duration;

use super::{Kind, Timers};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Trying or Proceeding: no final answer was sent.
    Proceeding,
    /// A final answer was sent (not 2xx for INVITE); it is repeated.
    Completed,
    /// The ACK for it has come.
    Confirmed,
    /// A 2xx to an INVITE was sent; who answered repeats it, not we (RFC 6026 section 7.1).
    Accepted,
    /// Over.
    Terminated,
}

/// What is to be done with a retransmission of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatAction {
    /// Send the last answer again, if there is one.
    Answer,
    /// Nothing.
    Absorb,
}

/// What is to be done with an ACK that matches an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckAction {
    /// It acknowledges our negative answer and ends here.
    Absorb,
    /// It acknowledges a 2xx and goes end to end.
    Forward,
}

/// What is to be done at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Nothing is due.
    Idle,
    /// Send the final answer again (timer G).
    Retransmit,
    /// The transaction is over (timer H, I, J or L).
    Terminated,
}

/// One server transaction.
#[derive(Clone, Copy, Debug)]
pub struct ServerTransaction {
    kind: Kind,
    state: State,
    interval: Duration,
    /// When its answer is sent again.
    next_at: Timestamp,
    end_at: Timestamp,
}

impl ServerTransaction {
    /// A request was just received for the first time.
    pub fn start(kind: Kind) -> Self {
        Self {
            kind,
            state: State::Proceeding,
            interval: Duration::ZERO,
            next_at: Timestamp::FAR,
            end_at: Timestamp::FAR,
        }
    }

    /// Whether a final answer was sent.
    pub fn is_answered(&self) -> bool {
        self.state != State::Proceeding
    }

    /// Whether it waits for the ACK to a negative answer.
    pub fn awaits_ack(&self) -> bool {
        self.kind == Kind::Invite && self.state == State::Completed
    }

    /// Whether it is over.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// A final answer with this status code was just sent.
    pub fn on_final_sent(&mut self, code: u16, now: Timestamp, timers: &Timers) {
        if self.state != State::Proceeding {
            return;
        }
        self.end_at = now + timers.wait;
        match (self.kind, code) {
            (Kind::Invite, 200..=299) => self.state = State::Accepted,
            (Kind::Invite, _) => {
                self.state = State::Completed;
                self.end_at = now + timers.t1 * 64;
                self.interval = timers.t1;
                self.next_at = now + timers.t1;
            }
            (Kind::NonInvite, _) => self.state = State::Completed,
        }
    }

    /// Ends without an answer: a request other than INVITE that nobody answered gets no 408, since
    /// its sender has timed out by then too (RFC 4320 section 4.2).
    pub fn give_up(&mut self) {
        self.state = State::Terminated;
        self.next_at = Timestamp::FAR;
        self.end_at = Timestamp::FAR;
    }

    /// The request came again.
    pub fn on_repeat(&self) -> RepeatAction {
        match self.state {
            State::Proceeding | State::Completed => RepeatAction::Answer,
            State::Confirmed | State::Accepted | State::Terminated => RepeatAction::Absorb,
        }
    }

    /// An ACK came that has the INVITE's branch.
    pub fn on_ack(&mut self, now: Timestamp, timers: &Timers) -> AckAction {
        match self.state {
            State::Accepted => AckAction::Forward,
            State::Completed => {
                self.state = State::Confirmed;
                self.next_at = Timestamp::FAR;
                self.end_at = now + timers.t4;
                AckAction::Absorb
            }
            _ => AckAction::Absorb,
        }
    }

    /// When it is over.
    pub fn ends_at(&self) -> Timestamp {
        self.end_at
    }

    /// When something is due next.
    pub fn deadline(&self) -> Timestamp {
        self.next_at.min(self.end_at)
    }

    /// Does the one thing that is due at `now`; call again until it says [`ServerEvent::Idle`].
    pub fn on_deadline(&mut self, now: Timestamp, timers: &Timers) -> ServerEvent {
        if now >= self.end_at {
            self.state = State::Terminated;
            self.next_at = Timestamp::FAR;
            self.end_at = Timestamp::FAR;
            return ServerEvent::Terminated;
        }
        if now >= self.next_at {
            self.interval = (self.interval * 2).min(timers.t2);
            self.next_at = now + self.interval;
            return ServerEvent::Retransmit;
        }
        ServerEvent::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers() -> Timers {
        Timers::default()
    }

    #[test]
    fn a_negative_answer_is_repeated_until_the_ack() {
        let timers = timers();
        let mut server = ServerTransaction::start(Kind::Invite);
        server.on_final_sent(486, Timestamp::ZERO, &timers);
        let mut at = Vec::new();
        for _ in 0..5 {
            let now = server.deadline();
            assert_eq!(server.on_deadline(now, &timers), ServerEvent::Retransmit);
            at.push(now.as_millis());
        }
        assert_eq!(at, [500, 1_500, 3_500, 7_500, 11_500]);
        let now = Timestamp::from_secs(12);
        assert_eq!(server.on_ack(now, &timers), AckAction::Absorb);
        assert_eq!(server.on_ack(now, &timers), AckAction::Absorb);
        assert_eq!(server.deadline(), now + timers.t4);
        assert_eq!(
            server.on_deadline(now + timers.t4, &timers),
            ServerEvent::Terminated
        );
    }

    #[test]
    fn without_an_ack_it_ends_after_64_t1() {
        let timers = timers();
        let mut server = ServerTransaction::start(Kind::Invite);
        server.on_final_sent(500, Timestamp::ZERO, &timers);
        let mut last = ServerEvent::Idle;
        while !server.is_terminated() {
            last = server.on_deadline(server.deadline(), &timers);
        }
        assert_eq!(last, ServerEvent::Terminated);
    }

    /// Answered at zero, it ends in time.
    fn assert_ends(mut server: ServerTransaction, timers: &Timers) {
        let ends = Timestamp::ZERO + timers.wait;
        assert_eq!((server.deadline(), server.ends_at()), (ends, ends));
        assert_eq!(server.on_deadline(ends, timers), ServerEvent::Terminated);
    }

    #[test]
    fn a_2xx_is_not_ours_to_repeat_and_its_ack_goes_end_to_end() {
        let timers = timers();
        let mut server = ServerTransaction::start(Kind::Invite);
        server.on_final_sent(200, Timestamp::ZERO, &timers);
        assert_eq!(server.on_repeat(), RepeatAction::Absorb);
        assert_eq!(server.on_ack(Timestamp::ZERO, &timers), AckAction::Forward);
        assert_ends(server, &timers);
    }

    #[test]
    fn a_repeated_bye_gets_the_last_answer() {
        let timers = timers();
        let mut server = ServerTransaction::start(Kind::NonInvite);
        assert_eq!(server.on_repeat(), RepeatAction::Answer);
        server.on_final_sent(200, Timestamp::ZERO, &timers);
        assert_eq!(server.on_repeat(), RepeatAction::Answer);
        assert_ends(server, &timers);
    }
}
