//! Statements.

use super::Compiler;
use crate::route::ast::{
    Case, CaseLabel, Expression, ExpressionKind, Statement, StatementKind, UnaryOperator,
};
use crate::route::program::{self, Label, Op, Source, Stretch, Switch, Use};
use crate::route::value::Value;

impl Compiler<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Empty => {}
            StatementKind::Block(inside) => self.statements(inside),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => self.condition(condition, then, otherwise.as_deref()),
            StatementKind::While { condition, body } => self.repetition(condition, body),
            StatementKind::Switch { subject, cases } => self.switch(subject, cases),
            StatementKind::Assign { target, value } => {
                self.value(value);
                let variable = self.variable(target, statement.span);
                let made = self.program.variables[variable.0 as usize];
                let is_made = matches!(&value.kind, ExpressionKind::Variable(value)
                    if !value.transformations.is_empty());
                self.emit(match made.source {
                    _ if is_made => Op::SetMade(variable),
                    Source::Slot(slot) => Op::SetSlot(slot),
                    _ => Op::Set(variable),
                });
            }
            StatementKind::Call(call) => self.call_as(call, Use::Statement),
            StatementKind::Return(code) => self.end(code.as_ref(), 1, Op::Return),
            StatementKind::Exit(code) => self.end(code.as_ref(), 0, Op::Exit),
            StatementKind::Drop(code) => self.end(code.as_ref(), 0, Op::Drop),
            StatementKind::Break => self.leave(),
        }
    }

    fn end(&mut self, code: Option<&Expression>, default: i64, op: Op) {
        if let Some(code) = code {
            self.expression(code);
        } else {
            let constant = self.constant(Value::Number(default));
            self.emit(constant);
        }
        self.emit(op);
    }

    fn condition(
        &mut self,
        condition: &Expression,
        then: &Statement,
        otherwise: Option<&Statement>,
    ) {
        self.expression(condition);
        let skip = self.emit(Op::JumpUnless(0));
        self.statement(then);
        if let Some(otherwise) = otherwise {
            let end = self.emit(Op::Jump(0));
            self.land(skip);
            self.statement(otherwise);
            self.land(end);
        } else {
            self.land(skip);
        }
    }

    /// The counter of a loop lies on the stack, below what its statements push and pop.
    fn repetition(&mut self, condition: &Expression, body: &Statement) {
        self.emit(Op::LoopBegin);
        let start = self.here();
        self.expression(condition);
        let out = self.emit(Op::JumpIfZero(0));
        let check = self.emit(Op::LoopCheck(0));
        self.breaks.push(Vec::new());
        self.statement(body);
        self.emit(Op::Jump(start));
        self.land(out);
        self.land(check);
        for jump in self.breaks.pop().unwrap_or_default() {
            self.land(jump);
        }
        self.emit(Op::LoopEnd);
    }

    /// Out of the loop or switch; out of the route if there is none.
    fn leave(&mut self) {
        self.emit(Op::Last(0));
        if self.breaks.is_empty() {
            self.emit(Op::End);
            return;
        }
        let jump = self.emit(Op::Jump(0));
        if let Some(breaks) = self.breaks.last_mut() {
            breaks.push(jump);
        }
    }

    fn switch(&mut self, subject: &Expression, cases: &[Case]) {
        self.expression(subject);
        let number = self.program.switches.len();
        self.program.switches.push(Switch::default());
        self.emit(Op::Switch(number as u32));
        self.breaks.push(Vec::new());
        let mut compiled = Vec::new();
        let mut otherwise = None;
        for case in cases {
            let target = self.here();
            match self.label(case) {
                Some(label) => compiled.push(program::Case { label, target }),
                None => otherwise = otherwise.or(Some(target)),
            }
            self.statements(&case.body);
        }
        for jump in self.breaks.pop().unwrap_or_default() {
            self.land(jump);
        }
        let stretch = Stretch {
            start: self.program.cases.len() as u32,
            length: compiled.len() as u32,
        };
        self.program.cases.extend(compiled);
        self.program.switches[number] = Switch {
            cases: stretch,
            otherwise: otherwise.unwrap_or(self.here()),
        };
    }

    /// What leads into a case; nothing for `default`.
    fn label(&mut self, case: &Case) -> Option<Label> {
        match &case.label {
            CaseLabel::Default => None,
            CaseLabel::Regex(text) => Some(Label::Regex(self.regex(&text.value, false, text.span))),
            CaseLabel::Value(value) => Some(match &value.kind {
                ExpressionKind::Text(text) => Label::Text(self.text(text.value.as_bytes())),
                ExpressionKind::Unary(UnaryOperator::Minus, of) => match of.kind {
                    ExpressionKind::Number(number) => Label::Number(-number),
                    _ => Label::Number(0),
                },
                ExpressionKind::Number(number) => Label::Number(*number),
                _ => Label::Number(0),
            }),
        }
    }
}
