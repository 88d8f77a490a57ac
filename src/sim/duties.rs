//! What the proxy must do, not only what it must not: part of invariant 8, for the witness at its door.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::key::{self, Key};
use super::story::Violation;
use super::watch::Watch;
use crate::proxy::RelayMode;
use crate::sip::{HeaderIndex, Message, Method, Name, scan};

/// The answers that are no reason to give up while another gateway can be tried.
const FAILOVER: [u16; 3] = [408, 500, 503];

/// What is owed once the step at hand is over.
#[derive(Debug)]
pub(super) enum Duty {
    /// 100 or a final answer to the INVITE of this transaction.
    Answer(Key),
    /// A CANCEL to each of these branches.
    Cancel(Vec<Vec<u8>>),
}

impl Watch {
    /// Whether there is a transaction for every request.
    pub(super) fn is_stateful(&self) -> bool {
        self.relay == RelayMode::Stateful && !self.licence.forgets
    }

    /// A shard reads a request of somebody with a right to ask.
    pub(super) fn owe(&mut self, key: &Key, message: Message<'_>, is_repeat: bool) {
        self.duty = None;
        if !self.is_stateful() {
            return;
        }
        match message.method() {
            // Where vandals are, this may be the repeat of a spoilt one.
            Some(Method::Invite) if !is_repeat && !self.licence.contacts_spoilt => {
                self.duty = Some(Duty::Answer(key.clone()));
            }
            Some(Method::Cancel) if !is_repeat => {
                self.duty = self.to_be_cancelled(message).map(Duty::Cancel);
            }
            _ => {}
        }
    }

    /// The branches that a caller's CANCEL must be passed on to: those that ring.
    fn to_be_cancelled(&self, message: Message<'_>) -> Option<Vec<Vec<u8>>> {
        let invite = key::invite_of(message)?;
        let transaction = self.transactions.get(&invite)?;
        if transaction.answered_at.is_some() {
            return None;
        }
        let ringing = self.sent.iter().filter(|(_, sent)| {
            sent.transaction == invite && sent.provisional && !sent.is_over && !sent.cancelled
        });
        Some(ringing.map(|(branch, _)| branch.clone()).collect())
    }

    /// The step is over: what was owed must have been done.
    pub fn must_have_been_done(&mut self) -> Result<(), Violation> {
        match self.duty.take() {
            Some(Duty::Answer(key)) => {
                let what = "an INVITE was answered neither by 100 nor at all";
                Err(Violation::new(8, what).in_call(call_id_of(&key)))
            }
            Some(Duty::Cancel(branches)) => {
                for branch in branches {
                    if !self.sent.get(&branch).is_some_and(|sent| sent.cancelled) {
                        let text = String::from_utf8_lossy(&branch);
                        let what = format!("a ringing branch was not cancelled: {text}");
                        let key = self.sent.get(&branch).map(|sent| &sent.transaction[..]);
                        let call_id = call_id_of(key.unwrap_or_default());
                        return Err(Violation::new(8, what).in_call(call_id));
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the proxy must do something at once about a datagram of its own that did not arrive:
    /// the INVITE of the last branch of a call, of which nothing has come back. `quoted` may be cut.
    pub fn is_bounce(&mut self, quoted: &[u8]) -> bool {
        let mut index = HeaderIndex::new();
        let Ok(message) = scan(quoted, &mut index) else {
            return false;
        };
        let branch = message.top_via().ok().and_then(|via| via.branch);
        let Some(sent) = branch.and_then(|branch| self.sent.get_mut(branch)) else {
            return false;
        };
        let is_first = !std::mem::replace(&mut sent.is_over, true);
        let is_silent = sent.is_invite && !sent.provisional && is_first;
        let (place, key) = (sent.place, sent.transaction.clone());
        let waits = self.transactions.get(&key).is_some_and(|it| {
            it.answered_at.is_none() && !it.cancelled && it.forwards.len() == place + 1
        });
        self.is_stateful() && is_silent && waits && message.method() == Some(Method::Invite)
    }

    /// A caller is told that its call failed: by then every gateway must have been tried, where
    /// that can be said.
    pub(super) fn may_give_up(&self, key: &Key, code: u16) -> Result<(), Violation> {
        let Some(transaction) = self.transactions.get(key) else {
            return Ok(());
        };
        let tried: BTreeSet<SocketAddr> = transaction.forwards.iter().copied().collect();
        let waits = !transaction.cancelled && !transaction.follows && !transaction.in_dialog;
        if !waits || !FAILOVER.contains(&code) || tried.len() >= self.licence.tries {
            return Ok(());
        }
        let what = format!("a caller got {code} after only {tried:?} were tried");
        Err(Violation::new(8, what))
    }

    /// All is over: every INVITE must have got its final answer.
    pub fn must_have_been_answered(&self) -> Result<(), Violation> {
        // Where vandals are, a spoilt INVITE may have come before the caller's.
        if !self.is_stateful() || self.licence.contacts_spoilt {
            return Ok(());
        }
        for (key, transaction) in &self.transactions {
            let is_invite = key.last() == Some(&(Method::Invite as u8));
            let is_ours = !transaction.by_stranger && !transaction.asked.is_empty();
            if is_invite && is_ours && transaction.answered_at.is_none() {
                let what = "an INVITE was never answered";
                return Err(Violation::new(8, what).in_call(call_id_of(key)));
            }
        }
        Ok(())
    }

    /// Takes note of what a reply that arrives says about the branch that it answers.
    pub(super) fn branch_answered(&mut self, message: Message<'_>) {
        let code = message.reply_code().unwrap_or(0);
        let branch = message.top_via().ok().and_then(|via| via.branch);
        let is_invite = message.cseq().is_ok_and(|it| it.method == Method::Invite);
        // One without a Via below ours is not taken for an answer.
        let counts = is_invite && message.values(Name::Via).nth(1).is_some();
        if counts && let Some(sent) = branch.and_then(|branch| self.sent.get_mut(branch)) {
            sent.provisional |= code < 200;
            sent.is_over |= code >= 200;
        }
    }
}

/// The Call-ID in the name of a transaction.
fn call_id_of(key: &[u8]) -> &[u8] {
    let mut parts = key.split(|&byte| byte == b'\n');
    parts.nth(2).unwrap_or_default()
}
