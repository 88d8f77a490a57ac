//! Module `siputils`: questions on messages and URIs.

use super::{Function, function};
use crate::proxy::act::Act;
use crate::route::host::{Argument, Outcome};
use crate::route::machine::Machine;

pub(super) const FUNCTIONS: &[Function] = &[
    function("has_totag", has_totag),
    function("is_request", |act, _, _| act.request.is_some().into()),
    function("is_reply", |act, _, _| act.request.is_none().into()),
];

fn has_totag(act: &mut Act<'_>, _: &[Argument], _: &mut Machine) -> Outcome {
    // Of a request it has been read already.
    let has_tag = match act.request {
        Some(request) => request.is_in_dialog(),
        None => act.message.to_tag().is_some(),
    };
    has_tag.into()
}
