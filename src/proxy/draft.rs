//! What is to become of a request: everything that the routing decided on and that is not in the
//! message itself. Nothing in it is sent before `act` relays or answers.
//!
//! Owns: the new Request-URI, the next hop, header edits, further branches, the choice of
//! destinations. It is used again for every message and then allocates nothing.

use std::sync::Arc;
use std::time::Duration;

use super::request::Refusal;
use super::script::Figures;
use super::settings::SocketId;
use crate::dispatch::select::Candidates;
use crate::dispatch::{Destination, SetId};
use crate::load::Hold;
use crate::sip::{Edits, Message};

/// Most branches beside the first.
pub const MAX_FURTHER: usize = 11;

/// Most bytes that a draft keeps: a runaway script must not take all memory.
const MAX_TEXTS: usize = 256 * 1024;

/// Most bytes of one of its texts, and of the header lines for answers of our own. With these, and what
/// its edits may add, any message that was received can still be stored.
pub const MAX_TEXT: usize = 8 * 1024;

/// A text of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    start: u32,
    end: u32,
}

impl Text {
    /// Whether it has no bytes, as one that was too long.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
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

impl NextHop {
    /// The destination that it is, given that which the Request-URI stands for.
    pub fn destination<'a>(
        &'a self,
        of_uri: Option<&'a Arc<Destination>>,
    ) -> Option<&'a Arc<Destination>> {
        match self {
            Self::Destination(destination) => Some(destination),
            Self::RequestUri => of_uri,
            Self::Uri(_) => None,
        }
    }
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
    /// How much it is preferred, in thousandths: `q`.
    pub preference: Option<u16>,
}

/// What was chosen from a set, and where failover goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The set.
    pub set: SetId,
    /// The destinations after the current one.
    pub candidates: Candidates,
}

pub use crate::route::program::RouteId;

/// What holds for a transaction, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u8);

impl Options {
    /// An INVITE is not answered with 100 at once.
    pub const NO_TRYING: u8 = 1;
    /// A 6xx does not end the other branches.
    pub const NO_6XX: u8 = 2;
    /// It comes from the callee, and accounting wants to know.
    pub const UPSTREAM: u8 = 4;
    /// It was relayed with another Request-URI than it came with.
    pub const NEW_URI: u8 = 8;

