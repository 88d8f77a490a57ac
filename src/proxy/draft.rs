//! What is to become of a request: everything that the routing decided on and that is not in the
//! message itself. Nothing in it is sent before `act` relays or answers.
//!
//! Owns: the new Request-URI, the next hop, header edits, further branches, the choice of
//! destinations. It is used again for every message and then allocates nothing.

use std::sync::Arc;
use std::time::Duration;

use super::request::Refusal;
use super::settings::SocketId;
use crate::dispatch::select::Candidates;
use crate::dispatch::{Destination, SetId};
use crate::load::Hold;
use crate::sip::{Edits, Message};

/// Most bytes that a draft keeps: no message that can be sent is longer, and a runaway script must
/// not take all memory.
const MAX_TEXTS: usize = 256 * 1024;

/// A text of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    start: u32,
    end: u32,
}

/// Where a request goes next.
#[derive(Clone, Debug, Default)]
pub enum NextHop {
    /// Where the Request-URI says.
    #[default]
    RequestUri,
    /// Where this URI says (`$du`).
    Uri(Text),
    /// To a destination of a set; its URI is `$du`.
    Destination(Arc<Destination>),
}

/// What becomes of the Route headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// They stay.
    #[default]
    Kept,
    /// Ours are taken off, as [`super::routing::Routing`] decided.
    Followed,
    /// All are taken off.
    Removed,
}

/// One more branch of the request, beside the one that the draft itself describes.
#[derive(Clone, Debug)]
pub struct FurtherBranch {
    /// Its Request-URI; `None`: as received.
    pub uri: Option<Text>,
    /// The destination that the host of that URI stands for.
    pub uri_destination: Option<Arc<Destination>>,
    /// Where it goes.
    pub next_hop: NextHop,
    /// The socket that it leaves by.
    pub socket: Option<SocketId>,
    /// Its flags.
    pub flags: u32,
}

/// What was chosen from a set, and where failover goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The set.
    pub set: SetId,
    /// The destinations after the current one.
    pub candidates: Candidates,
}

/// A route of the configuration.
pub type RouteId = u16;

/// Routes that run later in the life of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Armed {
    /// When all branches have failed.
    pub failure: Option<RouteId>,
    /// For each reply.
    pub reply: Option<RouteId>,
    /// For each branch, before it is sent.
    pub branch: Option<RouteId>,
}

/// How long the branches of a transaction may take; `None` where the parameters decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Until anything has come back.
    pub answer: Option<Duration>,
    /// From then on, for an INVITE.
    pub ringing: Option<Duration>,
    /// Until anything has come back, as long as there is a next destination.
    pub silence: Option<Duration>,
}

/// What a request is to become.
#[derive(Debug, Default)]
pub struct Draft {
    texts: Vec<u8>,
    /// The Request-URI to send; `None`: as received.
    pub uri: Option<Text>,
    /// The destination that the host of that URI stands for (`ds_select_domain`).
    pub uri_destination: Option<Arc<Destination>>,
    /// Where it goes.
    pub next_hop: NextHop,
    /// The socket that it leaves by, if the next hop can be reached by it.
    pub socket: Option<SocketId>,
    /// What becomes of its Route headers.
    pub routes: Routes,
    /// Whether it gets a Record-Route, and with which parameters.
    pub record_route: Option<Text>,
    /// Changes of the header lines and the body, not of the start line, Via or Route.
    pub edits: Edits,
    /// Header lines for answers of our own.
    pub reply_headers: Vec<u8>,
    /// Flags of the transaction.
    pub flags: u32,
    /// Flags of the first branch.
    pub branch_flags: u32,
    /// Branches beside the first.
    pub further: Vec<FurtherBranch>,
    /// Routes for later.
    pub armed: Armed,
    /// Timers of the transaction.
    pub patience: Patience,
    /// What was chosen last.
    pub choice: Option<Choice>,
    /// Whether the next hop was chosen for this request, and not only known.
    pub is_dispatched: bool,
    /// What ties the call to the destination that was chosen, until the call is in the table.
    pub hold: Option<Hold>,
    /// What went wrong last.
    pub error: Option<Refusal>,
}

impl Draft {
    /// Nothing decided, with room for the usual number of things.
    pub fn new() -> Self {
        Self {
            texts: Vec::with_capacity(2048),
            edits: Edits::new(),
            reply_headers: Vec::with_capacity(256),
            further: Vec::with_capacity(12),
            ..Self::default()
        }
    }

    /// Forgets everything, gives back what was reserved, and keeps the memory.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.uri = None;
        self.uri_destination = None;
        self.next_hop = NextHop::RequestUri;
        self.socket = None;
        self.routes = Routes::Kept;
        self.record_route = None;
        self.edits.clear();
        self.reply_headers.clear();
        self.flags = 0;
        self.branch_flags = 0;
        self.further.clear();
        self.armed = Armed::default();
        self.patience = Patience::default();
        self.choice = None;
        self.is_dispatched = false;
        self.hold = None;
        self.error = None;
    }

    /// The bytes of one of its texts.
    pub fn text(&self, text: Text) -> &[u8] {
        self.texts
            .get(text.start as usize..text.end as usize)
            .unwrap_or_default()
    }

    /// Whether more texts and edits may be kept. What would change a message asks for this first.
    pub fn has_room(&self) -> bool {
        self.texts.len() + self.edits.text_bytes() + self.reply_headers.len() < MAX_TEXTS
    }

    /// Keeps a text until the draft is cleared.
    pub fn keep(&mut self, bytes: &[u8]) -> Text {
        self.keep_with(|texts| texts.extend_from_slice(bytes))
    }

    /// Keeps what `write` appends.
    pub fn keep_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        let start = self.texts.len() as u32;
        write(&mut self.texts);
        Text {
            start,
            end: self.texts.len() as u32,
        }
    }

    /// One of its texts, or the Request-URI as received.
    pub fn uri_or_received<'a>(&'a self, uri: Option<Text>, message: Message<'a>) -> &'a [u8] {
        match uri {
            Some(text) => self.text(text),
            None => message.request_uri().unwrap_or_default(),
        }
    }

    /// Sets the Request-URI.
    pub fn set_uri(&mut self, uri: &[u8]) {
        self.uri = Some(self.keep(uri));
        self.uri_destination = None;
    }

    /// Sets the next hop: `$du`.
    pub fn set_next_hop(&mut self, uri: &[u8]) {
        self.next_hop = NextHop::Uri(self.keep(uri));
    }
}
