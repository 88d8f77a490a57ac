//! How an actor sends messages, and sends them again.

use std::time::Duration;

use sipshard::proxy::Outbox;
use sipshard::time::Timestamp;

use super::actor::Core;
use super::call::{Resend, Setting};
use super::program::Send;

/// The longest interval of retransmissions of all but INVITE (RFC 3261's T2).
const T2: Duration = Duration::from_secs(4);
/// A message is given up after so many of its first intervals.
const GIVE_UP: u32 = 64;

impl Core {
    /// Sends the message of a step; not if it is too long for a datagram.
    pub fn send(
        &mut self,
        slot: usize,
        step: usize,
        send: &Send,
        now: Timestamp,
        out: &mut Outbox,
    ) -> bool {
        let is_lost = send.lost > 0.0 && self.unit() < send.lost;
        let fixed = &self.config.fixed;
        let call = &mut self.calls[slot];
        let method = send.method.as_deref();
        if method.is_some_and(|method| method != b"ACK" && method != b"CANCEL") {
            call.cseq = call.cseq.wrapping_add(1);
        }
        if let Some(transaction) = send.starts {
            let mut branch = Vec::new();
            // Writing to a vector cannot fail.
            let _ = call.write_branch(fixed.pid, step as i64, &mut branch);
            call.branches[transaction] = branch;
        }
        let mut sent = std::mem::take(&mut call.sent);
        sent.clear();
        let branch = send
            .acknowledges
            .map(|which| call.branches[which].as_slice());
        let is_challenged = call.challenge.is_some();
        let setting = Setting {
            fixed,
            step,
            now,
            branch,
            chance: if is_challenged { self.rng.next() } else { 0 },
        };
        send.text.write(call, &setting, &mut sent);
        call.sent = sent;
        if call.sent.len() > sipshard::sip::MAX_MESSAGE_BYTES {
            return false;
        }
        if method == Some(b"INVITE") {
            call.invite.clone_from(&call.sent);
            call.invite_over = false;
        }
        if let Some(hash) = call.answering {
            call.answered = hash;
            call.answer.clone_from(&call.sent);
            // What follows an ACK is no part of the answer to a 2xx.
            if method == Some(b"ACK") {
                call.answering = None;
            }
        }
        let retry = send.retry.filter(|_| self.config.retransmits);
        call.resend = retry.map(|interval| resend(send, interval, step, now));
        self.report.steps[step].done += 1;
        if !is_lost {
            out.send(call.socket, call.peer, |bytes| {
                bytes.extend_from_slice(&call.sent);
            });
        }
        true
    }

    /// Sends again what is due; returns false if it was sent long enough in vain.
    pub fn send_again(&mut self, slot: usize, now: Timestamp, out: &mut Outbox) -> bool {
        let call = &mut self.calls[slot];
        let Some(resend) = &mut call.resend else {
            return true;
        };
        if resend.at.min(resend.until) > now {
            return true;
        }
        if now >= resend.until {
            return false;
        }
        resend.interval = (resend.interval * 2).min(resend.longest);
        resend.at = now + resend.interval;
        self.report.steps[resend.step].again += 1;
        self.report.caller.counts.other_retransmissions += 1;
        out.send(call.socket, call.peer, |bytes| {
            bytes.extend_from_slice(&call.sent);
        });
        true
    }
}

/// When a message is sent again, if its step says so.
fn resend(send: &Send, interval: Duration, step: usize, now: Timestamp) -> Resend {
    let is_invite = send.method.as_deref() == Some(b"INVITE");
    Resend {
        at: now + interval,
        until: now + interval * GIVE_UP,
        interval,
        longest: if is_invite {
            interval * GIVE_UP
        } else {
            T2.max(interval)
        },
        step,
    }
}
