//! The errors of operations. Each variant says who caused it and whether the connection is still
//! usable.
//!
//! API functions convert an [`Error`] to a [`Condition`]. The condition keeps the server's words in
//! a separate field, so its message does not repeat them.

use crate::condition::{Condition, Identifier};
use crate::proto::imap::Completion;
use crate::proto::sasl::SaslError;
use crate::proto::witness::Refusal;
use crate::proto::{EncodeError, ProtocolError};
use crate::shown::escape_controls;
use crate::transport::TransportError;
use crate::transport::drive::DriveError;
use thiserror::Error;

/// Why an operation failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument cannot be sent. Nothing was sent.
    #[error(transparent)]
    Argument(#[from] EncodeError),
    /// The server refused the command. The connection stays usable.
    #[error("the server refused {command}{}", after_colon(&completion.words()))]
    Refused {
        /// The command.
        command: &'static str,
        /// The server's words.
        completion: Completion,
    },
    /// The server refused the user or the password.
    #[error("the server refused the login of {user:?}{}", after_colon(words))]
    Authentication {
        /// The user.
        user: String,
        /// The server's words.
        words: String,
    },
    /// The server's part of the login violates the mechanism; the connection is closed.
    #[error("the login of {user:?} was given up: {cause}")]
    Login {
        /// The user.
        user: String,
        /// What is wrong.
        cause: SaslError,
    },
    /// The server refused recipients. Nothing was sent to anybody.
    #[error("the server refused {}", addresses_and_words(refused))]
    Recipients {
        /// The refused recipients.
        refused: Vec<super::smtp::Refused>,
    },
    /// The connection broke between the end of a letter and the server's reply. The letter may have
    /// been delivered.
    #[error(
        "the letter was sent whole, but the server's reply did not come ({cause}): it may have been delivered"
    )]
    DeliveryUnknown {
        /// Why no reply arrived.
        cause: String,
    },
    /// Continuing would have sent a password or mail unencrypted.
    #[error("{0}")]
    Insecure(String),
    /// The server does not offer the requested feature.
    #[error("{0}")]
    Unsupported(String),
    /// A dry run does not know what the server would do; the words say of what. Nothing was sent.
    #[error("a dry run cannot foresee {0}")]
    CannotForesee(String),
    /// The operation needs a selected mailbox. Nothing was sent.
    #[error("no mailbox is selected")]
    NothingSelected,
    /// The mailbox has another UIDVALIDITY than the caller remembers, so its UIDs and mod-sequences
    /// mean nothing. It is selected.
    #[error("the mailbox has another UIDVALIDITY, {}, than {before}: unique ids and modification sequences of before mean nothing now",
        now.map_or_else(|| "none".to_owned(), |now| now.to_string()))]
    OtherUidValidity {
        /// What the caller remembers.
        before: u32,
        /// What the server says.
        now: Option<u32>,
    },
    /// The server said BYE or 421 and closed the connection.
    #[error("the server closed the connection{}", after_colon(words))]
    Bye {
        /// The server's words.
        words: String,
    },
    /// A witness refused the change. Nothing was sent, and the connection stays usable.
    #[error(transparent)]
    Limit(#[from] Refusal),
    /// The connection was closed earlier.
    #[error("the connection is closed")]
    Closed,
    /// The server broke the protocol; the connection is closed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The stream failed; the connection is closed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file could not be read or written. The connection stays usable.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// The system's error.
        cause: std::io::Error,
    },
    /// A letter could not be read while it was sent. Nothing was stored. The connection is closed,
    /// since the announced literal cannot be completed.
    #[error("{0}; nothing was stored, and the connection is closed")]
    Letter(std::io::Error),
    /// The server's answer does not fit the command.
    #[error("{0}")]
    Unexpected(String),
}

impl From<DriveError> for Error {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Transport(error) => Error::Transport(error),
            DriveError::Protocol(error) => Error::Protocol(error),
            DriveError::Refused(refusal) => Error::Limit(refusal),
        }
    }
}

