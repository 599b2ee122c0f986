//! Blocking clients: one method an operation, one owner a connection.

mod ahead;
mod answers;
mod appending;
mod copying;
pub mod error;
pub mod imap;
mod login;
mod options;
pub mod pop3;
mod pop_ahead;
mod running;
pub mod smtp;
mod transfer;

pub use ahead::{Sending, Ticket};
pub use appending::Stored;
pub use error::Error;
pub use imap::{CopiedUids, ImapClient, Listed, Warning, WarningKind};
pub use options::{Auth, ConnectOptions, Credentials, TlsMode};
pub use pop3::PopClient;
pub use smtp::SmtpClient;
pub use transfer::Letters;
