//! Blocking clients: one method an operation, one owner a connection.

mod answers;
pub mod error;
pub mod imap;
mod login;
mod transfer;

pub use error::Error;
pub use imap::{CopiedUids, ImapClient, Listed, Stored, Warning, WarningKind};
pub use login::{Credentials, ImapOptions, TlsMode};
