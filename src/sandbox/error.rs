//! Errors of the sandbox's Rust interface.

use std::{io, path::PathBuf};

use crate::sandbox::store::origin::OriginError;

/// Why the sandbox could not start or its store could not be used. Errors inside a session are
/// answered in the protocol instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A socket could not be bound, or a thread could not be started.
    #[error("the sandbox cannot {action}: {source}")]
    Start {
        /// The failed action, as a verb phrase.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A certificate or its TLS identity could not be made.
    #[error("the sandbox cannot make a certificate for `{host}`: {reason}")]
    Certificate {
        /// The host name of the certificate.
        host: String,
        /// The library's message.
        reason: String,
    },
    /// No such account.
    #[error("the sandbox has no account `{0}`")]
    UnknownUser(String),
    /// No such mailbox, or it cannot hold letters (`\Noselect`).
    #[error("`{user}` has no mailbox `{mailbox}`")]
    UnknownMailbox {
        /// The account.
        user: String,
        /// The name as given.
        mailbox: String,
    },
    /// The server that has the mail did not say what there is.
    #[error("{}", match .0 { OriginError::Refused(words) | OriginError::Lost(words) => words })]
    Origin(OriginError),
    /// The account's quota does not allow for the letter.
    #[error("the quota of `{0}` has no room for the letter")]
    OverQuota(String),
    /// An invalid mailbox name, flag or letter.
    #[error("{0}")]
    Invalid(String),
    /// Mail that could not be imported.
    #[error("cannot import `{}`: {reason}", path.display())]
    Import {
        /// The file or folder that failed.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
