//! Blocking clients: one method for each operation, one owner for each connection.

mod ahead;
mod answers;
mod appending;
mod copying;
pub(crate) mod error;
mod fetched;
mod identity;
pub mod imap;
mod login;
mod mailboxes;
mod messages;
mod moving;
mod options;
mod pending;
pub mod pop3;
mod pop_ahead;
mod quota;
mod read_ahead;
mod running;
pub mod smtp;
mod told;
mod transfer;

pub use appending::{Appended, Stored};
pub use error::Error;
pub use fetched::Fetched;
pub use identity::ServerId;
pub use imap::ImapClient;
pub use mailboxes::{Listing, StatusOf};
pub use messages::{Copied, Fetch, FetchReader, Search};
pub use options::{Auth, ConnectOptions, Credentials, TlsMode};
pub use pending::{Nothing, Pending, Reader};
pub use pop3::PopClient;
pub use quota::{QuotaResource, QuotaRoot};
pub use smtp::SmtpClient;
pub use told::{CopiedUids, Listed, Warning, WarningKind};
pub use transfer::Letters;
