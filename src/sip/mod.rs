//! SIP messages as bytes: a lazy scanner, decoders for the headers a proxy reads, a splice editor and
//! a builder for the few messages that a proxy makes itself.
//!
//! Owns: nothing that outlives a message, except buffers that are used again ([`HeaderIndex`],
//! [`Edits`]). May touch: bytes only.
//!
//! [`scan`] walks a datagram once and writes down where each header line lies. Nothing is decoded
//! until somebody asks, nothing is copied until [`Edits::write`] puts the edited message together.
//!
//! The scanner is generous where RFC 4475 allows it (line ends, folding, odd case, space before the
//! colon, compact forms) and leaves the judgement to [`Message::fault`], so that a request that is
//! readable enough to be answered can be answered.

mod amend;
mod basics;
pub mod build;
mod digest;
mod edit;
mod error;
mod fault;
mod header;
mod marks;
mod message;
mod method;
mod name;
mod name_addr;
mod param;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod uri;
mod values;
mod via;

pub use amend::Amend;
pub use basics::{Basics, Identity};
pub use digest::{digest_param, digest_username};
pub use edit::{Edits, remove_first_value, remove_value};
pub use error::{HeaderError, ScanError, UriError};
pub use fault::Fault;
pub use header::{CSeq, Line, StartLine};
pub use message::Message;
pub use method::Method;
pub use name::Name;
pub use name_addr::NameAddr;
pub use param::{Param, Params};
pub use scan::{HeaderIndex, MAX_HEADERS, MAX_MESSAGE_BYTES, is_keepalive, scan};
pub(crate) use text::write_number;
pub use uri::{Scheme, Uri};
pub use values::Values;
pub use via::Via;
