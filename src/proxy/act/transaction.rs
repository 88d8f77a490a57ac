//! What a script may ask of its transaction, and do to it.

use std::sync::Arc;

use super::{Act, Stage};
use crate::dispatch::{Destination, Health};
use crate::proxy::context::Found;
use crate::proxy::core::send_stored;
use crate::proxy::outbox::StateChange;
use crate::proxy::relay_branch::Cause;
use crate::proxy::relay_branch::RelayBranch;
use crate::proxy::script::Event;
use crate::route::machine::Machine;
use crate::route::program::VariableId;
use crate::route::value::Value;
use crate::sip::scan;

/// What `$dsv(code)` is if a script changed a state, as Kamailio has it.
const FROM_SCRIPT: u16 = 820;

impl Act<'_> {
    /// The code that counts now: a reply's own, in a failure route that of the best answer, in the
    /// request route that of the answer that was sent.
    pub fn status(&self) -> u16 {
        if let Some(code) = self.message.reply_code() {
            return code;
        }
        let Some(context) = self.transaction() else {
            return 0;
        };
        context
            .best
            .map_or(context.sent_code, |best| best.branch_code)
    }

    /// The branch that the best answer is from, or the one at hand.
    pub fn winner(&self) -> Option<&RelayBranch> {
        self.transaction()?.branches.get(self.branch)
    }

    /// Whether any branch is so.
    pub fn any_branch(&self, is_so: impl FnMut(&RelayBranch) -> bool) -> bool {
        self.transaction()
            .is_some_and(|context| context.branches.iter().any(is_so))
    }

    /// Reads a variable of the request of a transaction.
    pub fn read_request(
        &mut self,
        index: u32,
        variable: VariableId,
        machine: &mut Machine,
    ) -> Value {
        let mut value = Value::Null;
        let context = self.core.contexts.get(index);
        if context.branches.is_empty() && context.base.is_none() {
            return value;
        }
        let (now, out) = (self.now, &mut *self.out);
        self.core.with_base(index, |core, request, _| {
            let mut other = Act {
                request: Some(request),
                ..Act::new(core, now, Stage::Request, request.message, out)
            };
            value = machine.get(&mut other, variable);
            other.finish();
        });
        value
    }

    /// Reads a variable of the best answer so far; there is none in an answer of our own.
    pub fn read_best_answer(&mut self, variable: VariableId, machine: &mut Machine) -> Value {
        let best = self.transaction().and_then(|context| context.best);
        let Some(best) = best.filter(|best| !best.is_own) else {
            return Value::Null;
        };
        let mut bytes = std::mem::take(&mut self.core.bench.answer);
        bytes.clear();
        bytes.extend_from_slice(self.core.arena.get(best.bytes));
        let mut index = self.core.bench.sent_index.take().unwrap_or_default();
        let mut value = Value::Null;
        if let Ok(reply) = scan(&bytes, &mut index) {
            let mut other = Act::new(self.core, self.now, Stage::Request, reply, self.out);
            value = machine.get(&mut other, variable);
            other.finish();
        }
        self.core.bench.sent_index = Some(index);
        self.core.bench.answer = bytes;
        value
    }

    /// The caller cancels its INVITE. The final answer that follows decides what became of the call.
    pub fn cancel(&mut self, invite: Found) -> bool {
        let Some(request) = self.request.filter(|_| !self.is_answered) else {
            return false;
        };
        self.is_answered = true;
        // The transaction may be over after this.
        self.cancels = None;
        if self.core.modules.accounting.cancels {
            self.to_account = Some((Event::Answered, 200));
        }
        self.core.cancel(self.now, invite, request, self.out);
        true
    }

    /// Cancels the branch at hand, the others, or both.
    pub fn cancel_branches(&mut self, this: bool, others: bool) {
        let Some(index) = self.context else { return };
        for number in 0..self.core.contexts.get(index).branches.len() {
            let is_wanted = if number == self.branch { this } else { others };
            let branch = &self.core.contexts.get(index).branches[number];
            if is_wanted && branch.client.is_pending() {
                self.core
                    .cancel_branch(self.now, index, number, Cause::Untold, self.out);
            }
        }
    }

    /// Forgets the answers of the branches so far; what is tried next decides alone.
    pub fn forget_answers(&mut self) {
        if let Some(index) = self.context
            && let Some(best) = self.core.contexts.get_mut(index).best.take()
        {
            self.core.arena.free(best.bytes);
        }
    }

    /// Sends the last answer again.
    pub fn repeat_reply(&mut self) -> bool {
        let Some((context, stored)) = self
            .transaction()
            .and_then(|context| Some((context, context.last_reply?)))
        else {
            return false;
        };
        let (socket, to) = (context.socket, context.reply_to);
        send_stored(&self.core.arena, stored, socket, to, self.out);
        true
    }

    /// Ends the transaction without an answer.
    pub fn drop_transaction(&mut self) -> bool {
        let Some(index) = self.context.filter(|_| self.stage != Stage::Branch) else {
            return false;
        };
        if self.core.contexts.get(index).server.is_answered() {
            return false;
        }
        self.core
            .cancel_pending(self.now, index, Cause::Untold, self.out);
        let context = self.core.contexts.get_mut(index);
        context.server.give_up();
        context.choice = None;
        let (cell, cseq) = (context.cell, context.cseq);
        self.core.contexts.answered();
        if let Some(cell) = cell {
            self.core.observe_failure(self.now, cell, cseq);
        }
        true
    }

    /// Answers go to the port that the request came from.
    pub fn force_rport(&mut self) {
        let Some(request) = self.request else { return };
        request.force_rport();
        if let Some(index) = self.context {
            let context = self.core.contexts.get_mut(index);
            context.reply_to = request.source;
            context.goes_to_source = true;
        }
    }

    /// Notes a change of state that a script made.
    pub fn note_state(&mut self, destination: &Arc<Destination>, before: Health, after: Health) {
        if before.flags.is_skipped() == after.flags.is_skipped() {
            return;
        }
        let code = self.message.reply_code();
        self.out.note_change(StateChange {
            destination: Arc::clone(destination),
            is_up: !after.flags.is_skipped(),
            code: code.unwrap_or(FROM_SCRIPT),
            is_answer: code.is_some(),
        });
    }
}
