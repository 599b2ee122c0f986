//! IMAP4rev1 (RFC 3501) and the parts of IMAP4rev2 (RFC 9051) and of the extensions that a mail script uses.
//!
//! A [`Session`] takes the server's bytes and the caller's [`Command`]s, and gives bytes to send and [`Event`]s. The response grammar is that of
//! S-expressions, so one tokenizer ([`Tokens`]) reads every data item there is; nothing is copied until a caller wants it.

pub mod command;
pub mod date;
pub mod encode;
pub mod envelope;
pub mod fetched;
pub mod flag;
pub mod frame;
pub mod items;
pub mod messages;
pub mod response;
pub mod search;
pub mod sequence;
pub mod session;
pub mod state;
pub mod tokens;
pub mod utf7;
pub mod verb;

pub use command::Command;
pub use date::DateTime;
pub use encode::Encoder;
pub use envelope::{Address, Envelope};
pub use fetched::FetchedItems;
pub use flag::Flag;
pub use items::FetchItems;
pub use messages::{MessageId, Messages};
pub use response::{Code, Data, Response, Status, StatusKind};
pub use search::SearchKey;
pub use sequence::SequenceSet;
pub use session::{Completion, Event, Handle, OwnedResponse, Session};
pub use state::{Capabilities, SelectedMailbox};
pub use tokens::{Token, Tokens};
pub use verb::Verb;