    /// Chooses.
    pub fn set(&mut self, bit: u8, is_on: bool) {
        if is_on {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    /// Whether it was chosen.
    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

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
    /// From the begin of the transaction, all branches together.
    pub lifetime: Option<Duration>,
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
    /// Parameters for a Record-Route that is yet to come.
    pub record_route_parameters: Option<Text>,
    /// The host that our Via and Record-Route name instead of the listen address.
    pub advertised_host: Option<Text>,
    /// The port that they name.
    pub advertised_port: Option<u16>,
    /// Whether the next hop is asked to answer to the port that we send from.
    pub asks_rport: bool,
    /// The code that a reply gets.
    pub reply_code: Option<u16>,
    /// Its Max-Forwards, if that was counted down or is to be added.
    pub max_forwards: Option<u32>,
    /// Changes of the header lines and the body, not of the start line, Via or Route.
    pub edits: Edits,
    /// Header lines for answers of our own.
    pub reply_headers: Vec<u8>,
    /// The body of answers of our own.
    pub reply_body: Option<Text>,
    /// Flags of the transaction.
    pub flags: u32,
    /// Flags of the first branch.
    pub branch_flags: u32,
    /// Further flags of the transaction.
    pub further_flags: u32,
    /// Branches beside the first.
    pub further: Vec<FurtherBranch>,
    /// Routes for later.
    pub armed: Armed,
    /// Timers of the transaction.
    pub patience: Patience,
    /// Choices about the transaction.
    pub options: Options,
    /// What was chosen last.
    pub choice: Option<Choice>,
    /// The destination that was chosen last.
    pub current: Option<Arc<Destination>>,
    /// Figures of the set that was asked for.
    pub figures: Option<Figures>,
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
            edits: Edits::bounded(),
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
        self.record_route_parameters = None;
        self.advertised_host = None;
        self.advertised_port = None;
        self.asks_rport = false;
        self.reply_code = None;
        self.max_forwards = None;
        self.edits.clear();
        self.reply_headers.clear();
        self.reply_body = None;
        self.flags = 0;
        self.branch_flags = 0;
        self.further_flags = 0;
        self.further.clear();
        self.armed = Armed::default();
        self.patience = Patience::default();
        self.options = Options::default();
        self.choice = None;
        self.current = None;
        self.figures = None;
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

    /// The body of answers of our own; mostly empty.
    pub fn reply_body(&self) -> &[u8] {
        self.reply_body.map_or(b"", |body| self.text(body))
    }

    /// Whether more texts and edits may be kept. What would change a message asks for this first.
    pub fn has_room(&self) -> bool {
        self.texts.len() < MAX_TEXTS && self.edits.has_room_for(0)
    }

    /// Keeps a text until the draft is cleared; nothing of one that is longer than [`MAX_TEXT`].
    pub fn keep(&mut self, bytes: &[u8]) -> Text {
        self.keep_with(|texts| texts.extend_from_slice(bytes))
    }

    /// Keeps what `write` appends; nothing, if that is longer than [`MAX_TEXT`].
    pub fn keep_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        let start = self.texts.len();
        write(&mut self.texts);
        if self.texts.len() - start > MAX_TEXT {
            self.texts.truncate(start);
        }
        Text {
            start: start as u32,
            end: self.texts.len() as u32,
        }
    }

    /// Keeps one of its texts with what `write` appends.
    pub fn keep_joined(&mut self, text: Option<Text>, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        self.keep_with(|texts| {
            if let Some(text) = text {
                texts.extend_from_within(text.start as usize..text.end as usize);
            }
            write(texts);
        })
    }

    /// Keeps two of its texts as one.
    pub fn keep_both(&mut self, one: Text, other: Text) -> Text {
        self.keep_with(|texts| {
            for text in [one, other] {
                texts.extend_from_within(text.start as usize..text.end as usize);
            }
        })
    }

    /// The destination that it goes to, if it goes to one.
    pub fn destination(&self) -> Option<&Arc<Destination>> {
        self.next_hop.destination(self.uri_destination.as_ref())
    }

    /// One of its texts, or the Request-URI as received.
    pub fn uri_or_received<'a>(&'a self, uri: Option<Text>, message: Message<'a>) -> &'a [u8] {
        match uri {
            Some(text) => self.text(text),
            None => message.request_uri().unwrap_or_default(),
        }
    }

    /// Appends the branches as the Contact of a redirect has them: the Request-URI if it was changed, and
    /// what was appended. Says whether there is any.
    pub fn write_contact(&self, message: Message<'_>, out: &mut Vec<u8>) -> bool {
        let is_changed = self.uri.is_some() || self.options.has(Options::NEW_URI);
        let own = is_changed.then_some((self.uri, None));
        let further = self.further.iter();
        let all = own
            .into_iter()
            .chain(further.map(|branch| (branch.uri, branch.preference)));
        let mut separator = &b"Contact: <"[..];
        for (uri, preference) in all {
            out.extend_from_slice(separator);
            out.extend_from_slice(self.uri_or_received(uri, message));
            out.push(b'>');
            if let Some(thousandths) = preference {
                write_preference(thousandths, out);
            }
            separator = b", <";
        }
        separator == b", <"
    }

    /// Sets the Request-URI, unless it is longer than [`MAX_TEXT`].
    pub fn set_uri(&mut self, uri: &[u8]) -> bool {
        if uri.len() > MAX_TEXT {
            return false;
        }
        self.uri = Some(self.keep(uri));
        self.uri_destination = None;
        true
    }

    /// Sets the next hop: `$du`.
    pub fn set_next_hop(&mut self, uri: &[u8]) {
        self.next_hop = NextHop::Uri(self.keep(uri));
    }

    /// Sets the next hop to a host, or an address with or without its port; 0 is none.
    pub fn set_next_hop_to(&mut self, host: &[u8], port: i64) {
        use std::io::Write as _;
        let uri = self.keep_with(|texts| {
            texts.extend_from_slice(b"sip:");
            texts.extend_from_slice(host);
            if port != 0 {
                // Writing to a vector cannot fail.
                write!(texts, ":{port}").ok();
            }
        });
        self.next_hop = NextHop::Uri(uri);
    }
}

/// `;q=0.25`, without zeros at the end.
fn write_preference(thousandths: u16, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    // Writing to a vector cannot fail.
    write!(out, ";q={whole}").ok();
    if rest > 0 {
        write!(out, ".{rest:03}").ok();
        while out.ends_with(b"0") {
            out.pop();
        }
    }
}
