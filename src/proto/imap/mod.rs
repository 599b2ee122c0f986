//! IMAP4rev1 (RFC 3501), sans-IO, with the parts of IMAP4rev2 (RFC 9051) and of the extensions that
//! a mail script uses.
//!
//! A [`Session`] takes the server's bytes and the caller's [`Command`]s, and produces bytes to send
//! and [`Event`]s. Input passes through three stages: `frame` splits it into responses and finds
//! their literals, `response` reads a response's outer shape, and [`Tokens`] reads the data items
//! in it. The data is nested lists, as in S-expressions, so one tokenizer reads them all. Nothing
//! is copied until a caller wants it.

pub mod command;
pub(crate) mod date;
pub(crate) mod encode;
pub(crate) mod envelope;
pub(crate) mod fetched;
pub mod flag;
pub mod frame;
pub(crate) mod items;
pub(crate) mod kept;
mod known_uids;
pub(crate) mod listed;
pub(crate) mod messages;
pub mod ordering;
pub(crate) mod repair;
pub mod response;
pub mod returning;
pub mod search;
pub mod sequence;
pub(crate) mod session;
pub(crate) mod state;
mod stored;
pub(crate) mod structure;
pub(crate) mod tokens;
pub mod utf7;
pub(crate) mod verb;

pub use command::{Command, Since};
pub use date::DateTime;
pub use encode::Encoder;
pub use envelope::{Address, Envelope};
pub use fetched::{FetchedItems, message_number};
pub use flag::Flag;
pub use items::FetchItems;
pub use kept::{Kept, Store};
pub use messages::{MessageId, Messages};
pub use ordering::{SortCriterion, SortKey, ThreadAlgorithm};
pub use response::{Code, Data, Response, Status, StatusKind};
pub use returning::{Found, Places, Returns};
pub use search::SearchKey;
pub use sequence::SequenceSet;
pub use session::{Completion, Event, Handle, OwnedResponse, Piece, Session};
pub use state::{Capabilities, SelectedMailbox, vanished};
pub use stored::CopiedUids;
pub use structure::Structure;
pub use tokens::{Place, Token, Tokens};
pub use verb::{Changes, Flight, Row, Verb};
