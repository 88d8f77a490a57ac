//! Answers of our own.

use super::{Act, SORRY, Stage};
use crate::proxy::core::{OwnAnswer, write_extra};
use crate::proxy::draft::{Draft, MAX_TEXT};
use crate::proxy::relay_branch::Cause;
use crate::proxy::script::Event;
use crate::proxy::stats::Drop;
use crate::sip::build::reason_phrase;
use crate::sip::{Message, Method};

impl Act<'_> {
    /// Answers the request: by its transaction if there is one, else without keeping anything. Says
    /// whether it could be answered: an ACK cannot, nor what was answered before.
    pub fn reply(&mut self, code: u16, reason: &[u8]) -> bool {
        if self.stage == Stage::Reply {
            return self.reply_for_branches(code, reason);
        }
        let Some(request) = self.request.filter(|_| self.may_answer()) else {
            return false;
        };
        self.add_contact(code);
        let answer = OwnAnswer {
            code,
            reason: sound(reason, code),
            headers: &self.draft.reply_headers,
            body: self.draft.reply_body(),
        };
        match self.context {
            Some(index) => {
                let core = &mut *self.core;
                core.answer_by_transaction(self.now, index, request, answer, self.out);
                if code >= 200 {
                    core.cancel_pending(self.now, index, Cause::of(code), self.out);
                    self.to_account = Some((Event::Answered, code));
                }
            }
            None => self.core.answer(request, answer, self.out),
        }
        self.note_answer(code);
        true
    }

    /// Answers the request without keeping anything, even if it has a transaction.
    pub fn reply_stateless(&mut self, code: u16, reason: &[u8]) -> bool {
        let Some(request) = self.request.filter(|_| self.may_answer()) else {
            return false;
        };
        self.add_contact(code);
        let answer = OwnAnswer {
            code,
            reason: sound(reason, code),
            headers: &self.draft.reply_headers,
            body: self.draft.reply_body(),
        };
        self.core.answer(request, answer, self.out);
        self.note_answer(code);
        true
    }

    /// Answers the request of the transaction that a reply belongs to; the branches still open are
    /// cancelled, but for the one that this is the end of.
    fn reply_for_branches(&mut self, code: u16, reason: &[u8]) -> bool {
        let (Some(index), Some(got)) = (self.context, self.message.reply_code()) else {
            return false;
        };
        if self.core.contexts.get(index).server.is_answered() {
            return false;
        }
        let draft = &mut *self.draft;
        let (now, branch, out) = (self.now, self.branch, &mut *self.out);
        self.core.with_base(index, |core, request, _| {
            if is_redirect(code) {
                add_contact(draft, request.message);
            }
            let answer = OwnAnswer {
                code,
                reason: sound(reason, code),
                headers: &draft.reply_headers,
                body: draft.reply_body(),
            };
            core.answer_by_transaction(now, index, request, answer, out);
        });
        if code < 200 || !self.core.contexts.get(index).server.is_answered() {
            return code < 200;
        }
        for number in 0..self.core.contexts.get(index).branches.len() {
            let is_over = number == branch && got >= 200;
            let client = &self.core.contexts.get(index).branches[number].client;
            if !is_over && client.is_pending() {
                let cause = Cause::of(code);
                self.core.cancel_branch(now, index, number, cause, self.out);
            }
        }
        self.is_answered = true;
        true
    }

    /// A redirect says where to.
    fn add_contact(&mut self, code: u16) {
        if is_redirect(code) {
            add_contact(&mut self.draft, self.message);
        }
    }

    /// Answers with what went wrong last.
    pub fn reply_error(&mut self) -> bool {
        let refusal = self.draft.error.unwrap_or(SORRY);
        let settings = &self.core.settings;
        write_extra(
            refusal,
            self.message,
            settings,
            &mut self.draft.reply_headers,
        );
        self.reply(refusal.code, refusal.reason.as_bytes())
    }

    fn may_answer(&mut self) -> bool {
        let is_ack = self.request.is_some_and(|one| one.method == Method::Ack);
        if is_ack {
            self.core.stats.counters.drop(Drop::StrayAck);
        }
        !is_ack && !self.is_answered && matches!(self.stage, Stage::Request | Stage::Failure)
    }

    /// What the call table learns from an answer of our own.
    fn note_answer(&mut self, code: u16) {
        if code < 200 {
            return;
        }
        self.is_answered = true;
        self.draft.hold = None;
        if let Some(request) = self.request
            && request.method == Method::Bye
            && let Some((cell, side)) = self.known_call()
        {
            let challenged = matches!(code, 401 | 407);
            let (from_tag, to_tag) = (request.from_tag, request.to_tag);
            self.core
                .calls
                .bye_answered(cell, side, from_tag, to_tag, challenged, self.now);
        }
    }
}

fn is_redirect(code: u16) -> bool {
    (300..400).contains(&code)
}

fn add_contact(draft: &mut Draft, message: Message<'_>) {
    let mut headers = std::mem::take(&mut draft.reply_headers);
    let before = headers.len();
    if draft.write_contact(message, &mut headers) {
        headers.extend_from_slice(b"\r\n");
    }
    if headers.len() > MAX_TEXT {
        headers.truncate(before);
    }
    draft.reply_headers = headers;
}

/// A reason that can stand in a start line: one that a script made may hold anything.
fn sound(reason: &[u8], code: u16) -> &[u8] {
    if reason.is_empty() || reason.iter().any(|&byte| byte < b' ' || byte == 127) {
        reason_phrase(code).as_bytes()
    } else {
        reason
    }
}
