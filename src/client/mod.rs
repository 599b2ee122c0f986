//! Blocking clients: one method an operation, one owner a connection.

mod answers;
pub mod error;
pub mod imap;
mod login;
mod options;
pub mod pop3;
pub mod smtp;
mod transfer;

pub use error::Error;
pub use imap::{CopiedUids, ImapClient, Listed, Stored, Warning, WarningKind};
pub use options::{ConnectOptions, Credentials, TlsMode};
pub use pop3::PopClient;
pub use smtp::SmtpClient;
