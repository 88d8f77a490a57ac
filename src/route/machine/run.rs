//! The loop over instructions.

use super::{End, Ended, Frame, MAX_DEPTH, MAX_STEPS, Machine};
use crate::route::ast::{RouteKind, UnaryOperator};
use crate::route::host::{Host, Outcome};
use crate::route::program::{Label, Op, Program, RouteId, Switch, Use};
use crate::route::value::Value;

/// What to do after an instruction.
enum Next {
    Go(u32),
    /// With a truth in hand.
    Decide(bool, u32),
    End(End, i64),
}

impl Machine {
    pub(super) fn execute<H: Host>(
        &mut self,
        host: &mut H,
        program: &Program,
        route: RouteId,
    ) -> Ended {
        let (frames, stack) = (self.frames.len(), self.stack.len());
        self.last = 1;
        let Some(mut at) = self.enter(program, route, u32::MAX, Use::Statement) else {
            return self.stopped();
        };
        let ended = loop {
            match self.step(host, program, at, frames) {
                Next::Go(next) => at = next,
                Next::Decide(truth, next) => at = self.decide(program, truth, next),
                Next::End(by, code) => break Ended { code, by },
            }
        };
        self.frames.truncate(frames);
        self.stack.truncate(stack);
        self.is_failed = false;
        ended
    }

    /// One instruction.
    #[inline]
    fn step<H: Host>(&mut self, host: &mut H, program: &Program, at: u32, frames: usize) -> Next {
        match program.code[at as usize] {
            Op::Constant(constant) => {
                let value = program.constants[constant as usize];
                self.stack.push(value);
            }
            Op::Read(variable) => {
                self.is_unmade = false;
                let value = self.get(host, variable);
                self.stack.push(value);
            }
            Op::ReadSlot(slot) => {
                let value = self.slot(slot);
                self.stack.push(value);
            }
            Op::Binary(operator) => self.binary(operator),
            Op::Unary(operator) => self.unary(operator),
            Op::Match(regex) => {
                let value = self.pop();
                let text = self.to_text(value);
                let is_match = self.is_match(regex, text);
                return Next::Decide(is_match, at + 1);
            }
            Op::Defined(variable) => {
                let is_defined = !self.get(host, variable).is_null();
                return Next::Decide(is_defined, at + 1);
            }
            Op::HasMethod { methods, sets_code } => {
                let method = host.method();
                let is_one = method.is_some_and(|method| methods & 1 << method as u32 != 0);
                if sets_code {
                    self.code = if is_one { 1 } else { -1 };
                    self.last = self.code;
                }
                return Next::Decide(is_one, at + 1);
            }
            Op::And(target) => {
                if self.to_number(self.top()) == 0 {
                    self.replace_top(Value::Number(0));
                    return Next::Go(target);
                }
                self.pop();
            }
            Op::Or(target) => {
                if self.to_number(self.top()) != 0 {
                    self.replace_top(Value::Number(1));
                    return Next::Go(target);
                }
                self.pop();
            }
            Op::Truth => {
                let is_true = self.to_number(self.top()) != 0;
                self.replace_top(Value::truth(is_true));
            }
            Op::Jump(target) => return Next::Go(target),
            Op::JumpUnless(target) => {
                let value = self.pop();
                let is_true = self.is_true(value);
                return Next::Go(self.branch(is_true, at + 1, target));
            }
            Op::JumpIf(target) => {
                let value = self.pop();
                let is_zero = self.to_number(value) == 0;
                return Next::Go(self.branch(is_zero, at + 1, target));
            }
            Op::JumpIfZero(target) => {
                let value = self.pop();
                let is_failed = std::mem::take(&mut self.is_failed);
                if is_failed || self.to_number(value) == 0 {
                    return Next::Go(target);
                }
            }
            Op::Set(variable) => {
                let value = self.pop();
                let is_done = !std::mem::take(&mut self.is_failed);
                self.last = if is_done && self.set(host, variable, value) {
                    1
                } else {
                    -1
                };
            }
            Op::SetSlot(slot) => {
                let value = self.pop();
                self.last = -1;
                if !std::mem::take(&mut self.is_failed) {
                    self.set_slot(slot, value);
                    self.last = 1;
                }
            }
            Op::Call(use_of_code, call) => {
                let outcome = self.call(host, &program.calls[call as usize]);
                return self.returned(use_of_code, outcome, at);
            }
            Op::Route(use_of_code, route) => return self.go_to(program, route, use_of_code, at),
            Op::Last(code) => self.last = i64::from(code),
            Op::End => return self.leave(self.last, frames),
            other => return self.rare(host, program, other, at, frames),
        }
        Next::Go(at + 1)
    }