fn addresses(refused: &[super::smtp::Refused]) -> String {
    refused.iter().map(|one| one.address.as_str()).collect::<Vec<_>>().join(", ")
}

fn addresses_and_words(refused: &[super::smtp::Refused]) -> String {
    let one = |one: &super::smtp::Refused| format!("{}{}", one.address, after_colon(&one.words));
    refused.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The server's words, escaped for a terminal, as the end of a message; empty if there are none.
fn after_colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {}", escape_controls(words)) }
}

impl Error {
    /// The message without the server's words; a condition has a field for those.
    fn without_words(&self) -> String {
        match self {
            Error::Refused { command, .. } => format!("the server refused {command}"),
            Error::Authentication { user, .. } => {
                format!("the server refused the login of {user:?}")
            }
            Error::Recipients { refused } => format!("the server refused {}", addresses(refused)),
            Error::Bye { .. } => "the server closed the connection".to_owned(),
            other => other.to_string(),
        }
    }

    /// Passes every text that came from the server through `redact`.
    pub(super) fn redacted(self, redact: &dyn Fn(&str) -> String) -> Self {
        let completion = |completion: Completion| Completion {
            kind: completion.kind,
            code: completion.code.map(|(name, arguments)| (redact(&name), redact(&arguments))),
            text: redact(&completion.text),
        };
        match self {
            Error::Refused { command, completion: said } => {
                Error::Refused { command, completion: completion(said) }
            }
            Error::Authentication { user, words } => {
                Error::Authentication { user, words: redact(&words) }
            }
            Error::Bye { words } => Error::Bye { words: redact(&words) },
            Error::Insecure(text) => Error::Insecure(redact(&text)),
            Error::Unexpected(text) => Error::Unexpected(redact(&text)),
            Error::Protocol(error) => Error::Protocol(error.map_near(redact)),
            other => other,
        }
    }

    /// The server's own words, if the error carries any.
    pub fn server_words(&self) -> Option<String> {
        match self {
            Error::Refused { completion, .. } => Some(completion.words()),
            Error::Authentication { words, .. } | Error::Bye { words } => Some(words.clone()),
            Error::Recipients { refused } => {
                Some(refused.iter().map(|one| one.words.as_str()).collect::<Vec<_>>().join("; "))
            }
            _ => None,
        }
    }
}

impl From<&Error> for Condition {
    fn from(error: &Error) -> Self {
        let identifier = match error {
            Error::Argument(_) => Identifier::SyntaxError,
            Error::Refused { .. } | Error::NothingSelected => Identifier::ErrorResponse,
            Error::Authentication { .. } | Error::Login { .. } => Identifier::Authentication,
            Error::Insecure(_) => Identifier::Insecure,
            Error::Recipients { .. } => Identifier::RecipientsRefused,
            Error::DeliveryUnknown { .. } => Identifier::ServerShutdownConnection,
            Error::Unsupported(_) => Identifier::Unsupported,
            Error::CannotForesee(_) => Identifier::CannotForesee,
            Error::OtherUidValidity { .. } => Identifier::UidValidityChanged,
            Error::Limit(_) => Identifier::Limit,
            Error::Bye { .. } | Error::Closed => Identifier::ServerShutdownConnection,
            Error::Protocol(ProtocolError::TooLarge { .. }) => Identifier::ResponseTooLarge,
            Error::Protocol(_) | Error::Unexpected(_) => Identifier::Unexpected,
            Error::File { .. }
            | Error::Letter(_)
            | Error::Transport(TransportError::File { .. }) => Identifier::File,
            Error::Transport(TransportError::NotAllowed(_)) => Identifier::NotAllowed,
            Error::Transport(TransportError::Timeout(_)) => Identifier::Timeout,
            Error::Transport(TransportError::Certificate { .. }) => Identifier::Certificate,
            Error::Transport(_) => Identifier::ServerShutdownConnection,
        };
        Condition {
            identifier,
            message: error.without_words(),
            server_string: error.server_words(),
        }
    }
}
