//! Questions for the method: a bit for each method, so that one instruction answers them.

use super::Compiler;
use crate::route::ast::{Call, Expression, ExpressionKind, Text};
use crate::route::program::Op;
use crate::sip::Method;

impl Compiler<'_> {
    /// `is_method("INVITE|ACK")` in a condition; nothing if it asks for methods that we do not know.
    pub(super) fn is_method(&self, call: &Call) -> Option<Op> {
        let [argument] = call.arguments.as_slice() else {
            return None;
        };
        let ExpressionKind::Text(Text { value, .. }) = &argument.kind else {
            return None;
        };
        self.host_function("is_method")
            .filter(|_| call.name.text == "is_method" && all_known(value))?;
        Some(Op::HasMethod {
            methods: bits(value),
            sets_code: true,
        })
    }

    /// `method == "ACK"`. False if it is not of this form.
    pub(super) fn method(&mut self, left: &Expression, right: &Expression) -> bool {
        let is_asked = match &left.kind {
            ExpressionKind::Word(word) => word == "method",
            ExpressionKind::Variable(variable) => variable.is_plain("rm"),
            _ => false,
        };
        let name = match &right.kind {
            ExpressionKind::Text(text) => &text.value,
            ExpressionKind::Word(word) => word,
            _ => return false,
        };
        let method = Method::parse(name.as_bytes());
        if !is_asked || method == Method::Other {
            return false;
        }
        self.emit(Op::HasMethod {
            methods: 1 << method as u32,
            sets_code: false,
        });
        true
    }
}

/// The methods of a list, as bits `1 << Method as u32`, without those that we do not know.
pub(super) fn bits(list: &str) -> u32 {
    let known = methods(list).filter(|method| *method != Method::Other);
    known.fold(0, |bits, method| bits | 1 << method as u32)
}

fn all_known(list: &str) -> bool {
    methods(list).all(|method| method != Method::Other)
}

fn methods(list: &str) -> impl Iterator<Item = Method> {
    let names = list.split('|');
    names.map(|name| Method::parse(name.trim().as_bytes()))
}