    /// Instructions that are not worth a place in the loop.
    fn rare<H: Host>(
        &mut self,
        host: &mut H,
        program: &Program,
        op: Op,
        at: u32,
        frames: usize,
    ) -> Next {
        match op {
            Op::MatchText => self.match_text(),
            Op::InNetwork(network) => self.in_network(network),
            Op::RouteNamed(use_of_code) => {
                let name = self.pop();
                let name = self.to_text(name);
                let route = program.route(RouteKind::Request, self.bytes(name));
                match route {
                    Some(route) => return self.go_to(program, route, use_of_code, at),
                    None => self.not_called(use_of_code),
                }
            }
            Op::SetMade(variable) => {
                let value = self.pop();
                let is_unmade = value.is_null() && self.is_unmade;
                let is_set = self.set(host, variable, value);
                self.last = if is_set && !is_unmade { 1 } else { -1 };
            }
            Op::LoopBegin => {
                self.last = 1;
                self.stack.push(Value::Number(0));
            }
            Op::LoopCheck(end) => return self.check_loop(program, at, end),
            Op::LoopEnd => {
                self.pop();
            }
            Op::Switch(switch) => return Next::Go(self.switch(program, switch)),
            Op::Return => {
                let value = self.pop();
                let code = self.to_number(value);
                if std::mem::take(&mut self.is_failed) {
                    return Next::End(End::Exit, -1);
                }
                if code == 0 {
                    return Next::End(End::Exit, 0);
                }
                return self.leave(code, frames);
            }
            Op::Exit | Op::Drop => {
                let value = self.pop();
                let code = self.to_number(value);
                let by = if op == Op::Exit { End::Exit } else { End::Drop };
                return Next::End(by, code);
            }
            // The others are in the loop.
            _ => {}
        }
        Next::Go(at + 1)
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    fn top(&self) -> Value {
        self.stack.last().copied().unwrap_or_default()
    }

    fn replace_top(&mut self, value: Value) {
        if let Some(top) = self.stack.last_mut() {
            *top = value;
        }
    }

    /// Above 0 is true for `if`, so that codes of functions can be asked.
    fn is_true(&self, value: Value) -> bool {
        match value {
            Value::Number(number) => number > 0,
            other => self.to_number(other) > 0,
        }
    }

    /// What a function or a route said.
    fn returned(&mut self, use_of_code: Use, outcome: Outcome, at: u32) -> Next {
        let code = match outcome {
            Outcome::Code(0) | Outcome::Exit => return Next::End(End::Exit, 0),
            Outcome::Code(code) => code,
        };
        if self.is_exhausted {
            return self.stop();
        }
        self.last = code;
        match use_of_code {
            Use::Statement => {}
            Use::Truth => return Next::Decide(code > 0, at + 1),
            Use::Code => self.stack.push(Value::Number(code)),
        }
        Next::Go(at + 1)
    }

    /// Where it goes on with a truth in hand. What only asks for it is done at once, so that the answers
    /// to most conditions never come to lie on the stack.
    #[inline]
    fn decide(&mut self, program: &Program, mut truth: bool, mut at: u32) -> u32 {
        loop {
            at = match program.code[at as usize] {
                Op::Unary(UnaryOperator::Not) => {
                    truth = !truth;
                    at + 1
                }
                Op::Truth => at + 1,
                Op::And(target) if !truth => target,
                Op::Or(target) if truth => target,
                Op::And(_) | Op::Or(_) => return at + 1,
                Op::JumpUnless(target) => return self.branch(truth, at + 1, target),
                Op::JumpIf(target) => return self.branch(!truth, at + 1, target),
                _ => {
                    self.stack.push(Value::truth(truth));
                    return at;
                }
            };
        }
    }

    /// Where `if` goes on: into its statement, or past it.
    fn branch(&mut self, is_true: bool, inside: u32, past: u32) -> u32 {
        self.last = 1;
        let is_failed = std::mem::take(&mut self.is_failed);
        if is_true && !is_failed { inside } else { past }
    }

    fn push_code(&mut self, use_of_code: Use, code: i64) {
        match use_of_code {
            Use::Statement => {}
            Use::Truth => self.stack.push(Value::truth(code > 0)),
            Use::Code => self.stack.push(Value::Number(code)),
        }
    }

    fn go_to(&mut self, program: &Program, route: RouteId, use_of_code: Use, at: u32) -> Next {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.is_exhausted {
            return self.stop();
        }
        if let Some(entry) = self.enter(program, route, at + 1, use_of_code) {
            return Next::Go(entry);
        }
        self.not_called(use_of_code);
        Next::Go(at + 1)
    }

    /// A route that is not there, or too deep.
    fn not_called(&mut self, use_of_code: Use) {
        self.faults.routes += 1;
        self.last = -1;
        self.push_code(use_of_code, -1);
    }

    fn enter(
        &mut self,
        program: &Program,
        route: RouteId,
        back: u32,
        use_of_code: Use,
    ) -> Option<u32> {
        if self.frames.len() >= MAX_DEPTH {
            return None;
        }
        self.frames.push(Frame {
            back,
            stack: self.stack.len() as u32,
            use_of_code,
        });
        self.last = 1;
        if use_of_code != Use::Statement {
            // Called in an expression a route knows nothing of what was before.
            self.code = 0;
        }
        Some(program.routes[usize::from(route.0)].entry)
    }

    /// Back to the route that called, or out.
    fn leave(&mut self, code: i64, frames: usize) -> Next {
        let Some(frame) = self.frames.pop() else {
            return Next::End(End::Return, code);
        };
        self.stack.truncate(frame.stack as usize);
        self.code = code;
        self.last = code;
        if self.frames.len() == frames {
            return Next::End(End::Return, code);
        }
        self.push_code(frame.use_of_code, code);
        Next::Go(frame.back)
    }

    fn check_loop(&mut self, program: &Program, at: u32, end: u32) -> Next {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.is_exhausted {
            return self.stop();
        }
        let rounds = self.to_number(self.top()) + 1;
        if rounds > program.max_while_loops {
            self.faults.loops += 1;
            self.last = -1;
            return Next::Go(end);
        }
        self.replace_top(Value::Number(rounds));
        Next::Go(at + 1)
    }

    fn stop(&mut self) -> Next {
        if self.is_exhausted {
            self.faults.text += 1;
        } else {
            self.faults.steps += 1;
        }
        Next::End(End::Stopped, -1)
    }

    fn stopped(&mut self) -> Ended {
        self.faults.routes += 1;
        Ended {
            code: -1,
            by: End::Stopped,
        }
    }

    fn switch(&mut self, program: &Program, switch: u32) -> u32 {
        let subject = self.pop();
        let Switch { cases, otherwise } = program.switches[switch as usize];
        self.last = 1;
        if std::mem::take(&mut self.is_failed) {
            return otherwise;
        }
        for case in cases.range() {
            let case = program.cases[case];
            let is_it = match case.label {
                Label::Number(number) => self.to_number(subject) == number,
                Label::Text(text) => self.is_text(subject, text),
                Label::Regex(regex) => {
                    let text = self.to_text(subject);
                    self.is_match(regex, text)
                }
            };
            if is_it {
                return case.target;
            }
        }
        otherwise
    }
}
