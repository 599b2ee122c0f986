//! Protocol errors, split by blame: [`EncodeError`] is the caller's fault, [`ProtocolError`] the
//! server's.

use thiserror::Error;

/// The server broke the protocol or exceeded a limit. The connection cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A response that the grammar does not allow.
    #[error("{what} at byte {offset} of the response, near {near}")]
    Malformed {
        /// The fault.
        what: &'static str,
        /// Byte offset from the start of the response.
        offset: usize,
        /// A short, escaped excerpt of what is there.
        near: String,
    },
    /// The server sent more than [`super::Limits`] allows.
    #[error("{what}: more than the limit of {limit}{}{unit}; :limits '(:{name} N) allows more", if unit.is_empty() { "" } else { " " })]
    TooLarge {
        /// The thing that is too large.
        what: &'static str,
        /// The limit's name, as in [`super::Limits::TABLE`].
        name: &'static str,
        /// The limit's value, in bytes or as a count.
        limit: u64,
        /// `bytes`, or empty for a count.
        unit: &'static str,
    },
    /// A well-formed response that is not allowed at this point.
    #[error("{what}: {near}")]
    OutOfTurn {
        /// The rule it breaks.
        what: &'static str,
        /// A short, escaped excerpt of the response.
        near: String,
    },
}

impl ProtocolError {
    /// Returns the same error with its excerpt of the server's text passed through `change`.
    pub(crate) fn map_near(self, change: impl FnOnce(&str) -> String) -> Self {
        match self {
            ProtocolError::Malformed { what, offset, near } => {
                ProtocolError::Malformed { what, offset, near: change(&near) }
            }
            ProtocolError::OutOfTurn { what, near } => {
                ProtocolError::OutOfTurn { what, near: change(&near) }
            }
            other @ ProtocolError::TooLarge { .. } => other,
        }
    }
}

/// A value from the caller that the protocol cannot carry. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}: expected {expected}, got {got}")]
pub struct EncodeError {
    /// The argument's name in the protocol's terms, for example `mailbox name`.
    pub what: &'static str,
    /// The kind of value that was expected.
    pub expected: &'static str,
    /// The given value, short and escaped; never a secret.
    pub got: String,
}

impl EncodeError {
    pub(crate) fn new(what: &'static str, expected: &'static str, got: &[u8]) -> Self {
        EncodeError { what, expected, got: excerpt(got) }
    }
}

/// Returns up to 60 bytes of server or script text, quoted and escaped, for messages.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(60)];
    let dots = if shown.len() < bytes.len() { "…" } else { "" };
    format!("\"{}{dots}\"", shown.escape_ascii())
}
