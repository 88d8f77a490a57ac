//! What names a transaction at the proxy's door.
//!
//! May touch: nothing.

use crate::sip::{Message, Method, Via};

/// What names a transaction: Via and CSeq, Call-ID and caller.
pub(super) type Key = Vec<u8>;

/// The name of the INVITE that a CANCEL is for.
pub(super) fn invite_of(cancel: Message<'_>) -> Option<Key> {
    key_as(cancel, &cancel.top_via().ok()?, Method::Invite)
}

/// The name of the INVITE of a CANCEL with this name.
pub(super) fn invite_by_name(cancel: &Key) -> Key {
    let mut invite = cancel.clone();
    if let Some(method) = invite.last_mut() {
        *method = Method::Invite as u8;
    }
    invite
}

/// The name of the transaction of a request with this Via, or of the request that a reply answers.
pub(super) fn key_of(message: Message<'_>, via: &Via<'_>) -> Option<Key> {
    let method = match message.cseq().ok()?.method {
        Method::Ack => Method::Invite,
        other => other,
    };
    key_as(message, via, method)
}

fn key_as(message: Message<'_>, via: &Via<'_>, method: Method) -> Option<Key> {
    let cseq = message.cseq().ok()?;
    let mut key = Vec::with_capacity(128);
    for part in [
        via.branch.unwrap_or_default(),
        via.host,
        message.call_id()?,
        message.from_tag().unwrap_or_default(),
    ] {
        key.extend_from_slice(part);
        key.push(b'\n');
    }
    key.extend_from_slice(&via.port.unwrap_or(5060).to_be_bytes());
    key.extend_from_slice(&cseq.number.to_be_bytes());
    key.push(method as u8);
    Some(key)
}
