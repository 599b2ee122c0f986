//! What an operation can end with, by blame.

use crate::proto::imap::Completion;
use crate::proto::{EncodeError, ProtocolError};
use crate::transport::TransportError;
use crate::transport::drive::DriveError;
use thiserror::Error;

/// An operation failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument cannot be sent; nothing was.
    #[error(transparent)]
    Argument(#[from] EncodeError),
    /// The server refused the command; the connection is as good as before.
    #[error("the server refused {command}")]
    Refused {
        /// The command.
        command: &'static str,
        /// What the server said.
        completion: Completion,
    },
    /// The server refused the user or the password.
    #[error("the server refused the login of {user:?}")]
    Authentication {
        /// The user.
        user: String,
        /// What the server said.
        words: String,
    },
    /// Going on would have sent a password or mail in the clear.
    #[error("{0}")]
    Insecure(String),
    /// The server does not offer what was asked for.
    #[error("{0}")]
    Unsupported(String),
    /// The server closes the connection.
    #[error("the server closed the connection")]
    Bye {
        /// What it said.
        words: String,
    },
    /// The connection was closed before.
    #[error("the connection is closed")]
    Closed,
    /// The server broke the protocol; the connection is closed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The stream failed; the connection is closed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file could not be read or written; the connection is as good as before.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// What the server sent does not answer what was asked.
    #[error("{0}")]
    Unexpected(String),
}

impl From<DriveError> for Error {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Transport(error) => Error::Transport(error),
            DriveError::Protocol(error) => Error::Protocol(error),
        }
    }
}

impl Error {
    /// The server's own words, where it spoke.
    pub fn server_words(&self) -> Option<String> {
        match self {
            Error::Refused { completion, .. } => Some(completion.words()),
            Error::Authentication { words, .. } | Error::Bye { words } => Some(words.clone()),
            _ => None,
        }
    }
}
