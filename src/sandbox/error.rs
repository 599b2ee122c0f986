//! What can go wrong when a sandbox is started or its store is used from the same program.

use std::{io, path::PathBuf};

/// An error of the sandbox's own interface; what goes wrong in a session is answered in the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A socket could not be bound, or a thread could not be started.
    #[error("the sandbox cannot {action}: {source}")]
    Start {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A certificate or its TLS identity could not be made.
    #[error("the sandbox cannot make a certificate for `{host}`: {reason}")]
    Certificate {
        /// The host name it was for.
        host: String,
        /// The library's reason.
        reason: String,
    },
    /// No such account.
    #[error("the sandbox has no account `{0}`")]
    UnknownUser(String),
    /// No such mailbox, or one that holds no letters.
    #[error("`{user}` has no mailbox `{mailbox}`")]
    UnknownMailbox {
        /// The account.
        user: String,
        /// The name that was asked for.
        mailbox: String,
    },
    /// The account's quota does not allow for the letter.
    #[error("the quota of `{0}` has no room for the letter")]
    OverQuota(String),
    /// A mailbox name or flag that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Mail that could not be read in.
    #[error("cannot import `{}`: {reason}", path.display())]
    Import {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
